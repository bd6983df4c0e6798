/* SPDX-License-Identifier: MIT */
/*
 * What a plan is made of, for tests of plans and of what acts on them: a run of
 * /bin/true over /srv/base by 1000:1000, to be changed before plan_world_make().
 */
#ifndef VMRUN_TESTS_PLAN_WORLD_H
#define VMRUN_TESTS_PLAN_WORLD_H

#include "tests/unit/fixture.h"

#include "runner/plan/vm_plan.h"
#include "runner/spec/spec_value.h"

struct plan_world {
	struct vm_spec spec;
	struct host_facts facts;
	struct idmap_choice idmap;
	struct base_report report;
	struct plan_input in;
	struct vm_plan plan;
	struct err e;
};

static inline void plan_world_init(struct plan_world *w)
{
	*w = (struct plan_world){
		.facts = { .uid = 1000,
			   .gid = 1000,
			   .cpus = 4,
			   .memory = (uint64_t)8 << 30,
			   .qemu = "/usr/bin/qemu-system-x86_64" },
		.idmap = { .kind = IDMAP_CALLER,
			   .uids = { .e = { { 0, 1000, 1 }, { 1, 100000, 65536 } }, .n = 2 },
			   .gids = { .e = { { 0, 1000, 1 } }, .n = 1 } },
		.report = { .kernel_version = "6.1.0-9-amd64",
			    .kernel_path = "/boot/vmlinuz-6.1.0-9-amd64",
			    .pvh = true,
			    .initramfs_size = (uint64_t)1700 << 10 },
	};
	vm_spec_init(&w->spec);
	strvec_add(&w->spec.command, "/bin/true");
	w->in = (struct plan_input){ .spec = &w->spec,
				     .facts = &w->facts,
				     .base_path = "/srv/base",
				     .idmap = &w->idmap,
				     .report = &w->report,
				     .accel = ACCEL_TCG };
}

static inline void plan_world_make(struct plan_world *w)
{
	vm_plan_free(&w->plan);
	if (vm_plan_make(&w->in, &w->plan, &w->e) != 0)
		fail_msg("%s", w->e.text);
}

static inline void plan_world_free(struct plan_world *w)
{
	vm_plan_free(&w->plan);
	vm_spec_free(&w->spec);
}

/* Of a string that the specification owns. */
static inline void plan_world_set(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
	assert_non_null(*field);
}

static inline void plan_world_volume(struct plan_world *w, const char *value)
{
	if (spec_value_volume(&w->spec, value, &w->e) != 0)
		fail_msg("%s", w->e.text);
}

static inline void plan_world_port(struct plan_world *w, const char *value)
{
	if (spec_value_port(&w->spec, value, &w->e) != 0)
		fail_msg("%s", w->e.text);
}

static inline int plan_world_set_up(void **state)
{
	struct plan_world *w = malloc(sizeof(*w));

	assert_non_null(w);
	plan_world_init(w);
	*state = w;
	return 0;
}

static inline int plan_world_tear_down(void **state)
{
	plan_world_free(*state);
	free(*state);
	return 0;
}

#endif
