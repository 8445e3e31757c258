# SPDX-License-Identifier: Apache-2.0
"""What a webhook says to reviews, bad input and slow clients."""

import json
import socket
import time

from harness import (
    SGX_ASKS,
    SGX_POD,
    SGX_WANT,
    Server,
    apply,
    check,
    check_equal,
    eventually,
    in_parallel,
    pod_of,
    review,
    unread,
)

# reviews


def test_reviews(folder, stack):
    s = Server(folder, stack)
    connection = s.connect()
    status, answer = s.post("/mutate", review(SGX_POD, uid="u-1"), connection)
    check_equal("mutate answers 200", status, 200)
    check_equal(
        "with an AdmissionReview of v1",
        (answer["kind"], answer["apiVersion"]),
        ("AdmissionReview", "admission.k8s.io/v1"),
    )
    response = answer["response"]
    check_equal("that echoes the uid", response["uid"], "u-1")
    check_equal("and a JSON Patch", response["patchType"], "JSONPatch")
    check_equal("which makes the pod confidential", apply(SGX_POD, response), SGX_WANT)
    check_equal(
        "the audit annotation is the reason", response["auditAnnotations"], {"reason": "Injected"}
    )

    again, response = s.mutate(SGX_WANT, connection)
    check("what it made gets no patch", again == SGX_WANT and "patch" not in response, response)
    plain = pod_of({})
    again, response = s.mutate(plain, connection)
    check(
        "a pod that asks for nothing is allowed as it is",
        again == plain and response == {"uid": response["uid"], "allowed": True},
        response,
    )
    odd = pod_of(
        {**SGX_ASKS, "a/b~c": '\u00e9\U0001f512\\"\n'},
        {"name": "app", "image": "i", "futureField": [1e3]},
    )
    again, response = s.mutate(odd, connection)
    check(
        "unknown fields survive",
        again and again["spec"]["containers"][0]["futureField"] == [1e3],
        response,
    )

    _, answer = s.post("/validate", review(SGX_WANT), connection)
    check("validate allows what mutate made", answer["response"]["allowed"] is True, answer)
    _, answer = s.post("/validate", review(SGX_POD), connection)
    status = answer["response"].get("status", {})
    check(
        "and refuses what it did not, saying where",
        answer["response"]["allowed"] is False
        and status.get("code") == 403
        and "NotAsPromised" in status["message"]
        and "/" in status["message"],
        answer,
    )
    _, answer = s.post("/mutate", review(pod_of({"casemate.dev/tee": "sgx"})), connection)
    message = answer["response"].get("status", {}).get("message", "")
    check(
        "a refusal says what to change",
        answer["response"]["allowed"] is False
        and "EpcMissing" in message
        and "casemate.dev/epc" in message
        and "app" in message,
        answer,
    )
    _, answer = s.post(
        "/validate", review(None, "CONNECT", "PodExecOptions", subResource="exec"), connection
    )
    check(
        "exec cannot be judged without an API server: refused",
        answer["response"]["allowed"] is False
        and "PodUnknown" in answer["response"]["status"]["message"],
        answer,
    )
    _, answer = s.post("/mutate", review(None, "DELETE", oldObject=SGX_WANT), connection)
    check("a deletion is allowed", answer["response"]["allowed"] is True, answer)
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"template": pod_of({"casemate.dev/tee": "x"})},
    }
    _, answer = s.post("/validate", review(deployment, kind="Deployment"), connection)
    check(
        "a Deployment is never refused, but warned",
        answer["response"]["allowed"] is True
        and "casemate.dev/tee" in json.dumps(answer["response"].get("warnings")),
        answer,
    )


def test_keep_alive(folder, stack):
    s = Server(folder, stack)
    connection = s.connect()
    ok = []
    for _ in range(20):
        pod, _ = s.mutate(SGX_POD, connection)
        ok.append(pod == SGX_WANT and connection.sock is not None)
    check("twenty reviews go through one connection", all(ok), ok)
    for path, body in (("/nowhere", b"{}"), ("/mutate", b"nonsense")):
        s.request("POST", path, body, connection=connection)
        check(f"an error of {path} leaves the connection open", connection.sock is not None)
    pod, _ = s.mutate(SGX_POD, connection)
    check("and usable", pod == SGX_WANT)


# bad input


