# SPDX-License-Identifier: Apache-2.0
"""What a dashboard must have to be of use in somebody else's Grafana (after the rules of Grafana's
dashboard-linter), and its queries with the variables filled in."""

import json
import re

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = {"datasource", "job", "namespace", "node"}
COUNTER = re.compile(r"\b(\w+_total|\w+_bucket)\b")
NO_UNIT_NEEDED = {"row", "text"}


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(board):
    """(title, expression) of each target."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def fill(expression, values):
    """As Grafana does before it asks Prometheus."""
    for name, value in values.items():
        expression = re.sub(r"\$\{%s(:\w+)?\}|\$%s\b" % (name, name), lambda _: value, expression)
    return expression


def metrics_of(expression):
    """Names of metrics in a PromQL expression: what is no function, label, keyword or string."""
    text = re.sub(r'"[^"]*"', '""', expression)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    names = set(re.findall(r"\b([a-z][a-z0-9_]*_[a-z0-9_]+|up)\b(?!\s*\()", re.sub(r"\{[^}]*\}", "", text)))
    return names


def lint_variables(board):
    variables = {v["name"]: v for v in board["templating"]["list"]}
    if set(variables) != VARIABLES:
        yield f"variables are {sorted(variables)}"
    for name, variable in variables.items():
        if not variable.get("label") or not variable.get("description"):
            yield f"variable {name} lacks label or description"
        if name == "datasource":
            if variable["type"] != "datasource" or variable["query"] != "prometheus":
                yield "the data source's variable is none"
            continue
        if variable["datasource"] != DATASOURCE or variable["refresh"] != 2:
            yield f"variable {name}: another data source, or not refreshed when the time range changes"
        if variable["includeAll"] and variable.get("allValue") != ".+":
            yield f"variable {name}: All is not .+"


def lint_panel(panel):
    if not panel.get("title") or not panel.get("description") and panel["type"] != "row":
        yield "no title or no description"
    if panel["type"] in NO_UNIT_NEEDED:
        return
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "no unit"
    if panel["datasource"] != DATASOURCE or any(t["datasource"] != DATASOURCE for t in panel["targets"]):
        yield "another data source"
    if not panel["targets"]:
        yield "no query"


def lint_query(expression):
    if re.search(r"\[\d+[smh]\]", re.sub(r"increase\([^()]*\[1h\]\)", "", expression)):
        yield "a rate over a fixed time: use $__rate_interval"
    for selector in re.findall(r"(?:casemate|process)_\w+(\{[^}]*\})?|\bup(\{[^}]*\})", expression):
        text = "".join(selector)
        if 'job=~"$job"' not in text or 'namespace=~"$namespace"' not in text:
            yield "a metric without job and namespace"
    for name in COUNTER.findall(expression):
        if not re.search(r"(rate|increase)\(%s" % name, expression):
            yield f"{name} is a counter and not looked at by rate() or increase()"


def lint_layout(board):
    """No two panels in one place."""
    taken = set()
    ids = [p["id"] for p in panels(board)]
    if len(ids) != len(set(ids)):
        yield "two panels with one id"
    for panel in board["panels"]:
        g = panel["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        if cells & taken or g["x"] + g["w"] > 24:
            yield f"{panel['title']} lies over another panel"
        taken |= cells


def lint(board):
    """What is wrong, a line each."""
    for key in ("uid", "title", "description", "tags", "links", "refresh"):
        if not board.get(key):
            yield f"no {key}"
    if board.get("editable") is not False:
        yield "editable, so that changes are lost silently when the chart is upgraded"
    yield from lint_variables(board)
    yield from lint_layout(board)
    for panel in panels(board):
        for problem in lint_panel(panel):
            yield f"{panel.get('title')}: {problem}"
    for title, expression in queries(board):
        for problem in lint_query(expression):
            yield f"{title}: {problem}"


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
