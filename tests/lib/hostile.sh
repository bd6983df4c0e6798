# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Helpers of tests/hostile-guest and tests/kill, sourced after e2e.sh.

. "$(dirname "${BASH_SOURCE[0]}")/fake-qemu.sh"

# use_forger: tests/lib/forger.c is the QEMU from here on.
use_forger() {
	static_qemu "$WORK/forger" "$here/forger.c" "$here/../../runner/proto/proto.c"
}

# measured COMMAND...: as run, and leaves in $peak the most memory (kB) that it or what it
# waited for ever held, and in $took its milliseconds.
# shellcheck disable=SC2034 # they are for who calls it
measured() {
	status=0
	python3 "$here/measured.py" "$WORK/measured" "$@" >"$WORK/out" 2>"$WORK/err" || status=$?
	read -r peak took <"$WORK/measured"
}

# What reaches a terminal: text, and newlines, carriage returns and tabs.
expect_no_control() { # FILE
	! LC_ALL=C grep -qP '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]' "$1" ||
		fail "control characters in ${1##*/}"
}

say() { # progress
	echo "$(date +%T) $*"
}