def bad_bodies():
    """Name, body and what the answer's message must hold."""
    good = json.dumps(review(SGX_POD)).encode()
    rv = review(SGX_POD)
    uidless = review(SGX_POD)
    del uidless["request"]["uid"]
    yield "an empty body", b"", ""
    yield "nesting of 10,000", b'{"a":' * 10000 + b"1" + b"}" * 10000, "deep"
    yield "nesting of 10,000 in the pod", good.replace(
        b'"image": "app:1"', b'"image": ' + b"[" * 10000 + b"]" * 10000
    ), "deep"
    yield "a duplicate key", good.replace(b'"uid":', b'"uid": "x", "uid":'), "uid"
    yield "a duplicate key in the pod", good.replace(
        b'"image":', b'"image": "x", "image":'
    ), "image"
    yield "a duplicate key, spelled in two ways", good.replace(
        b'"image":', b'"im\\u0061ge": "x", "image":'
    ), "image"
    yield "invalid UTF-8", good.replace(b"app:1", b"app:\xff"), "UTF-8"
    yield "an overlong UTF-8 sequence", good.replace(b"app:1", b"app:\xc0\xaf"), "UTF-8"
    yield "a lone surrogate", good.replace(b"app:1", b"app:\\ud800"), "surrogate"
    yield "a raw control character", good.replace(b"app:1", b"app:\x01"), ""
    yield "a NUL", good.replace(b"app:1", b"app:\x00"), ""
    yield "a byte-order mark", b"\xef\xbb\xbf" + good, ""
    yield "something behind the end", good + b"{}", ""
    yield "a comment", good.replace(b'"image":', b'/* */ "image":'), ""
    yield "another kind", json.dumps({**rv, "kind": "Pod"}).encode(), "AdmissionReview"
    yield "no kind", json.dumps({"request": rv["request"]}).encode(), "AdmissionReview"
    yield "version v1beta1", json.dumps(
        {**rv, "apiVersion": "admission.k8s.io/v1beta1"}
    ).encode(), "admission.k8s.io/v1"
    yield "no uid", json.dumps(uidless).encode(), "uid"
    yield "a uid that is a number", json.dumps(review(SGX_POD, uid=7)).encode(), "uid"
    yield "no request", json.dumps({**rv, "request": None}).encode(), "uid"
    yield "an unknown operation", json.dumps(review(SGX_POD, "PATCH")).encode(), "operation"
    yield "a list", b"[" + good + b"]", "AdmissionReview"
    yield "a number", b"1", "AdmissionReview"


def test_bad_bodies(folder, stack):
    s = Server(folder, stack, config={"limits": {"maxBody": "256Ki"}})
    connection = s.connect()
    for path in ("/mutate", "/validate"):
        for name, body, says in bad_bodies():
            status, answer = s.post(path, body, connection)
            check(
                f"{path}: {name} is a bad request",
                status == 400 and answer["kind"] == "Status" and says in answer["message"],
                (status, answer),
            )
    body = json.dumps(review(SGX_POD)).encode()
    cuts = list(range(0, len(body), 7)) + list(range(len(body) - 8, len(body)))
    wrong = [(n, a) for n in cuts for a in [s.post("/mutate", body[:n], connection)] if a[0] != 400]
    check(f"a review cut short at any of {len(cuts)} lengths is a bad request", not wrong, wrong)
    for name, pod in (
        ("no object", None),
        ("an object that is a string", "pod"),
        ("an object that is a list", []),
    ):
        status, answer = s.post("/mutate", review(pod), connection)
        check(
            f"{name} is refused",
            status == 200 and answer["response"]["allowed"] is False,
            (status, answer),
        )
    for name, pod in (
        ("containers that are a string", {**SGX_POD, "spec": {"containers": "x"}}),
        (
            "annotations that are a list",
            {**SGX_POD, "metadata": {"annotations": ["casemate.dev/tee"]}},
        ),
        ("a container that is a number", {**SGX_POD, "spec": {"containers": [1]}}),
        ("no spec", {"metadata": SGX_POD["metadata"]}),
    ):
        status, answer = s.post("/mutate", review(pod), connection)
        check(
            f"{name}: an answer, no crash",
            status == 200 and "uid" in answer["response"],
            (status, answer),
        )
    s.alive("after bad bodies")


