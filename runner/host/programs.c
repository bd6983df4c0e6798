/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The libraries are what the dynamic linker says it would load: it is asked
 * ("--list"), with an empty environment, as the jail's is. It maps them for that and
 * runs nothing of them. Its answer is kept in the cache, because asking costs about as
 * much as all mounts of the jail. The answer holds as long as no file changed that it
 * is about or that it names, nor ld.so.cache, which every installation of a library
 * rewrites: a digest of their identities goes with it. Whatever else the file in the
 * cache may hold is no answer, and the linker is asked.
 *
 * Modules and firmware are looked for where QEMU looks for them, relative to itself,
 * each time: they may be installed later. Only those are taken that the machine of
 * runner/plan/qemu_argv.c opens.
 *
 * In the jail there are no symlinks: each file is shown at the path by which it is
 * opened, whatever leads there on the host.
 */
#include "runner/host/programs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define LIST_MAX 65536 /* bytes that a dynamic linker may say */
#define FILES_MAX 512
#define CACHE_FILE "libraries"
#define LD_SO_CACHE "/etc/ld.so.cache"
#define DIGEST_HEX 65 /* with its terminator */

static bool is_in(const struct strvec *v, const char *s)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i], s))
			return true;
	return false;
}

/*
 * Without ".." and the like, which $ORIGIN/../lib leaves in a linker's answer: one file
 * is to have one path, and none a path that leaves the jail while it is built.
 */
static void normalize(const char *path, char ret[PATH_MAX])
{
	size_t len = 0;

	for (size_t n; *path; path += n) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 2 && !strncmp(path, "..", 2)) {
			while (len && ret[--len] != '/')
				;
		} else if (n && !(n == 1 && *path == '.')) {
			ret[len++] = '/';
			memcpy(ret + len, path, n);
			len += n;
		}
	}
	ret[len] = '\0';
}

/* @path: absolute, of less than PATH_MAX bytes. */
static void add_file(struct strvec *v, const char *path)
{
	char normal[PATH_MAX];

	normalize(path, normal);
	if (*normal && !is_in(v, normal))
		strvec_add(v, normal);
}

int programs_interpreter(const char *program, char *ret, size_t size, struct err *e)
{
	_cleanup_close_ int fd = -1;
	Elf64_Ehdr header;
	Elf64_Phdr ph;
	ssize_t n;
	int r = fs_open_host_file(program, UINT64_MAX, &fd);

	if (r < 0)
		return err_errno(e, -r, "cannot open QEMU, %s", program);
	n = fs_pread_all(fd, &header, sizeof(header), 0);
	if (n >= 2 && !memcmp(&header, "#!", 2))
		return err_msg(e, ENOEXEC,
			       "QEMU, %s, is a script, whose interpreter the jail does not have; "
			       "set VMRUN_QEMU to the program that it runs",
			       program);
	if (n != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(ph))
		return err_msg(e, ENOEXEC, "QEMU, %s, is no 64-bit ELF program", program);
	*ret = '\0';
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (fs_pread_all(fd, &ph, sizeof(ph), header.e_phoff + i * sizeof(ph)) !=
		    sizeof(ph))
			break;
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz >= size ||
		    fs_pread_all(fd, ret, ph.p_filesz, ph.p_offset) != (ssize_t)ph.p_filesz ||
		    ret[0] != '/')
			return err_msg(e, ENOEXEC, "QEMU, %s, names no proper dynamic linker",
				       program);
		ret[ph.p_filesz] = '\0';
		break;
	}
	return 0;
}

int programs_parse_list(const char *program, char *text, struct strvec *ret, struct err *e)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *arrow = strstr(line, " => "), *path, *end;

		path = arrow ? arrow + 4 : line + (line[0] == '\t');
		end = strstr(path, " (0x");
		/* The kernel's own has no path. */
		if (path[0] != '/' || !end || end - path >= PATH_MAX)
			continue;
		*end = '\0';
		if (ret->n == FILES_MAX)
			return err_msg(e, E2BIG, "%s needs more than %d files", program, FILES_MAX);
		add_file(ret, path);
	}
	return 0;
}

