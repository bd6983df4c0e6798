#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kills.py random VICTIM COUNT SEED SPAN_MS STATUS[,STATUS...] VMRUN [OPTION...]
kills.py stages VICTIM CLOCK STEP KILL_AT STATUS[,STATUS...] VMRUN [OPTION...]

Runs vmruns and kills (SIGKILL) VICTIM of each: vmrun, the first process of its jail, or
QEMU. random: COUNT of them, at a random moment of its first SPAN_MS (one that is not there
yet is waited for first). stages: one as CLOCK enters its first system call, one at its
1 + STEP-th, and so on to its last (see kill-at.c); says which they were.

Two at a time, over $BASE and over $BASE_CALLER, read-write. After each vmrun must have
ended by one of STATUS, and have said why if that is 125; whatever was below it is gone
within five seconds, and nobody holds a lock on the base.
"""
import collections
import ctypes
import fcntl
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
GONE_WITHIN = 5  # seconds
PATIENCE = 60
NAMES = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"


class Failed(Exception):
    pass


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(child) for child in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_jailed(pid):
    """In a PID namespace below ours."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return any(line.startswith("NSpid:") and len(line.split()) > 2 for line in f)
    except (FileNotFoundError, ProcessLookupError):
        return False


def find(victim, vmrun):
    if victim == "vmrun":
        return vmrun
    for first in filter(is_jailed, children(vmrun)):
        if victim == "first":
            return first
        for qemu in children(first):
            return qemu
    return None


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def wait_gone():
    """Every orphan is our child (we are the subreaper). Return: how long it took."""
    start = time.monotonic()
    while True:
        reap()
        if not children(os.getpid()):
            return time.monotonic() - start
        if time.monotonic() - start > GONE_WITHIN:
            left = ",".join(map(str, children(os.getpid())))
            shown = subprocess.run(["ps", "-o", "pid,args", "-p", left], capture_output=True)
            raise Failed(f"still there: {shown.stdout.decode(errors='replace')}")
        time.sleep(0.002)


def check_lock(base):
    fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed("the base is still locked") from None
    finally:
        os.close(fd)


class Runner:
    """Runs vmruns over one base."""

    def __init__(self, base, statuses, vmrun, command):
        self.base = base
        self.statuses = [int(status) for status in statuses.split(",")]
        self.command = [*vmrun, base, "--", *command]
        self.out = tempfile.TemporaryFile(dir=os.environ["WORK"])
        self.slowest = 0
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(self, wrapper=()):
        self.out.seek(0)
        self.out.truncate()
        return subprocess.Popen([*wrapper, *self.command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=self.out, start_new_session=True)

    def said(self):
        self.out.seek(0)
        return self.out.read().decode(errors="replace")

    def finish(self, process):
        """Return: the exit status, and what it wrote to stdout."""
        try:
            stdout = process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed("vmrun did not end") from None
        status = process.returncode if process.returncode >= 0 else 128 - process.returncode
        said = self.said()
        lines = re.findall("^vmrun: ", said, re.MULTILINE)
        if (status == 125) != (len(lines) > 0):
            raise Failed(f"exit status {status} with {len(lines)} lines of its own")
        self.slowest = max(self.slowest, wait_gone())
        check_lock(self.base)
        return status, stdout.decode().strip()

    def expect(self, status):
        if status not in self.statuses:
            raise Failed(f"exit status {status}")


def kill_randomly(runner, victim, delay):
    process = runner.start()
    time.sleep(delay)
    pid = find(victim, process.pid)
    while pid is None and process.poll() is None:
        time.sleep(0.001)
        pid = find(victim, process.pid)
    try:
        os.kill(pid or process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    runner.expect(runner.finish(process)[0])


def random_kills(worker, bases, victim, count, seed, span, statuses, *vmrun):
    # A command that never comes to an end by itself.
    runner = Runner(bases[worker], statuses, vmrun, ["sleep", "1000"])
    rng = random.Random(int(seed) + worker)
    for i in range(int(count) // len(bases)):
        delay = rng.uniform(0, int(span) / 1000)
        try:
            kill_randomly(runner, victim, delay)
        except Failed as e:
            raise Failed(f"{victim} killed after {delay:.4f} s (kill {i} of worker {worker}): "
                         f"{e}\n{runner.said()}") from None
    return f"{victim}: {i + 1} kills over {runner.base}, the last was gone after " \
           f"{runner.slowest * 1000:.0f} ms"


def syscall_names():
    names = {}
    for path in NAMES:
        if os.path.exists(path):
            with open(path) as f:
                names.update((number, name) for name, number in
                             re.findall(r"#define __NR_(\w+)\s+(\d+)", f.read()))
    return names


def stage_kills(worker, bases, victim, clock, step, kill_at, statuses, *vmrun):
    runner = Runner(bases[worker], statuses, vmrun, ["true"])
    seen, names = collections.Counter(), syscall_names()
    n = 1 + worker * int(step)
    while True:
        process = runner.start([kill_at, victim, clock, str(n)])
        try:
            status, number = runner.finish(process)
            if number == "none":
                break
            runner.expect(status)
        except Failed as e:
            raise Failed(f"{victim} killed at system call {n} of {clock}: "
                         f"{e}\n{runner.said()}") from None
        seen[names.get(number, number)] += 1
        n += len(bases) * int(step)
    calls = " ".join(f"{name}:{count}" for name, count in sorted(seen.items()))
    return f"{victim} at {clock}'s system calls over {runner.base}, " \
           f"{sum(seen.values())} kills: {calls}"


def main():
    kind, arguments = sys.argv[1], sys.argv[2:]
    bases = [os.environ["BASE"], os.environ["BASE_CALLER"]]
    work = {"random": random_kills, "stages": stage_kills}[kind]
    workers = []
    for worker in range(len(bases)):
        pid = os.fork()
        if pid == 0:
            try:
                print(work(worker, bases, *arguments), flush=True)
                os._exit(0)
            except Failed as e:
                print(f"FAILED: {e}", flush=True)
            os._exit(1)
        workers.append(pid)
    failed = [pid for pid in workers if os.waitpid(pid, 0)[1]]
    sys.exit(1 if failed else 0)


main()
