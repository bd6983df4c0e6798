/* SPDX-License-Identifier: MIT */
/*
 * The address of the Ethernet interface, in the words of what brings interfaces up in
 * the root. What a plain `vmrun ROOT` sets up in its guest is not asked for here: this
 * is for a root that is booted as a whole system, under vmrun or as an exported disk.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "rootfs-tools/edit/edit.h"
#include "rootfs-tools/edit/interfaces.h"
#include "runner/base/cleanup.h"
#include "runner/base/parse.h"
#include "runner/spec/spec_value.h"

/* In struct edit: .name is "ADDR/PREFIX", or "" for DHCP; .text the gateway, or "". */
static bool is_dhcp(const struct edit *edit)
{
	return !*edit->name;
}

static bool is_v6(const struct edit *edit)
{
	return strchr(edit->name, ':') != NULL;
}

/* --- the writers --- */

static int write_network_manager(struct edits *t, const struct edit *edit, struct err *e)
{
	/* It ignores what others may read. */
	static const struct change_attrs attrs = { .mode = 0600 };
	static const char dir[] = "/etc/NetworkManager/system-connections";
	_cleanup_strbuf_ struct strbuf out = { 0 };
	bool v6 = is_v6(edit);
	int r;

	strbuf_puts(&out, "[connection]\nid=vmrun\ntype=ethernet\nautoconnect-priority=100\n");
	if (is_dhcp(edit)) {
		strbuf_puts(&out, "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n");
	} else {
		strbuf_printf(&out, "\n[%s]\nmethod=manual\naddress1=%s%s%s\n",
			      v6 ? "ipv6" : "ipv4", edit->name, edit->text.len ? "," : "",
			      strbuf_str(&edit->text));
		strbuf_printf(&out, "\n[%s]\nmethod=%s\n", v6 ? "ipv4" : "ipv6",
			      v6 ? "disabled" : "auto");
	}
	if (out.failed)
		return err_oom(e);
	r = edits_mkdir(t, dir, e);
	if (r < 0)
		return r;
	return edits_write(t, "/etc/NetworkManager/system-connections/vmrun.nmconnection", &attrs,
			   out.data, out.len, e);
}

static int enable_networkd(struct edits *t, struct err *e)
{
	static const char dir[] = "/etc/systemd/system/multi-user.target.wants";
	static const char link[] = "/etc/systemd/system/multi-user.target.wants/"
				   "systemd-networkd.service";
	int r;

	if (edits_has(t, link))
		return 0;
	r = edits_mkdir(t, dir, e);
	if (r < 0)
		return r;
	return edits_symlink(t, link, "/lib/systemd/system/systemd-networkd.service", e);
}

static int write_networkd(struct edits *t, const struct edit *edit, struct err *e)
{
	static const struct change_attrs attrs = { .mode = 0644 };
	static const char dir[] = "/etc/systemd/network";
	_cleanup_strbuf_ struct strbuf out = { 0 };
	int r;

	/* Of Ethernet the bridges and pairs of a container engine are, too: so by names. */
	strbuf_puts(&out, "[Match]\nName=en* eth*\n\n[Network]\n");
	if (is_dhcp(edit))
		strbuf_puts(&out, "DHCP=yes\n");
	else
		strbuf_printf(&out, "Address=%s\n", edit->name);
	if (edit->text.len)
		strbuf_printf(&out, "Gateway=%s\n", strbuf_str(&edit->text));
	if (out.failed)
		return err_oom(e);
	r = edits_mkdir(t, dir, e);
	if (r == 0)
		/* The first file that matches counts, and netplan's are called 10-netplan-*. */
		r = edits_write(t, "/etc/systemd/network/05-vmrun.network", &attrs, out.data,
				out.len, e);
	return r == 0 ? enable_networkd(t, e) : r;
}

