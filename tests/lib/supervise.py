#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""supervise.py SECONDS COMMAND [ARG...]

Runs a test and makes sure that it ends, and that nothing it started outlives it.
Every orphan below becomes our child (PR_SET_CHILD_SUBREAPER), whoever its parent
was and however that died, so what is still there when the test is over is found
without guessing by name. Such a process fails the test: exit status 99; a test
that does not end in time: 98. Else the test's own status.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE = 3  # seconds that what was killed with its parent may take to be gone


def children(pid):
    """All descendants of pid that are no zombies."""
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            pids = f.read().split()
        for child in pids:
            with open(f"/proc/{child}/stat") as f:
                state = f.read().rpartition(")")[2].split()[0]
            if state not in "ZX":
                found.append(int(child))
            found += children(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def wait(test, seconds):
    """The exit code of test. Orphans are reaped meanwhile, as init does it: somebody
    may wait for one to be gone."""
    deadline = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == test.pid:
            test.returncode = os.waitstatus_to_exitcode(status)
            return test.returncode
        left = deadline - time.monotonic()
        if not pid and left <= 0:
            raise subprocess.TimeoutExpired(test.args, seconds)
        if not pid:
            signal.sigtimedwait([signal.SIGCHLD], left)


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().replace(b"\0", b" ").decode(errors="replace")
        return f"{pid}: {words[:200]}"
    except OSError:
        return f"{pid}: gone meanwhile"


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def main():
    seconds, command = float(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        test = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as e:
        sys.exit(f"cannot run the test: {e}; was it built?")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    # An interrupted run leaves nothing behind either.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: (kill_all(children(os.getpid())), sys.exit(98)))
    try:
        status = wait(test, seconds)
    except subprocess.TimeoutExpired:
        print(f"the test did not end within {seconds:g} s; it ran:", file=sys.stderr)
        for pid in children(os.getpid()):
            print(f"  {describe(pid)}", file=sys.stderr)
        status = 98
        kill_all(children(os.getpid()))
    deadline = time.monotonic() + GRACE
    while left := children(os.getpid()):
        if time.monotonic() > deadline:
            print("processes are left over:", file=sys.stderr)
            for pid in left:
                print(f"  {describe(pid)}", file=sys.stderr)
            kill_all(left)
            status = status or 99
            break
        time.sleep(0.02)
        reap()
    sys.exit(status if status >= 0 else 128 - status)


main()
