#!/bin/bash
# SPDX-License-Identifier: MIT
# What is in QEMU's place is no QEMU: nothing, a directory, a text, half a program, a program
# that only ends. Always 125, and it is said, and no template is lost by it.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"
. "$(dirname "$0")/../lib/hostile.sh"

mkdir -p "$WORK/prefix/bin"
chmod 755 "$WORK" "$WORK/prefix" "$WORK/prefix/bin"
export VMRUN_QEMU=$WORK/prefix/bin/qemu-system-x86_64
real=$(command -v qemu-system-x86_64)

# replaced WORDS -- COMMAND...: which makes it; by both ways to start a guest.
replaced() {
	local words=() option
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	rm -rf "$VMRUN_QEMU"
	"$@"
	for option in --no-template --read-only; do
		guest "$option" -- sh -c 'exit 7'
		expect_exit 125
		[[ ! -s $WORK/out ]] || fail "stdout is not empty"
		# One more where a template was to be made first.
		[[ $(wc -l <"$WORK/err") -le 2 ]] || fail "stderr is not a line"
		expect_err "vmrun: " "${words[@]}"
	done
}
copy() { # PROGRAM
	install -m 755 "$(readlink -f "$1")" "$VMRUN_QEMU"
}
write() { # TEXT [MODE]
	printf %b "$1" >"$VMRUN_QEMU"
	chmod "${2:-755}" "$VMRUN_QEMU"
}
cut_short() { # BYTES
	head -c "$1" "$(readlink -f "$real")" >"$VMRUN_QEMU"
	chmod 755 "$VMRUN_QEMU"
}
own_cache
guest_after() {
	unset VMRUN_QEMU
	guest "$@" -- sh -c 'exit 7'
	expect_exit 7
	expect_silent
}

replaced VMRUN_QEMU "no program" -- true # nothing
replaced VMRUN_QEMU "no program" -- mkdir "$VMRUN_QEMU"
replaced VMRUN_QEMU "no program" -- mkfifo "$VMRUN_QEMU"
replaced VMRUN_QEMU "no program" -- ln -s /dev/null "$VMRUN_QEMU"
replaced VMRUN_QEMU "no program" -- ln -s "$WORK/nowhere" "$VMRUN_QEMU"
replaced VMRUN_QEMU "no program" -- write 'a text\n' 644
replaced -- write 'a text\n'
replaced -- write ''
replaced -- write '#!/bin/sh\nexit 0\n'
replaced -- write '\177ELF'
replaced -- cut_short 64
replaced -- cut_short 100000
replaced "QEMU failed (exit status 1)" -- copy /bin/false
replaced "ended before its command's exit was known" -- copy /bin/true

guest_after --read-only
