/* SPDX-License-Identifier: MIT */
/* The caller's files, by every name that a file can be reached by. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define UP "../../../../../../../../../../../../../../../.."
#define HANDLE_MAX 128

static enum verdict by_path(void)
{
	return read_secret(AT_FDCWD, scene.secret);
}

/* @prefix, and the secret's absolute path behind it. */
static enum verdict read_behind(int dirfd, const char *prefix)
{
	char path[PATH_SIZE + 128];

	snprintf(path, sizeof(path), "%s%s", prefix, scene.secret);
	return read_secret(dirfd, path);
}

static enum verdict by_dotdot(void)
{
	static const char *const from[] = { ".", "/vm/root", "/vm/volumes/0", "/proc/self" };

	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		if (chdir(from[i]) == 0 && read_behind(AT_FDCWD, UP) == OUT)
			return out("read the secret above %s", from[i]);
	return held("no directory is above the root");
}

static enum verdict by_own_root(void)
{
	return read_behind(AT_FDCWD, "/proc/self/root");
}

/* What is called NAME of the jail's first process. */
static const char *first(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)first_pid(), name);
	return path;
}

static enum verdict by_first_root(void)
{
	return read_behind(AT_FDCWD, first("root"));
}

static enum verdict by_first_cwd(void)
{
	return read_behind(AT_FDCWD, first("cwd/" UP));
}

static enum verdict by_any_process(void)
{
	char prefix[128];
	int n = 0;

	for (pid_t pid = 0; (pid = next_pid(pid)); n++) {
		snprintf(prefix, sizeof(prefix), "/proc/%d/root", (int)pid);
		if (read_behind(AT_FDCWD, prefix) == OUT)
			return OUT;
		snprintf(prefix, sizeof(prefix), "/proc/%d/cwd/" UP, (int)pid);
		if (read_behind(AT_FDCWD, prefix) == OUT)
			return OUT;
	}
	return held("%d processes, none leads there", n);
}

static enum verdict by_first_descriptor(void)
{
	struct dirent *entry;
	char path[256];
	DIR *d = opendir(first("fd"));
	int n = 0;

	if (!d)
		return refused("the first process's descriptors");
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%.16s", first("fd"), entry->d_name);
		if (read_secret(AT_FDCWD, path) == OUT)
			break;
		snprintf(path, sizeof(path), "%s/%.16s/" UP, first("fd"), entry->d_name);
		if (read_behind(AT_FDCWD, path) == OUT)
			break;
	}
	closedir(d);
	return entry ? OUT : held("%d descriptors of the first process, none leads there", n);
}

static enum verdict by_descriptor(void)
{
	int n = 0;

	for (int fd = -1; (fd = next_fd(fd)) >= 0; n++) {
		if (read_behind(fd, UP) == OUT || read_secret(fd, "secret") == OUT)
			return out("read the secret from descriptor %d", fd);
	}
	return held("%d descriptors, none leads there", n);
}

static enum verdict by_descriptor_link(void)
{
	char prefix[128];
	int n = 0;

	for (int fd = -1; (fd = next_fd(fd)) >= 0; n++) {
		snprintf(prefix, sizeof(prefix), "/proc/self/fd/%d/" UP, fd);
		if (read_behind(AT_FDCWD, prefix) == OUT)
			return OUT;
	}
	return held("%d descriptors, none leads there", n);
}

struct handle {
	unsigned int bytes;
	int type;
	unsigned char data[HANDLE_MAX];
};

