#!/bin/bash
# SPDX-License-Identifier: MIT
# Groups of control, by a kernel that has them all: a guest's. There an ordinary user is
# given a part of the tree, as systemd gives it, and the unit test's real half runs: limits
# are set and hold, what is killed for memory is told, what is left behind is removed.
# timeout: 600
. "$(dirname "$0")/../lib/e2e.sh"

program=${VMRUN%/*}/build/unit/test_cgroup
[[ -x $program ]] || fail "$program is missing; make unit builds it"

# With the host's C library: the program was linked against that.
cat >"$WORK/inside" <<'SCRIPT'
#!/bin/sh
set -eu
loader=$(ls /host/lib64/ld-linux-x86-64.so.2 /host/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 2>/dev/null | head -n 1)
tree=/sys/fs/cgroup
[ -e $tree/cgroup.procs ] || mount -t cgroup2 none $tree
echo "+memory +pids +cpu" >$tree/cgroup.subtree_control
mkdir -p $tree/user/leaf $tree/other
echo "+memory +pids +cpu" >$tree/user/cgroup.subtree_control
for dir in user user/leaf; do
	chown 1000 $tree/$dir $tree/$dir/cgroup.procs $tree/$dir/cgroup.subtree_control
done

# as_user GROUP HOW: the tests for that case, in that group
as_user() {
	sh -ec 'echo $$ >"$1/cgroup.procs"
		exec setpriv --reuid=1000 --regid=1000 --clear-groups "$2" \
			--library-path /host/lib/x86_64-linux-gnu:/host/lib64:/host/lib /test_cgroup "$3"' \
		- "$tree/$1" "$loader" "$2" 2>&1
}
as_user user/leaf delegated
as_user other closed
echo 1073741824 >$tree/user/leaf/memory.max
as_user user/leaf limited
left=$(find $tree/user -mindepth 1 -type d ! -name leaf)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
SCRIPT

run vmrun --ephemeral -m 1g -v /usr:/host:ro -v "$program:/test_cgroup:ro" \
	-v "$WORK/inside:/inside:ro" "$BASE" -- sh /inside
[[ $(grep -c 'PASSED' "$WORK/out") -eq 3 ]] || fail "not all three parts passed"
expect_exit 0
