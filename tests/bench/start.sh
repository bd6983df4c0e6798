#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
# tun: open
# From nothing to the end of a command that does nothing, over the same root directory,
# under emulation, by an ordinary user.
. "$(dirname "$0")/../lib/bench.sh"

RUNS=9
SLOW_RUNS=3

# With directories of its own, all of which are thrown away; where their path is long,
# that of its sockets is too long, and it waits for 20 seconds.
podman_home=$(mktemp -d -p /var/tmp)
podman_run() { # [OPTION...]
	HOME=$podman_home XDG_RUNTIME_DIR=$podman_home/rt XDG_CACHE_HOME=$podman_home/cache \
		podman "${runtime[@]}" run --rm "$@" --rootfs "$BASE_CALLER" /bin/true
}
podman_end() {
	local pause=$podman_home/rt/libpod/tmp/pause.pid
	# The process that keeps its user namespace for the next call.
	[[ ! -e $pause ]] || kill "$(<"$pause")"
	rm -rf "$podman_home"
}
trap podman_end EXIT
mkdir -m 700 "$podman_home/rt"

# podman's crun refuses the mixed cgroups that some hosts have.
runtime=()
for name in /usr/sbin/runc /usr/bin/runc; do
	[[ ! -x $name ]] || runtime=("--runtime=$name")
done

first=$(milliseconds vmrun --no-template "$BASE_BENCH" -- true)
making=$(milliseconds vmrun "$BASE_BENCH" -- true)
for ((i = 0; i < SLOW_RUNS; i++)); do
	milliseconds vmrun --no-template "$BASE_BENCH" -- true >>"$WORK/cold"
	milliseconds by_hand >>"$WORK/hand"
done
run by_hand
grep -q "Attempted to kill init" "$WORK/out" || fail "the command by hand does not get to its command"

podman=
if command -v podman >/dev/null; then
	podman_run --network=none || fail "podman does not run"
	podman=none
	! podman_run >/dev/null 2>&1 || podman="none default"
fi
for ((i = 0; i < RUNS; i++)); do
	milliseconds vmrun "$BASE_BENCH" -- true >>"$WORK/warm"
	milliseconds vmrun --read-only --network=none "$BASE_BENCH" -- true >>"$WORK/warm-ro"
	milliseconds vmrun --dry-run "$BASE_BENCH" -- true >>"$WORK/plan"
	for network in $podman; do
		option=--network=$network
		[[ $network != default ]] || option=--quiet
		milliseconds podman_run "$option" >>"$WORK/podman-$network"
	done
done
run vmrun --timing=json "$BASE_BENCH" -- sh -c 'exit 42'
expect_exit 42
grep -q '"restored":true' "$WORK/err" || fail "what was measured were no restored guests"

cold=$(median <"$WORK/cold")
hand=$(median <"$WORK/hand")
warm=$(median <"$WORK/warm")
run vmrun --dry-run --no-template "$BASE_BENCH" -- true
size=$(sed -n 's/.*initramfs \([0-9]*\) KiB.*/\1/p' "$WORK/out")
row "vmrun, from a template (median of $RUNS)" "$warm" ms
row "the same, --read-only --network=none" "$(median <"$WORK/warm-ro")" ms
row "vmrun, cold start (--no-template, median of $SLOW_RUNS)" "$cold" ms
row "vmrun, first run (makes the template, starts from it)" "$making" ms
row "vmrun, very first start (unpacks the kernel, boots)" "$first" ms
row "by hand (median of $SLOW_RUNS)" "$hand" ms
for network in $podman; do
	row "podman run --rootfs, network $network (median of $RUNS)" \
		"$(median <"$WORK/podman-$network")" ms
done
[[ -n $podman ]] || echo "podman is not installed"
row "vmrun, jail and plan (--dry-run)" "$(median <"$WORK/plan")" ms
row "initramfs; by hand $(($(stat -c %s "$BASE_BENCH"/boot/initrd.img-*) / 1024)) KiB" "$size" KiB
row "a template is this many times as fast as a cold start" "$(ratio "$cold" "$warm")" x
row "and as the command by hand" "$(ratio "$hand" "$warm")" x
row "a cold start is this many times as fast as by hand" "$(ratio "$hand" "$cold")" x
for network in $podman; do
	row "podman's time (network $network) goes into vmrun's" \
		"$(ratio "$warm" "$(median <"$WORK/podman-$network")")" x
done

echo
echo "where the time goes (medians of $RUNS)"
for ((i = 0; i < RUNS; i++)); do
	run vmrun --timing=json "$BASE_BENCH" -- true
	cat "$WORK/err" >>"$WORK/timing"
done
python3 - "$WORK/timing" <<'EOT'
import json, statistics, sys
runs = [json.loads(line) for line in open(sys.argv[1])]
assert all(run["restored"] for run in runs)
for i, phase in enumerate(runs[0]["phases"]):
    print(f"  {phase['name']:<12} {statistics.median(run['phases'][i]['ms'] for run in runs):7.1f} ms")
def jail(run):
    return sum(p["ms"] for p in run["phases"] if p["name"] in ("namespace", "jail", "exec"))
print(f"  {'of it jail':<12} {statistics.median(map(jail, runs)):7.1f} ms (namespace, jail, exec)")
print(f"  {'total':<12} {statistics.median(run['total_ms'] for run in runs):7.1f} ms")
EOT
