# SPDX-License-Identifier: Apache-2.0
"""What a policy accepts, requires and proposes; what is wrong in one is said with its place."""

import json

import yaml

from harness import check, check_equal, write
from verify_case import GOLDEN, check_verdict, read, run, vector, verify
from verify_vectors import AMD, GO_TDX, GO_TDX_TIME, QVL_SAMPLE, SGX, TDX

SGX_QUOTE, TDX_QUOTE = vector("dcap-qvl/sgx_quote"), vector("dcap-qvl/tdx_quote")
REPORT, VCEK = vector("trustee/test-report.bin"), [vector("trustee/test-vcek.der")] + AMD
SGX_STATUS = "ConfigurationAndSWHardeningNeeded"
SGX_ADVISORIES = ["INTEL-SA-00289", "INTEL-SA-00615"]
SGX_ACCEPTED = {"acceptedTcbStatuses": [SGX_STATUS], "acceptedAdvisories": SGX_ADVISORIES}
DEBUG_REPORT = vector("go-sev-guest/attestation.bin")
DEBUG_VCEK = [vector("go-sev-guest/vcek.testcer"), vector("go-sev-guest/milan.testcer")]

# name, policy, evidence, collateral, time, reason
ROWS = [
    ("status and advisories accepted", SGX_ACCEPTED, SGX_QUOTE, SGX, GOLDEN, "Ok"),
    ("the status alone", {"acceptedTcbStatuses": [SGX_STATUS]}, SGX_QUOTE, SGX, GOLDEN, "AdvisoryNotAccepted"),
    ("one advisory of two", {**SGX_ACCEPTED, "acceptedAdvisories": SGX_ADVISORIES[1:]}, SGX_QUOTE, SGX, GOLDEN, "AdvisoryNotAccepted"),
    ("the advisories alone", {"acceptedAdvisories": SGX_ADVISORIES}, SGX_QUOTE, SGX, GOLDEN, "TcbConfigurationAndSwHardeningNeeded"),
    ("another status", {**SGX_ACCEPTED, "acceptedTcbStatuses": ["OutOfDate"]}, SGX_QUOTE, SGX, GOLDEN, "TcbConfigurationAndSwHardeningNeeded"),
    ("as a profile says it", {"kind": "EnclaveProfile", "spec": {"tee": "sgx", "attestation": SGX_ACCEPTED}}, SGX_QUOTE, SGX, GOLDEN, "Ok"),
    ("as `attestation`", {"attestation": SGX_ACCEPTED}, SGX_QUOTE, SGX, GOLDEN, "Ok"),
    ("a debug TD allowed", {"allowDebug": True}, vector("trustee/tdx_quote_4.dat"), GO_TDX, GO_TDX_TIME, "Ok"),
    ("a debug guest allowed", {"allowDebug": True}, DEBUG_REPORT, DEBUG_VCEK, GOLDEN, "Ok"),
    ("simulated allowed changes nothing for real ones", {"allowSimulated": True}, TDX_QUOTE, TDX, GOLDEN, "Ok"),
    ("evaluation number reached", {"minTcbEvaluationDataNumber": 17}, TDX_QUOTE, TDX, GOLDEN, "Ok"),
    ("evaluation number too low", {"minTcbEvaluationDataNumber": 18}, TDX_QUOTE, TDX, GOLDEN, "CollateralRolledBack"),
    ("SNP needs a CRL", {"requireCrl": True}, REPORT, VCEK, GOLDEN, "CrlMissing"),
    ("TDX has its CRLs", {"requireCrl": True}, TDX_QUOTE, TDX, GOLDEN, "Ok"),
    ("measurements needed, none listed", {"requireMeasurements": True}, TDX_QUOTE, TDX, GOLDEN, "MeasurementNotAllowed"),
    ("another privilege level", {"snp": {"vmpl": 1}}, REPORT, VCEK, GOLDEN, "VmplNotAllowed"),
    ("a newer microcode", {"snp": {"minTcb": {"microcode": 116}}}, REPORT, VCEK, GOLDEN, "TcbBelowMinimum"),
    ("this microcode", {"snp": {"minTcb": {"microcode": 115, "snp": 8}}}, REPORT, VCEK, GOLDEN, "Ok"),
    ("hyper-threading forbidden", {"snp": {"forbiddenPolicy": 0x10000}}, REPORT, VCEK, GOLDEN, "PolicyBitsNotAllowed"),
    ("one socket required", {"snp": {"requiredPolicy": "0x100000"}}, REPORT, VCEK, GOLDEN, "PolicyBitsNotAllowed"),
    ("memory checked for aliases", {"snp": {"requiredPlatformInfo": 32}}, REPORT, VCEK, GOLDEN, "PolicyBitsNotAllowed"),
    ("TD attributes of fewer bits", {"tdx": {"allowedAttributes": "0x40000000"}}, TDX_QUOTE, TDX, GOLDEN, "PolicyBitsNotAllowed"),
    ("XFAM of fewer bits", {"tdx": {"allowedXfam": 3}}, TDX_QUOTE, TDX, GOLDEN, "PolicyBitsNotAllowed"),
    ("the time is the policy's", {"time": GOLDEN}, TDX_QUOTE, TDX, None, "Ok"),
    ("as RFC 3339", {"time": "2025-06-27T04:53:20Z"}, TDX_QUOTE, TDX, None, "Ok"),
    ("the flag's time wins", {"time": 1}, TDX_QUOTE, TDX, GOLDEN, "Ok"),
]  # fmt: skip


