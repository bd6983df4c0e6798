/* SPDX-License-Identifier: MIT */
/*
 * Any number of vmruns, makers and pruners use the directory at once, and none waits
 * for another:
 *
 *  - A name appears by one linkat() or renameat() of a whole file. A template is never
 *    written to again, so who has one open has it whole, whatever becomes of its name.
 *  - To remove one takes an exclusive lock on it, which nobody gets while others hold
 *    their shared ones. It is held for as long as unlink() takes, no longer; so one who
 *    is about to run from a template tries for as long, and then looks whether the
 *    file still has a name.
 *  - A publisher holds a shared lock, too: what stands there for a moment under a
 *    temporary name is in use. Temporary names of the dead are not.
 *  - Two removers: the second finds that the name is gone, or another file's.
 *
 * Names and targets of links come from a directory that others write to: only what is
 * exactly as this file would write it counts, and no link is followed.
 */
#include "runner/vm/template_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/proto/proto.h"
#include "runner/vm/cache_dir.h"

#define LOCK_TRIES 20
#define LOCK_MOMENT_NS 1000000
#define KEY_SIZE 32u
#define KEY_DIGITS (2 * KEY_SIZE)
#define TEMPLATE_SUFFIX ".template"
#define STAMP_SUFFIX ".boot"
#define STAMP_NAME_SIZE (KEY_DIGITS + sizeof(STAMP_SUFFIX))
/* HEX.template.0123456789abcdef.new, until it replaces HEX.template */
#define UNIQUE_SIZE 8u
#define NEW_SUFFIX ".new"
#define NEW_NAME_SIZE (TEMPLATE_NAME_SIZE + 1 + 2 * UNIQUE_SIZE + sizeof(NEW_SUFFIX))

#define ENTRIES_MAX 4096u /* of each kind, handled by one call */

