# SPDX-License-Identifier: Apache-2.0
"""Real evidence of every vendor, at its time, against its collateral (tests/vectors/NOTICE)."""

import json

from harness import check, check_equal, write
from verify_case import GOLDEN, GOLDEN_V5, check_verdict, read, vector, verify

SGX = [vector("dcap-qvl/sgx_quote_collateral.json")]
TDX = [vector("dcap-qvl/tdx_quote_collateral.json")]
TDX_V5 = [vector("dcap-qvl/tdx_quote_outdated_collateral.json")]
GO_TDX = [
    vector("go-tdx-guest/" + name)
    for name in (
        "tcb_info_issuer_chain.pem",
        "sample_tcbInfo_response",
        "qe_identity_issuer_chain.pem",
        "sample_qeIdentity_response",
        "pck_crl_issuer_chain.pem",
        "pckcrl",
        "rootcrl.der",
    )
]
GO_TDX_TIME = 1688173200  # 2023-07-01T01:00:00Z
QVL_SAMPLE = [
    vector("intel-qvl/" + name)
    for name in (
        "pckSignChain.pem",
        "pckCert.pem",
        "tcbSignChain.pem",
        "tcbInfo.json",
        "qeIdentity.json",
        "rootCaCrl.der",
        "intermediateCaCrl.der",
        "trustedRootCaCert.pem",
    )
]
AMD = [vector("amd-roots")]
MILAN = [vector("virtee-sev/cert_chain_milan")]