def test_rows(folder, _stack):
    for name, policy, evidence, collateral, time, reason in ROWS:
        path = write(folder, "policy.yaml", policy)
        check_verdict(name, verify(evidence, collateral, time, path), reason)


def test_report_data(folder, _stack):
    """All 64 bytes count; a shorter value has zeros behind it."""
    want = verify(TDX_QUOTE, TDX, GOLDEN)["claims"]["reportData"]
    other = f"{int(want, 16) ^ 1:0128x}"
    for name, data, reason in (
        ("report data", want, "Ok"),
        ("in capitals", want.upper(), "Ok"),
        ("one bit of it", other, "ReportDataMismatch"),
        ("its beginning", want[:64], "ReportDataMismatch"),
        ("that of another", read("go-tdx-guest/nonce.dat").hex(), "ReportDataMismatch"),
    ):
        path = write(folder, "policy.yaml", {"reportData": data})
        check_verdict(name, verify(TDX_QUOTE, TDX, GOLDEN, path), reason)
    # 13 characters and 51 zeros
    path = write(folder, "policy.yaml", {**SGX_ACCEPTED, "reportData": b"Hello, world!".hex()})
    check_verdict("report data with zeros", verify(SGX_QUOTE, SGX, GOLDEN, path), "Ok")


def test_measurements(folder, _stack):
    claims = verify(TDX_QUOTE, TDX, GOLDEN)["claims"]
    good = {"mrtd": claims["mrtd"], "rtmrs": {"2": claims["rtmrs"]["2"]}}
    bad = {"mrtd": claims["mrtd"], "rtmrs": {"2": "ab" * 48}}
    everything = {
        "mrtd": claims["mrtd"],
        "rtmrs": claims["rtmrs"],
        **{k: claims[k] for k in ("mrseam", "mrconfigid", "mrowner", "mrownerconfig")},
    }
    snp = {"snp": {"measurement": "00" * 48}}
    for name, entries, reason in (
        ("the same", [{"name": "a", "tdx": good}], "Ok"),
        ("every register", [{"name": "a", "tdx": everything}], "Ok"),
        ("one of two", [{"name": "a", "tdx": bad}, {"name": "b", "tdx": good}], "Ok"),
        ("another kernel", [{"name": "a", "tdx": bad}], "MeasurementNotAllowed"),
        ("another TEE's", [{"name": "a", **snp}], "MeasurementNotAllowed"),
    ):
        path = write(folder, "policy.yaml", {"measurements": entries})
        doc = verify(TDX_QUOTE, TDX, GOLDEN, path)
        check_verdict("measurements: " + name, doc, reason)
        if name == "another kernel":
            got = {"register": "rtmr2", "want": "ab" * 48, "got": claims["rtmrs"]["2"]}
            check_equal("it says what differs", doc["mismatch"], [got])


def test_sgx_identity(folder, _stack):
    claims = verify(SGX_QUOTE, SGX, GOLDEN)["claims"]
    signer, enclave = claims["mrsigner"], claims["mrenclave"]
    for name, sgx, reason in (
        ("signer", {"mrsigner": signer}, "Ok"),
        ("signer and product", {"mrsigner": signer, "isvProdId": 0}, "Ok"),
        ("both", {"mrsigner": signer, "mrenclave": enclave}, "Ok"),
        ("another product", {"mrsigner": signer, "isvProdId": 1}, "MeasurementNotAllowed"),
        ("a later version", {"mrsigner": signer, "minIsvSvn": 1}, "MeasurementNotAllowed"),
        ("swapped", {"mrsigner": enclave}, "MeasurementNotAllowed"),
    ):
        entry = {"measurements": [{"name": "a", "sgx": sgx}]}
        path = write(folder, "policy.yaml", {**SGX_ACCEPTED, **entry})
        check_verdict("enclave: " + name, verify(SGX_QUOTE, SGX, GOLDEN, path), reason)


