#!/bin/bash
# SPDX-License-Identifier: MIT
# No way out of the jail as guests have it: under every id layout, with a network and
# without, over bases, with a terminal and without, by a user who looks for one line.
. "$(dirname "$0")/../lib/e2e.sh"

expect_contained() { # WHAT
	expect_exit 0
	expect_silent
	[[ $(wc -l <"$WORK/out") -eq 1 ]] || fail "stdout is not one line"
	grep -qE "^contained: 0 of [0-9]+ ways led out of the jail \($1\)\$" "$WORK/out" ||
		fail "it does not say that $1 contains"
}

tried() {
	sed -n 's/^contained: 0 of \([0-9]*\) .*/\1/p' "$WORK/out"
}

run "$VMRUN" sandbox --self-test
expect_contained "id layouts caller, subid, single"
[[ $(tried) -ge 240 ]] || fail "fewer than 80 attempts a layout"

for network in none user; do
	for layout in caller subid single; do
		run "$VMRUN" sandbox --self-test --network="$network" --idmap="$layout"
		expect_contained "id layout $layout"
	done
done

# Over a base, which stays as it is.
look() { # BASE
	as_guest_owner find "$1" -maxdepth 1 -printf '%p %m %U %G %t %c\n' | sort
}
for base in "$BASE" "$BASE_CALLER"; do
	before=$(look "$base")
	run "$VMRUN" sandbox --self-test "$base"
	expect_exit 0
	expect_eq "the base" "$(look "$base")" "$before"
done

# With all that a caller may have open: a terminal, a directory, a secret to be typed.
exec 8<"$WORK" 9<>"$WORK/open"
status=0
python3 -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
	"$VMRUN" sandbox --self-test --idmap=caller <<<"typed" >"$WORK/out" 2>"$WORK/err" || status=$?
exec 8<&- 9>&-
expect_exit 0
grep -q "contained: 0 of" "$WORK/out" || fail "a terminal is a way out"

# Each attempt can be seen, and none came to no end.
run "$VMRUN" sandbox --self-test --idmap=subid --verbose
expect_exit 0
expect_eq "attempts held" "$(grep -cP '^subid\t[^\t]+\theld\t[^\t]+\t' "$WORK/out")" "$(tried)"
