/* SPDX-License-Identifier: MIT */
/*
 * What defines failure in the guest, as runner/base/err.h does on the host: a
 * function returns 0 or a negative errno, and where a person will be told it
 * also fills a struct fail. Nobody below init.c ends the run.
 */
#ifndef VMRUN_GUEST_FAIL_H
#define VMRUN_GUEST_FAIL_H

#include <stdint.h>

#define FAIL_TEXT_MAX 512

/* Exit codes of a run that never got to the command. */
enum fail_code { FAIL_VMRUN = 125, FAIL_NOT_EXECUTABLE = 126, FAIL_NOT_FOUND = 127 };

struct fail {
	uint32_t code; /* enum fail_code */
	char text[FAIL_TEXT_MAX];
};

/**
 * fail_text() - record a failure (code FAIL_VMRUN) whose text says everything.
 *
 * Return: -@errnum.
 */
int fail_text(struct fail *f, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** fail_errno() - as fail_text(), with ": " and strerror(@errnum) appended. */
int fail_errno(struct fail *f, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