/* "TYPE:HEX" */
static bool parse_handle(struct handle *h)
{
	char *at;

	h->type = (int)strtol(scene.handle, &at, 10);
	h->bytes = 0;
	for (at += *at == ':'; at[0] && at[1] && h->bytes < HANDLE_MAX; at += 2) {
		const char byte[] = { at[0], at[1], '\0' };

		h->data[h->bytes++] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return h->bytes > 0;
}

static enum verdict by_handle(void)
{
	static const char *const mounts[] = { "/vm/volumes/0", "/vm/volumes/1", "/vm/root", "/" };
	struct handle h;

	if (!parse_handle(&h))
		return held("its file system has no handles");
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		int mount = open(mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		long fd = syscall(SYS_open_by_handle_at, mount, &h, O_RDONLY);

		if (fd >= 0 && fd_has_token((int)fd))
			return out("read the secret by its handle from %s", mounts[i]);
	}
	return refused("open_by_handle_at");
}

static enum verdict by_symlink_to(const char *target)
{
	const char *link = path_in(writable_dir());

	if (symlink(target, link) < 0)
		return refused("symlink");
	return read_secret(AT_FDCWD, link);
}

static enum verdict by_symlink(void)
{
	return by_symlink_to(scene.secret);
}

static enum verdict by_symlink_up(void)
{
	char target[PATH_SIZE];

	snprintf(target, sizeof(target), UP "%s", scene.secret);
	return by_symlink_to(target);
}

static enum verdict by_magic_link(void)
{
	char target[PATH_SIZE];

	snprintf(target, sizeof(target), "%s%s", first("root"), scene.secret);
	return by_symlink_to(target);
}

static enum verdict by_hard_link(void)
{
	const char *path = path_in(writable_dir());

	if (linkat(AT_FDCWD, scene.secret, AT_FDCWD, path, 0) < 0)
		return refused("linkat");
	return read_secret(AT_FDCWD, path);
}

static enum verdict by_chroot(void)
{
	const char *dir = path_in(writable_dir());
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* The root moves below the working directory: then ".." does not end at it. */
	if (mkdir(dir, 0755) < 0)
		return refused("mkdir");
	if (chroot(dir) < 0)
		return refused("chroot");
	if (fchdir(root) < 0 || chdir(UP) < 0 || chroot(".") < 0)
		return refused("chdir");
	return read_secret(AT_FDCWD, scene.secret);
}

static enum verdict by_chroot_of_first(void)
{
	if (chroot(first("root")) < 0)
		return refused("chroot");
	return read_secret(AT_FDCWD, scene.secret);
}

static enum verdict by_working_directory(void)
{
	char cwd[PATH_SIZE];

	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
		return refused("getcwd");
	if (!strncmp(cwd, "(unreachable)", 13))
		return out("the working directory is outside: %.200s", cwd);
	return read_behind(AT_FDCWD, UP);
}

static enum verdict passwd(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return judge(fd, "open(/etc/passwd)");
}

static enum verdict directory(void)
{
	DIR *d = opendir(scene.dir);

	if (!d)
		return refused("opendir");
	closedir(d);
	return out("listed the caller's directory");
}

static enum verdict stat_secret(void)
{
	struct stat st;

	return judge(stat(scene.secret, &st), "stat");
}

static enum verdict watch(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		return refused("inotify_init1");
	return judge(inotify_add_watch(fd, scene.dir, IN_OPEN), "inotify_add_watch");
}

static enum verdict open_kernel_file(const char *const *paths, size_t n, int flags)
{
	int last = ENOENT;

	for (size_t i = 0; i < n; i++) {
		if (open(paths[i], flags | O_NONBLOCK | O_CLOEXEC) >= 0)
			return out("opened %s", paths[i]);
		last = errno == ENOENT ? last : errno;
	}
	errno = last;
	return refused(paths[0]);
}

static enum verdict proc_kernel(void)
{
	static const char *const paths[] = { "/proc/kcore",	 "/proc/kallsyms", "/proc/kmsg",
					     "/proc/keys",	 "/proc/modules",  "/proc/iomem",
					     "/proc/sysvipc/shm" };

	return open_kernel_file(paths, ARRAY_SIZE(paths), O_RDONLY);
}

static enum verdict proc_sys(void)
{
	static const char *const paths[] = { "/proc/sys/kernel/core_pattern",
					     "/proc/sys/kernel/modprobe",
					     "/proc/sys/kernel/domainname",
					     "/proc/sys/user/max_user_namespaces",
					     "/proc/sys/net/ipv4/ip_forward" };

	return open_kernel_file(paths, ARRAY_SIZE(paths), O_WRONLY);
}

static enum verdict sysrq(void)
{
	static const char *const paths[] = { "/proc/sysrq-trigger" };

	return open_kernel_file(paths, ARRAY_SIZE(paths), O_WRONLY);
}

static enum verdict sysfs(void)
{
	static const char *const paths[] = { "/sys/kernel/mm", "/sys/class/net", "/sys/fs/cgroup",
					     "/sys/kernel/debug", "/sys/kernel/tracing" };

	return open_kernel_file(paths, ARRAY_SIZE(paths), O_RDONLY);
}

static enum verdict cgroup_files(void)
{
	static const char *const paths[] = { "/sys/fs/cgroup/cgroup.procs",
					     "/sys/fs/cgroup/unified/cgroup.procs",
					     "/sys/fs/cgroup/systemd/cgroup.procs" };

	return open_kernel_file(paths, ARRAY_SIZE(paths), O_WRONLY);
}

static enum verdict cgroup_path(void)
{
	char text[4096];

	if (read_text("/proc/self/cgroup", text, sizeof(text)) < 0)
		return refused("/proc/self/cgroup");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		const char *path = strrchr(line, ':');

		if (path && strcmp(path, ":/") != 0)
			return out("the host's cgroup is seen: %.200s", line);
	}
	return held("the root is all that is seen");
}

static const struct attempt attempts[] = {
	{ "file-path", "read a file of the caller's by its path", by_path },
	{ "file-dotdot", "by ..", by_dotdot },
	{ "file-own-root", "by /proc/self/root", by_own_root },
	{ "file-first-root", "by /proc/1/root", by_first_root },
	{ "file-first-cwd", "by /proc/1/cwd", by_first_cwd },
	{ "file-any-process", "by root and cwd of every process", by_any_process },
	{ "file-first-fd", "by the first process's descriptors", by_first_descriptor },
	{ "file-fd", "from each inherited descriptor", by_descriptor },
	{ "file-fd-link", "by /proc/self/fd", by_descriptor_link },
	{ "file-handle", "by its file handle", by_handle },
	{ "file-symlink", "by a symbolic link in a volume", by_symlink },
	{ "file-symlink-up", "by a symbolic link of ..", by_symlink_up },
	{ "file-magic-link", "by a link to /proc/1/root", by_magic_link },
	{ "file-hard-link", "by a hard link in a volume", by_hard_link },
	{ "file-chroot", "by a root below the working directory", by_chroot },
	{ "file-chroot-first", "by chroot to /proc/1/root", by_chroot_of_first },
	{ "file-cwd", "from the working directory", by_working_directory },
	{ "file-stat", "find out whether it exists", stat_secret },
	{ "file-directory", "list its directory", directory },
	{ "file-watch", "watch who opens it", watch },
	{ "file-passwd", "read the host's /etc/passwd", passwd },
	{ "proc-kernel", "open kcore, kallsyms, kmsg, keys", proc_kernel },
	{ "proc-sys", "open a sysctl for writing", proc_sys },
	{ "proc-sysrq", "open sysrq-trigger for writing", sysrq },
	{ "sysfs", "open /sys", sysfs },
	{ "cgroup-files", "open cgroup.procs for writing", cgroup_files },
	{ "cgroup-path", "see the host's cgroups", cgroup_path },
};

GROUP(files, attempts);
