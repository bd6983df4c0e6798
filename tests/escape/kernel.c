/* SPDX-License-Identifier: MIT */
/*
 * The rest of the kernel: calls that only root should have, those that reach across
 * namespaces, and those whose bugs were ways out before. That the kernel lets one be made
 * is OUT: a compromised QEMU has no other use for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define KEY_NAME "vmrun-escape"

static enum verdict uring(void)
{
	struct io_uring_params params = { 0 };

	return judge(syscall(SYS_io_uring_setup, 4, &params), "io_uring_setup");
}

static enum verdict bpf_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return judge(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)), "bpf(BPF_MAP_CREATE)");
}

static enum verdict bpf_program(void)
{
	static const struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K },
						{ .code = BPF_JMP | BPF_EXIT } };
	static const char license[] = "";
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				.insn_cnt = ARRAY_SIZE(code),
				.insns = (uintptr_t)code,
				.license = (uintptr_t)license };

	return judge(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)), "bpf(BPF_PROG_LOAD)");
}

static enum verdict perf(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_TASK_CLOCK,
					.exclude_kernel = 1 };

	return judge(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), "perf_event_open");
}

static enum verdict fault(void)
{
	return judge(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), "userfaultfd");
}

static enum verdict fanotify(void)
{
	return judge(syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY),
		     "fanotify_init");
}

/* --- keys --- */

static enum verdict key_of_session(void)
{
	char value[256];
	long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", KEY_NAME,
			   0);
	long n;

	if (key < 0)
		return refused("keyctl(KEYCTL_SEARCH)");
	n = syscall(SYS_keyctl, KEYCTL_READ, key, value, sizeof(value));
	if (n < 0)
		return refused("keyctl(KEYCTL_READ)");
	return out("read a key of the caller's%s",
		   has_token(value, (size_t)n) ? ": the token" : "");
}

static enum verdict key_of_user(void)
{
	return judge(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1),
		     "keyctl(KEYCTL_GET_KEYRING_ID)");
}

static enum verdict key_join(void)
{
	return judge(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL),
		     "keyctl(KEYCTL_JOIN_SESSION_KEYRING)");
}

static enum verdict key_add(void)
{
	return judge(syscall(SYS_add_key, "user", "escaped", "x", 1, KEY_SPEC_PROCESS_KEYRING),
		     "add_key");
}

static enum verdict key_request(void)
{
	return judge(syscall(SYS_request_key, "user", KEY_NAME, NULL, 0), "request_key");
}

/* --- System V and POSIX IPC --- */

static enum verdict shm(void)
{
	const char *at = shmat((int)number(scene.shm), NULL, SHM_RDONLY);

	if (at == (void *)-1) /* NOLINT(performance-no-int-to-ptr) */
		return refused("shmat");
	return has_token(at, 256) ? out("read a segment of the host's: the token") :
				    held("it is another segment");
}

static enum verdict shm_new(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return judge(id, "shmget");
}

static enum verdict sem_new(void)
{
	int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);

	if (id >= 0)
		semctl(id, 0, IPC_RMID);
	return judge(id, "semget");
}

static enum verdict msg_new(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	if (id >= 0)
		msgctl(id, IPC_RMID, NULL);
	return judge(id, "msgget");
}

static enum verdict mq_new(void)
{
	const char *name = scene.token;
	long fd = syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);

	if (fd >= 0)
		syscall(SYS_mq_unlink, name);
	return judge(fd, "mq_open");
}

/* --- the machine --- */

static enum verdict module(void)
{
	return judge(syscall(SYS_init_module, "", 0, ""), "init_module");
}

static enum verdict module_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return judge(syscall(SYS_finit_module, fd, "", 0), "finit_module");
}

static enum verdict module_delete(void)
{
	return judge(syscall(SYS_delete_module, "vmrun_escape", O_NONBLOCK), "delete_module");
}

static enum verdict kexec(void)
{
	return judge(syscall(SYS_kexec_load, 0, 0, NULL, 0), "kexec_load");
}

static enum verdict kexec_file(void)
{
	return judge(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0), "kexec_file_load");
}

/* Who may gets as far as EINVAL with numbers that reboot nothing. */
static enum verdict reboot_machine(void)
{
	syscall(SYS_reboot, 0, 0, 0, NULL);
	return errno == EINVAL ? out("reboot would be allowed") : refused("reboot");
}

static enum verdict swap_on(void)
{
	return judge(syscall(SYS_swapon, path_in(writable_dir()), 0), "swapon");
}

static enum verdict swap_off(void)
{
	return judge(syscall(SYS_swapoff, path_in(writable_dir())), "swapoff");
}

static enum verdict port_level(void)
{
	return judge(syscall(SYS_iopl, 3), "iopl");
}

static enum verdict port_access(void)
{
	return judge(syscall(SYS_ioperm, 0x80, 1, 1), "ioperm");
}

static enum verdict descriptor_table(void)
{
	unsigned char entry[16] = { 0 };

	/* An empty entry. */
	return judge(syscall(SYS_modify_ldt, 1, entry, sizeof(entry)), "modify_ldt");
}

static enum verdict time_of_day(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return judge(syscall(SYS_settimeofday, &now, NULL), "settimeofday");
}

static enum verdict clock_set(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return judge(syscall(SYS_clock_settime, CLOCK_REALTIME, &now), "clock_settime");
}

static enum verdict clock_adjust(void)
{
	struct timex t = { .modes = 0 };

