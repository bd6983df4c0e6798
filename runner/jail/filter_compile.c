/* SPDX-License-Identifier: MIT */
/*
 * A program of the build, not of vmrun: compiles the tables of filter_table.c by
 * libseccomp and writes the filters to stdout, as C. So no start of a guest pays for
 * the compiling, and vmrun does not need libseccomp where it runs.
 *
 * A name that is not known here is an error: a typing mistake in a list of what kills
 * would otherwise go unnoticed.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/jail/filter_table.h"

/* Calls that libseccomp 2.5 has not heard of. The numbers are those of all machines. */
static const struct {
	const char *name;
	int number;
} newer[] = {
	{ "fchmodat2", 452 },	      { "statmount", 457 },	 { "listmount", 458 },
	{ "lsm_set_self_attr", 460 }, { "open_tree_attr", 467 },
};

_Noreturn static void die(const char *what, const char *name, int errnum)
{
	fprintf(stderr, "filter_compile: %s '%s': %s\n", what, name, strerror(errnum));
	exit(1);
}

static int number_of(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	for (size_t i = 0; number == __NR_SCMP_ERROR && i < ARRAY_SIZE(newer); i++)
		if (!strcmp(newer[i].name, name))
			number = newer[i].number;
	if (number == __NR_SCMP_ERROR)
		die("unknown system call", name, ENOSYS);
	return number;
}

static uint32_t action_of(enum filter_verdict verdict)
{
	switch (verdict) {
	case FILTER_ALLOW:
		return SCMP_ACT_ALLOW;
	case FILTER_REFUSE:
		return SCMP_ACT_ERRNO(ENOSYS);
	case FILTER_LOG:
		return SCMP_ACT_LOG;
	case FILTER_KILL:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static void add_rule(scmp_filter_ctx ctx, enum filter_verdict otherwise,
		     enum filter_verdict verdict, const char *call, const struct scmp_arg_cmp *args,
		     unsigned int n_args)
{
	int r;

	/* libseccomp refuses what would change nothing. */
	if (verdict == otherwise)
		return;
	r = seccomp_rule_add_exact_array(ctx, action_of(verdict), number_of(call), n_args, args);
	if (r < 0)
		die("no rule for", call, -r);
}

static void add_group(scmp_filter_ctx ctx, enum filter_verdict otherwise,
		      const struct filter_group *group)
{
	const char *at = group->calls, *call;
	char name[32];
	size_t len;

	while (filter_next_call(&at, &call, &len)) {
		snprintf(name, sizeof(name), "%.*s", (int)len, call);
		add_rule(ctx, otherwise, group->verdict, name, NULL, 0);
	}
}

static void add_check(scmp_filter_ctx ctx, enum filter_verdict otherwise,
		      const struct filter_check *check)
{
	struct scmp_arg_cmp args[FILTER_CONDITIONS_MAX];

	for (unsigned int i = 0; i < check->n_conditions; i++) {
		const struct filter_condition *c = &check->conditions[i];

		args[i] = SCMP_CMP64(c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->value);
	}
	add_rule(ctx, otherwise, check->verdict, check->call, args, check->n_conditions);
}

static scmp_filter_ctx compile(enum filter which, enum seccomp_mode mode)
{
	enum filter_verdict otherwise = filter_otherwise(which, mode);
	scmp_filter_ctx ctx = seccomp_init(action_of(otherwise));

	/* The calls of i386 and x32 have other numbers: no table would fit them. */
	if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0)
		die("cannot begin", filter_kinds[which].name, EINVAL);
	for (size_t i = 0; i < filter_n_groups; i++)
		if (filter_groups[i].filters & 1u << which)
			add_group(ctx, otherwise, &filter_groups[i]);
	for (size_t i = 0; i < filter_n_checks; i++)
		if (filter_check_applies(&filter_checks[i], which))
			add_check(ctx, otherwise, &filter_checks[i]);
	return ctx;
}

/* libseccomp writes to a descriptor only. */
static size_t export(scmp_filter_ctx ctx, const char *name, struct sock_filter *code, size_t max)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) < 0)
		die("cannot compile", name, errno);
	n = pread(fd, code, max * sizeof(*code), 0);
	close(fd);
	if (n <= 0 || (size_t)n == max * sizeof(*code) || (size_t)n % sizeof(*code))
		die("bad length of", name, EFBIG);
	return (size_t)n / sizeof(*code);
}

static void print_program(enum filter which, enum seccomp_mode mode)
{
	static struct sock_filter code[BPF_MAXINSNS + 1];
	const char *name = filter_kinds[which].name;
	scmp_filter_ctx ctx = compile(which, mode);
	size_t n = export(ctx, name, code, ARRAY_SIZE(code));

	seccomp_release(ctx);
	printf("static const struct sock_filter %s_%d[] = {\n", name, (int)mode);
	for (size_t i = 0; i < n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt, code[i].jf,
		       code[i].k);
	printf("};\n\n");
}

int main(void)
{
	printf("/* SPDX-License-Identifier: MIT */\n/* Made by filter_compile.c. */\n"
	       "#include \"runner/jail/filter_table.h\"\n\n");
	for (int which = 0; which < FILTER_END; which++)
		for (int mode = 0; mode < FILTER_MODES; mode++)
			print_program((enum filter)which, (enum seccomp_mode)mode);
	printf("const struct filter_program filter_programs[FILTER_END][FILTER_MODES] = {\n");
	for (int which = 0; which < FILTER_END; which++)
		for (int mode = 0; mode < FILTER_MODES; mode++)
			printf("\t[%d][%d] = { %s_%d, sizeof(%s_%d) / sizeof(%s_%d[0]) },\n", which,
			       mode, filter_kinds[which].name, mode, filter_kinds[which].name, mode,
			       filter_kinds[which].name, mode);
	printf("};\n");
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
