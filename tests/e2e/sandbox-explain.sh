#!/bin/bash
# SPDX-License-Identifier: MIT
# vmrun sandbox --explain: the plan names all there is; a running guest is as planned, in
# both layouts, with and without a network; a QEMU that is not confined is told apart.
. "$(dirname "$0")/../lib/e2e.sh"

# explain [ARG...]: leaves $status, $WORK/out and $WORK/err.
explain() {
	run "$VMRUN" sandbox --explain "$@"
}

expect_columns() {
	if grep -nE '^.{81}' "$WORK/out"; then fail "wider than 80 columns"; fi
}

# --- the plan ---

explain "$BASE"
expect_exit 0
expect_columns
for words in "Who lives where" "subid: the guest's ids" uid_map "Namespaces" "/vm/root" \
	qemu-system-x86_64 'Stages "attach"' 'Stages "confine"' 'Stages "exec"' 'Stages "rest"' \
	"chown, dac_override, fowner, fsetid" "core file size" "control group" \
	"network helper" "What a guest can do" "qemu, of QEMU: " "(kills)"; do
	grep -qF -- "$words" "$WORK/out" || fail "the plan lacks: $words"
done
# The stages by name, each on a line of its own, in the order of the table.
sed -n '/^Stages/,/^Capabilities/ s/^  \([a-z].*[^ ]\)   *must: .*/\1/p' "$WORK/out" >"$WORK/stages"
for stage in lifeline "private mounts" attach identity undumpable session root programs devices \
	proc "base and volumes" "no namespaces" pivot seal "no new privileges" limits capabilities \
	"system calls"; do
	grep -qxF -- "$stage" "$WORK/stages" || fail "no stage: $stage"
done
[[ $(wc -l <"$WORK/stages") -ge 20 ]] || fail "only $(wc -l <"$WORK/stages") stages"

explain "$BASE_CALLER"
expect_exit 0
grep -qF "caller: the guest's root is the caller" "$WORK/out" || fail "not the caller's layout"

explain
expect_exit 0
expect_columns

explain "$WORK/nothing"
expect_refused "$WORK/nothing"

# --- a guest that runs ---

is_up() { # NAME
	grep -qs up "$WORK/$1.out"
}

# look NAME BASE [OPTION...]: start it, and explain it.
look() {
	local name=$1 base=$2 pid
	shift 2
	"$VMRUN" --accel=tcg --read-only --name="$name" "$@" "$base" -- sh -c 'echo up; exec sleep 1000' \
		>"$WORK/$name.out" 2>"$WORK/$name.err" &
	pid=$!
	wait_for 60 is_up "$name"
	explain --name "$name"
	expect_exit 0
	expect_silent
	expect_columns
	grep -F "Guest $name (process $(find_qemu "$pid"))" "$WORK/out" || fail "not of its QEMU"
	if grep -F "NOT as planned" "$WORK/out"; then fail "not as planned"; fi
	for words in "as planned             all " "  net namespace          as planned: its own" \
		"  effective              as planned: chown, dac_override, fowner, fsetid" \
		"  no_new_privs           as planned: 1" "  /vm/root               as planned: ro," \
		"The jail's first process: process "; do
		grep -qF -- "$words" "$WORK/out" || fail "it lacks: $words"
	done
}

stop_guest() {
	kill %%
	wait %% || true
}

# A published port is what has the network helper started at once.
look subid-net "$BASE" -p "$((20000 + RANDOM % 20000)):80"
grep -qF "The network helper: process " "$WORK/out" || fail "no network helper"
grep -qF "hidden: they belong to the guest's ids" "$WORK/out" || fail "the descriptors are seen"
stop_guest
look caller-none "$BASE_CALLER" --network=none
grep -qF "There is none: the guest has no network" "$WORK/out" || fail "a network helper"
grep -q "open descriptors  *[0-9]* files" "$WORK/out" || fail "the descriptors are not seen"

explain --name caller
expect_refused "'caller'"
stop_guest
explain --name caller-none
expect_refused "'caller-none'"

# --- something in a user namespace of ours that only says that it is a guest ---

mkfifo "$WORK/never"
# shellcheck disable=SC2016 # $1 is the shell's in there
unshare --user --map-root-user bash -c \
	'exec -a qemu-system /bin/sh -c "read -r x <>\$1" "$@"' - -name "$WORK/never" -name guest=impostor &
impostor_shown() {
	explain --name impostor
	[[ $status -eq 0 ]]
}
wait_for 10 impostor_shown
expect_columns
sed -n 1,2p "$WORK/out" | grep -q "NOT as planned" || fail "that it is not as planned does not come first"
for words in "  no_new_privs           NOT as planned: 0" "NOT as planned: not filtered" \
	"  mnt namespace          NOT as planned: the caller's"; do
	grep -qF -- "$words" "$WORK/out" || fail "it lacks: $words"
done
# shellcheck disable=SC2046 # one word a job
kill $(jobs -p)
wait
