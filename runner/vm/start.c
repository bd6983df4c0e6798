/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A guest boots, which takes seconds under emulation, or it wakes up from a template
 * of one that has booted before. Which template is the one for this run is known by
 * its key: a hash over everything that shapes a guest until it waits for its orders.
 *
 *  1. The jail says what it would boot: a stamp, made of the identities of kernel and
 *     modules without reading them. Together with the base's own identity, which we
 *     know ourselves, so that no base can speak for another, a stamp seen before leads
 *     to a key; if there is a template with that key, the guest wakes up from it, and
 *     nothing else is read.
 *  2. Otherwise kernel and initramfs are made ready in the jail. The kernel's digest is
 *     what the jail said before it parsed it; the initramfs is hashed by us, for the
 *     jail has parsed what the base holds by then and may say anything. That gives the
 *     key. Another base with the same kernel may have left its template.
 *  3. If there is none, one is made now, by one run at a time, and this run wakes up
 *     from it like all later ones: it does not boot twice.
 *  4. If that cannot be done (no cache, a full disk, a kernel that QEMU does not
 *     start by PVH), the guest boots.
 *
 * A stamp is only noted if the files were left alone for a while: one that is written
 * in the same tick of the file system's clock as it was hashed could change again
 * unseen.
 */
#include "runner/vm/start.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/vm/template_make.h"
#include "runner/vm/template_store.h"

#define RACY_NS UINT64_C(2000000000)
#define INITRD_MAX ((uint64_t)256 << 20)
/* A lock has no descriptor to wait on; who waits here waits for seconds. */
#define LOCK_RETRY_MS 50

struct start {
	const struct launch_input *in;
	const struct start_say *say;
	struct vm_launch *launch;
	uint8_t stamp[32]; /* of this machine and what it boots */
	bool stable;	   /* the stamp may be noted */
	struct template_info info;
};

/* What is hashed into a key: by stamp or by content, never the same bytes. */
static void key_by_stamp(const struct start *s, uint8_t ret[32])
{
	const struct launch_origin *origin = &s->launch->origin;
	uint8_t what[1 + 32 + sizeof(*origin)] = { 's' };

	memcpy(what + 1, s->launch->ident.stamp, 32);
	memcpy(what + 33, origin, sizeof(*origin));
	plan_template_key(&s->launch->plan, what, sizeof(what), ret);
}

static void key_by_content(const struct start *s, const uint8_t initrd[32], uint8_t ret[32])
{
	uint8_t what[1 + 64] = { 'c' };

	memcpy(what + 1, s->launch->report.kernel_digest, 32);
	memcpy(what + 33, initrd, 32);
	plan_template_key(&s->launch->plan, what, sizeof(what), ret);
}

/* The jail made it; that it cannot be changed any more is checked, not believed. */
static int hash_initrd(int fd, uint8_t ret[32], struct err *e)
{
	struct sha256_ctx sha;
	uint64_t size;
	void *data;

	if (!fs_is_sealed(fd, INITRD_MAX, &size) || size == 0)
		return err_msg(e, EPROTO, "the jail gave something that is no initramfs");
	data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_errno(e, errno, "cannot read the initramfs");
	sha256_init(&sha);
	sha256_update(&sha, (size_t)size, data);
	sha256_digest(&sha, 32, ret);
	munmap(data, (size_t)size);
	return 0;
}

/* Return: 0 if there is a good template with this key; then it stays until we end. */
static int look_up(struct start *s, const uint8_t key[32])
{
	uint64_t max_age_s = s->in->spec->template_max_age_ms / 1000;
	struct err e;
	int r;

	if (s->in->dry_run)
		return template_store_look(s->launch->templates, key, max_age_s, &s->info);
	r = template_store_find(s->launch->templates, key, max_age_s, &s->info,
				&s->launch->template_fd, &e);
	if (r == -EBADMSG)
		s->say->warn(e.text);
	if (r < 0)
		return r;
	memcpy(s->launch->key, key, sizeof(s->launch->key));
	return 0;
}

/* What the jail says of what it would boot, and what it is known by. */
static int identify(struct start *s, bool unpacker, struct err *e)
{
	struct timespec now;
	int r = vm_launch_begin(s->in, unpacker, s->launch, e);

	/* The machine that would be saved is the one that all keys are of. */
	if (r == 0)
		r = vm_launch_plan(s->in, s->launch, START_MAKE, false, e);
	if (r < 0)
		return r;
	key_by_stamp(s, s->stamp);
	clock_gettime(CLOCK_REALTIME, &now);
	s->stable =
		s->launch->ident.newest_ns + RACY_NS < (uint64_t)now.tv_sec * 1000000000u;
	return 0;
}

/* Kernel and initramfs, made ready: in another jail, if this one cannot do that. */
static int boot(struct start *s, int *ret_initrd, struct err *e)
{
	int r = 0;

	if (!s->launch->unpacker) {
		vm_launch_free(s->launch);
		r = identify(s, true, e);
	}
	return r == 0 ? vm_launch_boot(s->in, s->launch, ret_initrd, e) : r;
}

static int look_up_stamp(struct start *s)
{
	uint8_t key[32];
	int r = template_store_stamp_find(s->launch->templates, s->stamp, key);

	return r < 0 ? r : look_up(s, key);
}

static int wait_for_signal(struct start *s, int timeout_ms, struct err *e)
{
	struct pollfd p = { .fd = s->in->signal_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	if (poll(&p, 1, timeout_ms) > 0 &&
	    read(s->in->signal_fd, &info, sizeof(info)) == sizeof(info) &&
	    info.ssi_signo != SIGWINCH) {
		s->launch->signal = (int)info.ssi_signo;
		return err_msg(e, EINTR, "interrupted");
	}
	return 0;
}

static void note_making(const struct start *s)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "booting Linux %s once, to make a template that later runs start from",
		 s->launch->report.kernel_version);
	s->say->note(text);
}

