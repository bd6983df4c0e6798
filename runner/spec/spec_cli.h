/* SPDX-License-Identifier: MIT */
/*
 * The command line. One typed table (spec_option.c) holds every option: its
 * spellings, its type, where its value goes, its help, what it excludes. The
 * parser, --help and the conflict check all read that table.
 */
#ifndef VMRUN_SPEC_SPEC_CLI_H
#define VMRUN_SPEC_SPEC_CLI_H

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

#define SPEC_CLI_USAGE "vmrun [OPTION...] ROOT [-- COMMAND [ARG...]]"

/**
 * spec_cli_parse() - [options] ROOT [-- COMMAND [ARG...]] into @spec.
 * @spec: initialised by vm_spec_init(); free it whatever is returned.
 * @usage: SPEC_CLI_USAGE or another, for who gives no ROOT.
 *
 * Options end at ROOT; the "--" after it may be left out. A value follows as
 * "--name=VALUE", "--name VALUE", "-nVALUE" or "-n VALUE" (one that may be left
 * out only as the first of these); flags may be bundled ("-tv"). Reads the environment for "-e K" and the file of --env-file, nothing
 * else. Unknown options name the nearest known one. Return: 0 or -errno.
 */
int spec_cli_parse(struct vm_spec *spec, const char *usage, int argc, char *const argv[],
		   struct err *e);

/** spec_cli_parse_rootless() - the same, but without a ROOT .root stays NULL. */
int spec_cli_parse_rootless(struct vm_spec *spec, const char *usage, int argc, char *const argv[],
			    struct err *e);

/**
 * spec_cli_help() - the text of --help, at most @columns wide (40 or more).
 */
void spec_cli_help(struct strbuf *out, unsigned int columns);

#endif
