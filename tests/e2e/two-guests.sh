#!/bin/bash
# SPDX-License-Identifier: MIT
# Two guests share a base that nobody writes to, and see each other's volume.
. "$(dirname "$0")/../lib/e2e.sh"

mkdir "$WORK/volume"
for name in one two; do
	"$VMRUN" --accel=tcg --ephemeral -v "$WORK/volume:/mnt" "$BASE" -- sh -ec "
		echo $name >/etc/only-mine
		echo hello from $name >/mnt/$name
		while [ ! -e /mnt/one ] || [ ! -e /mnt/two ]; do sleep 0.1; done
		cat /mnt/one /mnt/two /etc/only-mine" >"$WORK/$name.out" 2>"$WORK/$name.err" &
	eval "$name=\$!"
done
# shellcheck disable=SC2154 # set by eval
for name in one two; do
	status=0
	wait "${!name}" || status=$?
	[[ $status -eq 0 ]] || fail "guest $name: $status: $(<"$WORK/$name.err")"
	expect_eq "output of $name" "$(<"$WORK/$name.out")" \
		$'hello from one\nhello from two\n'"$name"
done
