#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# Images that no tool would make: refused, each with its reason, and nothing is left.
. "$(dirname "$0")/../lib/e2e.sh"
PYTHONPATH=$(dirname "$0")/../lib
export PYTHONPATH

mkdir "$WORK/images" "$WORK/out.d"
python3 - "$WORK/images" <<'EOF'
import gzip, json, os, subprocess, sys
from oci_layout import *

top = sys.argv[1]
good = tar(("bin", None), ("etc", None), ("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), ("file", b"content" * 100))

def make(name, *layers, run=None):
    layout = Layout(os.path.join(top, name))
    layers = layers or (good,)
    return layout, layout.image(*layers, run=run)

def spoil(layout, descriptor):
    """The same size, another content."""
    path = layout.blob_path(descriptor)
    data = bytearray(open(path, "rb").read())
    data[len(data) // 2] ^= 1
    open(path, "wb").write(data)

def parts(layout, image):
    manifest = json.load(open(layout.blob_path(image)))
    return manifest["config"], manifest["layers"]

layout, image = make("good")
layout.index(image)

for which in "layer", "config", "manifest":
    layout, image = make("damaged-" + which)
    config, layers = parts(layout, image)
    spoil(layout, {"layer": layers[0], "config": config, "manifest": image}[which])
    layout.index(image)

layout, image = make("dotdot")
open(os.path.join(top, "secret"), "w").write("x")
layout.index({**image, "digest": "sha256:../../../secret"})
layout, image = make("dotdot-layer")
config, layers = parts(layout, image)
layout.index(layout.manifest(config, [{**layers[0], "digest": "sha256:" + "../" * 20 + "etc/pwd"}]))
layout, image = make("other-algorithm")
layout.index({**image, "digest": "md5:" + "0" * 32})

for name, more in ("longer", 1), ("shorter", -1), ("huge", 1 << 39):
    layout, image = make("size-" + name)
    config, layers = parts(layout, image)
    size = layers[0]["size"] + more
    layout.index(layout.manifest(config, [{**layers[0], "size": size}]))
layout, image = make("size-negative")
layout.index({**image, "size": -1})

layout, image = make("symlinked-blob")
config, layers = parts(layout, image)
path = layout.blob_path(layers[0])
os.rename(path, os.path.join(top, "blob"))
os.symlink("../../../blob", path)
layout.index(image)
layout, image = make("symlinked-blobs")
os.rename(layout.path + "/blobs", top + "/blobs")
os.symlink("../blobs", layout.path + "/blobs")
layout.index(image)
layout, image = make("fifo-blob")
os.unlink(layout.blob_path(image))
os.mkfifo(layout.blob_path(image))
layout.index(image)
layout, image = make("missing-blob")
os.unlink(layout.blob_path(image))
layout.index(image)

layout = Layout(os.path.join(top, "deep"))
layout.write("index.json", b'{"schemaVersion":2,"manifests":[' * 100000)
layout = Layout(os.path.join(top, "large"))
layout.write("index.json", b" " * (5 << 20))
layout = Layout(os.path.join(top, "sparse"))
layout.write("index.json", b"")
os.truncate(layout.path + "/index.json", 1 << 40)
layout = Layout(os.path.join(top, "no-json"))
layout.write("index.json", b"\0\xff")
layout = Layout(os.path.join(top, "no-index"))
os.mkdir(os.path.join(top, "no-layout"))
layout = Layout(os.path.join(top, "version-2"))
layout.write("oci-layout", b'{"imageLayoutVersion":"2.0.0"}')

layout, image = make("many-layers")
config, layers = parts(layout, image)
layout.index(layout.manifest(config, layers * 1000))
layout, image = make("too-many-layers")
config, layers = parts(layout, image)
layout.index(layout.manifest(config, layers * 100000))
layout, image = make("fewer-diff-ids")
config, layers = parts(layout, image)
layout.index(layout.manifest(config, layers * 2))

layout, image = make("deep-indexes")
for i in range(10):
    image = layout.document(INDEX, {"schemaVersion": 2, "manifests": [image]})
layout.index(image)
# An index that claims to be in itself: its digest can only be a lie.
layout, image = make("loop")
loop = layout.document(INDEX, {"schemaVersion": 2, "manifests": [image]})
layout.write("blobs/" + loop["digest"].replace(":", "/"),
             json.dumps({"schemaVersion": 2, "manifests": [loop]}).encode())
loop["size"] = os.path.getsize(layout.blob_path(loop))
layout.index(loop)

layout, image = make("other-content")
config, layers = parts(layout, image)
layout.index(layout.manifest(layout.config([good + b"\0" * 512]), layers))
layout, image = make("cut-short")
data = gzip.compress(good)[:-20]
layout.index(layout.manifest(layout.config([good]), [layout.blob(LAYER + "+gzip", data)]))
layout, image = make("no-gzip")
layout.index(layout.manifest(layout.config([good]), [layout.blob(LAYER + "+gzip", good)]))
layout, image = make("gzip-in-gzip")
data = gzip.compress(gzip.compress(good))
layout.index(layout.manifest(layout.config([good]), [layout.blob(LAYER + "+gzip", data)]))
layout, image = make("bomb")
with tarfile.open(os.path.join(top, "zeros.tar"), "w") as archive:
    info = tarfile.TarInfo("zeros")
    info.size = 300 << 20
    archive.addfile(info, open("/dev/zero", "rb"))
subprocess.run(["zstd", "-q", "--rm", os.path.join(top, "zeros.tar")], check=True)
data = open(os.path.join(top, "zeros.tar.zst"), "rb").read()
layout.index(layout.manifest(layout.config([good]), [layout.blob(LAYER + "+zstd", data)]))
layout, image = make("unknown-layer")
layout.index(layout.manifest(layout.config([good]), [layout.blob(LAYER + "+gzip+encrypted", good)]))
layout, image = make("artifact")
layout.index(layout.manifest(layout.blob("application/vnd.oci.empty.v1+json", b"{}"), []))

for name, machine in ("arm64", {"architecture": "arm64"}), ("windows", {"os": "windows"}):
    layout, image = make(name)
    config, layers = parts(layout, image)
    layout.index(layout.manifest(layout.config([good], **machine), layers))
for name, run in (("config-list", []), ("config-user", {"User": "a b"}),
                  ("config-command", {"Cmd": "true"}), ("config-large", {"x": "y" * (2 << 20)}),
                  ("config-workdir", {"WorkingDir": "relative"})):
    layout = Layout(os.path.join(top, name))
    layer = layout.layer(good)
    layout.index(layout.manifest(layout.config([good], config=run), [layer]))

for name, entry in (("white-dotdot", ".wh..."), ("white-dot", ".wh.."), ("white-nothing", ".wh."),
                    ("white-below", "etc/.wh...")):
    layout, image = make(name, good, tar((entry, b"")))
    layout.index(image)
layout, image = make("path-dotdot", tar(("../../escaped", b"x")))
layout.index(image)
# What a lower layer has made leads out for an upper one.
layout, image = make("through-symlink", tar(("out", b"", {"type": b"2", "linkname": top})),
                     tar(("out/escaped", b"x")))
layout.index(image)
layout, image = make("whiteout-through-symlink",
                     tar(("out", b"", {"type": b"2", "linkname": top})), tar(("out/.wh.secret", b"")))
layout.index(image)
EOF

refused() { # IMAGE WORDS...: and nothing of it is left
	run timeout 60 "$VMRUN" rootfs import "$WORK/images/$1" "$WORK/out.d/root"
	[[ $status -eq 125 ]] || fail "$1: exit status $status"
	expect_refused "${@:2}"
	[[ -z $(ls -A "$WORK/out.d") ]] || fail "$1: something is left: $(ls -A "$WORK/out.d")"
	tried+=" $1"
}
tried=

refused damaged-layer damaged
refused damaged-config damaged
refused damaged-manifest damaged
refused dotdot "no digest"
refused dotdot-layer "no digest"
refused other-algorithm "no digest"
refused size-longer "are said of it"
refused size-shorter "are said of it"
refused size-huge "are said of it"
refused size-negative "no size"
refused symlinked-blob symlink
refused symlinked-blobs symlink
refused fifo-blob "no regular file"
refused missing-blob "No such file"
refused deep depth
refused large "File too large"
refused sparse "File too large"
refused no-json "no JSON"
refused no-index index.json
refused no-layout "no image layout"
refused version-2 imageLayoutVersion
refused many-layers "1000 layers"
refused too-many-layers "more than 4 MiB"
refused fewer-diff-ids "2 layers"
refused deep-indexes "deep"
refused loop damaged
refused other-content damaged
refused cut-short damaged
refused no-gzip gzip
refused gzip-in-gzip "not one gzip stream"
refused bomb "1100 times"
refused unknown-layer "unknown media type"
refused artifact "something else"
refused arm64 linux/arm64
refused windows windows
refused config-list "no JSON object"
refused config-user User
refused config-command Cmd
refused config-large "1024 KiB"
refused config-workdir WorkingDir
refused white-dotdot "no name"
refused white-dot "no name"
refused white-nothing "no name"
refused white-below "no name"
refused path-dotdot ".."
refused through-symlink symlink
refused whiteout-through-symlink symlink
[[ $(cat "$WORK/images/secret") == x ]] || fail "a whiteout reached out of the root"
[[ -z $(find "$WORK" -name escaped) ]] || fail "something escaped"

# All of them; and the one that they were made of is good.
for image in "$WORK"/images/*/; do
	image=$(basename "$image")
	[[ " $tried blobs good " == *" $image "* ]] || fail "$image was not tried"
done
run "$VMRUN" rootfs import "$WORK/images/good" "$WORK/out.d/root"
expect_exit 0
expect_silent
as_guest_owner rm -rf "$WORK/out.d"
