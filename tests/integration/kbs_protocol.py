# SPDX-License-Identifier: Apache-2.0
"""The key broker protocol, message by message."""

import base64
import json
import os
import time

import harness
from harness import check, check_equal, eventually, in_parallel
from kbs_broker import JWK, SECRET, Broker, Client, attestation, profile, report_data

MANY = 500  # guests at once
KEYS_BURST, KEYS_PER_SEC = 1000, 100  # of a namespace: webhook/broker/rates.h
RATE_PATIENCE = 30  # seconds
RSS_MAX_KB = 72 * 1024  # what Trustee takes at rest

RECORDED = os.path.join(harness.ROOT, "tests/vectors/kbs")

# Statuses that differ from Trustee's on purpose, by the error that it sent: clients attest again
# after each 401, which for these changes nothing.
INTENDED = {"PolicyDeny": 403, "PluginInternalError": 404}


def recorded(name):
    """Requests with their answers: (method, path, body), (status, JSON or None)."""
    with open(os.path.join(RECORDED, name), encoding="utf-8") as f:
        messages = json.load(f)
    pairs, request = [], None
    for m in messages:
        head, _, body = m["data"].partition("\r\n\r\n")
        words = head.split("\r\n")[0].split(" ")
        if m["from"] == "client":
            request = (words[0], words[1], body.encode("latin-1"))
        elif request:
            pairs.append((request, (int(words[1]), json.loads(body) if body else None)))
            request = None
    return pairs


def want_status(answer):
    status, body = answer
    kind = (body or {}).get("type", "").rsplit("/", 1)[-1]
    return INTENDED.get(kind, status) if status == 401 else status


def replay(broker, name):
    """The recorded requests, with the nonce of this run."""
    client, nonce = Client(broker), None
    for (method, path, body), answer in recorded(name):
        if path.endswith("/attest"):
            message = json.loads(body)
            data = message["runtime-data"]
            data["nonce"] = nonce
            evidence = message["tee-evidence"]["primary_evidence"]
            evidence["report_data"] = report_data(nonce, data["tee-pubkey"])
            body = json.dumps(message).encode()
        status, got = client.send(method, path, body or None)
        nonce = got.get("nonce", nonce)
        check(
            f"{name}: {method} {path} is answered {want_status(answer)}",
            status == want_status(answer) and sorted(got) == sorted(shape(answer[1], got)),
            (status, got),
        )


def shape(theirs, ours):
    """The members that Trustee's answer has; a refusal of ours has its reason as well."""
    return list(theirs) + (["reason"] if "reason" in ours else [])


def test_recorded(folder, stack):
    broker = Broker(folder, stack, "--broker-allow-sample")
    for name in ("released-ec.json", "released-rsa.json", "missing.json"):
        replay(broker, name)


def test_recorded_refusal(folder, stack):
    """What Trustee's policy refused is refused here by the evidence itself."""
    broker = Broker(folder, stack)
    client = Client(broker)
    status, got = client.attest()
    check_equal("sample evidence by default", (status, got["reason"]), (403, "SampleNotAllowed"))


