# SPDX-License-Identifier: Apache-2.0
"""What keeps key-encryption keys, for tests: a Vault (fake_vault.py), a PKCS#11 token (SoftHSM's)."""

import glob
import os
import subprocess

import harness
from fake_vault import Vault
from harness import make_ca, make_cert

MODULE = next(iter(glob.glob("/usr/lib/*/softhsm/libsofthsm2.so") +
                   glob.glob("/usr/lib/softhsm/libsofthsm2.so")), None)
REFUSING = os.environ.get("REFUSING", os.path.join(harness.ROOT, "build/gcc/tests/integration/kek/refusing.so"))
PIN = "1234"


def write(path, text):
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
        f.write(text)
    return path


def new_vault(folder, stack, name="vault"):
    ca = make_ca(folder, name + "-ca")
    vault = Vault(ca[0], *make_cert(folder, name, ca))
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
