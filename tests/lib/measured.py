#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""measured.py FILE COMMAND [ARG...]

Runs COMMAND, writes to FILE the kB of memory that it or any process below it that was
waited for held at its peak, and the milliseconds that it took. Its exit status."""
import os
import resource
import subprocess
import sys
import time

start = time.monotonic()
status = subprocess.call(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(sys.argv[1], "w") as f:
    print(peak, int((time.monotonic() - start) * 1000), file=f)
sys.exit(status if status >= 0 else 128 - status)