def test_session(folder, stack):
    broker = Broker(folder, stack, "--broker-allow-sample")
    client = Client(broker)
    status, got = client.resource()
    check_equal("no session", (status, got["reason"]), (401, "SessionExpired"))
    status, _ = client.auth()
    first = client.cookie
    status, got = client.resource()
    check_equal("a session that did not attest", (status, got["reason"]), (401, "SessionExpired"))
    status, got = client.attest()
    check("attests", status == 200 and got["token"].count(".") == 2, got)
    token, cookie = got["token"], client.cookie
    status, got = client.resource()
    check_equal("a key", (status, sorted(got)),
                (200, ["ciphertext", "encrypted_key", "iv", "protected", "tag"]))
    header = json.loads(base64.urlsafe_b64decode(got["protected"] + "=="))
    check_equal("its header's order", list(header), ["alg", "enc", "epk"])
    other = Client(broker)
    status, got = other.resource(Authorization=f"Bearer {token}")
    check_equal("a token without a session", status, 200)
    status, got = other.resource(Authorization=f"Bearer {token[:-4]}AAAA")
    check_equal("a changed token", (status, got["reason"]), (401, "SessionExpired"))
    other.cookie = cookie[:-3] + ("A" if cookie[-3] != "A" else "B") + cookie[-2:]
    check_equal("a changed cookie", other.resource()[0], 401)
    other.cookie = cookie
    status, got = other.send("POST", "/kbs/v0/attest", attestation("x"))
    check_equal("attesting twice", (status, got["reason"]), (401, "ChallengeReplayed"))
    other.cookie = first
    status, got = other.send("POST", "/kbs/v0/attest", attestation("x"))
    check_equal("another's nonce", (status, got["reason"]), (401, "ChallengeInvalid"))
    status, got = other.send("POST", "/kbs/v0/attest", attestation("x"))
    check_equal("a used nonce", (status, got["reason"]), (401, "ChallengeReplayed"))


def test_tokens(folder, stack):
    """What the token says."""
    broker = Broker(folder, stack, "--broker-allow-sample")
    _, got = Client(broker).attest()
    parts = got["token"].split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(p + "==")) for p in parts[:2])
    check("the header names the key", header["alg"] == "ES256" and header["jwk"]["crv"] == "P-256",
          header)
    cpu = claims["submods"]["cpu0"]
    data = cpu["ear.veraison.annotated-evidence"]["runtime_data_claims"]
    check_equal("the claims hold the key", data["tee-pubkey"], JWK)
    check_equal("sample is no praise", cpu["ear.status"], "contraindicated")
    check_equal("it lasts five minutes", claims["exp"] - claims["iat"] <= 300, True)


def swapped(nonce):
    message = attestation(nonce)
    message["runtime-data"]["tee-pubkey"] = {**JWK, "x": JWK["y"], "y": JWK["x"]}
    return message


def other_key(nonce):
    message = attestation(nonce)
    message["runtime-data"]["tee-pubkey"]["kid"] = "another"
    return message


def with_init_data(nonce):
    return attestation(nonce, **{"init-data": {"format": "toml", "body": 'algorithm = "sha256"\n'}})


def unbound_token(nonce):
    return attestation(nonce, casemate={"podToken": "a.b.c"})


def bound_token(nonce):
    import hashlib

    digest = hashlib.sha256(b"a.b.c").hexdigest()
    additional = '{"casemate":{"podToken":"' + digest + '"}}'
    return attestation(nonce, additional=additional, casemate={"podToken": "a.b.c"})


def dropped_token(nonce):
    message = bound_token(nonce)
    del message["casemate"]
    return message


def test_refusals(folder, stack):
    broker = Broker(folder, stack, "--broker-allow-sample")
    rows = [
        ("a swapped key", swapped, 400, "Malformed"),
        ("a key that was not bound", other_key, 403, "ReportDataMismatch"),
        ("init-data that nothing holds", with_init_data, 403, "MeasurementNotAllowed"),
        ("a token with nobody to ask", unbound_token, 401, "TokenInvalid"),
        ("a bound token with nobody to ask", bound_token, 401, "TokenInvalid"),
        ("a token that was taken out", dropped_token, 403, "ReportDataMismatch"),
        ("no JSON", lambda nonce: b"{", 400, "Malformed"),
        ("nothing", lambda nonce: {}, 400, "Malformed"),
    ]
    for name, body, status, reason in rows:
        got = Client(broker).attest(body)
        check_equal(name, (got[0], got[1]["reason"]), (status, reason))
    client = Client(broker)
    check_equal("another version", client.auth(version="0.1.1")[0], 400)
    check_equal("another TEE", client.auth(tee="cca")[0], 403)
    client.attest()
    for path, status, reason in [
        ("default/later/one", 404, "KeyNotFound"),
        ("default/key/two", 404, "KeyNotFound"),
        ("default/none/one", 404, "KeyNotFound"),
        ("elsewhere/key/one", 403, "NamespaceNotAllowed"),
        ("default/account/one", 403, "ServiceAccountNotAllowed"),
        ("default/key", 404, "Malformed"),
        ("default/key/one/more", 404, "Malformed"),
        ("default/key/%2e%2e", 404, "KeyNotFound"),
        ("Default/key/one", 404, "KeyNotFound"),
    ]:
        got = client.resource(path)
        check_equal(path, (got[0], got[1]["reason"]), (status, reason))
    check_equal("POST of a key", client.send("POST", "/kbs/v0/resource/default/key/one", b"x")[0], 405)
    lines = broker.audit()
    check("each decision is in the audit log", len(lines) >= 5 and
          any(line.get("reason") == "ServiceAccountNotAllowed" for line in lines), lines)
    released = 'casemate_webhook_key_releases_total{protocol="rcar",verdict="refused",reason='
    check_equal("and counted", broker.metric(released + '"ServiceAccountNotAllowed"}'), 1.0)


