#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# Images of umoci, skopeo and Docker's kind become root directories, with all that their
# layers have; vmrun runs them as they say.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(readlink -f "$(dirname "$0")/../lib")
PYTHONPATH=$lib
export PYTHONPATH
cd "$WORK"

import() {
	run "$VMRUN" rootfs import "$@"
	expect_exit 0
	expect_silent
}

in_root() { # DIR COMMAND: as the guest's root sees it, in either layout
	as_subid_owner bash -euc "cd '$1'; $2"
}

listing() { # DIR: all but when it was read
	in_root "$1" "python3 '$PWD/tree-listing.py' . .vmrun" | sed -E 's/ a[0-9]+//'
}

gone() {
	as_guest_owner rm -rf "$@"
}

# --- several layers, made by hand and put together by umoci ---

cp "$lib/tree-listing.py" .
python3 - <<'PYTHON'
import struct
from oci_layout import tar
link = lambda to: {"type": b"1", "linkname": to}
# As Linux has it on disk: version 2, effective, cap_net_raw.
capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0).decode("latin-1")
open("1.tar", "wb").write(tar(
    (".", None, {"mode": 0o751, "mtime": 1234567890}),
    ("bin", None), ("etc", None), ("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
    ("kept", None), ("kept/file", b"1"), ("kept/gone", b"1"), ("kept/gone-dir", None),
    ("kept/gone-dir/x", b"1"), ("kept/becomes-dir", b"1"), ("kept/becomes-file", None),
    ("kept/becomes-file/x", b"1"),
    ("opaque", None), ("opaque/old", b"1"), ("opaque/old-dir", None), ("opaque/old-dir/x", b"1"),
    ("linked", b"linked"), ("changed", b"1", {"uid": 7, "gid": 8}),
    ("setuid", b"s", {"mode": 0o4755, "uid": 5}), ("setgid", None, {"mode": 0o2775, "gid": 6}),
    ("sticky", None, {"mode": 0o1777}),
    ("xattr", b"x", {"pax_headers": {"SCHILY.xattr.user.one": "1"}}),
    ("capable", b"c", {"mode": 0o755,
                       "pax_headers": {"SCHILY.xattr.security.capability": capability}}),
    ("nanoseconds", b"n", {"pax_headers": {"mtime": "1000000000.123456789"}})))
open("2.tar", "wb").write(tar(
    ("kept", None), ("kept/.wh.gone", b""), ("kept/.wh.gone-dir", b""), ("kept/.wh.never", b""),
    ("kept/.wh.becomes-file", b""), ("kept/becomes-file", b"2"),
    ("kept/becomes-dir", None), ("kept/becomes-dir/y", b"2"),
    # The new one comes before what empties the directory, and stays.
    ("opaque", None), ("opaque/new", b"2"), ("opaque/.wh..wh..opq", b""), ("opaque/new-too", b"2"),
    ("second", b"", link("linked")), ("d", None), ("d/third", b"", link("second")),
    (".wh..wh.plnk", b""), ("changed", b"22", {"uid": 9, "gid": 10})))
open("3.tar", "wb").write(tar((".wh.linked", b""), ("kept", None), ("kept/file", b"3")))
PYTHON
umoci init --layout img
umoci new --image img:several
for layer in 1 2 3; do
	umoci raw add-layer --image img:several $layer.tar >umoci.log 2>&1 || fail "$(<umoci.log)"
done
import img root

in_root root '
	find . -path ./.vmrun -prune -o -print | LC_ALL=C sort | tr "\n" " "; echo
	cat kept/file kept/becomes-file kept/becomes-dir/y opaque/new changed second; echo
	stat -c "%n %a %u:%g %Y" . setuid setgid sticky changed
	stat -c %y nanoseconds
	stat -c %h,%i second | cut -d , -f 1; [ second -ef d/third ]
	getfattr --only-values -n user.one xattr; echo' >found
diff - found <<'LIST' || fail "not what the layers make"
. ./bin ./capable ./changed ./d ./d/third ./etc ./etc/passwd ./kept ./kept/becomes-dir ./kept/becomes-dir/y ./kept/becomes-file ./kept/file ./nanoseconds ./opaque ./opaque/new ./opaque/new-too ./second ./setgid ./setuid ./sticky ./xattr 
322222linked
. 751 0:0 1234567890
setuid 4755 5:0 1000000000
setgid 2775 0:6 1000000000
sticky 1777 0:0 1000000000
changed 644 9:10 1000000000
2001-09-09 01:46:40.123456789 +0000
2
1
LIST
# In whose namespace a file is capable is part of what the host's kernel keeps: its first id.
expect_eq capability "$(getfattr -e hex --only-values -n security.capability root/capable | od -An -tx1 | tr -d ' \n')" \
	"0100000300200000000000000000000000000000$(printf '%08x' "$(stat -c %u root)" | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/')"

# --- the same by other ways: another layout, other media types, compressions, digests ---

listing root >want
[[ $(wc -l <want) -gt 15 ]] || fail "the listing is empty"
same() { # DIR
	listing "$1" >have
	diff want have >listing.diff || fail "$1 differs: $(<listing.diff)"
	gone "$1"
}

import --idmap caller img caller-root
expect_eq owner "$(stat -c %u caller-root)" "$(id -u)"
as_guest_owner bash -c 'cd caller-root; stat -c %u:%g changed' >have
expect_eq "owners in the caller's layout" "$(<have)" 9:10
gone caller-root

umoci tag --image img:several other
umoci config --image img:other --config.cmd other
run "$VMRUN" rootfs import img several-root
expect_refused "several, other"
import --image other img other-root
grep -q other other-root/.vmrun/config.json || fail "another image was taken"
same other-root

skopeo --insecure-policy copy -q oci:img:several oci-archive:archive.tar:x
import archive.tar archive-root
same archive-root
gzip -c archive.tar >archive.tar.gz
import --format oci archive.tar.gz archive-root
same archive-root
import --format oci - archive-root <archive.tar
same archive-root
tar cf by-tar.tar -C img .
import --image several by-tar.tar archive-root
same archive-root
# With attributes of its own before each file.
tar --format=posix -cf by-pax.tar -C img .
import --image several by-pax.tar archive-root
same archive-root
skopeo --insecure-policy copy -q --dest-compress-format zstd oci:img:several oci:zstd:x
grep -rqa tar+zstd zstd/blobs || fail "skopeo made no zstd"
import zstd zstd-root
same zstd-root

python3 - <<'PYTHON'
from oci_layout import *
layers = [open(name, "rb").read() for name in ("1.tar", "2.tar", "3.tar")]
layout = Layout("docker")
docker = "application/vnd.docker."
listed = [layout.blob(docker + "image.rootfs.diff.tar.gzip", gzip.compress(layers[0])),
          layout.blob(docker + "image.rootfs.diff.tar", layers[1]),
          layout.blob(docker + "image.rootfs.diff.tar.gzip", gzip.compress(layers[2]))]
config = {**layout.config(layers), "mediaType": docker + "container.image.v1+json"}
image = layout.document(docker + "distribution.manifest.v2+json",
                        {"schemaVersion": 2, "config": config, "layers": listed},
                        platform={"os": "linux", "architecture": "amd64"})
other = {**layout.image(tar(("wrong", b""))), "platform": {"os": "linux", "architecture": "arm64"}}
layout.index(layout.document(docker + "distribution.manifest.list.v2+json",
                             {"schemaVersion": 2, "manifests": [other, image]}))
layout = Layout("sha512", "sha512")
layout.index(layout.image(*layers))
PYTHON
import docker docker-root
same docker-root
import sha512 sha512-root
same sha512-root
gone root

# --- run as the image says ---

kernel=$(echo "$BASE"/boot/vmlinuz-*)
modules=$BASE/usr/lib/modules/${kernel##*/vmlinuz-}
python3 - <<'PYTHON'
from oci_layout import *
programs = [("bin/" + name, b"", {"type": b"2", "linkname": "busybox"})
            for name in ("sh", "id", "env", "echo", "pwd", "tr")]
layout = Layout("tiny")
layer = tar(("bin", None), ("bin/busybox", open("/bin/busybox", "rb").read(), {"mode": 0o755}),
            *programs, *((name, None) for name in ("dev", "proc", "sys", "tmp", "run", "usr", "work")),
            ("etc", None), ("etc/passwd", b"root:x:0:0::/:/bin/sh\nme:x:7:8::/work:/bin/sh\n"),
            ("etc/group", b"root:x:0:\nme:x:8:\n"))
layout.index(layout.image(layer, run={
    "Entrypoint": ["/bin/sh", "-c", "id -u; id -g; pwd; echo \"$A $B\"; echo \"$0 $*\""],
    "Cmd": ["cmd", "of the image"], "Env": ["A=image", "B=image", "passed-over"], "User": "me",
    "WorkingDir": "/work", "StopSignal": "SIGINT", "ExposedPorts": {"80/tcp": {}}}))
PYTHON
import tiny root
grep -q ExposedPorts root/.vmrun/config.json || fail "not all of the config is kept"
expect_eq "config's owner" "$(stat -c '%a %u' root/.vmrun/config.json)" "644 $(stat -c %u root)"

image() { # OPTION... root [-- COMMAND...]
	run vmrun -q -k "$kernel" --modules "$modules" "$@"
	expect_exit 0
}
image root
expect_out $'7\n8\n/work\nimage image\ncmd of the image'
image -e A=mine -u 0 -w / root -- words "of mine"
expect_out $'0\n0\n/\nmine image\nwords of mine'
image --entrypoint /bin/echo root -- one two
expect_out "one two"
image --entrypoint= root -- /bin/id -u
expect_out 7
image --no-image-config root -- /bin/sh -c 'id -u; echo "$A"; pwd'
expect_out $'0\n\n/'
image --dry-run root
grep -q '^defaults  */.vmrun/config.json' "$WORK/out" || fail "the plan does not show the image's defaults"
grep -q '^command .*cmd' "$WORK/out" || fail "the plan does not show the image's command"
run "$VMRUN" rootfs info root
grep -q '^defaults .*/.vmrun/config.json' "$WORK/out" || fail "info does not show the image's defaults"
run "$VMRUN" rootfs info --json root
grep -q '"image_config": true' "$WORK/out" || fail "info --json does not show the image's defaults"

# It belongs to the root, which is hostile.
hostile() { # COMMAND: that puts something in its place
	in_root root "rm -rf .vmrun; mkdir .vmrun; cd .vmrun; $1"
	run vmrun -q -k "$kernel" --modules "$modules" root -- /bin/id -u
	expect_refused .vmrun/config.json
}
hostile 'echo "{" >config.json'
hostile 'mkfifo config.json'
hostile 'truncate -s 1T config.json'
hostile 'mkdir config.json'
hostile "python3 -c 'print(\"[\" * 500000)' >config.json"
hostile 'echo "{\"User\": \"../x\"}" >config.json'
hostile 'ln -s config.json config.json'
image --no-image-config root -- /bin/id -u
expect_out 0
# A link that leads out of the root, to what is there on the host, does not.
in_root root 'rm -rf .vmrun; mkdir .vmrun; ln -s /../../../../../../../etc/hostname .vmrun/config.json'
image root -- /bin/id -u
expect_out 0
gone root
