# SPDX-License-Identifier: Apache-2.0
"""An enclave of Gramine's, as the broker alone meets it: its certificate with a quote by a synthetic
Intel, and its secret provisioning."""

import hashlib
import os
import socket
import ssl
import struct
import subprocess
import time

import harness
from harness import check, check_equal, openssl, write
from kbs_broker import Broker, profile

MAKE_EVIDENCE = os.environ.get("MAKE_EVIDENCE", os.path.join(harness.ROOT, "build/gcc/tests/tee/make-evidence"))
REQUEST = b"SECRET_PROVISION_RA_TLS_REQUEST_V1\0"
RESPONSE = b"SECRET_PROVISION_RA_TLS_RESPONSE_V1:\0"
LEGACY, DICE = "1.2.840.113741.1337.6", "2.23.133.5.4.9"
SECONDS = 3  # that a connection may take


def sha256(data):
    return hashlib.sha256(data).digest()


def cbor_head(major, n):
    """Lengths as they come shortest."""
    if n < 24:
        return bytes([major << 5 | n])
    for code, size in ((24, 1), (25, 2), (26, 4)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | code]) + n.to_bytes(size, "big")
    raise ValueError(n)


def cbor_bytes(data):
    return cbor_head(2, len(data)) + data


class Enclave:
    """A key, and the certificate that vouches for it."""

    def __init__(self, folder, extensions=(LEGACY,), kind="sgx3", vouched=None, signed=True):
        self.folder = folder
        self.key, self.cert = os.path.join(folder, "ra.key"), os.path.join(folder, "ra.crt")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", self.key)
        spki = os.path.join(folder, "ra.pub")
        openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER", "-out", spki)
        with open(spki, "rb") as f:
            public = vouched or f.read()
        lines = ["basicConstraints=CA:FALSE", "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"]
        if LEGACY in extensions:
            lines.append(f"{LEGACY}=DER:{self.quote(kind, sha256(public)).hex()}")
        if DICE in extensions:
            claims = cbor_head(5, 1) + cbor_head(3, 11) + b"pubkey-hash"
            claims += cbor_bytes(cbor_head(4, 2) + cbor_head(0, 1) + cbor_bytes(sha256(public)))
            evidence = cbor_head(6, 60000) + cbor_head(4, 2)
            evidence += cbor_bytes(self.quote(kind, sha256(claims))) + cbor_bytes(claims)
            lines.append(f"{DICE}=DER:{evidence.hex()}")
        config = write(
            folder, "ra.cnf", "[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n" + "\n".join(lines) + "\n"
        )
        subject = "/C=US/O=GramineDevelopers/CN=RATLS"
        args = ["req", "-x509", "-new", "-sha256", "-days", "2", "-subj", subject, "-config", config]
        openssl(*args, "-set_serial", "1", "-key", self.key, "-out", self.cert)
        if not signed:
            self.sign_by_another(config, subject)

    def sign_by_another(self, config, subject):
        """The same certificate by somebody else's key."""
        other, csr = os.path.join(self.folder, "other.key"), os.path.join(self.folder, "ra.csr")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", other)
        ca = os.path.join(self.folder, "other.crt")
        openssl("req", "-x509", "-new", "-days", "2", "-subj", subject, "-config", config, "-key", other, "-out", ca)
        openssl("req", "-new", "-subj", subject, "-config", config, "-key", self.key, "-out", csr)
        args = ["x509", "-req", "-in", csr, "-CA", ca, "-CAkey", other, "-set_serial", "1", "-days", "2"]
        openssl(*args, "-extfile", config, "-extensions", "ext", "-out", self.cert)

    def quote(self, kind, hashed):
        args = [MAKE_EVIDENCE, kind, self.folder, (hashed + bytes(32)).hex(), str(int(time.time()))]
        subprocess.run(args, check=True, capture_output=True, cwd=harness.ROOT)
        with open(os.path.join(self.folder, "evidence.bin"), "rb") as f:
            self.evidence = f.read()
        self.mrenclave = self.evidence[112:144].hex()
        return self.evidence


def read_exactly(stream, n):
    data = b""
    while len(data) < n:
        more = stream.recv(n - len(data))
        if not more:
            raise ConnectionError(f"the end after {len(data)} of {n} bytes")
        data += more
    return data


def subfolder(folder, name):
    path = os.path.join(folder, name)
    os.makedirs(path)
    return path


class World:
    """A broker that believes the synthetic Intel."""

    def __init__(self, folder, stack, profiles, policy=None, flags=(), limits=None):
        self.enclave = Enclave(folder, (LEGACY, DICE))
        guest = Enclave(subfolder(folder, "guest"), kind="tdx4")
        self.port = harness.free_port()
        with open(os.path.join(folder, "root.pem"), encoding="ascii") as f:
            root = f.read()
        config = {
            "broker": {
                "collateral": [os.path.join(e.folder, "collateral.json") for e in (self.enclave, guest)],
                "policy": {"trustedRoots": [root], **(policy or {})},
                "provision": {"listen": f"127.0.0.1:{self.port}"},
            },
            "limits": limits or {"requestTimeout": f"{SECONDS}s"},
        }
        os.makedirs(os.path.join(folder, "profiles"))
        for i, (name, identity, key, spec) in enumerate(profiles):
            identity = {"mrenclave": self.enclave.mrenclave, **identity}
            document = profile(
                name, key["name"], keys=[key], identities=[{"name": "release", "sgx": identity}], **spec
            )
            write(os.path.join(folder, "profiles"), f"world{i}.yaml", document)
        self.broker = Broker(folder, stack, *flags, config=config)

    def connect(self, enclave=None, version=None):
        context = ssl.create_default_context(cafile=self.broker.ca[0])
        if enclave:
            context.load_cert_chain(enclave.cert, enclave.key)
        if version:
            context.minimum_version = context.maximum_version = version
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    def ask(self, enclave=None, version=None):
        """The secret; None if the connection ends without one."""
        try:
            with self.connect(enclave or self.enclave, version) as stream:
                stream.sendall(REQUEST)
                got = read_exactly(stream, len(RESPONSE))
                if got != RESPONSE:
                    raise ValueError(got)
                return read_exactly(stream, struct.unpack(">I", read_exactly(stream, 4))[0])
        except OSError:
            return None

    def count(self, verdict, reason):
        labels = f'protocol="gramine",verdict="{verdict}",reason="{reason}"'
        return self.broker.metric(f"casemate_webhook_key_releases_total{{{labels}}}") or 0

    def connections(self, result):
        return self.broker.metric(f'casemate_webhook_provision_connections_total{{result="{result}"}}')

    def refused(self, name, reason, says, enclave=None, audited=True):
        """No secret, and why not in the metric, the log, and where the evidence is genuine the audit log."""
        before, lines = self.count("refused", reason), len(self.lines())
        check_equal(f"{name}: no secret", self.ask(enclave), None)
        check(f"{name}: counted", self.count("refused", reason) == before + 1)
        check(f"{name}: logged", says in self.broker.log(), self.broker.log()[-800:])
        new = self.lines()[lines:]
        if not audited:
            check_equal(f"{name}: who proved nothing leaves no line", new, [])
            return
        check_equal(f"{name}: a line", [line.get("reason") for line in new], [reason])
        check(f"{name}: it says why", new and says in new[0].get("message", ""), str(new))

    def lines(self):
        return [line for line in self.broker.audit() if line.get("protocol") == "gramine"]
