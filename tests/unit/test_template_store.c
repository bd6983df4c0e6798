/* SPDX-License-Identifier: MIT */
#include "tests/unit/child.h"
#include "tests/unit/template_world.h"

#include <dirent.h>
#include <sys/file.h>
#include <time.h>

#include "runner/vm/template_store.h"

#define HEX "0001ab0000000000000000000000000000000000000000000000000000007fff"
#define STATE "the state of the devices"
#define ZEROS_62 "00000000000000000000000000000000000000000000000000000000000000"

struct world {
	struct fixture fx;
	int store;
	uint64_t disk; /* of one template */
};

/* Key @n; one that sorts as it counts. */
static const uint8_t *key_of(uint8_t n)
{
	static uint8_t keys[256][32];

	keys[n][0] = n;
	return keys[n];
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char dir[128];

	assert_non_null(w);
	fixture_make(&w->fx);
	snprintf(dir, sizeof(dir), "%s/cache", w->fx.dir);
	assert_int_equal(template_store_open(dir, &w->store), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close(w->store);
	fixture_remove(&w->fx);
	free(w);
	return 0;
}

/* A whole template that has no name yet, or -1: children do this, too. */
static int compose(const struct world *w, const uint8_t key[32], int64_t created)
{
	struct template_info info = world_info;
	int memory = memfd_create("memory", MFD_CLOEXEC);
	int state = memfd_create("state", MFD_CLOEXEC), fd = -1;
	struct err e;
	bool ok;

	memcpy(info.key, key, sizeof(info.key));
	info.created = created;
	ok = ftruncate(memory, (off_t)info.memory) == 0 && pwrite(memory, "touched", 8, 0) == 8 &&
	     pwrite(state, STATE, sizeof(STATE), 0) == sizeof(STATE) &&
	     template_store_begin(w->store, &fd) == 0 &&
	     template_file_write(fd, memory, state, &info, &e) == 0;
	close(memory);
	close(state);
	return ok ? fd : -1;
}

static int begin(const struct world *w, const uint8_t key[32], int64_t created)
{
	int fd = compose(w, key, created);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return fd;
}

static void set_used(const struct world *w, const uint8_t key[32], time_t used)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = used } };
	char name[TEMPLATE_NAME_SIZE];

	template_store_name(key, name);
	assert_int_equal(utimensat(w->store, name, times, 0), 0);
}

static void publish_aged(struct world *w, const uint8_t key[32], int64_t created, time_t used)
{
	int fd = begin(w, key, created);

	w->disk = world_disk(fd);
	assert_int_equal(template_store_publish(w->store, key, fd), 0);
	close(fd);
	set_used(w, key, used);
}

static void publish(struct world *w, const uint8_t key[32])
{
	publish_aged(w, key, time(NULL), time(NULL));
}

