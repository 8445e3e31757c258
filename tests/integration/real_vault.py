# SPDX-License-Identifier: Apache-2.0
"""A real Vault with what fake_vault.py's offers: one server with a folder, its transit engine and
tokens that may use one key."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

from harness import eventually, free_port, make_ca, make_cert

POLICY = """
path "transit/encrypt/casemate" { capabilities = ["update"] }
path "transit/decrypt/casemate" { capabilities = ["update"] }
path "transit/rewrap/casemate"  { capabilities = ["update"] }
"""


class RealVault:
    def __init__(self, program, folder):
        os.mkdir(folder)
        ca = make_ca(folder, "ca")
        cert, key = make_cert(folder, "server", ca)
        self.program, self.folder, self.ca = program, folder, ca[0]
        self.context = ssl.create_default_context(cafile=self.ca)
        port = free_port()
        self.address = f"https://127.0.0.1:{port}"
        self.config = os.path.join(folder, "vault.json")
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump({"disable_mlock": True, "api_addr": self.address,
                       "storage": {"file": {"path": os.path.join(folder, "data")}},
                       "listener": {"tcp": {"address": f"127.0.0.1:{port}",
                                            "tls_cert_file": cert, "tls_key_file": key}}}, f)
        self.token, self.process = "", None
        self.spawn()
        made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.unseal, self.token = made["keys"][0], made["root_token"]
        self.open()
        self.ask("POST", "sys/mounts/transit", {"type": "transit"})
        self.ask("PUT", "sys/policies/acl/casemate", {"policy": POLICY})

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.address}/v1/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": self.token} if self.token else {})
        with urllib.request.urlopen(request, context=self.context, timeout=60) as got:
            return json.loads(got.read() or "{}")

    def listens(self):
        try:
            self.ask("GET", "sys/seal-status")
            return True
        except (urllib.error.URLError, OSError):
            return False

    def spawn(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([self.program, "server", f"-config={self.config}"],
                                            stdout=log, stderr=log)
        if not eventually(self.listens, 120):
            raise RuntimeError("Vault does not start: " + open(self.folder + "/log").read())

    def open(self):
        self.ask("PUT", "sys/unseal", {"key": self.unseal})

        def active():
            try:
                return self.ask("GET", "sys/health")["initialized"]
            except urllib.error.HTTPError:
                return False

        if not eventually(active, 60):
            raise RuntimeError("Vault is not unsealed")

    def start(self):
        self.spawn()
        self.open()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def create_key(self, name):
        self.ask("POST", f"transit/keys/{name}", {})

    def rotate_key(self, name):
        self.ask("POST", f"transit/keys/{name}/rotate", {})

    def least_version(self, name, version):
        self.ask("POST", f"transit/keys/{name}/config", {"min_decryption_version": version})

    def create_token(self):
        made = self.ask("POST", "auth/token/create", {"policies": ["casemate"], "ttl": "1h"})
        return made["auth"]["client_token"]
