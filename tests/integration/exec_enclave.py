# SPDX-License-Identifier: Apache-2.0
"""A folder that is to casemate-exec-sgx what an enclave's file system is to it, with a /dev/attestation that
behaves as Gramine's, and a broker that has keys for that enclave. CASEMATE_EXEC and CASEMATE_EXEC_SGX name
other binaries."""

import json
import os
import shutil
import struct
import subprocess
import threading
import time

import harness
import ioctls
from harness import SANITIZER, check, check_equal, write
from kbs_broker import Broker, profile

BUILD = os.path.join(harness.ROOT, "build/gcc")
EXEC = os.path.abspath(os.environ.get("CASEMATE_EXEC", os.path.join(BUILD, "nodeagent/exec/casemate-exec")))
EXEC_SGX = os.path.abspath(os.environ.get("CASEMATE_EXEC_SGX", os.path.join(BUILD, "nodeagent/exec/casemate-exec-sgx")))
MAKE_EVIDENCE = os.path.abspath(os.environ.get("MAKE_EVIDENCE", os.path.join(BUILD, "tests/tee/make-evidence")))
SECRET = "correct horse battery"
PRINT = ["--", "sh", "-c", 'printf "%s|%s" "$A" "$B"']
MOUNT = 'mount --bind /usr "$0/usr" && mount --bind /proc "$0/proc" && exec chroot "$0" "$@"'


def subfolder(folder, name):
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    return path


