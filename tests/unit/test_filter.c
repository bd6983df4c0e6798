/* SPDX-License-Identifier: MIT */
/*
 * The filters, in two ways: the compiled programs are run here, for every system call
 * there may be, and compared with the table; and loaded in children, which then do what
 * is allowed or not. What a filter lets through is the kernel's word in the end.
 */
#include "tests/unit/child.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "runner/base/cleanup.h"
#include "runner/jail/filter_table.h"

#define CALLS_END 700 /* well above the last one that exists */
#define X32 0x40000000

/* glibc's clone(2) and musl's; and a fork(). */
#define THREAD_FLAGS 0x3d0f00u
#define FORK_FLAGS 0x01200011u

/* --- the compiled programs, run here --- */

/* Of classic BPF what libseccomp uses, and the kernel lets a filter use. */
static uint32_t bpf_run(const struct filter_program *program, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned int pc = 0; pc < program->len; pc++) {
		const struct sock_filter *i = &program->code[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + i->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction 0x%x is not known here", i->code);
		}
	}
	fail_msg("the program ends without an answer");
	return 0;
}

static uint32_t action_of(enum filter_verdict verdict)
{
	return verdict == FILTER_ALLOW ? SECCOMP_RET_ALLOW :
	       verdict == FILTER_LOG   ? SECCOMP_RET_LOG :
	       verdict == FILTER_KILL  ? SECCOMP_RET_KILL_PROCESS :
					 (SECCOMP_RET_ERRNO | ENOSYS);
}

static uint32_t ask_as(enum filter which, enum seccomp_mode mode, uint32_t arch, int nr,
		       const uint64_t args[6])
{
	struct seccomp_data data = { .nr = nr, .arch = arch };

	memcpy(data.args, args, sizeof(data.args));
	return bpf_run(&filter_programs[which][mode], &data);
}

#define ASK(which, mode, nr, ...) \
	ask_as(which, mode, AUDIT_ARCH_X86_64, nr, (const uint64_t[6]){ __VA_ARGS__ })

static bool named(const struct filter_group *group, const char *name)
{
	const char *at = group->calls, *call;
	size_t len;

	while (filter_next_call(&at, &call, &len))
		if (strlen(name) == len && !strncmp(name, call, len))
			return true;
	return false;
}

/* The table's own answer for a call, and whether it depends on the arguments. */
static enum filter_verdict by_table(enum filter which, enum seccomp_mode mode, const char *name,
				    bool *by_argument)
{
	*by_argument = false;
	for (size_t i = 0; name && i < filter_n_checks; i++)
		if (filter_check_applies(&filter_checks[i], which) &&
		    !strcmp(filter_checks[i].call, name))
			*by_argument = true;
	for (size_t i = 0; name && i < filter_n_groups; i++)
		if (filter_groups[i].filters & 1u << which && named(&filter_groups[i], name))
			return filter_groups[i].verdict;
	return filter_otherwise(which, mode);
}

