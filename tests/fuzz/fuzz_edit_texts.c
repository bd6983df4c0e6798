/* SPDX-License-Identifier: MIT */
/*
 * Texts that customize edits, with anything in them: done twice, it is as done once, and
 * what was to be in there is.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/edit/authorized_keys.h"
#include "rootfs-tools/edit/hostname.h"
#include "rootfs-tools/edit/interfaces.h"
#include "rootfs-tools/edit/locale.h"
#include "rootfs-tools/edit/resolver.h"
#include "runner/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hosts(const char *text, size_t len, struct strbuf *out)
{
	resolver_hosts_set(text, len, "10.0.0.1", "a B.c", out);
}

static void hosts6(const char *text, size_t len, struct strbuf *out)
{
	resolver_hosts_set(text, len, "fd00::1", "a", out);
}

static void conf(const char *text, size_t len, struct strbuf *out)
{
	resolver_conf_set(text, len, "192.0.2.1 ::1", out);
}

static void interfaces(const char *text, size_t len, struct strbuf *out)
{
	interfaces_set(text, len, "auto /e[nt]*/1=vmrun\niface vmrun inet dhcp\n", out);
}

static void lang(const char *text, size_t len, struct strbuf *out)
{
	locale_conf_set(text, len, "C.UTF-8", out);
}

static void gen(const char *text, size_t len, struct strbuf *out)
{
	locale_gen_enable(text, len, "a.UTF-8", out);
}

static void keys(const char *text, size_t len, struct strbuf *out)
{
	authorized_keys_add(text, len, "ssh-rsa AAAAB x\nb", 17, out);
}

static void hostname(const char *text, size_t len, struct strbuf *out)
{
	hostname_in_hosts(text, len, "a", "b", out);
}

static const struct {
	void (*edit)(const char *text, size_t len, struct strbuf *out);
	const char *has;
} edits[] = {
	{ hosts, "10.0.0.1\ta B.c\n" },	    { hosts6, "fd00::1\ta\n" },
	{ conf, "nameserver 192.0.2.1\n" }, { interfaces, "\niface vmrun inet dhcp\n" },
	{ lang, "LANG=C.UTF-8\n" },	    { gen, "a.UTF-8" },
	{ keys, "ssh-rsa AAAAB x" },	    { hostname, "" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "";
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		_cleanup_strbuf_ struct strbuf once = { 0 }, twice = { 0 };

		edits[i].edit(text, size, &once);
		if (!memmem(strbuf_str(&once), once.len, edits[i].has, strlen(edits[i].has)))
			abort();
		edits[i].edit(strbuf_str(&once), once.len, &twice);
		if (once.len != twice.len ||
		    (once.len && memcmp(once.data, twice.data, once.len) != 0))
			abort();
	}
	if (authorized_keys_check(text, size, "x", &e) < 0 && !e.text[0])
		abort();
	return 0;
}
