/* SPDX-License-Identifier: MIT */
/*
 * hosts(5) and resolv.conf(5) as formats: what is not changed stays as it is, byte by
 * byte. Pure: text in, text out. Both are hostile.
 */
#ifndef VMRUN_ROOTFS_EDIT_RESOLVER_H
#define VMRUN_ROOTFS_EDIT_RESOLVER_H

#include <stddef.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/**
 * resolver_hosts_parse() - "ADDR:NAME[,NAME...]", where ADDR may hold colons itself, or
 * stand in brackets: the last colon counts, for no name has one.
 * @ret_addr: free() it. In the canonical form.
 * @ret_names: free() it. Joined by spaces.
 */
int resolver_hosts_parse(const char *value, char **ret_addr, char **ret_names, struct err *e);

/**
 * resolver_hosts_set() - hosts(5) where @names (joined by spaces) mean @addr: by a line of
 * its own, at the end. The first line with a name is the one that counts, so they are
 * taken out of all lines whose address is of the same family, and a line that has no name
 * left goes too. Names are the same in either case.
 */
void resolver_hosts_set(const char *text, size_t len, const char *addr, const char *names,
			struct strbuf *out);

/** resolver_check_address() - an IPv4 or IPv6 address, the latter with a zone, if it has one. */
int resolver_check_address(const char *addr, struct err *e);

/**
 * resolver_conf_set() - resolv.conf(5) with its name servers replaced by @servers (joined
 * by spaces), and all else as it was.
 */
void resolver_conf_set(const char *text, size_t len, const char *servers, struct strbuf *out);

#endif
