#!/bin/bash
# SPDX-License-Identifier: MIT
# "vmrun sandbox": what it refuses, how it ends. What it tries is tests/escape's.
. "$(dirname "$0")/../lib/e2e.sh"

sandbox() {
	run "$VMRUN" sandbox "$@"
}

sandbox
expect_refused "--explain or --self-test" "usage: vmrun sandbox" "./sandbox"
sandbox --explain --self-test
expect_refused "either --explain or --self-test"
sandbox --self-test --without=walls
expect_refused "'walls' is no layer of the jail; there are root, " " and all"
sandbox --self-test --without=root,
expect_refused "'' is no layer"
sandbox --explain --without=root
expect_refused "--without goes with --self-test"
sandbox --self-test --bogus
expect_refused "unknown option --bogus"
sandbox --self-test "$BASE" true
expect_refused "'true' is too much"
sandbox --self-test "$WORK/nowhere"
expect_refused "nowhere"

for words in --help -h "--self-test --help"; do
	# shellcheck disable=SC2086 # words
	sandbox $words
	expect_exit 0
	expect_silent
	grep -q -- "--without" "$WORK/out" || fail "$words does not tell of --without"
	[[ $(wc -L <"$WORK/out") -le 80 ]] || fail "$words is wider than 80 columns"
done

# A layer that is missing shows: by name, by the exit code, and how, if asked.
sandbox --self-test --idmap=caller --without=environment
expect_exit 1
expect_silent
grep -qx "NOT contained: 1 of [0-9]* ways led out of the jail: caller/environment; --verbose shows how" \
	"$WORK/out" || fail "environment is not named"
FOO_TOKEN=secret sandbox --self-test --idmap=caller --without environment,session --verbose
expect_exit 1
grep -qP '^caller\tenvironment\tout\t[^\t]+\t[A-Z_]+=' "$WORK/out" || fail "not told how"
[[ $(tail -n 1 "$WORK/out") == "NOT contained: 3 of "*" caller/session, caller/process-group" ]] ||
	fail "two layers at once are not told of"

# It ends at a signal, and leaves nothing: no file, no process.
for signal in INT TERM; do
	"$VMRUN" sandbox --self-test >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	wait_for 10 eval '[[ -n $(descendants $pid) ]]'
	below=$(descendants "$pid")
	kill -"$signal" "$pid"
	status=0
	wait "$pid" || status=$?
	expect_refused "interrupted"
	# shellcheck disable=SC2086 # process ids
	expect_gone $below
	expect_eq "what is left" "$(find "$TMPDIR" -mindepth 1)" ""
done