def test_log_has_no_key(folder, stack):
    broker = Broker(folder, stack, "--broker-allow-sample", "--logging-verbosity=10")
    client = Client(broker)
    client.attest()
    check_equal("released", client.resource()[0], 200)
    texts = broker.log()
    with open(broker.audit_path, encoding="utf-8") as f:
        texts += f.read()
    check("neither log holds the key", "secret-resource" not in texts)
    check("nor the session", client.cookie.split("=", 1)[1] not in texts)


def test_metrics(folder, stack):
    """Trustee's names: what a dashboard that was made for it asks for."""
    broker = Broker(folder, stack, "--broker-allow-sample")
    client = Client(broker)
    client.attest()
    check_equal("released", client.resource()[0], 200)
    check_equal("refused", client.resource("default/account/one")[0], 403)
    check_equal("evidence that is refused", Client(broker).attest(dropped_token)[0], 403)
    check_equal("no JSON", Client(broker).attest(lambda nonce: b"{")[0], 400)
    check_equal("no version of ours", client.auth(version="0.1.1")[0], 400)
    check_equal("no session", Client(broker).resource()[0], 401)
    rows = [
        ("kbs_auth_requests_total", 4),
        ("kbs_auth_successes_total", 3),
        ("kbs_auth_errors_total", 1),
        ("kbs_attestation_requests_total", 3),
        ('kbs_attestation_successes_total{tee_type="sample"}', 1),
        ('kbs_attestation_failures_total{tee_type="sample"}', 1),
        ("kbs_attestation_errors_total", 1),
        ("kbs_policy_evaluations_total", 2),
        ("kbs_policy_approvals_total", 1),
        ("kbs_policy_violations_total", 1),
        ("kbs_policy_errors_total", 0),
        ('kbs_resource_reads_total{resource_path="default/key/one"}', 1),
        ('kbs_resource_writes_total{resource_path="default/made/one"}', 1),
        ("kbs_http_requests_total", 10),
        ("kbs_http_request_duration_seconds_count", 10),
        ('kbs_http_request_duration_seconds_bucket{le="+Inf"}', 10),
        ('kbs_http_request_size_bytes_bucket{le="32.0"}', 4),
        ("kbs_http_response_size_bytes_count", 10),
    ]
    for sample, want in rows:
        check(sample, harness.eventually(lambda s=sample, w=want: broker.metric(s) == w),
              (broker.metric(sample), want))
    check("kbs_build_info", "\nkbs_build_info{version=" in broker.get(broker.metrics_port, "/metrics")[2])


def test_made(folder, stack):
    """Keys of types that can be made are there by themselves, and outlive a restart."""
    broker = Broker(folder, stack, "--broker-allow-sample")
    client = Client(broker)
    client.attest()
    check(
        "a key that nobody imported is released",
        harness.eventually(lambda: client.resource("default/made/one")[0] == 200),
        client.resource("default/made/one"),
    )
    before = [line["version"] for line in broker.audit() if line.get("reason") == "Ok"]
    broker.restart()
    client = Client(broker)
    client.attest()
    check_equal("after a restart too", client.resource("default/made/one")[0], 200)
    after = [line["version"] for line in broker.audit() if line.get("reason") == "Ok"]
    check_equal("in the same version", set(after), set(before))


