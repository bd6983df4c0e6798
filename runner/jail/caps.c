/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "runner/base/cleanup.h"
#include "runner/jail/stages.h"

/*
 * What a 9p server in passthrough mode does with files that it does not own:
 * change owners, open and walk regardless of modes, chmod and utimes, keep
 * setgid bits. 87 of 87 file operations of a guest behave as with all
 * capabilities; taking any one of these away breaks some.
 */
static const cap_value_t kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID };

static const cap_value_t tool[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
				    CAP_SETFCAP };

static void cleanup_cap(cap_t *caps)
{
	cap_free(*caps);
}

/* The same for PID 1, while it still has to take its own and its child's away. */
static const cap_value_t confined[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
					CAP_SETPCAP };

uint64_t jail_capabilities(void)
{
	uint64_t ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		ret |= UINT64_C(1) << kept[i];
	return ret;
}

static bool is_in(const cap_value_t *list, size_t n, cap_value_t cap)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == cap)
			return true;
	return false;
}

/* All but those of @list. */
static int drop_bounding(const cap_value_t *list, size_t n, struct err *e)
{
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
		if (!is_in(list, n, cap) && cap_drop_bound(cap) < 0)
			return err_errno(e, errno, "cannot drop capability %d", cap);
	return 0;
}

static int set_caps(const cap_value_t *list, int n, struct err *e)
{
	_cleanup_(cleanup_cap) cap_t caps = cap_init();

	if (!caps)
		return err_oom(e);
	if (n && (cap_set_flag(caps, CAP_EFFECTIVE, n, list, CAP_SET) < 0 ||
		  cap_set_flag(caps, CAP_PERMITTED, n, list, CAP_SET) < 0 ||
		  cap_set_flag(caps, CAP_INHERITABLE, n, list, CAP_SET) < 0))
		return err_errno(e, errno, "cannot prepare capabilities");
	if (cap_set_proc(caps) < 0)
		return err_errno(e, errno, "cannot set capabilities");
	return 0;
}

static int lock_securebits(struct err *e)
{
	/* Root's id alone gives no capability, and that cannot be undone. */
	if (prctl(PR_SET_SECUREBITS,
		  SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED,
		  0, 0, 0) < 0)
		return err_errno(e, errno, "cannot lock securebits");
	return 0;
}

int caps_no_new_privs(struct jail *jail, struct err *e)
{
	(void)jail;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, errno, "cannot set no_new_privs");
	return 0;
}

int caps_confine(struct jail *jail, struct err *e)
{
	int r = drop_bounding(confined, ARRAY_SIZE(confined), e);

	(void)jail;
	return r == 0 ? set_caps(confined, ARRAY_SIZE(confined), e) : r;
}

int caps_keep_for_9p(struct jail *jail, struct err *e)
{
	int r = drop_bounding(kept, ARRAY_SIZE(kept), e);

	(void)jail;
	if (r == 0)
		r = lock_securebits(e);
	if (r == 0)
		r = set_caps(kept, ARRAY_SIZE(kept), e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kept); i++)
		if (cap_set_ambient(kept[i], CAP_SET) < 0)
			r = err_errno(e, errno, "cannot make capability %d ambient", kept[i]);
	return r;
}

int caps_keep_for_tool(struct jail *jail, struct err *e)
{
	int r = drop_bounding(tool, ARRAY_SIZE(tool), e);

	(void)jail;
	if (r == 0)
		r = lock_securebits(e);
	return r == 0 ? set_caps(tool, ARRAY_SIZE(tool), e) : r;
}

int caps_drop_all(struct jail *jail, struct err *e)
{
	int r = drop_bounding(NULL, 0, e);

	(void)jail;
	if (r == 0)
		r = lock_securebits(e);
	return r == 0 ? set_caps(NULL, 0, e) : r;
}
