#!/usr/bin/python3
"""Nodes without machines, and what their agents prove themselves with.

fleet.py --server HOST:PORT --ca FILE --cert FILE --key FILE [--namespace NS --account NAME] DO COUNT [FOLDER]

nodes: makes COUNT Nodes for kwok, of the size of real ones. tokens: makes a Pod of the agents' account on the
first COUNT of them, and writes a token bound to that Pod, with the audience casemate.dev, to FOLDER/NODE.
drift: sets the label that says whether they are attested, of all COUNT, to "drifted".
"""
import argparse
import http.client
import json
import pathlib
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

LOCAL = threading.local()


def connection(args):
    if not hasattr(LOCAL, "connection"):
        context = ssl.create_default_context(cafile=args.ca)
        context.load_cert_chain(args.cert, args.key)
        host, _, port = args.server.partition(":")
        LOCAL.connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)
    return LOCAL.connection


def post(args, path, body, method="POST", kind="application/json"):
    server = connection(args)
    server.request(method, path, json.dumps(body), {"Content-Type": kind})
    answer = server.getresponse()
    text = answer.read().decode()
    if answer.status not in (200, 201, 409):
        raise SystemExit(f"fleet.py: {path}: {answer.status} {text}")
    return json.loads(text)


def node(name):
    """With as many images as a kubelet tells of: they are most of a real Node."""
    images = [{"names": [f"registry.example/team-{i}/service-{i}@sha256:{i:064x}",
                         f"registry.example/team-{i}/service-{i}:v1.{i}.0"],
               "sizeBytes": 100000000 + i} for i in range(50)]
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"},
                         "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
            "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
            "status": {"images": images}}


def pod(name, account):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": name, "serviceAccountName": account, "automountServiceAccountToken": False,
                     "tolerations": [{"operator": "Exists"}],
                     "containers": [{"name": "agent", "image": "none"}]}}


def make_node(args, name):
    post(args, "/api/v1/nodes", node(name))


def make_token(args, name):
    space = f"/api/v1/namespaces/{args.namespace}"
    post(args, f"{space}/pods", pod(name, args.account))
    answer = post(args, f"{space}/serviceaccounts/{args.account}/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": ["casemate.dev"], "expirationSeconds": 7200,
                 "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name}}})
    (pathlib.Path(args.folder) / name).write_text(answer["status"]["token"], encoding="ascii")


def drift(args, name):
    label = "casemate.dev.node-restriction.kubernetes.io/attested"
    post(args, f"/api/v1/nodes/{name}", {"metadata": {"labels": {label: "drifted"}}}, "PATCH",
         "application/merge-patch+json")


DO = {"nodes": make_node, "tokens": make_token, "drift": drift}


def main():
    parser = argparse.ArgumentParser()
    for option in ("server", "ca", "cert", "key"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--namespace", default="casemate-system")
    parser.add_argument("--account", default="casemate-agent")
    parser.add_argument("do", choices=DO)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", nargs="?")
    args = parser.parse_args()
    names = [f"fleet-{i:05}" for i in range(args.count)]
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda name: DO[args.do](args, name), names):
            pass


if __name__ == "__main__":
    main()
