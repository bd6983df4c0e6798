/* SPDX-License-Identifier: MIT */
#include "runner/spec/vm_spec.h"

#include <stdlib.h>

#define DEFAULT_MEMORY ((uint64_t)512 << 20)
#define DEFAULT_TEMPLATE_MAX_AGE_MS ((uint64_t)30 * 24 * 3600 * 1000)
#define DEFAULT_TEMPLATE_BUDGET ((uint64_t)2 << 30)

void vm_spec_init(struct vm_spec *spec)
{
	*spec = (struct vm_spec){
		.memory = DEFAULT_MEMORY,
		.template_max_age_ms = DEFAULT_TEMPLATE_MAX_AGE_MS,
		.template_budget = DEFAULT_TEMPLATE_BUDGET,
	};
}

void vm_spec_free(struct vm_spec *spec)
{
	if (!spec)
		return;
	for (unsigned int i = 0; i < spec->n_volumes; i++) {
		free(spec->volumes[i].src);
		free(spec->volumes[i].dst);
	}
	free(spec->volumes);
	for (unsigned int i = 0; i < spec->n_disks; i++)
		free(spec->disks[i].src);
	free(spec->ports);
	free(spec->root);
	free(spec->entrypoint);
	free(spec->kernel);
	free(spec->modules);
	free(spec->append);
	free(spec->name);
	free(spec->hostname);
	free(spec->user);
	free(spec->workdir);
	strvec_free(&spec->command);
	strvec_free(&spec->env);
	vm_spec_init(spec);
}
