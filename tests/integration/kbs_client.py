# SPDX-License-Identifier: Apache-2.0
"""The real client of Confidential Containers against the key broker."""

import base64
import os
import subprocess

import harness
from harness import check, check_equal, openssl
from kbs_broker import SECRET, Broker

CLIENT = os.environ.get(
    "KBS_CLIENT", os.path.join(os.path.dirname(harness.ROOT), "shared/clients/kbs-client")
)
if not os.path.exists(CLIENT):  # a worktree lies one folder deeper
    CLIENT = os.path.join(os.path.dirname(os.path.dirname(harness.ROOT)), "shared/clients/kbs-client")


def run(broker, *args):
    return subprocess.run(
        [CLIENT, "--url", f"https://127.0.0.1:{broker.port}", "--cert-file", broker.ca[0], *args],
        capture_output=True,
        timeout=120,
        check=False,
    )


def resource(broker, path, *args):
    """What the client decrypts, which it prints as base64; or what it says."""
    done = run(broker, "get-resource", "--path", path, *args)
    if done.returncode != 0:
        return (done.stdout + done.stderr).decode()
    return base64.b64decode(done.stdout.strip())


def test_real_client(folder, stack):
    """With a key of its own on P-256, and with RSA."""
    if not os.path.exists(CLIENT):
        print(f"SKIPPED: the real kbs-client is not there ({CLIENT}; KBS_CLIENT names another)")
        return
    broker = Broker(folder, stack, "--broker-allow-sample")
    done = run(broker, "attest")
    check("kbs-client attests", done.returncode == 0 and done.stdout.count(b".") == 2, done)
    check_equal("kbs-client gets a key", resource(broker, "default/key/one"), SECRET)
    rsa = os.path.join(folder, "rsa.pem")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa)
    got = resource(broker, "default/key/one", "--tee-key-file", rsa)
    # It unwraps by SHA-1 what both call RSA-OAEP-256; Trustee's own answer in
    # tests/vectors/kbs/released-rsa.json it cannot open either.
    check("kbs-client takes RSA-OAEP-256 for SHA-1's", "oaep decoding error" in str(got), got)


def test_real_client_rsa(folder, stack):
    if not os.path.exists(CLIENT):
        return
    broker = Broker(folder, stack, "--broker-allow-sample", "--broker-rsa-oaep-sha1")
    rsa = os.path.join(folder, "rsa.pem")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa)
    got = resource(broker, "default/key/one", "--tee-key-file", rsa)
    check_equal("kbs-client gets a key by RSA", got, SECRET)
    # passport mode: the token of one run is presented by another
    done = run(broker, "attest", "--tee-key-file", rsa)
    token = harness.write(folder, "token", done.stdout.decode().strip())
    args = ("--tee-key-file", rsa, "--attestation-token", token)
    check_equal("kbs-client's token is good", resource(broker, "default/key/one", *args), SECRET)
    got = resource(broker, "default/nothing/one")
    check("kbs-client learns that a key is missing", isinstance(got, str), got)
    got = resource(broker, "default/account/one")
    check("kbs-client is refused what needs a token", isinstance(got, str), got)


def test_real_client_refused(folder, stack):
    if not os.path.exists(CLIENT):
        return
    broker = Broker(folder, stack)
    got = resource(broker, "default/key/one")
    check("sample evidence gets nothing by default", isinstance(got, str), got)


TESTS = [test_real_client, test_real_client_rsa, test_real_client_refused]
