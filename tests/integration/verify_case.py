# SPDX-License-Identifier: Apache-2.0
"""Runs `casemate-webhook verify` and checks the shape of whatever it prints, whoever asks."""

import json
import os
import re
import subprocess

from harness import ENVIRONMENT, PROGRAM, ROOT, SANITIZER, check

VECTORS = os.path.join(ROOT, "tests/vectors")
GOLDEN = 1751000000  # inside the windows of dcap-qvl's first two sets
GOLDEN_V5 = 1772000000

# The README documents it. null where something was not found out.
TOP = ["verdict", "reason", "message", "tee", "tcb", "crl", "validUntil", "platformID", "mismatch", "claims"]
TCB = ["status", "date", "evaluationDataNumber", "advisories"]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HEX = re.compile(r"([0-9a-f]{2})+")


def vector(name):
    return os.path.join(VECTORS, name)


def read(name):
    with open(vector(name), "rb") as f:
        return f.read()


def known_reasons():
    with open(os.path.join(ROOT, "common/tee/reason.h"), encoding="utf-8") as f:
        return re.findall(r"^\tX\((\w+),", f.read(), re.M)


REASONS = known_reasons()


def wrong_shape(code, doc):
    """What is wrong with a verdict's shape, or None."""
    if list(doc) != TOP or list(doc["tcb"]) != TCB:
        return f"members {list(doc)}, tcb {list(doc.get('tcb', {}))}"
    accepted = doc["verdict"] == "accepted"
    tcb = doc["tcb"]
    rules = {
        "verdict": doc["verdict"] in ("accepted", "refused"),
        "exit code": code == (0 if accepted else 1),
        "reason": doc["reason"] in REASONS and (doc["reason"] in ("Ok", "Simulated")) == accepted,
        "message": isinstance(doc["message"], str) and (doc["message"] == "") == accepted,
        "tee": doc["tee"] in ("sgx", "tdx", "snp", "simulated", None),
        "tcb.status": tcb["status"] is None or isinstance(tcb["status"], str),
        "tcb.date": tcb["date"] is None or RFC3339.fullmatch(tcb["date"]),
        "tcb.evaluationDataNumber": tcb["evaluationDataNumber"] is None
        or tcb["evaluationDataNumber"] > 0,
        "tcb.advisories": all(isinstance(a, str) for a in tcb["advisories"]),
        "crl": doc["crl"] in ("checked", "absent"),
        "validUntil": (doc["validUntil"] is not None and RFC3339.fullmatch(doc["validUntil"]))
        if accepted
        else doc["validUntil"] is None,
        "platformID": doc["platformID"] is None or HEX.fullmatch(doc["platformID"]),
        "mismatch": all(list(m) == ["register", "want", "got"] for m in doc["mismatch"])
        and (doc["mismatch"] == [] or doc["reason"] == "MeasurementNotAllowed"),
        "claims": (doc["claims"] == {}) == (doc["tee"] is None),
    }
    return ", ".join(name for name, ok in rules.items() if not ok) or None


def no_twins(pairs):
    """For json: an object with a member twice is no answer."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a member twice: {names}")
    return dict(pairs)


def run(*args, stdin=b"", env=None):
    """Exit code, standard output and error, of any arguments."""
    done = subprocess.run(
        [PROGRAM, "verify", *args],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**ENVIRONMENT, **(env or {})},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    if SANITIZER.search(err):
        check(f"nothing for the sanitizers in verify {' '.join(args)}", False, err)
    return done.returncode, out, err


def verify(evidence, collateral=(), time=None, policy=None, stdin=b""):
    """The verdict as an object; {} when none was printed, which is a failure of its own."""
    args = ["--evidence", evidence]
    for path in collateral:
        args += ["--collateral", path]
    if time is not None:
        args += ["--time", str(time)]
    if policy:
        args += ["--policy", policy]
    code, out, err = run(*args, stdin=stdin)
    try:
        doc = json.loads(out, object_pairs_hook=no_twins)
    except ValueError as e:
        check(f"{os.path.basename(evidence)}: a verdict is printed", False, f"{e}: {out!r} {err!r}")
        return {}
    wrong = wrong_shape(code, doc)
    if wrong or err:
        check(f"{os.path.basename(evidence)}: as documented", False, f"{wrong}\n{out}\n{err}")
    return doc


def check_verdict(name, doc, reason, status=None):
    """One line: reason and, where it matters, the TCB's status."""
    got = (doc.get("reason"), doc.get("tcb", {}).get("status") if status else None)
    return check(name, got == (reason, status), f"got {got}, want {(reason, status)}: {doc.get('message')}")
