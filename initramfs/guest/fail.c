/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fail_text(struct fail *f, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	f->code = FAIL_VMRUN;
	return -errnum;
}

int fail_errno(struct fail *f, int errnum, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	len = strlen(f->text);
	snprintf(f->text + len, sizeof(f->text) - len, ": %s", strerror(errnum));
	f->code = FAIL_VMRUN;
	return -errnum;
}
