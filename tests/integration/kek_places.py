# SPDX-License-Identifier: Apache-2.0
"""What keeps key-encryption keys, for tests: a Vault (fake_vault.py, or the real one's server that
$VAULT names), a PKCS#11 token (SoftHSM's); and what they are kept for, a folder of keys."""

import glob
import json
import os
import subprocess

import harness
from fake_vault import Vault
from harness import check, command, make_ca, make_cert
from real_vault import RealVault

MODULE = next(iter(glob.glob("/usr/lib/*/softhsm/libsofthsm2.so") +
                   glob.glob("/usr/lib/softhsm/libsofthsm2.so")), None)
REFUSING = os.environ.get("REFUSING", os.path.join(harness.ROOT, "build/gcc/tests/integration/kek/refusing.so"))
PIN = "1234"
KEK = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def write(path, text):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
        f.write(text)
    return path


class Store:
    """A folder of keys."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = os.path.join(folder, "keys")
        self.kek = write(os.path.join(folder, "kek"), KEK)
        self.file = [f"--kek-file={self.kek}"]

    def key(self, name, kek, *args, **kwargs):
        return command("key", name, "--keys", self.keys, *kek, *args, **kwargs)

    def put(self, kek, name="db", stdin="a key", **kwargs):
        return self.key("import", kek, "--from", "-", "shop/payments", name, stdin=stdin, **kwargs)

    def list(self, kek):
        done = self.key("list", kek, "--json")
        return [json.loads(line) for line in done[1].splitlines()] if done[0] == 0 else done[2]

    def lines(self):
        with open(os.path.join(self.keys, "wrapped.keks"), encoding="utf-8") as f:
            return [line.split(" ", 3) for line in f.read().splitlines()[1:]]


def refused(name, done, words, code=1):
    return check(name, done[0] == code and words in done[2], done)


def new_vault(folder, stack, name="vault"):
    ca = make_ca(folder, name + "-ca")
    cert = make_cert(folder, name, ca)
    if os.environ.get("VAULT"):
        vault = RealVault(os.environ["VAULT"], os.path.join(folder, name), ca[0], *cert)
        stack.callback(vault.close)
    else:
        vault = Vault(ca[0], *cert)
        stack.callback(vault.end)
    vault.create_key("casemate")
    return vault


def refusing(function, code):
    """The environment in which the module REFUSING is SoftHSM's, and that function of it refuses."""
    return {"SOFTHSM_MODULE": MODULE, "REFUSE": f"{function} {code:#x}"}


class Token:
    """A SoftHSM token with one AES key."""

    def __init__(self, folder, pin=PIN):
        self.pin = pin
        self.pin_file = write(os.path.join(folder, "pin"), pin + "\n")
        self.folder = os.path.join(folder, "tokens")
        os.mkdir(self.folder)
        self.conf = write(os.path.join(folder, "softhsm2.conf"),
                          f"directories.tokendir = {self.folder}\nobjectstore.backend = file\n")
        os.environ["SOFTHSM2_CONF"] = harness.ENVIRONMENT["SOFTHSM2_CONF"] = self.conf
        self.run("softhsm2-util", "--init-token", "--free", "--label", "casemate",
                 "--so-pin", "12345678", "--pin", pin)
        self.make_key("kek")

    def run(self, *args):
        subprocess.run(args, check=True, capture_output=True)

    def make_key(self, label):
        self.run("pkcs11-tool", "--module", MODULE, "--token-label", "casemate", "--login",
                 "--pin", self.pin, "--keygen", "--key-type", "aes:32", "--label", label)

    def make_pair(self, label, kind="rsa:2048", usage=("decrypt", "sign"), mechanisms=""):
        self.run("pkcs11-tool", "--module", MODULE, "--token-label", "casemate", "--login",
                 "--pin", self.pin, "--keypairgen", "--key-type", kind, "--label", label,
                 *(f"--usage-{u}" for u in usage),
                 *([f"--allowed-mechanisms={mechanisms}"] if mechanisms else []))

    def flags(self, prefix="--kek-", **change):
        values = {"module": MODULE, "token": "casemate", "key": "kek", "pin-file": self.pin_file}
        values.update(change)
        return [f"{prefix}pkcs11-{k}={v}" for k, v in values.items()]


def vault_flags(vault, token_file, prefix="--kek-", key="casemate"):
    return [f"{prefix}vault-address={vault.address}", f"{prefix}vault-key={key}",
            f"{prefix}vault-ca-file={vault.ca}", f"{prefix}vault-token-file={token_file}"]
