/* SPDX-License-Identifier: MIT */
#include "runner/vm/self_test_scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

/* Process ids up to this one may be ones in the jail, too. */
#define LOW_PIDS 64
/* The program is executed by its number, which must not be one of QEMU's. */
#define HIGH_FD 64
#define CACHE_FILE_SIZE 4096
#define TREE_DEPTH 16

extern const unsigned char escape_start[], escape_end[];

static int make_token(char ret[TEST_TOKEN_SIZE], struct err *e)
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_errno(e, errno, "cannot get random numbers");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int write_file(int dir, const char *name, mode_t mode, const char *text, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r = fd < 0 ? -errno : fs_write_all(fd, text, strlen(text));

	return r < 0 ? err_errno(e, -r, "cannot write '%s' for the self-test", name) : 0;
}

/* Below the scratch directory; @ret_fd: O_PATH. */
static int make_dir(const struct test_scene *s, const char *name, int *ret_fd, struct err *e)
{
	int fd;

	if (mkdirat(s->leak, name, 0755) < 0)
		return err_errno(e, errno, "cannot make a directory in '%s'", s->dir);
	fd = openat(s->leak, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "cannot open '%s/%s'", s->dir, name);
	*ret_fd = fd;
	return 0;
}

/* Real root's guests have ids of their own, which may write to nothing of root's. */
static int give_away(const struct test_scene *s, const struct launch_input *in, struct err *e)
{
	if (in->facts->uid != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(s->volumes); i++)
		if (fchownat(s->volumes[i], "", in->idmap->uids.e[0].outside,
			     in->idmap->gids.e[0].outside, AT_EMPTY_PATH) < 0)
			return err_errno(e, errno, "cannot give a directory to the guest");
	return 0;
}

static int make_cache(struct test_scene *s, struct err *e)
{
	char text[CACHE_FILE_SIZE + 1];
	int r = make_dir(s, "cache", &s->cache, e);

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	if (r == 0)
		r = write_file(s->cache, "kernel", 0644, text, e);
	return r == 0 ? write_file(s->cache, "template", 0644, text, e) : r;
}

static int make_files(struct test_scene *s, const struct launch_input *in, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_close_ int dir = -1;
	int r;

	snprintf(s->dir, sizeof(s->dir), "%s/vmrun-self-test-XXXXXX",
		 tmp && *tmp == '/' && strlen(tmp) < 64 ? tmp : "/tmp");
	if (!mkdtemp(s->dir)) {
		r = err_errno(e, errno, "cannot make '%s'", s->dir);
		*s->dir = '\0';
		return r;
	}
	dir = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* One that is inherited by whoever does not close it. */
	s->leak = dir < 0 ? -1 : fcntl(dir, F_DUPFD, HIGH_FD); /* NOLINT(android-cloexec-dup) */
	if (s->leak < 0)
		return err_errno(e, errno, "cannot open '%s'", s->dir);
	r = write_file(s->leak, "secret", 0600, s->token, e);
	if (r == 0)
		r = write_file(s->leak, "decoy", 0600, "", e);
	if (r == 0)
		r = make_dir(s, "volume", &s->volumes[0], e);
	if (r == 0)
		r = make_dir(s, "given", &s->volumes[1], e);
	if (r == 0)
		r = write_file(s->volumes[1], "given", 0644, "", e);
	if (r == 0)
		r = give_away(s, in, e);
	if (r == 0)
		r = make_cache(s, e);
	if (r == 0 && !in->base)
		return make_dir(s, "base", &s->base, e);
	if (r == 0) {
		s->base = fcntl(in->base->fd, F_DUPFD_CLOEXEC, 3);
		if (s->base < 0)
			return err_errno(e, errno, "cannot keep hold of the base");
	}
	return r;
}

static int make_memory_file(const char *name, const void *data, size_t len, int *ret_fd,
			    struct err *e)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_errno(e, errno, "cannot make a memory file");
	r = fs_write_all(fd, data, len);
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(e, -r, "cannot fill a memory file");
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* --- sockets of the host's --- */

static int listen_on(int fd, const void *addr, socklen_t len)
{
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, addr, len) == 0 && listen(fd, 64) == 0)
		return fd;
	close(fd);
	return -1;
}

static int listen_unix(const char *path, bool abstract)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path);

	memcpy(addr.sun_path + abstract, path, strlen(path));
	return listen_on(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &addr, (socklen_t)len);
}

static void add_port(struct test_scene *s, const char *key, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr = { .in.sin_port = 0 };
	socklen_t len = sizeof(addr);

	/* The port is at the same place in both. */
	if (fd >= 0 && getsockname(fd, &addr.any, &len) == 0)
		strvec_addf(&s->args, "%s=%u", key, ntohs(addr.in.sin_port));
}

