# SPDX-License-Identifier: Apache-2.0
"""What the tests of the built program share: checks that count, a server that is ended by its
process id, HTTPS requests, certificates, reviews. CASEMATE_WEBHOOK names another binary (a
sanitizer's)."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import jsonpatch
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    os.environ.get("CASEMATE_WEBHOOK", os.path.join(ROOT, "build/gcc/webhook/casemate-webhook"))
)
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("CASEMATE_")}
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|: runtime error: ")

DETAIL_MAX = 1500  # characters of what a failed check says

passed = failed = 0


def check(name, ok, detail=""):
    """One line a check; True when it held."""
    global passed, failed
    if ok:
        passed += 1
        print(f"ok: {name}", flush=True)
    else:
        failed += 1
        # Behind the line's end only what is indented counts as its own.
        text = str(detail)[:DETAIL_MAX].strip().replace("\n", "\n   ")
        print(f"FAILED: {name}: {text}" if text else f"FAILED: {name}", flush=True)
    return bool(ok)


def differing(got, want):
    """Both on one line; of long ones what surrounds the first difference."""
    got, want = repr(got), repr(want)
    same = len(os.path.commonprefix([got, want]))
    begin = max(same - 100, 0) if max(len(got), len(want)) > DETAIL_MAX // 2 - 50 else 0
    end = begin + DETAIL_MAX // 2 - 50
    return f"{f'(from character {begin}) ' if begin else ''}got {got[begin:end]}, want {want[begin:end]}"


def check_equal(name, got, want):
    return check(name, got == want, differing(got, want))


def run_tests(tests):
    """Each test gets a folder; what it throws is a failure of its own. Ends the program."""
    for test in tests:
        with tempfile.TemporaryDirectory(
            prefix="casemate-test-"
        ) as folder, contextlib.ExitStack() as stack:
            try:
                test(folder, stack)
            except Exception as e:  # one broken test must not hide the others
                where = traceback.format_exc()[-DETAIL_MAX // 2 :]
                check(f"{test.__name__} ran to its end", False, f"{type(e).__name__}: {e!s:.600}\n{where}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def eventually(condition, seconds=60):
    """The first true value of condition(), or the last one when time is over. Machines may be busy."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def command(*args, stdin="", env=None, cwd=None):
    """Runs the program: exit code, standard output and error."""
    done = subprocess.run(
        [PROGRAM, *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        env={**ENVIRONMENT, **(env or {})},
        cwd=cwd,
    )
    if SANITIZER.search(done.stderr):
        check(f"nothing for the sanitizers in {' '.join(args)}", False, done.stderr)
    return done.returncode, done.stdout, done.stderr


def write(folder, name, text):
    """A file that appears as a whole, as a ConfigMap's does."""
    path = os.path.join(folder, name)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text if isinstance(text, str) else yaml.safe_dump(text))
    os.rename(path + ".new", path)
    return path


# certificates


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_ca(folder, name):
    """A CA: its certificate and key."""
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        "-addext",
        "keyUsage=critical,keyCertSign",
        "-keyout",
        key,
        "-out",
        cert,
    )
    return cert, key


def make_cert(folder, name, ca, names="IP:127.0.0.1,DNS:localhost"):
    """A leaf of ca for 127.0.0.1 or other names, good for servers and clients."""
    cert, key, csr, ext = (
        os.path.join(folder, name + end) for end in (".crt", ".key", ".csr", ".ext")
    )
    with open(ext, "w", encoding="utf-8") as f:
        f.write(
            f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
    openssl(
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        f"/CN={name}",
        "-keyout",
        key,
        "-out",
        csr,
    )
    openssl(
        "x509",
        "-req",
        "-in",
        csr,
        "-CA",
        ca[0],
        "-CAkey",
        ca[1],
        "-CAcreateserial",
        "-days",
        "1",
        "-extfile",
        ext,
        "-out",
        cert,
    )
    return cert, key


# the server


GIVEN = set()


def free_port():
    """Never the same twice: who asked for it may not have bound it yet."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def unread(port):
    """Bytes that have come to 127.0.0.1:port and that its server has not read."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    local = f"0100007F:{port:04X}"
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[1] == local and row[3] == "01")


