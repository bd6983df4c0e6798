#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 at 500 random moments: of vmrun, of the jail's first process, of QEMU; before and
# while there is a template or an unpacked kernel. 0 processes, 0 mounts, 0 locks and
# 0 files are left, and the next run is as if nothing had happened.
# slow
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"
. "$(dirname "$0")/../lib/hostile.sh"

SEED=20240607
say "seed $SEED"
own_cache

everything() { # all that could be left behind
	cat /proc/self/mountinfo
	as_guest_owner find "$BASE" "$BASE_CALLER" -printf '%p|%y|%m|%U|%s\n' | sort
	find "$TMPDIR" "$XDG_RUNTIME_DIR" -mindepth 1
}
cached() {
	(cd "$XDG_CACHE_HOME/vmrun" && find . -printf '%P|%y|%m|%l\n' | sort && sha256sum ./*/*.vmlinux \
		./*/*.template)
}
expect_nothing_left() {
	everything >"$WORK/everything.after"
	diff "$WORK/everything" "$WORK/everything.after" || fail "something is left over"
}
kills() {
	"$here/kills.py" random "$@" || fail "kill -9 of $1"
}

everything >"$WORK/everything"

# Of a kernel or a template there is all, or nothing.
say "while the kernel is unpacked, and the template made"
rm -rf "${XDG_CACHE_HOME:?}/vmrun"
kills vmrun 8 $SEED 1500 137 "$VMRUN" --accel=tcg
rm -f "$templates"/*.template
kills vmrun 12 $((SEED + 10)) 2500 137 "$VMRUN" --accel=tcg
left=$(find "$XDG_CACHE_HOME/vmrun" -type f ! -name lock ! -name libraries ! -name '*.vmlinux' \
	! -name '*.template')
[[ -z $left ]] || fail "in the cache is left: $left"

for base in "$BASE" "$BASE_CALLER"; do
	run vmrun --timing=json "$base" -- true # the template is there, and known of this base
	sleep 2.1 # an older base's is noted
	run vmrun --timing=json "$base" -- true
	expect_exit 0
	expect_restored
	expect_silent
done
cached >"$WORK/cached"

start=$(date +%s%N)
run vmrun "$BASE" -- true
span=$((($(date +%s%N) - start) / 800000))
say "of vmrun that wakes a guest up, in its first 25 ms, and in $span ms"
kills vmrun 220 $((SEED + 20)) 25 137 "$VMRUN" --accel=tcg
kills vmrun 240 $((SEED + 30)) "$span" 137 "$VMRUN" --accel=tcg
cached >"$WORK/cached.after"
diff "$WORK/cached" "$WORK/cached.after" || fail "the cache is not what it was"
expect_nothing_left

say "of the jail's first process and of QEMU"
for victim in first qemu; do
	kills $victim 30 $((SEED + 40)) 300 125 "$VMRUN" --accel=tcg --no-template
	kills $victim 6 $((SEED + 50)) 2500 125 "$VMRUN" --accel=tcg --no-template
done
cached >"$WORK/cached.after"
diff "$WORK/cached" "$WORK/cached.after" || fail "the cache is not what it was"
expect_nothing_left

for base in "$BASE" "$BASE_CALLER"; do
	run vmrun --timing=json "$base" -- sh -c 'echo it runs; exit 7'
	expect_exit 7
	expect_out "it runs"
	expect_restored
	expect_silent
done
! grep -E ":($(stat -c %i "$BASE")|$(stat -c %i "$BASE_CALLER")) " /proc/locks || fail "a lock is left"
