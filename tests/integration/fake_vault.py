# SPDX-License-Identifier: Apache-2.0
"""A Vault that knows as much of its HTTP API as Casemate asks for: the transit engine (encrypt,
decrypt, rewrap; keys with versions and a least one that decrypts), tokens, the Kubernetes auth
method. It can be sealed, hang and end. Ciphertexts are as real ones look, and not secret."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import threading
import time

ROOT_TOKEN = "hvs.root"
DENIED = "1 error occurred:\n\t* permission denied\n\n"


def _seal(key, plain):
    nonce = os.urandom(12)
    pad = hashlib.sha512(key + nonce).digest()
    body = bytes(a ^ b for a, b in zip(plain, pad))
    return base64.b64encode(
        nonce + body + hmac.digest(key, nonce + body, "sha256")[:16]).decode()


def _open(key, text):
    raw = base64.b64decode(text, validate=True)
    nonce, body, tag = raw[:12], raw[12:-16], raw[-16:]
    if not hmac.compare_digest(tag, hmac.digest(key, nonce + body, "sha256")[:16]):
        raise ValueError("cipher: message authentication failed")
    return bytes(a ^ b for a, b in zip(body, hashlib.sha512(key + nonce).digest()))


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        vault = self.server.vault
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        vault.requests.append(self.path)
        while vault.hangs and not vault.ended:
            time.sleep(0.05)
        try:
            status, answer = 200, vault.answer(self.path, self.headers, body)
        except Refused as e:
            status, answer = e.status, {"errors": [str(e)]}
        try:
            self.reply(status, answer)
        except OSError:
            self.close_connection = True  # who asked does not wait any more

    def reply(self, status, answer):
        text = json.dumps({"request_id": "x", **answer}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Vault:
    """Listens from start() to end(), on the same port each time."""

    def __init__(self, ca, cert, key):
        self.ca = ca
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.keys, self.tokens, self.roles = {}, {ROOT_TOKEN}, {}
        self.sealed = self.hangs = self.ended = False
        self.requests, self.wrapped = [], []
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.address = f"https://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.ended = False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.vault = self
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        self.ended = True
        self.server.shutdown()
        self.server.server_close()

    # What an administrator does.
    def create_key(self, name):
        self.keys[name] = {"versions": [os.urandom(32)], "least": 1}

    def rotate_key(self, name):
        self.keys[name]["versions"].append(os.urandom(32))

    def least_version(self, name, version):
        self.keys[name]["least"] = version

    def create_token(self):
        token = "hvs." + os.urandom(12).hex()
        self.tokens.add(token)
        return token

    def revoke_token(self, token):
        self.tokens.discard(token)

    # The Kubernetes login.
    def let_in(self, role, token):
        self.roles[role] = token

    def logins(self):
        return self.requests.count("/v1/auth/kubernetes/login")

    def let_nobody_in(self):
        self.roles.clear()

    def answer(self, path, headers, body):
        if self.sealed:
            raise Refused(503, "Vault is sealed")
        words = path.split("/")
        if words[:2] != ["", "v1"]:
            raise Refused(404, "no handler for route")
        if words[2] == "auth" and words[4:] == ["login"]:
            if self.roles.get(body.get("role")) != body.get("jwt"):
                raise Refused(403, "permission denied")
            return {"auth": {"client_token": self.create_token(), "lease_duration": 3600}}
        token = headers.get("X-Vault-Token") or headers.get("Authorization", "")
        if token.removeprefix("Bearer ") not in self.tokens:
            raise Refused(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
        if words[2:] == ["auth", "token", "revoke-self"]:
            self.revoke_token(token.removeprefix("Bearer "))
            return {}
        if words[2] != "transit" or len(words) != 5:
            raise Refused(404, "no handler for route")
        return {"data": self.transit(words[3], words[4], body)}

    def transit(self, operation, name, body):
        key = self.keys.get(name)
        if not key:
            # Encryption would make it, which needs more than "update".
            raise Refused(*(403, DENIED) if operation == "encrypt" else (400, "encryption key not found"))
        newest = len(key["versions"])
        if operation == "encrypt":
            plain = base64.b64decode(body["plaintext"], validate=True)
            self.wrapped.append(plain)
            return {"ciphertext": f"vault:v{newest}:" + _seal(key["versions"][-1], plain),
                    "key_version": newest}
        kind, version, text = body["ciphertext"].split(":", 2)
        version = int(version[1:])
        if kind != "vault" or version < key["least"]:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            plain = _open(key["versions"][version - 1], text)
        except (ValueError, IndexError) as e:
            raise Refused(400, str(e)) from e
        if operation == "decrypt":
            return {"plaintext": base64.b64encode(plain).decode()}
        if operation == "rewrap":
            return {"ciphertext": f"vault:v{newest}:" + _seal(key["versions"][-1], plain)}
        raise Refused(404, "no handler for route")
