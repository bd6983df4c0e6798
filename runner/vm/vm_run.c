/* SPDX-License-Identifier: MIT */
#include "runner/vm/vm_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/host/base_dir.h"
#include "runner/host/ports.h"
#include "runner/host/setuid_exposure.h"
#include "runner/host/signals.h"
#include "runner/vm/explain.h"
#include "runner/vm/template_store.h"

static int block_signals(int *ret_fd, struct err *e)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

	return signals_block(ours, ARRAY_SIZE(ours), ret_fd, e);
}

static int first_accel(const struct vm_spec *spec, const struct host_facts *facts, enum accel *ret,
		       struct err *e)
{
	if (spec->accel == ACCEL_KVM && facts->kvm == KVM_ABSENT)
		return err_msg(e, ENOENT,
			       "--accel=kvm: this host has no /dev/kvm; load kvm_intel or kvm_amd, "
			       "or use --accel=tcg");
	if (spec->accel == ACCEL_KVM && facts->kvm == KVM_DENIED && facts->uid == 0)
		return err_msg(e, EACCES,
			       "--accel=kvm: root's guests run as subordinate ids, which may not "
			       "open "
			       "/dev/kvm; put root into its group, or use --accel=tcg");
	if (spec->accel == ACCEL_KVM && facts->kvm == KVM_DENIED)
		return err_msg(e, EACCES,
			       "--accel=kvm: you may not open /dev/kvm; sudo usermod -aG kvm $USER "
			       "and "
			       "log in again, or use --accel=tcg");
	*ret = spec->accel == ACCEL_KVM || (spec->accel == ACCEL_AUTO && facts->kvm == KVM_USABLE) ?
		       ACCEL_KVM :
		       ACCEL_TCG;
	return 0;
}

static bool use_tty(const struct vm_spec *spec)
{
	if (spec->tty != TTY_AUTO)
		return spec->tty == TTY_ON;
	/* A pty has one output: a command's stderr that goes elsewhere is kept apart. */
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       (isatty(STDERR_FILENO) || spec->command.n == 0);
}

static bool templates_wanted(const struct vm_spec *spec)
{
	/* Who asks for the console wants to see the boot. */
	return !spec->no_template && !spec->verbose && spec->template_budget > 0 &&
	       /* Disks are devices, and the machine that all templates are of has none. */
	       spec->n_disks == 0;
}

/* A template that leads to no guest must not do so again. */
static void discard_template(struct vm_launch *launch)
{
	vm_launch_kill(launch);
	cleanup_close(&launch->template_fd);
	/* Another guest that runs from it keeps it there: that one may be good. */
	(void)!template_store_remove(launch->templates, launch->key);
}

/* One attempt with one accelerator, from a template or not. */
static int attempt(const struct launch_input *in, const struct start_say *say,
		   struct strbuf *dry_run, bool *ret_restored, struct vm_result *ret, struct err *e)
{
	struct supervise_input si = {
		.signal_fd = in->signal_fd,
		.timeout_ms = in->deadline_ms,
		.warn = say->warn,
	};
	struct vm_launch launch;
	int r = vm_start(in, say, &launch, e);

	if (r == 0 && dry_run) {
		if (launch.image.there)
			strbuf_puts(dry_run, "defaults    /" IMAGE_CONFIG_PATH " of the base\n");
		vm_plan_print(&launch.plan, dry_run);
		explain_plan(&launch.plan, dry_run);
	} else if (r == 0) {
		si.tty = use_tty(launch.spec);
		supervise(&launch, &si, ret);
	}
	if (launch.signal) {
		*ret = (struct vm_result){ .outcome = VM_INTERRUPTED, .code = 128 + launch.signal };
		r = 0;
	} else if (r == -EHOSTDOWN || r == -ETIMEDOUT || r == -ETIME) {
		*ret = r == -ETIME ? (struct vm_result){ .outcome = VM_TIMEOUT, .code = 124 } :
				     (struct vm_result){ .outcome = VM_NO_LIFE, .code = 125 };
		snprintf(ret->message, sizeof(ret->message), "%s", e->text);
		ret->console_tail = launch.last_words;
		launch.last_words = (struct strbuf){ 0 };
		r = 0;
	}
	*ret_restored = launch.plan.in.start == START_RESTORE;
	if (r == 0 && *ret_restored && ret->outcome == VM_NO_LIFE)
		discard_template(&launch);
	ret->timing = launch.timing;
	ret->timing.restored = *ret_restored;
	vm_launch_free(&launch);
	timing_mark(&ret->timing, TIMING_END);
	return r;
}

/* From a template, or, if the guest does not wake up from it, without. */
static int attempt_anyhow(struct launch_input *in, const struct start_say *say,
			  struct strbuf *dry_run, struct vm_result *ret, struct err *e)
{
	char text[ERR_TEXT_MAX + 100];
	bool restored;
	int r;

	in->use_templates = templates_wanted(in->spec);
	r = attempt(in, say, dry_run, &restored, ret, e);
	if (r < 0 || dry_run || !restored || ret->outcome != VM_NO_LIFE)
		return r;
	snprintf(text, sizeof(text),
		 "the guest did not wake up from its template (%s) and boots instead",
		 ret->message);
	say->warn(text);
	vm_result_free(ret);
	in->use_templates = false;
	return attempt(in, say, dry_run, &restored, ret, e);
}

/*
 * KVM may be there and not run a guest. Then the same run goes on under
 * emulation; only if that one lives is KVM to blame, and remembered.
 */
