# SPDX-License-Identifier: Apache-2.0
"""A program that is stopped as it ends, while its memory is still there (ptrace(2),
PTRACE_O_TRACEEXIT). As root."""

import ctypes
import os
import signal
import subprocess

PTRACE_TRACEME, PTRACE_CONT, PTRACE_SETOPTIONS = 0, 7, 0x4200
PTRACE_EVENT_EXEC, PTRACE_EVENT_EXIT = 4, 6
OPTIONS = 1 << PTRACE_EVENT_EXEC | 1 << PTRACE_EVENT_EXIT | 1 << 20  # and it ends with the tracer
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long


def ptrace(request, pid=0, data=0):
    if LIBC.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def at_exit(args, stdin, look, env=None):
    """Runs it, and look(PID) before it is gone, whatever program it is by then; its exit code."""
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=env,
                               preexec_fn=lambda: ptrace(PTRACE_TRACEME))
    pid, begun = process.pid, False
    process.stdin.write(stdin)  # less than a pipe holds
    process.stdin.close()
    while True:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for
            return process.returncode
        stop, pass_on = os.WSTOPSIG(status), 0
        if status >> 8 == signal.SIGTRAP | PTRACE_EVENT_EXIT << 8:
            look(pid)
        elif not begun and stop == signal.SIGTRAP:  # the first execve(2)
            ptrace(PTRACE_SETOPTIONS, pid, OPTIONS)
            begun = True
        elif status >> 8 != signal.SIGTRAP | PTRACE_EVENT_EXEC << 8:
            pass_on = stop
        ptrace(PTRACE_CONT, pid, pass_on)
