# SPDX-License-Identifier: MIT
"""hostile-tars.py DIR OUTSIDE: archives that were made to do harm, and what is to become of them.

DIR/NAME.tar, and in DIR/NAME.want the exit status and words of the message. OUTSIDE is an
absolute path of a directory, with a file "secret" in it, that they try to get at.
"""
import os
import struct
import sys
import tarfile

top, outside = sys.argv[1:]
above = "../" * 40 + outside.lstrip("/")
REFUSED, KEPT, LOST = 125, 0, 1
END = bytes(1024)


def header(name, type=b"0", size=0, link="", mode=0o644, uid=0, gid=0, major=0, minor=0):
    """One of ustar, with names as they are given: bytes, 100 of them at most."""
    name, link = (os.fsencode(n) if isinstance(n, str) else n for n in (name, link))
    number = lambda n, width: (b"%0*o\0" % (width - 1, n) if 0 <= n < 8 ** (width - 1)
                               else (n & (1 << 8 * width) - 1 | 1 << 8 * width - 1).to_bytes(width, "big"))
    block = struct.pack("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", name, number(mode, 8),
                        number(uid, 8), number(gid, 8), number(size, 12), number(1, 12),
                        b" " * 8, type, link, b"ustar\00000", b"", b"",
                        number(major, 8), number(minor, 8), b"")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def data(content):
    return content + bytes(-len(content) % 512)


def file(name, content=b"evil", **more):
    return header(name, size=len(content), **more) + data(content)


def directory(name, **more):
    return header(name, b"5", mode=more.pop("mode", 0o755), **more)


def symlink(name, target):
    return header(name, b"2", link=target)


def hardlink(name, target):
    return header(name, b"1", link=target)


def long_name(name, kind=b"L"):
    name = os.fsencode(name) + b"\0"
    return header("././@LongLink", kind, size=len(name)) + data(name)


def pax(kind=b"x", **records):
    return pax_records(kind, ((k.replace("__", ".").encode(), os.fsencode(v)) for k, v in records.items()))


def pax_records(kind, records):
    body = b""
    for key, value in records:
        size = len(key) + len(value) + 3
        size += len(str(size + len(str(size))))
        body += b"%d %s=%s\n" % (size, key, value)
    return header("PaxHeader", kind, size=len(body)) + data(body)


def xattrs(pairs):
    return pax_records(b"x", ((b"SCHILY.xattr." + k, v) for k, v in pairs))


def cpio(name, ino, mode, nlink, content=b""):
    name = os.fsencode(name) + b"\0"
    head = b"070701" + b"".join(b"%08x" % n for n in (ino, mode, 0, 0, nlink, 1, len(content),
                                                       0, 0, 0, 0, len(name), 0)) + name
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


FIFO_LINK = (cpio("fifo", 7, 0o010644, 2) + cpio("file", 7, 0o100644, 2, b"evil")
             + cpio("TRAILER!!!", 0, 0, 1))
NAMES = b"".join(file(n) for n in (b"new\nline", b"bell\x07\x1b]0;x\x07", b"\xff\xfe\x80", b" ", b"-rf",
                                   b"e\xcc\x81", b"\xc3\xa9", b"*", b"a\\b"))
CUT_SHORT = file("a", bytes(1000)) + file("b", os.urandom(3000)) + directory("d") + file("d/c", b"x" * 700)