static int run_attempts(struct launch_input *in, const struct start_say *say,
			struct strbuf *dry_run, struct vm_result *ret, struct err *e)
{
	char text[ERR_TEXT_MAX + 100];
	int r = attempt_anyhow(in, say, dry_run, ret, e);

	if (r < 0 || dry_run || in->accel != ACCEL_KVM || in->spec->accel != ACCEL_AUTO ||
	    ret->outcome != VM_NO_LIFE)
		return r;
	snprintf(text, sizeof(text), "KVM does not run guests here (%s); using emulation instead",
		 ret->message);
	say->warn(text);
	vm_result_free(ret);
	in->accel = ACCEL_TCG;
	r = attempt_anyhow(in, say, dry_run, ret, e);
	if (r == 0 && ret->outcome != VM_NO_LIFE)
		kvm_remember_broken(in->facts->cache_dir, in->facts->qemu);
	return r;
}

static void cleanup_base_dir(struct base_dir *base)
{
	base_dir_close(base);
}

/* What every way in needs to know of host and base. */
struct scene {
	struct base_dir base;
	struct host_facts facts;
	struct idmap_choice idmap;
	struct disk_image disks[DISKS_MAX];
	int signal_fd;
	struct launch_input in; /* refers to the others: the struct must not be copied */
};

static void cleanup_scene(struct scene *scene)
{
	cleanup_base_dir(&scene->base);
	if (scene->in.spec)
		disk_images_close(scene->disks, scene->in.spec->n_disks);
	cleanup_close(&scene->signal_fd);
}

static int set_scene(const struct vm_spec *spec, bool dry_run, struct scene *s, struct err *e)
{
	struct idmap_input idmap_in = { .kind = spec->idmap,
					.explicit_map = &spec->idmap_explicit,
					.owners = &s->base.owners };
	int r = base_dir_open(spec->root, &s->base, e);

	if (r == 0)
		r = base_dir_check_whole(s->base.fd, spec->root, e);
	if (r < 0)
		return r;
	s->in.spec = spec;
	s->in.disks = s->disks;
	r = disk_images_open(spec->disks, spec->n_disks, s->disks, e);
	if (r < 0)
		return r;
	r = host_facts_collect(&s->facts, e);
	if (r < 0)
		return r;
	idmap_in.uid = s->facts.uid;
	idmap_in.gid = s->facts.gid;
	idmap_in.subuids = &s->facts.subuids;
	idmap_in.subgids = &s->facts.subgids;
	r = idmap_choose(&idmap_in, &s->idmap, e);
	if (r < 0)
		return r;
	r = first_accel(spec, &s->facts, &s->in.accel, e);
	if (r < 0)
		return r;
	r = dry_run ? 0 : ports_check(spec->ports, spec->n_ports, e);
	if (r < 0)
		return r;
	r = block_signals(&s->signal_fd, e);
	if (r < 0)
		return r;
	s->in.facts = &s->facts;
	s->in.base = &s->base;
	s->in.idmap = &s->idmap;
	s->in.signal_fd = s->signal_fd;
	s->in.dry_run = dry_run;
	if (spec->timeout_ms)
		s->in.deadline_ms = timing_now() / 1000000 + spec->timeout_ms;
	timing_mark(&s->in.timing, TIMING_HOST);
	return 0;
}

static void warn_of(const struct scene *s, const struct start_say *say)
{
	const struct setuid_input in = { .spec = s->in.spec,
					 .base = &s->base,
					 .uids = &s->idmap.uids,
					 .uid = s->facts.uid,
					 .gid = s->facts.gid };
	char text[ERR_TEXT_MAX];

	if (*s->idmap.warning)
		say->warn(s->idmap.warning);
	if (setuid_exposure(&in, text))
		say->warn(text);
}

int vm_run(const struct vm_spec *spec, const struct start_say *say, struct strbuf *dry_run,
	   struct vm_result *ret, struct err *e)
{
	_cleanup_(cleanup_scene) struct scene scene = { .base.fd = -1, .signal_fd = -1 };
	int r;

	timing_mark(&scene.in.timing, TIMING_BEGIN);
	if (spec->tty == TTY_ON && !isatty(STDIN_FILENO))
		return err_msg(e, ENOTTY, "-t needs a terminal on standard input; leave it out");
	*ret = (struct vm_result){ 0 };
	r = set_scene(spec, dry_run, &scene, e);
	if (r < 0)
		return r;
	warn_of(&scene, say);
	return run_attempts(&scene.in, say, dry_run, ret, e);
}

int vm_template_create(const struct vm_spec *spec, const struct start_say *say, uint8_t ret_key[32],
		       bool *ret_made, int *ret_signal, struct err *e)
{
	_cleanup_(cleanup_scene) struct scene scene = { .base.fd = -1, .signal_fd = -1 };
	struct vm_launch launch;
	int r;

	if (spec->n_disks)
		return err_msg(e, EINVAL,
			       "--disk: a guest with disks boots, it has no template; leave it out");
	r = set_scene(spec, false, &scene, e);
	if (r < 0)
		return r;
	scene.in.use_templates = true;
	scene.in.unlocked = true;
	r = vm_start_template(&scene.in, say, &launch, ret_made, e);
	if (r == 0)
		memcpy(ret_key, launch.key, 32);
	if (launch.signal) {
		*ret_signal = launch.signal;
		r = -EINTR;
	}
	vm_launch_free(&launch);
	return r;
}
