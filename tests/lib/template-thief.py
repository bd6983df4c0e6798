#!/usr/bin/python3 -I
# SPDX-License-Identifier: MIT
"""In QEMU's place: where a guest is to wake up from a template, tries all there is to
change that template's bytes, says what worked, and exits with status 3. Any other
guest is left to the real QEMU."""
import ctypes
import fcntl
import mmap
import os
import struct
import sys

QEMU = "@QEMU@"
HOST_PATH = "@TEMPLATES@"
VOLUME = "/vm/volumes/0"  # may be written to

RAM, STATE = 8, 9  # VM_FD_RAM, VM_FD_STATE
PAGE = 4096
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.syscall.restype = ctypes.c_long
breaches = []


def attempt(name, act):
    try:
        act()
        breaches.append(name)
    except OSError:
        pass


def check(result):
    """Of a function of libc's."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def deface(fd):
    os.pwrite(fd, b"defaced", 0)


def deface_path(path, flags=os.O_RDWR):
    with open(os.open(path, flags), "rb", buffering=0) as f:
        if flags & os.O_ACCMODE:
            deface(f.fileno())


def deface_mapping(fd, prot, later):
    at = libc.mmap(None, ctypes.c_size_t(PAGE), prot, mmap.MAP_SHARED, fd, ctypes.c_long(0))
    if at == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    later(at)


def by_mprotect(at):
    check(libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(PAGE), mmap.PROT_WRITE))
    ctypes.memset(at, 1, 8)


def by_mem(at):
    """As a debugger writes to what is mapped read-only."""
    mem = os.open("/proc/self/mem", os.O_RDWR)
    os.pwrite(mem, b"defaced", at)


def by_map_files(at):
    with open("/proc/self/maps") as maps:
        area = next(line.split()[0] for line in maps if int(line.split("-")[0], 16) == at)
    deface_path("/proc/self/map_files/" + "-".join(x.lstrip("0") for x in area.split("-")))


def by_descriptor(fd):
    path = f"/proc/self/fd/{fd}"
    attempt("write", lambda: os.write(fd, b"defaced"))
    attempt("pwrite", lambda: deface(fd))
    attempt("ftruncate", lambda: os.ftruncate(fd, 0))
    attempt("truncate", lambda: os.truncate(path, 0))
    attempt("punch", lambda: check(libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(PAGE))))
    attempt("chmod", lambda: os.fchmod(fd, 0o666))
    attempt("chmod-path", lambda: os.chmod(path, 0o666))
    attempt("chown", lambda: os.fchown(fd, os.getuid(), os.getgid()))
    attempt("xattr", lambda: os.setxattr(fd, "user.defaced", b"x"))
    attempt("utime", lambda: os.utime(fd, (1, 1)))
    attempt("flags", lambda: fcntl.ioctl(fd, 0x40086602, struct.pack("l", 0x20)))
    attempt("clone-range", lambda: fcntl.ioctl(fd, 0x40049409, RAM + STATE - fd))
    attempt("copy-range", lambda: os.copy_file_range(RAM + STATE - fd, fd, PAGE, 0, 0))
    attempt("dup-writable", lambda: (fcntl.fcntl(fd, fcntl.F_SETFL, os.O_RDWR), deface(fd)))
    for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_TRUNC,
                  os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_DIRECT):
        attempt(f"open-{flags:x}", lambda flags=flags: deface_path(path, flags))
    shared = mmap.PROT_READ | mmap.PROT_WRITE
    attempt("mmap", lambda: deface_mapping(fd, shared, lambda at: ctypes.memset(at, 1, 8)))
    attempt("mprotect", lambda: deface_mapping(fd, mmap.PROT_READ, by_mprotect))
    attempt("mem", lambda: deface_mapping(fd, mmap.PROT_READ, by_mem))
    attempt("map-files", lambda: deface_mapping(fd, mmap.PROT_READ, by_map_files))
    attempt("link", lambda: os.link(path, VOLUME + "/link", follow_symlinks=True))
    attempt("handle", lambda: by_handle(fd))
    by_mount(fd)


def by_handle(fd):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    check(libc.name_to_handle_at(fd, b"", handle, ctypes.byref(mount), AT_EMPTY_PATH))
    deface(check(libc.open_by_handle_at(fd, handle, os.O_RDWR)))


def by_mount(fd):
    writable = struct.pack("QQQQ", 0, 1, 0, 0)  # clears MOUNT_ATTR_RDONLY
    attempt("mount_setattr", lambda: check(libc.syscall(
        SYS_MOUNT_SETATTR, fd, b"", AT_EMPTY_PATH, writable, len(writable))))
    attempt("open_tree", lambda: check(libc.syscall(
        SYS_OPEN_TREE, fd, b"", AT_EMPTY_PATH | 1)))
    attempt("move_mount", lambda: check(libc.syscall(
        SYS_MOVE_MOUNT, fd, b"", AT_FDCWD, VOLUME.encode(), 4)))
    attempt("remount", lambda: check(libc.mount(None, b"/", None, 0x1020, None)))
    attempt("unshare-mount", lambda: check(libc.unshare(0x20000)))
    attempt("unshare-user", lambda: check(libc.unshare(0x10000000)))


def by_path(identity):
    """Wherever the template, or its directory, could be reached by a name."""
    name = os.path.basename(os.readlink(f"/proc/self/fd/{RAM}"))
    places = [HOST_PATH, os.path.dirname(os.readlink(f"/proc/self/fd/{RAM}")), "/", VOLUME, "."]
    for where, dirs, files in os.walk("/"):
        if where == "/":
            dirs[:] = [d for d in dirs if d not in ("proc", "sys", "usr", "vm")]
        places.append(where)
    for place in places:
        path = os.path.join(place, name)
        attempt(f"seen:{path}", lambda path=path: os.stat(path))
        attempt(f"unlink:{path}", lambda path=path: os.unlink(path))
        attempt(f"rename:{path}", lambda path=path: os.rename(path, path + ".gone"))
        attempt(f"write:{path}", lambda path=path: deface_path(path))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        attempt(f"mem-of-{pid}", lambda pid=pid: os.open(f"/proc/{pid}/mem", os.O_RDWR))
        for kind in ("fd", "map_files", "root"):
            attempt(f"{kind}-of-{pid}", lambda pid=pid: os.listdir(f"/proc/{pid}/{kind}"))
    for fd in range(3, 64):
        try:
            st = os.fstat(fd)
        except OSError:
            continue
        if fd not in (RAM, STATE) and (st.st_dev, st.st_ino) == identity:
            breaches.append(f"descriptor-{fd}")
        attempt(f"openat-{fd}", lambda fd=fd: os.open(name, os.O_RDWR, dir_fd=fd))
        attempt(f"unlinkat-{fd}", lambda fd=fd: os.unlink(name, dir_fd=fd))


def main():
    if "-incoming" not in sys.argv:
        os.execv(QEMU, [QEMU] + sys.argv[1:])
    # It turns some of our calls into harmless ones. A thief would not have it.
    if os.environ.pop("LD_PRELOAD", None):
        os.execv("/proc/self/exe", [sys.executable, "-I"] + sys.argv)
    st = os.fstat(RAM)
    tail = os.pread(RAM, PAGE, st.st_size - PAGE)
    if tail[:15] != b"vmrun template\n" or os.lseek(STATE, 0, os.SEEK_CUR) == 0:
        breaches.append("no-template")
    with open(VOLUME + "/control", "w") as control:
        control.write("x")
    for fd in (RAM, STATE):
        by_descriptor(fd)
    by_path((st.st_dev, st.st_ino))
    print("x: breaches:", " ".join(breaches)[:200] or "none", file=sys.stderr, flush=True)
    os._exit(3)


main()
