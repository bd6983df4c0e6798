#!/bin/bash
# SPDX-License-Identifier: MIT
# FIFOs and sockets on the base where QEMU's 9p can make them; always in /tmp and on ephemeral roots.
. "$(dirname "$0")/../lib/e2e.sh"

make_them='mkfifo DIR/fifo && test -p DIR/fifo &&
	perl -MIO::Socket::UNIX -e "IO::Socket::UNIX->new(Local => q(DIR/socket), Listen => 1) or die" &&
	test -S DIR/socket'

guest --ephemeral -- sh -ec "${make_them//DIR//srv}"
expect_exit 0
guest -- sh -ec "${make_them//DIR//tmp}; ${make_them//DIR//run}"
expect_exit 0

copy_base "$WORK/base"
run vmrun "$WORK/base" -- sh -ec "${make_them//DIR//srv}"
# QEMU 7.2 as Debian ships it refuses them ("attempt to open special file");
# 10.0 makes them. A QEMU between the two is of neither kind for sure.
if [[ $(qemu_version) -ge 1000 ]]; then
	expect_exit 0
	[[ -p $WORK/base/srv/fifo && -S $WORK/base/srv/socket ]] || fail "no FIFO or socket on the host"
elif [[ $(qemu_version) -le 702 ]]; then
	expect_exit 1
	expect_err "No such device or address"
fi
