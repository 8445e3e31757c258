# SPDX-License-Identifier: Apache-2.0
"""Who signs the service accounts' tokens of a cluster that the broker is outside of."""

import base64
import json
import os
import subprocess
import time

from harness import openssl, write

ISSUER = "https://issuer.example"


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Issuer:
    """flags: by which a broker knows it."""

    def __init__(self, folder):
        self.folder, self.key = folder, os.path.join(folder, "issuer.key")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        args = ["openssl", "rsa", "-in", self.key, "-noout", "-modulus"]
        done = subprocess.run(args, check=True, capture_output=True, text=True)
        n = bytes.fromhex(done.stdout.strip().split("=")[1])
        jwk = {"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "n": b64(n), "e": "AQAB"}
        jwks = write(folder, "jwks.json", json.dumps({"keys": [jwk]}))
        self.flags = ("--broker-tokens-jwks", jwks, "--broker-tokens-issuer", ISSUER)

    def token(self, account="payments", age=0, lasts=3600, **claims):
        """As a kubelet has it of the pod p; age: seconds since it was signed. Claims are put in place of
        those that it would have, or with None away."""
        now = int(time.time()) - age
        bound = {"namespace": "default", "serviceaccount": {"name": account, "uid": "s"},
                 "pod": {"name": "p", "uid": "u"}, "node": {"name": "n", "uid": "v"}}
        claims = {"iss": ISSUER, "aud": ["casemate.dev"], "iat": now, "nbf": now, "exp": now + lasts,
                  "sub": f"system:serviceaccount:default:{account}", "kubernetes.io": bound, **claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        text = b64(json.dumps({"alg": "RS256", "kid": "one"}).encode()) + "." + b64(json.dumps(claims).encode())
        signed, sig = write(self.folder, "signed", text), os.path.join(self.folder, "sig")
        openssl("dgst", "-sha256", "-sign", self.key, "-out", sig, signed)
        with open(sig, "rb") as f:
            return text + "." + b64(f.read())

    @staticmethod
    def write(place, text):
        """The file token; its text."""
        write(place, "token", text + "\n")
        return text
