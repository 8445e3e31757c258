#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services like Intel's PCS and PCCS and AMD's KDS in one, which answer with what they are given.

vendors.py --listen ADDRESS:PORT --tls CERTIFICATE KEY [--intel FILE TEE CA]... [--amd FOLDER PRODUCT]...

FILE: collateral as one JSON, of an SGX or TDX platform whose PCK certificate is of the CA (processor or
platform). FOLDER: of tests/tee/make_evidence.c. Prints each path that it is asked for. MAKE_EVIDENCE names
that program."""

import argparse
import json
import os
import ssl
import struct
import subprocess
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAKE_EVIDENCE = os.path.abspath(
    os.environ.get("MAKE_EVIDENCE", os.path.join(ROOT, "build/gcc/tests/tee/make-evidence"))
)


class Set:
    """What is published of a platform."""

    def __init__(self, path, tee, ca):
        with open(path, encoding="utf-8") as f:
            self.what = json.load(f)
        self.tee, self.ca = tee, ca
        self.fmspc = json.loads(self.what["tcb_info"])["fmspc"].upper()


class Service(BaseHTTPRequestHandler):
    """PCS, PCCS and KDS at once. server.faults: path -> list of answers that come first, each
    (status, headers) or None for a connection that is lost."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.server.asked.append(self.path)
        self.server.tell(self.path)
        faults = self.server.faults.get(url.path)
        if faults:
            fault = faults.pop(0)
            if fault is None:
                self.close_connection = True
                self.connection.close()
                return
            self.answer(fault[0], b"no", fault[1])
            return
        found = self.find(url.path, dict(urllib.parse.parse_qsl(url.query)))
        if found is None:
            self.answer(404, b"no data")
        else:
            self.answer(200, *found)

    def find(self, path, query):
        if path in self.server.files:
            return (self.server.files[path],)
        if path == "/IntelSGXRootCA.der":
            return (bytes.fromhex(self.server.sets[0].what["root_ca_crl"]),)
        if path == "/sgx/certification/v4/rootcacrl":  # a PCCS answers with digits
            return (self.server.sets[0].what["root_ca_crl"].encode(),)
        if path == "/sgx/certification/v4/pckcrl":
            return self.of(lambda s: s.ca == query["ca"], self.pck_crl)
        tee = path.split("/")[1]
        if path == f"/{tee}/certification/v4/qe/identity":
            return self.of(lambda s: s.tee == tee, self.qe_identity)
        if path == f"/{tee}/certification/v4/tcb":
            fmspc = query["fmspc"].upper()
            return self.of(lambda s: s.tee == tee and s.fmspc == fmspc, self.tcb_info)
        return None

    def of(self, fits, answer):
        """Of the first set that fits."""
        return next((answer(s.what) for s in self.server.sets if fits(s)), None)

    def pck_crl(self, what):
        chain = urllib.parse.quote(what["pck_crl_issuer_chain"])
        return bytes.fromhex(what["pck_crl"]), {"SGX-PCK-CRL-Issuer-Chain": chain}

    def qe_identity(self, what):
        return self.signed(what, "qe_identity", "enclaveIdentity", "SGX-Enclave-Identity-Issuer-Chain")

    def tcb_info(self, what):
        # HTTP/2 makes names small
        return self.signed(what, "tcb_info", "tcbInfo", "tcb-info-issuer-chain")

    def signed(self, what, member, name, header):
        signature = what[member + "_signature"]
        body = f'{{"{name}":{what[member]},"signature":"{signature}"}}'
        if self.server.tamper:
            body = body.replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":18')
        return body.encode(), {header: urllib.parse.quote(what[member + "_issuer_chain"])}

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


GUIDS = {
    "vcek": "63da758d-e664-4564-adc5-f4b93be8accd",
    "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
}


def start(address, sets, tls=None):
    """A server in a thread of its own. See Service for what may be set."""
    server = ThreadingHTTPServer(address, Service)
    server.sets, server.asked, server.faults, server.files = sets, [], {}, {}
    server.tamper, server.tell = False, lambda path: None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    server.thread.start()
    return server


def read_amd(folder):
    """A chip that make-evidence made: report, and its certificates by name."""
    with open(os.path.join(folder, "evidence.bin"), "rb") as f:
        evidence = f.read()
    report, table, found = evidence[:1184], evidence[1184:], {}
    for at in range(0, len(table), 24):
        guid, offset, length = table[at : at + 16], *struct.unpack("<II", table[at + 16 : at + 24])
        if guid == bytes(16):
            break
        for name, text in GUIDS.items():
            if guid == uuid.UUID(text).bytes:
                found[name] = table[offset : offset + length]
    return report, found


def make_amd(folder, kind):
    """A synthetic chip: time, report, and its certificates by name."""
    args = [MAKE_EVIDENCE, kind, folder]
    time = subprocess.run(args, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return int(time), *read_amd(folder)


def kds_files(folder, product, report, found):
    """What a KDS says of the chip, by path."""
    with open(os.path.join(folder, "root.pem"), "rb") as f:
        chain = ssl.DER_cert_to_PEM_cert(found["ask"]).encode() + f.read()
    with open(os.path.join(folder, "crl.der"), "rb") as f:
        crl = f.read()
    base = f"/vcek/v1/{product}/"
    chip = report[0x1A0:0x1E0].hex()
    return {base + "cert_chain": chain, base + "crl": crl, base + chip: found["vcek"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--tls", required=True, nargs=2)
    parser.add_argument("--intel", nargs=3, action="append", default=[])
    parser.add_argument("--amd", nargs=2, action="append", default=[])
    args = parser.parse_args()
    host, _, port = args.listen.rpartition(":")
    server = start((host, int(port)), [Set(*each) for each in args.intel], args.tls)
    for folder, product in args.amd:
        server.files.update(kds_files(folder, product, *read_amd(folder)))
    server.tell = lambda path: print(path, flush=True)
    server.thread.join()


if __name__ == "__main__":
    main()
