# SPDX-License-Identifier: Apache-2.0
"""The real Vault's server (tests/cluster/vault), with what fake_vault.py's offers and more. Of its
Kubernetes login all is real but the API server that is asked about a token."""

import base64
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from harness import eventually, free_port

POLICY = """
path "transit/encrypt/casemate" { capabilities = ["update"] }
path "transit/decrypt/casemate" { capabilities = ["update"] }
path "transit/rewrap/casemate"  { capabilities = ["update"] }
"""
ACCOUNT = {"namespace": "casemate-system", "name": "casemate-broker", "uid": "8e1b1a6c"}


def account_token(mark="x", **changes):
    """A service account's token, as projected ones look; nobody signed it."""
    account = {**ACCOUNT, **changes}
    part = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).decode().rstrip("=")
    claims = {"aud": ["https://kubernetes.default.svc"], "jti": mark,
              "sub": f"system:serviceaccount:{account['namespace']}:{account['name']}",
              "kubernetes.io": {"namespace": account["namespace"], "serviceaccount": {
                  "name": account["name"], "uid": account["uid"]}}}
    return ".".join([part({"alg": "RS256", "kid": "k"}), part(claims), part(mark)])


class Reviewer(http.server.BaseHTTPRequestHandler):
    """The API server's TokenReview: who is in server.vouched is who the token says."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        token = review["spec"]["token"]
        self.server.asked += 1
        review["status"] = {"authenticated": token in self.server.vouched}
        if review["status"]["authenticated"]:
            body = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            uid = claims["kubernetes.io"]["serviceaccount"]["uid"]
            review["status"].update(user={"username": claims["sub"], "uid": uid},
                                    audiences=claims["aud"])
        text = json.dumps(review).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class RealVault:
    """Listens from start() to end(), on the same port each time; unsealed by then."""

    def __init__(self, program, folder, ca, cert, key):
        os.mkdir(folder)
        self.folder, self.ca, self.process, self.token, self.reviewer = folder, ca, None, "", None
        self.context = ssl.create_default_context(cafile=ca)
        port = free_port()
        self.address = f"https://127.0.0.1:{port}"
        self.command = [program, f"-address=127.0.0.1:{port}", f"-data={folder}/data",
                        f"-cert={cert}", f"-key={key}"]
        self.spawn()
        made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.share, self.token = made["keys"][0], made["root_token"]
        self.unseal()
        self.ask("POST", "sys/mounts/transit", {"type": "transit"})
        self.put_policy("casemate", POLICY)

    def ask(self, method, path, body=None, token=None):
        request = urllib.request.Request(
            f"{self.address}/v1/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token or self.token})
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=60) as got:
                return json.loads(got.read() or "{}")
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{method} {path}: {e.code} {e.read().decode()}") from e

    def answers(self, path):
        try:
            return self.ask("GET", path)
        except (RuntimeError, OSError):
            return None

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as f:
            return f.read()

    def spawn(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        if not eventually(lambda: self.answers("sys/seal-status") or self.process.poll(), 120) or \
                self.process.poll() is not None:
            raise RuntimeError("Vault does not start:\n" + self.log())

    def seal(self):
        self.ask("PUT", "sys/seal")

    def unseal(self):
        self.ask("PUT", "sys/unseal", {"key": self.share})
        if not eventually(lambda: self.answers("sys/health"), 120):
            raise RuntimeError("Vault is not unsealed:\n" + self.log())

    def start(self):
        self.spawn()
        self.unseal()

    def end(self):
        if self.process.poll() is None:
            self.hangs = False
            self.process.terminate()
            self.process.wait(60)

    def close(self):
        self.end()
        if self.reviewer:
            self.reviewer.shutdown()
            self.reviewer.server_close()

    @property
    def hangs(self):
        return False

    @hangs.setter
    def hangs(self, value):
        self.process.send_signal(signal.SIGSTOP if value else signal.SIGCONT)

    # What an administrator does.
    def put_policy(self, name, text):
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def create_key(self, name, **options):
        self.ask("POST", f"transit/keys/{name}", options)

    def configure_key(self, name, **options):
        self.ask("POST", f"transit/keys/{name}/config", options)

    def delete_key(self, name):
        self.configure_key(name, deletion_allowed=True)
        self.ask("DELETE", f"transit/keys/{name}")

    def has_key(self, name):
        return self.answers(f"transit/keys/{name}") is not None

    def rotate_key(self, name):
        self.ask("POST", f"transit/keys/{name}/rotate", {})

    def least_version(self, name, version):
        self.configure_key(name, min_decryption_version=version)

    def create_token(self, policy="casemate", **options):
        made = self.ask("POST", "auth/token/create",
                        {"policies": [policy], "ttl": "1h", "no_parent": True, **options})
        return made["auth"]["client_token"]

    def revoke_token(self, token):
        self.ask("POST", "auth/token/revoke", {"token": token})

    def tokens(self):
        """How many there are, but the administrator's."""
        return len(self.ask("LIST", "auth/token/accessors")["data"]["keys"]) - 1

    # The Kubernetes login.
    def let_in(self, role, token, policy="casemate", **options):
        if not self.reviewer:
            self.reviewer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reviewer)
            self.reviewer.daemon_threads = True
            self.reviewer.vouched, self.reviewer.asked = set(), 0
            threading.Thread(target=self.reviewer.serve_forever, args=(0.05,), daemon=True).start()
            self.ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
            self.ask("POST", "auth/kubernetes/config", {
                "kubernetes_host": f"http://127.0.0.1:{self.reviewer.server_address[1]}",
                "disable_local_ca_jwt": True})
        self.reviewer.vouched.add(token)
        self.ask("POST", f"auth/kubernetes/role/{role}", {
            "bound_service_account_names": [ACCOUNT["name"]],
            "bound_service_account_namespaces": [ACCOUNT["namespace"]],
            "token_policies": [policy], "token_ttl": "1h", **options})

    def logins(self):
        return self.reviewer.asked

    def let_nobody_in(self):
        self.reviewer.vouched.clear()
