/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/change.h"
#include "rootfs-tools/edit/hostname.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define LABEL_MAX 63
#define MACHINE_ID_DIGITS 32

/* Of each kind three, the kinds in the order of enum identity_key; dsa is one of the past. */
#define HOST_KEY(kind)                                                          \
	"/etc/ssh/ssh_host_" kind "_key", "/etc/ssh/ssh_host_" kind "_key.pub", \
		"/etc/ssh/ssh_host_" kind "_key-cert.pub"
#define HOST_KEY_FILES 3
const char *const identity_host_keys[] = { HOST_KEY("rsa"), HOST_KEY("ecdsa"), HOST_KEY("ed25519"),
					   HOST_KEY("dsa"), NULL };

#define SEED_OF(dir) dir "/random-seed", dir "/seed.credit", dir "/seed.no-credit"
const char *const identity_seeds[] = { SEED_OF("/var/lib/systemd"), SEED_OF("/var/lib/urandom"),
				       SEED_OF("/var/lib/seedrng"), SEED_OF("/var/lib"),
				       "/var/lib/misc/random-seed", "/etc/random-seed",
				       "/boot/loader/random-seed",  "/boot/efi/loader/random-seed",
				       "/efi/loader/random-seed",   NULL };

const char *identity_key_name(enum identity_key key)
{
	static const char *const names[KEY_END] = { "rsa", "ecdsa", "ed25519" };

	return names[key];
}

/* --- pure --- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void identity_hostname(const char *name, char *ret)
{
	size_t n = 0;

	for (; *name && n < LABEL_MAX; name++)
		if (is_alnum(*name))
			ret[n++] = *name;
		else if (n && ret[n - 1] != '-')
			ret[n++] = '-';
	while (n && ret[n - 1] == '-')
		n--;
	ret[n] = '\0';
	if (!n)
		snprintf(ret, HOST_NAME_MAX + 1, "localhost");
}

/* --- in the tree --- */

bool identity_has(int root, const char *path)
{
	_cleanup_close_ int fd = -1;

	return fs_open_in_root(root, path, O_PATH, &fd) == 0;
}

bool identity_has_systemd(int root)
{
	return identity_has(root, "/usr/lib/systemd/systemd") ||
	       identity_has(root, "/lib/systemd/systemd");
}

bool identity_wants_first_boot(int root)
{
	static const char word[] = "uninitialized";
	_cleanup_close_ int etc = change_open_dir(root, "/etc");
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;

	return etc >= 0 && change_exists(etc, "machine-id", &st) && S_ISREG(st.st_mode) &&
	       fs_read_regular(etc, "machine-id", sizeof(word), &text, &len) == 0 &&
	       len >= sizeof(word) - 1 && !memcmp(text, word, sizeof(word) - 1);
}

static bool needs_machine_id(int root, int etc)
{
	struct stat st;

	if (change_exists(etc, "machine-id", &st))
		return !identity_wants_first_boot(root);
	return !identity_has_systemd(root) && identity_has(root, IDENTITY_DBUS_UUIDGEN);
}

static int renew_machine_id(int root, int etc, struct err *e)
{
	static const char digits[] = "0123456789abcdef";
	char text[MACHINE_ID_DIGITS + 1];
	uint8_t random[MACHINE_ID_DIGITS / 2];

	if (!needs_machine_id(root, etc))
		return 0;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_errno(e, errno, "cannot make a machine-id");
	/* A version 4 UUID, as systemd makes them. */
	random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
	random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(random); i++) {
		text[2 * i] = digits[random[i] >> 4];
		text[2 * i + 1] = digits[random[i] & 15];
	}
	text[MACHINE_ID_DIGITS] = '\n';
	return change_replace(etc, "/etc", "machine-id", &(struct change_attrs){ .mode = 0444 },
			      text, sizeof(text), e);
}

/* D-Bus has its own where nobody made it a link to the one of /etc. */
static int link_dbus_id(int root, struct err *e)
{
	_cleanup_close_ int dir = change_open_dir(root, IDENTITY_DBUS_DIR);
	struct stat st;

	if (dir < 0 || !change_exists(dir, "machine-id", &st) || S_ISLNK(st.st_mode))
		return 0;
	return change_symlink(dir, IDENTITY_DBUS_DIR, "machine-id", IDENTITY_ID, e);
}

static void key_file(enum identity_key key, bool public, char ret[64])
{
	snprintf(ret, 64, "ssh_host_%s_key%s", identity_key_name(key), public ? ".pub" : "");
}

/* Return: 1 if it was there, 0 or -errno. */
static int remove_path(int root, const char *path, struct err *e)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_close_ int dir = -1;
	char where[64];
	struct stat st;
	int r;

	snprintf(where, sizeof(where), "%.*s", (int)(name - 1 - path), path);
	dir = change_open_dir(root, where);
	if (dir < 0 || !change_exists(dir, name, &st))
		return 0;
	r = change_remove(dir, where, name, e);
	return r < 0 ? r : 1;
}

static int remove_keys(int root, unsigned int *ret_keys, struct err *e)
{
	unsigned int keys = 0;
	int r = 0;

	for (unsigned int i = 0; r >= 0 && identity_host_keys[i]; i++) {
		r = remove_path(root, identity_host_keys[i], e);
		if (r > 0 && i % HOST_KEY_FILES == 0 && i / HOST_KEY_FILES < KEY_END)
			keys |= 1u << i / HOST_KEY_FILES;
	}
	if (r < 0)
		return r;
	if (!keys && identity_has(root, "/etc/ssh/sshd_config"))
		keys = (1u << KEY_END) - 1;
	*ret_keys = keys;
	return 0;
}

static int remove_seeds(int root, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && identity_seeds[i]; i++)
		r = remove_path(root, identity_seeds[i], e);
	return r < 0 ? r : 0;
}

int identity_renew(int root, const char *hostname, unsigned int *ret_keys, struct err *e)
{
	_cleanup_close_ int etc = change_open_dir(root, "/etc");
	struct edits edits = { .root = root };
	int r = 0;

	if (etc >= 0)
		r = renew_machine_id(root, etc, e);
	if (r == 0)
		r = link_dbus_id(root, e);
	if (r == 0 && etc >= 0)
		r = hostname_set(&edits, hostname, e);
	if (r == 0)
		r = remove_seeds(root, e);
	return r == 0 ? remove_keys(root, ret_keys, e) : r;
}

static int move_one(int from, int to, const char *name, mode_t mode)
{
	if (fchownat(from, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(from, name, mode, 0) < 0 || renameat(from, name, to, name) < 0)
		return -errno;
	return 0;
}

int identity_move_keys(int root, const char *from, unsigned int keys, struct err *e)
{
	_cleanup_close_ int src = change_open_dir(root, from),
			    dst = change_open_dir(root, "/etc/ssh");
	int r = src < 0 || dst < 0 ? -ENOENT : 0;

	for (unsigned int key = 0; r == 0 && key < KEY_END; key++) {
		char name[64];

		if (!(keys & 1u << key))
			continue;
		key_file(key, false, name);
		r = move_one(src, dst, name, 0600);
		key_file(key, true, name);
		if (r == 0)
			r = move_one(src, dst, name, 0644);
	}
	if (r == 0 && unlinkat(root, from, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, -r, "cannot put host keys into /etc/ssh") : 0;
}
