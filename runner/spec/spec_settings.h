/* SPDX-License-Identifier: MIT */
/*
 * Settings that are the user's rather than one run's, and so come from the
 * environment: how old templates may get, and how much of the disk they take.
 */
#ifndef VMRUN_SPEC_SPEC_SETTINGS_H
#define VMRUN_SPEC_SPEC_SETTINGS_H

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

#define SETTING_TEMPLATE_MAX_AGE "VMRUN_TEMPLATE_MAX_AGE" /* a duration; 0: any age */
#define SETTING_TEMPLATE_BUDGET "VMRUN_TEMPLATE_BUDGET"	  /* a size; 0: keep none */

/**
 * spec_settings_read() - the environment's settings into @spec.
 *
 * What is unset, or empty, leaves the field as it is. Ages become whole seconds.
 * Return: 0, or -EINVAL with an error that names the variable.
 */
int spec_settings_read(struct vm_spec *spec, struct err *e);

#endif
