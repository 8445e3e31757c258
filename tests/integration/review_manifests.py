# SPDX-License-Identifier: Apache-2.0
"""What comes out of review, for each kind of manifest and each flag."""

import base64
import copy
import json
import os
import re

import yaml
from harness import (
    LABELS,
    SGX_POD,
    SGX_WANT,
    apply,
    check,
    check_equal,
    command,
    pod_of,
    sgx_resources,
    write,
)
from manifests import PROFILE, dump, ordered, reviewed, template, without, workload

KINDS = (
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
)


# what comes out


def test_kinds(folder, _):
    for kind in KINDS:
        given, want = workload(kind, SGX_POD), workload(kind, SGX_WANT)
        path = write(folder, f"{kind}.yaml", dump(given))
        code, out, err = command("review", path)
        check(f"{kind}: exit code 0, nothing on standard error", code == 0 and not err, (code, err))
        got = yaml.safe_load(out)
        check_equal(f"{kind}: its pods become confidential", got, want)
        again, _ = reviewed(out)
        check_equal(f"{kind}: review of the result changes nothing", again, out)
        out, _ = reviewed(json.dumps(given))
        check_equal(f"{kind}: JSON in, JSON out", json.loads(out), want)
        out, _ = reviewed(dump(given), "--output", "json")
        check_equal(f"{kind}: YAML in, JSON when asked", json.loads(out), want)
        out, _ = reviewed(json.dumps(given), "--output=yaml")
        check(
            "\n" in out.strip() and f"{kind}: JSON in, YAML when asked",
            yaml.safe_load(out) == want,
            out,
        )
        out, _ = reviewed(dump(given), "--patch")
        check_equal(
            f"{kind}: --patch is a JSON Patch that gives the same", apply_text(given, out), want
        )


def apply_text(obj, patch):
    return apply(obj, {"patch": base64.b64encode(patch.encode())})


def test_other_kinds(_, __):
    others = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "no"}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s"},
            "spec": {"ports": [{"port": 80}]},
        },
        {"apiVersion": "x.dev/v1", "kind": "Unknown", "spec": {"template": template(SGX_POD)}},
        PROFILE,
        pod_of({}),
        workload("Deployment", pod_of({})),
    )
    for other in others:
        _, documents = reviewed(dump(other))
        check_equal(
            f"a {other['kind']} that asks for nothing stays",
            [ordered(d) for d in documents],
            [ordered(other)],
        )


