/* SPDX-License-Identifier: MIT */
#include "runner/vm/vm_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/host/base_dir.h"
#include "runner/host/ports.h"

static int block_signals(int *ret_fd, struct err *e)
{
	static const int ours[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
				    SIGUSR1, SIGUSR2, SIGWINCH };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		struct sigaction was;

		/* nohup, or a script's background job: to be ignored from here on, too. */
		if (sigaction(ours[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaddset(&set, ours[i]);
	}
	/* Inherited ignored, it would take our children's exit status from us. */
	signal(SIGCHLD, SIG_DFL);
	/* A reader that goes away is seen by EPIPE. */
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_errno(e, errno, "cannot watch for signals");
	*ret_fd = fd;
	return 0;
}

static int first_accel(const struct vm_spec *spec, const struct host_facts *facts,
		       enum accel *ret, struct err *e)
{
	if (spec->accel == ACCEL_KVM && facts->kvm == KVM_ABSENT)
		return err_msg(e, ENOENT,
			       "--accel=kvm: this host has no /dev/kvm; load kvm_intel or kvm_amd, "
			       "or use --accel=tcg");
	if (spec->accel == ACCEL_KVM && facts->kvm == KVM_DENIED && facts->uid == 0)
		return err_msg(e, EACCES,
			       "--accel=kvm: root's guests run as subordinate ids, which may not open "
			       "/dev/kvm; put root into its group, or use --accel=tcg");
	if (spec->accel == ACCEL_KVM && facts->kvm == KVM_DENIED)
		return err_msg(e, EACCES,
			       "--accel=kvm: you may not open /dev/kvm; sudo usermod -aG kvm $USER and "
			       "log in again, or use --accel=tcg");
	*ret = spec->accel == ACCEL_KVM ||
			       (spec->accel == ACCEL_AUTO && facts->kvm == KVM_USABLE) ?
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

/* One attempt with one accelerator. */
static int attempt(const struct launch_input *in, void (*warn)(const char *text),
		   struct strbuf *dry_run, struct vm_result *ret, struct err *e)
{
	struct supervise_input si = {
		.signal_fd = in->signal_fd,
		.tty = use_tty(in->spec),
		.warn = warn,
	};
	struct vm_launch launch;
	int r = vm_launch(in, &launch, e);

	if (r == 0 && dry_run)
		vm_plan_print(&launch.plan, dry_run);
	else if (r == 0)
		supervise(&launch, &si, ret);
	if (launch.signal) {
		*ret = (struct vm_result){ .outcome = VM_INTERRUPTED,
					   .code = 128 + launch.signal };
		r = 0;
	}
	vm_launch_free(&launch);
	return r;
}

/*
 * KVM may be there and not run a guest. Then the same run goes on under
 * emulation; only if that one lives is KVM to blame, and remembered.
 */
static int run_attempts(struct launch_input *in, void (*warn)(const char *text),
			struct strbuf *dry_run, struct vm_result *ret, struct err *e)
{
	char text[ERR_TEXT_MAX + 100];
	int r = attempt(in, warn, dry_run, ret, e);

	if (r < 0 || dry_run || in->accel != ACCEL_KVM || in->spec->accel != ACCEL_AUTO ||
	    ret->outcome != VM_NO_LIFE)
		return r;
	snprintf(text, sizeof(text), "KVM does not run guests here (%s); using emulation instead",
		 ret->message);
	warn(text);
	vm_result_free(ret);
	in->accel = ACCEL_TCG;
	r = attempt(in, warn, dry_run, ret, e);
	if (r == 0 && ret->outcome != VM_NO_LIFE)
		kvm_remember_broken(in->facts->cache_dir, in->facts->qemu);
	return r;
}

static void cleanup_base_dir(struct base_dir *base)
{
	base_dir_close(base);
}

int vm_run(const struct vm_spec *spec, void (*warn)(const char *text), struct strbuf *dry_run,
	   struct vm_result *ret, struct err *e)
{
	_cleanup_(cleanup_base_dir) struct base_dir base = { .fd = -1 };
	_cleanup_close_ int signal_fd = -1;
	struct idmap_choice idmap;
	struct host_facts facts;
	struct launch_input in = { .spec = spec, .facts = &facts, .base = &base,
				   .idmap = &idmap, .dry_run = dry_run };
	struct idmap_input idmap_in = { .kind = spec->idmap, .explicit_map = &spec->idmap_explicit,
					.owners = &base.owners };
	int r;

	if (spec->tty == TTY_ON && !isatty(STDIN_FILENO))
		return err_msg(e, ENOTTY, "-t needs a terminal on standard input; leave it out");
	*ret = (struct vm_result){ 0 };
	r = base_dir_open(spec->root, &base, e);
	if (r < 0)
		return r;
	r = host_facts_collect(&facts, e);
	if (r < 0)
		return r;
	idmap_in.uid = facts.uid;
	idmap_in.gid = facts.gid;
	idmap_in.subuids = &facts.subuids;
	idmap_in.subgids = &facts.subgids;
	r = idmap_choose(&idmap_in, &idmap, e);
	if (r < 0)
		return r;
	r = first_accel(spec, &facts, &in.accel, e);
	if (r < 0)
		return r;
	r = dry_run ? 0 : ports_check(spec->ports, spec->n_ports, e);
	if (r < 0)
		return r;
	r = block_signals(&signal_fd, e);
	if (r < 0)
		return r;
	in.signal_fd = signal_fd;
	if (*idmap.warning)
		warn(idmap.warning);
	return run_attempts(&in, warn, dry_run, ret, e);
}