# name, evidence, collateral, time (None: now), reason, TCB status (None: not looked at)
ROWS = [
    # Intel: complete sets
    ("SGX v3", "dcap-qvl/sgx_quote", SGX, GOLDEN, "TcbConfigurationAndSwHardeningNeeded", "ConfigurationAndSWHardeningNeeded"),
    ("TDX v4", "dcap-qvl/tdx_quote", TDX, GOLDEN, "Ok", "UpToDate"),
    ("TDX v5", "go-tdx-guest/quote_v5_sample.dat", TDX_V5, GOLDEN_V5, "Ok", "UpToDate"),
    ("TDX v5 of a TCB that no level matches", "dcap-qvl/tdx_quote_outdated", TDX_V5, GOLDEN_V5, "TcbNotSupported", "NotSupported"),
    # Intel: negative or partial
    ("platform out of date, CRLs of another time", "trustee/tdx_quote_6.dat", TDX + [vector("trustee/tcbInfo.json"), vector("trustee/enclaveIdentity.json")], 1761955200, "CrlExpired", None),
    ("a debug TD", "trustee/tdx_quote_4.dat", GO_TDX, GO_TDX_TIME, "DebugNotAllowed", "UpToDate"),
    ("a debug enclave without its CA's CRL", "trustee/occlum_quote.dat", SGX, GOLDEN, "CrlMissing", None),
    ("bytes behind the signature", "go-tdx-guest/tdx_prod_quote_SPR_E4.dat", GO_TDX, GO_TDX_TIME, "Malformed", None),
    ("8,000 bytes, collateral of another FMSPC", "go-tdx-guest/cos-113-tdx-quote.dat", TDX, GOLDEN, "FmspcMismatch", None),
    ("8,000 bytes, before it was certified", "go-tdx-guest/cos-113-tdx-quote.dat", GO_TDX, GO_TDX_TIME, "CertificateExpired", None),
    ("a TDREPORT is no quote", "go-tdx-guest/report.dat", TDX, GOLDEN, "UnsupportedVersion", None),
    ("another TDREPORT is no quote", "sgx-dcap/tdreport_for_test.dat", TDX, GOLDEN, "UnsupportedVersion", None),
    # Collateral of another kind
    ("SGX with collateral for TDX", "dcap-qvl/sgx_quote", TDX, GOLDEN, "CrlMissing", None),
    ("TDX with collateral for SGX", "dcap-qvl/tdx_quote", SGX, GOLDEN, "CrlMissing", None),
    ("TDX with collateral for another TDX", "dcap-qvl/tdx_quote", TDX_V5, GOLDEN_V5, "FmspcMismatch", None),
    ("SGX without any", "dcap-qvl/sgx_quote", [], GOLDEN, "CrlMissing", None),
    # Now: all of it has expired
    ("SGX v3 now", "dcap-qvl/sgx_quote", SGX, None, "CrlExpired", None),
    ("TDX v4 now", "dcap-qvl/tdx_quote", TDX, None, "CrlExpired", None),
    ("TDX v5 now", "go-tdx-guest/quote_v5_sample.dat", TDX_V5, None, "CrlExpired", None),
    # Intel: the synthetic sets, of a root of their own
    ("synthetic SGX against Intel's root", "intel-qvl/quote.dat", QVL_SAMPLE, 1700000000, "UnknownRoot", None),
    ("synthetic TDX against Intel's root", "intel-qvl/tdx/quote.dat", [vector("intel-qvl/tdx")], 1700000000, "ChainInvalid", None),
    # AMD
    ("Milan", "trustee/test-report.bin", [vector("trustee/test-vcek.der")] + AMD, GOLDEN, "Ok", None),
    ("Milan now", "trustee/test-report.bin", [vector("trustee/test-vcek.der")] + AMD, None, "Ok", None),
    ("Milan in hexadecimal", "virtee-sev/report_milan.hex", [vector("virtee-sev/vcek_milan.der")] + MILAN, GOLDEN, "Ok", None),
    ("in Azure's header", "trustee/az-snp-hcl-report.bin", [vector("trustee/az-snp-vcek-chain.pem")], GOLDEN, "Ok", None),
    ("a policy that allows debug", "go-sev-guest/attestation.bin", [vector("go-sev-guest/vcek.testcer"), vector("go-sev-guest/milan.testcer")], GOLDEN, "DebugNotAllowed", None),
    ("Genoa, as guest components send it", "trustee/e2e-snp-evidence.json", AMD, GOLDEN, "Ok", None),
    ("Azure's vTPM evidence", "az-snp/evidence-v2.json", AMD, GOLDEN, "Ok", None),
    ("its report alone", "az-snp/hcl-report.bin", [vector("az-snp/vcek.pem")], GOLDEN, "Ok", None),
    ("a bogus VCEK", "trustee/test-report.bin", [vector("trustee/test-vcek-invalid-legacy.der")] + AMD, GOLDEN, "CollateralMissing", None),
    ("another bogus VCEK", "trustee/test-report.bin", [vector("trustee/test-vcek-invalid-new.der")] + AMD, GOLDEN, "CollateralMissing", None),
    ("a VCEK of another product", "trustee/test-report.bin", [vector("virtee-sev/vcek_turin.der"), vector("virtee-sev/cert_chain_turin")], GOLDEN, "CollateralMissing", None),
    ("a VCEK of another chip", "trustee/test-report.bin", [vector("virtee-sev/vcek_milan.der")] + MILAN, GOLDEN, "CollateralMissing", None),
    ("no VCEK", "trustee/test-report.bin", AMD, GOLDEN, "CollateralMissing", None),
    ("no ASK", "trustee/test-report.bin", [vector("trustee/test-vcek.der")], GOLDEN, "CollateralMissing", None),
]  # fmt: skip


def test_rows(_folder, _stack):
    for name, evidence, collateral, time, reason, status in ROWS:
        check_verdict(name, verify(vector(evidence), collateral, time), reason, status)


