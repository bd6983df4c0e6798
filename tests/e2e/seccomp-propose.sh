#!/bin/bash
# SPDX-License-Identifier: MIT
# contrib/seccomp-propose makes sense of what the kernel, auditd and strace write down.
. "$(dirname "$0")/../lib/e2e.sh"

propose=$(dirname "$0")/../../contrib/seccomp-propose

expect_line() {
	tr -s ' ' <"$WORK/out" | grep -qF -- "$1" || fail "no line has: $1"
}

# As dmesg and journalctl show it, and as auditd keeps it.
record() { # EXE COMM ARCH SYSCALL SIG
	echo "audit: type=1326 audit(1.2:3): auid=4294967295 uid=1 gid=1 ses=4294967295 pid=7" \
		"comm=\"$2\" exe=\"$1\" sig=$5 arch=$3 syscall=$4 compat=0 ip=0x7f code=0x7ffc0000"
}
audited() {
	echo "type=SECCOMP msg=$(record "$@" | cut -d' ' -f3-)"
}
qemu=/usr/bin/qemu-system-x86_64
{
	record $qemu qemu-system-x86 c000003e 449 0 # futex_waitv
	record $qemu "CPU 0/TCG" c000003e 449 0     # a thread of QEMU's, by another name
	audited $qemu worker c000003e 43 0          # accept
	echo "kernel: $(record $qemu worker c000003e 165 31)" # mount
	record $qemu worker c000003e 16 0                     # ioctl
	record $qemu worker c000003e 425 0                    # io_uring_setup
	record $qemu worker c000003e 9999 0
	record $qemu worker 40000003 20 31
	record $qemu worker c000003e 1073741863 31
	record /usr/local/bin/vmrun vmrun-network c000003e 41 0 # socket
	record /usr/bin/firefox firefox c000003e 200 0          # not ours
	echo "audit: type=1400 audit(1.2:3): apparmor=\"DENIED\""
	printf 'type=1326 exe="qemu-system" syscall=\033[31m arch=c000003e\n'
} >"$WORK/log"
run "$propose" "$WORK/log"
expect_exit 0
expect_silent
expect_line 'not known to "qemu":'
expect_line '2 futex_waitv perhaps in "threads", as futex()'
expect_line '1 accept has group "sockets", but not for this filter'
expect_line '1 ioctl judged by its arguments ("'
expect_line '1 io_uring_setup refused on purpose ("cannot be looked into")'
expect_line '1 number 9999 like none of the groups'
expect_line 'killed by the filters of "qemu":'
expect_line '1 mount kills on purpose ("mounts")'
expect_line '2 foreign of another machine (i386, x32): never'
expect_line 'not known to "network":'
expect_line '1 socket judged by its arguments ("'
expect_line 'runner/jail/filter_table.c'
! grep -qE 'tkill|firefox|left records out' "$WORK/out" || fail "it tells what is not ours"
! grep -q $'\033' "$WORK/out" || fail "a control sequence came through"

# The same from stdin; and records that the kernel did not write.
{
	cat "$WORK/log"
	echo "kauditd_printk_skb: 43 callbacks suppressed"
} >"$WORK/log2"
run "$propose" <"$WORK/log2"
expect_exit 0
expect_line 'sysctl kernel.printk_ratelimit=0'

# strace, for who may not read the kernel's log.
cat >"$WORK/trace" <<-'EOF'
	123 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
	123 timerfd_create(CLOCK_MONOTONIC, 0) = -1 ENOSYS (Function not implemented)
	124 <... clone3 resumed>, 88) = -1 ENOSYS (Function not implemented)
EOF
run "$propose" "$WORK/trace"
expect_exit 0
expect_line 'refused, below strace:'
expect_line '1 timerfd_create like none of the groups'
expect_line '1 clone3 refused on purpose'
! grep -q 'openat ' "$WORK/out" || fail "it tells what was not refused"

# Nothing of use: what it needs is said.
run "$propose" </dev/null
expect_exit 1
expect_err "vmrun --seccomp=log" "kernel.dmesg_restrict" "--idmap=single"
run "$propose" "$WORK/missing"
expect_exit 2

# The option is there, and with it everything still runs.
guest --seccomp=log -- echo through
expect_exit 0
expect_out through
guest --seccomp=maybe -- true
expect_refused "enforce"