def test_lists(_, __):
    items = [
        workload("Deployment", SGX_POD),
        {"kind": "ConfigMap", "data": {"x": "z"}},
        SGX_POD,
        workload("CronJob", pod_of({})),
    ]
    want = [workload("Deployment", SGX_WANT), items[1], SGX_WANT, items[3]]
    _, documents = reviewed(
        dump({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
    )
    check_equal("each object of a List is reviewed", documents[0]["items"], want)
    bare = [{k: v for k, v in p.items() if k != "kind"} for p in (SGX_POD, SGX_WANT)]
    _, documents = reviewed(dump({"apiVersion": "v1", "kind": "PodList", "items": bare[:1]}))
    check_equal("those of a PodList too, which name no kind", documents[0]["items"], bare[1:])
    out, documents = reviewed("# only a comment\n---\n" + dump(*items) + "---\n---\n# the end\n")
    check_equal("so is each document of a stream", documents, want)
    again, _ = reviewed(out)
    check_equal("and the result again changes nothing", again, out)
    out, _ = reviewed(dump(*items), "--patch")
    check_equal(
        "--patch: one line a document",
        [bool(json.loads(line)) for line in out.splitlines()],
        [True, False, True, False],
    )


def test_files(folder, _):
    a, b = write(folder, "a.yaml", dump(SGX_POD)), write(
        folder, "b.json", json.dumps(workload("Job", SGX_POD))
    )
    code, out, _ = command("review", a, b, "--output", "yaml")
    check_equal(
        "several files, in their order",
        (code, list(yaml.safe_load_all(out))),
        (0, [SGX_WANT, workload("Job", SGX_WANT)]),
    )
    bom, _ = reviewed("\ufeff" + dump(SGX_POD).replace("\n", "\r\n"))
    check_equal("a byte-order mark and CRLF do no harm", yaml.safe_load(bom), SGX_WANT)
    code, out, err = command("review", os.path.join(folder, "none.yaml"))
    check(
        "a file that is not there",
        code == 1 and not out and "none.yaml: No such file" in err,
        (code, out, err),
    )
    code, out, err = command("review", folder)
    check("a folder", code == 1 and not out and "folder" in err, (code, out, err))
    check_equal("an empty file gives nothing", command("review", "-", stdin=""), (0, "", ""))
    check_equal(
        "comments alone give nothing", command("review", "-", stdin="# x\n---\n"), (0, "", "")
    )
    code, out, err = command("review", "-", stdin="x" * (17 << 20))
    check("17 MiB are too much", code == 1 and not out and "larger than" in err, (code, err[:300]))


KEEPS = """\
# it is gone, everything else stays
kind: Pod
apiVersion: v1
metadata:
  zeta: last
  name: "p"
  annotations: {b: "1", casemate.dev/tee: sgx, a: 'it''s "quoted"', casemate.dev/epc: "64Mi"}
  labels: {"yes": "no", "1": "0x10", "null": "~", e: "1e3", t: "12:30:00", d: "2001-01-01"}
spec:
  priority: 2147483647
  big: 12345678901234567890
  float: 0.25
  negative: -7
  flag: false
  nothing: null
  empty: {}
  none: []
  text: |
    #!/bin/sh
      indented: # no comment
    last
  stripped: |-
    a
    b
  kept: |+
    a

  folded: >
    a
    b

    c
  unicode: "é 🔒 \\u00e9 \\t \\\\ \\x07"
  trailing: "blank "
  colon: "a: b"
  dash: "- a"
  hash: "a #b"
  containers:
  - image: app:1
    name: app
    command: ["sh", "-c", "echo \\"$A\\" && true"]
    env: [{name: A, value: "0"}, {name: B, value: "off"}, {name: C, value: ""}]
"""
ADDED = (
    ("metadata", "annotations", "casemate.dev/status"),
    ("metadata", "annotations", "sgx.intel.com/epc"),
    ("spec", "runtimeClassName"),
    ("spec", "nodeSelector"),
    ("spec", "containers", 0, "resources"),
)


def test_unchanged(_, __):
    before = yaml.safe_load(KEEPS)
    out, documents = reviewed(KEEPS)
    after = documents[0]
    check_equal(
        "what was added",
        (
            after["metadata"]["annotations"]["casemate.dev/status"],
            after["metadata"]["annotations"]["sgx.intel.com/epc"],
            after["spec"]["runtimeClassName"],
            after["spec"]["nodeSelector"],
            after["spec"]["containers"][0]["resources"],
        ),
        (
            "injected",
            "64Mi",
            "casemate-sgx",
            {LABELS + "attested": "true", LABELS + "tee": "sgx"},
            sgx_resources("64Mi"),
        ),
    )
    check_equal(
        "without it everything is as it was, in its order",
        ordered(without(after, ADDED)),
        ordered(before),
    )
    again, _ = reviewed(out)
    check_equal("again nothing changes", again, out)
    as_json, _ = reviewed(KEEPS, "--output", "json")
    check_equal("JSON holds the same", ordered(json.loads(as_json)), ordered(after))
    text = (
        '{"kind":"Pod","metadata":{"annotations":{"casemate.dev\\/tee":"node"},"a":1.50,"b":1e3,"c":-0.0,'
        '"d":18446744073709551615,"e":"\\u00e9\\/\\ud83d\\udd12"},"spec":{"containers":[{"name":"app"}],"z":1.0E-2}}'
    )
    out, _ = reviewed(text)
    added = (
        ("metadata", "annotations", "casemate.dev/status"),
        ("spec", "runtimeClassName"),
        ("spec", "nodeSelector"),
    )
    check_equal(
        "JSON's numbers and strings stay, too",
        ordered(without(json.loads(out), added)),
        ordered(json.loads(text)),
    )


def test_profiles(folder, _):
    pod = pod_of({})
    pod["metadata"]["labels"] = {"app": "payments"}
    code, out, err = command("review", "-", stdin=dump(PROFILE, pod))
    got = list(yaml.safe_load_all(out))
    check(
        "a profile among the manifests applies",
        code == 0
        and not err
        and got[0] == PROFILE
        and got[1]["metadata"]["annotations"]["casemate.dev/profile"] == "payments"
        and got[1]["spec"]["containers"][0]["resources"] == sgx_resources("32Mi"),
        (code, out, err),
    )
    code, again, _ = command("review", "-", stdin=dump(pod, PROFILE))
    check("whatever the order", code == 0 and list(yaml.safe_load_all(again)) == got[::-1], again)
    profiles = os.path.join(folder, "profiles")
    os.mkdir(profiles)
    write(profiles, "p.yaml", dump(PROFILE))
    write(profiles, "README.md", "no profile")
    code, out, err = command("review", "--profiles", profiles, "-", stdin=dump(pod))
    check(
        "so does one of --profiles", code == 0 and yaml.safe_load(out) == got[1], (code, out, err)
    )
    code, out, err = command("review", "--profiles", profiles, "-", stdin=dump(PROFILE, pod))
    check(
        "one of both is one too many", code == 1 and not out and "payments" in err, (code, out, err)
    )
    other = copy.deepcopy(pod)
    other["metadata"]["namespace"] = "bank"
    _, documents = reviewed(dump(other), "--profiles", profiles)
    check_equal("another namespace's pods it leaves alone", documents, [other])
    broken = copy.deepcopy(PROFILE)
    broken["spec"]["epc"]["maximum"] = "1Gi"
    code, out, err = command("review", "-", stdin=dump(broken, pod))
    check(
        "an invalid profile refuses its pods, naming the field",
        code == 1 and not out and "ProfileInvalid" in err and "maximum" in err,
        (code, out, err),
    )
    loose = copy.deepcopy(PROFILE)
    loose["spec"]["attestation"] = {"allowDebug": True}
    code, out, err = command("review", "-", stdin=dump(loose, pod))
    check(
        "so does one that is looser than the cluster",
        code == 1 and not out and "ProfileInvalid" in err and "attestation.allowDebug" in err,
        (code, out, err),
    )
    code, out, err = command("review", "--attestation-allow-debug", "-", stdin=dump(loose, pod))
    check("but where the cluster allows it", code == 0 and out, (code, err))
    write(profiles, "q.yaml", dump(pod))
    code, out, err = command("review", "--profiles", profiles, "-", stdin=dump(pod))
    check(
        "something else in the folder is refused",
        code == 1 and not out and "q.yaml:1" in err,
        (code, err),
    )
    code, out, err = command(
        "review", "--profiles", os.path.join(folder, "none"), "-", stdin=dump(pod)
    )
    check("so is a folder that is not there", code == 1 and not out and "none" in err, (code, err))


def test_configuration(folder, _):
    config = write(
        folder,
        "webhook.yaml",
        {"runtimeClasses": {"sgx": {"name": "enclaves"}}, "limits": {"maxBody": "1Mi"}},
    )
    code, out, err = command("review", "--config", config, "-", stdin=dump(SGX_POD))
    check(
        "the daemon's configuration file serves",
        code == 0 and yaml.safe_load(out)["spec"]["runtimeClassName"] == "enclaves",
        (code, out, err),
    )
    code, out, err = command("review", "-", stdin=dump(SGX_POD), env={"CASEMATE_EPC_MAX": "1Mi"})
    check("variables too", code == 1 and not out and "EpcAboveMaximum" in err, (code, out, err))
    bad = write(folder, "bad.yaml", "epc: {max: lots}\n")
    code, out, err = command("review", "--config", bad, "-", stdin=dump(SGX_POD))
    check(
        "an invalid one is refused",
        code == 1 and not out and f"{bad}:1:12: " in err,
        (code, out, err),
    )


def test_explain(_, __):
    code, out, err = command(
        "review", "--explain", "-", stdin=dump(SGX_POD, pod_of({}), workload("Job", SGX_POD))
    )
    check(
        "--explain tells what and why, a line each change",
        code == 0
        and not err
        and "tee sgx" in out
        and "Injected" in out
        and '  add /spec/runtimeClassName "casemate-sgx"\n' in out
        and "NotConfidential" in out
        and '  add /spec/template/spec/runtimeClassName "casemate-sgx"\n' in out,
        (code, out, err),
    )
    code, out, err = command("review", "--explain", "-", stdin=dump(pod_of({"casemate.dev/tee": "sgx"})))
    check(
        "of a refusal, and what to do about it",
        code == 1
        and "(EpcMissing)" in err
        and re.search(
            r"refused: an SGX container has no EPC size \(EpcMissing\)\n"
            r'  why: .*container "app".*\n'
            r"  to do: set casemate.dev/epc\n",
            out,
        ),
        (code, out, err),
    )
    listed = {"kind": "List", "items": [SGX_POD, SGX_POD]}
    code, out, _ = command("review", "--explain", "-", stdin=dump(listed))
    check(
        "of each object of a List",
        code == 0 and all(f"/items/{i}/spec/runtimeClassName" in out for i in (0, 1)),
        out,
    )


def test_inspect(folder, _):
    path = write(folder, "inspected.yaml", dump({**SGX_POD, "kind": "Pod"}))
    code, out, err = command("inspect", path)
    got = yaml.safe_load(out)
    check("inspect: a pod gives a workload", code == 0 and "workload" in got, (code, out, err))
    sigstruct = os.path.join("tests", "vectors", "fortanix", "sig1.sigstruct.bin")
    code, out, err = command("inspect", sigstruct)
    got = yaml.safe_load(out)
    check("inspect: a SIGSTRUCT gives identities", code == 0 and len(got["identities"]) == 2, err)
    layout = os.path.join(folder, "layout")
    os.mkdir(layout)
    write(layout, "index.json", json.dumps({"manifests": [{"digest": "sha256:" + "a" * 64}]}))
    code, out, err = command("inspect", layout)
    check("inspect: a blob that is not there is named", code == 1 and "a" * 64 in err, err)
    code, out, err = command("inspect", os.path.join(folder, "nothing"))
    check("inspect: so is a file", code == 1 and "nothing" in err and not out, err)
    code, out, err = command("inspect")
    check("inspect: usage", code == 2 and "Usage" in err, err)


TESTS = (
    test_inspect,
    test_kinds,
    test_other_kinds,
    test_lists,
    test_files,
    test_unchanged,
    test_profiles,
    test_configuration,
    test_explain,
)
