/* SPDX-License-Identifier: MIT */
/*
 * Parsers of small values. One contract: 0 on success, and only then is the
 * output touched; -EINVAL for what is no such value, -ERANGE for one out of
 * bounds. The whole string must be consumed; no sign, no white space.
 */
#ifndef VMRUN_BASE_PARSE_H
#define VMRUN_BASE_PARSE_H

#include <stdint.h>

/** parse_uint() - decimal number in [@min, @max]. */
int parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/**
 * parse_size() - memory size with a required suffix k, m, g or t (either case,
 * optionally followed by "b" or "iB"), powers of 1024. Output in bytes.
 *
 * A bare number is refused: podman reads it as bytes, QEMU as MiB.
 */
int parse_size(const char *s, uint64_t *ret_bytes);

/**
 * parse_duration() - "90", "90s", "1.5s", "500ms", "10m", "2h", "30d". Output
 * in milliseconds, greater than 0, at most 1000 days.
 */
int parse_duration(const char *s, uint64_t *ret_ms);

#endif
