/* SPDX-License-Identifier: MIT */
/* Names: the host's own, those of other hosts, and who is asked for more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/edit/edit.h"
#include "rootfs-tools/edit/hostname.h"
#include "rootfs-tools/edit/resolver.h"
#include "runner/base/cleanup.h"
#include "runner/spec/spec_value.h"

static const struct change_attrs new_file = { .mode = 0644 };

static int keep_name(struct edit *edit, const char *value, struct err *e)
{
	edit->name = strdup(value);
	return edit->name ? 0 : err_oom(e);
}

/* --- --hostname --- */

static int parse_hostname(struct edit *edit, const char *value, struct err *e)
{
	int r = spec_value_check_hostname(value, e);

	return r == 0 ? keep_name(edit, value, e) : r;
}

static int apply_hostname(struct edits *t, const struct edit *edit, struct err *e)
{
	return hostname_set(t, edit->name, e);
}

/* --- --hosts --- */

static int parse_hosts(struct edit *edit, const char *value, struct err *e)
{
	char *names;
	int r = resolver_hosts_parse(value, &edit->name, &names, e);

	if (r < 0)
		return r;
	strbuf_puts(&edit->text, names);
	free(names);
	return edit->text.failed ? err_oom(e) : 0;
}

static int apply_hosts(struct edits *t, const struct edit *edit, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = edits_read(t, "/etc/hosts", &text, &len, e);

	if (r < 0)
		return r;
	resolver_hosts_set(text, len, edit->name, strbuf_str(&edit->text), &out);
	if (out.failed)
		return err_oom(e);
	return edits_write(t, "/etc/hosts", &new_file, out.data, out.len, e);
}

/* --- --dns --- */

static int parse_dns(struct edit *edit, const char *value, struct err *e)
{
	int r = resolver_check_address(value, e);

	strbuf_puts(&edit->text, value);
	if (r == 0 && edit->text.failed)
		return err_oom(e);
	return r;
}

static void merge_dns(struct edit *edit, struct edit *later)
{
	strbuf_printf(&edit->text, " %s", strbuf_str(&later->text));
}

static int apply_dns(struct edits *t, const struct edit *edit, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = edits_read(t, "/etc/resolv.conf", &text, &len, e);

	/* To a daemon's own file most often. A file in its place is what tells the daemon. */
	if (r < 0 && r != -ELOOP)
		return r;
	resolver_conf_set(text ? text : "", len, strbuf_str(&edit->text), &out);
	if (out.failed)
		return err_oom(e);
	return edits_write(t, "/etc/resolv.conf", &new_file, out.data, out.len, e);
}

const struct edit_kind edit_names[] = {
	{ .name = "hostname", .parse = parse_hostname, .apply = apply_hostname },
	{ .name = "hosts", .parse = parse_hosts, .apply = apply_hosts },
	{ .name = "dns",
	  .parse = parse_dns,
	  .apply = apply_dns,
	  .merge = merge_dns,
	  .merge_apart = true },
	{ 0 },
};