class Server:
    """casemate-webhook serve --standalone on free ports."""

    def __init__(self, folder, stack, *flags, config=None):
        self.folder, self.stack = folder, stack
        self.ca = make_ca(folder, "ca")
        self.cert, self.key = make_cert(folder, "server", self.ca)
        self.port, self.health_port, self.metrics_port = free_port(), free_port(), free_port()
        self.config = write(folder, "webhook.yaml", config or {})
        self.log_path = os.path.join(folder, "server.log")
        args = [
            PROGRAM,
            "serve",
            "--standalone",
            "--listen",
            f"127.0.0.1:{self.port}",
            "--tls-cert",
            self.cert,
            "--tls-key",
            self.key,
            "--config",
            self.config,
            f"--health-listen=127.0.0.1:{self.health_port}",
            f"--metrics-listen=127.0.0.1:{self.metrics_port}",
            *flags,
        ]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT
            )
        stack.callback(self.end)
        if not eventually(lambda: self.process.poll() is not None or self.readyz() == 200):
            raise RuntimeError("the server does not become ready:\n" + self.log())
        if self.process.poll() is not None:
            raise RuntimeError("the server ended:\n" + self.log())

    def end(self):
        """SIGTERM, unless it has ended already; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if SANITIZER.search(self.log()) or code != 0:
            check("the server ended well", False, f"exit code {code}\n{self.log()[-4000:]}")
        return code

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def tls(self, **attributes):
        context = ssl.create_default_context(cafile=self.ca[0])
        for name, value in attributes.items():
            setattr(context, name, value)
        return context

    def connection(self, context=None, timeout=60):
        """One that its user closes. It is of one thread."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=timeout, context=context or self.tls()
        )

    def connect(self, context=None, timeout=60):
        """A connection that is kept alive; closed before the server ends, which would wait."""
        c = self.connection(context, timeout)
        self.stack.callback(c.close)
        return c

    def socket(self, timeout=60):
        return self.tls().wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), timeout), server_hostname="127.0.0.1"
        )

    def request(self, method, path, body=None, headers=None, connection=None):
        """Status, headers and body of the answer."""
        c = connection or self.connection()
        try:
            c.request(
                method,
                path,
                body,
                {"Content-Type": "application/json"} if headers is None else headers,
            )
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            if not connection:
                c.close()

    def post(self, path, body, connection=None):
        """Status and JSON of the answer to a review's bytes or object."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, text = self.request("POST", path, data, connection=connection)
        return status, json.loads(text)

    def mutate(self, pod, connection=None, **fields):
        """The pod that /mutate makes of pod, and the response."""
        status, answer = self.post("/mutate", review(pod, **fields), connection)
        if status != 200 or not answer["response"]["allowed"]:
            return None, answer
        return apply(pod, answer["response"]), answer["response"]

    def alive(self, name):
        """Does it still answer as it should?"""
        pod, answer = self.mutate(SGX_POD)
        return check(f"{name}: the server serves on", pod == SGX_WANT, answer)

    def get(self, port, path, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            c.request("GET", path, headers=headers or {})
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            c.close()

    def readyz(self):
        try:
            return self.get(self.health_port, "/readyz")[0]
        except OSError:
            return None

    def metric(self, series):
        """The value of a series as the exposition spells it; 0 when it is not there."""
        text = self.get(self.metrics_port, "/metrics")[2]
        for line in text.splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def hup(self):
        self.process.send_signal(signal.SIGHUP)


def in_parallel(function, n):
    """function(i) in n threads; their results."""
    results = [None] * n

    def run(i):
        try:
            results[i] = function(i)
        except Exception as e:  # it is the result
            results[i] = e

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


# reviews


def review(
    obj, operation="CREATE", kind="Pod", uid="c0ffee00-1234-4321-8888-0123456789ab", **fields
):
    """An AdmissionReview as the API server sends it."""
    request = {
        "uid": uid,
        "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": kind},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "p",
        "namespace": "shop",
        "operation": operation,
        "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": obj,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        **fields,
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def apply(obj, response):
    """obj after the response's patch; another implementation's opinion of it."""
    obj = json.loads(json.dumps(obj))  # a tree: jsonpatch would change shared parts in all places
    if "patch" not in response:
        return obj
    return jsonpatch.apply_patch(
        obj, json.loads(base64.b64decode(response["patch"], validate=True))
    )


LABELS = "casemate.dev.node-restriction.kubernetes.io/"


def pod_of(annotations, *containers, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop", "annotations": annotations},
        "spec": {"containers": list(containers) or [{"name": "app", "image": "app:1"}], **spec},
    }


def sgx_resources(epc, **more):
    amount = {"sgx.intel.com/epc": epc, "sgx.intel.com/enclave": "1", **more}
    return {"limits": amount, "requests": dict(amount)}


SGX_ASKS = {"casemate.dev/tee": "sgx", "casemate.dev/epc": "64Mi"}
SGX_POD = pod_of(SGX_ASKS)
SGX_WANT = pod_of(
    {**SGX_ASKS, "casemate.dev/status": "injected", "sgx.intel.com/epc": "64Mi"},
    {"name": "app", "image": "app:1", "resources": sgx_resources("64Mi")},
    runtimeClassName="casemate-sgx",
    nodeSelector={LABELS + "attested": "true", LABELS + "tee": "sgx"},
)
