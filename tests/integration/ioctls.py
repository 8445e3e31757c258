# SPDX-License-Identifier: Apache-2.0
"""A program whose ioctl(2)s somebody here answers (seccomp_unotify(2)): devices that the kernel has not."""

import array
import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
import subprocess
import threading

NR_IOCTL, NR_SECCOMP = 16, 317  # of x86-64
SET_MODE_FILTER, NEW_LISTENER = 1, 8
NO_NEW_PRIVS = 38
RET_ALLOW, RET_USER_NOTIF = 0x7FFF0000, 0x7FC00000
CONTINUE = 1
RECEIVE, SEND = 0xC0502100, 0xC0182101
NOTIFICATION, RESPONSE = 80, 24  # bytes
LIBC = ctypes.CDLL(None, use_errno=True)


def listen(sock):
    """In the child: ioctl() is another's to answer from here on, who gets the descriptor for it."""
    # load the number; is it ioctl()? ask; let it
    code = struct.pack("<HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0, 0x15, 0, 1, NR_IOCTL,
                       0x06, 0, 0, RET_USER_NOTIF, 0x06, 0, 0, RET_ALLOW)
    code = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 4, ctypes.addressof(code)))
    LIBC.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    fd = LIBC.syscall(NR_SECCOMP, SET_MODE_FILTER, NEW_LISTENER, program)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd)


class Memory:
    """A process's."""

    def __init__(self, pid):
        self.file = open(f"/proc/{pid}/mem", "r+b", buffering=0)

    def read(self, at, n):
        return os.pread(self.file.fileno(), n, at)

    def write(self, at, data):
        os.pwrite(self.file.fileno(), data, at)


def answer(fd, device):
    """device(memory, command, argument) answers: an errno; None: the kernel does."""
    while True:
        got = bytearray(NOTIFICATION)
        try:
            fcntl.ioctl(fd, RECEIVE, got)
        except OSError as e:
            if e.errno == errno.EINTR:
                continue
            return  # nobody is left
        ident, pid = struct.unpack_from("<QI", got)
        command, argument = struct.unpack_from("<QQ", got, 40)
        memory = Memory(pid)
        with memory.file:
            code = device(memory, command & 0xFFFFFFFF, argument)
        flags, error = (CONTINUE, 0) if code is None else (0, -code)
        try:
            fcntl.ioctl(fd, SEND, bytearray(struct.pack("<QqiI", ident, 0, error, flags)))
        except OSError:
            pass  # it was killed meanwhile


def start(args, device, **options):
    """Popen of a program, whose ioctl()s, and those of its children, device answers."""
    assert platform.machine() == "x86_64"
    ours, theirs = socket.socketpair()

    def serve():
        _, rights, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
        ours.close()
        fd = struct.unpack("i", rights[0][2][:4])[0]
        answer(fd, device)
        os.close(fd)

    # Popen returns when the child has become the program, which may have asked by then.
    threading.Thread(target=serve, daemon=True).start()
    with theirs:
        return subprocess.Popen(args, preexec_fn=lambda: listen(theirs), **options)
