# SPDX-License-Identifier: Apache-2.0
"""The command line: checks, mistakes, help, probe."""

import os

from harness import Server, check, check_equal, command, free_port, make_ca, make_cert, write

# the command line


def test_check_config(folder, _):
    good = write(
        folder,
        "good.yaml",
        {"aesm": {"mount": "hostPath"}, "epc": {"max": "1Gi", "namespaces": {"shop": "64Mi"}}},
    )
    code, out, err = command("serve", "--check-config", "--config", good)
    check(
        "--check-config accepts a good file",
        code == 0 and "valid" in out and not err,
        (code, out, err),
    )
    rows = (
        ("an unknown key, with the nearest one", "limits:\n  maxbody: 1Mi\n", ":2:3: ", "maxBody"),
        ("a wrong type", "limits: {maxDepth: deep}\n", ":1:20: ", "number"),
        ("a value out of range", "limits: {maxDepth: 1}\n", ":1:20: ", "20"),
        ("a wrong choice", "tls:\n  minVersion: '1.1'\n", ":2:15: ", "1.3"),
        ("a wrong duration", "limits: {requestTimeout: 10}\n", ":1:26: ", "90s"),
        ("a wrong quantity", "epc: {namespaces: {shop: 1.5}}\n", ":1:26: ", "quantity"),
        ("broken YAML", "a: b: c\n", ":1:", ""),
        ("a duplicate key", "epc: {}\nepc: {}\n", ":2:1: ", "epc"),
        (
            "a class with two TEEs",
            "runtimeClasses: {tdx: {name: c}, snp: {name: c}}\n",
            "",
            "runtimeClasses",
        ),
    )
    for name, text, where, says in rows:
        bad = write(folder, "bad.yaml", text)
        code, out, err = command("serve", "--check-config", "--config", bad)
        check(
            f"--check-config refuses {name}",
            code == 1 and not out and f"{bad}{where}" in err and says in err,
            (code, out, err),
        )
    code, _, err = command("serve", "--check-config", "--config", os.path.join(folder, "none.yaml"))
    check("and a file that is not there", code == 1 and "none.yaml" in err, (code, err))
    code, _, err = command(
        "serve", "--check-config", "--config", good, env={"CASEMATE_LOGGING_FORMAT": "xml"}
    )
    check(
        "a variable is checked by its name",
        code == 2 and "CASEMATE_LOGGING_FORMAT" in err,
        (code, err),
    )


def test_usage(folder, _):
    for args in (
        ("--help",),
        ("help",),
        ("serve", "--help"),
        ("review", "--help"),
        ("probe", "--help"),
    ):
        code, out, err = command(*args)
        check(
            f"{' '.join(args)} explains",
            code == 0 and out.startswith("Usage: casemate-webhook") and not err,
            (code, err),
        )
        check(
            f"{' '.join(args)} in lines of a terminal",
            max(map(len, out.splitlines())) <= 120,
            max(out.splitlines(), key=len),
        )
    check_equal("--version", command("--version")[0], 0)
    code, out, err = command("serve", "--check-config", "--help")
    check(
        "--help behind another flag, too", code == 0 and out.startswith("Usage:"), (code, out, err)
    )
    cert = ("--tls-cert", "c", "--tls-key", "k")
    for name, args, says in (
        ("no command", (), "Usage:"),
        ("an unknown command", ("sreve",), "sreve"),
        ("an unknown flag, with the nearest one", ("serve", "--standalon"), "--standalone"),
        ("a flag without its value", ("serve", "--listen"), "--listen"),
        ("a word too many", ("serve", "x"), "x"),
        ("an unknown role", ("serve", "--roles", "broker"), "broker"),
        ("standalone without a certificate", ("serve", "--standalone"), "--tls-cert"),
        ("profiles without standalone", ("serve", "--profiles", folder), "profiles"),
        (
            "an address without a port",
            ("serve", "--standalone", *cert, "--listen", "127.0.0.1"),
            "ADDRESS:PORT",
        ),
        ("review without a file", ("review",), "Usage:"),
        ("review's unknown flag", ("review", "--pach", "x"), "--patch"),
        ("probe without a URL", ("probe",), "Usage:"),
    ):
        code, out, err = command(*args)
        check(f"{name} is a usage error", code == 2 and not out and says in err, (code, out, err))
    ca = make_ca(folder, "ca")
    cert, key = make_cert(folder, "server", ca)
    port = free_port()
    rows = (
        ("a certificate that is not there", "nowhere.crt", key, "nowhere.crt"),
        ("a key of another certificate", cert, ca[1], "key"),
    )
    for name, c, k, says in rows:
        code, _, err = command(
            "serve",
            "--standalone",
            "--listen",
            f"127.0.0.1:{port}",
            "--health-listen",
            "none",
            "--metrics-listen",
            "none",
            "--tls-cert",
            c,
            "--tls-key",
            k,
        )
        check(f"{name} ends it with code 1", code == 1 and says in err, (code, err))


def test_probe(folder, stack):
    s = Server(folder, stack)
    url = f"http://127.0.0.1:{s.health_port}/"
    code, out, _ = command("probe", url + "readyz")
    check("probe says that it is ready", code == 0 and out.strip() == "ok", (code, out))
    check_equal("and what is not found", command("probe", url + "nowhere")[0], 1)
    check_equal(
        "and who does not answer", command("probe", f"http://127.0.0.1:{free_port()}/readyz")[0], 1
    )
    code, _, err = command(
        "serve",
        "--standalone",
        "--tls-cert",
        s.cert,
        "--tls-key",
        s.key,
        "--health-listen",
        "none",
        "--metrics-listen",
        "none",
        "--listen",
        f"127.0.0.1:{s.port}",
    )
    check(
        "a second server on the port ends with code 1, naming it",
        code == 1 and str(s.port) in err,
        (code, err),
    )


TESTS = (test_check_config, test_usage, test_probe)
