/* SPDX-License-Identifier: MIT */
/*
 * Alpine Linux: its minirootfs archive, unpacked, and packages added by apk in a guest. That
 * archive has no kernel, so the first guest runs one of the host's, or whatever
 * --guest-kernel names; what apk installs is for all later ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/bootstrap/run.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/kernel_find.h"

#define ARCHIVE_MAX ((off_t)1 << 30)
#define SHA256_DIGITS ((size_t)SHA256_DIGEST_SIZE * 2)

/*
 * The trigger that makes an initramfs is switched off; and the kernel, which has a name
 * without a version, gets another one by which it is found.
 */
static const char script[] = "set -e\n"
			     "mkdir -p /etc/mkinitfs\n"
			     "echo disable_trigger=yes >>/etc/mkinitfs/mkinitfs.conf\n"
			     "apk add --no-cache \"$@\"\n"
			     "for modules in /lib/modules/*; do\n"
			     "	[ ! -d \"$modules\" ] || [ -e \"$modules/vmlinuz\" ] ||\n"
			     "		ln -s /boot/vmlinuz-virt \"$modules/vmlinuz\"\n"
			     "done\n";

static const struct cause causes[] = {
	{ "Could not resolve host", "the server's name is not known; is there a network?" },
	{ "Failed to connect", "the server does not answer" },
	{ "404", "the server has no such archive" },
	{ NULL, NULL },
};

