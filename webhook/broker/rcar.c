/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/rcar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/broker/rcar_private.h"
#include "webhook/broker/token.h"

enum {
	NODE_RATE = 20, /* attestations of one node's agent a second */
	NODE_BURST = 200,
};

static const char *const kinds[RCAR_KIND_N] = {"auth", "attest", "resource", "unwrap", "versions"};

/*
 * Beginning and end
 */

static struct visit *visit_new(struct rcar_desk *d)
{
	struct visit *v = d->n < RCAR_VISITS_MAX ? calloc(1, sizeof(*v)) : NULL;

	if (!v)
		return NULL;
	v->desk = d;
	v->jwe = BUF_INIT(JWK_RSA_BYTES_MAX * 1024);
	LIST_INSERT_HEAD(&d->visits, v, link);
	d->n++;
	return v;
}

static void visit_free(struct visit *v)
{
	struct rcar_desk *d = v->desk;

	LIST_REMOVE(v, link);
	d->n--;
	witness_cancel(v->asked);
	rcar_attest_free(&v->attest);
	packet_free(&v->packet);
	buf_free(&v->jwe);
	free(v);
}

void visit_leave(struct visit *v)
{
	struct http_exchange *x = v->exchange;
	char code[8];

	snprintf(code, sizeof(code), "%d", v->response->status);
	metric_add(v->desk->requests, 1, METRIC_VALUES(kinds[v->kind], code));
	kbs_metrics_answered(&v->desk->kbs, clock_monotonic_usec() - v->begun_usec,
		v->request->body.len, v->response->body->len);
	visit_free(v);
	http_finish(x);
}

void visit_tell(struct visit *v, const char *type, const char *event, const char *fmt, ...)
{
	const struct requester *who = &v->session.who;
	const struct kube_object_ref pod = {"v1", "Pod", who->namespace_, who->pod, who->pod_uid};
	char note[2 * RCAR_DETAIL_MAX];
	va_list ap;

	if (!v->desk->o.events || !who->pod_uid[0])
		return;
	va_start(ap, fmt);
	vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	kube_event(v->desk->o.events, &pod, type, event, "ReleaseKey", note);
}

void visit_decided(struct visit *v, enum reason reason, const char *message)
{
	const struct rcar_options *o = &v->desk->o;
	const struct requester *who = &v->session.who;

	/* A layer is pulled before its pod asks for anything. */
	if (o->decided && v->kind != RCAR_UNWRAP && who->node[0] && who->pod_uid[0])
		o->decided(o->ctx, who, &v->key, reason, message);
}

/* Under Trustee's names. Whom there was no time for did not come as far as being judged. */
static void count_refusal(const struct visit *v, int status)
{
	const struct kbs_metrics *k = &v->desk->kbs;
	bool judged = v->judged && (status == 401 || status == 403 || status == 404);

	if (status == 429)
		return;
	if (v->kind == RCAR_AUTH)
		metric_add(k->auth_errors, 1, NULL);
	if (v->kind == RCAR_ATTEST && judged)
		metric_add(k->attest_failures, 1, METRIC_VALUES(v->session.tee));
	if (v->kind == RCAR_ATTEST && !judged)
		metric_add(k->attest_errors, 1, NULL);
}

static void refuse(struct visit *v, int status, enum reason reason, const char *message)
{
	log_info(2, "Refused a request", LOG_STR("request", kinds[v->kind]),
		LOG_STR("tee", v->session.tee), LOG_STR("node", v->session.who.node),
		LOG_STR("pod", v->session.who.pod), LOG_INT("status", status),
		LOG_STR("reason", reason_name(reason)), LOG_STR("message", message));
	/* What only asking again may change is no news. */
	if (status == 403 || status == 404) {
		visit_decided(v, reason, message);
		visit_tell(v, "Warning", "KeyRefused", "%s%s%s: %s (%s)", v->key.profile,
			v->key.key[0] ? "/" : "the node's proof", v->key.key, message,
			reason_name(reason));
	}
	count_refusal(v, status);
	rcar_refusal(v->response, status, reason, message);
	visit_leave(v);
}

void visit_refuse(struct visit *v, enum reason reason, const char *fmt, ...)
{
	char message[RCAR_DETAIL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	refuse(v, rcar_status(reason), reason, message);
}

/* The session goes on as this cookie. */
static int put_session(struct visit *v, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SESSION_TEXT_MAX);
	int r = session_seal(&text, v->desk->o.keys, &v->session, err);

	if (r < 0)
		return r;
	rcar_set_cookie(
		v->response, buf_view(&text), v->session.expires_usec / (int64_t)USEC_PER_SEC);
	return v->response->cookie->err ? error_set(err, -E2BIG, "the session is too long") : 0;
}

