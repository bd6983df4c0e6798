/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/change.h"
#include "rootfs-tools/edit/hostname.h"
#include "runner/base/cleanup.h"

#define LABEL_MAX 63
#define MACHINE_ID_DIGITS 32

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

/* What is no regular file with something in it is replaced if it is no empty file either. */
static int renew_machine_id(int etc, struct err *e)
{
	static const char digits[] = "0123456789abcdef";
	char text[MACHINE_ID_DIGITS + 1];
	uint8_t random[MACHINE_ID_DIGITS / 2];
	static const char uninitialized[] = "uninitialized\n";
	struct stat st;

	if (!change_exists(etc, "machine-id", &st))
		return 0;
	if (S_ISREG(st.st_mode) && (size_t)st.st_size <= sizeof(uninitialized) - 1)
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
	_cleanup_close_ int dir = change_open_dir(root, "/var/lib/dbus");
	struct stat st;

	if (dir < 0 || !change_exists(dir, "machine-id", &st) || S_ISLNK(st.st_mode))
		return 0;
	return change_symlink(dir, "/var/lib/dbus", "machine-id", "/etc/machine-id", e);
}

static void key_file(enum identity_key key, bool public, char ret[64])
{
	snprintf(ret, 64, "ssh_host_%s_key%s", identity_key_name(key), public ? ".pub" : "");
}

static int remove_keys(int root, unsigned int *ret_keys, struct err *e)
{
	_cleanup_close_ int dir = change_open_dir(root, "/etc/ssh");
	unsigned int keys = 0;
	struct stat st;
	int r = 0;

	for (unsigned int key = 0; dir >= 0 && r == 0 && key < KEY_END; key++) {
		char name[64];

		key_file(key, false, name);
		if (change_exists(dir, name, &st))
			keys |= 1u << key;
		r = change_remove(dir, "/etc/ssh", name, e);
		key_file(key, true, name);
		if (r == 0)
			r = change_remove(dir, "/etc/ssh", name, e);
	}
	/* Of a kind that no ssh-keygen makes any more. */
	if (dir >= 0 && r == 0)
		r = change_remove(dir, "/etc/ssh", "ssh_host_dsa_key", e);
	if (dir >= 0 && r == 0)
		r = change_remove(dir, "/etc/ssh", "ssh_host_dsa_key.pub", e);
	if (r == 0)
		*ret_keys = keys;
	return r;
}

static int remove_seeds(int root, struct err *e)
{
	static const char *const dirs[] = { "/var/lib/systemd", "/var/lib/urandom",
					    "/var/lib/seedrng", "/var/lib" };
	static const char *const names[] = { "random-seed", "seed.credit", "seed.no-credit" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int dir = change_open_dir(root, dirs[i]);

		for (size_t j = 0; dir >= 0 && r == 0 && j < ARRAY_SIZE(names); j++)
			r = change_remove(dir, dirs[i], names[j], e);
	}
	return r;
}

int identity_renew(int root, const char *hostname, unsigned int *ret_keys, struct err *e)
{
	_cleanup_close_ int etc = change_open_dir(root, "/etc");
	struct edits edits = { .root = root };
	int r = 0;

	if (etc >= 0)
		r = renew_machine_id(etc, e);
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