static void exec_linker(const char *linker, const char *program, int out)
{
	char *const argv[] = { (char *)linker, "--list", (char *)program, NULL };
	char *const envp[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(127);
	execve(linker, argv, envp);
	_exit(127);
}

static int ask_linker(const char *linker, const char *program, struct strvec *ret, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int out = -1;
	int pipefd[2], r, status = -1;
	size_t len;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	out = pipefd[0];
	pid = fork();
	if (pid == 0)
		exec_linker(linker, program, pipefd[1]);
	close(pipefd[1]);
	if (pid < 0)
		return err_errno(e, errno, "cannot start %s", linker);
	r = fs_read_fd(out, LIST_MAX, &text, &len);
	cleanup_close(&out);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_errno(e, -r, "cannot read what %s --list says", linker);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		text[strcspn(text, "\n")] = '\0';
		return err_msg(e, EIO, "QEMU cannot be loaded: %s%s; is it installed as a whole?",
			       *text ? "" : "nothing was said by ", *text ? text : linker);
	}
	return programs_parse_list(program, text, ret, e);
}

/* --- where an installation has its parts --- */

static const char *const module_dirs[] = { "lib/x86_64-linux-gnu/qemu", "lib64/qemu", "lib/qemu" };
static const char *const modules[] = { "accel-tcg-x86_64.so" };
static const char *const firmware_dirs[] = { "share/qemu", "share/seabios" };
static const char *const firmware[] = { "bios-256k.bin", "kvmvapic.bin", "pvh.bin",
					"linuxboot_dma.bin", "linuxboot.bin" };

struct prefixes {
	char v[2][PATH_MAX];
	size_t n;
};

/*
 * PREFIX of PREFIX/bin/NAME; or below a directory "qemu-bundle" beside the program, if
 * there is one (in a tree where QEMU was built), the prefix that it was built for.
 */
static void find_prefixes(const char *qemu, struct prefixes *ret)
{
	char dir[PATH_MAX], bundle[PATH_MAX + 16];

	snprintf(dir, sizeof(dir), "%s", qemu);
	*strrchr(dir, '/') = '\0';
	snprintf(bundle, sizeof(bundle), "%s/qemu-bundle", dir);
	if (access(bundle, R_OK) == 0) {
		ret->n = 2;
		snprintf(ret->v[0], PATH_MAX, "%.*s/usr", PATH_MAX - 16, bundle);
		snprintf(ret->v[1], PATH_MAX, "%.*s/usr/local", PATH_MAX - 16, bundle);
		return;
	}
	if (strrchr(dir, '/'))
		*strrchr(dir, '/') = '\0';
	ret->n = 1;
	snprintf(ret->v[0], PATH_MAX, "%s", dir);
}

/* Each of @names at the first place where there is one. */
static void find_parts(const struct prefixes *in, const char *const *dirs, size_t n_dirs,
		       const char *const *names, size_t n_names, struct strvec *ret)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < n_names; i++) {
		bool found = false;

		for (size_t at = 0; !found && at < in->n * n_dirs; at++)
			found = snprintf(path, sizeof(path), "%s/%s/%s", in->v[at / n_dirs],
					 dirs[at % n_dirs], names[i]) < PATH_MAX &&
				access(path, R_OK) == 0;
		if (found)
			add_file(ret, path);
	}
}

/* --- what was asked before --- */

/* Return: false if it is no file that can be shown. */
static bool add_identity(struct sha256_ctx *sha, const char *path)
{
	struct file_id id;
	struct stat st;

	if (path[0] != '/' || stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, R_OK) < 0)
		return false;
	fs_file_id(&st, &id);
	sha256_update(sha, strlen(path) + 1, (const uint8_t *)path);
	sha256_update(sha, sizeof(id), (const uint8_t *)&id);
	return true;
}

