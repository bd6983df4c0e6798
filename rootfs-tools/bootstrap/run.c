/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/bootstrap/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs-tools/bootstrap/watch.h"
#include "rootfs-tools/core/enter.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define TAIL_LINES 20

/* Of the caller's environment: how to reach the network, and a date to make things of. */
static const char *const passed_on[] = {
	"http_proxy", "https_proxy", "ftp_proxy",     "all_proxy",
	"no_proxy",   "HTTP_PROXY",  "HTTPS_PROXY",   "FTP_PROXY",
	"ALL_PROXY",  "NO_PROXY",    "SSL_CERT_FILE", "SOURCE_DATE_EPOCH",
};

static void make_env(const struct making *m, struct strvec *env)
{
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value)
			strvec_addf(env, "%s=%s", passed_on[i], value);
	}
	strvec_add(env, "LC_ALL=C.UTF-8");
	strvec_add(env, "DEBIAN_FRONTEND=noninteractive");
	/* debootstrap: no device nodes can be made, mount the host's few. */
	strvec_add(env, "container=lxc");
	strvec_addf(env, "VMRUN_KERNEL=%s", m->driver->kernel);
}

/* A file without a name, which can be opened again as /dev/stdin. */
static int make_input(const struct strbuf *input, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : fs_write_all(fd, strbuf_str(input), input->len);

	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, r < 0 ? -r : errno, "cannot write what a program reads");
	return steal_fd(&fd);
}

static int explain(const struct making *m, const char *program, int status,
		   const struct cause *causes, const struct watch *watch, struct err *e)
{
	char line[256];

	for (; causes && causes->said; causes++)
		if (watch_find(watch, causes->said, line, sizeof(line)))
			return err_msg(e, EIO, "%s: %s (%s)", program, causes->means, line);
	watch_tail(watch, TAIL_LINES, &m->report->log);
	return err_msg(e, EIO, "%s failed with status %d; what it said is above", program, status);
}

/* What both kinds have in common once they run. */
static int watch_until_end(const struct making *m, struct watch *watch, int out, int pidfd,
			   int *ret_status, int *ret_signal, struct err *e)
{
	struct err while_waiting;
	int r = watch_output(watch, out, m->signal_fd, ret_signal, e);

	if (r < 0)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	if (r < 0) {
		int status;

		tool_wait(pidfd, -1, &status, NULL, &while_waiting);
		return r;
	}
	return tool_wait(pidfd, m->signal_fd, ret_status, ret_signal, e);
}

static int run_tool(const struct making *m, struct tool *tool, int out, const struct cause *causes,
		    int *ret_signal, struct err *e)
{
	struct watch watch = { .status = m->status };
	_cleanup_close_ int said = -1, pidfd = -1;
	int pair[2], status = 0, r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	said = pair[0];
	tool->fds[1] = out >= 0 ? out : pair[1];
	tool->fds[2] = pair[1];
	r = tool_start(tool, &pidfd, e);
	close(pair[1]);
	if (r == 0)
		r = watch_until_end(m, &watch, said, pidfd, &status, ret_signal, e);
	if (r == 0 && status != 0)
		r = explain(m, m->tool ? m->tool->program : tool->argv[0], status, causes, &watch,
			    e);
	strbuf_free(&watch.said);
	return r;
}

int run_fetch(const struct making *m, const struct command *command, int out,
	      const struct cause *causes, int *ret_signal, struct err *e)
{
	_cleanup_strvec_ struct strvec env = { 0 };
	_cleanup_close_ int input = -1;
	struct tool tool = {
		.idmap = &m->idmap,
		.argv = (const char *const *)command->argv.v,
		.places = { { .name = "root", .fd = m->dst.fd, .programs = true },
			    { .name = driver_keyring(m) + strlen(TOOL_DIR "/"),
			      .fd = m->keyring,
			      .read_only = true } },
		.n_places = m->keyring >= 0 ? 2 : 1,
		.network = true,
		.fds = { -1, -1, -1 },
	};

	make_env(m, &env);
	if (env.failed || command->argv.failed || command->input.failed)
		return err_oom(e);
	if (command->input.len) {
		input = make_input(&command->input, e);
		if (input < 0)
			return -e->errnum;
		tool.fds[0] = input;
	}
	tool.env = (const char *const *)env.v;
	return run_tool(m, &tool, out, causes, ret_signal, e);
}

int run_command(const struct making *m, const struct command *command, const struct cause *causes,
		int *ret_signal, struct err *e)
{
	return run_fetch(m, command, -1, causes, ret_signal, e);
}

int run_guest(const struct making *m, const struct guest *guest, int *ret_signal, struct err *e)
{
	struct watch watch = { .status = m->status };
	_cleanup_close_ int said = -1, pidfd = -1;
	struct guest g = *guest;
	int pair[2], status = 0, r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	said = pair[0];
	g.fds[0] = -1;
	g.fds[1] = g.fds[2] = pair[1];
	r = guest_start(&g, &pidfd, e);
	close(pair[1]);
	if (r == 0)
		r = watch_until_end(m, &watch, said, pidfd, &status, ret_signal, e);
	if (r == 0 && status != 0)
		r = explain(m, "the guest", status, NULL, &watch, e);
	strbuf_free(&watch.said);
	return r;
}

int run_operation(const struct making *m, int (*op)(const int *dirs, void *arg, struct err *e),
		  void *arg, const int *fds, unsigned int n_fds, int *ret_signal, struct err *e)
{
	const struct enter in = {
		.idmap = &m->idmap,
		.dirs = { { .fd = m->dst.fd } },
		.n_dirs = 1,
		.fds = fds,
		.n_fds = n_fds,
		.signal_fd = m->signal_fd,
	};

	return enter_run(&in, op, arg, ret_signal, e);
}
