#!/bin/bash
# SPDX-License-Identifier: MIT
# A program in QEMU's place finds nothing to take: not the host's files, not what the
# jail's first process holds, not the cached kernel that later runs boot.
. "$(dirname "$0")/../lib/e2e.sh"

mkdir -p "$WORK/qemu/bin"
secret=$WORK/secret
echo "top secret" >"$secret"
cat >"$WORK/qemu/bin/qemu-system-x86_64" <<EOF
#!/bin/bash
breaches=
breach() { breaches="\$breaches \$1"; }
[[ -r /vm/root/etc/os-release ]] || breach no-control
cat "$secret" && breach host-file
cat /proc/1/environ && breach environment-of-1
for fd in /proc/1/fd/*; do
	[[ -e \$fd ]] && breach "descriptor-of-1:\$fd"
done
for fd in /proc/self/fd/*; do
	[[ -e \$fd/../../../../../..$secret ]] && breach "way-out:\$fd"
done
if (exec 9<>/proc/self/fd/5); then breach kernel-writable; fi
if (exec 9<>/proc/self/fd/6; echo >&9); then breach initramfs-writable; fi
if (echo >/vm/root/breach); then breach read-only-base; fi
if (echo >/usr/breach || echo >/breach); then breach root-writable; fi
ls /home /root /etc/passwd && breach host-directories
unshare --user true && breach user-namespace
echo >/dev/tty && breach terminal
echo "x: breaches:\${breaches:- none}" >&2
exit 3
EOF
chmod +x "$WORK/qemu/bin/qemu-system-x86_64"
chmod 755 "$WORK" "$WORK/qemu" "$WORK/qemu/bin"

guest -- true # the kernel is in the cache from here on
expect_exit 0
for base in "$BASE" "$BASE_CALLER"; do
	VMRUN_QEMU=$WORK/qemu/bin/qemu-system-x86_64 FOO_TOKEN=secret \
		run vmrun --read-only "$base" -- true
	expect_exit 125
	expect_err "QEMU failed (exit status 3): breaches: none"
done
