/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A process in the jail has no file, no network and no right of the host's to take.
 * What is left to attack is the host's kernel, and each system call is a door to it.
 *
 * There are four filters, for four programs:
 *
 *	first	 PID 1 while it reads the base, and so all that it starts. It allows what
 *		 it does not name: it is there for what nobody in the jail ever needs,
 *		 and for kernels and archives that take over the code which reads them.
 *	reaper	 PID 1 from then on. It waits, and tells vmrun.
 *	qemu	 on top of "first", and QEMU puts its own (-sandbox) on top of this.
 *	network	 the network helper, which is the only one that makes sockets.
 *
 * A call that is not in the table gets ENOSYS from "qemu" and "network": to a program
 * the kernel is merely an old one, and programs know how to live with that. With a
 * signal instead, the list made for one QEMU kills the next one (7.2's list killed
 * 10.0). What kills is what no QEMU, no library and no network helper asks for even by
 * way of trying: whoever does so is not what we started. Calls that libraries do try
 * (io_uring, clone3, memfd_create) are therefore refused, not killed for.
 *
 * Where a filter stays on a process, the stricter of two answers counts. So "first" may
 * not kill for anything that "qemu" allows or refuses; a test compares the two.
 *
 * Not here: a flag that lets a filtered process keep its speculation
 * (SECCOMP_FILTER_FLAG_SPEC_ALLOW). Kernels since 5.16 ask nothing of filtered processes
 * by default; on older ones the mitigations also keep what runs here from steering the
 * speculation of other processes, which is what a jail is for.
 *
 * Several names of one thing stand side by side where C libraries differ in which they
 * use (stat, newfstatat, statx), also such as only newer ones know.
 */
#include "runner/jail/filter_table.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "runner/base/cleanup.h"

#define FIRST (1u << FILTER_FIRST)
#define REAPER (1u << FILTER_REAPER)
#define QEMU (1u << FILTER_QEMU)
#define NETWORK (1u << FILTER_NETWORK)
/* "reaper" kills for whatever it does not name. */
#define ALL_BUT_REAPER (FIRST | QEMU | NETWORK)

const struct filter_kind filter_kinds[FILTER_END] = {
	[FILTER_FIRST] = { "first", "PID 1 of the jail and all its children", FILTER_ALLOW },
	[FILTER_REAPER] = { "reaper", "PID 1 of the jail once QEMU runs", FILTER_KILL },
	[FILTER_QEMU] = { "qemu", "QEMU", FILTER_REFUSE },
	[FILTER_NETWORK] = { "network", "the network helper", FILTER_REFUSE },
};

