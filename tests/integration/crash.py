# SPDX-License-Identifier: Apache-2.0
"""Programs that crash, with keys in their memory, where they might leave a core file: in a folder of their own
user's, with no limit. And what that user sees of them before. As root, who may be another user; the programs are
CASEMATE_NODEAGENT's and CASEMATE_EXEC's."""

import os
import resource
import signal
import socket
import struct
import subprocess

import harness
from harness import check, check_equal, eventually, free_port
from kbs_broker import Broker, Client

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
# The program is copied to where its user may run it.
IN_FOLDER = f'cd "$0" && cp "$1" program && shift && exec {" ".join(AS_NOBODY)} ./program "$@"'
BUILD = os.path.join(harness.ROOT, "build/gcc")
AGENT = os.path.abspath(os.environ.get("CASEMATE_NODEAGENT", os.path.join(BUILD, "nodeagent/casemate-nodeagent")))
EXEC = os.path.abspath(os.environ.get("CASEMATE_EXEC", os.path.join(BUILD, "nodeagent/exec/casemate-exec")))
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def unlimited():
    resource.setrlimit(resource.RLIMIT_CORE, NO_LIMIT)


def owned(folder):
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder], check=True)


def seen_by_nobody(pid):
    """Which of its files its own user reads."""
    seen = []
    for name in ("environ", "maps", "mem", "auxv"):
        # mem has nothing at 0: to open it is enough
        done = subprocess.run([*AS_NOBODY, "sh", "-c", f'exec 3<"/proc/{pid}/{name}"'], capture_output=True, check=False)
        if done.returncode == 0:
            seen.append(name)
    return seen


def crash(process):
    """How it ended."""
    process.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return status


def left_nothing(name, folder, process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        uid = next(line.split()[1] for line in f if line.startswith("Uid:"))
    check_equal(f"{name} runs as nobody", int(uid), NOBODY)
    check_equal(f"{name}: its own user does not look into it", seen_by_nobody(process.pid), [])
    status = crash(process)
    check_equal(f"{name} crashes", os.WIFSIGNALED(status) and os.WTERMSIG(status), signal.SIGSEGV)
    check(f"{name} leaves no core file", not os.WCOREDUMP(status) and not cores(folder), cores(folder))


def cores(folder):
    return [name for name in os.listdir(folder) if name.startswith("core")]


def control(folder):
    """That another program would leave one, where this machine writes them, and is looked into."""
    process = subprocess.Popen([*AS_NOBODY, "sleep", "600"], cwd=folder, preexec_fn=unlimited)
    # Yama may close mem to all but those who started it.
    check("another program is looked into", eventually(lambda: {"environ", "maps"} <= set(seen_by_nobody(process.pid))),
          seen_by_nobody(process.pid))
    if not os.WCOREDUMP(crash(process)):
        print("SKIPPED: this machine writes no core files (/proc/sys/kernel/core_pattern): of none is seen that it is missing")
    for name in cores(folder):
        os.unlink(os.path.join(folder, name))


class CrashingBroker(Broker):
    def spawn(self):
        owned(self.folder)
        self.wrapper = ["sh", "-c", IN_FOLDER, self.folder]
        super().spawn()

    def end(self):
        self.process.kill()
        self.process.wait()


def broker(folder, stack):
    """One that has released a key."""
    started = CrashingBroker(folder, stack, "--broker-allow-sample")
    client = Client(started)
    client.attest()
    check_equal("a key is released", client.resource()[0], 200)
    return started.process


def agent(folder, stack):
    ports = {name: free_port() for name in ("health", "metrics", "page")}
    args = [f"--{name}-listen=127.0.0.1:{port}" for name, port in ports.items()]
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(["sh", "-c", IN_FOLDER, folder, AGENT, "run", "--standalone", *args],
                                   stdin=subprocess.DEVNULL, stderr=log, env=harness.ENVIRONMENT)
    stack.callback(process.wait)
    stack.callback(process.kill)

    def lives():
        try:
            return harness.Server.get(None, ports["health"], "/livez")[0] == 200
        except OSError:
            return False

    check("the agent runs", eventually(lives))
    return process


def executor(folder, stack):
    """casemate-exec, which has the first of two keys."""
    os.makedirs(os.path.join(folder, "token"))
    harness.write(os.path.join(folder, "token"), "token", "eyJh.eyJz.c2ln\n")
    served = stack.enter_context(socket.socket(socket.AF_UNIX))
    served.bind(os.path.join(folder, "key.sock"))
    served.listen()
    owned(folder)
    os.makedirs("/run/casemate", exist_ok=True)
    mount = 'mount --bind "$0" /run/casemate && exec "$@"'
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", mount, folder, "env", "-i", "A=casemate://demo/a", "B=casemate://demo/b",
         "sh", "-c", IN_FOLDER, folder, EXEC, "--", "true"])
    stack.callback(process.wait)
    stack.callback(process.kill)
    served.settimeout(60)
    connection = stack.enter_context(served.accept()[0])
    check("casemate-exec asks", connection.recv(65536))
    head = b'{"status":"ok","lengths":[21,21]}'
    connection.sendall(struct.pack(">I", len(head)) + head + b"correct horse battery")
    return process


def crashes(folder, stack):
    folders = [os.path.join(folder, name) for name in ("control", "broker", "agent", "executor")]
    for path in folders:
        os.mkdir(path)
        owned(path)
    os.chmod(folder, 0o711)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    control(folders[0])
    unlimited()
    try:
        for name, start, path in (("the broker", broker, folders[1]), ("the agent", agent, folders[2]),
                                  ("casemate-exec", executor, folders[3])):
            left_nothing(name, path, start(path, stack))
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
