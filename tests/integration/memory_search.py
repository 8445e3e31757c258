# SPDX-License-Identifier: Apache-2.0
"""Searches the memory of a process for secrets (tests/cluster/secret_scan.py)."""

import os
import subprocess

from harness import ROOT, check, eventually

SCAN = os.path.join(ROOT, "tests/cluster/secret_scan.py")


def search(folder, values, where, *pids):
    """Exit code and words of the scanner."""
    path = os.path.join(folder, "values")
    with open(path, "wb") as f:
        f.write(b"".join(b"hex:" + v.hex().encode() + b"\n" for v in values))
    done = subprocess.run([SCAN, path, where, *map(str, pids)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def nowhere(name, folder, values, pid, where="process"):
    """What is under way meanwhile is not there for long."""
    found = []

    def is_clean():
        found[:] = search(folder, values, where, pid)
        return found[0] == 0

    check(name, eventually(is_clean), found)