/*
 * Request and challenge
 */

static void give_challenge(struct visit *v)
{
	char tee[RCAR_TEE_MAX];
	struct error err = {0};
	int r = rcar_auth_read(tee, v->request->body, &err);

	metric_add(v->desk->kbs.auth_requests, 1, NULL);
	if (r < 0) {
		visit_refuse(v, REASON_Malformed, "%s", err.message);
		return;
	}
	if (!attestation_knows(tee)) {
		visit_refuse(
			v, REASON_UnsupportedVersion, "evidence of the TEE %s is not known", tee);
		return;
	}
	r = session_new(&v->session, tee, clock_unix_usec(), &err);
	if (r == 0)
		r = put_session(v, &err);
	if (r < 0) {
		visit_refuse(v, REASON_Internal, "%s", err.message);
		return;
	}
	metric_add(v->desk->kbs.auth_successes, 1, NULL);
	rcar_challenge_write(v->response->body, v->session.nonce);
	visit_leave(v);
}

/*
 * Attestation
 */

static void answer(struct visit *v, const struct attestation_proof *proof)
{
	_cleanup_buf_ struct buf token = BUF_INIT(64 * 1024);
	const struct rcar_options *o = &v->desk->o;
	const struct token_claims claims = {
		.session = &v->session,
		.tee_pubkey = v->attest.tee_pubkey,
		.additional = v->attest.additional,
		.report_data = proof->report_data,
		.init_data_hex = span_str(proof->init_data),
		.version = o->version,
	};
	struct error err = {0};
	int r = *o->token_key ? 0 : error_set(&err, -ENOKEY, "there is no key to sign tokens yet");

	if (r == 0)
		r = token_write(&token, &claims, o->keys, &v->desk->signer, *o->token_key,
			clock_unix_usec() / (int64_t)USEC_PER_SEC, &err);
	if (r == 0)
		r = put_session(v, &err);
	if (r < 0) {
		visit_refuse(v, REASON_Internal, "%s", err.message);
		return;
	}
	metric_add(v->desk->kbs.attest_successes, 1, METRIC_VALUES(v->session.tee));
	log_info(3, "Attested", LOG_STR("tee", v->session.tee),
		LOG_STR("node", v->session.who.node), LOG_STR("pod", v->session.who.pod));
	rcar_token_write(v->response->body, buf_view(&token));
	visit_leave(v);
}

static void judge(struct visit *v, const struct testimony *t)
{
	const struct attestation_rules *rules = &v->desk->o.rules;
	struct attestation_proof proof;
	enum reason reason = REASON_Internal;
	struct error err = {0};

	v->judged = true;
	if (attestation_judge(rules, &v->attest, &v->session,
		    clock_unix_usec() / (int64_t)USEC_PER_SEC, &proof, &reason, &err) < 0) {
		/* What is being fetched is soon there: no decision against anybody. */
		refuse(v, proof.wait_sec ? 503 : rcar_status(reason), reason, err.message);
		return;
	}
	if (t && !attestation_fits_node(&v->session, &t->node, &reason, &err)) {
		visit_refuse(v, reason, "%s", err.message);
		return;
	}
	answer(v, &proof);
}

static void copy(char *to, size_t size, struct span s)
{
	snprintf(to, size, SPAN_FMT, SPAN_ARG(s));
}

bool visit_node_may(struct visit *v)
{
	if (rates_take(v->desk->rates, RATE_NODE, v->session.who.node, NODE_RATE, NODE_BURST,
		    clock_monotonic_usec()))
		return true;
	visit_refuse(v, REASON_RateLimited, "the node has asked too often; %s",
		reason_remedy(REASON_RateLimited));
	return false;
}

static void on_testimony(void *ctx, const struct testimony *t)
{
	struct visit *v = ctx;
	const struct rcar_requester *r = &v->attest.who;

	v->asked = NULL;
	v->judged = true;
	v->session.who = t->who;
	if (t->reason != REASON_Ok) {
		visit_refuse(v, t->reason, "%s", t->message);
		return;
	}
	if (t->who.node[0] && !visit_node_may(v))
		return;
	/* what the evidence binds, which is seen to later */
	copy(v->session.who.container, sizeof(v->session.who.container), r->container);
	judge(v, t->who.node[0] ? t : NULL);
}

