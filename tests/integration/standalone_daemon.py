# SPDX-License-Identifier: Apache-2.0
"""The daemon around the webhooks: health, metrics, reload, profiles, certificates, TLS, its end."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import warnings
from http.client import HTTPException

from harness import (
    SGX_ASKS,
    SGX_POD,
    SGX_WANT,
    Server,
    check,
    check_equal,
    eventually,
    make_ca,
    make_cert,
    pod_of,
    review,
    unread,
    write,
)

PROFILE = """
apiVersion: casemate.dev/v1alpha1
kind: EnclaveProfile
metadata: {name: payments, namespace: shop}
spec:
  tee: sgx
  podSelector: {matchLabels: {app: payments}}
  epc: {default: %s, max: 256Mi}
"""


# observation


def test_health(folder, stack):
    s = Server(folder, stack)
    for path in ("/livez", "/readyz", "/healthz"):
        check_equal(f"{path} says ok", s.get(s.health_port, path)[::2], (200, "ok"))
    _, _, text = s.get(s.health_port, "/readyz?verbose")
    for name in ("profiles", "shutdown", "event-loop"):
        check(f"/readyz?verbose names {name}", f"[+]{name} ok" in text, text)
    check("and passes", "readyz check passed" in text, text)
    check_equal("another path is not found", s.get(s.health_port, "/")[0], 404)
    check_equal("the webhooks are not there", s.get(s.health_port, "/mutate")[0], 404)
    check_equal("health is not on the webhooks' port", s.request("GET", "/readyz")[0], 404)


def test_metrics(folder, stack):
    s = Server(folder, stack)
    s.mutate(SGX_POD)
    s.mutate(pod_of({}))
    s.mutate(pod_of({"casemate.dev/tee": "sgx"}))
    s.post("/validate", review(SGX_WANT))
    s.post("/mutate", b"nonsense")
    reviews = 'casemate_webhook_reviews_total{webhook="%s",operation="%s",verdict="%s",reason="%s"}'
    for row in (
        ("mutate", "CREATE", "mutated", "Injected"),
        ("mutate", "CREATE", "passed", "NotConfidential"),
        ("mutate", "CREATE", "refused", "EpcMissing"),
        ("validate", "CREATE", "passed", "Injected"),
        ("mutate", "unknown", "error", "Malformed"),
    ):
        check_equal(f"a review {row[0]} {row[2]} {row[3]} is counted", s.metric(reviews % row), 1)
    check_equal(
        "their times too",
        s.metric('casemate_webhook_review_duration_seconds_count{webhook="mutate"}'),
        4,
    )
    check_equal("none is in flight", s.metric("casemate_webhook_reviews_in_flight"), 0)
    end = (
        subprocess.run(
            ["openssl", "x509", "-in", s.cert, "-noout", "-enddate"],
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.strip()
        .split("=")[1]
    )
    expiry = [
        line
        for line in s.get(s.metrics_port, "/metrics")[2].splitlines()
        if line.startswith("casemate_webhook_certificate_expiry_timestamp_seconds")
    ]
    check(
        "so is the certificate's end",
        [float(x.split()[-1]) for x in expiry] == [ssl.cert_time_to_seconds(end)],
        expiry,
    )

    status, headers, text = s.get(s.metrics_port, "/metrics")
    check(
        "Prometheus text is the default",
        status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"),
        headers,
    )
    check(
        "its buckets begin at 50 µs and end at 1 s",
        'le="5e-05"' in text or 'le="0.00005"' in text and 'le="1"' in text,
        text,
    )
    check(
        "build and process are described",
        "casemate_build_info{" in text and "process_resident_memory_bytes" in text,
    )
    lint = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    check(
        "promtool has nothing to say", lint.returncode == 0 and not lint.stdout + lint.stderr, lint
    )
    status, headers, text = s.get(
        s.metrics_port,
        "/metrics",
        {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"},
    )
    check(
        "OpenMetrics for who asks",
        status == 200
        and headers["Content-Type"].startswith("application/openmetrics-text")
        and text.endswith("# EOF\n"),
        (headers, text[-80:]),
    )
    check_equal("another path is not found", s.get(s.metrics_port, "/")[0], 404)
    log = s.log()
    check("a refusal is logged once, with its reason", log.count("EpcMissing") == 1, log)


# reload


def reloads(s, result):
    return s.metric(f'casemate_webhook_config_reloads_total{{result="{result}"}}')


AESM_POD = pod_of({**SGX_ASKS, "casemate.dev/quote": "aesm"})


def by_host_path(s):
    pod, _ = s.mutate(AESM_POD)
    return any("hostPath" in v for v in pod["spec"].get("volumes", []))


def test_reload(folder, stack):
    s = Server(folder, stack)
    check("aesm comes by resource", not by_host_path(s))
    write(folder, "webhook.yaml", {"aesm": {"mount": "hostPath"}})
    check("a changed file is taken up by itself", eventually(lambda: by_host_path(s)), s.log())
    check(
        "and counted",
        eventually(lambda: reloads(s, "success") == 1),
        s.get(s.metrics_port, "/metrics")[2],
    )
    with open(s.config, "w", encoding="utf-8") as f:
        f.write("aesm: {mount: resource}\n")
    check("also one written in place", eventually(lambda: not by_host_path(s)), s.log())

    write(folder, "webhook.yaml", "aesm: {mount: hostPath}\nvendorPods: {mode: nonsense}\n")
    check("an invalid file is counted", eventually(lambda: reloads(s, "failure") == 1), s.log())
    check("refused as a whole", not by_host_path(s))
    check(
        "logged with file, line and column",
        f"{s.config}:2:20: " in s.log() and "devicesOnly" in s.log(),
        s.log(),
    )
    s.hup()
    check("SIGHUP reads it again", eventually(lambda: reloads(s, "failure") == 2), s.log())
    for name, text in (
        ("broken YAML", "aesm: [\n"),
        ("an unknown key", "aesm: {mont: hostPath}\n"),
        ("a duplicate key", "aesm: {mount: hostPath}\naesm: {mount: hostPath}\n"),
        ("another type", "aesm: hostPath\n"),
    ):
        before = reloads(s, "failure")
        write(folder, "webhook.yaml", text)
        check(
            f"{name} is refused",
            eventually(lambda: reloads(s, "failure") > before) and not by_host_path(s),
            s.log(),
        )
    os.unlink(s.config)
    s.hup()
    check(
        "a file that is gone changes nothing",
        eventually(lambda: "No such file" in s.log()) and not by_host_path(s),
        s.log(),
    )
    write(folder, "webhook.yaml", {"aesm": {"mount": "hostPath"}})
    check("the next valid one is taken up", eventually(lambda: by_host_path(s)), s.log())
    write(folder, "webhook.yaml", {"aesm": {"mount": "hostPath"}, "limits": {"maxBody": "1Mi"}})
    check("what needs a restart is said", eventually(lambda: "restart" in s.log()), s.log())
    check_equal("it was ready all the time", s.readyz(), 200)


def test_profiles(folder, stack):
    profiles = os.path.join(folder, "profiles")
    os.mkdir(profiles)
    write(profiles, "payments.yaml", PROFILE % "32Mi")
    s = Server(folder, stack, "--profiles", profiles)
    pod = pod_of({})
    pod["metadata"]["labels"] = {"app": "payments"}

    def epc():
        made, _ = s.mutate(pod)
        return made and made["spec"]["containers"][0].get("resources", {}).get("limits", {}).get(
            "sgx.intel.com/epc"
        )

    check_equal("a profile of the folder applies", epc(), "32Mi")
    write(profiles, "payments.yaml", PROFILE % "48Mi")
    check("a changed one too", eventually(lambda: epc() == "48Mi"), s.log())
    write(profiles, "broken.yaml", "kind: [\n")
    check(
        "a file that cannot be read is refused",
        eventually(lambda: reloads(s, "failure") >= 1),
        s.log(),
    )
    check("and named", "broken.yaml:" in s.log(), s.log())
    check_equal("the others stay", epc(), "48Mi")
    os.unlink(os.path.join(profiles, "broken.yaml"))
    write(
        profiles,
        "other.json",
        json.dumps(
            {
                "apiVersion": "casemate.dev/v1alpha1",
                "kind": "EnclaveProfile",
                "metadata": {"name": "other", "namespace": "shop"},
                "spec": {"tee": "sgx", "podSelector": {"matchLabels": {"app": "payments"}}},
            }
        ),
    )
    check(
        "a second one that matches is refused with both names",
        eventually(
            lambda: all(
                n in json.dumps(s.mutate(pod)[1]) for n in ("ProfileAmbiguous", "payments", "other")
            )
        ),
        s.log(),
    )
    os.unlink(os.path.join(profiles, "other.json"))
    os.unlink(os.path.join(profiles, "payments.yaml"))
    check(
        "without profiles the pod asks for nothing",
        eventually(lambda: s.mutate(pod)[0] == pod),
        s.log(),
    )


# TLS


def serial(s, context=None):
    sock = (context or s.tls()).wrap_socket(
        socket.create_connection(("127.0.0.1", s.port), 10), server_hostname="127.0.0.1"
    )
    number = sock.getpeercert()["serialNumber"]
    sock.close()
    return number


def test_certificate(folder, stack):
    s = Server(folder, stack)
    before = serial(s)
    connection = s.connect()
    s.mutate(SGX_POD, connection)
    os.mkdir(os.path.join(folder, "new"))
    cert, key = make_cert(os.path.join(folder, "new"), "server", s.ca)
    shutil.copyfile(cert, s.cert)
    time.sleep(0.3)
    check_equal("a certificate without its key is not taken up", serial(s), before)
    shutil.copyfile(key, s.key)
    check("with it new handshakes see it", eventually(lambda: serial(s) != before), s.log())
    pod, _ = s.mutate(SGX_POD, connection)
    check("an open connection goes on", pod == SGX_WANT)
    write(folder, "server.crt", "nonsense")
    time.sleep(0.3)
    s.alive("nonsense for a certificate")


def refused(s, context):
    """The alert with which the server ends a handshake; None when it does not."""
    try:
        serial(s, context)
        return None
    except ssl.SSLError as e:
        return e.reason or str(e)
    except OSError as e:
        return str(e)


def old_tls(s):
    """Willing to speak TLS 1.1, which OpenSSL 3 does at security level 0 only."""
    with warnings.catch_warnings(record=True):
        context = s.tls(
            minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1
        )
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def test_tls_versions(folder, stack):
    s = Server(folder, stack)
    check(
        "TLS 1.1 is refused, and by the server",
        refused(s, old_tls(s)) in ("TLSV1_ALERT_PROTOCOL_VERSION", "UNEXPECTED_EOF_WHILE_READING"),
        refused(s, old_tls(s)),
    )
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        check_equal(
            f"{version.name} is served",
            refused(s, s.tls(minimum_version=version, maximum_version=version)),
            None,
        )
    context = s.tls(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA:AES256-GCM-SHA384")
    check("suites without forward secrecy are refused", refused(s, context) is not None)


def test_tls_strict(folder, stack):
    client_ca = make_ca(folder, "client-ca")
    s = Server(folder, stack, "--tls-min-version", "1.3", "--tls-client-ca", client_ca[0])
    own = make_cert(folder, "apiserver", client_ca)
    foreign = make_cert(folder, "foreign", s.ca)

    def status(pair, **attributes):
        context = s.tls(**attributes)
        if pair:
            context.load_cert_chain(*pair)
        try:
            return s.request(
                "POST", "/mutate", json.dumps(review(SGX_POD)), connection=s.connect(context)
            )[0]
        except (OSError, HTTPException) as e:
            return f"refused: {e!r}"

    check_equal("a client of the CA is served", status(own), 200)
    for name, pair in (("no certificate", None), ("one of another CA", foreign)):
        check(f"{name}: refused", str(status(pair)).startswith("refused"), status(pair))
    check(
        "TLS 1.2 is refused",
        str(status(own, maximum_version=ssl.TLSVersion.TLSv1_2)).startswith("refused"),
    )
    check_equal("the server serves on", status(own), 200)


# the end


def test_end(folder, stack):
    s = Server(folder, stack)
    body = json.dumps(review(SGX_POD)).encode()
    idle = s.connect()
    s.mutate(SGX_POD, idle)
    sock = s.socket()
    sock.sendall(
        b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body[:100]
    )
    eventually(lambda: unread(s.port) == 0)
    s.process.send_signal(signal.SIGTERM)
    check("SIGTERM: not ready any more", eventually(lambda: s.readyz() in (500, 503)), s.readyz())
    time.sleep(4)  # longer than a server with nothing but idle connections takes to end
    check("a review under way keeps it alive", s.process.poll() is None, s.log())
    try:
        sock.sendall(body[100:])
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    except OSError as e:
        answer = repr(e).encode()
    check("and is answered", answer.startswith(b"HTTP/1.1 200") and b'"patch"' in answer, answer)
    check("new connections are not accepted", refused(s, s.tls()) is not None)
    check_equal("exit code 0", s.end(), 0)
    check("it says that it ended", "Ended" in s.log(), s.log())


def test_prompt_end(folder, stack):
    s = Server(folder, stack)
    began = time.monotonic()
    check_equal("with nothing to do it ends with code 0", s.end(), 0)
    check("at once", time.monotonic() - began < 10, time.monotonic() - began)


TESTS = (
    test_health,
    test_metrics,
    test_reload,
    test_profiles,
    test_certificate,
    test_tls_versions,
    test_tls_strict,
    test_end,
    test_prompt_end,
)
