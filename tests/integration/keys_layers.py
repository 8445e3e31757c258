# SPDX-License-Identifier: Apache-2.0
"""keys_layers.py CLIENT...: what image tools ask to wrap the keys of layers: a command (by keys-test), or
gRPC on a socket, called by CLIENT SOCKET METHOD (by grpc-test)."""

import base64
import json
import os
import signal
import stat
import subprocess
import sys

sys.dont_write_bytecode = True  # the checkout stays clean

from harness import ENVIRONMENT, PROGRAM, check, check_equal, command, eventually, run_tests
from keys_store import Store, refused
from memory_search import nowhere

KEY = bytes(range(32))  # what layers are wrapped with
ID = "kbs:///shop/payments/"
LAYER = b"the private options of a layer: its key"


def options(store):
    return ["--keys", store.keys, "--kek-file", store.kek, "--profiles-dir", store.profiles]


def import_key(store):
    path = os.path.join(os.path.dirname(store.keys), "layers.bytes")
    with open(path, "wb") as f:
        f.write(KEY)
    done = store.key("import", "--from", path, "shop/payments", "layers")
    check_equal("a key for images is imported", done[0], 0)


def ask(recipient):
    return {"op": "keywrap", "keywrapparams": {
        "ec": {"Parameters": {"casemate": [base64.b64encode(recipient.encode()).decode()]}},
        "optsdata": base64.b64encode(LAYER).decode()}}


def open_packet(packet):
    """What a packet (A256GCM) wraps: GCM is CTR from 2 on; the tag is the broker's to look at."""
    iv, wrapped = (base64.b64decode(packet[k]) for k in ("iv", "wrapped_data"))
    done = subprocess.run(
        ["openssl", "enc", "-d", "-aes-256-ctr", "-K", KEY.hex(), "-iv", iv.hex() + "00000002"],
        input=wrapped[:-16], capture_output=True, check=True)
    return done.stdout


def commands(store):
    """Runs the command for a request: exit code, standard output and error."""
    return lambda request: command("keyprovider", *options(store), stdin=json.dumps(request))


def test_wrap(name, store, send):
    refused(f"{name}: a key that is not made yet", send(ask(ID + "layers")), "KeyNotFound")
    import_key(store)
    done = send(ask(ID + "layers"))
    if check(f"{name} wraps", done[0] == 0, done):
        packet = bytes(json.loads(done[1])["keywrapresults"]["annotation"])
        check(f"{name}: the packet names the key and does not hold the layer's",
              (ID + "layers").encode() in packet and LAYER not in packet, packet)
        check_equal(f"{name}: it opens with the key", open_packet(json.loads(packet)), LAYER)
    db = send(ask(ID + "db"))
    check(f"{name}: a key that is not for images", db[0] != 0 and "use: image" in db[2], db)
    other = send(ask("kbs:///shop/other/layers"))
    refused(f"{name}: no such profile", other, "no profile shop/other")
    bad = send({"op": "keywrap"})
    check(f"{name}: no recipient", bad[0] == 1 and "names no recipient" in bad[2], bad)
    store.profile("uid-2")
    refused(f"{name}: another profile of that name", send(ask(ID + "layers")), "KeyNotFound")


class Service:
    """casemate-webhook keyprovider --listen."""

    def __init__(self, folder, stack, store):
        self.socket = os.path.join(folder, "provider.sock")
        self.log_path = os.path.join(folder, "provider.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "keyprovider", "--listen", "unix://" + self.socket, *options(store)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)
        stack.callback(self.end)
        self.ready = eventually(lambda: "Serving" in self.log() or
                                self.process.poll() is not None, 60)

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def test_service(folder, stack):
    store = Store(folder)
    service = Service(folder, stack, store)
    if not check("gRPC: serves", service.process.poll() is None and service.ready, service.log()):
        return
    check_equal("gRPC: for this user alone", stat.S_IMODE(os.stat(service.socket).st_mode), 0o600)

    def call(method, request):
        done = subprocess.run([*sys.argv[1:], service.socket, method], input=json.dumps(request),
                              capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    test_wrap("gRPC", store, lambda request: call("WrapKey", request))
    refused("gRPC: unwraps nothing", call("UnWrapKey", {"op": "keyunwrap"}),
            "UNIMPLEMENTED: AccessDenied: this only wraps")
    refused("gRPC: no request at all", call("WrapKey", "hello"), "INVALID_ARGUMENT: Malformed")
    nowhere("gRPC: no layer's key is left in its memory", folder, [LAYER], service.process.pid)
    os.rename(store.kek, store.kek + ".away")
    refused("gRPC: the key-encryption key is gone", call("WrapKey", ask(ID + "layers")), store.kek)
    check("gRPC: the log has what was done and no key",
          "Wrapped a layer's key" in service.log() and LAYER.decode() not in service.log(),
          service.log())
    check_equal("gRPC: ends when it is told to", service.end(), 0)
    check("gRPC: the socket is gone", not os.path.exists(service.socket))


def test_addresses(folder, store):
    path = os.path.join(folder, "file")
    with open(path, "w", encoding="utf-8") as f:
        f.write("mine")

    def listen(address, *more):
        return command("keyprovider", "--listen", address, *(more or options(store)))

    for name, address in {"TCP": "127.0.0.1:1", "relative": "unix:provider.sock",
                          "nothing": "unix:"}.items():
        refused(f"--listen: {name}", listen(address), "unix:///PATH", 2)
    refused("--listen: a file", listen("unix:" + path), "no socket", 2)
    check_equal("--listen: the file stays", open(path, encoding="utf-8").read(), "mine")
    refused("--listen: no such folder", listen(f"unix://{folder}/none/s"), folder + "/none/s")
    refused("--listen: no store", listen(f"unix://{folder}/s", "--namespace="), "name the store", 2)
    refused("--listen: no KEK", listen(f"unix://{folder}/s", "--keys", store.keys, "--kek-file",
                                       folder + "/nope"), "nope")


if __name__ == "__main__":
    run_tests([test_service])