/* One of several first runs makes it; the others wait, and find it. */
static int make(struct start *s, const uint8_t key[32], int initrd_fd, bool *ret_made,
		struct err *e)
{
	uint64_t deadline = timing_now() / 1000000 + s->launch->plan.start_deadline_ms;
	struct make_input input = {
		.in = s->in,
		.report = &s->launch->report,
		.initrd_fd = initrd_fd,
		.store_fd = s->launch->templates,
		.key = key,
	};
	_cleanup_close_ int lock = -1;
	int r;

	while ((r = template_store_lock(s->launch->templates, key, &lock)) == -EWOULDBLOCK) {
		if (timing_now() / 1000000 > deadline)
			return err_msg(e, EBUSY, "another vmrun does not come to an end with it");
		r = launch_time_left(s->in, NULL, e);
		if (r == 0)
			r = wait_for_signal(s, LOCK_RETRY_MS, e);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return err_errno(e, -r, "cannot lock the cache of templates");
	if (look_up(s, key) == 0)
		return 0;
	note_making(s);
	r = template_make(&input, &s->info, &s->launch->signal, &s->launch->last_words, e);
	if (r == 0 && look_up(s, key) < 0)
		return err_msg(e, ENOENT, "it was removed at once");
	/* One that came while it was written down was meant for all this, not for the command. */
	if (r == 0)
		r = wait_for_signal(s, 0, e);
	*ret_made = r == 0;
	return r;
}

/*
 * Whether a guest that boots would go the same way. One that died under emulation
 * may do so again: then it says why, by all that there is to say it with.
 */
static bool leads_nowhere(const struct start *s, int r)
{
	return r == -EINTR || r == -ETIMEDOUT || r == -ETIME ||
	       (r == -EHOSTDOWN && s->in->accel == ACCEL_KVM);
}

/* Return: 0: there is a template now; 1: this guest boots; -errno: it need not try. */
static int by_content(struct start *s, int initrd_fd, bool *ret_made, struct err *e)
{
	struct vm_launch *launch = s->launch;
	uint8_t digest[32], key[32];
	int r;

	if (!launch->report.pvh || launch->kernels < 0) {
		err_msg(e, ENOTSUP, "kernel %s does not start by PVH", launch->report.kernel_path);
		return 1;
	}
	r = hash_initrd(initrd_fd, digest, e);
	if (r < 0)
		return r;
	key_by_content(s, digest, key);
	r = look_up(s, key);
	if (r < 0 && s->in->dry_run)
		return 1;
	if (r < 0)
		r = make(s, key, initrd_fd, ret_made, e);
	if (r < 0)
		return leads_nowhere(s, r) ? r : 1;
	if (s->stable)
		template_store_stamp_note(launch->templates, s->stamp, key);
	return 0;
}

static bool ram_readonly(const struct template_info *info)
{
	const uint32_t *v = info->qemu_version;

	/* memory-backend-file's "rom" is there since 8.2. */
	return v[0] > 8 || (v[0] == 8 && v[1] >= 2);
}

/* Return: as by_content(). */
static int find_template(struct start *s, bool *ret_made, struct err *e)
{
	struct vm_launch *launch = s->launch;
	_cleanup_close_ int initrd = -1;
	/* A dry run shows what would be booted, which only reading it tells. */
	bool unpacker = !s->in->use_templates || s->in->dry_run;
	int r = identify(s, unpacker, e);

	*ret_made = false;
	if (r < 0)
		return r;
	if (launch->templates < 0) {
		if (s->in->use_templates)
			s->say->note("there is no cache that templates could be kept in "
				     "(XDG_CACHE_HOME, HOME); the guest boots");
		r = boot(s, &initrd, e);
		if (r == 0)
			err_msg(e, ENOENT, "there is no directory for a cache");
		return r < 0 ? r : 1;
	}
	if (!s->in->dry_run && look_up_stamp(s) == 0)
		return 0;
	r = boot(s, &initrd, e);
	return r < 0 ? r : by_content(s, initrd, ret_made, e);
}

static void warn_no_template(const struct start *s, const struct err *why)
{
	char text[ERR_TEXT_MAX + 100];

	snprintf(text, sizeof(text), "no template was made, the guest boots: %s", why->text);
	s->say->warn(text);
}

int vm_start(const struct launch_input *in, const struct start_say *say, struct vm_launch *ret,
	     struct err *e)
{
	struct start s = { .in = in, .say = say, .launch = ret };
	bool made;
	int r = find_template(&s, &made, e);

	if (r < 0)
		return r;
	if (r > 0 && ret->templates >= 0 && ret->report.pvh && !in->dry_run &&
	    e->errnum != EHOSTDOWN)
		warn_no_template(&s, e);
	r = r > 0 ? vm_launch_plan(in, ret, START_BOOT, false, e) :
		    vm_launch_plan(in, ret, START_RESTORE, ram_readonly(&s.info), e);
	return r == 0 && !in->dry_run ? vm_launch_go(in, ret, e) : r;
}

int vm_start_template(const struct launch_input *in, const struct start_say *say,
		      struct vm_launch *ret, bool *ret_made, struct err *e)
{
	struct start s = { .in = in, .say = say, .launch = ret };
	int r = find_template(&s, ret_made, e);

	return r > 0 ? -e->errnum : r;
}
