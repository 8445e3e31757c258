#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""For monitoring-test:

monitoring.py config TARGETS TOKEN       the scrape configuration that the chart's README gives, for a
                                         Prometheus beside the cluster: TARGETS and TOKEN are files
monitoring.py targets                    a list of pods in JSON becomes such a file of targets
monitoring.py panels URL NAMESPACE NODE  asks Prometheus what each panel of each dashboard asks; a line
                                         for each that gets nothing
monitoring.py alerts URL                 names of the alerts that fire
"""

import glob
import json
import os
import re
import sys
import urllib.parse
import urllib.request

import yaml

sys.dont_write_bytecode = True  # the checkout stays clean

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHART = os.path.join(ROOT, "charts/casemate")
sys.path.insert(0, os.path.join(ROOT, "tests/chart"))

import dashboards


def config(targets_file, token_file):
    with open(os.path.join(CHART, "README.md"), encoding="utf-8") as file:
        text = re.search(r"```yaml\n(scrape_configs:\n.*?)```", file.read(), re.S)[1]
    result = yaml.safe_load(text)
    result["rule_files"] = [os.path.join(CHART, "files/alerts.yaml")]
    result["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
    for job in result["scrape_configs"]:
        # Debian's Prometheus knows no Kubernetes; what it would find comes from a file.
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        job["file_sd_configs"] = [{"files": [targets_file], "refresh_interval": "1s"}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = token_file
    yaml.safe_dump(result, sys.stdout)


def meta(kind, values):
    """Labels and annotations, as discovery by Prometheus names them."""
    return {f"__meta_kubernetes_pod_{kind}_{re.sub('[^A-Za-z0-9_]', '_', k)}": v for k, v in (values or {}).items()}


def targets():
    """Discovery of role pod: a target for each port of each container."""
    result = []
    for pod in json.load(sys.stdin)["items"]:
        labels = {
            "__meta_kubernetes_namespace": pod["metadata"]["namespace"],
            "__meta_kubernetes_pod_name": pod["metadata"]["name"],
            "__meta_kubernetes_pod_node_name": pod["spec"].get("nodeName", ""),
            **meta("label", pod["metadata"].get("labels")),
            **meta("annotation", pod["metadata"].get("annotations")),
        }
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", []):
                name = {"__meta_kubernetes_pod_container_port_name": port.get("name", "")}
                address = f"{pod['status'].get('podIP', '0.0.0.0')}:{port['containerPort']}"
                result.append({"targets": [address], "labels": labels | name})
    json.dump(result, sys.stdout)


def ask(url, expression):
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def panels(url, namespace, node):
    values = {"__rate_interval": "30s", "job": ".+", "namespace": namespace, "node": node}
    asked = 0
    for path in sorted(glob.glob(f"{CHART}/files/dashboards/*.json")):
        for title, expression in dashboards.queries(dashboards.load(path)):
            filled = dashboards.fill(expression, values)
            asked += 1
            if not ask(url, filled):
                print(f"{os.path.basename(path)}, {title}: no data for {filled}")
    print(f"asked for {asked} panels' data", file=sys.stderr)


def alerts(url):
    for name in sorted({a["metric"]["alertname"] for a in ask(url, 'ALERTS{alertstate="firing"}')}):
        print(name)


if __name__ == "__main__":
    {"config": config, "targets": targets, "panels": panels, "alerts": alerts}[sys.argv[1]](*sys.argv[2:])
