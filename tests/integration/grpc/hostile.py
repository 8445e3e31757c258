# SPDX-License-Identifier: Apache-2.0
"""hostile.py call SOCKET: what a client can do to the peer (see peer.c) with frames made by hand,
while another one, by grpcio, is to be served. The server's memory (RssAnon) has a bound for each
attack. Prints "ok: NAME" or "FAILED: NAME: WHY" a line."""

import socket
import struct
import sys
import time

import grpc

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 8, 9)
END_STREAM, END_HEADERS = 1, 4
CONNECTIONS = 15  # of 16; the other one is the good client's


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    def text(s):
        if len(s) < 127:
            return bytes([len(s)]) + s
        n, more = len(s) - 127, b"\x7f"
        while n >= 128:
            more += bytes([n % 128 | 128])
            n //= 128
        return more + bytes([n]) + s

    return b"\0" + text(name) + text(value)


def request(stream, method, flags=0, extra=b""):
    block = b"\x83\x86" + field(b":path", b"/test.Echo/" + method) + field(
        b":authority", b"localhost") + field(b"content-type", b"application/grpc") + extra
    return frame(HEADERS, flags | END_HEADERS, stream, block)


def message(body):
    return b"\0" + struct.pack(">I", len(body)) + body


class Attack:
    """A connection that has sent its preface."""

    def __init__(self, path, greet=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(2)
        self.socket.connect(path)
        if greet:
            self.send(MAGIC + frame(SETTINGS))

    def send(self, data):
        """False: the server has gone, or does not take it any more."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def drain(self):
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 20):
                pass
        except OSError:
            pass
        self.socket.settimeout(2)


def never_reads(path):
    """Answers of 200 times 60 kB, for which there is window."""
    for _ in range(CONNECTIONS):
        a = Attack(path)
        a.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))
        a.send(request(1, b"Repeat") + b"".join(
            frame(DATA, 0, 1, part) for part in pieces(message(b"\xc8" + bytes(60000)))))
        a.send(frame(DATA, END_STREAM, 1))
        yield a


def pieces(data):
    return [data[i:i + 16384] for i in range(0, len(data), 16384)]


def holds_streams(path):
    """All the streams there may be, each with a list waiting for its window."""
    for _ in range(CONNECTIONS):
        a = Attack(path)
        for stream in range(1, 200, 2):
            a.send(request(stream, b"Echo") + b"".join(
                frame(DATA, 0, stream, part) for part in pieces(message(bytes(60000)))))
            a.send(frame(DATA, END_STREAM, stream))
        yield a


def incomplete(path):
    """Messages of 4 MiB that never end, as many as there may be streams."""
    for _ in range(CONNECTIONS):
        a = Attack(path)
        for stream in range(1, 200, 2):
            a.send(request(stream, b"Echo") + frame(DATA, 0, stream, b"\0\0\x40\0\0"))
        for _ in range(200):
            for stream in range(1, 200, 2):
                if not a.send(frame(DATA, 0, stream, bytes(16384))):
                    break
            a.drain()
        yield a


def announced(path):
    """4 GiB, and the largest message, announced and not sent."""
    for _ in range(CONNECTIONS):
        a = Attack(path)
        for stream in range(1, 200, 2):
            length = b"\xff\xff\xff\xff" if stream % 4 == 1 else b"\0\x40\0\0"
            a.send(request(stream, b"Echo") + frame(DATA, 0, stream, b"\0" + length))
        yield a


def flood(one, n=20000):
    def attack(path):
        a = Attack(path)
        for i in range(n // 100):
            if not a.send(b"".join(one(100 * i + k) for k in range(100))):
                break
            a.drain()
        yield a

    return attack


def header_bombs(path):
    """Lists beyond the maximum, and one entry referred to 16,000 times."""
    for _ in range(CONNECTIONS):
        a = Attack(path)
        for stream in range(1, 60, 2):
            a.send(request(stream, b"Echo", END_STREAM, field(b"x", b"x" * 12000)))
        bomb = b"\x83\x86\x40\x01a\x7f\xa1\x1e" + b"x" * 4000 + b"\xbe" * 12000
        a.send(frame(HEADERS, END_HEADERS | END_STREAM, 61, bomb))
        yield a


def silent(path):
    for _ in range(CONNECTIONS):
        yield Attack(path, greet=False)


ATTACKS = {  # name: what, MiB of memory that it may cost
    "never reads": (never_reads, 16),
    # Up to 8 MiB for each connection, then it is closed.
    "holds streams": (holds_streams, CONNECTIONS * 8),
    # Twice the largest message (4 MiB) for each connection, and room for one that doubles.
    "messages that never end": (incomplete, CONNECTIONS * 12),
    "lengths that are only announced": (announced, 8),
    "PING": (flood(lambda i: frame(PING, 0, 0, b"12345678")), 4),
    "SETTINGS": (flood(lambda i: frame(SETTINGS)), 4),
    "PRIORITY": (flood(lambda i: frame(PRIORITY, 0, 2 * i + 1, b"\0\0\0\0\1")), 4),
    "rapid reset": (flood(lambda i: request(2 * i + 1, b"Hold", 0)
                          + frame(DATA, END_STREAM, 2 * i + 1, message(b""))
                          + frame(RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08")), 4),
    "CONTINUATION": (flood(lambda i: frame(HEADERS, 0, 1) if i == 0
                           else frame(CONTINUATION, 0, 1)), 4),
    "unknown frames": (flood(lambda i: frame(0xEE)), 4),
    "header bombs": (header_bombs, 8),
    "silence": (silent, 4),
}


def anonymous_kib(path):
    """RssAnon of who listens there; 0 where a sanitizer keeps what was freed."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        pid = struct.unpack("iii", s.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iii")))[0]
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        if "libasan" in f.read():
            return 0
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))


def check(name, ok, detail=""):
    print(f"ok: hostile: {name}" if ok else f"FAILED: hostile: {name}: {detail}", flush=True)


def main(path):
    with grpc.insecure_channel("unix:" + path) as channel:
        echo = channel.unary_unary("/test.Echo/Echo")
        echo(b"before", timeout=60)
        for name, (attack, mib) in ATTACKS.items():
            began = anonymous_kib(path)
            most, slowest, open_ones = 0, 0.0, []
            for a in attack(path):
                open_ones.append(a)
                start = time.monotonic()
                try:
                    served = echo(b"during", timeout=60) == b"during"
                except grpc.RpcError as e:
                    served = False
                    check(name, False, e.code())
                slowest = max(slowest, time.monotonic() - start)
                most = max(most, anonymous_kib(path))
            check(f"{name}: others are served, within {slowest * 1000:.0f} ms", served and
                  slowest < 20)
            check(f"{name}: {(most - began) / 1024:.1f} MiB, of {mib}",
                  most - began < mib * 1024, f"{began} KiB, then {most} KiB")
            for a in open_ones:
                a.socket.close()
            time.sleep(0.2)  # the server sees it
        echo(b"after", timeout=60)
        kib = anonymous_kib(path)
        check(f"afterwards: {kib} KiB", kib < 4096, kib)
        channel.unary_unary("/test.Echo/Stop")(b"", timeout=60)


main(sys.argv[2])
