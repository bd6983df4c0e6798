#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
#
# --disk: what is written stays, what is read-only is not written, an image in use is not
# used twice, and what an image names beside itself is not opened.
source "$(dirname "$0")/../lib/e2e.sh"

cd "$WORK"
truncate -s 8M raw.img
qemu-img create -q -f qcow2 cow.img 8M
cp raw.img "with:colon"

# Both formats in one guest, with a partition and past every file system.
guest -q --disk raw.img --disk cow.img --disk ./with:colon:rw -- sh -euc '
	ls /dev/vd?
	printf raw-data >/dev/vda
	printf cow-data | dd of=/dev/vdb bs=512 seek=8 conv=notrunc status=none
	printf QFI\\373\\000\\000\\000\\003 >/dev/vdc'
expect_exit 0
expect_out '/dev/vda
/dev/vdb
/dev/vdc'
expect_eq "what was written to raw" "$(head -c 8 raw.img)" raw-data
run qemu-img check -q cow.img
expect_exit 0
# Written by the guest: taken for qcow2 now, which it is not, unless told.
guest -q --disk with:colon:rw -- true
expect_refused "--disk: 'with:colon' begins like qcow2, but is damaged"

# Read-only, and in use: by a guest that reads, others may only read.
rm -f go
mkfifo go
vmrun -q --disk raw.img:ro --disk cow.img:ro,qcow2 --disk ./with:colon:ro,raw --shared "$BASE" -- \
	sh -c 'cat /sys/block/vda/ro; head -c 8 /dev/vda; echo
		dd if=/dev/vdb bs=512 skip=8 count=1 status=none | head -c 8; echo
		echo x >/dev/vda || echo refused
		echo x >/dev/vdb || echo refused
		head -c 3 /dev/vdc; echo; cat' >reader.out 2>reader.err <go &
reader=$!
exec {hold}>go
wait_for 30 grep -q QFI reader.out
guest -q --shared --disk raw.img -- true
expect_refused "--disk 'raw.img'" "is in use"
run qemu-img check cow.img
[[ $status -ne 0 ]] || true
run qemu-io -f qcow2 -c 'write 0 512' cow.img
[[ $status -ne 0 ]] || fail "qemu-io wrote to an image in use"
# What the jail has of them.
run "$VMRUN" sandbox --explain --disk raw.img:ro "$BASE"
expect_exit 0
grep -qE '^ */vm/disks/0 +ro, nosuid, nodev, noexec: raw.img' out || fail "not explained"
qemu=$(find_qemu $reader)
expect_eq "files in QEMU's /vm/disks" \
	"$(awk '$5 ~ "^/vm/disks/" { print $5, substr($6, 1, 2) }' "/proc/$qemu/mountinfo" | xargs)" \
	"/vm/disks/0 ro /vm/disks/1 ro /vm/disks/2 ro"
exec {hold}>&-
wait $reader
expect_eq "what the reader read" "$(xargs <reader.out)" "1 raw-data cow-data refused refused QFI"
expect_eq "raw after the reader" "$(head -c 8 raw.img)" raw-data

# Not to be had.
guest -q --disk none.img -- true
expect_refused "--disk: 'none.img' does not exist"
guest -q --disk . -- true
expect_refused "--disk: '.' is a directory"
guest -q --disk go -- true
expect_refused "--disk: 'go' is no regular file"
: >empty
guest -q --disk empty -- true
expect_refused "is empty"
guest -q --disk raw.img:qcow2 -- true
expect_refused "is no qcow2 image"
guest -q --disk raw.img:ro,zip -- true
expect_refused "does not end in options"
printf 'KDMV%0600d' 0 >other.vmdk
guest -q --disk other.vmdk -- true
expect_refused "is a VMDK image"
chmod 400 raw.img
if [[ $EUID -ne 0 ]]; then
	guest -q --disk raw.img -- true
	expect_refused "cannot be written to; add :ro"
fi
many=()
for _ in 1 2 3 4 5 6 7 8 9; do many+=(--disk cow.img:ro); done
guest -q "${many[@]}" -- true
expect_refused "more than 8 disks"
run "$VMRUN" template create --disk cow.img "$BASE"
expect_refused "--disk" "no template"

# What an image names.
qemu-img create -q -f qcow2 -F raw -b /etc/passwd backing.img 8M
qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on external.img 8M
guest -q --disk backing.img:ro -- true
expect_refused "'backing.img' has a backing file"
guest -q --disk external.img:ro -- true
expect_refused "'external.img' has its data in another file"
