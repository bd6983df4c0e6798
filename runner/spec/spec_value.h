/* SPDX-License-Identifier: MIT */
/*
 * Values of single options, one function each, for tables of options. Each
 * returns 0, or -errno with an error that quotes the value and says what would
 * be accepted; the caller puts the option's name in front. After a failure the
 * spec is only good to be freed.
 */
#ifndef VMRUN_SPEC_SPEC_VALUE_H
#define VMRUN_SPEC_SPEC_VALUE_H

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

/** spec_value_bad() - the error for a value: "'VALUE' REASON". Return: -EINVAL. */
int spec_value_bad(const char *value, const char *reason, struct err *e);

/* These append to the spec. */
int spec_value_volume(struct vm_spec *spec, const char *value, struct err *e);
/** spec_value_disk() - FILE[:OPTION,...]: what follows the last colon has no "/". */
int spec_value_disk(struct vm_spec *spec, const char *value, struct err *e);
int spec_value_port(struct vm_spec *spec, const char *value, struct err *e);
/** spec_value_network() - a mode's name; "user" may have ",host-loopback" after it. */
int spec_value_network(struct vm_spec *spec, const char *value, struct err *e);
/** spec_value_env() - K=V, or K as the caller has it (nothing if it is unset). */
int spec_value_env(struct vm_spec *spec, const char *value, struct err *e);
/** spec_value_env_file() - a file of such lines, "#" comments and blank lines. */
int spec_value_env_file(struct vm_spec *spec, const char *path, struct err *e);

/**
 * spec_idmap_parse() - a layout's name or GUEST:HOST:COUNT[,...].
 * @ret_map: touched only by the latter.
 */
int spec_idmap_parse(const char *value, enum idmap_kind *ret_kind, struct id_map *ret_map,
		     struct err *e);

/** spec_value_idmap() - the same, into @spec. */
int spec_value_idmap(struct vm_spec *spec, const char *value, struct err *e);

/* These only look at the value. */
int spec_value_check_path(const char *value, struct err *e);
int spec_value_check_workdir(const char *value, struct err *e);
int spec_value_check_user(const char *value, struct err *e);
int spec_value_check_entrypoint(const char *value, struct err *e);
int spec_value_check_name(const char *value, struct err *e);
int spec_value_check_hostname(const char *value, struct err *e);
int spec_value_check_append(const char *value, struct err *e);

#endif