static int hash(int fd, const char *name, char ret[SHA256_DIGITS + 1], struct err *e)
{
	uint8_t block[16384], digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	uint64_t at = 0;
	ssize_t n;

	sha256_init(&sha);
	while ((n = fs_pread_all(fd, block, sizeof(block), at)) > 0) {
		sha256_update(&sha, (size_t)n, block);
		at += (uint64_t)n;
	}
	if (n < 0)
		return err_errno(e, (int)-n, "cannot read '%s'", name);
	sha256_digest(&sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int check_sum(const struct making *m, int fd, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	char is[SHA256_DIGITS + 1];
	int r = o->sha256 ? hash(fd, o->archive, is, e) : 0;

	if (r == 0 && o->sha256 && strcasecmp(is, o->sha256) != 0)
		return err_msg(e, EBADMSG,
			       "'%s' is another file than --sha256 says: its checksum is "
			       "%s",
			       o->archive, is);
	return r;
}

/* A file without a name, beside the new root; or in memory where that cannot be had. */
static int make_file(const struct making *m)
{
	int fd = openat(m->dst.parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("archive", MFD_CLOEXEC);
}

static int fetch(const struct making *m, int *ret_fd, int *ret_signal, struct err *e)
{
	_cleanup_close_ int fd = make_file(m);
	struct command command = { 0 };
	struct stat st;
	int r = 0;

	if (fd < 0)
		return err_errno(e, errno, "cannot make a file for '%s'", m->options->archive);
	if (!tool_exists("curl"))
		return err_msg(e, ENOENT,
			       "fetching '%s' needs curl, which this host has not; "
			       "install it, or give a file",
			       m->options->archive);
	strvec_add(&command.argv, "curl");
	strvec_add(&command.argv, "-fsSL");
	strvec_add(&command.argv, "--proto-redir");
	strvec_add(&command.argv, "=http,https");
	strvec_add(&command.argv, "--max-filesize");
	strvec_addf(&command.argv, "%lld", (long long)ARCHIVE_MAX);
	strvec_add(&command.argv, "--");
	strvec_add(&command.argv, m->options->archive);
	r = run_fetch(m, &command, fd, causes, ret_signal, e);
	strvec_free(&command.argv);
	if (r == 0 && (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		r = err_errno(e, errno, "cannot read '%s'", m->options->archive);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static bool is_sha256(const char *text)
{
	return strlen(text) == SHA256_DIGITS &&
	       strspn(text, "0123456789abcdefABCDEF") == SHA256_DIGITS;
}

static int open_archive(const struct making *m, int *ret_fd, int *ret_signal, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	int r;

	if (!o->archive)
		return err_msg(e, EINVAL,
			       "alpine needs --archive: its minirootfs, a file or a URL");
	if (o->sha256 && !is_sha256(o->sha256))
		return err_msg(e, EINVAL, "--sha256: '%.100s' is not 64 hexadecimal digits",
			       o->sha256);
	if (!strstr(o->archive, "://")) {
		r = fs_open_host_file(o->archive, (uint64_t)ARCHIVE_MAX, ret_fd);
		return r < 0 ? err_errno(e, -r, "cannot open '%s'", o->archive) : 0;
	}
	r = driver_check_url("archive", o->archive, e);
	if (r == 0 && !o->sha256)
		return err_msg(e, EINVAL,
			       "--archive: a URL needs --sha256, or nobody knows what is fetched");
	return r == 0 ? fetch(m, ret_fd, ret_signal, e) : r;
}

/* --- inside --- */

struct unpacking {
	int fd;
	const char *name;
	struct unpack_report *report;
};

static int op_unpack(const int *dirs, void *arg, struct err *e)
{
	const struct unpacking *u = arg;
	const struct unpack unpack = { .fd = u->fd, .root = dirs[0], .name = u->name };
	int r = unpack_run(&unpack, u->report, e);

	return r == 0 ? unpack_seal(dirs[0], u->report, e) : r;
}

/* --- outside --- */

static int unpack_archive(const struct making *m, int *ret_signal, struct err *e)
{
	struct unpacking u = { .fd = -1,
			       .name = m->options->archive,
			       .report = m->report->unpacked };
	int r = open_archive(m, &u.fd, ret_signal, e);

	if (r == 0)
		r = check_sum(m, u.fd, e);
	if (r == 0)
		r = unpack_prepare(e);
	if (r == 0)
		r = run_operation(m, op_unpack, &u, &u.fd, 1, ret_signal, e);
	cleanup_close(&u.fd);
	return r;
}

/* The kernel of the host's that has what a guest needs. */
static int host_kernel(struct kernel_choice *ret, struct err *e)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root >= 0 && kernel_find(root, ret, e) == 0)
		return 0;
	return err_msg(e, ENOENT,
		       "apk runs in a guest, and neither the archive nor this host has a kernel "
		       "for "
		       "it; use --guest-kernel FILE --guest-modules DIR, or --no-kernel and no "
		       "--include");
}

static int add_packages(const struct making *m, int *ret_signal, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	_cleanup_strvec_ struct strvec options = { 0 }, command = { 0 };
	_cleanup_free_ char *root = NULL;
	struct kernel_choice kernel;
	struct guest guest = { 0 };
	int r = fs_fd_path(m->dst.fd, &root);

	if (r < 0)
		return err_errno(e, -r, "cannot find the path of the new root");
	if (!o->guest_kernel) {
		r = host_kernel(&kernel, e);
		if (r < 0)
			return r;
	}
	/* The lock on the new root is our own. */
	strvec_add(&options, "--shared");
	strvec_add(&options, "--quiet");
	strvec_add(&options, "--network=user");
	strvec_addf(&options, "--kernel=%s%s", o->guest_kernel ? "" : "/",
		    o->guest_kernel ? o->guest_kernel : kernel.path);
	if (o->guest_modules)
		strvec_addf(&options, "--modules=%s", o->guest_modules);
	else if (!o->guest_kernel)
		strvec_addf(&options, "--modules=/lib/modules/%s", kernel.version);
	strvec_add(&command, "/bin/sh");
	strvec_add(&command, "-c");
	strvec_add(&command, script);
	strvec_add(&command, "sh");
	if (m->kernel)
		strvec_add(&command, m->driver->kernel);
	driver_add_packages(m, &command);
	if (options.failed || command.failed)
		return err_oom(e);
	guest.options = (const char *const *)options.v;
	guest.root = root;
	guest.command = (const char *const *)command.v;
	return run_guest(m, &guest, ret_signal, e);
}

int driver_alpine_make(struct making *m, int *ret_signal, struct err *e)
{
	int r = unpack_archive(m, ret_signal, e);

	return r == 0 && (m->kernel || m->options->include) ? add_packages(m, ret_signal, e) : r;
}
