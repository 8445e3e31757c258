# SPDX-License-Identifier: Apache-2.0
"""AdmissionReviews offline, and that a live webhook agrees with review."""

import json
import os

import yaml
from harness import (
    SGX_ASKS,
    SGX_POD,
    SGX_WANT,
    Server,
    apply,
    check,
    check_equal,
    command,
    pod_of,
    review,
    write,
)
from manifests import KEYS_PROFILE, PROFILE, dump, reviewed

# reviews and the live webhook


def test_admission_review(folder, _):
    path = write(folder, "review.json", json.dumps(review(SGX_POD, uid="u-7")))
    code, out, err = command("review", path)
    answer = json.loads(out)
    check(
        "an AdmissionReview in gives one out",
        code == 0
        and not err
        and answer["kind"] == "AdmissionReview"
        and answer["response"]["uid"] == "u-7"
        and apply(SGX_POD, answer["response"]) == SGX_WANT,
        (code, out, err),
    )
    out, _ = reviewed(dump(review(SGX_POD, uid="u-7")))
    check_equal("from YAML too", json.loads(out), answer)
    code, out, err = command(
        "review", "-", stdin=json.dumps(review(pod_of({"casemate.dev/tee": "sgx"})))
    )
    check(
        "a refused one is answered, told and exit code 1",
        code == 1
        and json.loads(out)["response"]["allowed"] is False
        and err.startswith("stdin:1: Pod shop/p: ")
        and err.rstrip().endswith("(EpcMissing)"),
        (code, out, err),
    )
    code, out, err = command(
        "review", "-", stdin='{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}'
    )
    check(
        "one that is none is refused",
        code == 1 and not out and err.startswith("stdin:1: ") and "admission.k8s.io/v1" in err,
        (code, out, err),
    )


def test_agrees_with_live(folder, stack):
    profiles = os.path.join(folder, "profiles")
    os.mkdir(profiles)
    write(profiles, "p.yaml", dump(PROFILE))
    write(profiles, "keys.yaml", dump(KEYS_PROFILE))
    s = Server(
        folder,
        stack,
        "--profiles",
        profiles,
        config={"runtimeClasses": {"cvm": {"name": "kata-cvm"}}},
    )
    labelled = pod_of({})
    labelled["metadata"]["labels"] = {"app": "payments"}
    one = {"limits": {"sgx.intel.com/epc": "1Mi"}}
    pods = {
        "sgx": SGX_POD,
        "a profile's": labelled,
        "ordinary": pod_of({}),
        **{
            tee: pod_of({"casemate.dev/tee": tee})
            for tee in ("tdx", "snp", "cvm", "node", "node-tdx", "node-snp")
        },
        "Intel's": pod_of(
            {"sgx.intel.com/quote-provider": "aesmd"}, {"name": "app", "resources": one}
        ),
        "Intel's with aesmd": pod_of(
            {"sgx.intel.com/quote-provider": "aesmd"},
            {"name": "app", "resources": one},
            {"name": "aesmd", "resources": one},
        ),
        "AKS's": pod_of(
            {},
            {
                "name": "app",
                "resources": {"limits": {"kubernetes.azure.com/sgx_epc_mem_in_MiB": 10, "cpu": 1}},
            },
        ),
        "Alibaba's": pod_of(
            {}, {"name": "app", "resources": {"limits": {"alibabacloud.com/sgx_epc_MiB": "10"}}}
        ),
        "two containers": pod_of(
            {**SGX_ASKS, "casemate.dev/epc.b": "1Mi"}, {"name": "a"}, {"name": "b"}
        ),
        "aesm": pod_of({**SGX_ASKS, "casemate.dev/quote": "aesm"}),
        "a profile's keys": pod_of(
            {"casemate.dev/profile": "keys"}, {"name": "app", "command": ["py"], "args": ["main"]}
        ),
        "keys": pod_of({}, {"name": "app", "resources": {"limits": {"casemate.dev/keys": "1"}}}),
    }
    for name, pod in pods.items():
        code, out, err = command(
            "review", "--config", s.config, "--profiles", profiles, "-", stdin=dump(pod)
        )
        if not check(f"{name}: reviewed", code == 0, err):
            continue
        made = yaml.safe_load(out)
        live, answer = s.mutate(pod)
        check_equal(f"{name}: the live webhook makes the same of it", made, live)
        again, answer = s.mutate(made)
        check(
            f"{name}: and leaves the result as it is",
            again == made and "patch" not in answer,
            answer,
        )
        _, answer = s.post("/validate", review(made))
        check(f"{name}: which it finds valid", answer["response"]["allowed"], answer)


TESTS = (test_admission_review, test_agrees_with_live)