/* Opened on its own, as by a run; close() it. */
static int open_template(const struct world *w, const uint8_t key[32], int flags)
{
	char name[TEMPLATE_NAME_SIZE];
	int fd;

	template_store_name(key, name);
	if (flags == O_RDWR)
		assert_int_equal(fchmodat(w->store, name, 0644, 0), 0);
	fd = openat(w->store, name, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void spoil(const struct world *w, const uint8_t key[32])
{
	int fd = open_template(w, key, O_RDWR);

	world_put(fd, "X", 1, WORLD_MEMORY);
	close(fd);
}

static bool exists(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->store, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has(const struct world *w, const uint8_t key[32])
{
	char name[TEMPLATE_NAME_SIZE];

	template_store_name(key, name);
	return exists(w, name);
}

static unsigned int count_names(const struct world *w)
{
	int fd = openat(w->store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	unsigned int n = 0;
	const struct dirent *d;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static int find_aged(const struct world *w, const uint8_t key[32], uint64_t max_age_s,
		     struct err *e)
{
	struct template_info info;
	int fd = -2, r = template_store_find(w->store, key, max_age_s, &info, &fd, e);

	if (r < 0) {
		assert_int_equal(fd, -2);
		assert_int_equal(e->errnum, -r);
	} else {
		close(fd);
	}
	return r;
}

static int find(const struct world *w, const uint8_t key[32])
{
	struct err e = { 0 };

	return find_aged(w, key, 0, &e);
}

static unsigned int prune(const struct world *w, uint64_t budget, uint64_t max_age_s,
			  const uint8_t keep[32])
{
	unsigned int removed = 77;
	uint64_t freed = 77;

	assert_int_equal(template_store_prune(w->store, budget, max_age_s, keep, &removed, &freed),
			 0);
	assert_int_equal(freed, removed * w->disk);
	return removed;
}

static void put_file(const struct world *w, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "cache/templates/%s", name);
	fixture_puts(&w->fx, path, "mine");
}

static void a_template_is_kept(void **state)
{
	struct world *w = *state;
	const uint8_t *key = world_info.key;
	struct template_info info;
	struct err e = { 0 };
	struct stat st;
	int fd = -1;

	assert_int_equal(find_aged(w, key, 0, &e), -ENOENT);
	assert_non_null(strstr(e.text, "template 0001ab000000: "));
	publish(w, key);
	assert_int_equal(template_store_find(w->store, key, 3600, &info, &fd, &e), 0);
	assert_memory_equal(info.key, key, 32);
	assert_int_equal(info.memory, WORLD_MEMORY);
	assert_int_equal(info.state_size, sizeof(STATE));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
	assert_int_equal(find(w, key_of(1)), -ENOENT);

	/* QEMU reads it as another id; nobody writes it, and nobody else looks around. */
	assert_int_equal(fstatat(w->store, HEX ".template", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_equal(fstat(w->store, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0711);
	assert_int_equal(count_names(w), 1);
}

static void nothing_is_there_before_it_is_whole(void **state)
{
	struct world *w = *state;
	int fd = begin(w, key_of(1), 0);

	assert_int_equal(count_names(w), 0);
	close(fd);
	assert_int_equal(count_names(w), 0);
}

static void no_directory(void **state)
{
	struct world *w = *state;
	char path[5000], dir[128];
	int fd = -2, proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(template_store_open("", &fd), -ENOENT);
	fixture_puts(&w->fx, "file", "I am a file");
	snprintf(dir, sizeof(dir), "%s/file", w->fx.dir);
	assert_true(template_store_open(dir, &fd) < 0);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(template_store_open(path, &fd), -ENAMETOOLONG);
	/* A file system that has no unnamed files; nor others, for an ordinary user. */
	assert_int_equal(template_store_begin(proc, &fd), geteuid() == 0 ? -EOPNOTSUPP : -EACCES);
	assert_int_equal(fd, -2);
	assert_int_equal(template_store_publish(w->store, key_of(1), -1), -EBADF);
	close(proc);
	assert_int_equal(fcntl(w->store, F_GETFD), FD_CLOEXEC);
}

static void use_unwritable(const void *arg)
{
	int store, fd;

	CHILD_CHECK(template_store_open(arg, &store) == 0);
	CHILD_CHECK(template_store_begin(store, &fd) == -EACCES);
	CHILD_CHECK(template_store_lock(store, key_of(1), &fd) == -EACCES);
	template_store_stamp_note(store, key_of(1), key_of(2));
	CHILD_CHECK(template_store_stamp_find(store, key_of(1), (uint8_t[32]){ 0 }) == -ENOENT);
}

static void an_unwritable_directory(void **state)
{
	struct world *w = *state;
	char path[128];

	assert_int_equal(chmod(w->fx.dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/cache", w->fx.dir);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(fchmod(w->store, 0555), 0);
	run_unprivileged(use_unwritable, path);
	assert_int_equal(fchmod(w->store, 0700), 0);
}

static void the_cache_may_go_at_any_time(void **state)
{
	struct world *w = *state;
	struct template_entry *entries = NULL;
	int fd = begin(w, key_of(1), 0);
	struct err e = { 0 };
	size_t n = 7;

	assert_int_equal(rmdir(fixture_path(&w->fx, "cache/templates")), 0);
	assert_int_equal(template_store_publish(w->store, key_of(1), fd), -ENOENT);
	assert_int_equal(find(w, key_of(1)), -ENOENT);
	assert_int_equal(template_store_remove(w->store, key_of(1)), -ENOENT);
	template_store_stamp_note(w->store, key_of(1), key_of(2));
	assert_int_equal(template_store_lock(w->store, key_of(1), &(int){ 0 }), -ENOENT);
	/* Linux opens "." of a directory that is gone, on some file systems. */
	if (template_store_list(w->store, &entries, &n, &e) == 0)
		assert_int_equal(n, 0);
	free(entries);
	close(fd);
}

static void use_is_noted(void **state)
{
	struct world *w = *state;
	time_t now = time(NULL);
	struct stat st;

	publish_aged(w, world_info.key, now, 5000);
	assert_int_equal(find(w, world_info.key), 0);
	assert_int_equal(fstatat(w->store, HEX ".template", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(st.st_mtime >= now);
}

static void one_too_old_is_not_found(void **state)
{
	struct world *w = *state;
	struct err e = { 0 };

	publish_aged(w, key_of(1), time(NULL) - 100, 0);
	assert_int_equal(find_aged(w, key_of(1), 0, &e), 0);
	assert_int_equal(find_aged(w, key_of(1), 1000, &e), 0);
	assert_int_equal(find_aged(w, key_of(1), 50, &e), -ENOENT);
	assert_non_null(strstr(e.text, "over 50 seconds old"));
	assert_false(has(w, key_of(1)));
	/* Made in the future. */
	publish_aged(w, key_of(1), time(NULL) + 1000, 0);
	assert_int_equal(find_aged(w, key_of(1), 0, &e), 0);
	assert_int_equal(find_aged(w, key_of(1), UINT64_MAX, &e), -ENOENT);
	assert_false(has(w, key_of(1)));
}

static void a_bad_one_is_removed(void **state)
{
	struct world *w = *state;
	struct err e = { 0 };
	int fd;

	publish(w, world_info.key);
	spoil(w, world_info.key);
	/* Others run from it: their affair. */
	fd = open_template(w, world_info.key, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	assert_int_equal(find_aged(w, world_info.key, 0, &e), -EBADMSG);
	assert_string_equal(e.text, "template 0001ab000000: the state of its devices was changed: "
				    "wrong checksum");
	assert_true(has(w, world_info.key));
	close(fd);
	assert_int_equal(find(w, world_info.key), -EBADMSG);
	assert_false(has(w, world_info.key));
	assert_int_equal(find(w, world_info.key), -ENOENT);
}

static void one_under_a_wrong_name(void **state)
{
	struct world *w = *state;
	int fd = begin(w, key_of(1), time(NULL));

	assert_int_equal(template_store_publish(w->store, key_of(2), fd), 0);
	close(fd);
	assert_int_equal(find(w, key_of(2)), -EBADMSG);
	assert_false(has(w, key_of(2)));
}

static void what_is_no_file(void **state)
{
	struct world *w = *state;
	struct err e = { 0 };

	/* No link is followed, not even to a good template with that key. */
	publish(w, world_info.key);
	assert_int_equal(renameat(w->store, HEX ".template", w->store, "elsewhere"), 0);
	fixture_symlink(&w->fx, "elsewhere", "cache/templates/" HEX ".template");
	assert_int_equal(find_aged(w, world_info.key, 0, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "not a regular file"));
	assert_false(has(w, world_info.key));
	assert_true(exists(w, "elsewhere"));
	/* This must not block. */
	fixture_fifo(&w->fx, "cache/templates/" HEX ".template");
	assert_int_equal(find(w, world_info.key), -EBADMSG);
	assert_false(has(w, world_info.key));
	fixture_symlink(&w->fx, "elsewhere", "cache/templates/" HEX ".template");
	assert_int_equal(template_store_remove(w->store, world_info.key), 0);
	assert_true(exists(w, "elsewhere"));
	fixture_mkdir(&w->fx, "cache/templates/" HEX ".template");
	assert_int_equal(find(w, world_info.key), -EBADMSG);
	assert_false(exists(w, "cache/templates/" HEX ".template"));
	fixture_mkdir(&w->fx, "cache/templates/" HEX ".template/full");
	assert_int_equal(find(w, world_info.key), -EBADMSG);
	assert_int_equal(template_store_remove(w->store, world_info.key), -ENOTEMPTY);
}

static void one_found_is_in_use(void **state)
{
	struct world *w = *state;
	struct template_info info;
	struct err e = { 0 };
	int fd = -1, other = -1;

	publish(w, key_of(1));
	assert_int_equal(template_store_find(w->store, key_of(1), 0, &info, &fd, &e), 0);
	assert_int_equal(template_store_find(w->store, key_of(1), 0, &info, &other, &e), 0);
	assert_int_equal(template_store_remove(w->store, key_of(1)), -EBUSY);
	close(fd);
	assert_int_equal(template_store_remove(w->store, key_of(1)), -EBUSY);
	assert_int_equal(prune(w, 0, 1, NULL), 0);
	close(other);
	assert_int_equal(template_store_remove(w->store, key_of(1)), 0);
	assert_int_equal(template_store_remove(w->store, key_of(1)), -ENOENT);
}

/* It sleeps nowhere else. */
static void wait_until_it_waits(pid_t pid)
{
	char path[64], *stat, state;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		assert_int_equal(fs_read_host(path, 4096, &stat, &len), 0);
		state = strrchr(stat, ')')[2];
		free(stat);
	} while (state != 'S');
}

/* What a child finds who opened the template that is removed then, and maybe replaced. */
static void find_while_it_goes(struct world *w, int new_fd, int should)
{
	int fd = open_template(w, key_of(1), O_RDONLY);
	pid_t pid;

	assert_int_equal(flock(fd, LOCK_EX), 0);
	pid = fork();
	if (pid == 0) {
		struct template_info info;
		struct err e;
		int found;

		/* The lock is one of all who have this. */
		close(fd);
		CHILD_CHECK(template_store_find(w->store, key_of(1), 0, &info, &found, &e) ==
			    should);
		CHILD_CHECK(should < 0 || info.created == 2000);
		_exit(0);
	}
	assert_true(pid > 0);
	wait_until_it_waits(pid);
	if (new_fd >= 0)
		assert_int_equal(template_store_publish(w->store, key_of(1), new_fd), 0);
	else
		assert_int_equal(unlinkat(w->store, "01" ZEROS_62 ".template", 0), 0);
	close(fd);
	assert_child_succeeds(pid);
}

static void one_that_goes_is_not_found(void **state)
{
	struct world *w = *state;
	int fd;

	publish_aged(w, key_of(1), 1000, 1000);
	find_while_it_goes(w, -1, -ENOENT);
	publish_aged(w, key_of(1), 1000, 1000);
	fd = begin(w, key_of(1), 2000);
	find_while_it_goes(w, fd, 0);
	close(fd);
}

static void one_is_replaced(void **state)
{
	struct world *w = *state;
	struct template_info info;
	struct err e = { 0 };
	int fd, old;

	publish_aged(w, key_of(1), 1000, 1000);
	old = open_template(w, key_of(1), O_RDONLY);
	assert_int_equal(flock(old, LOCK_SH), 0);
	publish_aged(w, key_of(1), 2000, 2000);
	assert_int_equal(count_names(w), 1);
	assert_int_equal(template_store_find(w->store, key_of(1), 0, &info, &fd, &e), 0);
	assert_int_equal(info.created, 2000);
	close(fd);
	/* Who runs from the old one has it still. */
	assert_int_equal(template_file_check(old, key_of(1), &info, &e), 0);
	assert_int_equal(info.created, 1000);
	close(old);

	/* The same file once more. */
	fd = begin(w, key_of(1), 3000);
	assert_int_equal(template_store_publish(w->store, key_of(1), fd), 0);
	assert_int_equal(template_store_publish(w->store, key_of(1), fd), 0);
	assert_int_equal(template_store_remove(w->store, key_of(1)), -EBUSY);
	close(fd);
	assert_int_equal(count_names(w), 1);
	assert_int_equal(find(w, key_of(1)), 0);

	/* What cannot be replaced; no temporary name stays. */
	fixture_mkdir(&w->fx, "cache/templates/" HEX ".template");
	fd = begin(w, world_info.key, 1000);
	assert_int_equal(template_store_publish(w->store, world_info.key, fd), -EISDIR);
	close(fd);
	assert_int_equal(count_names(w), 2);
}

#define PUBLISHERS 3
#define ROUNDS 8

static void publish_again_and_again(const struct world *w)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd = compose(w, key_of(1), 1000);

		CHILD_CHECK(fd >= 0);
		CHILD_CHECK(template_store_publish(w->store, key_of(1), fd) == 0);
		close(fd);
	}
	_exit(0);
}

static void many_publish_at_once(void **state)
{
	struct world *w = *state;
	pid_t pids[PUBLISHERS];
	unsigned int running = PUBLISHERS;

	publish(w, key_of(1));
	for (int i = 0; i < PUBLISHERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			publish_again_and_again(w);
	}
	/* There is a good one at any time, and no pruning disturbs who is about to rename. */
	while (running) {
		int status;

		assert_int_equal(find(w, key_of(1)), 0);
		assert_int_equal(template_store_prune(w->store, UINT64_MAX, 0, NULL, NULL, NULL),
				 0);
		if (waitpid(pids[running - 1], &status, WNOHANG) == 0)
			continue;
		assert_int_equal(status, 0);
		running--;
	}
	assert_int_equal(count_names(w), 1);
	assert_int_equal(find(w, key_of(1)), 0);
}

/* What a child process gets. */
static int lock_elsewhere(const struct world *w, const uint8_t key[32])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd;

		_exit(-template_store_lock(w->store, key, &fd));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void one_maker_for_each_key(void **state)
{
	static const uint8_t top[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct world *w = *state;
	int one, two, high, again = -2;

	assert_int_equal(template_store_lock(w->store, key_of(1), &one), 0);
	assert_int_equal(fcntl(one, F_GETFD), FD_CLOEXEC);
	assert_int_equal(lock_elsewhere(w, key_of(1)), -EWOULDBLOCK);
	assert_int_equal(lock_elsewhere(w, key_of(2)), 0);
	assert_int_equal(template_store_lock(w->store, key_of(2), &two), 0);
	assert_int_equal(template_store_lock(w->store, top, &high), 0);
	assert_int_equal(lock_elsewhere(w, top), -EWOULDBLOCK);
	/* The same process, too; and what fails unlocks nothing. */
	assert_int_equal(template_store_lock(w->store, key_of(1), &again), -EWOULDBLOCK);
	assert_int_equal(again, -2);
	assert_int_equal(lock_elsewhere(w, key_of(1)), -EWOULDBLOCK);
	close(two);
	assert_int_equal(lock_elsewhere(w, key_of(1)), -EWOULDBLOCK);
	close(one);
	/* The child's end unlocks, every time. */
	assert_int_equal(lock_elsewhere(w, key_of(1)), 0);
	assert_int_equal(lock_elsewhere(w, key_of(1)), 0);
	close(high);
}

static void a_lock_that_is_a_link(void **state)
{
	struct world *w = *state;
	int fd = -2;

	fixture_symlink(&w->fx, "../../victim", "cache/templates/lock");
	assert_int_equal(template_store_lock(w->store, key_of(1), &fd), -ELOOP);
	assert_int_equal(fd, -2);
	assert_int_equal(access(fixture_path(&w->fx, "victim"), F_OK), -1);
}

static void stamps(void **state)
{
	struct world *w = *state;
	const uint8_t *stamp = key_of(9);
	uint8_t key[32] = { 0x5a };

	assert_int_equal(template_store_stamp_find(w->store, stamp, key), -ENOENT);
	assert_int_equal(key[0], 0x5a);
	template_store_stamp_note(w->store, stamp, key_of(1));
	assert_int_equal(template_store_stamp_find(w->store, stamp, key), 0);
	assert_memory_equal(key, key_of(1), 32);
	/* Once more, and another one. */
	template_store_stamp_note(w->store, stamp, key_of(1));
	template_store_stamp_note(w->store, stamp, world_info.key);
	assert_int_equal(template_store_stamp_find(w->store, stamp, key), 0);
	assert_memory_equal(key, world_info.key, 32);
	assert_int_equal(template_store_stamp_find(w->store, key_of(8), key), -ENOENT);
	assert_int_equal(count_names(w), 1);
}

static void stamps_that_lead_nowhere(void **state)
{
	struct world *w = *state;
	uint8_t key[32];

	publish(w, key_of(1));
	template_store_stamp_note(w->store, key_of(7), key_of(1));
	template_store_stamp_note(w->store, key_of(8), key_of(1));
	template_store_stamp_note(w->store, key_of(9), key_of(2));
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 0);
	assert_int_equal(template_store_stamp_find(w->store, key_of(7), key), 0);
	assert_int_equal(template_store_stamp_find(w->store, key_of(8), key), 0);
	assert_int_equal(template_store_stamp_find(w->store, key_of(9), key), -ENOENT);
	/* With the template go its stamps, at once. */
	assert_int_equal(prune(w, 0, 0, NULL), 1);
	assert_int_equal(count_names(w), 0);
}

static void hostile_stamps(void **state)
{
	static const char *const targets[] = {
		"/etc/passwd",
		"../" HEX ".template",
		"./" HEX ".template",
		HEX,
		HEX ".template.",
		HEX ".template/",
		HEX ".boot",
		HEX "0.template",
		"0001AB0000000000000000000000000000000000000000000000000000007fff.template",
		"001ab0000000000000000000000000000000000000000000000000000007fff.template",
		" 001ab0000000000000000000000000000000000000000000000000000007fff.template",
		"\n",
	};
	struct world *w = *state;
	char longest[4000];
	uint8_t key[32];

	publish(w, world_info.key);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		fixture_symlink(&w->fx, targets[i], "cache/templates/" HEX ".boot");
		if (template_store_stamp_find(w->store, world_info.key, key) != -ENOENT)
			fail_msg("%s is taken for a template", targets[i]);
		assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 0);
		assert_false(exists(w, HEX ".boot"));
	}
	memset(longest, '0', sizeof(longest));
	memcpy(longest, HEX ".template", sizeof(HEX ".template") - 1);
	longest[sizeof(longest) - 1] = '\0';
	fixture_symlink(&w->fx, longest, "cache/templates/" HEX ".boot");
	assert_int_equal(template_store_stamp_find(w->store, world_info.key, key), -ENOENT);
	/* What is in the way is replaced. */
	template_store_stamp_note(w->store, world_info.key, world_info.key);
	assert_int_equal(template_store_stamp_find(w->store, world_info.key, key), 0);
	assert_int_equal(unlinkat(w->store, HEX ".boot", 0), 0);
	/* A file is no link, and nobody here made it. */
	put_file(w, HEX ".boot");
	assert_int_equal(template_store_stamp_find(w->store, world_info.key, key), -ENOENT);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 0);
	assert_true(exists(w, HEX ".boot"));
	assert_true(has(w, world_info.key));
}

static void templates_are_listed(void **state)
{
	struct world *w = *state;
	struct template_entry *list = NULL;
	struct err e = { 0 };
	size_t n = 7;
	int fd;

	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	free(list);
	publish_aged(w, key_of(1), 1000, 5000);
	publish_aged(w, key_of(2), 2000, 9000);
	publish_aged(w, key_of(3), 3000, 7000);
	fd = open_template(w, key_of(3), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	put_file(w, "04" ZEROS_62 ".template");
	set_used(w, key_of(4), 1);
	fixture_symlink(&w->fx, "x", "cache/templates/ff" ZEROS_62 ".template");
	template_store_stamp_note(w->store, key_of(1), key_of(1));

	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(n, 5);
	/* The link was made now. */
	assert_true(list[0].bad);
	assert_string_equal(list[0].name, "ff" ZEROS_62 ".template");
	assert_string_equal(list[1].name, "02" ZEROS_62 ".template");
	assert_int_equal(list[1].info.created, 2000);
	assert_int_equal(list[1].last_used, 9000);
	assert_int_equal(list[1].disk, w->disk);
	assert_false(list[1].in_use || list[1].bad || list[3].in_use);
	assert_string_equal(list[2].name, "03" ZEROS_62 ".template");
	assert_true(list[2].in_use && !list[2].bad);
	assert_string_equal(list[3].name, "01" ZEROS_62 ".template");
	assert_true(list[4].bad && !list[4].in_use);
	assert_memory_equal(list[4].info.key, key_of(4), 32);
	assert_int_equal(list[4].info.memory, 0);
	free(list);
	close(fd);
	/* To look is not to use. */
	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(list[2].last_used, 7000);
	assert_false(list[2].in_use);
	free(list);
}

static void the_least_recently_used_go(void **state)
{
	struct world *w = *state;

	publish_aged(w, key_of(1), 1000, 400);
	publish_aged(w, key_of(2), 1000, 200);
	publish_aged(w, key_of(3), 1000, 100);
	publish_aged(w, key_of(4), 1000, 300);
	assert_int_equal(prune(w, 4 * w->disk, 0, NULL), 0);
	assert_int_equal(prune(w, 4 * w->disk - 1, 0, NULL), 1);
	assert_true(has(w, key_of(1)) && has(w, key_of(2)) && has(w, key_of(4)));
	assert_int_equal(prune(w, w->disk, 0, NULL), 2);
	assert_true(has(w, key_of(1)));
	/* Found: used. */
	publish_aged(w, key_of(2), 1000, 500);
	assert_int_equal(find(w, key_of(1)), 0);
	assert_int_equal(prune(w, w->disk, 0, NULL), 1);
	assert_true(has(w, key_of(1)));
	assert_int_equal(prune(w, 0, 0, NULL), 1);
	assert_int_equal(count_names(w), 0);
	assert_int_equal(template_store_prune(w->store, 0, 0, NULL, NULL, NULL), 0);
}

static void what_must_stay_stays(void **state)
{
	struct world *w = *state;
	int fd;

	publish_aged(w, key_of(1), 1000, 100);
	publish_aged(w, key_of(2), 1000, 200);
	publish_aged(w, key_of(3), 1000, 300);
	fd = open_template(w, key_of(1), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	/* They count: for the third there is no room. */
	assert_int_equal(prune(w, 2 * w->disk, 0, key_of(2)), 1);
	assert_true(has(w, key_of(1)) && has(w, key_of(2)));
	assert_int_equal(prune(w, 0, 1, key_of(2)), 0);
	close(fd);
	assert_int_equal(prune(w, 0, 1, key_of(2)), 1);
	assert_true(has(w, key_of(2)));
}

static void old_and_bad_ones_go_first(void **state)
{
	struct world *w = *state;
	time_t now = time(NULL);
	int fd;

	publish_aged(w, key_of(1), now - 1000, now);
	publish_aged(w, key_of(2), now + 1000, now);
	publish_aged(w, key_of(3), now - 10, 100);
	publish_aged(w, key_of(4), now, now);
	/* Bad by its trailer. */
	fd = open_template(w, key_of(4), O_RDWR);
	world_put(fd, "X", 1, WORLD_MEMORY + sizeof(STATE) + 20);
	close(fd);
	assert_int_equal(prune(w, UINT64_MAX, 100, NULL), 3);
	assert_int_equal(count_names(w), 1);
	assert_true(has(w, key_of(3)));
	publish_aged(w, key_of(1), now - 1000, now);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 0);
	assert_int_equal(prune(w, UINT64_MAX, 1000000, NULL), 0);
	/* Bad by its name, whatever the age. */
	assert_int_equal(renameat(w->store, "01" ZEROS_62 ".template", w->store, HEX ".template"),
			 0);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 1);
	assert_true(has(w, key_of(3)));
}

static void temporary_names_of_the_dead(void **state)
{
	static const char temporary[] = HEX ".template.0123456789abcdef.new";
	struct world *w = *state;
	int fd;

	publish(w, world_info.key);
	assert_int_equal(renameat(w->store, HEX ".template", w->store, temporary), 0);
	/* Its publisher lives. */
	fd = openat(w->store, temporary, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(prune(w, 0, 0, NULL), 0);
	assert_true(exists(w, temporary));
	close(fd);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 1);
	assert_int_equal(count_names(w), 0);
}

static void names_of_others(void **state)
{
	static const char *const names[] = {
		"notes",
		HEX,
		HEX ".template~",
		HEX ".templates",
		HEX ".TEMPLATE",
		HEX "0.template",
		"x" HEX ".template",
		"0001AB0000000000000000000000000000000000000000000000000000007fff.template",
		"001ab0000000000000000000000000000000000000000000000000000007fff.template",
		"+001ab0000000000000000000000000000000000000000000000000000007fff.template",
		".template",
		HEX ".template.new",
		HEX ".template.0123456789abcde.new",
		HEX ".template.0123456789abcdeF.new",
		HEX ".template.0123456789abcdef.new2",
		HEX ".template-0123456789abcdef.new",
		"0123456789abcdef.new",
		"lock",
	};
	struct world *w = *state;
	struct template_entry *list = NULL;
	struct err e = { 0 };
	size_t n = 7;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_file(w, names[i]);
	fixture_symlink(&w->fx, "nowhere", "cache/templates/dangling.boot");
	fixture_symlink(&w->fx, "nowhere", "cache/templates/dangling");
	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	free(list);
	assert_int_equal(prune(w, 0, 1, NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!exists(w, names[i]))
			fail_msg("%s is gone", names[i]);
	assert_true(exists(w, "dangling.boot") && exists(w, "dangling"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_template_is_kept),
		TEST(nothing_is_there_before_it_is_whole),
		TEST(no_directory),
		TEST(an_unwritable_directory),
		TEST(the_cache_may_go_at_any_time),
		TEST(use_is_noted),
		TEST(one_too_old_is_not_found),
		TEST(a_bad_one_is_removed),
		TEST(one_under_a_wrong_name),
		TEST(what_is_no_file),
		TEST(one_found_is_in_use),
		TEST(one_that_goes_is_not_found),
		TEST(one_is_replaced),
		TEST(many_publish_at_once),
		TEST(one_maker_for_each_key),
		TEST(a_lock_that_is_a_link),
		TEST(stamps),
		TEST(stamps_that_lead_nowhere),
		TEST(hostile_stamps),
		TEST(templates_are_listed),
		TEST(the_least_recently_used_go),
		TEST(what_must_stay_stays),
		TEST(old_and_bad_ones_go_first),
		TEST(temporary_names_of_the_dead),
		TEST(names_of_others),
	};

	/* What the modes are must not come from here. */
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
