#!/bin/bash
# SPDX-License-Identifier: MIT
# A kernel boots from a bzImage, from an ELF with a PVH entry, and with compressed modules.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- true
expect_exit 0
elf=$(find "$XDG_CACHE_HOME/vmrun/kernels" -type f | head -n 1)
[[ -n $elf ]] || fail "no unpacked kernel in the cache"
version=$(basename "$BASE"/boot/vmlinuz-*)
version=${version#vmlinuz-}
guest -k "$elf" --modules "$BASE/usr/lib/modules/$version" -- uname -r
expect_exit 0
expect_out "$version"

for tool in xz zstd gzip; do
	cp -r "$BASE/usr/lib/modules/$version" "$WORK/$tool"
	case $tool in
	xz) suffix=xz command=(xz --check=crc32 -0) ;;
	zstd) suffix=zst command=(zstd -q --rm -1) ;;
	gzip) suffix=gz command=(gzip -1) ;;
	esac
	find "$WORK/$tool" \( -path '*/virtio*' -o -path '*/9p*' -o -path '*/net/*' -o -path '*/fs/*' \) \
		-name '*.ko' -exec "${command[@]}" {} +
	perl -pi -e "s{(\\S*?(?:virtio|9p|net/|fs/)\\S*?\\.ko)\\b}{-e qq($WORK/$tool/\$1.$suffix) ? qq(\$1.$suffix) : \$1}ge" \
		"$WORK/$tool/modules.dep"
	guest -k "$BASE/boot/vmlinuz-$version" --modules "$WORK/$tool" -- sh -c 'cat /proc/mounts | grep -c "^root / 9p"'
	expect_exit 0
	expect_out 1
	rm -r "${WORK:?}/$tool"
done