static void hex_put(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Return: what follows the digits of @n bytes, or NULL. */
static const char *hex_get(const char *s, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(s[2 * i]);
		int low = high < 0 ? -1 : hex_digit(s[2 * i + 1]);

		if (low < 0)
			return NULL;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return s + 2 * n;
}

static bool name_parse(const char *name, const char *suffix, uint8_t ret_key[KEY_SIZE])
{
	uint8_t key[KEY_SIZE];
	const char *rest = hex_get(name, sizeof(key), key);

	if (!rest || strcmp(rest, suffix))
		return false;
	memcpy(ret_key, key, sizeof(key));
	return true;
}

static bool name_is_temporary(const char *name)
{
	static const char between[] = TEMPLATE_SUFFIX ".";
	uint8_t key[KEY_SIZE], unique[UNIQUE_SIZE];
	const char *rest = hex_get(name, sizeof(key), key);

	if (!rest || strncmp(rest, between, sizeof(between) - 1))
		return false;
	rest = hex_get(rest + sizeof(between) - 1, sizeof(unique), unique);
	return rest && strcmp(rest, NEW_SUFFIX) == 0;
}

void template_store_name(const uint8_t key[32], char ret[TEMPLATE_NAME_SIZE])
{
	hex_put(key, KEY_SIZE, ret);
	memcpy(ret + KEY_DIGITS, TEMPLATE_SUFFIX, sizeof(TEMPLATE_SUFFIX));
}

static void stamp_name(const uint8_t stamp[32], char ret[STAMP_NAME_SIZE])
{
	hex_put(stamp, KEY_SIZE, ret);
	memcpy(ret + KEY_DIGITS, STAMP_SUFFIX, sizeof(STAMP_SUFFIX));
}

int template_store_open(const char *cache_dir, int *ret_fd)
{
	return cache_dir_open(cache_dir, "templates", O_RDONLY, ret_fd);
}

/*
 * What publish() made anybody can read. Return: 0; -EBADMSG for what cannot be opened,
 * as it is no file or nobody may read it; other -errno.
 */
static int open_entry(int store_fd, const char *name, int *ret_fd)
{
	/* A FIFO would block. */
	int fd = openat(store_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == EACCES ? -EBADMSG : -errno;
	*ret_fd = fd;
	return 0;
}

/* @fd: opened by that @name; it keeps the lock. -EBUSY: others use it, or own the name now. */
static int remove_opened(int store_fd, const char *name, int fd)
{
	struct stat opened, named;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &opened) < 0 || fstatat(store_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino)
		return -EBUSY;
	if (unlinkat(store_fd, name, S_ISDIR(opened.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return -errno;
	return 0;
}

static int remove_name(int store_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	int r = open_entry(store_fd, name, &fd);

	/* Nobody runs from a symbolic link, or from what nobody can open. */
	if (r == -EBADMSG)
		return unlinkat(store_fd, name, 0) < 0 ? -errno : 0;
	return r < 0 ? r : remove_opened(store_fd, name, fd);
}

/* A clock that was set back makes a time of creation worthless. */
static bool too_old(const struct template_info *info, uint64_t max_age_s)
{
	int64_t now = time(NULL);

	return max_age_s && (info->created > now || (uint64_t)(now - info->created) > max_age_s);
}

/*
 * Who removes a template holds its lock for a moment. A QEMU has a descriptor of it,
 * too, and if it is in a guest's hands, may hold it for ever: nobody waits for that.
 */
static int lock_shared(int fd)
{
	const struct timespec moment = { .tv_nsec = LOCK_MOMENT_NS };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -errno;
		nanosleep(&moment, NULL);
	}
	return -EBUSY;
}

/* As open_entry(), and locked as one in use. Return: -EAGAIN: it went meanwhile. */
static int open_used(int store_fd, const char *name, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	int r = open_entry(store_fd, name, &fd);
	struct stat st;

	if (r < 0)
		return r;
	r = lock_shared(fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -EAGAIN;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int check_found(int store_fd, const char *name, int fd, const uint8_t key[32],
		       uint64_t max_age_s, struct template_info *ret, struct err *e)
{
	const struct timespec use[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
	struct template_info info;
	int r = template_file_check(fd, key, &info, e);

	if (r == 0 && too_old(&info, max_age_s))
		r = err_msg(e, ENOENT, "it is over %llu seconds old",
			    (unsigned long long)max_age_s);
	if (r == -EBADMSG || r == -ENOENT)
		remove_opened(store_fd, name, fd);
	if (r < 0)
		return r;
	/* Where that fails, it goes a little sooner. */
	(void)futimens(fd, use);
	*ret = info;
	return 0;
}

int template_store_find(int store_fd, const uint8_t key[32], uint64_t max_age_s,
			struct template_info *ret, int *ret_fd, struct err *e)
{
	char name[TEMPLATE_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	int r = -EAGAIN;

	template_store_name(key, name);
	/* One that went may have been replaced. */
	for (int tries = 0; r == -EAGAIN && tries < 3; tries++)
		r = open_used(store_fd, name, &fd);
	if (r == 0) {
		r = check_found(store_fd, name, fd, key, max_age_s, ret, e);
	} else if (r == -EBADMSG) {
		remove_name(store_fd, name);
		err_msg(e, EBADMSG, "it is not a regular file that can be read");
	} else {
		err_errno(e, r == -EAGAIN ? ENOENT : -r, "cannot open it");
	}
	/* The first digits tell it from others, and fit a line. */
	if (r < 0)
		return err_prefix(e, "template %.12s", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int template_store_look(int store_fd, const uint8_t key[32], uint64_t max_age_s,
			struct template_info *ret)
{
	char name[TEMPLATE_NAME_SIZE];
	_cleanup_close_ int fd = -1;
	struct template_info info;
	struct err ignored;
	int r;

	template_store_name(key, name);
	r = open_entry(store_fd, name, &fd);
	if (r == 0)
		r = template_file_check(fd, key, &info, &ignored);
	if (r == -EBADMSG || (r == 0 && too_old(&info, max_age_s)))
		return -ENOENT;
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int template_store_stamp_find(int store_fd, const uint8_t stamp[32], uint8_t ret_key[32])
{
	char name[STAMP_NAME_SIZE], target[TEMPLATE_NAME_SIZE + 1];
	ssize_t n;

	stamp_name(stamp, name);
	n = readlinkat(store_fd, name, target, sizeof(target) - 1);
	if (n < 0)
		return -ENOENT;
	target[n] = '\0';
	return name_parse(target, TEMPLATE_SUFFIX, ret_key) ? 0 : -ENOENT;
}

void template_store_stamp_note(int store_fd, const uint8_t stamp[32], const uint8_t key[32])
{
	char name[STAMP_NAME_SIZE], target[TEMPLATE_NAME_SIZE];
	uint8_t noted[KEY_SIZE];

	if (template_store_stamp_find(store_fd, stamp, noted) == 0 &&
	    memcmp(noted, key, KEY_SIZE) == 0)
		return;
	stamp_name(stamp, name);
	template_store_name(key, target);
	/* Who looks in between finds none, and gets the key the long way. */
	for (int tries = 0; tries < 2; tries++) {
		if (symlinkat(target, store_fd, name) == 0 || errno != EEXIST)
			return;
		unlinkat(store_fd, name, 0);
	}
}

int template_store_lock(int store_fd, const uint8_t key[32], int *ret_fd)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(proto_get64(key) & INT64_MAX),
		.l_len = 1,
	};
	_cleanup_close_ int fd = openat(store_fd, "lock",
					O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
					0600);

	if (fd < 0)
		return -errno;
	/* Of the open file, so that it does not go when another descriptor of it is closed. */
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return errno == EAGAIN || errno == EACCES ? -EWOULDBLOCK : -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int template_store_begin(int store_fd, int *ret_fd)
{
	int fd = openat(store_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* linkat() never replaces, so it gets another name first. */
static int replace(int store_fd, const char *link, const char *name)
{
	char unique[2 * UNIQUE_SIZE + 1], temporary[NEW_NAME_SIZE];
	uint8_t random[UNIQUE_SIZE];
	int r = 0;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	hex_put(random, sizeof(random), unique);
	snprintf(temporary, sizeof(temporary), "%s.%s" NEW_SUFFIX, name, unique);
	if (linkat(AT_FDCWD, link, store_fd, temporary, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	if (renameat(store_fd, temporary, store_fd, name) < 0)
		r = -errno;
	/* It is there still after a failure, and where both were names of one file. */
	unlinkat(store_fd, temporary, 0);
	return r;
}

int template_store_publish(int store_fd, const uint8_t key[32], int fd)
{
	char link[64], name[TEMPLATE_NAME_SIZE];

	template_store_name(key, name);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* QEMU reads it as an id that need not be the owner's. */
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 || fchmod(fd, 0444) < 0)
		return -errno;
	if (linkat(AT_FDCWD, link, store_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return errno == EEXIST ? replace(store_fd, link, name) : -errno;
}

int template_store_remove(int store_fd, const uint8_t key[32])
{
	char name[TEMPLATE_NAME_SIZE];

	template_store_name(key, name);
	return remove_name(store_fd, name);
}

/* Return: 0 or -ENOENT: it is gone. */
static int entry_read(int store_fd, const char *name, const uint8_t key[32],
		      struct template_entry *ret)
{
	struct template_entry entry = { 0 };
	_cleanup_close_ int fd = -1;
	struct err ignored;
	struct stat st;
	int r;

	if (fstatat(store_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	r = open_entry(store_fd, name, &fd);
	if (r == -ENOENT)
		return r;
	entry.bad = r < 0 || template_file_check(fd, NULL, &entry.info, &ignored) < 0 ||
		    memcmp(entry.info.key, key, KEY_SIZE) != 0;
	if (entry.bad) {
		memset(&entry.info, 0, sizeof(entry.info));
		memcpy(entry.info.key, key, KEY_SIZE);
	}
	template_store_name(key, entry.name);
	entry.disk = (uint64_t)st.st_blocks * 512;
	entry.last_used = st.st_mtime;
	/* The last thing: who finds it waits for that lock. */
	entry.in_use = r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
	*ret = entry;
	return 0;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Return: NULL and errno. */
static DIR *open_dir(int store_fd)
{
	/* Not a duplicate: that would share the position. */
	_cleanup_close_ int fd = openat(store_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		steal_fd(&fd);
	return dir;
}

static int compare_last_used(const void *a, const void *b)
{
	const struct template_entry *x = a, *y = b;

	if (x->last_used != y->last_used)
		return x->last_used > y->last_used ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int read_entries(int store_fd, DIR *dir, struct template_entry **ret, size_t *ret_n)
{
	_cleanup_free_ struct template_entry *entries = NULL;
	size_t n = 0, room = 0;
	const struct dirent *d;
	uint8_t key[KEY_SIZE];

	while (n < ENTRIES_MAX && (d = readdir(dir))) {
		if (!name_parse(d->d_name, TEMPLATE_SUFFIX, key))
			continue;
		if (n == room) {
			struct template_entry *more;

			room = room ? 2 * room : 16;
			more = reallocarray(entries, room, sizeof(*more));
			if (!more)
				return -ENOMEM;
			entries = more;
		}
		if (entry_read(store_fd, d->d_name, key, entries + n) == 0)
			n++;
	}
	if (n)
		qsort(entries, n, sizeof(*entries), compare_last_used);
	*ret = steal_ptr(entries);
	*ret_n = n;
	return 0;
}

int template_store_list(int store_fd, struct template_entry **ret, size_t *ret_n, struct err *e)
{
	_cleanup_(cleanup_dir) DIR *dir = open_dir(store_fd);
	int r = dir ? read_entries(store_fd, dir, ret, ret_n) : -errno;

	return r < 0 ? err_errno(e, -r, "cannot read the directory of templates") : 0;
}

struct pruning {
	int store_fd;
	unsigned int removed;
	uint64_t freed;
	int error; /* the first, or 0; the others are still tried */
};

/* Return: whether it is gone. */
static bool prune_name(struct pruning *p, const char *name, uint64_t disk)
{
	int r = remove_name(p->store_fd, name);

	if (r == 0) {
		p->removed++;
		p->freed += disk;
	} else if (r != -ENOENT && r != -EBUSY && !p->error) {
		p->error = r;
	}
	return r == 0 || r == -ENOENT;
}

static void prune_templates(struct pruning *p, struct template_entry *entries, size_t n,
			    uint64_t budget, uint64_t max_age_s, const uint8_t keep[32])
{
	uint64_t total = 0;
	size_t stay = 0;

	for (size_t i = 0; i < n; i++) {
		bool kept = keep && memcmp(entries[i].info.key, keep, KEY_SIZE) == 0;

		if (!kept && (entries[i].bad || too_old(&entries[i].info, max_age_s)) &&
		    prune_name(p, entries[i].name, entries[i].disk))
			continue;
		total += entries[i].disk;
		if (!kept)
			entries[stay++] = entries[i];
	}
	while (stay-- && total > budget)
		if (prune_name(p, entries[stay].name, entries[stay].disk))
			total -= entries[stay].disk;
}

static bool stamp_leads_nowhere(int store_fd, const char *name)
{
	char target[TEMPLATE_NAME_SIZE + 1];
	ssize_t n = readlinkat(store_fd, name, target, sizeof(target) - 1);
	uint8_t key[KEY_SIZE];
	struct stat st;

	/* Not a link: nobody here made it. */
	if (n < 0)
		return false;
	target[n] = '\0';
	return !name_parse(target, TEMPLATE_SUFFIX, key) ||
	       (fstatat(store_fd, target, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT);
}

static int prune_rest(struct pruning *p)
{
	_cleanup_(cleanup_dir) DIR *dir = open_dir(p->store_fd);
	unsigned int handled = 0;
	uint8_t stamp[KEY_SIZE];
	const struct dirent *d;
	struct stat st;

	if (!dir)
		return -errno;
	while (handled < ENTRIES_MAX && (d = readdir(dir))) {
		if (name_is_temporary(d->d_name)) {
			handled++;
			if (fstatat(p->store_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
				prune_name(p, d->d_name, (uint64_t)st.st_blocks * 512);
		} else if (name_parse(d->d_name, STAMP_SUFFIX, stamp)) {
			handled++;
			if (stamp_leads_nowhere(p->store_fd, d->d_name))
				unlinkat(p->store_fd, d->d_name, 0);
		}
	}
	return 0;
}

int template_store_prune(int store_fd, uint64_t budget, uint64_t max_age_s, const uint8_t keep[32],
			 unsigned int *ret_removed, uint64_t *ret_freed)
{
	_cleanup_free_ struct template_entry *entries = NULL;
	struct pruning p = { .store_fd = store_fd };
	struct err ignored;
	size_t n = 0;
	int r = template_store_list(store_fd, &entries, &n, &ignored);

	if (r == 0) {
		prune_templates(&p, entries, n, budget, max_age_s, keep);
		r = prune_rest(&p);
	}
	if (ret_removed)
		*ret_removed = p.removed;
	if (ret_freed)
		*ret_freed = p.freed;
	return p.error ? p.error : r;
}
