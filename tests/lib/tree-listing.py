# SPDX-License-Identifier: MIT
"""tree-listing.py DIR [EXCLUDED...]: all that a copy of a tree has to keep, a line a name.

Type, mode, owner, times in nanoseconds, extended attributes (ACLs and capabilities are
such), which names are one file, where the holes are, content. EXCLUDED paths, relative to
DIR, are left out, and so is the mtime of the directories that they are in.
"""
import hashlib
import os
import stat
import sys

top = os.fsencode(sys.argv[1])
excluded = {os.fsencode(path) for path in sys.argv[2:]}
changed = {os.path.dirname(path) for path in excluded}
groups = {}


def extents(fd, size):
    at = 0
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(fd, data, os.SEEK_HOLE)
        yield data, at


def content(path, size):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME)
    digest = hashlib.sha256()
    try:
        parts = list(extents(fd, size))
        for start, end in parts:
            while start < end:
                chunk = os.pread(fd, min(1 << 20, end - start), start)
                if not chunk:
                    break
                digest.update(chunk)
                start += len(chunk)
    finally:
        os.close(fd)
    return f"{digest.hexdigest()} {parts}"


def line(path, name):
    st = os.lstat(path)
    what = [f"{st.st_mode:o}", f"{st.st_uid}:{st.st_gid}"]
    if stat.S_ISDIR(st.st_mode):
        # Each run of this program itself sets the atime.
        if name not in changed:
            what.append(f"m{st.st_mtime_ns}")
    else:
        what.append(f"m{st.st_mtime_ns} n{st.st_nlink} s{st.st_size}")
        what.append("=" + repr(groups.setdefault((st.st_dev, st.st_ino), name)))
    if stat.S_ISLNK(st.st_mode):
        what.append("-> " + repr(os.readlink(path)))
    if stat.S_ISREG(st.st_mode):
        what.append(f"a{st.st_atime_ns}")
        what.append(content(path, st.st_size))
    for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
        value = os.getxattr(path, attribute, follow_symlinks=False)
        what.append(f"{attribute}={value.hex()}")
    print(repr(name), *what)


def walk(name):
    path = os.path.join(top, name) if name else top
    line(path, name)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        return
    for entry in sorted(os.listdir(path)):
        below = os.path.join(name, entry)
        if below not in excluded:
            walk(below)


sys.setrecursionlimit(100000)
walk(b"")