	if (syscall(SYS_adjtimex, &t) < 0)
		return refused("adjtimex");
	t.modes = ADJ_TICK;
	return judge(syscall(SYS_adjtimex, &t), "adjtimex(ADJ_TICK)");
}

static enum verdict host_name(void)
{
	struct utsname name;

	uname(&name);
	return judge(syscall(SYS_sethostname, name.nodename, strlen(name.nodename)), "sethostname");
}

static enum verdict domain_name(void)
{
	return judge(syscall(SYS_setdomainname, "(none)", 6), "setdomainname");
}

static enum verdict accounting(void)
{
	return judge(syscall(SYS_acct, NULL), "acct");
}

static enum verdict kernel_log(void)
{
	char buf[256];

	return judge(syscall(SYS_syslog, 3, buf, sizeof(buf)), "syslog");
}

static enum verdict quota(void)
{
	/* Q_SYNC of all file systems. */
	return judge(syscall(SYS_quotactl, 0x80000100u, NULL, 0, NULL), "quotactl");
}

static enum verdict cookie(void)
{
	char buf[256];

	return judge(syscall(SYS_lookup_dcookie, 1, buf, sizeof(buf)), "lookup_dcookie");
}

static enum verdict hang_up(void)
{
	return judge(syscall(SYS_vhangup), "vhangup");
}

static enum verdict file_systems(void)
{
	return judge(syscall(SYS_sysfs, 3), "sysfs");
}

static enum verdict execution_domain(void)
{
	/* What makes data executable, and addresses known. */
	return judge(syscall(SYS_personality, READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE),
		     "personality");
}

static enum verdict handle(void)
{
	struct {
		unsigned int bytes;
		int type;
		unsigned char data[128];
	} h = { .bytes = 128 };
	int mount;

	return judge(syscall(SYS_name_to_handle_at, AT_FDCWD, writable_dir(), &h, &mount, 0),
		     "name_to_handle_at");
}

/* --- other doors to the same kernel --- */

static void no_such_door(int sig)
{
	static const char text[] = "held\tthe kernel has no such calls\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(0);
}

static enum verdict calls_of_i386(void)
{
	long r = 20; /* getpid */

	signal(SIGSEGV, no_such_door);
	signal(SIGILL, no_such_door);
	__asm__ volatile("int $0x80" : "+a"(r) : : "r8", "r9", "r10", "r11", "memory");
	return r > 0 ? out("a call of i386's was made") : held("int 0x80: %ld", r);
}

static enum verdict calls_of_x32(void)
{
	return judge(syscall(0x40000000L | SYS_getpid), "getpid of x32's");
}

static enum verdict calls_unknown(void)
{
	/* Numbers that no kernel has yet: what a later one gives them to is unknown. */
	for (long nr = 480; nr < 1024; nr++)
		if (syscall(nr, -1, -1, -1, -1, -1, -1) >= 0 || (errno != ENOSYS && errno != EPERM))
			return out("call %ld is there", nr);
	return held("480 to 1023: none");
}

static const struct attempt attempts[] = {
	{ "io-uring", "io_uring: calls that no filter sees", uring },
	{ "bpf-map", "bpf: a map", bpf_map },
	{ "bpf-program", "bpf: a program", bpf_program },
	{ "perf", "perf events", perf },
	{ "userfaultfd", "hold the kernel at a page fault", fault },
	{ "fanotify", "watch files of others", fanotify },
	{ "key-session", "read a key of the caller's session", key_of_session },
	{ "key-user", "the user's keyring", key_of_user },
	{ "key-join", "a keyring of its own", key_join },
	{ "key-add", "add a key", key_add },
	{ "key-request", "request one", key_request },
	{ "shm-host", "read a shared segment of the host's", shm },
	{ "shm-new", "make one", shm_new },
	{ "sem-new", "a semaphore", sem_new },
	{ "msg-new", "a message queue", msg_new },
	{ "mq-new", "a POSIX one", mq_new },
	{ "module-load", "load a module", module },
	{ "module-file", "from a file", module_file },
	{ "module-delete", "unload one", module_delete },
	{ "kexec", "boot another kernel", kexec },
	{ "kexec-file", "from a file", kexec_file },
	{ "reboot", "reboot", reboot_machine },
	{ "swapon", "swap to a file", swap_on },
	{ "swapoff", "no longer", swap_off },
	{ "iopl", "all I/O ports", port_level },
	{ "ioperm", "one I/O port", port_access },
	{ "modify-ldt", "segments", descriptor_table },
	{ "settimeofday", "set the clock", time_of_day },
	{ "clock-settime", "by clock_settime", clock_set },
	{ "adjtimex", "adjust it", clock_adjust },
	{ "sethostname", "name the host", host_name },
	{ "setdomainname", "its domain", domain_name },
	{ "acct", "process accounting", accounting },
	{ "kernel-log", "read the kernel's log", kernel_log },
	{ "quotactl", "quotas", quota },
	{ "lookup-dcookie", "a path by its cookie", cookie },
	{ "vhangup", "hang up the terminal", hang_up },
	{ "sysfs-call", "what file systems there are", file_systems },
	{ "personality", "another execution domain", execution_domain },
	{ "name-to-handle", "a handle of a file", handle },
	{ "abi-i386", "a call by int 0x80", calls_of_i386 },
	{ "abi-x32", "a call of x32's", calls_of_x32 },
	{ "calls-unknown", "a call that is not known yet", calls_unknown },
};

GROUP(kernel, attempts);