static int make_sockets(struct test_scene *s, struct err *e)
{
	const struct sockaddr_in in = { .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
					  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	char name[sizeof(s->dir) + 16];

	s->sockets[0] = listen_on(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &in, sizeof(in));
	snprintf(name, sizeof(name), "vmrun-%s", s->token);
	s->sockets[1] = listen_unix(name, true);
	strvec_addf(&s->args, "abstract=%s", name);
	snprintf(name, sizeof(name), "%s/socket", s->dir);
	if (strlen(name) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return err_msg(e, ENAMETOOLONG, "the path of TMPDIR is too long for a self-test");
	s->sockets[2] = listen_unix(name, false);
	strvec_addf(&s->args, "socket=%s", name);
	for (size_t i = 0; i < 3; i++)
		if (s->sockets[i] < 0)
			return err_errno(e, errno, "cannot listen for the self-test");
	/* Not every host has it. */
	s->sockets[3] = listen_on(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), &in6,
				  sizeof(in6));
	add_port(s, "port", s->sockets[0]);
	add_port(s, "port6", s->sockets[3]);
	return 0;
}

/* --- what else there is to be had; where a kernel has no such thing, there is none --- */

static void make_shm(struct test_scene *s)
{
	int id = shmget(IPC_PRIVATE, CACHE_FILE_SIZE, IPC_CREAT | 0666);

	if (id < 0)
		return;
	s->shm = shmat(id, NULL, 0);
	/* From here on it ends with us, and can still be attached by its id. */
	shmctl(id, IPC_RMID, NULL);
	if (s->shm == (void *)-1) /* NOLINT(performance-no-int-to-ptr) */
		s->shm = NULL;
	if (!s->shm)
		return;
	memcpy(s->shm, s->token, sizeof(s->token));
	strvec_addf(&s->args, "shm=%d", id);
}

static void make_key(const struct test_scene *s)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
		syscall(SYS_add_key, "user", "vmrun-escape", s->token, strlen(s->token),
			KEY_SPEC_SESSION_KEYRING);
}

static void add_handle(struct test_scene *s)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	_cleanup_strbuf_ struct strbuf hex = { 0 };
	int mount;

	if (name_to_handle_at(s->leak, "secret", &u.h, &mount, 0) < 0)
		return;
	for (unsigned int i = 0; i < u.h.handle_bytes; i++)
		strbuf_printf(&hex, "%02x", u.h.f_handle[i]);
	strvec_addf(&s->args, "handle=%d:%s", u.h.handle_type, strbuf_str(&hex));
}

static void add_namespaces(struct test_scene *s)
{
	static const char *const names[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup" };
	char path[64];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (stat(path, &st) == 0)
			strvec_addf(&s->args, "%s=%llu", names[i], (unsigned long long)st.st_ino);
	}
}

/* A process of the caller's that has the secret open, and the token in its memory. */
static pid_t start_victim(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;)
		pause();
}

static int make_victim(struct test_scene *s, struct err *e)
{
	pid_t pid = start_victim();

	while (pid > 0 && pid <= LOW_PIDS) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = start_victim();
	}
	if (pid < 0)
		return err_errno(e, errno, "cannot fork");
	s->victim = pid;
	strvec_addf(&s->args, "victim=%d", (int)pid);
	strvec_addf(&s->args, "victim_fd=%d", s->secret);
	/* The same in the jail's first process: both are forked from this. */
	strvec_addf(&s->args, "victim_addr=%lx", (unsigned long)(uintptr_t)s->token);
	strvec_addf(&s->args, "first_addr=%lx", (unsigned long)(uintptr_t)s->token);
	return 0;
}

/* An id of the guest's that is not its root: the caller's own where that is one. */
static uint32_t other_id(const struct launch_input *in)
{
	const struct id_map *map = &in->idmap->uids;

	for (unsigned int i = 0; i < map->n; i++) {
		uint32_t at = in->facts->uid - map->e[i].outside;

		if (in->facts->uid >= map->e[i].outside && at < map->e[i].count &&
		    map->e[i].inside + at > 0)
			return map->e[i].inside + at;
	}
	return 1;
}

static int make_program(struct test_scene *s, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = make_memory_file("escape", escape_start, (size_t)(escape_end - escape_start), &fd,
				 e);

	if (r < 0)
		return r;
	s->program = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	return s->program < 0 ? err_errno(e, errno, "cannot keep hold of a memory file") : 0;
}

/* What the program is told where to find; and what there may be besides. */
static int make_rest(struct test_scene *s, const struct launch_input *in, struct err *e)
{
	int r;

	s->secret = openat(s->leak, "secret", O_RDONLY | O_CLOEXEC);
	strvec_addf(&s->args, "token=%s", s->token);
	strvec_addf(&s->args, "dir=%s", s->dir);
	strvec_addf(&s->args, "secret=%s/secret", s->dir);
	strvec_addf(&s->args, "uid=%u", other_id(in));
	strvec_addf(&s->args, "kvm=%d", in->accel == ACCEL_KVM);
	make_shm(s);
	make_key(s);
	add_handle(s);
	add_namespaces(s);
	r = make_victim(s, e);
	return r == 0 && s->args.failed ? err_oom(e) : r;
}

int test_scene_make(const struct launch_input *in, struct test_scene *ret, struct err *e)
{
	int r;

	*ret = (struct test_scene)TEST_SCENE_INIT;
	r = make_token(ret->token, e);
	if (r == 0)
		r = make_files(ret, in, e);
	if (r == 0)
		r = make_memory_file("initramfs", ret->token, 1, &ret->initrd, e);
	if (r == 0)
		r = make_program(ret, e);
	if (r == 0)
		r = make_sockets(ret, e);
	return r == 0 ? make_rest(ret, in, e) : r;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	/* What the guest made is in directories of ours: we may remove it, whoever owns it. */
	remove(path);
	return 0;
}

void test_scene_clear(struct test_scene *s)
{
	if (s->victim > 0) {
		kill(s->victim, SIGKILL);
		waitpid(s->victim, NULL, 0);
		s->victim = 0;
	}
	if (s->shm)
		shmdt(s->shm);
	s->shm = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(s->sockets); i++)
		cleanup_close(&s->sockets[i]);
	cleanup_close(&s->volumes[0]);
	cleanup_close(&s->volumes[1]);
	cleanup_close(&s->leak);
	cleanup_close(&s->base);
	cleanup_close(&s->cache);
	cleanup_close(&s->initrd);
	cleanup_close(&s->program);
	cleanup_close(&s->secret);
	strvec_free(&s->args);
	if (*s->dir)
		nftw(s->dir, remove_entry, TREE_DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	*s->dir = '\0';
}
