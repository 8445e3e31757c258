# SPDX-License-Identifier: Apache-2.0
"""YAML as kubectl reads it, what review refuses and how it says so."""

import json
import os

from harness import LABELS, SGX_ASKS, SGX_POD, check, check_equal, command, pod_of, write
from manifests import dump, reviewed, workload


def test_scalars(_, __):
    """As kubectl reads them (sigs.k8s.io/yaml: YAML 1.1, no base 60, dates are strings)."""
    rows = (
        ("yes", True),
        ("Yes", True),
        ("no", False),
        ("on", True),
        ("OFF", False),
        ("y", True),
        ("N", False),
        ("true", True),
        ("'yes'", "yes"),
        ('"on"', "on"),
        ("yEs", "yEs"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'~'", "~"),
        ("0o17", 15),
        ("017", 15),
        ("09", 9),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("+1", 1),
        ("-7", -7),
        ("1e3", 1000),
        ("1.5e-1", 0.15),
        (".5", 0.5),
        ("1.", 1),
        ("1:30", "1:30"),
        ("12:30:00", "12:30:00"),
        ("2001-01-01", "2001-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("18446744073709551615", 18446744073709551615),
        ("64Mi", "64Mi"),
        ("1.2.3", "1.2.3"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("a b", "a b"),
        ("=", "="),
        ("|-\n  a\n  b", "a\nb"),
        (">-\n  a\n  b", "a b"),
    )
    for text, want in rows:
        out, _ = reviewed(f"kind: ConfigMap\nv: {text}\n", "--output", "json")
        got = json.loads(out)["v"]
        check(
            f"{text!r} is {want!r}",
            got == want and isinstance(got, bool) == isinstance(want, bool),
            out,
        )
        out, _ = reviewed(f"kind: ConfigMap\nv: {text}\n")
        again, _ = reviewed(out, "--output", "json")
        check(
            f"{text!r} written as YAML is read back as the same",
            json.loads(again)["v"] == want,
            out,
        )
    for text in (".inf", ".nan", "-.Inf"):
        code, out, err = command("review", "-", stdin=f"kind: ConfigMap\nv: {text}\n")
        check(
            f"{text} is no JSON: refused",
            code == 1 and not out and err.startswith("stdin:2:4: "),
            (code, out, err),
        )
    out, _ = reviewed("kind: X\na: &a {p: 1, q: 2}\nb: {<<: *a, q: 3}\nc: *a\n", "--output", "json")
    check_equal(
        "anchors and merges are expanded",
        json.loads(out),
        {"kind": "X", "a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": {"p": 1, "q": 2}},
    )
    out, _ = reviewed("kind: X\nyes: 1\n017: 2\n1.5: 3\n", "--output", "json")
    check_equal("keys become strings", json.loads(out), {"kind": "X", "true": 1, "15": 2, "1.5": 3})


# refusals


def bomb(n, width):
    lines = ["kind: Pod", "a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, n)]
    return "\n".join(lines) + "\n"


def merges(n):
    lines = ["kind: Pod", "a0: &a0 {k: v}"]
    lines += [
        f"a{i}: &a{i} {{<<: [{', '.join(['*a' + str(i - 1)] * 9)}], k{i}: v}}" for i in range(1, n)
    ]
    return "\n".join(lines) + "\n"


def test_hostile_yaml(folder, _):
    good = dump(SGX_POD)
    rows = (
        ("a duplicate key", "kind: Pod\nmetadata: {}\nmetadata: {}\n", ":3:1: ", "metadata"),
        (
            "a duplicate key, spelled in two ways",
            "kind: Pod\nspec:\n  a: 1\n  'a': 2\n",
            ":4:3: ",
            "a",
        ),
        (
            "a duplicate key in JSON",
            '{"kind": "Pod",\n "spec": {"a": 1, "\\u0061": 2}}',
            ":2:19: ",
            "a",
        ),
        ("keys that become the same", "kind: Pod\n1: a\n'1': b\n", ":3:1: ", "1"),
        ("an alias bomb", bomb(10, 10), ":", "alias"),
        ("merges without bound", merges(12), ":", ""),
        ("a recursive alias", "kind: Pod\na: &a\n  b: *a\n", ":3:6: ", "alias"),
        ("an alias of nothing", "kind: Pod\na: *b\n", ":2:4: ", "b"),
        ("nesting of 10,000", "kind: Pod\na: " + "[" * 10000 + "]" * 10000, ":2:", "deep"),
        ("a key that is a list", "kind: Pod\n? [a]\n: b\n", ":2:3: ", "key"),
        ("a merge of a scalar", "kind: Pod\na: {<<: b}\n", ":2:", ""),
        ("a tab for indentation", "kind: Pod\nspec:\n\ta: b\n", ":3:", ""),
        ("an open bracket", "kind: Pod\na: [1, 2\n", ":", ""),
        ("a later document that is broken", good + "---\nkind: [\n", ":15:", ""),
    )
    for name, text, where, says in rows:
        path = write(folder, "bad.yaml", text)
        code, out, err = command("review", path)
        check(
            f"{name} is refused, saying where",
            code == 1
            and not out
            and err.startswith(path + where)
            and says in err
            and err.count("\n") == 1
            and len(err) < 600,
            (code, out[:200], err[:600]),
        )
    path = os.path.join(folder, "bytes.yaml")
    for name, text in (
        ("invalid UTF-8", b"kind: Pod\na: \xff\n"),
        ("a NUL", b"kind: Pod\na: \x00\n"),
        ("UTF-16", "kind: Pod\n".encode("utf-16")),
        ("a program", b"\x7fELF\x02\x01\x01\x00\x00"),
    ):
        with open(path, "wb") as f:
            f.write(text)
        code, out, err = command("review", path)
        check(
            f"{name} is refused",
            code == 1 and not out and err.startswith(path),
            (code, out[:200], err[:300]),
        )


def test_refusals(folder, _):
    missing = pod_of({"casemate.dev/tee": "sgx"})
    rows = (
        ("no EPC", missing, "EpcMissing", "casemate.dev/epc"),
        ("an unknown TEE", pod_of({"casemate.dev/tee": "sev"}), "TeeUnknown", "snp"),
        ("an unknown profile", pod_of({"casemate.dev/profile": "x"}), "ProfileNotFound", "x"),
        (
            "an unknown container",
            pod_of({**SGX_ASKS, "casemate.dev/containers": "db"}),
            "ContainerUnknown",
            "db",
        ),
        (
            "a conflicting selector",
            pod_of(SGX_ASKS, nodeSelector={LABELS + "tee": "tdx"}),
            "NodeSelectorConflict",
            "tdx",
        ),
        (
            "a hostPath",
            pod_of(SGX_ASKS, volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
            "",
            "hostPath",
        ),
        (
            "a privileged container",
            pod_of(SGX_ASKS, {"name": "app", "securityContext": {"privileged": True}}),
            "",
            "privileged",
        ),
        ("the host's network", pod_of(SGX_ASKS, hostNetwork=True), "", "hostNetwork"),
        (
            "provision without permission",
            pod_of({**SGX_ASKS, "casemate.dev/quote": "in-process"}),
            "ProvisionNotAllowed",
            "quote",
        ),
    )
    for name, pod, reason, says in rows:
        first, second = dump(SGX_POD), dump(workload("Deployment", pod))
        path = write(folder, "m.yaml", first + "---\n" + second)
        line = first.count("\n") + 2
        code, out, err = command("review", path)
        check(f"{name}: nothing comes out, exit code 1", code == 1 and not out, (code, out))
        check(
            f"{name}: file, line, object, message and reason",
            err.startswith(f"{path}:{line}: Deployment shop/w: ")
            and says in err
            and err.rstrip().endswith(reason + ")")
            and err.count("\n") == 1,
            err,
        )
    path = write(folder, "two.yaml", dump(missing, pod_of({"casemate.dev/tee": "x"})))
    code, out, err = command("review", path)
    check(
        "each refused object is told",
        code == 1 and not out and "EpcMissing" in err and "TeeUnknown" in err,
        err,
    )
    path = write(
        folder,
        "list.yaml",
        "kind: List\nitems:\n- kind: ConfigMap\n"
        + "".join(
            ("- " if i == 0 else "  ") + line + "\n"
            for i, line in enumerate(dump(missing).splitlines())
        ),
    )
    code, out, err = command("review", path)
    check("in a List by its own line", code == 1 and err.startswith(f"{path}:4: Pod shop/p: "), err)
    for text in (
        '{"kind":"Pod"}',
        "kind: Deployment\nspec: {template: x}\n",
        "kind: CronJob\n",
        "kind: Pod\nspec: []\n",
        "kind: Pod\nspec: {containers: {}}\nmetadata: {annotations: {casemate.dev/tee: node}}\n",
    ):
        code, out, err = command("review", "-", stdin=text)
        check(
            f"{text.strip()!r} cannot be judged",
            code == 1 and not out and err.startswith("stdin:1: "),
            (code, out, err),
        )
    nameless = {k: v for k, v in missing.items() if k != "metadata"}
    nameless["metadata"] = {"generateName": "g-", "annotations": missing["metadata"]["annotations"]}
    _, _, err = command("review", "--namespace", "bank", "-", stdin=dump(nameless))
    check("namespace and generateName stand in", err.startswith("stdin:1: Pod bank/g-: "), err)


def test_warnings(_, __):
    pod = pod_of({"sgx.intel.com/epc": "1Gi"})
    code, out, err = command("review", "-", stdin=dump(pod))
    check(
        "a warning is told on standard error, by file, line and object",
        code == 0
        and out
        and err.startswith("stdin:1: warning: Pod shop/p: ")
        and "sgx.intel.com/epc" in err,
        (code, out, err),
    )
    code, _, err = command("review", "--allow-simulated", "-", stdin=dump(SGX_POD))
    check(
        "a simulated TEE is loud",
        code == 0 and "warning" in err and "simulated" in err,
        (code, err),
    )


TESTS = (test_scalars, test_hostile_yaml, test_refusals, test_warnings)
