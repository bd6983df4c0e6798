# SPDX-License-Identifier: MIT
"""Image layouts made by hand: right ones, and such that no tool would make."""
import gzip
import hashlib
import io
import json
import os
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(data, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, data).hexdigest()


def tar(*entries):
    """A layer of (name, content or None, {what of TarInfo to set}); no content: a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, *more in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if content is None else 0o644
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.mtime = 1000000000
            for key, value in (more[0] if more else {}).items():
                setattr(info, key, value)
            data = content or b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Layout:
    def __init__(self, path, algorithm="sha256"):
        self.path = path
        self.algorithm = algorithm
        os.makedirs(path + "/blobs/" + algorithm)
        self.write("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def write(self, name, data):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(data)

    def blob_path(self, descriptor):
        return os.path.join(self.path, "blobs", descriptor["digest"].replace(":", "/"))

    def blob(self, media_type, data, **more):
        digest = digest_of(data, self.algorithm)
        descriptor = {"mediaType": media_type, "digest": digest, "size": len(data), **more}
        self.write("blobs/" + digest.replace(":", "/"), data)
        return descriptor

    def document(self, media_type, value, **more):
        return self.blob(media_type, json.dumps(value).encode(), **more)

    def config(self, layers, run=None, **more):
        value = {"os": "linux", "architecture": "amd64", "config": run or {},
                 "rootfs": {"type": "layers",
                            "diff_ids": [digest_of(data, self.algorithm) for data in layers]}}
        return self.document(CONFIG, {**value, **more})

    def manifest(self, config, layers, **more):
        return self.document(MANIFEST, {"schemaVersion": 2, "config": config, "layers": layers},
                             **more)

    def layer(self, data):
        return self.blob(LAYER + "+gzip", gzip.compress(data, mtime=0))

    def index(self, *manifests):
        self.write("index.json",
                   json.dumps({"schemaVersion": 2, "manifests": list(manifests)}).encode())

    def image(self, *layers, run=None):
        """The whole of it. Returns the manifest's descriptor, which is in no index yet."""
        return self.manifest(self.config(layers, run), [self.layer(data) for data in layers])
