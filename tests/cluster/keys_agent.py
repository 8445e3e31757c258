#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A node agent's side of the key broker's protocol, with what agents do not do.

keys_agent.py --verifier HOST --broker HOST --namespace NS --ca FOLDER --token FILE --pod-token FILE
	--node NAME --uid UID --state FOLDER [OPTIONS] ask|begin|go-on KEY [FAULT...]

Proves the node with simulated evidence in the name of a pod's container, and asks for NAMESPACE/PROFILE/KEY.
Prints the last answer's HTTP status, reason and message, never a key. Exit code 0: the key came; 1: it did not.
begin stops when the node is proved, and go-on asks in that session. The evidence's key and certificate stay in
the state's folder, where verifiers need not be there any more. Faults: tamper (a bit of the signed body),
other-uid (what the evidence says), other-token (bound to another token), replay (the challenge of a session
that has attested, which a replica knows of its own). --evidence, --tee: a file to send in place of what is made,
and what it is of. Where nobody decides (no connection, 429, 503: collateral is being fetched, say) all of it is asked
again for --patience seconds, as agents do.
"""
import argparse
import base64
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import sys
import time

sys.dont_write_bytecode = True  # the checkout stays clean

import attest  # noqa: E402


class Broker:
    """HTTPS to one replica of a broker, which is known by another name than its address; a session."""

    def __init__(self, host, ca, name):
        self.name, self.cookie = name, ""
        self.connection = http.client.HTTPSConnection(host, 443)
        raw = socket.create_connection((host, 443), timeout=20)
        self.connection.sock = ssl.create_default_context(cafile=ca).wrap_socket(raw, server_hostname=name)

    def send(self, method, path, body=None):
        headers = {"Content-Type": "application/json", "Host": self.name}
        if self.cookie:
            headers["Cookie"] = self.cookie
        self.connection.request(method, path, body and json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.headers["Set-Cookie"]:
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        return answer.status, json.loads(text)


def canonical(value):
    """The JCS form, where every string is plain."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwk(key):
    """Of a public key, an uncompressed point at the end of its DER."""
    point = key.public[-64:]
    return {"kty": "EC", "alg": "ECDH-ES+A256KW", "crv": "P-256",
            "x": base64url(point[:32]), "y": base64url(point[32:])}


class Evidence:
    """The agent's key and its certificate of the simulated TEE: made once."""

    def __init__(self, args, node_token):
        key_file, self.file = os.path.join(args.state, "key.pem"), os.path.join(args.state, "certificate.pem")
        self.key = attest.Key()
        if os.path.exists(self.file):
            shutil.copyfile(key_file, self.key.file.name)
            return
        name = f"casemate-verifier.{args.namespace}.svc"
        client = attest.Client("https://" + args.verifier, os.path.join(args.ca, "verifier.crt"), name, node_token)
        status, body = client.post("/v1/simulated/certificate",
                                   {"protocol": 1, "publicKey": attest.encoded(self.key.public)})
        if status != 200:
            raise SystemExit(f"keys_agent.py: no certificate: {status} {body}")
        shutil.copyfile(self.key.file.name, key_file)
        with open(self.file, "w", encoding="ascii") as file:
            file.write(body["certificate"])

    def primary(self, args, data):
        if args.evidence:
            with open(args.evidence, "rb") as file:
                return {"cc_eventlog": None, "quote": attest.encoded(file.read())}
        uid = "00000000-0000-0000-0000-000000000000" if "other-uid" in args.fault else args.uid
        document = attest.simulated(self.key, read(self.file) + "\n", args.node, uid, data, "UpToDate", args.platform_id)
        if "tamper" in args.fault:
            document["body"] = document["body"].replace('"svn": 1', '"svn": 2')
        return {"evidence": attest.encoded(json.dumps(document).encode())}


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def attestation(args, nonce, evidence, tee_pubkey):
    node_token, pod_token = read(args.token), read(args.pod_token)
    other = "x" if "other-token" in args.fault else ""
    additional = canonical({"casemate": {"container": args.container, "nodeToken": digest(node_token),
                                         "podToken": digest(pod_token + other)}})
    bound = {"additional-evidence": additional, "nonce": nonce, "tee-pubkey": tee_pubkey}
    data = hashlib.sha384(canonical(bound).encode()).digest() + bytes(16)
    return {"init-data": None, "runtime-data": {"nonce": nonce, "tee-pubkey": tee_pubkey},
            "tee-evidence": {"primary_evidence": evidence.primary(args, data), "additional_evidence": additional},
            "casemate": {"nodeToken": node_token, "podToken": pod_token, "container": args.container}}


def prove(args, broker):
    """The answer to the attestation."""
    status, body = broker.send("POST", "/kbs/v0/auth", {"version": "0.4.0", "tee": args.tee, "extra-params": {}})
    if status != 200:
        return status, body
    evidence, nonce, challenged = Evidence(args, read(args.token)), body["nonce"], broker.cookie
    request = attestation(args, nonce, evidence, jwk(attest.Key()))
    status, body = broker.send("POST", "/kbs/v0/attest", request)
    if "replay" in args.fault and status == 200:
        broker.cookie = challenged
        return broker.send("POST", "/kbs/v0/attest", attestation(args, nonce, evidence, jwk(attest.Key())))
    return status, body


def run(args):
    broker = Broker(args.broker, os.path.join(args.ca, "broker.crt"), f"casemate-broker.{args.namespace}.svc")
    session = os.path.join(args.state, "session")
    if args.do == "go-on":
        broker.cookie = read(session)
    else:
        status, body = prove(args, broker)
        if args.do == "begin":
            with open(session, "w", encoding="ascii") as file:
                file.write(broker.cookie)
        if status != 200 or args.do == "begin":
            return status, body
    return broker.send("GET", "/kbs/v0/resource/" + args.key)


def decided(args):
    """The answer of run(), asked again as long as it may change by itself."""
    end = time.monotonic() + args.patience
    while True:
        try:
            status, body = run(args)
            if status not in (429, 503) or time.monotonic() > end:
                return status, body
        except (OSError, http.client.HTTPException):
            if time.monotonic() > end:
                raise
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser()
    for option in ("verifier", "broker", "namespace", "ca", "token", "pod-token", "node", "uid", "state"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--container", default="app")
    parser.add_argument("--platform-id", default=attest.PLATFORM_ID)
    parser.add_argument("--tee", default="simulated")
    parser.add_argument("--evidence")
    parser.add_argument("--patience", type=float, default=0)
    parser.add_argument("do", choices=("ask", "begin", "go-on"))
    parser.add_argument("key")
    parser.add_argument("fault", nargs="*")
    try:
        status, body = decided(parser.parse_intermixed_args())
    except (OSError, http.client.HTTPException) as e:
        print("closed", e)
        return 1
    print(status, body.get("reason", ""), body.get("detail", ""))
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
