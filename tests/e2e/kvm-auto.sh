#!/bin/bash
# SPDX-License-Identifier: MIT
# --accel=auto: KVM where it runs guests, else TCG, with one warning where KVM lied, remembered.
# kvm: open
. "$(dirname "$0")/../lib/e2e.sh"

auto() {
	run "$VMRUN" "$@" "$BASE" -- sh -c 'exit 42'
}

export XDG_CACHE_HOME=$WORK/cache
auto
expect_exit 42
if [[ ! -e /dev/kvm ]]; then
	expect_silent
	auto --accel=kvm
	expect_refused /dev/kvm
elif [[ -s $WORK/err ]]; then
	# It is there and may be opened, and a guest does not live under it.
	expect_eq "lines of warning" "$(wc -l <"$WORK/err")" 1
	expect_err KVM emulation
	auto
	expect_exit 42
	expect_silent
else
	auto --dry-run
	grep -q "machine.*KVM" "$WORK/out" || fail "no warning, but no KVM either"
fi
auto --accel=tcg
expect_exit 42
expect_silent
