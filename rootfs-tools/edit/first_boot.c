/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/first_boot.h"

#include <fcntl.h>
#include <string.h>

#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/edit/identity.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define UNIT "vmrun-ssh-hostkeys.service"
#define UNITS "/etc/systemd/system"
#define DEFAULTS "/etc/default/ssh"
#define SCRIPT "/etc/init.d/ssh"
#define CONFIG_MAX 65536 /* bytes; a larger one is somebody else's work */
#define PATHS_MAX 8

static const char unit[] =
	"# By vmrun rootfs sysprep: the SSH host keys were removed, and nothing here makes new "
	"ones.\n"
	"[Unit]\n"
	"Description=Make SSH host keys where there are none\n"
	"ConditionPathExistsGlob=!" IDENTITY_HOST_KEYS "\n"
	"DefaultDependencies=no\n"
	"After=local-fs.target systemd-remount-fs.service cloud-init.service "
	"cloud-init-network.service\n"
	"Before=ssh.service ssh.socket sshd.service sshd.socket shutdown.target\n"
	"Conflicts=shutdown.target\n"
	"\n"
	"[Service]\n"
	"Type=oneshot\n"
	"ExecStart=/usr/bin/ssh-keygen -A\n"
	"\n"
	"[Install]\n"
	"WantedBy=multi-user.target\n";

/* Read by a shell that ends at an error. */
static const char line[] = "# By vmrun rootfs sysprep: the SSH host keys were removed, and nothing "
			   "here makes new ones.\n"
			   "ls " IDENTITY_HOST_KEYS
			   " >/dev/null 2>&1 || ssh-keygen -A >/dev/null || true\n";

/* Paths, as the guest sees them. */
struct signs {
	const char *any[PATHS_MAX];  /* one of them is there */
	const char *none[PATHS_MAX]; /* and none of these */
	int (*install)(struct sweep *s, struct err *e);
};

static int install_unit(struct sweep *s, struct err *e)
{
	int r = sweep_write(s, UNITS "/" UNIT, &(struct change_attrs){ .mode = 0644 }, unit,
			    sizeof(unit) - 1, e);

	return r == 0 ? sweep_link(s, UNITS "/multi-user.target.wants/" UNIT, UNITS "/" UNIT, e) :
			r;
}

static int install_line(struct sweep *s, struct err *e)
{
	_cleanup_free_ char *script = NULL, *was = NULL;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_close_ int dir = -1;
	struct change_attrs attrs;
	size_t len;

	if (tree_open_here(s->root, "etc/default", O_PATH | O_DIRECTORY, &dir) < 0 ||
	    fs_read_regular(s->root, SCRIPT, CONFIG_MAX, &script, &len) < 0 ||
	    !strstr(script, DEFAULTS) || strstr(script, "ssh-keygen") ||
	    fs_read_regular(dir, "ssh", CONFIG_MAX, &was, &len) < 0 || strstr(was, line))
		return 0;
	strbuf_add(&out, was, len);
	if (len && was[len - 1] != '\n')
		strbuf_putc(&out, '\n');
	strbuf_puts(&out, line);
	if (out.failed)
		return err_oom(e);
	attrs = change_attrs_of(dir, "ssh", (struct change_attrs){ .mode = 0644 });
	return sweep_write(s, DEFAULTS, &attrs, out.data, out.len, e);
}

static const struct signs systems[] = {
	{ { "/usr/lib/systemd/systemd", "/lib/systemd/systemd" },
	  { "/usr/lib/systemd/system/sshd-keygen@.service",
	    "/usr/lib/systemd/system/sshd-keygen.service",
	    "/usr/lib/systemd/system/sshdgenkeys.service", "/usr/sbin/sshd-gen-keys-start",
	    "/lib/systemd/system/sshd-keygen.service", "/etc/systemd/system/sshd-keygen.service" },
	  install_unit },
	{ { SCRIPT }, { "/usr/lib/systemd/systemd", "/lib/systemd/systemd" }, install_line },
};

static bool has_any(const struct sweep *s, const char *const paths[PATHS_MAX])
{
	for (size_t i = 0; i < PATHS_MAX && paths[i]; i++)
		if (identity_has(s->root, paths[i]))
			return true;
	return false;
}

int first_boot_install(struct sweep *s, struct err *e)
{
	static const char *const sshd[PATHS_MAX] = { "/usr/sbin/sshd", "/usr/bin/sshd" };
	int r = 0;

	if (!has_any(s, sshd) || !identity_has(s->root, "/usr/bin/ssh-keygen"))
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(systems); i++)
		if (has_any(s, systems[i].any) && !has_any(s, systems[i].none))
			r = systems[i].install(s, e);
	return r;
}