const struct filter_group filter_groups[] = {
	/* --- QEMU, and what it shares with the network helper --- */
	{ "start", QEMU, FILTER_ALLOW,
	  "The filter is there before QEMU is: execve() starts it, the dynamic linker and "
	  "the C library set themselves up. There is no other program in the jail, and "
	  "QEMU's own -sandbox takes execve() away.",
	  "execve arch_prctl set_tid_address set_robust_list rseq getrlimit uname sysinfo" },
	{ "memory", QEMU, FILTER_ALLOW,
	  "The guest's memory and QEMU's own. TCG writes code and then runs it, so nothing "
	  "can be said about PROT_EXEC.",
	  "brk mmap mprotect mremap munmap madvise mincore msync" },
	{ "threads", QEMU, FILTER_ALLOW,
	  "One for each CPU, for RCU, for the 9p server. tgkill() is how a thread is sent a "
	  "signal, and abort(); all processes of the jail's namespace are QEMU's and PID 1, "
	  "which nobody in it can kill.",
	  "futex gettid getpid tgkill exit exit_group "
	  "sched_yield sched_getaffinity membarrier getcpu" },
	{ "signals", QEMU, FILTER_ALLOW,
	  "To kick a CPU out of the guest, to end, and to take SIGBUS for bad memory.",
	  "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend "
	  "rt_sigtimedwait sigaltstack signalfd signalfd4 restart_syscall" },
	{ "time", QEMU | NETWORK, FILTER_ALLOW,
	  "Where the clock cannot be read without a call, and to wait.",
	  "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time" },
	{ "events", QEMU | NETWORK, FILTER_ALLOW, "The main loop, under each of its names.",
	  "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait "
	  "epoll_pwait epoll_pwait2 eventfd eventfd2 pipe pipe2" },
	{ "reading and writing", QEMU | NETWORK, FILTER_ALLOW,
	  "Descriptors that are there, frames to and from the guest.",
	  "read write readv writev lseek close" },
	{ "files", QEMU, FILTER_ALLOW,
	  "Firmware, modules, the files of the guest. Which can be opened, the mounts say.",
	  "open openat openat2 pread64 pwrite64 preadv pwritev preadv2 pwritev2 dup dup2 dup3 "
	  "fstat stat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 "
	  "readlink readlinkat getdents64 getcwd" },
	{ "9p", QEMU, FILTER_ALLOW,
	  "The 9p server does to files what the guest does to them. It works below directory "
	  "descriptors (the ...at calls), and where there is no such call, by "
	  "/proc/self/fd/N.",
	  "mkdirat mknodat linkat symlinkat unlinkat renameat renameat2 chmod fchmod fchmodat "
	  "fchmodat2 fchown fchownat utimensat truncate ftruncate fallocate fsync fdatasync "
	  "syncfs copy_file_range" },
	{ "extended attributes", QEMU, FILTER_ALLOW,
	  "The guest's, POSIX ACLs among them, by each of the ways to name a file.",
	  "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr "
	  "flistxattr removexattr lremovexattr fremovexattr" },
	{ "sockets that are there", QEMU, FILTER_ALLOW,
	  "The guest's ports and its network are sockets that QEMU inherits. It asks what "
	  "they are, and uses them; it can make none, bind none and connect none.",
	  "sendmsg recvmsg sendto recvfrom getsockname getpeername shutdown" },
	{ "who am I", QEMU, FILTER_ALLOW, "Libraries ask before they trust the environment.",
	  "getuid geteuid getgid getegid getresuid getresgid" },
	{ "many in one", QEMU, FILTER_ALLOW,
	  "Calls of which only what is listed is needed: threads, never processes; KVM; "
	  "the version of a file, for 9p; what loads QEMU's own filter.",
	  "" },

	/* --- the network helper alone --- */
	{ "sockets", NETWORK, FILTER_ALLOW,
	  "The guest's connections, made for it by libslirp; and published ports, which listen "
	  "already.",
	  "connect accept accept4 getsockname getpeername shutdown sendto recvfrom "
	  "sendmsg recvmsg" },
	{ "sockets by kind", NETWORK, FILTER_ALLOW,
	  "TCP, UDP and ping over IPv4. No AF_UNIX (the host's abstract names), AF_NETLINK, "
	  "AF_VSOCK, AF_PACKET, no raw ones.",
	  "" },
	{ "resolver", NETWORK, FILTER_ALLOW,
	  "/etc/resolv.conf is looked at again and again. It is the only file there.",
	  "open openat stat fstat newfstatat statx" },
	{ "process", NETWORK, FILTER_ALLOW, "malloc(), random numbers, and the end.",
	  "brk munmap mremap madvise futex getpid gettid tgkill rt_sigaction rt_sigprocmask "
	  "rt_sigreturn restart_syscall exit exit_group" },
	{ "memory without code", NETWORK, FILTER_ALLOW,
	  "All libraries are loaded by then: nothing more is ever made executable.", "" },
	{ "descriptors", NETWORK, FILTER_ALLOW, "To make sockets non-blocking.", "" },
	{ "random numbers", QEMU | NETWORK, FILTER_ALLOW,
	  "The guest's generator of random numbers, hash seeds, sequence numbers.", "getrandom" },

	/* --- PID 1 --- */
	{ "waiting", REAPER, FILTER_ALLOW,
	  "For QEMU to end, or for vmrun to: its end of the socket then closes.",
	  "wait4 waitid poll ppoll read rt_sigreturn restart_syscall" },
	{ "telling", REAPER, FILTER_ALLOW, "vmrun how QEMU ended. Then it ends, too.",
	  "sendmsg write close clock_gettime exit exit_group" },

	/* --- refused --- */
	{ "cannot be looked into", ALL_BUT_REAPER, FILTER_REFUSE,
	  "Their arguments are in memory, where no filter sees them, or they do the work of "
	  "calls that are filtered. Who tries them falls back: clone3() to clone(), "
	  "io_uring to epoll.",
	  "clone3 io_uring_setup io_uring_enter io_uring_register" },
	{ "no use", FIRST | QEMU | NETWORK, FILTER_REFUSE,
	  "Libraries may try these by themselves, so nothing dies of them. To us they are "
	  "nothing but more of the kernel to attack.",
	  "personality modify_ldt kcmp remap_file_pages name_to_handle_at statmount listmount "
	  "adjtimex pidfd_send_signal process_madvise process_mrelease memfd_secret "
	  "set_mempolicy_home_node lsm_set_self_attr" },
	{ "no new sockets", FIRST, FILTER_REFUSE,
	  "Sockets of every family: some families answer from an empty network namespace, too "
	  "(AF_VSOCK). Those that are there were made in the caller's: they get no name in it, "
	  "and tell nothing of it.",
	  "socket socketpair bind connect listen accept accept4" },
	{ "interfaces", FIRST, FILTER_REFUSE, "The same, by ioctl().", "" },
	{ "staying undumpable", FIRST, FILTER_REFUSE,
	  "What keeps PID 1 out of QEMU's reach is that it cannot be dumped.", "" },
	{ "memory policy", QEMU, FILTER_REFUSE,
	  "libnuma asks when it is loaded; guests have no NUMA nodes.",
	  "get_mempolicy set_mempolicy mbind" },
	{ "anonymous files", QEMU | NETWORK, FILTER_REFUSE,
	  "A file without a name could be executed. QEMU tries whether there are such.",
	  "memfd_create" },
	{ "tried in vain", QEMU, FILTER_REFUSE,
	  "libseccomp, in QEMU, asks for filters whose calls another process answers. QEMU "
	  "hastens TCP on sockets that are none.",
	  "" },
	{ "raw sockets", NETWORK, FILTER_REFUSE,
	  "libslirp tries one for pings where the host forbids the other way. They need a "
	  "right that the helper does not have.",
	  "" },

	/* --- killed for --- */
	{ "mounts", ALL_BUT_REAPER, FILTER_KILL,
	  "The jail is made of mounts, and what is read-only is so by a mount.",
	  "mount umount2 pivot_root chroot open_tree open_tree_attr move_mount mount_setattr "
	  "fsopen fsconfig fsmount fspick swapon swapoff quotactl quotactl_fd" },
	{ "namespaces", ALL_BUT_REAPER, FILTER_KILL,
	  "In a new user namespace one has all capabilities, and with them most of the "
	  "kernel's attack surface.",
	  "unshare setns" },
	{ "namespaces by clone", ALL_BUT_REAPER, FILTER_KILL, "The same, by another way.", "" },
	{ "other processes", ALL_BUT_REAPER, FILTER_KILL,
	  "There is none that any of ours has business with.",
	  "ptrace process_vm_readv process_vm_writev pidfd_getfd move_pages migrate_pages" },
	{ "kernel programs", ALL_BUT_REAPER, FILTER_KILL,
	  "Code that the kernel runs, and tracing: large, and often broken.",
	  "bpf perf_event_open userfaultfd vmsplice" },
	{ "keyrings", ALL_BUT_REAPER, FILTER_KILL, "They are shared across namespaces.",
	  "add_key request_key keyctl" },
	{ "file handles", ALL_BUT_REAPER, FILTER_KILL,
	  "They name files past every mount and directory. The 9p driver that QEMU had for "
	  "them is gone.",
	  "open_by_handle_at fanotify_init fanotify_mark" },
	{ "another program", ALL_BUT_REAPER, FILTER_KILL,
	  "By descriptor: of a file that has no path in the jail. uselib() is its ancestor.",
	  "execveat uselib" },
	{ "the machine", ALL_BUT_REAPER, FILTER_KILL,
	  "Modules, kernels, ports, clocks, names, accounting, logs of the host.",
	  "init_module finit_module delete_module create_module query_module get_kernel_syms "
	  "kexec_load kexec_file_load reboot iopl ioperm acct syslog settimeofday clock_settime "
	  "clock_adjtime sethostname setdomainname vhangup nfsservctl lookup_dcookie _sysctl "
	  "sysfs ustat" },
	{ "terminals", ALL_BUT_REAPER, FILTER_KILL,
	  "Nothing can be typed into a terminal that somebody else reads.", "" },
};

