#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""outside.py JWKS ISSUER NAMESPACE ACCOUNT TOKEN-FILE...: the key broker outside of the cluster, from
files, which knows of the cluster only what the API server has at /openid/v1/jwks and the issuer's name.
A guest (sample evidence, which this broker takes) asks it for a key that is granted to that service
account, with each token. Prints for each the answer's status, reason and message, never a key. The
broker is the build's (CASEMATE_WEBHOOK names another). Exit code 0: all were answered."""

import contextlib
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # the checkout stays clean
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))

from harness import write  # noqa: E402
from kbs_broker import Broker, Client, profile, with_token  # noqa: E402


def ask(broker, namespace, token):
    client = Client(broker)
    status, answer = client.attest(with_token(token))
    if status == 200:
        status, answer = client.resource(f"{namespace}/outside/one")
    return status, answer


def main():
    jwks, issuer, namespace, account, *tokens = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="casemate-test-") as folder, contextlib.ExitStack() as stack:
        keys = os.path.join(folder, "jwks.json")
        shutil.copyfile(jwks, keys)
        broker = Broker(folder, stack, "--broker-allow-sample", f"--broker-tokens-jwks={keys}",
                        f"--broker-tokens-issuer={issuer}")
        key = {"name": "one", "type": "raw", "grant": {"serviceAccounts": [account]}}
        write(broker.profiles, "outside.yaml", profile("outside", "one", namespace, keys=[key]))
        broker.put(namespace, "outside", "one", os.urandom(16))
        broker.restart()
        for path in tokens:
            with open(path, encoding="ascii") as f:
                status, answer = ask(broker, namespace, f.read().strip())
            print(os.path.basename(path), status, answer.get("reason", ""), answer.get("detail", ""), flush=True)


main()