def test_denied(folder, stack):
    broker = Broker(
        folder, stack, "--broker-allow-sample", "--broker-denied-keys=default/key/one"
    )
    client = Client(broker)
    client.attest()
    got = client.resource()
    check_equal("a denied key", (got[0], got[1]["reason"]), (403, "KeyRevoked"))


def test_many(folder, stack):
    """500 guests have a session each before the first attests, and have attested before the first asks."""
    broker = Broker(folder, stack, "--broker-allow-sample")
    guests = [Client(broker, broker.connect()) for _ in range(MANY)]

    def each(name, step):
        answers = in_parallel(lambda i: step(guests[i]), MANY)
        bad = [a for a in answers if not isinstance(a, tuple) or a[0] != 200]
        check(f"{MANY} at once: {name}", not bad, f"{len(bad)} refused, the first: {bad[:1]}")
        return [a[1] for a in answers if a not in bad]

    nonces = [got["nonce"] for got in each("a session", Client.auth)]
    check_equal("each its nonce", len(set(nonces)), MANY)
    for guest, nonce in zip(guests, nonces):
        guest.nonce = nonce
    each("attested", lambda g: g.send("POST", "/kbs/v0/attest", attestation(g.nonce)))
    keys = each("a key", Client.resource)
    check_equal("each encrypted anew", len({got["ciphertext"] for got in keys}), MANY)
    check_equal("each in the audit log", len([e for e in broker.audit() if e["verdict"] == "released"]),
                MANY)
    with open(f"/proc/{broker.process.pid}/status", encoding="ascii") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    check("memory", rss < RSS_MAX_KB, f"{rss} KB, at most {RSS_MAX_KB}")


def test_namespace_rate(folder, stack):
    """A guest that asks for one key over and over uses up its namespace's share, and no other's."""
    broker = Broker(folder, stack, "--broker-allow-sample")
    broker.put("other", "key", "one", SECRET)
    harness.write(broker.profiles, "other.yaml", profile("key", "one", namespace="other"))
    broker.restart()
    client = Client(broker, broker.connect())
    client.attest()
    begun, answered, answer = time.monotonic(), 0, client.resource()
    while answer[0] == 200 and time.monotonic() - begun < RATE_PATIENCE:
        answered, answer = answered + 1, client.resource()
    seconds = time.monotonic() - begun
    got, asked = (answer[0], answer[1].get("reason")), f"{answered} in {seconds:.1f} s, then {answer}"
    most = KEYS_BURST + KEYS_PER_SEC * (seconds + 1)
    if answered < 2 * KEYS_PER_SEC * seconds:
        check(f"over and over: too slow here for a limit ({asked})", answer[0] in (200, 429))
    else:
        check("over and over: refused in the end", got == (429, "RateLimited"), asked)
        check("not before its share is used, and soon then", KEYS_BURST <= answered <= most, asked)
    check_equal("another namespace's is given", client.resource("other/key/one")[0], 200)
    check("a moment later so is the first", eventually(lambda: client.resource()[0] == 200))


def test_settings(folder, stack):
    code, _, err = harness.command("serve", "--roles=broker", "--standalone", "--check-config")
    check("a certificate is needed", code == 2 and "broker.tls.cert" in err, err)
    code, _, err = harness.command("serve", "--roles=broker", "--check-config")
    check("a KEK is needed", code == 2 and "broker.kekFile" in err, err)


TESTS = [
    test_recorded,
    test_recorded_refusal,
    test_session,
    test_tokens,
    test_refusals,
    test_log_has_no_key,
    test_metrics,
    test_made,
    test_denied,
    test_many,
    test_namespace_rate,
    test_settings,
]
