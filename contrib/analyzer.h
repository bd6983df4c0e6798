/* SPDX-License-Identifier: MIT */
/*
 * For clang-tidy only ("make lint" includes it first in every file but err.c):
 * the analyzer does not see into err.c, so tell it that what the functions of
 * err.h return is negative. Else it follows paths on which a function fails and
 * its caller goes on.
 */
#include "runner/base/err.h"

static inline int err_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}

#define err_msg(...) err_negative(err_msg(__VA_ARGS__))
#define err_errno(...) err_negative(err_errno(__VA_ARGS__))
#define err_prefix(...) err_negative(err_prefix(__VA_ARGS__))
#define err_oom(e) err_negative(err_oom(e))
