/* SPDX-License-Identifier: MIT */
#include "runner/spec/spec_option.h"

#include "runner/base/cleanup.h"
#include "runner/spec/spec_value.h"

/* The parser writes enums by way of unsigned int. */
_Static_assert(sizeof(enum root_mode) == sizeof(unsigned int), "enum is no unsigned int");

static const struct option_choice cache_choices[] = {
	{ "auto", CACHE_AUTO },
	{ "none", CACHE_NONE },
	{ "mmap", CACHE_MMAP },
	{ "loose", CACHE_LOOSE },
	{ 0 },
};

static const struct option_choice accel_choices[] = {
	{ "auto", ACCEL_AUTO },
	{ "kvm", ACCEL_KVM },
	{ "tcg", ACCEL_TCG },
	{ 0 },
};

static const struct option_choice seccomp_choices[] = {
	{ "enforce", SECCOMP_ENFORCE },
	{ "log", SECCOMP_LOG },
	{ 0 },
};

static const struct option_choice timing_choices[] = {
	{ "text", TIMING_TEXT },
	{ "json", TIMING_JSON },
	{ 0 },
};

static const struct option_choice verbose_choices[] = {
	{ "clean", VERBOSE_CLEAN },
	{ "raw", VERBOSE_RAW },
	{ 0 },
};

#define FIELD(member) .offset = offsetof(struct vm_spec, member)