/* Names that libseccomp may not know are not looked at here, but for one, by number. */
static void test_programs_say_what_the_table_says(void **state)
{
	(void)state;
	for (enum filter which = 0; which < FILTER_END; which++)
		for (enum seccomp_mode mode = 0; mode < FILTER_MODES; mode++)
			for (int nr = 0; nr < 450; nr++) {
				char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
				bool by_argument;
				enum filter_verdict want = by_table(which, mode, name,
								    &by_argument);
				uint32_t got = ASK(which, mode, nr, 0);

				if (!by_argument && got != action_of(want))
					fail_msg("%s, mode %d: %s (%d) gives 0x%x",
						 filter_name(which), (int)mode, name, nr, got);
				free(name);
			}
	assert_int_equal(ASK(FILTER_QEMU, SECCOMP_ENFORCE, 452, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ASK(FILTER_QEMU, SECCOMP_ENFORCE, 467, 0), SECCOMP_RET_KILL_PROCESS);
}

static void test_what_does_not_exist_yet(void **state)
{
	(void)state;
	for (int nr = 480; nr < CALLS_END; nr++) {
		assert_int_equal(ASK(FILTER_QEMU, SECCOMP_ENFORCE, nr, 0),
				 SECCOMP_RET_ERRNO | ENOSYS);
		assert_int_equal(ASK(FILTER_REAPER, SECCOMP_ENFORCE, nr, 0),
				 SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(ASK(FILTER_NETWORK, SECCOMP_LOG, nr, 0), SECCOMP_RET_LOG);
	}
}

static void test_other_machines_kill(void **state)
{
	static const uint64_t none[6];

	(void)state;
	for (enum filter which = 0; which < FILTER_END; which++)
		for (enum seccomp_mode mode = 0; mode < FILTER_MODES; mode++)
			for (int nr = 0; nr < CALLS_END; nr++) {
				assert_int_equal(ask_as(which, mode, AUDIT_ARCH_I386, nr, none),
						 SECCOMP_RET_KILL_PROCESS);
				assert_int_equal(ask_as(which, mode, AUDIT_ARCH_AARCH64, nr, none),
						 SECCOMP_RET_KILL_PROCESS);
				assert_int_equal(ask_as(which, mode, AUDIT_ARCH_X86_64, X32 | nr,
							none),
						 SECCOMP_RET_KILL_PROCESS);
			}
}

/* An argument that fits a row of the table, each bit outside of its masks set. */
static void fit(const struct filter_check *check, uint64_t args[6])
{
	for (unsigned int i = 0; i < 6; i++)
		args[i] = UINT64_MAX;
	for (unsigned int i = 0; i < check->n_conditions; i++) {
		const struct filter_condition *c = &check->conditions[i];

		args[c->arg] = (args[c->arg] & ~c->mask) | c->value;
	}
}

static void test_each_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < filter_n_checks; i++) {
		const struct filter_check *check = &filter_checks[i];
		int nr = seccomp_syscall_resolve_name(check->call);
		uint64_t args[6];

		assert_true(nr >= 0);
		assert_true(check->n_conditions > 0);
		for (unsigned int k = 0; k < check->n_conditions; k++)
			assert_int_equal(check->conditions[k].value & ~check->conditions[k].mask,
					 0);
		fit(check, args);
		for (enum filter which = 0; which < FILTER_END; which++)
			if (filter_check_applies(check, which))
				assert_int_equal(ask_as(which, SECCOMP_ENFORCE, AUDIT_ARCH_X86_64,
							nr, args),
						 action_of(check->verdict));
	}
}

static void test_threads_only(void **state)
{
	static const uint64_t spaces[] = { CLONE_NEWUSER,  CLONE_NEWNS,	 CLONE_NEWNET,
					   CLONE_NEWPID,   CLONE_NEWIPC, CLONE_NEWUTS,
					   CLONE_NEWCGROUP };

	(void)state;
	for (enum seccomp_mode mode = 0; mode < FILTER_MODES; mode++) {
		uint32_t no = mode == SECCOMP_LOG ? SECCOMP_RET_LOG : SECCOMP_RET_ERRNO | ENOSYS;

		assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone, THREAD_FLAGS),
				 SECCOMP_RET_ALLOW);
		assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone, THREAD_FLAGS | CLONE_DETACHED),
				 SECCOMP_RET_ALLOW);
		assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone, FORK_FLAGS), no);
		assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone, SIGCHLD), no);
		assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone, THREAD_FLAGS | CLONE_PIDFD), no);
		assert_int_equal(ASK(FILTER_FIRST, mode, SYS_clone, FORK_FLAGS), SECCOMP_RET_ALLOW);
		for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
			assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone, spaces[i] | SIGCHLD),
					 SECCOMP_RET_KILL_PROCESS);
			assert_int_equal(ASK(FILTER_QEMU, mode, SYS_clone,
					     spaces[i] | THREAD_FLAGS),
					 SECCOMP_RET_KILL_PROCESS);
			assert_int_equal(ASK(FILTER_FIRST, mode, SYS_clone, spaces[i] | SIGCHLD),
					 SECCOMP_RET_KILL_PROCESS);
		}
	}
}

