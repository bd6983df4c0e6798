/* SPDX-License-Identifier: MIT */
/* A directory of templates. */
#ifndef VMRUN_TESTS_TEMPLATE_STORE_WORLD_H
#define VMRUN_TESTS_TEMPLATE_STORE_WORLD_H

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
static inline const uint8_t *key_of(uint8_t n)
{
	static uint8_t keys[256][32];

	keys[n][0] = n;
	return keys[n];
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	struct world *w = *state;

	close(w->store);
	fixture_remove(&w->fx);
	free(w);
	return 0;
}

/* A whole template that has no name yet, or -1: children do this, too. */
static inline int compose(const struct world *w, const uint8_t key[32], int64_t created)
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

static inline int begin(const struct world *w, const uint8_t key[32], int64_t created)
{
	int fd = compose(w, key, created);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return fd;
}

static inline void set_used(const struct world *w, const uint8_t key[32], time_t used)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = used } };
	char name[TEMPLATE_NAME_SIZE];

	template_store_name(key, name);
	assert_int_equal(utimensat(w->store, name, times, 0), 0);
}

static inline void publish_aged(struct world *w, const uint8_t key[32], int64_t created,
				time_t used)
{
	int fd = begin(w, key, created);

	w->disk = world_disk(fd);
	assert_int_equal(template_store_publish(w->store, key, fd), 0);
	close(fd);
	set_used(w, key, used);
}

static inline void publish(struct world *w, const uint8_t key[32])
{
	publish_aged(w, key, time(NULL), time(NULL));
}

/* Opened on its own, as by a run; close() it. */
static inline int open_template(const struct world *w, const uint8_t key[32], int flags)
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

static inline void spoil(const struct world *w, const uint8_t key[32])
{
	int fd = open_template(w, key, O_RDWR);

	world_put(fd, "X", 1, WORLD_MEMORY);
	close(fd);
}

static inline bool exists(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->store, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool has(const struct world *w, const uint8_t key[32])
{
	char name[TEMPLATE_NAME_SIZE];

	template_store_name(key, name);
	return exists(w, name);
}

static inline unsigned int count_names(const struct world *w)
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

static inline int find_aged(const struct world *w, const uint8_t key[32], uint64_t max_age_s,
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

static inline int find(const struct world *w, const uint8_t key[32])
{
	struct err e = { 0 };

	return find_aged(w, key, 0, &e);
}

static inline unsigned int prune(const struct world *w, uint64_t budget, uint64_t max_age_s,
				 const uint8_t keep[32])
{
	unsigned int removed = 77;
	uint64_t freed = 77;

	assert_int_equal(template_store_prune(w->store, budget, max_age_s, keep, &removed, &freed),
			 0);
	assert_int_equal(freed, removed * w->disk);
	return removed;
}

static inline void put_file(const struct world *w, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "cache/templates/%s", name);
	fixture_puts(&w->fx, path, "mine");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