static int write_interfaces(struct edits *t, const struct edit *edit, const char *autos,
			    const char *name, struct err *e)
{
	static const struct change_attrs attrs = { .mode = 0644 };
	_cleanup_strbuf_ struct strbuf stanza = { 0 }, out = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = edits_mkdir(t, "/etc/network", e);

	if (r < 0)
		return r;
	r = edits_read(t, "/etc/network/interfaces", &text, &len, e);
	if (r < 0)
		return r;
	if (r == 0)
		strbuf_puts(&stanza, "auto lo\niface lo inet loopback\n");
	strbuf_printf(&stanza, "auto %s\niface %s %s %s\n", autos, name,
		      is_v6(edit) ? "inet6" : "inet", is_dhcp(edit) ? "dhcp" : "static");
	if (!is_dhcp(edit))
		strbuf_printf(&stanza, "\taddress %s\n", edit->name);
	if (edit->text.len)
		strbuf_printf(&stanza, "\tgateway %s\n", strbuf_str(&edit->text));
	interfaces_set(text, len, strbuf_str(&stanza), &out);
	if (stanza.failed || out.failed)
		return err_oom(e);
	return edits_write(t, "/etc/network/interfaces", &attrs, out.data, out.len, e);
}

/* A pattern stands for the first interface of such a name. */
static int write_ifupdown(struct edits *t, const struct edit *edit, struct err *e)
{
	return write_interfaces(t, edit, "/e[nt]*/1=" INTERFACES_LOGICAL, INTERFACES_LOGICAL, e);
}

/* busybox and ifupdown-ng know no patterns, and Alpine keeps the kernel's names. */
static int write_ifup(struct edits *t, const struct edit *edit, struct err *e)
{
	return write_interfaces(t, edit, "eth0", "eth0", e);
}

/* The first that the root has: systemd brings its networkd along, used or not. */
static const struct {
	const char *has;
	int (*write)(struct edits *t, const struct edit *edit, struct err *e);
} writers[] = {
	{ "/usr/sbin/NetworkManager", write_network_manager },
	{ "/usr/bin/NetworkManager", write_network_manager },
	{ "/lib/ifupdown", write_ifupdown },
	{ "/sbin/ifup", write_ifup },
	{ "/lib/systemd/systemd-networkd", write_networkd },
};

static int apply_network(struct edits *t, const struct edit *edit, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
		if (edits_has(t, writers[i].has))
			return writers[i].write(t, edit, e);
	return err_msg(e, ENOENT,
		       "the root directory has no NetworkManager, no ifupdown and no "
		       "systemd-networkd; "
		       "--package one of them before");
}

/* --- values --- */

static int bad_address(const char *value, struct err *e)
{
	return spec_value_bad(value,
			      "is no address; give ADDR/PREFIX[,GATEWAY], as in "
			      "192.0.2.10/24,192.0.2.1",
			      e);
}

static int family_of(const char *addr)
{
	struct in6_addr any;

	if (inet_pton(AF_INET, addr, &any) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, addr, &any) == 1 ? AF_INET6 : AF_UNSPEC;
}

static int parse_static(struct edit *edit, const char *value, struct err *e)
{
	const char *comma = strchrnul(value, ','), *slash = strchr(value, '/');
	_cleanup_free_ char *addr = NULL, *prefix = NULL;
	uint64_t bits;
	int family;

	if (!slash || slash > comma)
		return bad_address(value, e);
	addr = strndup(value, (size_t)(slash - value));
	prefix = strndup(slash + 1, (size_t)(comma - slash - 1));
	edit->name = strndup(value, (size_t)(comma - value));
	if (!addr || !prefix || !edit->name)
		return err_oom(e);
	family = family_of(addr);
	if (family == AF_UNSPEC || parse_uint(prefix, 1, family == AF_INET ? 32 : 128, &bits) < 0)
		return bad_address(value, e);
	if (!*comma)
		return 0;
	if (family_of(comma + 1) != family)
		return bad_address(value, e);
	strbuf_puts(&edit->text, comma + 1);
	return edit->text.failed ? err_oom(e) : 0;
}

static int parse_dhcp(struct edit *edit, const char *value, struct err *e)
{
	(void)value;
	edit->name = strdup("");
	return edit->name ? 0 : err_oom(e);
}

const struct edit_kind edit_network[] = {
	{ .name = "static-ip", .parse = parse_static, .apply = apply_network },
	{ .name = "dhcp", .parse = parse_dhcp, .apply = apply_network },
	{ 0 },
};
