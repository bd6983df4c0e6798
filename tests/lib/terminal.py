#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py SCRIPT COMMAND [ARG...]

Runs COMMAND on a new terminal, as a person would, and follows SCRIPT, a text of
one step a line:

  size ROWS COLUMNS      resize the terminal (before the first step it is 24 80)
  expect TEXT            wait until TEXT was printed, after what was expected before
  send TEXT              type TEXT; Python's escapes (\\n, \\x03) are known
  signal NAME            send SIGNAME to COMMAND
  pause SECONDS

All that was printed goes to stdout. At the end it waits for COMMAND, checks that
the terminal's settings are what they were before, and exits with COMMAND's status
(128+n for signal n); 97 if a step did not come true within 60 seconds.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 60


class Failed(Exception):
    pass


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    def __init__(self, command):
        self.master, self.slave = pty.openpty()
        resize(self.master, 24, 80)
        self.before = termios.tcgetattr(self.slave)
        self.printed = b""
        self.seen = 0
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            # A person's shell ignores none; a script that runs all this in the
            # background has INT and QUIT ignored, and vmrun honours that.
            for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(ignored, signal.SIG_DFL)
            os.execvp(command[0], command)

    def pump(self, timeout):
        """Take over what was printed; False if nothing was."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        data = os.read(self.master, 65536)
        self.printed += data
        os.write(1, data)
        return bool(data)

    def expect(self, text):
        deadline = time.monotonic() + PATIENCE
        while (at := self.printed.find(text, self.seen)) < 0:
            if time.monotonic() > deadline:
                raise Failed(f"never saw {text!r}")
            if not self.pump(0.1) and self.ended():
                while self.pump(0):
                    pass
                if self.printed.find(text, self.seen) < 0:
                    raise Failed(f"it ended before {text!r}")
        self.seen = at + len(text)

    def ended(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def finish(self):
        deadline = time.monotonic() + PATIENCE
        while not self.ended():
            self.pump(0.1)
            if time.monotonic() > deadline:
                raise Failed("it did not end")
        while self.pump(0):
            pass
        if termios.tcgetattr(self.slave) != self.before:
            raise Failed("the terminal's settings are not what they were")
        status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(status)


def step(terminal, line):
    verb, _, rest = line.partition(" ")
    if verb == "size":
        resize(terminal.master, *map(int, rest.split()))
    elif verb == "expect":
        terminal.expect(rest.encode())
    elif verb == "send":
        os.write(terminal.master, rest.encode().decode("unicode_escape").encode("latin-1"))
    elif verb == "signal":
        os.kill(terminal.pid, signal.Signals["SIG" + rest])
    elif verb == "pause":
        deadline = time.monotonic() + float(rest)
        while (left := deadline - time.monotonic()) > 0:
            terminal.pump(left)
    else:
        raise Failed(f"no such step: {line}")


def main():
    terminal = Terminal(sys.argv[2:])
    try:
        for line in sys.argv[1].strip().splitlines():
            step(terminal, line.strip())
        status = terminal.finish()
    except Failed as e:
        print(f"\nterminal.py: {e}", file=sys.stderr)
        sys.exit(97)
    sys.exit(status if status >= 0 else 128 - status)


main()
