/* SPDX-License-Identifier: MIT */
#include "tests/unit/template_store_world.h"

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
	assert_int_equal(st.st_mode, S_IFDIR | (geteuid() ? 0700 : 0711));
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

static struct stat stat_template(const struct world *w)
{
	struct stat st;

	assert_int_equal(fstatat(w->store, HEX ".template", &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

/* A look at world_info.key; nothing may be another for it. */
static int look_only(const struct world *w, uint64_t max_age_s, struct template_info *ret)
{
	struct stat before = stat_template(w), after;
	unsigned int names = count_names(w);
	int r = template_store_look(w->store, world_info.key, max_age_s, ret);

	after = stat_template(w);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
	assert_memory_equal(&after.st_ctim, &before.st_ctim, sizeof(after.st_ctim));
	assert_int_equal(count_names(w), names);
	return r;
}

static void to_look_changes_nothing(void **state)
{
	struct world *w = *state;
	struct template_info info = { .cpus = 77 };
	int fd;

	assert_int_equal(template_store_look(w->store, world_info.key, 0, &info), -ENOENT);
	publish_aged(w, world_info.key, time(NULL) - 100, 5000);
	assert_int_equal(look_only(w, 50, &info), -ENOENT);
	assert_int_equal(info.cpus, 77);
	/* Neither waits for a lock nor leaves one. */
	fd = open_template(w, world_info.key, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(look_only(w, 1000, &info), 0);
	assert_memory_equal(info.key, world_info.key, sizeof(info.key));
	assert_int_equal(info.cpus, world_info.cpus);
	assert_int_equal(look_only(w, 0, &info), 0);
	close(fd);

	info.cpus = 77;
	spoil(w, world_info.key);
	assert_int_equal(look_only(w, 0, &info), -ENOENT);
	assert_int_equal(renameat(w->store, HEX ".template", w->store, "elsewhere"), 0);
	fixture_symlink(&w->fx, "elsewhere", "cache/templates/" HEX ".template");
	assert_int_equal(look_only(w, 0, &info), -ENOENT);
	assert_int_equal(unlinkat(w->store, HEX ".template", 0), 0);
	fixture_fifo(&w->fx, "cache/templates/" HEX ".template");
	assert_int_equal(look_only(w, 0, &info), -ENOENT);
	assert_int_equal(info.cpus, 77);
	assert_int_equal(template_store_look(-1, world_info.key, 0, &info), -EBADF);
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
		TEST(to_look_changes_nothing),
		TEST(one_that_goes_is_not_found),
		TEST(one_is_replaced),
		TEST(many_publish_at_once),
		TEST(one_maker_for_each_key),
		TEST(a_lock_that_is_a_link),
		TEST(stamps),
		TEST(hostile_stamps),
	};

	/* What the modes are must not come from here. */
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
