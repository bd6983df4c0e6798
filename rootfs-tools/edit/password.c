/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/password.h"

#include <crypt.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "rootfs-tools/edit/accounts_lines.h"
#include "runner/base/fs.h"

#define SALT_BYTES 32 /* of randomness; each method takes what it wants */
#define LOGIN_DEFS_MAX 65536

/* As glibc's is called where that still has it, but that one lacks crypt_gensalt_rn(). */
static const char *const libraries[] = { "libcrypt.so.1", "libcrypt.so.2" };

struct libcrypt {
	void *handle;
	__typeof__(crypt_gensalt_rn) *gensalt;
	__typeof__(crypt_rn) *crypt;
};

static struct libcrypt lib;

void password_wipe(struct password *password)
{
	explicit_bzero(password, sizeof(*password));
}

/* ISO C has no cast from an object pointer to a function; POSIX wants it to work. */
static bool find_function(void *handle, const char *name, void *ret)
{
	void *sym = dlsym(handle, name);

	memcpy(ret, &sym, sizeof(sym));
	return sym != NULL;
}

static bool load(const char *name)
{
	struct libcrypt l = { .handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) };

	if (!l.handle)
		return false;
	if (!find_function(l.handle, "crypt_gensalt_rn", &l.gensalt) ||
	    !find_function(l.handle, "crypt_rn", &l.crypt)) {
		dlclose(l.handle);
		return false;
	}
	lib = l;
	return true;
}

int password_prepare(struct err *e)
{
	for (size_t i = 0; !lib.handle && i < ARRAY_SIZE(libraries); i++)
		load(libraries[i]);
	if (!lib.handle)
		return err_msg(e, ELIBACC,
			       "cannot load %s of libxcrypt, which makes password "
			       "hashes; install libcrypt1 (libxcrypt)",
			       libraries[0]);
	return 0;
}

/* --- the method --- */

static bool login_defs_say_yescrypt(int root)
{
	static const char key[] = "ENCRYPT_METHOD";
	_cleanup_free_ char *text = NULL;
	struct span rest, line;
	size_t len;

	if (fs_read_regular(root, "/etc/login.defs", LOGIN_DEFS_MAX, &text, &len) < 0)
		return false;
	rest = (struct span){ text, len };
	while (accounts_cut(&rest, '\n', &line)) {
		char words[128];
		size_t n;

		if (line.len <= sizeof(key) || line.len >= sizeof(words) ||
		    memcmp(line.p, key, sizeof(key) - 1) != 0)
			continue;
		snprintf(words, sizeof(words), "%.*s", (int)line.len, line.p);
		n = sizeof(key) - 1 + strspn(words + sizeof(key) - 1, " \t\"");
		words[n + strcspn(words + n, " \t\"\r")] = '\0';
		if (!strcasecmp(words + n, "yescrypt"))
			return true;
	}
	return false;
}

static bool has_yescrypt_hash(struct span shadow)
{
	struct line line;

	while (accounts_next_line(&shadow, SHADOW_FIELDS, &line))
		if (line.n > 1 && line.f[1].len > 3 && !memcmp(line.f[1].p, "$y$", 3))
			return true;
	return false;
}

/* libxcrypt under its own names; glibc's is a libcrypt-2.NN.so. */
static bool has_libxcrypt(int root)
{
	static const char *const dirs[] = { "/usr/lib",
					    "/usr/lib64",
					    "/lib",
					    "/lib64",
					    "/usr/lib/x86_64-linux-gnu",
					    "/lib/x86_64-linux-gnu" };
	static const char *const names[] = { "libcrypt.so.1.1.0", "libcrypt.so.2" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs) * ARRAY_SIZE(names); i++) {
		_cleanup_close_ int fd = -1;
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", dirs[i / ARRAY_SIZE(names)],
			 names[i % ARRAY_SIZE(names)]);
		if (fs_open_in_root(root, path, O_PATH, &fd) == 0)
			return true;
	}
	return false;
}

enum password_method password_method_of(int root, const char *shadow, size_t len)
{
	if (login_defs_say_yescrypt(root) || has_yescrypt_hash((struct span){ shadow, len }) ||
	    has_libxcrypt(root))
		return PASSWORD_YESCRYPT;
	return PASSWORD_SHA512;
}

/* --- the hash --- */

static const char *make_hash(const struct password *password, enum password_method method,
			     struct crypt_data *data)
{
	static const char *const prefixes[] = {
		[PASSWORD_SHA512] = "$6$", [PASSWORD_YESCRYPT] = "$y$"
	};
	char random[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random) ||
	    !lib.gensalt(prefixes[method], 0, random, sizeof(random), setting, sizeof(setting)))
		return NULL;
	hash = lib.crypt(password->text, setting, data, sizeof(*data));
	/* What is no hash begins with "*", whatever was returned. */
	return hash && *hash == '$' ? hash : NULL;
}

int password_hash(const struct password *password, enum password_method method,
		  char ret[PASSWORD_HASH_MAX], struct err *e)
{
	struct crypt_data *data;
	const char *hash;
	int r = password_prepare(e);

	if (r < 0)
		return r;
	data = calloc(1, sizeof(*data));
	if (!data)
		return err_oom(e);
	hash = make_hash(password, method, data);
	if (hash)
		snprintf(ret, PASSWORD_HASH_MAX, "%s", hash);
	else
		r = err_errno(e, errno ? errno : EINVAL, "cannot make the hash of a password");
	explicit_bzero(data, sizeof(*data));
	free(data);
	return r;
}

/* --- where it comes from --- */

/* Return: 1 and a byte, 0 at the end, or -errno. */
static int read_byte(int fd, int signal_fd, char *ret, int *ret_signal)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;

	for (;;) {
		ssize_t n;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
			*ret_signal = (int)info.ssi_signo;
			return -EINTR;
		}
		if (!fds[0].revents)
			continue;
		n = read(fd, ret, 1);
		if (n >= 0)
			return (int)n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

int password_read(int fd, int signal_fd, const char *what, struct password *ret, int *ret_signal,
		  struct err *e)
{
	_cleanup_password_ struct password p = { 0 };
	size_t n = 0;
	char c = '\0';
	int r;

	while ((r = read_byte(fd, signal_fd, &c, ret_signal)) > 0 && c != '\n') {
		if (!c)
			return err_msg(e, EINVAL, "the password from %s has a NUL byte", what);
		if (n == PASSWORD_MAX)
			return err_msg(e, EINVAL,
				       "the password from %s is longer than %d bytes; use a "
				       "shorter one",
				       what, PASSWORD_MAX);
		p.text[n++] = c;
	}
	if (r == -EINTR)
		return err_msg(e, EINTR, "interrupted");
	if (r < 0)
		return err_errno(e, -r, "cannot read a password from %s", what);
	if (!n)
		return err_msg(e, EINVAL, "the password from %s is empty; give one", what);
	memcpy(ret, &p, sizeof(*ret));
	return 0;
}

int password_read_file(const char *path, int signal_fd, struct password *ret, int *ret_signal,
		       struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (!strcmp(path, "-"))
		return password_read(STDIN_FILENO, signal_fd, "standard input", ret, ret_signal, e);
	/* Of a FIFO the opening itself would wait, and no signal would end that. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "cannot open password file '%s'", path);
	return password_read(fd, signal_fd, path, ret, ret_signal, e);
}
