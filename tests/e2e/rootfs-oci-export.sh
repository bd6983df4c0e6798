#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# Root directories become images that umoci and skopeo read and that import makes the same
# directory of, the same image each time, and nothing is left of one that fails.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(readlink -f "$(dirname "$0")/../lib")
PYTHONPATH=$lib
export PYTHONPATH
cd "$WORK"
cp "$lib/tree-listing.py" .

rootfs() {
	run "$VMRUN" rootfs "$@"
	expect_exit 0
	expect_silent
}

in_root() { # DIR COMMAND: as the guest's root
	as_subid_owner bash -euc "cd '$1'; $2"
}

listing() { # DIR: all but when it was read, and the directory of the image's defaults
	in_root "$1" "python3 '$PWD/tree-listing.py' . .vmrun; stat -c '%a %u:%g %Y' ." |
		sed -E 's/ a[0-9]+//'
}

# --- a root that was an image, and has since got what no layer said ---

python3 - <<'PYTHON'
from oci_layout import *
layout = Layout("first")
layer = tar((".", None, {"mode": 0o751}), ("bin", None), ("etc", None), ("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
            ("file", b"content"), ("link", b"", {"type": b"1", "linkname": "file"}),
            ("setuid", b"s", {"mode": 0o4755, "uid": 5, "gid": 6}),
            ("symlink", b"", {"type": b"2", "linkname": "/nowhere"}))
layout.index(layout.image(layer, run={
    "Entrypoint": ["/bin/e"], "Cmd": ["c"], "Env": ["A=b"], "User": "7:8", "WorkingDir": "/etc",
    "Labels": {"unknown": "to vmrun"}, "StopSignal": "SIGINT"}))
PYTHON
rootfs import first root
in_root root 'head -c 3000000 /dev/urandom >random; mkdir -p d/.vmrun; echo kept >d/.vmrun/file
	setfattr -n user.one -v 1 random; setfacl -m u:7:r file; mkfifo fifo
	touch -d "2001-02-03 04:05:06.123456789" random; truncate -s 5M hole'
listing root >want

rootfs export --format oci root image
rootfs export root image.oci.tar
rootfs import image again
listing again >have
diff want have >listing.diff || fail "another directory comes back: $(<listing.diff)"
diff <(python3 -m json.tool --sort-keys root/.vmrun/config.json) \
	<(python3 -m json.tool --sort-keys again/.vmrun/config.json) || fail "other defaults come back"
rootfs import image.oci.tar from-tar
listing from-tar >have
diff want have >listing.diff || fail "another directory comes back from a tar: $(<listing.diff)"

# --- read by others ---

expect_eq "umoci's tags" "$(umoci ls --layout image)" latest
umoci unpack --rootless --image image:latest bundle >umoci.log 2>&1 || fail "umoci: $(<umoci.log)"
cmp bundle/rootfs/file <(in_root root 'cat file') || fail "umoci unpacks something else"
in_root root 'cat random' | cmp - bundle/rootfs/random || fail "umoci unpacks something else"
[[ -e bundle/rootfs/d/.vmrun/file && ! -e bundle/rootfs/.vmrun ]] ||
	fail "not just the image's defaults are left out of the layer"
umoci stat --image image:latest >/dev/null || fail "umoci cannot show it"
python3 - <<'PYTHON' || fail "umoci sees other defaults"
import json
process = json.load(open("bundle/config.json"))["process"]
assert process["args"] == ["/bin/e", "c"], process
assert process["cwd"] == "/etc" and "A=b" in process["env"], process
PYTHON
for image in oci:image:latest oci-archive:image.oci.tar:latest; do
	skopeo inspect --config "$image" >inspected || fail "skopeo does not read $image"
	python3 - <<'PYTHON' || fail "skopeo sees something else"
import json
config = json.load(open("inspected"))
assert config["architecture"] == "amd64" and config["os"] == "linux", config
assert config["config"]["Labels"] == {"unknown": "to vmrun"}, config
assert "created" not in config, config
PYTHON
	# It verifies all digests, the unpacked layer's too.
	rm -rf copied
	skopeo --insecure-policy copy -q --dest-decompress "$image" dir:copied || fail "skopeo does not copy $image"
done

# --- the same each time ---

sleep 1.1
rootfs export --format oci again image2
diff -r image image2 || fail "the same directory makes another image"
rootfs export again image2.oci.tar
cmp image.oci.tar image2.oci.tar || fail "the same directory makes another tar"
export SOURCE_DATE_EPOCH=1000000000
rootfs export --format oci --image some/name:1.0 root dated
unset SOURCE_DATE_EPOCH
expect_eq "the image's name" "$(umoci ls --layout dated)" some/name:1.0
skopeo inspect --config oci:dated:some/name:1.0 | grep -q '"created": "2001-09-09T01:46:40Z"' ||
	fail "it is of another time"
in_root root 'rm -r .vmrun'
rootfs export --format oci root plain
skopeo inspect --config oci:plain:latest | grep -q '"config": {}' || fail "it has defaults"

# --- refused, and nothing is left ---

here() {
	find . -mindepth 1 -maxdepth 1 | LC_ALL=C sort
}
touch before out err
here >before
refused() { # WORDS... -- ARGUMENTS
	local words=()
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	run "$VMRUN" rootfs export "${@:2}"
	expect_refused "${words[@]}"
	here | diff before - || fail "something is left or gone"
}
refused exists -- --format oci root image
refused exists -- root image.oci.tar
refused "standard output" -- --format oci-archive root -
refused "no name of an image" -- --format oci --image ../x root new
refused "no name of an image" -- --format oci --image "$(printf 'x%.0s' {1..300})" root new
in_root root 'mkdir .vmrun; echo "[]" >.vmrun/config.json'
refused "none" -- --image x root new.tar
refused .vmrun/config.json -- --format oci root new
in_root root 'rm .vmrun/config.json; mkfifo .vmrun/config.json'
refused .vmrun/config.json -- root new.oci.tar
in_root root 'rm -r .vmrun'
# A limit for files as a full disk: the layer is larger than that.
(
	ulimit -f 1000
	refused "layer" -- --format oci root new
	refused "layer" -- root new.oci.tar
)
as_guest_owner rm -rf root again from-tar bundle
