# SPDX-License-Identifier: Apache-2.0
"""The simulated TEE, made here by openssl from the description in common/tee/simulated.h alone."""

import json
import os
import subprocess
import time

from harness import check, check_equal, openssl, write
from verify_case import check_verdict, run, verify

UID = "4b0ee3bd-8a1f-4c6b-9f3e-0d6a3a7a2d11"
BODY = {
    "tee": "tdx",
    "node": "worker-1",
    "nodeUID": UID,
    "platformID": "0badcafe",
    "tcb": {"status": "UpToDate", "svn": 1},
    "debug": False,
    "measurements": {"mrtd": "ab" * 48},
    "reportData": "cd" * 64,
}


def make_root(folder, name):
    key, cert = f"{folder}/{name}.key", f"{folder}/{name}.crt"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl(
        "req", "-x509", "-new", "-key", key, "-days", "2", "-out", cert,
        "-subj", "/CN=Casemate Simulated TEE Root",
        "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    return cert, key


def make_node(folder, root, uid):
    """A node's certificate and key."""
    key, cert, request = f"{folder}/{uid}.key", f"{folder}/{uid}.crt", f"{folder}/{uid}.csr"
    extensions = write(folder, "node.ext", "basicConstraints=critical,CA:FALSE\n")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", f"/CN=node:{uid}", "-out", request)
    openssl(
        "x509", "-req", "-in", request, "-CA", root[0], "-CAkey", root[1], "-days", "1",
        "-extfile", extensions, "-out", cert,
    )  # fmt: skip
    return cert, key


def integers(der):
    """The two of an ECDSA signature, 32 bytes each."""
    both, at = b"", 2
    for _ in range(2):
        size = der[at + 1]
        both += int.from_bytes(der[at + 2 : at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return both


def make_evidence(folder, node, body):
    text = json.dumps(body)
    signed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", node[1]],
        input=text.encode(),
        capture_output=True,
        check=True,
    ).stdout
    with open(node[0], encoding="utf-8") as f:
        certificate = f.read()
    document = {
        "casemateSimulated": 1,
        "body": text,
        "certificate": certificate,
        "signature": integers(signed).hex(),
    }
    return write(folder, "evidence.json", json.dumps(document))


def policy(folder, root, **more):
    with open(root[0], encoding="utf-8") as f:
        document = {"allowSimulated": True, "trustedRoots": [f.read()], **more}
    return write(folder, "policy.yaml", document)


def test_simulated(folder, _stack):
    root, other = make_root(folder, "root"), make_root(folder, "other")
    node = make_node(folder, root, UID)
    evidence = make_evidence(folder, node, BODY)
    doc = verify(evidence, policy=policy(folder, root))
    check_verdict("simulated evidence", doc, "Simulated", "UpToDate")
    check_equal("its platform", (doc["tee"], doc["platformID"]), ("simulated", "0badcafe"))
    check_equal("its measurements", doc["claims"]["measurements"], BODY["measurements"])
    check_equal("its node", doc["claims"]["nodeUID"], UID)
    check_verdict("not by default", verify(evidence), "SimulatedNotAllowed")
    path = policy(folder, root, allowSimulated=False)
    check_verdict("nor when its root is trusted", verify(evidence, policy=path), "SimulatedNotAllowed")
    path = write(folder, "policy.yaml", {"allowSimulated": True})
    check_verdict("nor without a root", verify(evidence, policy=path), "UnknownRoot")
    check_verdict("nor of another root", verify(evidence, policy=policy(folder, other)), "UnknownRoot")
    late = policy(folder, root, time=int(time.time()) + 90000)
    check_verdict("nor for ever", verify(evidence, policy=late), "CertificateExpired")


def test_bodies(folder, _stack):
    root = make_root(folder, "root")
    node, stranger = make_node(folder, root, UID), make_node(folder, root, "another")
    for name, changes, more, reason in (
        ("debug", {"debug": True}, {}, "DebugNotAllowed"),
        ("debug allowed", {"debug": True}, {"allowDebug": True}, "Simulated"),
        ("out of date", {"tcb": {"status": "OutOfDate", "svn": 0}}, {}, "TcbOutOfDate"),
        ("revoked", {"tcb": {"status": "Revoked", "svn": 0}}, {}, "TcbRevoked"),
        ("its measurement", {}, {"measurements": [{"name": "a", "simulated": {"mrtd": "ab" * 48}}]}, "Simulated"),
        ("another", {}, {"measurements": [{"name": "a", "simulated": {"mrtd": "ac" * 48}}]}, "MeasurementNotAllowed"),
        ("those of a real TD bind nothing", {}, {"measurements": [{"name": "a", "tdx": {"mrtd": "ac" * 48}}]}, "Simulated"),
        ("its report data", {}, {"reportData": "cd" * 64}, "Simulated"),
        ("other report data", {}, {"reportData": "cd" * 63}, "ReportDataMismatch"),
        ("another node's", {"nodeUID": "another"}, {}, "NodeMismatch"),
        ("more than is known", {"extra": 1}, {}, "Malformed"),
    ):  # fmt: skip
        evidence = make_evidence(folder, node, {**BODY, **changes})
        path = policy(folder, root, **more)
        check_verdict(f"simulated: {name}", verify(evidence, policy=path), reason)
    evidence = make_evidence(folder, stranger, BODY)
    check_verdict("another node's key", verify(evidence, policy=policy(folder, root)), "NodeMismatch")
    forged = make_evidence(folder, (node[0], stranger[1]), BODY)
    check_verdict("a forged signature", verify(forged, policy=policy(folder, root)), "QuoteSignatureInvalid")
    evidence = make_evidence(folder, node, BODY)
    code, out, _ = run("--evidence", evidence, "--policy", policy(folder, root), "--propose")
    check("proposed", code == 0 and f'mrtd: "{"ab" * 48}"' in out and "simulated:" in out, out)
    os.remove(evidence)


TESTS = [test_simulated, test_bodies]