# NAME: what it holds, the exit status, words of the message.
cases = {
    "absolute": (file("/absolute/evil") + directory("/"), KEPT, ""),
    "absolute-outside": (file(outside + "/evil"), KEPT, ""),
    "dotdot": (file("../evil"), REFUSED, "allowed nowhere"),
    "dotdot-deep": (file("a/../../evil"), REFUSED, "allowed nowhere"),
    "dotdot-dir": (directory(".."), REFUSED, "allowed nowhere"),
    "dotdot-long": (long_name(above + "/evil") + file("x"), REFUSED, "allowed nowhere"),
    "dotdot-pax": (pax(path=above + "/evil") + file("x"), REFUSED, "allowed nowhere"),
    "odd-slashes": (file(".//.///a//./b"), KEPT, ""),
    "dots-are-names": (file("...") + file(". ") + file("a.."), KEPT, ""),
    "through-symlink": (symlink("l", outside) + file("l/evil"), REFUSED, "below what is a symlink"),
    "through-symlink-up": (symlink("l", above) + file("l/evil"), REFUSED, "below what is a symlink"),
    "through-symlink-dir": (symlink("l", outside) + directory("l/evil"), REFUSED, "below what is a symlink"),
    "through-symlink-link": (symlink("l", outside) + hardlink("x", "l/secret"), REFUSED, "has a link to '/l/secret'"),
    "through-symlinks": (symlink("a", "b") + symlink("b", outside) + file("a/evil"), REFUSED, "below what is a symlink"),
    "through-symlink-to-itself": (symlink("l", "l") + file("l/evil"), REFUSED, "below what is a symlink"),
    "through-linked-symlink": (symlink("l", outside) + hardlink("h", "l") + file("h/evil"), REFUSED, "below what is a symlink"),
    "over-symlink": (symlink("l", outside + "/secret") + file("l"), KEPT, ""),
    "dir-over-symlink": (symlink("l", outside) + directory("l", mode=0o777) + file("l/x"), KEPT, ""),
    "over-hardlink": (file("f", b"old") + hardlink("h", "f") + file("h", b"new"), KEPT, ""),
    "symlink-over-dir": (directory("d") + symlink("d", outside) + file("d/evil"), REFUSED, "as a directory, and then as something else"),
    "symlink-over-full-dir": (file("d/f") + symlink("d", outside), REFUSED, "as a directory, and then as something else"),
    "through-file": (file("f") + file("f/evil"), REFUSED, "below what is a file"),
    "hardlink-up": (hardlink("x", above + "/secret"), REFUSED, "allowed nowhere"),
    "hardlink-absolute": (hardlink("x", outside + "/secret"), LOST, "link not kept: there is no"),
    "hardlink-to-dir": (directory("d") + hardlink("x", "d"), REFUSED, "cannot make '/x'"),
    "hardlink-to-root": (hardlink("x", "."), LOST, "link not kept"),
    "hardlink-to-itself": (file("f") + hardlink("f", "./f"), KEPT, ""),
    "hardlink-without-target": (hardlink("x", ""), LOST, "left out"),
    "symlink-without-target": (symlink("x", ""), REFUSED, "cannot make '/x'"),
    "symlink-too-long": (long_name("t" * 5000, b"K") + symlink("x", "y"), REFUSED, "File name too long"),
    "name-too-long": (long_name("n" * 256) + file("x"), REFUSED, "File name too long"),
    "no-name": (file(""), REFUSED, "without a name"),
    "root-as-file": (header("/"), None, ""),
    "root-as-symlink": (symlink(".", outside), REFUSED, "without a name"),
    "devices": (header("sda", b"4", major=8) + header("mem", b"3", major=1, minor=1), LOST, "'/sda': device node not kept"),
    "linked-device": (header("sda", b"4", major=8) + hardlink("sdb", "sda"), LOST, "'/sdb': link not kept"),
    "fifo-with-content": (FIFO_LINK, KEPT, ""),
    "cpio-name-of-4-g": (b"070701" + b"00000001" * 11 + b"fffffff0" + b"00000000", REFUSED, "no archive"),
    "unknown-type": (header("x", b"Q"), KEPT, ""),
    "setuid": (file("suid", mode=0o6755), KEPT, ""),
    "setuid-outside-map": (file("suid", mode=0o6755, uid=2000000000, gid=0), LOST, "nor that it is setuid or setgid"),
    "setuid-of-minus-one": (file("suid", mode=0o6755, uid=0xffffffff, gid=0xffffffff), LOST, "owner 4294967295:4294967295 not kept"),
    "setuid-of-minus-two": (file("suid", mode=0o6755, uid=-2, gid=-2), LOST, "not kept, nor that it is setuid"),
    "setuid-of-2-to-32": (file("suid", mode=0o4755, uid=1 << 32), LOST, "owner 4294967296:0 not kept"),
    "names": (NAMES, KEPT, ""),
    "names-listed": (header(b"\x1b[31m\nred", b"3", major=1), LOST, "'/?[31m?red': device node"),
    "global-header": (pax(b"g", path="../evil", uid="2000000000") + file("x"), None, ""),
    "deep": (long_name("d/" * 100000 + "evil") + file("x"), REFUSED, ""),
    "deep-too": (long_name("d/" * 3000 + "f") + file("x"), KEPT, ""),
    "deep-by-steps": (b"".join(long_name(("n" * 90 + "/") * i) + directory("x") for i in range(690, 760)), REFUSED, "65536 bytes"),
    "huge": (pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name="huge",
                 GNU__sparse__realsize=str(2 ** 63 - 1)) + file("x", b"0\n"), REFUSED, ""),
    "huge-hole": (pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name="huge",
                      GNU__sparse__realsize=str(2 ** 62)) + file("x", data(b"1\n%d\n0\n" % 2 ** 62)), REFUSED, "cannot make '/huge' of 4611686018427387904 bytes"),
    "huge-header": (header("huge", size=2 ** 60), REFUSED, "cut short"),
    "sparse-backwards": (pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name="s",
                             GNU__sparse__realsize="10") + file("x", data(b"2\n8\n1\n0\n4\n") + b"evil!"), None, ""),
    "xattr-of-200-k": (xattrs([(b"user.x", b"y" * 200000)]) + file("x"), LOST, "extended attribute user.x not kept"),
    "xattrs-by-the-thousand": (xattrs((b"user.%d" % i, b"y" * 50) for i in range(5000)) + file("x"), LOST, "not kept"),
    "xattrs-of-2-m": (xattrs((b"user.%d" % i, b"y" * 50000) for i in range(40)) + file("x"), REFUSED, ""),
    "xattr-of-root": (xattrs([(b"trusted.overlay.opaque", b"y")]) + directory("x"), LOST, "trusted.overlay.opaque not kept"),
    "xattr-without-name": (xattrs([(b"", b"y")]) + file("x"), None, ""),
    "xattr-odd-acl": (xattrs([(b"system.posix_acl_access", b"evil")]) + file("x"), LOST, "posix_acl_access not kept"),
    "acl-by-name": (pax(SCHILY__acl__access="user::rwx,user:evil:rwx,group::r-x,mask::rwx,other::r-x") + file("x"), LOST, "ACL not kept"),
    "acl-outside-map": (pax(SCHILY__acl__access="user::rwx,user:a:rwx:2000000000,group::r-x,mask::rwx,other::---") + file("x"), LOST, "not kept"),
    "wrong-checksum": (file("a") + file("b")[:5] + b"X" + file("b")[6:], REFUSED, "damaged"),
    "headers-without-end": (b"".join(pax(comment=str(i)) for i in range(100000)), REFUSED, ""),
    "no-archive": (b"#!/bin/sh\necho evil\n", REFUSED, "no archive"),
    "empty": (b"", REFUSED, ""),
}

for name, (content, status, words) in cases.items():
    with open(f"{top}/{name}.tar", "wb") as out:
        out.write(content + (END if name != "empty" else b""))
    with open(f"{top}/{name}.want", "w") as out:
        out.write(f"{'any' if status is None else status} {words}\n")
with open(f"{top}/whole", "wb") as out:
    out.write(CUT_SHORT + END)
# 10^6 entries that leave nothing.
with open(f"{top}/bomb-devices", "wb") as out:
    out.write(header("x", b"3", major=1) * 1000000 + END)
