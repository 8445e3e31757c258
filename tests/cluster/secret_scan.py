#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""secret_scan.py VALUES WHERE [ARGUMENT...]: where secrets are that must be nowhere. VALUES is a file
with one random secret a line, or "hex:" and its bytes in hexadecimal. They are searched as they are, in hexadecimal, as a list of decimal
numbers and in base64 and its URL-safe form, at any of its three phases, also of each of those; and
pieces of them, as freed memory holds that was partly used again. WHERE is

files PATH...      files, and those below folders, that exist when it comes to them
memory POD-UID...  memory of the processes of these pods: all that they can have written to and that
                   can be read, whether a core file would hold it or not
process PID...     of these processes
unlocked PID...    of these, but for what is locked and in no core file
environ POD-UID... environments of all processes but those of these pods
text NAME          standard input

Prints what was found, never a secret, or how much was searched. Exit code 0: none is there; 1: found;
2: there was nothing to search."""

import base64
import os
import re
import sys

BLOCK = 1 << 18  # read at once
PIECE = 8  # bytes of a secret that chance does not make


def phases(text):
    """What base64 of anything around text holds of it."""
    for before in range(3):
        whole = (before + len(text)) // 3 * 3
        encoded = base64.b64encode((b"\0" * before + text)[:whole])
        yield encoded[(0, 2, 3)[before]:]


def encoded(text):
    for part in phases(text):
        yield "base64", part
        yield "URL-safe base64", part.translate(bytes.maketrans(b"+/", b"-_"))


def pieces(text, length, step):
    """What may be left of it where something else lies over its beginning or end."""
    return {text[i:i + length] for i in range(0, len(text) - length + 1, step)}


def forms(value):
    """PATTERN -> its name."""
    plain = [("plain", value), ("hexadecimal", value.hex().encode()),
             ("hexadecimal", value.hex().upper().encode()),
             ("numbers", ",".join(map(str, value)).encode()),
             ("numbers", ", ".join(map(str, value)).encode())]
    once = [x for _, text in plain for x in encoded(text)]
    twice = [("twice " + name, x) for _, text in encoded(value) for name, x in encoded(text)]
    parts = [("a piece", x) for x in pieces(value, PIECE, 1)]
    parts += [("a piece in base64", x) for _, text in encoded(value) for x in pieces(text, 12, 4)]
    return {pattern: name for name, pattern in reversed(plain + once + twice + parts)}


class Search:
    def __init__(self, path):
        with open(path, "rb") as f:
            values = f.read().split(b"\n")
        values = [bytes.fromhex(v[4:].decode()) if v.startswith(b"hex:") else v for v in values if v]
        if not values or min(map(len, values)) < 12:
            sys.exit("secret_scan: no secrets, or one too short to be told from chance")
        self.patterns = [(p, f"secret {i + 1}, {name}")
                         for i, v in enumerate(values) for p, name in forms(v).items()]
        self.longest = max(len(p) for p, _ in self.patterns)
        self.searched = 0
        self.found = 0

    def data(self, where, data):
        for pattern, name in self.patterns:
            if pattern in data:
                self.found += 1
                print(f"{where}: {name}")
                return

    def stream(self, where, read):
        """read() gives the next bytes, b"" at the end; what lies across two blocks is found too."""
        rest = b""
        while block := read():
            self.searched += len(block)
            if block.count(0) < len(block):  # most of what is mapped was never written to
                self.data(where, rest + block)
            rest = block[-self.longest:]

    def file(self, path):
        with open(path, "rb", buffering=0) as f:
            self.stream(path, lambda: f.read(BLOCK))


def processes():
    """PID -> its control groups."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
                found[int(pid)] = f.read()
        except OSError:
            pass  # it has ended
    del found[os.getpid()]
    return found


def of_pods(uids):
    return {pid for pid, groups in processes().items() if any(uid in groups for uid in uids)}


def search_files(search, paths):
    for path in paths:
        if os.path.isfile(path):
            search.file(path)
        for folder, _, names in os.walk(path):
            for name in names:
                try:
                    search.file(os.path.join(folder, name))
                except FileNotFoundError:
                    pass  # logs and databases come and go


def maps_of(pid):
    """A mapping's line -> its flags (proc(5), smaps)."""
    maps, line = {}, ""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
        for text in f.read().splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", text):
                line = text
            elif text.startswith("VmFlags:"):
                maps[line] = text.split()[1:]
    return maps


def is_gone(pid, line):
    """Has the process ended, or given the memory back?"""
    try:
        return line not in maps_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True


def search_process(search, pid, locked=True):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
        name = f"{f.read().strip()} ({pid})"
    maps = maps_of(pid)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line, flags in maps.items():
            begin, end, mode, what = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            begin, end = int(begin, 16), int(end, 16)
            if mode[0] != "r" or "w" not in mode and what:
                continue
            if not locked and {"lo", "dd"} <= set(flags):
                continue

            def read():
                nonlocal begin
                mem.seek(begin)
                try:
                    block = mem.read(min(BLOCK, end - begin))
                except OSError:
                    if is_gone(pid, line):
                        return b""
                    raise
                begin += len(block)
                return block

            search.stream(f"{name}, {what or 'anonymous memory'} {line.split()[0]}", read)


def search_memory(search, uids):
    pids = of_pods(uids)
    for pid in pids:
        try:
            search_process(search, pid)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    print(f"{len(pids)} processes")


def search_processes(locked):
    def run(search, pids):
        for pid in pids:
            search_process(search, int(pid), locked)

    return run


def search_environments(search, uids):
    for pid in set(processes()) - of_pods(uids):
        try:
            search.file(f"/proc/{pid}/environ")
        except OSError:
            pass  # it has ended, or is the kernel's


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    search = Search(sys.argv[1])
    where = {
        "files": search_files,
        "memory": search_memory,
        "process": search_processes(True),
        "unlocked": search_processes(False),
        "environ": search_environments,
        "text": lambda s, names: s.stream(names[0], lambda: sys.stdin.buffer.read(BLOCK)),
    }
    where[sys.argv[2]](search, sys.argv[3:])
    print(f"{search.searched} bytes searched")
    return 1 if search.found else 0 if search.searched else 2


sys.exit(main())