static void take_attestation(struct visit *v)
{
	const struct rcar_options *o = &v->desk->o;
	enum reason reason = REASON_Malformed;
	int64_t now = clock_unix_usec();
	struct error err = {0};
	int r;

	metric_add(v->desk->kbs.attest_requests, 1, NULL);
	if (session_open(&v->session, o->keys, v->cookie, now, &reason, &err) < 0) {
		visit_refuse(v, reason, "%s", err.message);
		return;
	}
	r = v->session.attested
		    ? -EEXIST
		    : nonces_use(v->desk->nonces, v->session.nonce, v->session.expires_usec, now);
	if (r < 0) {
		visit_refuse(v, r == -EEXIST ? REASON_ChallengeReplayed : REASON_Internal, "%s",
			r == -EEXIST ? "this session has attested already" : "out of memory");
		return;
	}
	r = rcar_attest_read(&v->attest, v->request->body, &err);
	if (r < 0) {
		visit_refuse(v, r == -ENOMEM ? REASON_Internal : reason, "%s", err.message);
		return;
	}
	if (!v->attest.who.node_token.len && !v->attest.who.pod_token.len) {
		judge(v, NULL);
		return;
	}
	if (!o->witness) {
		visit_refuse(v, REASON_TokenInvalid,
			"this broker has no API server to ask whose a token is");
		return;
	}
	v->asked = witness_ask(
		o->witness, &v->attest.who, now / (int64_t)USEC_PER_SEC, on_testimony, v);
	if (v->asked)
		witness_go(v->asked);
	else
		visit_refuse(v, REASON_Internal, "out of memory");
}

/*
 * The server's handler
 */

static void begin(struct visit *v)
{
	if ((v->kind == RCAR_AUTH || v->kind == RCAR_ATTEST || v->kind == RCAR_VERSIONS) &&
		!rates_share(v->desk->rates, v->request->client, v->desk->o.max_rate,
			clock_monotonic_usec())) {
		visit_refuse(v, REASON_RateLimited, "the broker is asked too often; %s",
			reason_remedy(REASON_RateLimited));
		return;
	}
	switch (v->kind) {
	case RCAR_AUTH:
		give_challenge(v);
		return;
	case RCAR_ATTEST:
		take_attestation(v);
		return;
	case RCAR_UNWRAP:
		visit_unwrap(v);
		return;
	case RCAR_VERSIONS:
		visit_versions(v);
		return;
	default:
		visit_resource(v);
	}
}

enum http_verdict rcar_handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct rcar_desk *d = ctx;
	struct rcar_request rq;
	struct visit *v;

	if (!rcar_accept(x, req, res, &rq)) {
		kbs_metrics_answered(&d->kbs, 0, req->body.len, res->body->len);
		return HTTP_DONE;
	}
	v = visit_new(d);
	if (v) {
		v->kind = rq.kind;
		v->begun_usec = clock_monotonic_usec();
		v->key = rq.key;
		v->exchange = x;
		v->request = req;
		v->response = res;
		v->cookie = rq.session;
		v->bearer = rq.bearer;
		begin(v); /* which may have ended it already */
		return HTTP_DEFERRED;
	}
	rcar_refusal(res, 429, REASON_RateLimited, "too many requests at once; try again");
	kbs_metrics_answered(&d->kbs, 0, req->body.len, res->body->len);
	return HTTP_DONE;
}

static int register_metrics(struct rcar_desk *d, struct error *err)
{
	static const char *const by_code[] = {"request", "code", NULL};
	struct metrics *m = d->o.metrics;

	d->requests = metrics_counter(m, "casemate_webhook_broker_requests_total",
		"Requests to the key broker by kind and HTTP code.", by_code);
	if (!d->requests)
		return error_oom(err);
	/* A rate needs a beginning. */
	metric_add(d->requests, 0, METRIC_VALUES(kinds[RCAR_RESOURCE], "200"));
	return kbs_metrics_register(&d->kbs, m, d->o.version, err);
}

int rcar_desk_new(struct rcar_desk **ret_d, const struct rcar_options *o, struct error *err)
{
	_cleanup_(rcar_desk_free_p) struct rcar_desk *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_oom(err);
	d->o = *o;
	d->nonces = nonces_new();
	d->rates = rates_new();
	if (!d->nonces || !d->rates)
		return error_oom(err);
	r = o->metrics ? register_metrics(d, err) : 0;
	if (r < 0)
		return r;
	*ret_d = TAKE_PTR(d);
	return 0;
}

void rcar_desk_free(struct rcar_desk *d)
{
	struct visit *v;

	if (!d)
		return;
	while ((v = LIST_FIRST(&d->visits))) {
		rcar_refusal(v->response, 503, REASON_Internal, "the key broker is ending");
		visit_leave(v);
	}
	token_signer_free(&d->signer);
	nonces_free(d->nonces);
	rates_free(d->rates);
	free(d);
}
