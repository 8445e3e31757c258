# SPDX-License-Identifier: Apache-2.0
"""Who gets metrics when metrics.secure is set: tokens by TokenReview, client certificates."""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import (
    ENVIRONMENT,
    PROGRAM,
    SANITIZER,
    Server,
    check,
    check_equal,
    command,
    eventually,
    free_port,
    make_ca,
    make_cert,
    write,
)

SCRAPER = "system:serviceaccount:monitoring:prometheus"
# token: (audiences it is for, user)
TOKENS = {
    "good-token": (["casemate-metrics"], SCRAPER),
    "api-token": (["https://kubernetes.default.svc"], SCRAPER),
    "stranger-token": (["casemate-metrics"], "system:serviceaccount:shop:default"),
}


class ApiServer(BaseHTTPRequestHandler):
    """Reviews tokens as a real one does; anything else is forbidden."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/apis/authentication.k8s.io/v1/tokenreviews":
            self.answer(403, {"kind": "Status", "reason": "Forbidden", "message": "no"})
            return
        self.server.reviews.append(body["spec"])
        if self.server.forbidden:
            self.answer(403, {"kind": "Status", "reason": "Forbidden", "message": "no"})
            return
        audiences, user = TOKENS.get(body["spec"]["token"], ([], None))
        common = [a for a in audiences if a in body["spec"]["audiences"]]
        if common:
            status = {"authenticated": True, "user": {"username": user}, "audiences": common}
        else:
            status = {"user": {}, "error": "invalid bearer token"}
        self.answer(201, {**body, "status": status})

    def do_GET(self):
        self.answer(403, {"kind": "Status", "reason": "Forbidden", "message": "no"})

    def answer(self, code, body):
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class Daemon:
    """casemate-webhook serve with an API server; only health and metrics of it are met."""

    def __init__(self, folder, stack, **metrics):
        self.api = ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
        self.api.daemon_threads = True
        self.api.reviews, self.api.forbidden = [], False
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        stack.callback(self.stop_api)
        self.health_port, self.metrics_port = free_port(), free_port()
        cert, key = make_cert(folder, "admission", make_ca(folder, "admission-ca"))
        kubeconfig = write(
            folder,
            "kubeconfig",
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                "clusters": [
                    {
                        "name": "k",
                        "cluster": {"server": f"http://127.0.0.1:{self.api.server_port}"},
                    }
                ],
                "users": [{"name": "u", "user": {"token": "the-daemon-s-own"}}],
            },
        )
        config = {
            "kubeconfig": kubeconfig,
            "listen": f"127.0.0.1:{free_port()}",
            "tls": {"mode": "files", "cert": cert, "key": key},
            "health": {"listen": f"127.0.0.1:{self.health_port}"},
            "metrics": {"listen": f"127.0.0.1:{self.metrics_port}", "secure": True, **metrics},
            "shutdown": {"delay": "0s"},
        }
        self.log_path = os.path.join(folder, "daemon.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--config", write(folder, "daemon.yaml", config)],
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
            )
        stack.callback(self.end)
        if not eventually(lambda: livez(self.health_port) == 200):
            raise RuntimeError("the daemon does not answer:\n" + self.log())

    def stop_api(self):
        if self.api:
            self.api.shutdown()
            self.api.server_close()
        self.api = None

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        if SANITIZER.search(self.log()) or code != 0:
            check("the daemon ended well", False, f"exit code {code}\n{self.log()[-4000:]}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def scrape(self, token=None, path="/metrics", **tls):
        return scrape(self.metrics_port, token, path, **tls)


def livez(port):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        c.request("GET", "/livez")
        return c.getresponse().status
    except OSError:
        return None
    finally:
        c.close()


def scrape(port, token=None, path="/metrics", ca=None, cert=None):
    """Status, headers and text; a status of None when TLS fails."""
    context = ssl.create_default_context(cafile=ca)
    if not ca:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*cert)
    c = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    try:
        c.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = c.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    except (ssl.SSLError, ConnectionError, http.client.HTTPException) as e:
        return None, {}, str(e)
    finally:
        c.close()


def test_tokens(folder, stack):
    d = Daemon(folder, stack, users=[SCRAPER])
    status, headers, text = d.scrape()
    check_equal("without a token: 401", status, 401)
    check_equal("which asks for one", headers["WWW-Authenticate"], "Bearer")
    check("and says which", 'audience "casemate-metrics"' in text, text)
    check_equal("nobody was asked", d.api.reviews, [])
    status, headers, text = d.scrape("good-token")
    check_equal("a good token: 200", status, 200)
    check("with metrics", "casemate_build_info{" in text, text[:300])
    if shutil.which("promtool"):
        lint = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True
        )
        check("promtool has nothing to complain about", lint.returncode == 0, lint.stderr)
    check_equal(
        "its audience was asked about", d.api.reviews[0]["audiences"], ["casemate-metrics"]
    )
    for _ in range(5):
        d.scrape("good-token")
    check_equal("a known token is not reviewed again", len(d.api.reviews), 1)
    status, headers, text = d.scrape("api-token")
    check_equal("the same user's token for the API server: 401", status, 401)
    check("which says what to do", "kubectl create token --audience" in text, text)
    status, _, text = d.scrape("stranger-token")
    check_equal("another user: 403", status, 403)
    check("which says who", "system:serviceaccount:shop:default" in text, text)
    check_equal("no such token: 401", d.scrape("no-such-token")[0], 401)
    check_equal("other paths are guarded, too", d.scrape(path="/")[0], 401)
    d.api.forbidden = True
    status, headers, text = d.scrape("another-token")
    check_equal("when the daemon may not ask: 503", status, 503)
    check("which says what is missing", "create on tokenreviews" in text, text)
    d.stop_api()
    check_equal("without an API server: 503", d.scrape("yet-another-token")[0], 503)
    check_equal("but who is known still gets metrics", d.scrape("good-token")[0], 200)
    check_equal("health needs no token", livez(d.health_port), 200)
    check("no token is in the log", "-token" not in d.log(), d.log())


def test_plain_http(folder, stack):
    d = Daemon(folder, stack)
    c = http.client.HTTPConnection("127.0.0.1", d.metrics_port, timeout=60)
    try:
        c.request("GET", "/metrics", headers={"Authorization": "Bearer good-token"})
        status = c.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        status = None
    c.close()
    check_equal("plain HTTP gets no metrics", status, None)
    check_equal("any user of the audience is let in", d.scrape("stranger-token")[0], 200)


def test_certificate_files(folder, stack):
    ca, other_ca = make_ca(folder, "ca"), make_ca(folder, "other-ca")
    cert, key = make_cert(folder, "metrics", ca)
    d = Daemon(folder, stack, tls={"cert": cert, "key": key})
    check_equal("the certificate is the file's", d.scrape("good-token", ca=ca[0])[0], 200)
    check_equal("and no other", d.scrape("good-token", ca=other_ca[0])[0], None)
    next_cert, next_key = make_cert(folder, "next", other_ca)
    os.rename(next_key, key)
    os.rename(next_cert, cert)
    check(
        "a new one is taken up",
        eventually(lambda: d.scrape("good-token", ca=other_ca[0])[0] == 200),
        d.log(),
    )


def test_client_certificates(folder, stack):
    ca, other_ca = make_ca(folder, "client-ca"), make_ca(folder, "other-client-ca")
    good = make_cert(folder, "prometheus", ca)
    stranger = make_cert(folder, "stranger", ca)
    foreign = make_cert(folder, "foreign", other_ca)
    s = Server(
        folder,
        stack,
        "--metrics-secure",
        f"--metrics-client-ca={ca[0]}",
        "--metrics-users=prometheus",
    )
    check_equal("a client's certificate: 200", scrape(s.metrics_port, cert=good)[0], 200)
    check_equal("another user's: 403", scrape(s.metrics_port, cert=stranger)[0], 403)
    check_equal("another CA's: no", scrape(s.metrics_port, cert=foreign)[0], None)
    check_equal("none: no", scrape(s.metrics_port, token="good-token")[0], None)


def test_refused_settings(folder, stack):
    del stack
    cert, key = make_cert(folder, "server", make_ca(folder, "ca"))
    standalone = ("serve", "--standalone", "--tls-cert", cert, "--tls-key", key)
    for name, flags, want in (
        ("nobody to judge", ["--metrics-secure"], "name the CAs of client certificates in metrics.clientCa"),
        ("users of an open port", ["--metrics-users=x"], "has no effect without metrics.secure: true"),
        (
            "half a certificate",
            ["--metrics-secure", "--metrics-client-ca=x", "--metrics-tls-cert=x"],
            "set both metrics.tls.cert and metrics.tls.key",
        ),
    ):
        code, _, err = command(*standalone, *flags)
        check(f"{name} is refused with what to change", code == 2 and want in err, (code, err))


def test_idle(folder, stack):
    """Between probes and scrapes nothing wakes up but for what others may set off."""
    ca = make_ca(folder, "client-ca")
    s = Server(folder, stack, "--metrics-secure", f"--metrics-client-ca={ca[0]}")
    scrape(s.metrics_port, cert=make_cert(folder, "prometheus", ca))

    def switches():
        total = 0
        for task in os.listdir(f"/proc/{s.process.pid}/task"):
            with open(f"/proc/{s.process.pid}/task/{task}/status", encoding="ascii") as f:
                total += sum(
                    int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt")
                )
        return total

    time.sleep(2.5)
    before = switches()
    time.sleep(8)
    woken = switches() - before
    check(f"an idle daemon sleeps ({woken} wake-ups in 8 s)", woken <= 4, woken)


TESTS = [
    test_tokens,
    test_plain_http,
    test_certificate_files,
    test_client_certificates,
    test_refused_settings,
    test_idle,
]