/* The kernel looks at 32 bits of it, so nothing above may change the answer. */
static void test_ioctl(void **state)
{
	static const uint64_t high[] = { 0, (uint64_t)1 << 32, (uint64_t)0xffffffff << 32 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(high); i++) {
		assert_int_equal(ASK(FILTER_QEMU, 0, SYS_ioctl, 0, high[i] | FS_IOC_GETVERSION),
				 SECCOMP_RET_ALLOW);
		assert_int_equal(ASK(FILTER_QEMU, 0, SYS_ioctl, 0, high[i] | KVM_RUN),
				 SECCOMP_RET_ALLOW);
		assert_int_equal(ASK(FILTER_QEMU, 0, SYS_ioctl, 0, high[i] | TIOCSTI),
				 SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(ASK(FILTER_FIRST, 0, SYS_ioctl, 0, high[i] | TIOCSTI),
				 SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(ASK(FILTER_QEMU, 0, SYS_ioctl, 0, high[i] | FS_IOC_SETFLAGS),
				 SECCOMP_RET_ERRNO | ENOSYS);
		assert_int_equal(ASK(FILTER_NETWORK, 0, SYS_ioctl, 0, high[i] | KVM_RUN),
				 SECCOMP_RET_ERRNO | ENOSYS);
	}
}

static void test_kinds_of_sockets(void **state)
{
	static const struct {
		int family, type, protocol;
		bool allowed;
	} cases[] = {
		{ AF_INET, SOCK_STREAM, 0, true },
		{ AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, true },
		{ AF_INET, SOCK_DGRAM, 0, true },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, true },
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP, false },
		{ AF_INET, SOCK_RAW, 0, false },
		{ AF_INET, SOCK_STREAM, 262 /* MPTCP */, false },
		{ AF_INET, SOCK_DGRAM, 136 /* UDP-Lite */, false },
		{ AF_INET, SOCK_SEQPACKET, 132 /* SCTP */, false },
		{ AF_INET6, SOCK_STREAM, 0, false },
		{ AF_UNIX, SOCK_STREAM, 0, false },
		{ AF_NETLINK, SOCK_RAW, 0, false },
		{ AF_PACKET, SOCK_RAW, 0, false },
		{ AF_ALG, SOCK_SEQPACKET, 0, false },
		{ AF_VSOCK, SOCK_STREAM, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t family = (uint64_t)cases[i].family, type = (uint64_t)cases[i].type;
		uint64_t protocol = (uint64_t)cases[i].protocol;

		assert_int_equal(ASK(FILTER_NETWORK, 0, SYS_socket, family, type, protocol),
				 cases[i].allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | ENOSYS);
		assert_int_equal(ASK(FILTER_QEMU, 0, SYS_socket, family, type, protocol),
				 SECCOMP_RET_ERRNO | ENOSYS);
		assert_int_equal(ASK(FILTER_FIRST, 0, SYS_socket, family, type, protocol),
				 SECCOMP_RET_ERRNO | ENOSYS);
	}
}

static int strictness(uint32_t action)
{
	return action == SECCOMP_RET_KILL_PROCESS ? 2 : (action & SECCOMP_RET_ERRNO) ? 1 : 0;
}

/* QEMU has both filters: "first" may not take what "qemu" gives, nor kill more. */
static void test_first_is_no_stricter_than_qemu(void **state)
{
	static const uint64_t values[] = { 0, 1, THREAD_FLAGS, KVM_RUN, UINT64_MAX };

	(void)state;
	for (int nr = 0; nr < CALLS_END; nr++)
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			uint32_t first = ASK(FILTER_FIRST, 0, nr, values[i], values[i]);
			uint32_t qemu = ASK(FILTER_QEMU, 0, nr, values[i], values[i]);

			if (strictness(first) > strictness(qemu))
				fail_msg("call %d: 0x%x, then 0x%x", nr, first, qemu);
		}
}

