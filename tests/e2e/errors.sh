#!/bin/bash
# SPDX-License-Identifier: MIT
# What cannot be is refused with exit 125 and one line that says what to do.
. "$(dirname "$0")/../lib/e2e.sh"

run vmrun --no-such-option "$BASE"
expect_refused --no-such-option
run vmrun --ephemral "$BASE"
expect_refused --ephemral --ephemeral
run vmrun --memory=lots "$BASE"
expect_refused --memory lots
run vmrun --read-only --ephemeral "$BASE"
expect_refused --read-only --ephemeral
run vmrun
expect_refused ROOT
run vmrun --memory
expect_refused --memory

run vmrun "$WORK/missing" -- true
expect_refused "$WORK/missing" "does not exist"
touch "$WORK/file"
run vmrun "$WORK/file" -- true
expect_refused "$WORK/file" "not a directory"
run vmrun / -- true
expect_refused /

mkdir "$WORK/empty"
run vmrun "$WORK/empty" -- true
expect_refused "$WORK/empty" "no root directory"
mkdir -p "$WORK/nokernel"/{bin,etc,usr/bin}
run vmrun "$WORK/nokernel" -- true
expect_refused kernel linux-image -k

# Control characters of a name do not reach the terminal.
run vmrun "$WORK/"$'missing\e[31m\nname' -- true
expect_refused "does not exist"
! grep -q $'\e' "$WORK/err" || fail "an escape sequence passed"
