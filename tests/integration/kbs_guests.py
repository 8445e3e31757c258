# SPDX-License-Identifier: Apache-2.0
"""Guests against the key broker, with evidence as Confidential Containers' attesters write it, signed
by the synthetic vendors of tests/tee. What a guest was started with is what `review` wrote into its
pod. Azure's SNP has no synthetic vendor for the chain above the VCEK: of it a real one is shown that
was made for another session."""

import base64
import gzip
import hashlib
import json
import os
import struct
import subprocess
import time
import tomllib

import yaml

from harness import ROOT, check, check_equal, command, make_ca, openssl, write
from kbs_broker import JWK, SECRET, Broker, Client

MAKE_EVIDENCE = os.environ.get(
    "MAKE_EVIDENCE", os.path.join(ROOT, "build/gcc/tests/tee/make-evidence")
)
ANNOTATION = "io.katacontainers.config.hypervisor.cc_init_data"
URL = "https://broker.example:8445"
TABLE = {  # AMD GHCB specification
    "63da758d-e664-4564-adc5-f4b93be8accd": "VCEK",
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1": "VLEK",
    "4ab7b379-bbac-4fe4-a02f-05aef327c782": "ASK",
    "c0b406a4-a803-4952-9743-3fb6014cd0ae": "ARK",
}
IMAGE = "registry.example/app@sha256:" + "ab" * 32


def b64(data):
    return base64.b64encode(data).decode()


def snp_certificates(table):
    """What follows a report: GUID, offset and length of each, then zeros."""
    at = 0
    while any(table[at : at + 24]):
        guid = table[at : at + 16].hex()
        guid = "-".join((guid[:8], guid[8:12], guid[12:16], guid[16:20], guid[20:]))
        offset, length = struct.unpack_from("<II", table, at + 16)
        kind = TABLE.get(guid)
        if kind:
            yield {"cert_type": kind, "data": list(table[offset : offset + length])}
        at += 24


def snp_json(extended):
    """The structure of the firmware's report, once more."""
    r = extended[:1184]

    def number(at, n):
        return int.from_bytes(r[at : at + n], "little")

    def part(at, n):
        return list(r[at : at + n])

    def tcb(at):
        t = r[at : at + 8]
        return {"fmc": None, "bootloader": t[0], "tee": t[1], "snp": t[6], "microcode": t[7]}

    def version(at):
        return {"major": r[at + 2], "minor": r[at + 1], "build": r[at]}

    report = {
        **{n: number(at, size) for n, at, size in (
            ("version", 0, 4), ("guest_svn", 4, 4), ("policy", 8, 8), ("vmpl", 0x30, 4),
            ("sig_algo", 0x34, 4), ("plat_info", 0x40, 8), ("key_info", 0x48, 4),
            ("cpuid_fam_id", 0x188, 1), ("cpuid_mod_id", 0x189, 1), ("cpuid_step", 0x18A, 1),
        )},
        **{n: part(at, size) for n, at, size in (
            ("family_id", 0x10, 16), ("image_id", 0x20, 16), ("report_data", 0x50, 64),
            ("measurement", 0x90, 48), ("host_data", 0xC0, 32), ("id_key_digest", 0xE0, 48),
            ("author_key_digest", 0x110, 48), ("report_id", 0x140, 32),
            ("report_id_ma", 0x160, 32), ("chip_id", 0x1A0, 64),
        )},
        **{n: tcb(at) for n, at in (
            ("current_tcb", 0x38), ("reported_tcb", 0x180), ("committed_tcb", 0x1E0),
            ("launch_tcb", 0x1F0),
        )},
        "current": version(0x1E8),
        "committed": version(0x1EC),
        "signature": {"r": part(0x2A0, 72), "s": part(0x2E8, 72)},
    }
    return {"attestation_report": report, "cert_chain": list(snp_certificates(extended[1184:]))}


# kind of make-evidence: the session's TEE, the evidence as the attester sends it
def tdx_json(raw):
    return {"cc_eventlog": None, "quote": b64(raw)}


KINDS = {
    "tdx4": ("tdx", tdx_json),
    "tdx5": ("tdx", tdx_json),
    "az-tdx": ("az-tdx-vtpm", json.loads),
    "milan": ("snp", snp_json),
    "genoa-vlek": ("snp", snp_json),
    # as an agent of a node that is a guest has it from its kernel
    "genoa": ("snp", lambda raw: {"evidence": b64(raw)}),
}


def identity(kind, raw):
    """What this guest is, as a profile lists it."""
    if kind in ("milan", "genoa", "genoa-vlek"):
        return {"snp": {"measurement": raw[0x90:0xC0].hex(), "initData": "Casemate"}}
    if kind == "az-tdx":
        text = json.loads(raw)["td_quote"]
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    body = raw[48 + (6 if raw[0] == 5 else 0) :]
    registers = {str(i): body[328 + 48 * i : 376 + 48 * i].hex() for i in (1, 2)}
    return {"tdx": {"mrtd": body[136:184].hex(), "rtmrs": registers, "initData": "Casemate"}}