/* --- the table --- */

static void test_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < filter_n_groups; i++) {
		const struct filter_group *group = &filter_groups[i];
		bool has_checks = false;

		assert_true(strlen(group->reason) >= 10);
		assert_true(group->filters != 0 && group->filters < 1u << FILTER_END);
		assert_true(group->verdict != FILTER_LOG);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(filter_groups[k].name, group->name);
		for (size_t k = 0; k < filter_n_checks; k++)
			has_checks = has_checks || !strcmp(filter_checks[k].group, group->name);
		/* One or the other, so that its reason is one of all that it has. */
		assert_true(has_checks != (*group->calls != '\0'));
	}
	for (size_t k = 0; k < filter_n_checks; k++) {
		bool found = false;

		for (size_t i = 0; i < filter_n_groups; i++)
			if (!strcmp(filter_groups[i].name, filter_checks[k].group)) {
				found = true;
				assert_int_equal(filter_groups[i].verdict,
						 filter_checks[k].verdict);
			}
		assert_true(found);
	}
}

static void test_no_call_twice(void **state)
{
	(void)state;
	for (enum filter which = 0; which < FILTER_END; which++)
		for (int nr = 0; nr < 450; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
			unsigned int n = 0;
			bool by_argument;

			for (size_t i = 0; name && i < filter_n_groups; i++)
				if (filter_groups[i].filters & 1u << which)
					n += named(&filter_groups[i], name);
			by_table(which, SECCOMP_ENFORCE, name, &by_argument);
			if (n + by_argument > 1)
				fail_msg("%s: %s is in %u places", filter_name(which), name,
					 n + by_argument);
			free(name);
		}
}

