# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What tests put in QEMU's place, sourced after e2e.sh. The jail shows a program the
# files that it needs, and runs no other: no scripts.

here=$(dirname "${BASH_SOURCE[0]}")

# build_static PROGRAM SOURCE...: of the test's own, to run in a guest or in a jail.
build_static() {
	local program=$1
	shift
	musl-gcc -std=gnu11 -O2 -static -D_GNU_SOURCE -I "$here/../.." -idirafter /usr/include \
		-idirafter "/usr/include/$(gcc -print-multiarch)" -o "$program" "$@"
}

# new_qemu DIR: DIR/bin/qemu-system-x86_64, to be made, is the QEMU from here on.
new_qemu() {
	mkdir -p "$1/bin"
	chmod 755 "$WORK" "$1" "$1/bin"
	export VMRUN_QEMU=$1/bin/qemu-system-x86_64
}

# static_qemu DIR SOURCE...: a program that needs nothing is the QEMU from here on.
static_qemu() {
	new_qemu "$1"
	build_static "$VMRUN_QEMU" "${@:2}"
	chmod 755 "$VMRUN_QEMU"
}

# copy_qemu DIR: another installation of the real one is the QEMU from here on.
copy_qemu() {
	local real part
	real=$(readlink -f "$(command -v qemu-system-x86_64)")
	new_qemu "$1"
	cp --reflink=auto "$real" "$VMRUN_QEMU"
	# Modules and firmware, where this distribution, or tests/lib/make-qemu10, has them.
	for part in lib/x86_64-linux-gnu/qemu lib64/qemu lib/qemu share/qemu share/seabios \
		bin/qemu-bundle; do
		if [[ -d ${real%/bin/*}/$part ]]; then
			mkdir -p "$1/${part%/*}"
			ln -s "${real%/bin/*}/$part" "$1/$part"
		fi
	done
	chmod -R a+rX "$1"
}

# fake_qemu DIR [OPTION...]: the real one is the QEMU from here on, but before it is
# anything, the constructors of the C program on stdin run in it. They may be all of it.
fake_qemu() {
	copy_qemu "$1"
	gcc -std=gnu11 -O2 -shared -fPIC -Wall -Wextra -Werror -D_GNU_SOURCE "${@:2}" \
		-o "$1/fake.so" -x c -
	patchelf --add-needed "$1/fake.so" "$VMRUN_QEMU"
	chmod 755 "$1/fake.so"
}