const size_t filter_n_groups = ARRAY_SIZE(filter_groups);

/* clang-format off: a row is to be read as one. */

/* Of what a register holds the kernel looks at an int, in most calls. */
#define INT 0xffffffffu

#define IS(number, expected)              \
	{                                 \
		(number), INT, (expected) \
	}
#define IS_BUT_FOR(number, bits, expected)                    \
	{                                                     \
		(number), INT & ~(uint64_t)(bits), (expected) \
	}
#define HAS(number, bit)               \
	{                              \
		(number), (bit), (bit) \
	}
#define HAS_NOT(number, bits)       \
	{                           \
		(number), (bits), 0 \
	}
#define IS_NULL(number)                 \
	{                               \
		(number), UINT64_MAX, 0 \
	}

#define OF_QEMU "many in one", FILTER_ALLOW
#define OF_SOCKETS "sockets by kind", FILTER_ALLOW
#define OF_NAMESPACES "namespaces by clone", FILTER_KILL
#define OF_TERMINALS "terminals", FILTER_KILL

/* What pthread_create() asks for. musl adds a flag that does nothing. */
#define THREAD                                                                              \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define SOCKET_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define IOCTL_TYPE 0xff00u
/* asm/ioctls.h has it of a type that no header for programs declares. */
#define TCGETS2_ 0x802c542au