const struct spec_option spec_options[] = {
	{
		.section = SECTION_ROOT,
		.name = "read-only",
		.type = OPTION_ENUM,
		FIELD(root_mode),
		.value = ROOT_READ_ONLY,
		.group = GROUP_ROOT_MODE,
		.help = "the guest cannot change ROOT",
	},
	{
		.section = SECTION_ROOT,
		.name = "ephemeral",
		.type = OPTION_ENUM,
		FIELD(root_mode),
		.value = ROOT_EPHEMERAL,
		.group = GROUP_ROOT_MODE,
		.help = "what the guest changes stays in its memory and vanishes with it",
	},
	{
		.section = SECTION_ROOT,
		.name = "shared",
		.type = OPTION_FLAG,
		FIELD(shared),
		.help = "run although other guests use ROOT, even where one of them changes it",
	},
	{
		.section = SECTION_ROOT,
		.name = "cache",
		.type = OPTION_CHOICE,
		FIELD(cache),
		.choices = cache_choices,
		.help = "what the guest remembers of the host's files; auto is mmap (sees what the "
			"host changes) for what may change, loose (fastest) for a ROOT that "
			"does not",
	},
	{
		.section = SECTION_ROOT,
		.name = "idmap",
		.type = OPTION_PARSE,
		.parse = spec_value_idmap,
		.metavar = "MAP",
		.help = "which host ids the guest's ids are: auto (as the owners of ROOT say), "
			"caller, subid, single, or GUEST:HOST:COUNT[,...]",
	},
	{
		.section = SECTION_ROOT,
		.name = "volume",
		.letter = 'v',
		.type = OPTION_PARSE,
		.parse = spec_value_volume,
		.metavar = "SRC:DST[:ro|:rw]",
		.help = "show the host's directory or file SRC as DST in the guest; repeatable",
	},
	{
		.section = SECTION_ROOT,
		.name = "disk",
		.type = OPTION_PARSE,
		.parse = spec_value_disk,
		.metavar = "FILE[:OPTION,...]",
		.help = "give the guest this disk image as /dev/vda, vdb, ...: ro or rw (the "
			"default), raw or qcow2 (else as its header says); repeatable",
	},
	{
		.section = SECTION_ROOT,
		.name = "allow-setuid",
		.type = OPTION_FLAG,
		FIELD(allow_setuid),
		.help = "no warning where setuid files that the guest makes would run as the "
			"caller for everyone on the host",
	},
	{
		.section = SECTION_COMMAND,
		.name = "env",
		.letter = 'e',
		.type = OPTION_PARSE,
		.parse = spec_value_env,
		.metavar = "NAME[=VALUE]",
		.help = "set a variable for the command, or pass the caller's on; repeatable",
	},
	{
		.section = SECTION_COMMAND,
		.name = "env-file",
		.type = OPTION_PARSE,
		.parse = spec_value_env_file,
		.metavar = "FILE",
		.help = "read such variables from FILE, one a line; # begins a comment line",
	},
	{
		.section = SECTION_COMMAND,
		.name = "workdir",
		.letter = 'w',
		.type = OPTION_TEXT,
		FIELD(workdir),
		.check = spec_value_check_workdir,
		.metavar = "DIR",
		.help = "run the command in this directory of the guest",
	},
	{
		.section = SECTION_COMMAND,
		.name = "user",
		.letter = 'u',
		.type = OPTION_TEXT,
		FIELD(user),
		.check = spec_value_check_user,
		.metavar = "USER[:GROUP]",
		.help = "run the command as this user of the guest, by name or number; else root",
	},
	{
		.section = SECTION_COMMAND,
		.name = "entrypoint",
		.type = OPTION_TEXT,
		FIELD(entrypoint),
		.check = spec_value_check_entrypoint,
		.metavar = "PROGRAM",
		.help = "run this with the command's words rather than what the image that ROOT "
			"was imported from has; \"\": the command alone",
	},
	{
		.section = SECTION_COMMAND,
		.name = "no-image-config",
		.type = OPTION_FLAG,
		FIELD(no_image_config),
		.help = "command, environment, user and directory that an imported image brings "
			"do not count",
	},
	{
		.section = SECTION_COMMAND,
		.name = "tty",
		.letter = 't',
		.type = OPTION_ENUM,
		FIELD(tty),
		.value = TTY_ON,
		.group = GROUP_TTY,
		.help = "give the command a terminal; the default where vmrun has one",
	},
	{
		.section = SECTION_COMMAND,
		.name = "no-tty",
		.letter = 'T',
		.type = OPTION_ENUM,
		FIELD(tty),
		.value = TTY_OFF,
		.group = GROUP_TTY,
		.help = "keep stdin, stdout and stderr as three separate streams",
	},
	{
		.section = SECTION_COMMAND,
		.name = "timeout",
		.type = OPTION_DURATION,
		FIELD(timeout_ms),
		.set = SPEC_TIMEOUT,
		.metavar = "DURATION",
		.help = "end the guest after this time (90s, 10m, 2h), with exit code 124",
	},
	{
		.section = SECTION_MACHINE,
		.name = "memory",
		.letter = 'm',
		.type = OPTION_SIZE,
		FIELD(memory),
		.set = SPEC_MEMORY,
		.metavar = "SIZE",
		.help = "memory of the guest, such as 512m (the default) or 2g",
	},
	{
		.section = SECTION_MACHINE,
		.name = "cpus",
		.type = OPTION_NUMBER,
		FIELD(cpus),
		.range = { 1, SPEC_CPUS_MAX },
		.set = SPEC_CPUS,
		.metavar = "N",
		.help = "CPUs of the guest; by default the host's under KVM, 1 under TCG",
	},
	{
		.section = SECTION_MACHINE,
		.name = "accel",
		.type = OPTION_CHOICE,
		FIELD(accel),
		.choices = accel_choices,
		.help = "auto is KVM, or TCG (slow, works everywhere) where KVM runs no guest",
	},
	{
		.section = SECTION_MACHINE,
		.name = "kernel",
		.letter = 'k',
		.type = OPTION_TEXT,
		FIELD(kernel),
		.check = spec_value_check_path,
		.metavar = "FILE",
		.help = "boot this kernel of the host rather than the newest one in ROOT",
	},
	{
		.section = SECTION_MACHINE,
		.name = "modules",
		.type = OPTION_TEXT,
		FIELD(modules),
		.check = spec_value_check_path,
		.metavar = "DIR|none",
		.help = "directory of the host with the kernel's modules and modules.dep; none: "
			"all that it needs is built in",
	},
	{
		.section = SECTION_MACHINE,
		.name = "append",
		.letter = 'a',
		.type = OPTION_TEXT,
		FIELD(append),
		.check = spec_value_check_append,
		.metavar = "ARGS",
		.help = "add to the kernel's command line",
	},
	{
		.section = SECTION_MACHINE,
		.name = "name",
		.type = OPTION_TEXT,
		FIELD(name),
		.check = spec_value_check_name,
		.metavar = "NAME",
		.help = "name of the guest, in its QEMU process and as its host name",
	},
	{
		.section = SECTION_MACHINE,
		.name = "hostname",
		.type = OPTION_TEXT,
		FIELD(hostname),
		.check = spec_value_check_hostname,
		.metavar = "NAME",
		.help = "host name in the guest; by default --name, else the name of ROOT",
	},
	{
		.section = SECTION_MACHINE,
		.name = "no-template",
		.type = OPTION_FLAG,
		FIELD(no_template),
		.help = "boot the guest anew rather than wake a template of it",
	},
	{
		.section = SECTION_MACHINE,
		.name = "seccomp",
		.type = OPTION_CHOICE,
		FIELD(seccomp),
		.choices = seccomp_choices,
		.help = "log: allow QEMU calls of the kernel that its filter does not know, and "
			"log them, to find out what a new QEMU needs",
	},
	{
		.section = SECTION_NETWORK,
		.name = "network",
		.type = OPTION_PARSE,
		.parse = spec_value_network,
		.metavar = "auto|none|user[,OPTION]",
		.set = SPEC_NETWORK,
		.help = "user: out by way of the host, in only by --publish; "
			"user,host-loopback: to the host's 127.0.0.1, too, as 10.0.2.2; none: "
			"nothing but loopback; auto: user",
	},
	{
		.section = SECTION_NETWORK,
		.name = "publish",
		.letter = 'p',
		.type = OPTION_PARSE,
		.parse = spec_value_port,
		.metavar = "[[IP:]HOST:]GUEST[/udp]",
		.help = "forward a port of the host, by default the same one, on 127.0.0.1, to "
			"the guest; /tcp unless /udp; repeatable",
	},
	{
		.section = SECTION_GENERAL,
		.name = "dry-run",
		.type = OPTION_FLAG,
		FIELD(dry_run),
		.help = "show what would be done, and do nothing",
	},
	{
		.section = SECTION_GENERAL,
		.name = "timing",
		.type = OPTION_OPTIONAL_CHOICE,
		FIELD(timing),
		.choices = timing_choices,
		.help = "show on stderr, at the end, where the time went",
	},
	{
		.section = SECTION_GENERAL,
		.name = "verbose",
		.type = OPTION_OPTIONAL_CHOICE,
		FIELD(verbose),
		.choices = verbose_choices,
		.group = GROUP_VERBOSITY,
		.help = "show what happens, and the guest's console, on stderr; raw: with its "
			"control sequences, which may do anything to a terminal",
	},
	{
		.section = SECTION_GENERAL,
		.name = "quiet",
		.letter = 'q',
		.type = OPTION_FLAG,
		FIELD(quiet),
		.group = GROUP_VERBOSITY,
		.help = "show errors only, no warnings",
	},
	{
		.section = SECTION_GENERAL,
		.name = "version",
		.type = OPTION_FLAG,
		FIELD(version),
		.help = "show the version and end",
	},
	{
		.section = SECTION_GENERAL,
		.name = "help",
		.letter = 'h',
		.type = OPTION_FLAG,
		FIELD(help),
		.help = "show this text and end",
	},
};

const unsigned int spec_n_options = ARRAY_SIZE(spec_options);
