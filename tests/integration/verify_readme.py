# SPDX-License-Identifier: Apache-2.0
"""What the README says about `verify` is what it does. Run by itself this file writes the README's
table of reasons anew from common/tee/reason.h."""

import json
import os
import re
import shlex

from harness import ROOT, check, check_equal, write
from verify_case import run, vector, verify
from verify_vectors import SGX

README = os.path.join(ROOT, "README.md")
TABLE = re.compile(r"(<!-- reasons:[^>]*-->\n)(.*?)(<!-- /reasons -->)", re.S)
# Those of admission and of evidence alike.
SHARED = ("Malformed", "SimulatedNotAllowed")


def read_readme():
    with open(README, encoding="utf-8") as f:
        return f.read()


def section():
    text = read_readme()
    return re.search(r"^## Verify evidence.*?(?=^## )", text, re.S | re.M).group(0)


def block(language):
    return re.search(rf"^```{language}\n(.*?)^```", section(), re.S | re.M).group(1)


def reasons():
    """[name, explanation, remedy] of each, as the compiler sees them."""
    with open(os.path.join(ROOT, "common/tee/reason.h"), encoding="utf-8") as f:
        text = re.sub(r"\\\n", "\n", f.read())
    of_evidence = text.index("/* of evidence: the platform */")
    string = r'("(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*)'
    rows = []
    for m in re.finditer(rf"^\tX\((\w+),\s*{string},\s*{string}\)", text, re.M):
        if m.start() > of_evidence or m.group(1) in SHARED:
            rows.append([m.group(1)] + [re.sub(r'"\s*"|^"|"$', "", s) for s in m.groups()[1:]])
    return rows


def table():
    rows = "".join(f"| `{name}` | {means} | {do} |\n" for name, means, do in reasons())
    return "| reason | meaning | what to do |\n|---|---|---|\n" + rows


def test_reasons(_folder, _stack):
    got = TABLE.search(read_readme())
    check("the reasons are found", len(reasons()) > 50, reasons())
    check_equal(
        "the table of reasons (python3 tests/integration/verify_readme.py writes it)",
        got and got.group(2).strip(),
        table().strip(),
    )


def lies_in(part, whole):
    """Is part what whole says, as far as it goes? Members in the same order."""
    if not isinstance(part, dict):
        return part == whole
    order = [k for k in whole if k in part]
    return list(part) == order and all(lies_in(v, whole[k]) for k, v in part.items())


def test_example(_folder, _stack):
    """The command as printed gives the answer as printed; of the claims some are left out."""
    words = shlex.split(block("sh").replace("\\\n", " "))
    args = [os.path.join(ROOT, w) if w.startswith("tests/") else w for w in words[2:]]
    code, out, err = run(*args)
    check("the example is accepted", (code, err) == (0, ""), err)
    got, want = json.loads(out), json.loads(block("json"))
    check("the example's answer", lies_in(want, got), out)
    check_equal("all members are shown", list(want), list(got))
    check_equal("and all of the TCB", want["tcb"], got["tcb"])


def test_policy(folder, _stack):
    """The policy is one, and accepts what it was written for."""
    path = write(folder, "policy.yaml", block("yaml"))
    doc = verify(vector("dcap-qvl/sgx_quote"), SGX, policy=path)
    check_equal("the policy", (doc["verdict"], doc["message"]), ("accepted", ""))


TESTS = [test_reasons, test_example, test_policy]

if __name__ == "__main__":
    old = read_readme()
    with open(README, "w", encoding="utf-8") as readme:
        readme.write(TABLE.sub(lambda m: m.group(1) + table() + m.group(3), old))
