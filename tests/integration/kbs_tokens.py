# SPDX-License-Identifier: Apache-2.0
"""Service accounts' tokens at a broker that knows the cluster's signing keys and cannot ask its API server:
what has expired is worth nothing, nor what is old, however long its cluster lets it last."""

import time

from harness import check, check_equal
from kbs_broker import Broker, Client, with_token
from kbs_issuer import Issuer

POD = {"namespace": "default", "serviceaccount": {"name": "app", "uid": "s"}}  # of none
COUNTED = 'kbs_attestation_failures_total{tee_type="sample"}'


def test_tokens_of_a_cluster(folder, stack):
    issuer = Issuer(folder)
    broker = Broker(folder, stack, "--broker-allow-sample", *issuer.flags)
    broker.put("default", "account", "one", b"another secret")
    broker.restart()

    def ask(token):
        client = Client(broker)
        status, answer = client.attest(with_token(token))
        if status == 200:
            status, answer = client.resource("default/account/one")
        return status, answer

    now = int(time.time())
    status, answer = ask(issuer.token("app"))
    check("a token: the key", status == 200 and "ciphertext" in answer, answer)
    status, answer = ask(issuer.token("app", age=500))
    check("one of eight minutes: the key", status == 200 and "ciphertext" in answer, answer)
    rows = [
        ("one that has expired", issuer.token("app", age=300, lasts=200), "it has expired"),
        ("one that expired long ago", issuer.token("app", age=86400, lasts=600), "it has expired"),
        ("one that is old and lasts", issuer.token("app", age=700), "ten minutes"),
        ("one that is old and lasts for a year", issuer.token("app", age=86400, lasts=31536000), "ten minutes"),
        ("one that says not when it ends", issuer.token("app", exp=None), ""),
        ("one that says not when it began", issuer.token("app", iat=None), ""),
        ("one of tomorrow", issuer.token("app", age=-86400), ""),
        ("one that is good from tomorrow", issuer.token("app", nbf=now + 86400), ""),
        ("one for the API server", issuer.token("app", aud=["https://kubernetes.default.svc"]), "audience"),
        ("one of another cluster", issuer.token("app", iss="https://elsewhere.example"), ""),
        ("one of no pod", issuer.token("app", **{"kubernetes.io": POD}), ""),
    ]
    for name, token, says in rows:
        failures = broker.metric(COUNTED)
        status, answer = ask(token)
        check_equal(f"{name}: refused", (status, answer.get("reason")), (401, "TokenInvalid"))
        check(f"{name}: says why", says in answer.get("detail", ""), answer)
        check(f"{name}: holds nothing of the token", token.split(".")[1][:40] not in str(answer), answer)
        check_equal(f"{name}: counted", broker.metric(COUNTED) - failures, 1.0)
    status, answer = ask(issuer.token("app"))
    check("and the next good one has it", status == 200, answer)


TESTS = [test_tokens_of_a_cluster]
