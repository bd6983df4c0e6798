#!/bin/bash
# SPDX-License-Identifier: MIT
# vmrun in a guest, whose kernel has all groups of control: QEMU is in one of its own. If
# it takes more than its limit, that is said. Of a vmrun that was killed an empty group
# is left, and the next one removes it.
# timeout: 600
. "$(dirname "$0")/../lib/e2e.sh"

# The guest's programs are the host's, for QEMU; its base is itself.
cat >"$WORK/inside" <<'SCRIPT'
#!/bin/sh
set -eu
tree=/sys/fs/cgroup
[ -e $tree/cgroup.procs ] || mount -t cgroup2 none $tree
mkdir -p /srv/base /tmp/cache
mount --bind / /srv/base
mount --bind /host /usr
export XDG_CACHE_HOME=/tmp/cache HOME=/tmp

fail() {
	echo "$*"
	cat /tmp/said
	exit 1
}

# start: $group has a QEMU in it.
start() {
	/vmrun --accel=tcg --read-only --no-template --network=none --idmap=0:1000:60000 \
		-m 200m /srv/base -- true >/tmp/said 2>&1 &
	pid=$!
	group=$tree/vmrun-$pid
	tries=0
	until grep -qs qemu-system $(sed 's|.*|/proc/&/comm|' "$group/cgroup.procs" 2>/dev/null) </dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] && kill -0 $pid || fail "no QEMU in $group"
		sleep 0.2
	done
}

start
[ "$(cat "$group/pids.max")" = 512 ] || fail "the number of tasks is not limited"
[ "$(cat "$group/cpu.max")" = "200000 100000" ] || fail "the CPU is not limited"
[ "$(cat "$group/memory.max")" != max ] || fail "the memory is not limited"
echo 20000000 >"$group/memory.max" || true # it is over that already
status=0
wait $pid || status=$?
[ $status -eq 125 ] || fail "exit status $status"
grep -q "QEMU was killed: it used more than its limit of" /tmp/said || fail "not said why"
[ ! -e "$group" ] || fail "$group is left"

start
kill -9 $pid
until grep -q "populated 0" "$group/cgroup.events"; do sleep 0.1; done
/vmrun sandbox --explain >/tmp/said 2>&1 || fail "sandbox --explain fails"
[ ! -e "$group" ] || fail "$group is not removed by the next"
echo good
SCRIPT

run vmrun --ephemeral -m 1500m -v /usr:/host:ro -v "$VMRUN:/vmrun:ro" \
	-v "$WORK/inside:/inside:ro" "$BASE" -- sh /inside
expect_exit 0
expect_out good
