#!/bin/bash
# SPDX-License-Identifier: MIT
# What shapes a guest until it waits for its orders leads to another template; the rest does not.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

# key [OPTION...] BASE: of the template for it, which is made if need be.
key() {
	local out
	out=$("$VMRUN" template create --accel=tcg -m 96m "$@") || fail "no template for $*"
	[[ $out =~ ^[0-9a-f]{64}$ ]] || fail "no key: $out"
	echo "$out"
}

declare -A keys
# other WHAT [OPTION...] BASE: has a key that nothing before had.
other() {
	local what=$1 got
	shift
	got=$(key "$@")
	[[ -z ${keys[$got]:-} ]] || fail "$what leads to the template of ${keys[$got]}"
	keys[$got]=$what
}

own_cache
copy_base "$WORK/base"
kernel=$(echo "$WORK"/base/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}
other nothing "$WORK/base"
first=${!keys[*]}
inode=$(stat -c %i "$templates/$first.template")

# None of these is seen by the guest before it has its orders.
as_guest_owner touch "$kernel" "$WORK/base"/usr/lib/modules/*/modules.dep
mkdir "$WORK/volume"
same=(--read-only -p "$((20000 + RANDOM % 20000)):80" -e A=1 -v "$WORK/volume:/mnt" --name=other
	--hostname=other -u 33 -w /srv --cache=none --timeout=100)
run vmrun -m 96m --timing=json "${same[@]}" "$WORK/base" -- true
expect_exit 0
expect_restored
run vmrun -m 96m --timing=json --network=none --ephemeral "$BASE" -- true
expect_exit 0
expect_restored
expect_eq "key of the same kernel in another base" "$(key --read-only "$BASE_CALLER")" "$first"
expect_eq templates "$(list_templates)" "$templates/$first.template"
expect_eq "inode of the template" "$(stat -c %i "$templates/$first.template")" "$inode"

other memory -m 128m "$WORK/base"
other cpus --cpus=2 "$WORK/base"
other "kernel's command line" -a quiet "$WORK/base"

# A byte more, by which a module stays one, and the old time of change; and there again
# without it, that is as it was before.
module=$(find "$WORK/base/usr/lib/modules/$version" -name '9p.ko*')
cp "$module" "$WORK/module"
as_guest_owner sh -ec 'printf x >>"$1"; touch -r "$2" "$1"' - "$module" "$WORK/module"
other module "$WORK/base"
as_guest_owner cp "$WORK/module" "$module"
expect_eq "key of the module as it was" "$(key "$WORK/base")" "$first"

cp "$kernel" "$WORK/kernel"
printf x >>"$WORK/kernel"
other kernel --kernel="$WORK/kernel" --modules="$WORK/base/usr/lib/modules/$version" "$WORK/base"

copy_qemu "$qemu_prefix"
other "path of QEMU" "$WORK/base"
touch "$VMRUN_QEMU"
other "touched QEMU" "$WORK/base"
unset VMRUN_QEMU
expect_eq "key in the end" "$(key "$WORK/base")" "$first"
expect_eq "number of templates" "$(list_templates | wc -w)" ${#keys[@]}