def propose(evidence, collateral, time, policy=None):
    args = ["--evidence", evidence, "--time", str(time), "--propose"]
    for path in collateral:
        args += ["--collateral", path]
    return run(*args, *(["--policy", policy] if policy else []))


def test_propose(folder, _stack):
    """What is proposed is accepted, and is what a policy must have where measurements are needed."""
    sgx = write(folder, "sgx.yaml", SGX_ACCEPTED)
    for kind, evidence, collateral, policy in (
        ("sgx", SGX_QUOTE, SGX, sgx),
        ("tdx", TDX_QUOTE, TDX, None),
        ("snp", REPORT, VCEK, None),
    ):
        code, out, err = propose(evidence, collateral, GOLDEN, policy)
        block = yaml.safe_load(out)
        check(f"{kind}: a block", (code, err) == (0, "") and list(block) == ["measurements"], out)
        check(f"{kind}: says what was not judged", "# Not judged: report data" in out, out)
        check(f"{kind}: of this TEE", list(block["measurements"][0]) == ["name", kind], out)
        base = SGX_ACCEPTED if kind == "sgx" else {}
        path = write(folder, "policy.yaml", {**base, **block, "requireMeasurements": True})
        check_verdict(f"{kind}: accepted with it", verify(evidence, collateral, GOLDEN, path), "Ok")
        # Also while a policy lists something else.
        listed = {"measurements": [{"name": "old", "sgx": {"mrenclave": "00" * 32}}]}
        path = write(folder, "policy.yaml", {**base, **listed})
        check(f"{kind}: despite a list", propose(evidence, collateral, GOLDEN, path)[1] == out)
    code, out, _ = propose(SGX_QUOTE, SGX, GOLDEN)
    check("nothing is proposed of what is refused", code == 1 and json.loads(out)["verdict"] == "refused", out)
    path = write(folder, "policy.yaml", {"reportData": "00"})
    code, out, _ = propose(TDX_QUOTE, TDX, GOLDEN, path)
    check("report data counts", code == 1 and json.loads(out)["reason"] == "ReportDataMismatch", out)


def test_trusted_roots(folder, _stack):
    """Added to those built in. Intel's synthetic sets are refused even so: their certification data
    is not as specified, and the TCB info is of version 2."""
    pem = read("intel-qvl/trustedRootCaCert.pem").decode()
    policy = write(folder, "policy.yaml", {"trustedRoots": [pem]})
    quote = vector("intel-qvl/quote.dat")
    doc = verify(quote, QVL_SAMPLE, 1700000000, policy)
    check_verdict("synthetic SGX with its root", doc, "Malformed")
    check("it says what", "34 bytes" in doc["message"], doc["message"])
    check_verdict("a real one meanwhile", verify(TDX_QUOTE, TDX, GOLDEN, policy), "Ok")
    check_verdict(
        "the root as collateral is not trusted",
        verify(quote, QVL_SAMPLE + [vector("intel-qvl/trustedRootCaCert.pem")], 1700000000),
        "UnknownRoot",
    )
    for name, roots in (("no PEM", ["x"]), ("one that is none", [pem, pem.replace("MII", "AAA", 1)])):
        path = write(folder, "policy.yaml", {"trustedRoots": roots})
        code, out, err = run("--evidence", quote, "--policy", path)
        check(
            f"trustedRoots: {name}",
            code == 1 and not out and f"trustedRoots[{len(roots) - 1}]" in err,
            (code, out, err),
        )


def test_mistakes(folder, _stack):
    """Each has its place: file, line, column, path."""
    for text, message in (
        ("allowDebug: yes please\n", "policy.yaml:1:13: allowDebug: must be true or false"),
        ("acceptedTcbStatuses:\n- Revoked\n", "policy.yaml:2:3: acceptedTcbStatuses[0]: a revoked"),
        ("allowDebugging: true\n", "there is no member 'allowDebugging'"),
        ("a: [", "policy.yaml"),
        ("", "policy.yaml: says nothing"),
        ("measurements: [{name: a, sgx: {mrenclave: abc}}]", "measurements[0].sgx.mrenclave: must"),
    ):
        path = f"{folder}/policy.yaml"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        code, out, err = run("--evidence", TDX_QUOTE, "--policy", path)
        check(f"policy {text!r}", code == 1 and not out and message in err, (code, out, err))
        check(f"one line about {text!r}", err.count("\n") == 1 and len(err) < 600, err)


TESTS = [
    test_rows,
    test_report_data,
    test_measurements,
    test_sgx_identity,
    test_propose,
    test_trusted_roots,
    test_mistakes,
]