def test_details(_folder, _stack):
    """What stands beside the reason."""
    doc = verify(vector("dcap-qvl/sgx_quote"), SGX, GOLDEN)
    check_equal("SGX: advisories", doc["tcb"]["advisories"], ["INTEL-SA-00289", "INTEL-SA-00615"])
    check_equal("SGX: evaluation number", doc["tcb"]["evaluationDataNumber"], 17)
    check_equal("SGX: CRL", doc["crl"], "checked")
    check_equal("SGX: FMSPC", doc["claims"]["fmspc"], "00a067110000")
    check_equal("SGX: PCE SVN", doc["claims"]["pceSvn"], 13)
    check_equal("SGX: QE", doc["claims"]["qe"]["isvSvn"], 10)
    doc = verify(vector("dcap-qvl/tdx_quote"), TDX, GOLDEN)
    check_equal("TDX: FMSPC", doc["claims"]["fmspc"], "b0c06f000000")
    check_equal("TDX: CRL", doc["crl"], "checked")
    check("TDX: who issued the PCK", "Platform" in doc["claims"]["pckCa"], doc["claims"])
    doc = verify(vector("trustee/test-report.bin"), [vector("trustee/test-vcek.der")] + AMD, GOLDEN)
    check_equal("SNP: without a CRL it says so", doc["crl"], "absent")
    check_equal("SNP: policy", doc["claims"]["policy"]["raw"], "0x000000000003001f")
    check_equal("SNP: the chip is the platform", doc["platformID"], doc["claims"]["chipId"])
    doc = verify(vector("az-snp/evidence-v2.json"), AMD, GOLDEN)
    vtpm, quote = doc["claims"]["vtpm"], json.loads(read("az-snp/evidence-v2.json"))["tpm_quote"]
    check_equal("Azure: PCRs", vtpm["pcrs"], {str(i): p for i, p in enumerate(quote["pcrs"])})
    check("Azure: qualifying data", vtpm["qualifyingData"][: 2 * 48] in quote["message"], vtpm)
    doc = verify(vector("go-tdx-guest/cos-113-tdx-quote.dat"), TDX, GOLDEN)
    check_equal(
        "refused evidence shows its report data",
        doc["claims"]["reportData"],
        read("go-tdx-guest/nonce.dat").hex(),
    )


# name, evidence, collateral, first and last good second
WINDOWS = [
    ("TDX v4", "dcap-qvl/tdx_quote", TDX, 1750329147, 1752919235),
    ("TDX v5", "go-tdx-guest/quote_v5_sample.dat", TDX_V5, 1771412331, 1774003275),
]


def test_windows(_folder, _stack):
    """All of it holds at once, to the second."""
    expired = ("CrlExpired", "CollateralExpired", "CertificateExpired")
    for name, evidence, collateral, first, last in WINDOWS:
        for time in (first, last):
            check_verdict(f"{name} at {time}", verify(vector(evidence), collateral, time), "Ok")
        # Issue dates may lie 300 seconds ahead: clocks differ.
        for time in (first - 301, last + 1):
            doc = verify(vector(evidence), collateral, time)
            check(f"{name} at {time}", doc.get("reason") in expired, doc.get("reason"))


def test_until(_folder, _stack):
    """validUntil is true: the last good second."""
    for evidence, collateral, time in (
        ("dcap-qvl/tdx_quote", TDX, GOLDEN),
        ("trustee/test-report.bin", [vector("trustee/test-vcek.der")] + AMD, GOLDEN),
    ):
        until = verify(vector(evidence), collateral, time)["validUntil"]
        check_verdict(f"{evidence} at {until}", verify(vector(evidence), collateral, until), "Ok")
        later = until[:-3] + f"{int(until[-3:-1]) + 1:02}Z"
        doc = verify(vector(evidence), collateral, later)
        check(f"{evidence} at {later}", "Expired" in doc.get("reason", ""), doc.get("reason"))


def test_cut(folder, _stack):
    """Of the quote with bytes behind it: without them its signatures hold, its TCB matches nothing."""
    path = f"{folder}/evidence"
    with open(path, "wb") as f:
        f.write(read("go-tdx-guest/tdx_prod_quote_SPR_E4.dat")[:-39])
    doc = verify(path, GO_TDX, GO_TDX_TIME)
    check_verdict("nothing behind the signature", doc, "TcbNotSupported", "NotSupported")


def test_flips(folder, _stack):
    """A bit or the end of what is signed gone: never accepted. (Unit tests do every one.)"""
    quote, report = read("dcap-qvl/tdx_quote"), read("trustee/test-report.bin")
    signed = len(quote.rstrip(b"\0"))
    snp = [vector("trustee/test-vcek.der")] + AMD
    accepted = []
    for data, size, collateral in ((quote, signed, TDX), (report, len(report), snp)):
        for i in range(0, size, size // 25):
            bad = bytearray(data)
            bad[i] ^= 1 << i % 8
            for kind, text in (("flipped", bytes(bad)), ("cut", data[:i])):
                path = f"{folder}/evidence"
                with open(path, "wb") as f:
                    f.write(text)
                if verify(path, collateral, GOLDEN).get("verdict") != "refused":
                    accepted.append(f"{kind} at {i}")
    check("changed evidence is refused", accepted == [], accepted)


TESTS = [test_rows, test_details, test_windows, test_until, test_cut, test_flips]
