# SPDX-License-Identifier: Apache-2.0
"""Manifests for the tests of review, and how they are put through it."""

import copy

import yaml
from harness import command

PROFILE = {
    "apiVersion": "casemate.dev/v1alpha1",
    "kind": "EnclaveProfile",
    "metadata": {"name": "payments", "namespace": "shop"},
    "spec": {
        "tee": "sgx",
        "podSelector": {"matchLabels": {"app": "payments"}},
        "epc": {"default": "32Mi", "max": "256Mi"},
    },
}

KEYS_PROFILE = {
    "apiVersion": "casemate.dev/v1alpha1",
    "kind": "EnclaveProfile",
    "metadata": {"name": "keys", "namespace": "shop"},
    "spec": {
        "tee": "node",
        "keys": [
            {"name": "a", "type": "password", "deliver": {"env": "SECRET_KEY"}},
            {"name": "b", "type": "ec", "deliver": {"file": "/run/casemate/files/b.pem"}},
        ],
    },
}


def template(pod):
    return {"metadata": {"annotations": pod["metadata"]["annotations"]}, "spec": pod["spec"]}


def workload(kind, pod):
    """A manifest of kind whose pods are like pod, with fields that review has no business with."""
    inner = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "x"}},
        "template": template(pod),
        "future": [1, "1", True],
    }
    if kind == "Pod":
        return pod
    if kind == "CronJob":
        return {
            "apiVersion": "batch/v1",
            "kind": kind,
            "metadata": {"name": "w", "namespace": "shop"},
            "spec": {
                "schedule": "@hourly",
                "jobTemplate": {"metadata": {}, "spec": inner},
                "suspend": False,
            },
        }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "w", "namespace": "shop"},
        "spec": inner,
    }


def ordered(value):
    """value with its keys' order made visible."""
    if isinstance(value, dict):
        return [(k, ordered(v)) for k, v in value.items()]
    return [ordered(v) for v in value] if isinstance(value, list) else value


def without(value, paths):
    """value without what lies at paths, tuples of keys."""
    value = copy.deepcopy(value)
    for path in paths:
        inner = value
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
    return value


def reviewed(text, *flags):
    """What comes out when text goes in, and its documents where it is YAML."""
    code, out, err = command("review", *flags, "-", stdin=text)
    if code != 0 or err:
        raise AssertionError(f"exit code {code}: {err}")
    return out, [] if "--patch" in flags else list(yaml.safe_load_all(out))


def dump(*documents):
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)
