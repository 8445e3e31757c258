#!/usr/bin/python3
"""A node agent's side of the attestation protocol, with what agents do not do.

attest.py --url URL --ca FILE --name HOST --token FILE --node NAME --uid UID [OPTIONS] [FAULT...]

Asks for a challenge, makes simulated evidence and sends it; prints each answer's HTTP status and body,
a line each. Faults: replay (the same challenge with new evidence), again (the very same request), tamper
(a bit of the signed body), other-node, other-uid (what the evidence says), other-token (bound to another
token), other-key, old-challenge (one bit of it), protocol (a version nobody speaks), no-token, host
(tdx-host, no evidence), status=STATUS (a TCB status). --challenge-token: whose challenge it is. --evidence: a file to send in place
of what is made.
"""
import argparse
import base64
import hashlib
import http.client
import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time


PLATFORM_ID = "5a" * 16


class Client:
    """HTTPS to a verifier that is known by another name than its address."""

    def __init__(self, url, ca, name, token):
        self.host, _, port = url.removeprefix("https://").partition(":")
        self.port = int(port or 443)
        self.context = ssl.create_default_context(cafile=ca)
        self.name = name
        self.token = token

    def post(self, path, body):
        """Asks until somebody decides: a Service answers a moment after its pods are ready, and who is busy says when."""
        for wait in [1, 2, 3, 4] + 6 * [5]:
            try:
                status, retry, answer = self.post_once(path, body)
            except (OSError, http.client.HTTPException):
                time.sleep(wait)
                continue
            if status not in (429, 503):
                return status, answer
            time.sleep(retry)
        status, _, answer = self.post_once(path, body)
        return status, answer

    def post_once(self, path, body):
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.context)
        raw = socket.create_connection((self.host, self.port), timeout=20)
        connection.sock = self.context.wrap_socket(raw, server_hostname=self.name)
        headers = {"Content-Type": "application/json", "Host": self.name}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, int(answer.headers["Retry-After"] or 1), json.loads(text)


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def integer(der):
    """The first INTEGER of der, as 32 bytes, and what follows it."""
    length = der[1]
    return der[2:2 + length].lstrip(b"\0").rjust(32, b"\0"), der[2 + length:]


class Key:
    def __init__(self):
        # pylint: disable=consider-using-with
        self.file = tempfile.NamedTemporaryFile(suffix=".pem")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file.name)
        self.public = openssl("pkey", "-in", self.file.name, "-pubout", "-outform", "DER")

    def sign(self, data):
        der = openssl("dgst", "-sha256", "-sign", self.file.name, data=data)
        r, rest = integer(der[2:])
        s, _ = integer(rest)
        return r + s


def report_data(challenge, node, uid, public, token):
    h = hashlib.sha512(b"casemate.dev/attest/1\0")
    for part in (challenge, node.encode(), uid.encode(), public, hashlib.sha256(token.encode()).digest()):
        h.update(struct.pack(">I", len(part)) + part)
    return h.digest()


def simulated(key, certificate, node, uid, data, status, platform_id=PLATFORM_ID):
    body = json.dumps({
        "tee": "sgx", "node": node, "nodeUID": uid, "platformID": platform_id,
        "tcb": {"status": status, "svn": 1}, "debug": False,
        "measurements": {"mrenclave": "11" * 32}, "reportData": data.hex()})
    return {"casemateSimulated": 1, "body": body, "certificate": certificate,
            "signature": key.sign(body.encode()).hex()}


def encoded(data):
    return base64.b64encode(data).decode()


def evidence_request(args, client, challenge, key, certificate):
    faults = args.fault
    node = "other" if "other-node" in faults else args.node
    uid = "00000000-0000-0000-0000-000000000000" if "other-uid" in faults else args.uid
    token = client.token + "x" if "other-token" in faults else client.token
    public = Key().public if "other-key" in faults else key.public
    data = report_data(challenge, args.node, args.uid, public, token)
    status = next((f.partition("=")[2] for f in faults if f.startswith("status=")), "UpToDate")
    document = simulated(key, certificate, node, uid, data, status)
    if "tamper" in faults:
        document["body"] = document["body"].replace('"svn": 1', '"svn": 2')
    evidence = json.dumps(document).encode()
    if args.evidence:
        with open(args.evidence, "rb") as file:
            evidence = file.read()
    host = "host" in faults
    return {"protocol": 1, "challenge": encoded(challenge), "publicKey": encoded(key.public),
            "platform": "tdx-host" if host else args.platform,
            "evidence": "" if host else encoded(evidence),
            "capacity": {"epcBytes": 134217728, "cvmSlots": 0}}


def show(answer):
    status, body = answer
    print(status, json.dumps(body), flush=True)
    return status, body


def token_of(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def main():
    parser = argparse.ArgumentParser()
    for option in ("url", "ca", "name", "token", "node", "uid"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--platform", default="simulated")
    parser.add_argument("--challenge-token")
    parser.add_argument("--evidence", help="a file to send in place of what is made here")
    parser.add_argument("--wait", type=float, default=0, help="seconds between challenge and evidence")
    parser.add_argument("fault", nargs="*")
    args = parser.parse_args()
    client = Client(args.url, args.ca, args.name, "" if "no-token" in args.fault else token_of(args.token))
    asker = client
    if args.challenge_token:
        asker = Client(args.url, args.ca, args.name, token_of(args.challenge_token))
    key = Key()
    status, body = show(asker.post("/v1/challenge", {"protocol": 9 if "protocol" in args.fault else 1}))
    if status != 200:
        return 1
    challenge = bytearray(base64.b64decode(body["challenge"]))
    certificate = ""
    if "host" not in args.fault:
        status, body = show(client.post("/v1/simulated/certificate",
                                        {"protocol": 1, "publicKey": encoded(key.public)}))
        if status != 200:
            return 1
        certificate = body["certificate"]
    if "old-challenge" in args.fault:
        challenge[len(challenge) // 2] ^= 1
    time.sleep(args.wait)
    request = evidence_request(args, client, bytes(challenge), key, certificate)
    status, body = show(client.post("/v1/evidence", request))
    if "again" in args.fault:
        status, body = show(client.post("/v1/evidence", request))
    if "replay" in args.fault:
        request = evidence_request(args, client, bytes(challenge), key, certificate)
        status, body = show(client.post("/v1/evidence", request))
    return 0 if status == 200 and body["verdict"] in ("Simulated", "Unproven") else 1


if __name__ == "__main__":
    sys.exit(main())