def make_evidence(folder, kind, *args):
    place = os.path.join(folder, "evidence-" + kind)
    os.makedirs(place, exist_ok=True)
    subprocess.run([MAKE_EVIDENCE, kind, place, *args], check=True, capture_output=True, cwd=ROOT)
    with open(os.path.join(place, "evidence.bin"), "rb") as f:
        return place, f.read()


def profile_of(kind, raw):
    """Of one container whose image and command are listed."""
    return {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "EnclaveProfile",
        "metadata": {"name": "guest", "namespace": "default"},
        "spec": {
            "tee": "snp" if "snp" in identity(kind, raw) else "tdx",
            "workload": {
                "containers": [
                    {
                        "name": "app",
                        "imageDigests": [IMAGE.split("@")[1]],
                        "command": ["app", "it's", "'''"],
                    }
                ]
            },
            "identities": [{"name": "vm", **identity(kind, raw)}],
            "keys": [
                {
                    "name": "one",
                    "type": "raw",
                    "deliver": {"env": "SECRET_KEY"},
                    "grant": {"evidenceOnly": True},
                }
            ],
        },
    }


def reviewed(folder, config, profile):
    """The pod as admission makes it; the text of its init-data."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "annotations": {"casemate.dev/profile": "guest"}},
        "spec": {"containers": [{"name": "app", "image": IMAGE, "command": ["app", "it's", "'''"]}]},
    }
    objects = {"pod.yaml": pod, "profile.yaml": profile}
    paths = [write(folder, name, o) for name, o in objects.items()]
    code, out, err = command("review", "--config", config, paths[1], paths[0])
    check("the pod is reviewed", code == 0, err)
    made = next(o for o in yaml.safe_load_all(out) if o and o["kind"] == "Pod")
    packed = made["metadata"]["annotations"].get(ANNOTATION)
    check("it has init-data", packed, (out, err))
    return made, gzip.decompress(base64.b64decode(packed))


def attest(client, folder, kind, init_data=None, tell=None, tee=None):
    """The handshake with evidence that was made for it."""
    status, challenge = client.auth(tee or KINDS[kind][0])
    check_equal(f"{kind}: a challenge", status, 200)
    nonce = challenge["nonce"]
    bound = json.dumps(
        {"additional-evidence": "", "nonce": nonce, "tee-pubkey": JWK},
        sort_keys=True,
        separators=(",", ":"),
    )
    args = [hashlib.sha384(bound.encode()).hexdigest() + "00" * 16, str(int(time.time()))]
    args += [init_data] if init_data else []
    _, raw = make_evidence(folder, kind, *args)
    body = {
        "init-data": {"format": "toml", "body": tell} if tell else None,
        "runtime-data": {"nonce": nonce, "tee-pubkey": JWK},
        "tee-evidence": {"primary_evidence": KINDS[kind][1](raw), "additional_evidence": ""},
    }
    return client.send("POST", "/kbs/v0/attest", body)


def start(folder, stack, kind):
    """A broker that trusts this vendor, and what it was told."""
    place, raw = make_evidence(folder, kind, "00" * 64, str(int(time.time())))
    with open(os.path.join(place, "root.pem"), encoding="ascii") as f:
        root = f.read()
    ca = make_ca(folder, "ca")
    with open(ca[0], encoding="ascii") as f:
        guests = {"kbsUrl": URL, "kbsCa": f.read()}
    collateral = [os.path.join(place, name) for name in ("collateral.json", "crl.der")]
    profile = profile_of(kind, raw)
    review = write(folder, "review.yaml", {"guests": guests})
    broker = {"policy": {"trustedRoots": [root]}, "collateral": [c for c in collateral if os.path.exists(c)]}
    os.makedirs(os.path.join(folder, "profiles"), exist_ok=True)
    write(os.path.join(folder, "profiles"), "guest.yaml", profile)
    started = Broker(folder, stack, config={"guests": guests, "broker": broker}, ca=ca)
    started.put("default", "guest", "one", SECRET)
    return started, review, profile


def guest(folder, stack, kind):
    broker, review, profile = start(folder, stack, kind)
    pod, text = reviewed(folder, review, profile)
    sealed = {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"]}["SECRET_KEY"]
    payload = sealed.split(".")[2]
    payload = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    check_equal(f"{kind}: the variable names the key", payload["name"], "kbs:///default/guest/one")
    code, out, _ = command("seal", "kbs:///default/guest/one")
    check_equal(f"{kind}: seal prints the same", (code, out), (0, sealed + "\n"))
    inside = tomllib.loads(text.decode())
    cdh = tomllib.loads(inside["data"]["cdh.toml"])
    check_equal(f"{kind}: the guest is told where the broker is", cdh["kbc"]["url"], URL)
    with open(broker.ca[0], encoding="ascii") as f:
        check_equal(f"{kind}: and whom to believe", cdh["kbc"]["kbs_cert"], f.read())
    digest = hashlib.sha256(text).hexdigest()
    client = Client(broker)
    for tell in (None, text.decode()):  # guests that say what they were given, and others
        status, answer = attest(client, folder, kind, digest, tell)
        check(f"{kind}: attested", status == 200, answer)
        status, answer = client.resource("default/guest/one")
        check(f"{kind}: has its key", status == 200 and "ciphertext" in answer, answer)
    check_equal(f"{kind}: the audit log says so", broker.audit()[-1]["reason"], "Ok")
    other = hashlib.sha256(text + b"\n").hexdigest()
    for name, init_data in (("other init-data", other), ("none", None)):
        client = Client(broker)
        status, answer = attest(client, folder, kind, init_data)
        check_equal(f"{kind}, {name}: genuine", status, 200)
        status, answer = client.resource("default/guest/one")
        check(f"{kind}, {name}: no key", status == 403 and "initData" in answer["detail"], answer)
    status, answer = attest(Client(broker), folder, kind, other, text.decode())
    check(f"{kind}: not what it was started with", status == 403 and "init-data" in answer["detail"], answer)
    wrong = "snp" if KINDS[kind][0] != "snp" else "tdx"
    status, answer = attest(Client(broker), folder, kind, digest, tee=wrong)
    check(f"{kind}: of another TEE than was asked for", status == 403, answer)


def test_guests_tdx(folder, stack):
    guest(folder, stack, "tdx5")


def test_guests_tdx_4(folder, stack):
    guest(folder, stack, "tdx4")


def test_guests_tdx_azure(folder, stack):
    guest(folder, stack, "az-tdx")


def test_guests_snp(folder, stack):
    guest(folder, stack, "milan")


def test_guests_snp_vlek(folder, stack):
    guest(folder, stack, "genoa-vlek")


def test_guests_snp_bytes(folder, stack):
    guest(folder, stack, "genoa")


def test_azure_snp_of_another_session(folder, stack):
    """Real evidence: the chain and both signatures are good, and it was made for another nonce."""
    chain = os.path.join(ROOT, "tests/vectors/amd-roots/ask_ark_milan.pem")
    broker = Broker(folder, stack, f"--broker-collateral={chain}")
    client = Client(broker)
    with open(os.path.join(ROOT, "tests/vectors/az-snp/evidence-v2.json"), encoding="utf-8") as f:
        evidence = json.load(f)
    for change, reason in (
        (lambda e: None, "ReportDataMismatch"),
        (lambda e: e["tpm_quote"].update(signature="00" * 256), "QuoteSignatureInvalid"),
    ):
        sent = json.loads(json.dumps(evidence))
        change(sent)
        nonce = client.auth("az-snp-vtpm")[1]["nonce"]
        status, answer = client.send("POST", "/kbs/v0/attest", {
            "init-data": None,
            "runtime-data": {"nonce": nonce, "tee-pubkey": JWK},
            "tee-evidence": {"primary_evidence": sent, "additional_evidence": ""},
        })
        check_equal("Azure's SNP is refused", (status, answer["reason"]), (403, reason))


def test_seal(folder, stack):
    key, public = os.path.join(folder, "key.pem"), os.path.join(folder, "public.pem")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("ec", "-in", key, "-pubout", "-out", public)
    code, plain, _ = command("seal", "--namespace=shop", "casemate://pay/k", "kbs:///shop/pay/k")
    check_equal("both names are the same key", (code, len(set(plain.split()))), (0, 1))
    code, out, err = command("seal", f"--sign-key={key}", "--signed-by=mine", "kbs:///shop/pay/k")
    prefix, header, payload, signature = out.strip().split(".")
    check_equal("signed: the same payload", (code, prefix, payload), (0, "sealed", plain.split(".")[2]))

    def decode(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    check_equal("who signed", json.loads(decode(header)), {"alg": "ES256", "kid": "mine"})
    raw = decode(signature)
    halves = [h.lstrip(b"\0") for h in (raw[:32], raw[32:])]
    halves = [b"\0" + h if h[0] & 0x80 else h for h in halves]
    body = b"".join(b"\2" + bytes([len(h)]) + h for h in halves)
    with open(os.path.join(folder, "signature"), "wb") as f:
        f.write(b"\x30" + bytes([len(body)]) + body)
    signed = write(folder, "signed", f"{header}.{payload}")
    openssl("dgst", "-sha256", "-verify", public, "-signature", f.name, signed)  # or it raises
    for args, want, part in (
        ((), 2, "which key"),
        (("casemate://pay/k",), 2, "casemate://"),
        (("shop/pay",), 2, "kbs:///NAMESPACE/PROFILE/KEY"),
        ((f"--sign-key={key}", "kbs:///shop/pay/k"), 2, "--signed-by"),
        ((f"--sign-key={public}", "--signed-by=a", "kbs:///shop/pay/k"), 1, "P-256"),
    ):
        code, out, err = command("seal", *args)
        check(f"seal {args}", code == want and part in err and not out, (code, err))


TESTS = [
    test_seal,
    test_guests_tdx,
    test_guests_tdx_4,
    test_guests_tdx_azure,
    test_guests_snp,
    test_guests_snp_vlek,
    test_guests_snp_bytes,
    test_azure_snp_of_another_session,
]
