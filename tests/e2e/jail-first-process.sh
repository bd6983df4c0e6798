#!/bin/bash
# SPDX-License-Identifier: MIT
# The jail's first process reads what a hostile base holds. By then it has no more rights
# than QEMU is to have (and SETPCAP, to give up the rest), and nothing of the caller's: no
# descriptor, no environment.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

export XDG_CACHE_HOME=$WORK/cache
first=$(stat -c %u "$BASE")

# On a first run it waits, between the two, for a template to be made.
FOO_TOKEN=secret "$VMRUN" --accel=tcg --idmap="0:$first:65536" --read-only "$BASE" -- true 5</etc/passwd 6</ 7<"$WORK" \
	>"$WORK/out" 2>"$WORK/err" &
pid=$!
waits() {
	first_process=$(descendants "$pid" | head -n 1)
	# The template's maker is another child of vmrun.
	[[ $(wc -w <"/proc/$pid/task/$pid/children") -ge 2 ]]
}
wait_for 20 waits

field() {
	awk -v name="$1:" '$1 == name { print $2 }' "/proc/$first_process/status"
}
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETPCAP
for set in CapEff CapPrm CapBnd; do
	expect_eq "$set" "$(field "$set")" 000000000000011b
done
expect_eq "no_new_privs" "$(field NoNewPrivs)" 1
expect_eq "seccomp" "$(field Seccomp)" 2
grep -Eq '^Max core file size +1 +1 ' "/proc/$first_process/limits" || fail "it may dump core"
! tr -d '\0' <"/proc/$first_process/environ" | grep -q . || fail "it has the caller's environment"
for fd in "/proc/$first_process/fd"/*; do
	target=$(readlink "$fd")
	case $target in
	/dev/null | /null | socket:* | pipe:* | anon_inode:* | /memfd:*) ;;
	# By a mount of the jail's own: their parent directories cannot be reached.
	/ | /templates | /kernels | /*.vmlinux | /vm/root | /vm/root/*) ;;
	*) fail "descriptor ${fd##*/} is $target" ;;
	esac
done
[[ ! -e /proc/$first_process/fd/6 || $(stat -Lc %d:%i "/proc/$first_process/fd/6") != $(stat -c %d:%i /) ]] ||
	fail "it has the host's root directory"

wait "$pid"
