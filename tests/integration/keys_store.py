# SPDX-License-Identifier: Apache-2.0
"""A folder of stored keys for `casemate-webhook key`, beside a folder of profiles."""

import json
import os

from harness import check, check_equal, command

KEK_A = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
KEK_B = "HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4=\n"

PROFILE = """
apiVersion: casemate.dev/v1alpha1
kind: EnclaveProfile
metadata: {name: payments, namespace: shop, uid: UID}
spec:
  tee: tdx
  keys:
  - {name: db, type: password, size: 24, rotation: {keepVersions: 2}, grant: {serviceAccounts: [pay]}}
  - {name: blob, type: raw, grant: {serviceAccounts: [pay]}}
  - {name: layers, type: symmetric, size: 32, use: image}
"""


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class Store:
    """A folder of keys beside a folder of profiles."""

    def __init__(self, folder):
        self.keys = os.path.join(folder, "keys")
        self.kek = write(os.path.join(folder, "kek"), KEK_A)
        self.profiles = os.path.join(folder, "profiles")
        os.mkdir(self.profiles)
        self.profile("uid-1")

    def profile(self, uid):
        write(os.path.join(self.profiles, "p.yaml"), PROFILE.replace("UID", uid))

    def key(self, name, *args, profiles=True, **kwargs):
        where = ["--keys", self.keys, "--kek-file", self.kek]
        if profiles and name in ("import", "rotate", "restore"):
            where += ["--profiles-dir", self.profiles]
        return command("key", name, *where, *args, **kwargs)

    def list(self):
        done = self.key("list", "--json")
        check_equal("key list", done[0], 0)
        return {k["key"]: k for k in map(json.loads, done[1].splitlines())}


def refused(name, done, words, code=1):
    return check(name, done[0] == code and words in done[2], done)