class Enclave:
    """A root folder with Gramine's pseudo files, and a program in it."""

    def __init__(self, folder, stack, kind="sgx3", program=EXEC_SGX):
        self.kind, self.change = kind, lambda quote: quote
        self.vendor, self.root = subfolder(folder, "vendor"), subfolder(folder, "root")
        for name in ("usr", "proc", "etc/casemate", "dev", "tmp"):
            subfolder(self.root, name)
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(self.root, name))
        self.program = "/" + os.path.basename(program)
        shutil.copy(program, self.root + self.program)
        self.etc = os.path.join(self.root, "etc/casemate")
        self.mrenclave = self.make(bytes(64))[112:144].hex()
        self.attests(stack)

    def attests(self, stack):
        """From here on it has quotes."""
        self.device = subfolder(self.root, "dev/attestation")
        write(self.device, "attestation_type", "dcap")
        write(self.device, "user_report_data", "")
        self.next_fifo()
        self.ends = False
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        stack.callback(self.end, thread)

    def make(self, report_data):
        args = [MAKE_EVIDENCE, self.kind, self.vendor, report_data.hex(), str(int(time.time()))]
        subprocess.run(args, check=True, capture_output=True, cwd=harness.ROOT)
        with open(os.path.join(self.vendor, "evidence.bin"), "rb") as f:
            return f.read()

    def serve(self):
        """A quote for each who opens the file."""
        while True:
            with open(os.path.join(self.device, "quote"), "wb", buffering=0) as quote:
                if self.ends:
                    return
                with open(os.path.join(self.device, "user_report_data"), "rb") as f:
                    report_data = f.read()
                made = self.make(report_data) if len(report_data) == 64 else b""
                self.next_fifo()
                try:
                    quote.write(self.change(made))
                except BrokenPipeError:
                    pass

    def next_fifo(self):
        """The next reader's; the one before has the old one, whose end it sees."""
        path = os.path.join(self.device, "quote")
        os.mkfifo(path + ".new")
        os.rename(path + ".new", path)

    def end(self, thread):
        self.ends = True
        reader = os.open(os.path.join(self.device, "quote"), os.O_RDONLY | os.O_NONBLOCK)
        thread.join(60)
        os.close(reader)

    def settings(self, url, certificates, **members):
        """What is measured."""
        shutil.copy(certificates, os.path.join(self.etc, "ca.crt"))
        write(self.etc, "broker.json", json.dumps({"url": url, "ca": "/etc/casemate/ca.crt", **members}))

    def inside(self, args, env):
        """What runs it there."""
        return (["unshare", "-m", "sh", "-c", MOUNT, self.root]
                + ["env", "-i", *[f"{k}={v}" for k, v in {"PATH": "/usr/bin", **env}.items()], self.program, *args])

    def start(self, args, env):
        return subprocess.Popen(
            self.inside(args, env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, args=None, **env):
        process = self.start(args or PRINT, {"CASEMATE_EXEC_TIMEOUT": "60s", **env})
        out, err = process.communicate(timeout=180)
        check("no secret on standard error", SECRET not in err, err)
        if SANITIZER.search(err):
            check("nothing for the sanitizers", False, err)
        return process.returncode, out, err

    def refused(self, name, *parts, **env):
        """The program does not start, and why not has all the parts in it."""
        code, out, err = self.run(**{"A": "casemate://app/k", **env})
        check_equal(f"{name}: the program does not start", (code, out), (1, ""))
        check(f"{name}: says why", all(part in err for part in ("variable A", *parts)), err)

    def waits(self, name, *parts, **env):
        """The same of what may pass: it asks again, and says why."""
        process = self.start(PRINT, {"A": "casemate://app/k", "CASEMATE_EXEC_TIMEOUT": "120s", **env})
        err = process.stderr.readline()
        process.terminate()
        out, more = process.communicate(timeout=180)
        check_equal(f"{name}: the program does not start", (process.returncode, out), (143, ""))
        check(f"{name}: says why", all(part in err for part in parts), err + more)


class Occlum(Enclave):
    """The same with Occlum's device, which this process is (ioctls.py). change may give an errno instead of a
    quote; sized is what the device says is a quote's size."""

    SIZE, QUOTE = 0x80047307, 0xC0187308

    sized = bound = None

    def attests(self, stack):
        os.mknod(os.path.join(self.root, "dev/sgx"), 0o20600, os.makedev(1, 3))

    def start(self, args, env):
        return ioctls.start(
            self.inside(args, env), self.ioctl, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ioctl(self, memory, command, argument):
        if command == self.SIZE:
            memory.write(argument, struct.pack("<I", 4770 if self.sized is None else self.sized))
            return 0
        if command != self.QUOTE:
            return None
        report_data, size, quote = struct.unpack("<QQQ", memory.read(argument, 24))
        self.bound = memory.read(report_data, 64)
        made = self.change(self.make(self.bound))
        if isinstance(made, int):
            return made
        room = struct.unpack("<I", memory.read(size, 4))[0]
        memory.write(size, struct.pack("<I", len(made)))
        memory.write(quote, made[:room])
        return 0


def world(folder, stack, enclave, *flags, secret=SECRET):
    """A broker that believes the synthetic Intel, and has keys for this enclave."""
    with open(os.path.join(enclave.vendor, "root.pem"), encoding="ascii") as f:
        trusted = f.read()
    collateral = [os.path.join(subfolder(folder, "collateral"), "collateral.json")]
    shutil.copy(os.path.join(enclave.vendor, "collateral.json"), collateral[0])
    config = {"broker": {"collateral": collateral, "policy": {"trustedRoots": [trusted]}}}
    profiles = subfolder(folder, "profiles")
    for name, mrenclave, grant in (
        ("app", enclave.mrenclave, {"evidenceOnly": True}),
        ("another", "cd" * 32, {"evidenceOnly": True}),
        ("payments", enclave.mrenclave, {"serviceAccounts": ["payments"]}),
    ):
        keys = [{"name": key, "type": "raw", "grant": grant} for key in ("k", "l")]
        identities = [{"name": "release", "sgx": {"mrenclave": mrenclave}}]
        write(profiles, f"{name}.yaml", profile(name, "k", keys=keys, identities=identities))
    broker = Broker(folder, stack, *flags, config=config)
    for name in ("app", "another", "payments"):
        broker.put("default", name, "k", secret.encode())
    broker.put("default", "app", "l", b"two")
    broker.restart()
    broker.url = f"https://127.0.0.1:{broker.port}"
    return broker
