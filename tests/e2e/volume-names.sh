#!/bin/bash
# SPDX-License-Identifier: MIT
# Host paths with commas, spaces, newlines, quotes and equal signs are only paths.
. "$(dirname "$0")/../lib/e2e.sh"

index=0
options=()
for name in 'a,b' 'a,,b=c,readonly=on' 'with space' $'new\nline' "quo'te\"s" '-dash' 'ünïcödé' '*?[' '%s%n'; do
	mkdir -- "$WORK/./$name"
	echo "content $index" >"$WORK/$name/file"
	options+=(-v "$WORK/$name:/mnt/v$index")
	index=$((index + 1))
done
guest --ephemeral "${options[@]}" -- sh -c 'cat /mnt/v*/file'
expect_exit 0
expect_out "$(for ((i = 0; i < index; i++)); do echo "content $i"; done)"

# A base of such a name, too.
copy_base "$WORK/ba,se=x, y"
run vmrun "$WORK/ba,se=x, y" -- cat /etc/debian_version
expect_exit 0