def test_bad_requests(folder, stack):
    s = Server(folder, stack, config={"limits": {"maxBody": "256Ki"}})
    good = json.dumps(review(SGX_POD)).encode()
    rows = (
        ("GET is not allowed", "GET", "/mutate", None, None, 405),
        ("PUT is not allowed", "PUT", "/validate", good, None, 405),
        ("another path", "POST", "/", good, None, 404),
        ("a path below", "POST", "/mutate/x", good, None, 404),
        ("another spelling of a path", "POST", "/%6dutate", good, None, 404),
        ("no content type", "POST", "/mutate", good, {}, 415),
        ("text", "POST", "/mutate", good, {"Content-Type": "text/plain"}, 415),
        (
            "something that only begins like JSON",
            "POST",
            "/mutate",
            good,
            {"Content-Type": "application/json-patch+json"},
            415,
        ),
        (
            "JSON with a charset",
            "POST",
            "/mutate",
            good,
            {"Content-Type": "application/json; charset=utf-8"},
            200,
        ),
        ("a query, as the API server sends it", "POST", "/mutate?timeout=10s", good, None, 200),
        (
            "a huge header",
            "POST",
            "/mutate",
            good,
            {"Content-Type": "application/json", "X": "x" * 20000},
            431,
        ),
    )
    for name, method, path, body, headers, want in rows:
        status, answered, text = s.request(method, path, body, headers)
        check(f"{name}: {want}", status == want, (status, text[:200]))
        if want == 405:
            check_equal(f"{name}: what is", answered.get("Allow"), "POST")
        if want >= 400:
            check(
                f"{name}: a Status", b'"kind":"Status"' in text and b'"message"' in text, text[:200]
            )
    # Libmicrohttpd's memory ends before they do: it says so and closes, whatever is still to come.
    try:
        status = s.request("POST", "/mutate", good, {f"X-{i}": "x" * 20 for i in range(1000)})[0]
    except OSError as e:
        status = e
    check("a thousand headers: 431, or no connection any more",
          status == 431 or isinstance(status, OSError), status)
    chunks = (b" " * 65536 for _ in range(6))
    c = s.connect()
    c.request(
        "POST",
        "/mutate",
        chunks,
        {"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    check_equal("a chunked body beyond the limit: 413", c.getresponse().status, 413)
    c.close()
    sock = s.socket()
    sock.sendall(
        b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 300000\r\n\r\n"
    )
    answer = sock.recv(4096)
    check(
        "a length beyond the limit: 413, before the body",
        answer.startswith(b"HTTP/1.1 413"),
        answer,
    )
    sock.close()
    for name, text in (
        ("garbage for a request line", b"\x00\xff\x13\x37\r\n\r\n"),
        (
            "a length that is none",
            b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        ),
        ("a request that says nothing more", b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Le"),
    ):
        sock = s.socket()
        sock.sendall(text)
        sock.settimeout(0.3)
        try:
            answer = sock.recv(4096)
        except (TimeoutError, OSError):
            answer = b""
        sock.close()
        check(f"{name} is no review", not answer.startswith(b"HTTP/1.1 2"), answer)
    s.alive("after bad requests")


def test_slow_clients(folder, stack):
    s = Server(folder, stack, config={"limits": {"requestTimeout": "2s", "maxConnections": 30}})
    body = json.dumps(review(SGX_POD)).encode()
    head = (
        b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        % len(body)
    )

    def closed_after(first, drip, sock=None):
        sock = sock or s.socket()
        began = time.monotonic()
        sock.sendall(first)
        try:
            while time.monotonic() < began + 30:
                sock.sendall(drip)
                sock.settimeout(0.1)
                try:
                    if sock.recv(4096) == b"":
                        break
                except TimeoutError:
                    pass
        except OSError:
            pass
        sock.close()
        return time.monotonic() - began

    def served(_):
        took = []
        for _ in range(15):
            began = time.monotonic()
            pod, _ = s.mutate(SGX_POD)
            took.append(time.monotonic() - began if pod == SGX_WANT else 99)
            time.sleep(0.1)
        return max(took)

    slow = [
        lambda: closed_after(head, b"X"),
        lambda: closed_after(head + b"\r\n", b" "),
        lambda: closed_after(b"P", b"O"),
        lambda: closed_after(b"", b"", socket.create_connection(("127.0.0.1", s.port), 10)),
    ]
    results = in_parallel(lambda i: slow[i % 4]() if i < 16 else served(i), 18)
    for name, i in (
        ("a slow header", 0),
        ("a slow body", 1),
        ("a slow request line", 2),
        ("silence instead of a handshake", 3),
    ):
        took = results[i:16:4]
        check(
            f"{name} is cut off after limits.requestTimeout",
            all(isinstance(t, float) and 1.5 < t < 25 for t in took),
            took,
        )
    check(
        "others are served meanwhile",
        all(isinstance(t, float) and t < 25 for t in results[16:]),
        results[16:],
    )
    s.alive("after slow clients")


def test_too_much(folder, stack):
    s = Server(folder, stack, config={"limits": {"maxBody": "128Ki", "maxConnections": 64}})
    body = json.dumps(review(SGX_POD)).encode().ljust(120 * 1024)
    socks = [s.socket() for _ in range(20)]
    for sock in socks:
        sock.sendall(
            b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body[:-1]
        )
    # Those that it sheds at once it does not read.
    eventually(lambda: unread(s.port) == 0, 5)
    answers = []
    for sock in socks:
        sock.sendall(body[-1:])
        answers.append(sock.recv(65536))
    statuses = [a.split(b" ")[1] for a in answers]
    shed = [a for a in answers if a.startswith(b"HTTP/1.1 429")]
    check(
        "of twenty large reviews at once some are shed, the others served",
        set(statuses) == {b"200", b"429"},
        statuses,
    )
    check("with Retry-After", shed and all(b"\r\nRetry-After: 1\r\n" in a for a in shed), shed[:1])
    series = 'casemate_webhook_reviews_total{webhook="unknown",operation="unknown",verdict="shed",reason="Overloaded"}'
    check(
        "and counted",
        eventually(lambda: s.metric(series) == len(shed)),
        s.get(s.metrics_port, "/metrics")[2],
    )
    for sock in socks:
        sock.close()
    s.alive("after too much at once")


TESTS = (
    test_reviews,
    test_keep_alive,
    test_bad_bodies,
    test_bad_requests,
    test_slow_clients,
    test_too_much,
)
