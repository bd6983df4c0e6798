#!/bin/bash
# SPDX-License-Identifier: MIT
# QEMU has no network. The helper has, and no file, no right, no id of the host's.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

first=$(stat -c %u "$BASE")
port=$(free_port)
SECRET_TOKEN=hunter2 "$VMRUN" --accel=tcg --idmap="0:$first:65536" --read-only -p "$port:80" "$BASE" \
	-- bash -c 'echo up; sleep 600' 5</etc/passwd 6</ >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q up "$WORK/out"
for process in $(descendants "$pid"); do
	[[ $(<"/proc/$process/comm") != vmrun-network ]] || helper=$process
done
[[ -n ${helper:-} ]] || fail "there is no helper"
qemu=$(find_qemu "$pid")

namespace() { # PID NAME
	readlink "/proc/$1/ns/$2"
}
field() {
	awk -v name="$1:" '$1 == name { print $2 }' "/proc/$helper/status"
}
expect_eq "the helper's network" "$(namespace "$helper" net)" "$(namespace self net)"
[[ $(namespace "$qemu" net) != "$(namespace self net)" ]] || fail "QEMU has the host's network"
expect_eq "interfaces of QEMU" "$(nsenter -t "$qemu" -n grep -c : /proc/self/net/dev)" 1
for name in user mnt pid ipc uts cgroup; do
	[[ $(namespace "$helper" "$name") != "$(namespace self "$name")" &&
		$(namespace "$helper" "$name") != "$(namespace "$qemu" "$name")" ]] ||
		fail "the helper's $name namespace is not its own"
done
expect_eq "its user" "$(awk '$1 == "Uid:" { print $2, $3, $4, $5 }' "/proc/$helper/status")" \
	"$first $first $first $first"
expect_eq "ids in its namespace" "$(awk '{ print $1, $3 }' "/proc/$helper/uid_map")" "0 1"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	expect_eq "$set" "$(field "$set")" 0000000000000000
done
expect_eq "no_new_privs" "$(field NoNewPrivs)" 1
expect_eq "its filter" "$(field Seccomp)" 2
expect_eq "its mounts" "$(cut -d ' ' -f 5 "/proc/$helper/mountinfo")" /
expect_eq "its files" "$(find "/proc/$helper/root/" -type f -printf '%P ')" "etc/resolv.conf "
for fd in "/proc/$helper/fd"/*; do
	target=$(readlink "$fd")
	[[ $target == /dev/null || $target == /null || $target == socket:* ]] ||
		fail "descriptor ${fd##*/} is $target"
done
! tr '\0' '\n' <"/proc/$helper/environ" | grep -q hunter2 || fail "it has the caller's environment"

kill "$pid"
wait "$pid" || true
expect_gone "$helper" "$qemu"
