#!/bin/bash
# SPDX-License-Identifier: MIT
# --help and --version need nothing, not even a base.
. "$(dirname "$0")/../lib/e2e.sh"

run "$VMRUN" --version
expect_exit 0
grep -Eqx 'vmrun [0-9]+\.[0-9]+\.[0-9]+' "$WORK/out" || fail "no version"
expect_silent

run "$VMRUN" --help
expect_exit 0
expect_silent
for option in --volume --publish --env --env-file --workdir --user --memory --cpus --kernel --append \
	--network --name --timeout --tty --no-tty --read-only --ephemeral --shared --idmap --hostname \
	--accel --cache --modules --dry-run --verbose --quiet --version --help; do
	grep -q -- "$option\b" "$WORK/out" || fail "--help lacks $option"
done
[[ $(wc -L <"$WORK/out") -le 80 ]] || fail "--help is wider than 80 columns"
