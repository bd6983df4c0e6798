/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/bootstrap/bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/bootstrap/driver.h"
#include "rootfs-tools/bootstrap/finish.h"
#include "rootfs-tools/bootstrap/run.h"
#include "rootfs-tools/edit/identity.h"
#include "runner/base/cleanup.h"

#define KEYRING_MAX ((off_t)16 << 20)

/* Everything of a distribution belongs to somebody: one id will not do. */
static int choose_map(struct making *m, struct err *e)
{
	int r = root_idmap_for_new(&m->options->idmap, &m->idmap, e);

	if (r == 0 && m->idmap.kind == IDMAP_SINGLE)
		return err_msg(e, EINVAL,
			       "a distribution's files have more than one owner, and there is one "
			       "id only; sudo usermod --add-subuids 100000-165535 --add-subgids "
			       "100000-165535 USER gives you more");
	return r;
}

/* The tools read it under other ids. */
static int open_keyring(struct making *m, struct err *e)
{
	static const char armor[] = "-----BEGIN PGP";
	const char *path = m->options->keyring;
	_cleanup_close_ int fd = -1;
	char head[sizeof(armor)];
	struct stat st;
	ssize_t n;

	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, errno, "--keyring: cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size > KEYRING_MAX)
		return err_msg(e, EINVAL, "--keyring: '%s' is no file of keys", path);
	if (!(st.st_mode & S_IROTH))
		return err_msg(e, EACCES,
			       "--keyring: '%s' cannot be read by all, as it has to be; chmod a+r "
			       "it",
			       path);
	n = pread(fd, head, sizeof(armor) - 1, 0);
	m->keyring_armored = n == (ssize_t)sizeof(armor) - 1 && !memcmp(head, armor, (size_t)n);
	m->keyring = open(path, O_PATH | O_CLOEXEC);
	return m->keyring < 0 ? err_errno(e, errno, "--keyring: cannot open '%s'", path) : 0;
}

static void command_free(struct command *c)
{
	strvec_free(&c->argv);
	strbuf_free(&c->input);
}

static int run_plan(const struct making *m,
		    int (*plan)(const struct making *m, struct command *ret, struct err *e),
		    int *ret_signal, struct err *e)
{
	_cleanup_(command_free) struct command command = { 0 };
	int r = plan(m, &command, e);

	if (r < 0 || (!command.argv.n && !command.argv.failed))
		return r;
	return run_command(m, &command, m->tool->causes, ret_signal, e);
}

static int make(struct making *m, int *ret_signal, struct err *e)
{
	struct finish finish = { .kernel = m->kernel };
	int r = run_operation(m, finish_begin, NULL, NULL, 0, ret_signal, e);

	if (r == 0)
		r = m->tool ? run_plan(m, m->tool->plan, ret_signal, e) :
			      m->driver->make(m, ret_signal, e);
	if (r == 0 && m->tool && m->tool->then)
		r = run_plan(m, m->tool->then, ret_signal, e);
	identity_hostname(m->dst.name, finish.hostname);
	if (r == 0)
		r = run_operation(m, finish_end, &finish, NULL, 0, ret_signal, e);
	return r == 0 ? partial_finish(&m->dst, e) : r;
}

static int prepare(struct making *m, const char *distro, const char *dst, struct err *e)
{
	int r;

	m->driver = driver_find(distro, e);
	if (!m->driver)
		return -e->errnum;
	r = driver_choose(m, e);
	if (r == 0)
		r = choose_map(m, e);
	if (r == 0)
		r = open_keyring(m, e);
	if (r == 0)
		r = partial_open(dst, &m->dst, e);
	return r == 0 ? partial_begin(&m->dst, &m->idmap, e) : r;
}

int bootstrap_run(const char *distro, const char *dst, const struct bootstrap_options *options,
		  void (*status)(const char *line), int signal_fd, struct bootstrap_report *ret,
		  int *ret_signal, struct err *e)
{
	struct making m = {
		.options = options,
		.dst = PARTIAL_INIT,
		.keyring = -1,
		.status = status,
		.signal_fd = signal_fd,
		.report = ret,
	};
	struct err while_removing;
	int r = prepare(&m, distro, dst, e);

	if (r == 0)
		r = make(&m, ret_signal, e);
	if (r < 0 && partial_remove(&m.dst, &while_removing) < 0)
		snprintf(ret->warning, sizeof(ret->warning), "%.250s", while_removing.text);
	partial_close(&m.dst);
	cleanup_close(&m.keyring);
	return r;
}
