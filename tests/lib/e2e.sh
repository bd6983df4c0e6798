# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Helpers of the end-to-end tests; each tests/e2e/*.sh sources this first.
#
# From tests/run: $VMRUN, $BASE (guest root is the first subordinate id), $BASE_CALLER
# (guest root is the caller), $WORK (an empty directory of this test's own).
set -euo pipefail

# TCG unless a test is about accelerators: the same everywhere.
vmrun() {
	"$VMRUN" --accel=tcg "$@"
}

# run COMMAND...: leaves $status, $WORK/out and $WORK/err.
status=
run() {
	status=0
	"$@" >"$WORK/out" 2>"$WORK/err" || status=$?
}

# guest [OPTION...] -- COMMAND...: run it over $BASE.
guest() {
	local options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	run vmrun "${options[@]}" "$BASE" "$@"
}

fail() {
	echo "FAILED at ${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*"
	if [[ -e $WORK/out ]]; then
		echo "--- status $status, stdout:"
		head -c 2000 "$WORK/out"
		echo "--- stderr:"
		head -c 4000 "$WORK/err"
	fi
	# shellcheck disable=SC2046 # one word a job
	kill $(jobs -p) 2>/dev/null || true
	exit 1
}

expect_exit() {
	[[ $status -eq $1 ]] || fail "exit status $status instead of $1"
}

expect_out() {
	[[ $(<"$WORK/out") == "$1" ]] || fail "stdout is not: $1"
}

# Every argument is in stderr.
expect_err() {
	local words
	for words; do
		grep -qF -- "$words" "$WORK/err" || fail "stderr does not say: $words"
	done
}

expect_silent() {
	[[ ! -s $WORK/err ]] || fail "stderr is not empty"
}

# How vmrun itself fails: 125, nothing on stdout, one line that has the words.
expect_refused() {
	expect_exit 125
	[[ ! -s $WORK/out ]] || fail "stdout is not empty"
	[[ $(wc -l <"$WORK/err") -eq 1 ]] || fail "stderr is not one line"
	expect_err "$@"
}

expect_eq() { # WHAT GOT WANTED
	[[ $2 == "$3" ]] || fail "$1: '$2' instead of '$3'"
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[[ $SECONDS -lt $deadline ]] || fail "waited in vain for: $*"
		sleep 0.05
	done
}

# Root of a user namespace that has every id of the caller's.
as_guest_owner() {
	unshare --map-auto --map-root-user -- "$@"
}

# The same over $BASE, where guest root is the first subordinate id. The caller's own is
# mapped behind those of the guest: the directories above are closed to all others.
as_subid_owner() {
	unshare --map-auto --map-user=70000 --map-group=70000 --setuid 0 --setgid 0 -- "$@"
}

# copy_base DIR [BASE]: one that may be spoilt.
copy_base() {
	as_guest_owner cp -a --reflink=auto "${2:-$BASE}" "$1"
}

# The host's id of guest id $1 over $BASE.
host_id() {
	echo $(($(stat -c %u "$BASE") + $1))
}

# descendants PID: of all generations.
descendants() {
	local child
	while read -r child; do
		echo "$child"
		descendants "$child"
	done < <(cat /proc/"$1"/task/*/children 2>/dev/null | tr ' ' '\n')
}

# find_qemu PID: the QEMU below the vmrun with this process id.
find_qemu() {
	local pid
	for pid in $(descendants "$1"); do
		if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == qemu-system* ]]; then
			echo "$pid"
			return
		fi
	done
	return 1
}

# A port of 127.0.0.1 that nobody has now.
free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1",
		Listen => 1)->sockport'
}

# No process of the vmrun that had these descendants is left.
expect_gone() {
	local pid
	for pid; do
		wait_for 5 is_gone "$pid"
	done
}

is_gone() {
	[[ ! -e /proc/$1 || $(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null) == Z ]]
}

qemu_version() { # as 702 or 1000
	qemu-system-x86_64 --version |
		sed -n '1s/.* \([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p' | awk '{ print $1 * 100 + $2 }'
}
