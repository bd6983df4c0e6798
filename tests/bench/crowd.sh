#!/bin/bash
# SPDX-License-Identifier: MIT
# 20 guests started at once from one template: that all succeed, how long it takes, and
# what memory a waiting one has of its own (Pss: what is shared is counted by shares).
. "$(dirname "$0")/../lib/bench.sh"

GUESTS=20

vmrun --read-only "$BASE_BENCH" -- true # makes the template, if need be

start=$(date +%s%N)
for ((i = 0; i < GUESTS; i++)); do
	vmrun --read-only --timing=json "$BASE_BENCH" -- cat /proc/sys/kernel/random/uuid \
		>"$WORK/out.$i" 2>"$WORK/err.$i" &
done
failed=0
for job in $(jobs -p); do
	wait "$job" || failed=$((failed + 1))
done
all=$((($(date +%s%N) - start) / 1000000))
[[ $failed -eq 0 ]] || fail "$failed of $GUESTS guests failed"
[[ $(cat "$WORK"/err.* | grep -c '"restored":true') -eq $GUESTS ]] || fail "not all were restored"
[[ $(cat "$WORK"/out.* | sort -u | wc -l) -eq $GUESTS ]] || fail "two have the same uuid"

for ((i = 0; i < GUESTS; i++)); do
	"$VMRUN" --accel=tcg --read-only "$BASE_BENCH" -- sh -c 'echo here; exec sleep 600' \
		>"$WORK/out.$i" 2>"$WORK/err.$i" &
done
all_here() {
	[[ $(cat "$WORK"/out.* | grep -c here) -eq $GUESTS ]]
}
wait_for 120 all_here
pss=0
private=0
for job in $(jobs -p); do
	qemu=$(find_qemu "$job")
	# Its memory is that of another id: its own user namespace's root may look.
	read -r p d < <(nsenter --user --target "$qemu" \
		awk '/^Pss:/ { p = $2 } /^Private_Dirty/ { d = $2 } END { print p, d }' \
		"/proc/$qemu/smaps_rollup")
	pss=$((pss + p))
	private=$((private + d))
done
# shellcheck disable=SC2046 # one word a job
kill $(jobs -p)
wait || true
row "$GUESTS guests at once, all done in" "$all" ms
row "Pss of a waiting guest of 512 MiB, mean of $GUESTS" "$((pss / GUESTS))" kB
row "of that private and changed" "$((private / GUESTS))" kB
[[ $((pss / GUESTS)) -le $((48 * 1024)) ]] || fail "more than 48 MB"