const struct filter_check filter_checks[] = {
	{ OF_QEMU, "clone", "a thread", 1, { IS_BUT_FOR(0, CLONE_DETACHED, THREAD) } },
	{ OF_QEMU, "ioctl", "KVM's", 1, { { 1, IOCTL_TYPE, KVMIO << 8 } } },
	{ OF_QEMU, "ioctl", "FS_IOC_GETVERSION", 1, { IS(1, FS_IOC_GETVERSION) } },
	{ OF_QEMU, "ioctl", "FIONBIO", 1, { IS(1, FIONBIO) } },
	{ OF_QEMU, "ioctl", "FIONREAD", 1, { IS(1, FIONREAD) } },
	/* isatty() */
	{ OF_QEMU, "ioctl", "TCGETS", 1, { IS(1, TCGETS) } },
	{ OF_QEMU, "ioctl", "TCGETS2", 1, { IS(1, TCGETS2_) } },
	{ OF_QEMU, "fcntl", "F_DUPFD", 1, { IS(1, F_DUPFD) } },
	{ OF_QEMU, "fcntl", "F_DUPFD_CLOEXEC", 1, { IS(1, F_DUPFD_CLOEXEC) } },
	{ OF_QEMU, "fcntl", "F_GETFD", 1, { IS(1, F_GETFD) } },
	{ OF_QEMU, "fcntl", "F_SETFD", 1, { IS(1, F_SETFD) } },
	{ OF_QEMU, "fcntl", "F_GETFL", 1, { IS(1, F_GETFL) } },
	{ OF_QEMU, "fcntl", "F_SETFL", 1, { IS(1, F_SETFL) } },
	{ OF_QEMU, "prctl", "PR_SET_NAME", 1, { IS(0, PR_SET_NAME) } },
	{ OF_QEMU, "prctl", "PR_GET_NAME", 1, { IS(0, PR_GET_NAME) } },
	{ OF_QEMU, "prctl", "PR_SET_TIMERSLACK", 1, { IS(0, PR_SET_TIMERSLACK) } },
	{ OF_QEMU, "prctl", "PR_MCE_KILL", 1, { IS(0, PR_MCE_KILL) } },
	{ OF_QEMU, "prctl", "PR_CAPBSET_READ", 1, { IS(0, PR_CAPBSET_READ) } },
	{ OF_QEMU, "prctl", "PR_SET_NO_NEW_PRIVS", 1, { IS(0, PR_SET_NO_NEW_PRIVS) } },
	{ OF_QEMU, "prctl", "PR_SET_VMA", 1, { IS(0, PR_SET_VMA) } },
	{ OF_QEMU, "prlimit64", "its own, to read", 2, { IS(0, 0), IS_NULL(2) } },
	/* Of what libseccomp in QEMU does only the first; the others find out what there is. */
	{ OF_QEMU,
	  "seccomp",
	  "a filter without listener",
	  2,
	  { IS(0, SECCOMP_SET_MODE_FILTER), HAS_NOT(1, SECCOMP_FILTER_FLAG_NEW_LISTENER) } },
	{ "tried in vain", FILTER_REFUSE, "setsockopt", "IPPROTO_TCP", 1, { IS(1, IPPROTO_TCP) } },
	{ "tried in vain",
	  FILTER_REFUSE,
	  "seccomp",
	  "a filter with a listener",
	  2,
	  { IS(0, SECCOMP_SET_MODE_FILTER), HAS(1, SECCOMP_FILTER_FLAG_NEW_LISTENER) } },
	{ OF_QEMU, "seccomp", "strict mode", 1, { IS(0, SECCOMP_SET_MODE_STRICT) } },
	{ OF_QEMU, "seccomp", "actions", 1, { IS(0, SECCOMP_GET_ACTION_AVAIL) } },
	{ OF_QEMU, "seccomp", "sizes", 1, { IS(0, SECCOMP_GET_NOTIF_SIZES) } },
	/* Not SO_PEERPIDFD, a handle on vmrun. */
	{ OF_QEMU, "getsockopt", "SO_TYPE", 2, { IS(1, SOL_SOCKET), IS(2, SO_TYPE) } },
	{ OF_QEMU, "getsockopt", "SO_ERROR", 2, { IS(1, SOL_SOCKET), IS(2, SO_ERROR) } },
	{ "interfaces", FILTER_REFUSE, "ioctl", "sockets'", 1, { { 1, IOCTL_TYPE, 0x8900 } } },
	{ "staying undumpable",
	  FILTER_REFUSE,
	  "prctl",
	  "PR_SET_DUMPABLE",
	  1,
	  { IS(0, PR_SET_DUMPABLE) } },
	/* Another option of SOL_SOCKET has the kernel run a program on the socket. */
	{ "tried in vain",
	  FILTER_REFUSE,
	  "setsockopt",
	  "SO_ZEROCOPY",
	  2,
	  { IS(1, SOL_SOCKET), IS(2, SO_ZEROCOPY) } },

	{ OF_SOCKETS,
	  "socket",
	  "TCP",
	  3,
	  { IS(0, AF_INET), IS_BUT_FOR(1, SOCKET_FLAGS, SOCK_STREAM), IS(2, 0) } },
	{ OF_SOCKETS,
	  "socket",
	  "UDP",
	  3,
	  { IS(0, AF_INET), IS_BUT_FOR(1, SOCKET_FLAGS, SOCK_DGRAM), IS(2, 0) } },
	{ OF_SOCKETS,
	  "socket",
	  "ping",
	  3,
	  { IS(0, AF_INET), IS_BUT_FOR(1, SOCKET_FLAGS, SOCK_DGRAM), IS(2, IPPROTO_ICMP) } },
	{ "raw sockets",
	  FILTER_REFUSE,
	  "socket",
	  "SOCK_RAW",
	  1,
	  { IS_BUT_FOR(1, SOCKET_FLAGS, SOCK_RAW) } },
	{ OF_SOCKETS, "getsockopt", "SO_TYPE", 2, { IS(1, SOL_SOCKET), IS(2, SO_TYPE) } },
	{ OF_SOCKETS, "getsockopt", "SO_ERROR", 2, { IS(1, SOL_SOCKET), IS(2, SO_ERROR) } },
	/* Not SO_ATTACH_FILTER: the kernel would run a program on the socket. */
	{ OF_SOCKETS,
	  "setsockopt",
	  "SO_REUSEADDR",
	  2,
	  { IS(1, SOL_SOCKET), IS(2, SO_REUSEADDR) } },
	{ OF_SOCKETS,
	  "setsockopt",
	  "SO_OOBINLINE",
	  2,
	  { IS(1, SOL_SOCKET), IS(2, SO_OOBINLINE) } },
	{ OF_SOCKETS, "setsockopt", "IP_TTL", 2, { IS(1, IPPROTO_IP), IS(2, IP_TTL) } },
	{ OF_SOCKETS, "setsockopt", "IP_RECVERR", 2, { IS(1, IPPROTO_IP), IS(2, IP_RECVERR) } },
	{ OF_SOCKETS, "setsockopt", "TCP_NODELAY", 2, { IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY) } },
	{ "descriptors", FILTER_ALLOW, "ioctl", "FIONBIO", 1, { IS(1, FIONBIO) } },
	{ "descriptors", FILTER_ALLOW, "ioctl", "FIONREAD", 1, { IS(1, FIONREAD) } },
	{ "descriptors", FILTER_ALLOW, "fcntl", "F_GETFD", 1, { IS(1, F_GETFD) } },
	{ "descriptors", FILTER_ALLOW, "fcntl", "F_SETFD", 1, { IS(1, F_SETFD) } },
	{ "descriptors", FILTER_ALLOW, "fcntl", "F_GETFL", 1, { IS(1, F_GETFL) } },
	{ "descriptors", FILTER_ALLOW, "fcntl", "F_SETFL", 1, { IS(1, F_SETFL) } },
	{ "memory without code",
	  FILTER_ALLOW,
	  "mmap",
	  "no PROT_EXEC",
	  1,
	  { HAS_NOT(2, PROT_EXEC) } },
	{ "memory without code",
	  FILTER_ALLOW,
	  "mprotect",
	  "no PROT_EXEC",
	  1,
	  { HAS_NOT(2, PROT_EXEC) } },

	{ OF_NAMESPACES, "clone", "CLONE_NEWUSER", 1, { HAS(0, CLONE_NEWUSER) } },
	{ OF_NAMESPACES, "clone", "CLONE_NEWNS", 1, { HAS(0, CLONE_NEWNS) } },
	{ OF_NAMESPACES, "clone", "CLONE_NEWNET", 1, { HAS(0, CLONE_NEWNET) } },
	{ OF_NAMESPACES, "clone", "CLONE_NEWPID", 1, { HAS(0, CLONE_NEWPID) } },
	{ OF_NAMESPACES, "clone", "CLONE_NEWIPC", 1, { HAS(0, CLONE_NEWIPC) } },
	{ OF_NAMESPACES, "clone", "CLONE_NEWUTS", 1, { HAS(0, CLONE_NEWUTS) } },
	{ OF_NAMESPACES, "clone", "CLONE_NEWCGROUP", 1, { HAS(0, CLONE_NEWCGROUP) } },
	{ OF_TERMINALS, "ioctl", "TIOCSTI", 1, { IS(1, TIOCSTI) } },
	{ OF_TERMINALS, "ioctl", "TIOCLINUX", 1, { IS(1, TIOCLINUX) } },
	{ OF_TERMINALS, "ioctl", "TIOCSCTTY", 1, { IS(1, TIOCSCTTY) } },
	{ OF_TERMINALS, "ioctl", "TIOCSETD", 1, { IS(1, TIOCSETD) } },
};

/* clang-format on */

const size_t filter_n_checks = ARRAY_SIZE(filter_checks);

enum filter_verdict filter_otherwise(enum filter which, enum seccomp_mode mode)
{
	enum filter_verdict verdict = filter_kinds[which].otherwise;

	return mode == SECCOMP_LOG && verdict != FILTER_ALLOW ? FILTER_LOG : verdict;
}

bool filter_next_call(const char **at, const char **ret, size_t *ret_len)
{
	size_t len = strcspn(*at, " ");

	if (len == 0)
		return false;
	*ret = *at;
	*ret_len = len;
	*at += len;
	*at += **at == ' ';
	return true;
}

bool filter_check_applies(const struct filter_check *check, enum filter which)
{
	for (size_t i = 0; i < filter_n_groups; i++)
		if (!strcmp(filter_groups[i].name, check->group))
			return filter_groups[i].filters & 1u << which;
	return false;
}
