# SPDX-License-Identifier: Apache-2.0
"""The key broker alone, with keys in a folder, for tests."""

import base64
import hashlib
import json
import os
import subprocess

import harness
from harness import eventually, free_port, make_ca, make_cert, write

PUT_KEY = os.environ.get(
    "PUT_KEY", os.path.join(harness.ROOT, "build/gcc/tests/integration/kbs/put_key")
)
SECRET = b"secret-resource"
RESOURCE = "/kbs/v0/resource/"


def profile(name, key, namespace="default", **spec):
    """An enclave's profile with one key."""
    return {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "EnclaveProfile",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "tee": "sgx",
            "identities": [{"name": "release", "sgx": {"mrenclave": "ab" * 32}}],
            "keys": [{"name": key, "type": "raw", "grant": {"evidenceOnly": True}}],
            **spec,
        },
    }


class Broker(harness.Server):
    """casemate-webhook serve --roles broker --standalone on free ports."""

    wrapper = ()  # what runs it

    def __init__(self, folder, stack, *flags, config=None, ca=None):
        self.folder, self.stack = folder, stack
        self.ca = ca or make_ca(folder, "ca")
        self.cert, self.key = make_cert(folder, "server", self.ca)
        self.port, self.health_port, self.metrics_port = free_port(), free_port(), free_port()
        self.profiles, self.keys = os.path.join(folder, "profiles"), os.path.join(folder, "keys")
        self.kek = os.path.join(folder, "kek")
        self.audit_path = os.path.join(folder, "audit.jsonl")
        self.log_path = os.path.join(folder, "broker.log")
        os.makedirs(self.profiles, exist_ok=True)
        if not os.path.exists(self.kek):
            with open(os.open(self.kek, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as f:
                f.write(os.urandom(32))
        self.put("default", "key", "one", SECRET)
        write(self.profiles, "key.yaml", profile("key", "one"))
        # made by the broker itself
        write(
            self.profiles,
            "made.yaml",
            profile(
                "made",
                "one",
                keys=[
                    {
                        "name": "one",
                        "type": "symmetric",
                        "size": 32,
                        "grant": {"evidenceOnly": True},
                    }
                ],
            ),
        )
        # not in the store
        write(self.profiles, "later.yaml", profile("later", "one"))
        # not by evidence alone
        write(
            self.profiles,
            "account.yaml",
            profile(
                "account",
                "one",
                keys=[{"name": "one", "type": "raw", "grant": {"serviceAccounts": ["app"]}}],
            ),
        )
        self.config = write(folder, "webhook.yaml", config or {})
        self.flags = flags
        self.start()

    def put(self, namespace, name, key, value):
        subprocess.run(
            [PUT_KEY, self.keys, self.kek, namespace, name, key], input=value, check=True
        )

    def spawn(self):
        args = [*self.wrapper, harness.PROGRAM, "serve", "--roles=broker", "--standalone"]
        args += [f"--config={self.config}", f"--profiles={self.profiles}"]
        args += [f"--broker-listen=127.0.0.1:{self.port}"]
        args += [f"--broker-tls-cert={self.cert}", f"--broker-tls-key={self.key}"]
        args += [f"--broker-keys={self.keys}", f"--broker-kek-file={self.kek}"]
        args += [f"--broker-audit-file={self.audit_path}"]
        args += [f"--health-listen=127.0.0.1:{self.health_port}"]
        args += [f"--metrics-listen=127.0.0.1:{self.metrics_port}", *self.flags]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=harness.ENVIRONMENT,
            )

    def start(self):
        self.spawn()
        self.stack.callback(self.end)
        if not eventually(lambda: self.process.poll() is not None or self.readyz() == 200, 60):
            raise RuntimeError("the broker does not become ready:\n" + self.log())
        if self.process.poll() is not None:
            raise RuntimeError("the broker ended:\n" + self.log())

    def restart(self):
        self.end()
        self.start()

    def audit(self):
        with open(self.audit_path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


JWK = {
    "kty": "EC",
    "alg": "ECDH-ES+A256KW",
    "crv": "P-256",
    "x": "ba6dhVZMQpM00nfC05nss0_5OQofKMQ8QgiXx3qU_1U",
    "y": "4cLtTuwNiGopbVTbE1oaUyNXPWmRpweTs7DTUdxS6yE",
}


def report_data(nonce, jwk, additional=""):
    """What sample evidence is bound to: the members are plain, so this is their canonical form."""
    text = json.dumps(
        {"additional-evidence": additional, "nonce": nonce, "tee-pubkey": jwk},
        sort_keys=True,
        separators=(",", ":"),
    )
    return base64.b64encode(hashlib.sha384(text.encode()).digest()).decode()


def attestation(nonce, jwk=None, additional="", **members):
    jwk = jwk or JWK
    return {
        "init-data": None,
        "runtime-data": {"nonce": nonce, "tee-pubkey": jwk},
        "tee-evidence": {
            "primary_evidence": {"svn": "1", "report_data": report_data(nonce, jwk, additional)},
            "additional_evidence": additional,
        },
        **members,
    }


def with_token(token):
    """An attestation with a pod's token, which its evidence is bound to."""
    additional = '{"casemate":{"podToken":"' + hashlib.sha256(token.encode()).hexdigest() + '"}}'
    return lambda nonce: attestation(nonce, additional=additional, casemate={"podToken": token})


class Client:
    """A guest: its cookie, and its connection if it keeps one."""

    def __init__(self, broker, connection=None):
        self.broker, self.connection, self.cookie = broker, connection, None

    def send(self, method, path, body=None, headers=None):
        """Status and JSON of the answer."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self.cookie and "Cookie" not in headers:
            headers["Cookie"] = self.cookie
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        status, got, text = self.broker.request(method, path, data, headers, self.connection)
        if got.get("Set-Cookie"):
            self.cookie = got["Set-Cookie"].split(";")[0]
        return status, json.loads(text)

    def auth(self, tee="sample", version="0.4.0"):
        return self.send(
            "POST", "/kbs/v0/auth", {"version": version, "tee": tee, "extra-params": {}}
        )

    def attest(self, body=None, **members):
        """The handshake and the attestation; body(nonce) makes another request."""
        status, challenge = self.auth()
        if status != 200:
            return status, challenge
        nonce = challenge["nonce"]
        made = body(nonce) if body else attestation(nonce, **members)
        return self.send("POST", "/kbs/v0/attest", made)

    def resource(self, path="default/key/one", **headers):
        return self.send("GET", RESOURCE + path, headers=headers)