static bool identify(const struct strvec *asked, const struct strvec *answer, char ret[DIGEST_HEX])
{
	uint8_t digest[32];
	struct sha256_ctx sha;
	bool good = true;

	sha256_init(&sha);
	sha256_update(&sha, sizeof("vmrun libraries 1"), (const uint8_t *)"vmrun libraries 1");
	(void)add_identity(&sha, LD_SO_CACHE);
	for (size_t i = 0; good && i < asked->n; i++)
		good = add_identity(&sha, asked->v[i]);
	for (size_t i = 0; good && i < answer->n; i++)
		good = add_identity(&sha, answer->v[i]);
	sha256_digest(&sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return good;
}

static bool cache_path(const struct host_facts *facts, char ret[PATH_MAX])
{
	return *facts->cache_dir &&
	       snprintf(ret, PATH_MAX, "%s/" CACHE_FILE, facts->cache_dir) < PATH_MAX;
}

/* The digest, and then a path a line. */
static bool read_cache(const struct host_facts *facts, const struct strvec *asked,
		       struct strvec *ret)
{
	_cleanup_strvec_ struct strvec answer = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], digest[DIGEST_HEX], *save = NULL, *said;
	size_t len;

	if (!cache_path(facts, path) || fs_open_host_file(path, LIST_MAX, &fd) < 0 ||
	    fs_read_fd(fd, LIST_MAX, &text, &len) < 0)
		return false;
	said = strtok_r(text, "\n", &save);
	for (char *p; said && (p = strtok_r(NULL, "\n", &save));) {
		if (answer.n == FILES_MAX)
			return false;
		strvec_add(&answer, p);
	}
	if (!said || answer.failed || !answer.n || !identify(asked, &answer, digest) ||
	    strcmp(said, digest) != 0)
		return false;
	*ret = answer;
	answer = (struct strvec){ 0 };
	return true;
}

/* Best effort: without it, the next run asks again. */
static void write_cache(const struct host_facts *facts, const struct strvec *asked,
			const struct strvec *answer)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], digest[DIGEST_HEX], link[32];
	struct err ignored;

	if (!cache_path(facts, path) || !identify(asked, answer, digest))
		return;
	strbuf_printf(&text, "%s\n", digest);
	for (size_t i = 0; i < answer->n; i++)
		strbuf_printf(&text, "%s\n", answer->v[i]);
	if (text.failed || fs_mkdir_p(facts->cache_dir, 0700, &ignored) < 0)
		return;
	fd = open(facts->cache_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || fs_write_all(fd, text.data, text.len) < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (unlink(path) < 0 && errno == EISDIR)
		rmdir(path);
	(void)!linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* --- all together --- */

/* The linker, what it reads, and what it loads for each of @asked. */
static int find_libraries(const struct host_facts *facts, const char *linker,
			  const struct strvec *asked, bool may_write, struct strvec *ret,
			  struct err *e)
{
	_cleanup_strvec_ struct strvec answer = { 0 };
	int r = 0;

	if (read_cache(facts, asked, ret))
		return 0;
	add_file(&answer, linker);
	if (access(LD_SO_CACHE, R_OK) == 0)
		add_file(&answer, LD_SO_CACHE);
	for (size_t i = 0; r == 0 && i < asked->n; i++)
		r = ask_linker(linker, asked->v[i], &answer, e);
	if (r < 0)
		return r;
	if (answer.failed)
		return err_oom(e);
	if (may_write)
		write_cache(facts, asked, &answer);
	*ret = answer;
	answer = (struct strvec){ 0 };
	return 0;
}

int programs_find(const struct host_facts *facts, bool may_write, struct strvec *ret, struct err *e)
{
	_cleanup_strvec_ struct strvec files = { 0 }, libraries = { 0 };
	struct prefixes prefixes;
	char linker[PATH_MAX];
	int r = programs_interpreter(facts->qemu, linker, sizeof(linker), e);

	if (r < 0)
		return r;
	find_prefixes(facts->qemu, &prefixes);
	add_file(&files, facts->qemu);
	if (*linker) {
		find_parts(&prefixes, module_dirs, ARRAY_SIZE(module_dirs), modules,
			   ARRAY_SIZE(modules), &files);
		r = find_libraries(facts, linker, &files, may_write, &libraries, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < libraries.n; i++)
		add_file(&files, libraries.v[i]);
	find_parts(&prefixes, firmware_dirs, ARRAY_SIZE(firmware_dirs), firmware,
		   ARRAY_SIZE(firmware), &files);
	if (files.failed || libraries.failed)
		return err_oom(e);
	*ret = files;
	files = (struct strvec){ 0 };
	return 0;
}
