# SPDX-License-Identifier: Apache-2.0
"""Evidence in every encoding, and files that are missing, wrong, huge or folders."""

import base64
import json
import os
import shutil

from harness import check, check_equal, command, write
from verify_case import GOLDEN, VECTORS, check_verdict, read, run, vector, verify
from verify_vectors import AMD, SGX, TDX

QUOTE = "dcap-qvl/tdx_quote"
REPORT = "trustee/test-report.bin"
VCEK = [vector("trustee/test-vcek.der")] + AMD


def store(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def test_encodings(folder, _stack):
    """The same evidence gives the same verdict, however it is written."""
    for name, collateral in ((QUOTE, TDX), (REPORT, VCEK)):
        raw = read(name)
        want = verify(vector(name), collateral, GOLDEN)
        check_verdict(f"{name} as it is", want, "Ok")
        text = base64.b64encode(raw)
        forms = {
            "hexadecimal": raw.hex().encode(),
            "capitals": raw.hex().upper().encode() + b"\n",
            "base64": text,
            "base64 and a newline": text + b"\n",
        }
        if name == QUOTE:
            forms["JSON"] = json.dumps({"quote": text.decode()}).encode()
        for form, data in forms.items():
            got = verify(store(folder, "evidence", data), collateral, GOLDEN)
            check_equal(f"{name} as {form}", got, want)
        check_equal(f"{name} on standard input", verify("-", collateral, GOLDEN, stdin=raw), want)


def test_unreadable_evidence(folder, _stack):
    """What is read and makes no sense is a verdict; what cannot be read is a message."""
    for name, data in (
        ("nothing", b""),
        ("a byte", b"\0"),
        ("zeros", bytes(5000)),
        ("text", b"hello\n"),
        ("JSON", b"{}"),
        ("an array", b"[]"),
        ("broken JSON", b'{"quote": '),
        ("a certificate", read("trustee/test-vcek.der")),
        ("collateral", read("dcap-qvl/tdx_quote_collateral.json")),
        ("sample evidence", b'{"svn": "1", "report_data": "YQ=="}'),
    ):
        doc = verify(store(folder, "evidence", data), TDX, GOLDEN)
        reasons = ("Malformed", "UnsupportedVersion", "SampleNotAllowed")
        check(f"evidence: {name}", doc.get("reason") in reasons and doc["tee"] is None, doc)
    for name, path, message in (
        ("absent", f"{folder}/absent", "absent: No such file"),
        ("a folder", folder, "is a folder"),
        ("huge", store(folder, "huge", bytes((256 << 10) + 1)), "larger than 262144 bytes"),
        ("endless", "/dev/zero", "larger than"),
    ):
        code, out, err = run("--evidence", path)
        check(f"evidence: {name}", code == 1 and not out and message in err, (code, out, err))


def test_collateral_paths(folder, _stack):
    """Files and folders, in any order; what is nothing is named."""
    evidence = vector(QUOTE)
    mixed = os.path.join(folder, "mixed")
    os.mkdir(mixed)
    for path in TDX + SGX + VCEK[:1]:
        shutil.copy(path, mixed)
    for path in os.listdir(AMD[0]):
        shutil.copy(os.path.join(AMD[0], path), mixed)
    check_verdict("one folder for TDX", verify(evidence, [mixed], GOLDEN), "Ok")
    check_verdict("the same for SNP", verify(vector(REPORT), [mixed], GOLDEN), "Ok")
    check_verdict("files in another order", verify(vector(REPORT), AMD + VCEK[:1], GOLDEN), "Ok")
    check_verdict("twice the same", verify(evidence, TDX + TDX, GOLDEN), "Ok")
    write(mixed, "README", "what this is\n")
    check_verdict("a folder with other files", verify(evidence, [mixed], GOLDEN), "Ok")
    os.mkdir(os.path.join(folder, "empty"))
    for name, path, message in (
        ("absent", f"{folder}/absent", "absent"),
        ("not collateral", write(folder, "note.txt", "hello\n"), "note.txt"),
        ("empty", store(folder, "none", b""), "none"),
        ("a quote", vector(QUOTE), "tdx_quote"),
        ("broken JSON", write(folder, "half.json", '{"tcb_info": "'), "half.json"),
        ("a broken certificate", store(folder, "cut.der", read("trustee/test-vcek.der")[:-1]), "cut.der"),
        ("an empty folder", f"{folder}/empty", "empty"),
    ):
        code, out, err = run("--evidence", evidence, "--collateral", path, "--time", str(GOLDEN))
        check(f"collateral: {name}", code == 1 and not out and message in err, (code, out, err))


def changed(folder, name, **members):
    """The TDX collateral with some members of another value, or without them (None)."""
    with open(TDX[0], encoding="utf-8") as f:
        doc = json.load(f)
    for key, value in members.items():
        doc[key] = value(doc[key]) if callable(value) else value
    doc = {k: v for k, v in doc.items() if v is not None}
    return [write(folder, name, json.dumps(doc))]


def test_changed_collateral(folder, _stack):
    """Whatever is changed or missing is found, and named."""
    for name, members, reasons in (
        ("TCB info", {"tcb_info": lambda t: t.replace("UpToDate", "UpToDatE", 1)}, ["CollateralInvalid", "CollateralSignatureInvalid"]),
        ("an SVN", {"tcb_info": lambda t: t.replace('"svn":5', '"svn":4', 1)}, ["CollateralSignatureInvalid"]),
        ("its signature", {"tcb_info_signature": lambda s: "00" + s[2:]}, ["CollateralSignatureInvalid"]),
        ("QE identity", {"qe_identity": lambda t: t.replace('"isvprodid":', '"isvprodid": ', 1)}, ["CollateralSignatureInvalid"]),
        ("no QE identity", {"qe_identity": None, "qe_identity_signature": None, "qe_identity_issuer_chain": None}, ["CollateralMissing"]),
        ("no TCB info", {"tcb_info": None, "tcb_info_signature": None, "tcb_info_issuer_chain": None}, ["CollateralMissing"]),
        ("no root CRL", {"root_ca_crl": None}, ["CrlMissing"]),
        ("no PCK CRL", {"pck_crl": None}, ["CrlMissing"]),
        ("the PCK CRL's signature", {"pck_crl": lambda s: s[:-2] + ("00" if s[-2:] != "00" else "01")}, ["ChainInvalid", "CrlInvalid", "CollateralInvalid", "CollateralSignatureInvalid"]),
    ):  # fmt: skip
        path = changed(folder, "collateral.json", **members)
        code, out, err = run("--evidence", vector(QUOTE), "--collateral", path[0], "--time", str(GOLDEN))
        got = json.loads(out)["reason"] if out else err
        refused = code == 1 and (got in reasons if out else "collateral.json" in err)
        check(f"changed: {name}", refused, (code, got, reasons))


def test_usage(_folder, _stack):
    for name, args, message in (
        ("nothing", [], "--evidence FILE is missing"),
        ("an unknown flag", ["--quote", "x"], "unknown flag --quote"),
        ("a word too many", ["--evidence", vector(QUOTE), "x"], "x"),
        ("no time", ["--evidence", vector(QUOTE), "--time", "soon"], "'soon' is no time"),
        ("a negative time", ["--evidence", vector(QUOTE), "--time=-1"], "is no time since 1970"),
        ("a time and more", ["--evidence", vector(QUOTE), "--time", "1751000000s"], "is no time"),
        ("an endless time", ["--evidence", vector(QUOTE), "--time", "9" * 30], "is no time"),
        ("an empty evidence", ["--evidence", ""], "--evidence FILE is missing"),
    ):
        code, out, err = run(*args)
        check(f"usage: {name}", code == 2 and not out and message in err, (code, out, err))
    code, out, err = run("--help")
    check("--help explains", code == 0 and not err and "--collateral PATH" in out, (code, out, err))
    check("--help is listed", "verify" in command("--help")[1])
    doc = verify(vector(QUOTE), TDX, "2025-06-27T04:53:20Z")
    check_verdict("a time as RFC 3339", doc, "Ok")
    # What the daemons take from the environment is nothing to this command.
    code, _, err = run(
        "--evidence", vector(QUOTE), "--collateral", TDX[0], "--time", str(GOLDEN),
        env={"CASEMATE_TIME": "1", "CASEMATE_POLICY": "/absent"},
    )  # fmt: skip
    check("no environment", (code, err) == (0, ""), err)
    check("there are vectors", len(os.listdir(VECTORS)) > 10)


TESTS = [
    test_encodings,
    test_unreadable_evidence,
    test_collateral_paths,
    test_changed_collateral,
    test_usage,
]
