#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stub.py ADDRESS PORT CERTIFICATE KEY LOG: an admission webhook that allows everything, changes nothing
and writes a line for each review: PATH OPERATION RESOURCE[/SUBRESOURCE] NAMESPACE/NAME."""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        resource = "/".join(filter(None, (request["resource"]["resource"], request.get("subResource"))))
        name = request.get("name") or request["object"]["metadata"].get("generateName", "")
        with self.server.lock, open(self.server.log, "a", encoding="utf-8") as log:
            print(self.path.split("/hint/")[0], request["operation"], resource, f"{request['namespace']}/{name}", file=log)
        body = json.dumps({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": request["uid"], "allowed": True},
        }).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    address, port, certificate, key, log = sys.argv[1:]
    server = ThreadingHTTPServer((address, int(port)), Handler)
    server.lock = threading.Lock()
    server.log = log
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


main()