static void test_next_call(void **state)
{
	const char *at = "one two", *call;
	size_t len;

	(void)state;
	assert_true(filter_next_call(&at, &call, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(call, "one", 3);
	assert_true(filter_next_call(&at, &call, &len));
	assert_memory_equal(call, "two", 3);
	assert_false(filter_next_call(&at, &call, &len));
	assert_memory_equal(call, "two", 3);
}

static void test_counts(void **state)
{
	struct filter_counts qemu = filter_count(FILTER_QEMU), first = filter_count(FILTER_FIRST);
	unsigned int allowed = 0, killed = 0;

	(void)state;
	for (int nr = 0; nr < CALLS_END; nr++) {
		uint32_t action = ASK(FILTER_QEMU, SECCOMP_ENFORCE, nr, UINT64_MAX, UINT64_MAX);

		allowed += action == SECCOMP_RET_ALLOW;
		/* All bits set is a new namespace, too. */
		killed += action == SECCOMP_RET_KILL_PROCESS && nr != SYS_clone;
	}
	assert_int_equal(qemu.allowed, allowed);
	assert_int_equal(qemu.killed, killed);
	assert_int_equal(qemu.by_argument, 8);
	assert_int_equal(first.allowed, 0);
	assert_int_equal(first.killed, killed);
	assert_int_equal(first.by_argument, 3);
	assert_int_equal(filter_count(FILTER_REAPER).killed, 0);
}

static void test_explain(void **state)
{
	(void)state;
	for (enum filter which = 0; which < FILTER_END; which++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };

		filter_explain(which, &text);
		assert_non_null(strstr(strbuf_str(&text), filter_name(which)));
		for (size_t i = 0; i < filter_n_groups; i++) {
			char line[80];

			snprintf(line, sizeof(line), "\n  %s (", filter_groups[i].name);
			if (filter_groups[i].filters & 1u << which)
				assert_non_null(strstr(strbuf_str(&text), line));
			else
				assert_null(strstr(strbuf_str(&text), line));
		}
		for (const char *at = strbuf_str(&text); *at; at += strcspn(at, "\n") + 1) {
			assert_true(strcspn(at, "\n") <= 80);
			assert_true(at[strcspn(at, "\n")] == '\n');
		}
	}
}

/* --- loaded --- */

static int run_filtered(enum filter which, enum seccomp_mode mode, void (*act)(void))
{
	struct err e = { 0 };
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		CHILD_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		CHILD_CHECK(filter_load(which, mode, &e) == 0);
		act();
		syscall(SYS_exit_group, 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_succeeds(enum filter which, enum seccomp_mode mode, void (*act)(void))
{
	assert_int_equal(run_filtered(which, mode, act), 0);
}

static void assert_kills(enum filter which, enum seccomp_mode mode, void (*act)(void))
{
	int status = run_filtered(which, mode, act);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void do_nothing(void)
{
}

static void do_uname(void)
{
	syscall(SYS_uname, NULL);
}

static void do_mount(void)
{
	syscall(SYS_mount, NULL, NULL, NULL, 0, NULL);
}

static void do_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void do_unshare(void)
{
	syscall(SYS_unshare, CLONE_NEWUSER);
}

static void do_clone_newuser(void)
{
	if (syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == 0)
		_exit(0);
}

static void do_tiocsti(void)
{
	ioctl(0, TIOCSTI, "x");
}

/* Of i386: getpid() has number 20 there. */
static void do_i386(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
}

static void do_x32(void)
{
	syscall(X32 | SYS_getpid);
}

static void do_refused(void)
{
	CHILD_CHECK(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(syscall(SYS_io_uring_setup, 1, NULL) == -1 && errno == ENOSYS);
	CHILD_CHECK(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
}

static void do_refused_qemu(void)
{
	do_refused();
	CHILD_CHECK(syscall(SYS_memfd_create, "x", 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(syscall(SYS_setpgid, 0, 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(fork() == -1 && errno == ENOSYS);
	CHILD_CHECK(kill(0, 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(mkdir("/", 0700) == -1 && errno == ENOSYS);
	CHILD_CHECK(fcntl(1, F_SETOWN, getpid()) == -1 && errno == ENOSYS);
	CHILD_CHECK(prctl(PR_SET_PDEATHSIG, 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    NULL) == -1 &&
		    errno == ENOSYS);
}

static void *thread(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static void do_threads(void)
{
	pthread_t t;
	int ran = 0;

	CHILD_CHECK(pthread_create(&t, NULL, thread, &ran) == 0);
	CHILD_CHECK(pthread_join(t, NULL) == 0);
	CHILD_CHECK(ran);
}

/* What a 9p server does, and TCG. */
static void do_qemu(void)
{
	char name[] = "test_filter.0123456789";
	int dir, fd, version;
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHILD_CHECK(code != MAP_FAILED);
	CHILD_CHECK(mprotect(code, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	CHILD_CHECK(dir >= 0);
	snprintf(name, sizeof(name), "test_filter.%d", (int)getpid());
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHILD_CHECK(fd >= 0);
	CHILD_CHECK(unlinkat(dir, name, 0) == 0);
	CHILD_CHECK(pwrite(fd, "abc", 3, 0) == 3 && fsync(fd) == 0 && fchmod(fd, 0640) == 0);
	CHILD_CHECK(ioctl(fd, FS_IOC_GETVERSION, &version) == 0 || errno != ENOSYS);
	CHILD_CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	do_threads();
	raise(SIGCHLD);
}

/* QEMU's own filter, on top. */
static void do_stack(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	CHILD_CHECK(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0);
	CHILD_CHECK(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(uname), 0) == 0);
	CHILD_CHECK(seccomp_load(ctx) == 0);
	CHILD_CHECK(syscall(SYS_uname, NULL) == -1 && errno == EPERM);
}

static void do_first(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC), status;
	pid_t pid;

	CHILD_CHECK(fd >= 0);
	pid = fork();
	if (pid == 0)
		_exit(3);
	CHILD_CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	CHILD_CHECK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(ioctl(0, SIOCGIFCONF, &fd) == -1 && errno == ENOSYS);
	CHILD_CHECK(listen(0, 1) == -1 && errno == ENOSYS);
	do_refused();
	do_threads();
}

static void do_network(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	/* Port 1: nobody listens there. */
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	CHILD_CHECK(fd >= 0);
	CHILD_CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHILD_CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno == ECONNREFUSED);
	CHILD_CHECK(bind(fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno == ENOSYS);
	CHILD_CHECK(listen(fd, 1) == -1 && errno == ENOSYS);
	CHILD_CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &one, sizeof(one)) == -1 &&
		    errno == ENOSYS);
	CHILD_CHECK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == -1 &&
		    errno == ENOSYS);
	CHILD_CHECK(socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == ENOSYS);
	CHILD_CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			    MAP_FAILED &&
		    errno == ENOSYS);
	free(malloc(1 << 20));
}

static void do_log(void)
{
	CHILD_CHECK(syscall(SYS_setpgid, 0, 0) == 0);
	CHILD_CHECK(syscall(SYS_memfd_create, "x", 0) == -1 && errno == ENOSYS);
}

static void test_loaded(void **state)
{
	static void (*const deadly[])(void) = { do_mount,   do_ptrace, do_unshare, do_clone_newuser,
						do_tiocsti, do_i386,   do_x32 };

	(void)state;
	for (enum filter which = 0; which < FILTER_END; which++)
		for (enum seccomp_mode mode = 0; mode < FILTER_MODES; mode++) {
			assert_succeeds(which, mode, do_nothing);
			for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
				if (which != FILTER_REAPER || mode == SECCOMP_ENFORCE ||
				    i >= ARRAY_SIZE(deadly) - 2)
					assert_kills(which, mode, deadly[i]);
		}
	assert_kills(FILTER_REAPER, SECCOMP_ENFORCE, do_uname);
	assert_succeeds(FILTER_QEMU, SECCOMP_ENFORCE, do_refused_qemu);
	assert_succeeds(FILTER_QEMU, SECCOMP_ENFORCE, do_qemu);
	assert_succeeds(FILTER_QEMU, SECCOMP_ENFORCE, do_stack);
	assert_succeeds(FILTER_QEMU, SECCOMP_LOG, do_log);
	assert_succeeds(FILTER_FIRST, SECCOMP_ENFORCE, do_first);
	assert_succeeds(FILTER_NETWORK, SECCOMP_ENFORCE, do_network);
}

static void *load_without_nnp(void *arg)
{
	struct err *e = arg;

	return filter_load(FILTER_QEMU, SECCOMP_ENFORCE, e) == -EACCES ? e : NULL;
}

static void load_unprivileged(const void *arg)
{
	struct err e = { 0 };

	(void)arg;
	CHILD_CHECK(load_without_nnp(&e) == &e);
	CHILD_CHECK(strstr(e.text, "cannot load the system call filter 'qemu'"));
}

static void test_cannot_be_loaded(void **state)
{
	(void)state;
	run_unprivileged(load_unprivileged, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs_say_what_the_table_says),
		cmocka_unit_test(test_what_does_not_exist_yet),
		cmocka_unit_test(test_other_machines_kill),
		cmocka_unit_test(test_each_check),
		cmocka_unit_test(test_threads_only),
		cmocka_unit_test(test_ioctl),
		cmocka_unit_test(test_kinds_of_sockets),
		cmocka_unit_test(test_first_is_no_stricter_than_qemu),
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_no_call_twice),
		cmocka_unit_test(test_next_call),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_loaded),
		cmocka_unit_test(test_cannot_be_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
