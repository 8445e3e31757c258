/* SPDX-License-Identifier: Apache-2.0
 *
 * A visit is one request, from the server's thread until it is answered. Its callbacks find the
 * node anew each time: the loop has turned since. */
#include "webhook/verifier/desk.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/base/algorithm.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/backoff.h"
#include "common/tee/protocol.h"
#include "webhook/verifier/detail.h"
#include "webhook/verifier/desk_message.h"
#include "webhook/verifier/desk_request.h"

enum { TRIES_MAX = 5, DETAIL_MORE = 1024 /* bytes of a waiver */ };

struct visit {
	LIST_ENTRY(visit) link; /* the desk's */
	struct desk *desk;
	struct http_exchange *exchange;
	const struct http_request *request;
	struct http_response *response;
	enum desk_message_kind kind;
	struct secret token;
	void *asked; /* of the judge of tokens */
	int64_t began_usec;

	char node[NODE_NAME_MAX], uid[RECORD_UID_MAX];
	struct desk_message message;
	struct challenge challenge;
	unsigned char digest[RECORD_DIGEST];
	char thumbprint[THUMBPRINT_MAX];
	struct examination examination; /* whose verdict points to what is not ours to keep */
	struct buf detail;              /* what is told of it */
	bool examined;
	struct record before, record; /* of the node; what is being stored */
	unsigned tries;
};

struct desk {
	struct desk_options o;
	pthread_mutex_t lock; /* of visits: threads of the server add some */
	LIST_HEAD(visits, visit) visits;
	unsigned n;
	struct metric *verifications, *duration, *requests, *refusals;
};

static const char *const kinds[MESSAGE_KIND_N] = {"challenge", "evidence", "simulated"};

/*
 * Beginning and end
 */

static struct visit *visit_new(struct desk *d)
{
	struct visit *v = NULL;

	pthread_mutex_lock(&d->lock);
	if (d->n < DESK_VISITS_MAX)
		v = calloc(1, sizeof(*v));
	if (v) {
		v->desk = d;
		v->detail = BUF_INIT(DETAIL_MAX);
		LIST_INSERT_HEAD(&d->visits, v, link);
		d->n++;
	}
	pthread_mutex_unlock(&d->lock);
	return v;
}

static void visit_free(struct visit *v)
{
	struct desk *d = v->desk;

	pthread_mutex_lock(&d->lock);
	LIST_REMOVE(v, link);
	d->n--;
	pthread_mutex_unlock(&d->lock);
	if (v->asked)
		d->o.judge.cancel(d->o.judge.ctx, v->asked);
	secret_free(&v->token);
	desk_message_free(&v->message);
	examination_free(&v->examination);
	buf_free(&v->detail);
	free(v);
}

/* The response is written: sends it. */
static void leave(struct visit *v)
{
	struct http_exchange *x = v->exchange;
	char code[8];

	snprintf(code, sizeof(code), "%d", v->response->status);
	metric_add(v->desk->requests, 1, METRIC_VALUES(kinds[v->kind], code));
	visit_free(v);
	http_finish(x);
}

static void refuse(struct visit *v, int status, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void refuse(struct visit *v, int status, enum reason reason, const char *fmt, ...)
{
	char message[RECORD_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	log_info(2, "Refused a request", LOG_STR("request", kinds[v->kind]),
		LOG_STR("node", v->node), LOG_INT("status", status),
		LOG_STR("reason", reason_name(reason)), LOG_STR("message", message));
	metric_add(v->desk->refusals, 1, METRIC_VALUES(kinds[v->kind], reason_name(reason)));
	desk_refusal(v->response, status, reason, message);
	leave(v);
}

/* What is wrong with the request itself. */
static void refuse_error(struct visit *v, enum reason reason, const struct error *err)
{
	bool ours = err->code == -ENOMEM || err->code == -EIO;
	bool forbidden = reason == REASON_ChallengeInvalid || reason == REASON_ChallengeExpired ||
			 reason == REASON_NodeMismatch;

	refuse(v,
		ours        ? 503
		: forbidden ? 403
			    : 400,
		ours ? REASON_Internal : reason, "%s", err->message);
}

/* The node that asks, if it is still there; else the visit has been answered. */
static struct node *find_node(struct visit *v)
{
	struct node *n = nodes_find(v->desk->o.nodes, v->node);

	if (n && strcmp(n->seen.uid, v->uid) == 0)
		return n;
	refuse(v, 401, REASON_TokenInvalid,
		"the token is of node %s with the UID %s, but there is no such Node%s", v->node,
		v->uid, n ? " any more: another has its name" : "");
	return NULL;
}

/*
 * Challenges and certificates
 */

static void give_challenge(struct visit *v)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
	struct challenge c;
	struct error err = {0};
	int r = challenge_new(&c, v->uid, clock_unix_usec(),
		PROTOCOL_CHALLENGE_SEC * (int64_t)USEC_PER_SEC, &err);

	if (r == 0)
		r = challenge_seal(&sealed, v->desk->o.keys, &c, &err);
	if (r < 0) {
		refuse(v, 503, REASON_Internal, "%s", err.message);
		return;
	}
	v->response->status = 200;
	desk_message_challenge(v->response->body, buf_view(&sealed), c.expires_usec / USEC_PER_SEC);
	leave(v);
}

static void give_certificate(struct visit *v)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(16 * 1024);
	struct error err = {0};
	int r;

	if (!v->desk->o.simulation) {
		refuse(v, 403, REASON_SimulatedNotAllowed,
			"simulated TEEs are not allowed in this cluster (allowSimulated)");
		return;
	}
	r = simulation_certify(v->desk->o.simulation, &pem, buf_view(&v->message.public_key),
		v->uid, clock_unix_usec() / USEC_PER_SEC, &err);
	if (r == -EBADMSG || r == -EINVAL) {
		refuse(v, 400, REASON_Malformed, "%s", err.message);
	} else if (r < 0) {
		refuse(v, 503, REASON_Internal, "%s", err.message);
	} else {
		v->response->status = 200;
		desk_message_certificate(v->response->body, buf_view(&pem));
		leave(v);
	}
}

/*
 * Evidence
 */

static void answer(struct visit *v, const struct record *r)
{
	const struct judge_rules *rules = v->desk->o.rules;
	int64_t now_sec = clock_unix_usec() / USEC_PER_SEC, wait = v->examination.wait_sec;
	uint32_t chance = backoff_chance();

	v->response->status = 200;
	desk_message_verdict(v->response->body, r,
		wait && r->standing == RECORD_REFUSED ? judge_soon(wait, rules, chance)
						      : judge_again(r, rules, now_sec, chance));
	leave(v);
}

static void tell(struct visit *v, const struct node *n)
{
	bool warning;
	const char *event = judge_event(&v->before, &v->record, &warning);
	const struct record *r = &v->record;

	metric_add(v->desk->verifications, 1,
		METRIC_VALUES(record_platform_name(r->platform), record_standing_name(r->standing),
			reason_name(r->reason)));
	log_info(1, "Judged a node", LOG_STR("node", v->node),
		LOG_STR("platform", record_platform_name(r->platform)),
		LOG_STR("verdict", record_standing_name(r->standing)),
		LOG_STR("reason", reason_name(r->reason)), LOG_STR("message", r->message),
		LOG_SECS("seconds",
			(double)(clock_monotonic_usec() - v->began_usec) / USEC_PER_SEC));
	if (event)
		publish_event(v->desk->o.publisher, n, warning, event,
			r->message[0] ? r->message : reason_explanation(r->reason));
}

static void judge_visit(struct visit *v);

static void on_published(void *ctx, enum publish_outcome outcome, const char *message)
{
	struct visit *v = ctx;
	struct node *n;

	if (outcome == PUBLISH_CONFLICT && ++v->tries < TRIES_MAX) {
		judge_visit(v);
		return;
	}
	if (outcome != PUBLISHED) {
		refuse(v, 503, REASON_Internal, "the verdict could not be stored: %s", message);
		return;
	}
	n = find_node(v);
	if (!n)
		return;
	tell(v, n);
	publish_marks(v->desk->o.publisher, n, clock_unix_usec() / USEC_PER_SEC);
	answer(v, &v->record);
}

/* Once for a visit, however often its verdict must be judged anew. */
static int examine_evidence(struct visit *v)
{
	const struct desk_message *m = &v->message;
	struct examination *e = &v->examination;
	const struct node_binding binding = {
		.challenge = buf_view(&m->challenge),
		.node = span_str(v->node),
		.node_uid = span_str(v->uid),
		.public_key = buf_view(&m->public_key),
		.token = secret_view(&v->token),
	};
	unsigned char report_data[64];
	int64_t began = clock_monotonic_usec();
	int r;

	if (v->examined)
		return 0;
	v->examined = true;
	detail_capacity(&v->detail, m->epc_bytes, m->cvm_slots);
	if (record_platform_is_host(m->platform))
		return v->detail.err;
	r = node_binding_report_data(report_data, &binding);
	if (r < 0)
		return r;
	v->desk->o.examine(v->desk->o.ctx, buf_view(&m->evidence), report_data,
		clock_unix_usec() / USEC_PER_SEC, e);
	detail_write(&v->detail, &e->verdict, e->opened ? &e->evidence : NULL);
	metric_observe(
		v->desk->duration, (double)(clock_monotonic_usec() - began) / USEC_PER_SEC, NULL);
	return v->detail.err;
}

static unsigned count_sharing(struct visit *v)
{
	const struct verdict *verdict = &v->examination.verdict;

	if (!v->desk->o.rules->max_nodes_per_platform || !verdict->platform_id_len)
		return 0;
	return nodes_sharing(v->desk->o.nodes, v->node, verdict->platform_id,
		verdict->platform_id_len, clock_unix_usec() / USEC_PER_SEC);
}

static void store(struct visit *v, struct node *n)
{
	const struct desk_options *o = &v->desk->o;
	const struct examination *e = &v->examination;
	bool host = record_platform_is_host(v->message.platform);
	int64_t now_sec = clock_unix_usec() / USEC_PER_SEC;
	_cleanup_buf_ struct buf detail = BUF_INIT(DETAIL_MAX + DETAIL_MORE);
	struct error err = {0};

	judge(&v->record, &(struct judge_input){
				  .rules = o->rules,
				  .node = v->node,
				  .node_uid = v->uid,
				  .before = &v->before,
				  .challenge = &v->challenge,
				  .platform = v->message.platform,
				  .digest = v->digest,
				  .thumbprint = v->thumbprint,
				  .evidence = e->opened ? &e->evidence : NULL,
				  .verdict = host ? NULL : &e->verdict,
				  .starts_vms = v->message.cvm_slots >= 0,
				  .sharing = count_sharing(v),
				  .epoch = o->lease ? kube_lease_term(o->lease) : 0,
				  .now_usec = clock_unix_usec(),
			  });
	buf_span(&detail, buf_view(&v->detail));
	if (waiver_wanted(&v->record, &n->waiver, v->uid, now_sec)) {
		waiver_apply(&v->record, &n->waiver, v->uid, v->record.epoch, now_sec);
		waiver_write(&detail, &n->waiver);
	}
	if (detail.err || publish_record(o->publisher, n, &v->record, buf_view(&detail),
				  on_published, v, &err) < 0)
		refuse(v, 503, REASON_Internal, "%s",
			err.code ? err.message : "the verdict is too large to be stored");
}

/* By what is stored about the node now. */
static void judge_visit(struct visit *v)
{
	struct node *n = find_node(v);

	if (!n)
		return;
	if (n->judging) {
		refuse(v, 429, REASON_RateLimited, "evidence of this node is being judged already");
		return;
	}
	v->before = n->record;
	switch (judge_use(&v->before, v->uid, &v->challenge, v->digest, v->thumbprint)) {
	case JUDGE_SAME:
		answer(v, &v->before);
		return;
	case JUDGE_REPLAYED:
		refuse(v, 403, REASON_ChallengeReplayed, "%s",
			reason_advice(REASON_ChallengeReplayed));
		return;
	default:
		if (examine_evidence(v) < 0)
			refuse(v, 503, REASON_Internal, "out of memory, or too much to tell");
		else
			store(v, n);
	}
}

static void take_evidence(struct visit *v)
{
	const struct desk_message *m = &v->message;
	enum reason reason = REASON_Internal;
	struct error err = {0};

	if (challenge_open(&v->challenge, buf_view(&m->challenge), v->desk->o.keys, v->uid,
		    clock_unix_usec(), &reason, &err) < 0) {
		refuse_error(v, reason, &err);
		return;
	}
	if (!algorithm_hash(m->evidence.p ? m->evidence.p : "", m->evidence.len, v->digest) ||
		node_binding_thumbprint(v->thumbprint, buf_view(&m->public_key)) < 0)
		refuse(v, 503, REASON_Internal, "out of memory");
	else
		judge_visit(v);
}

/*
 * Who asks
 */

/* A bucket of DESK_BURST requests, filled one in DESK_RATE_USEC. */
static bool within_rate(struct node *n, int64_t now_usec)
{
	int64_t full = DESK_BURST * (int64_t)DESK_RATE_USEC;

	if (n->tokens_usec < now_usec)
		n->tokens_usec = now_usec;
	if (n->tokens_usec + DESK_RATE_USEC > now_usec + full)
		return false;
	n->tokens_usec += DESK_RATE_USEC;
	return true;
}

static void handle(struct visit *v)
{
	enum reason reason = REASON_Internal;
	struct node *n = find_node(v);
	struct error err = {0};

	if (!n)
		return;
	if (!within_rate(n, clock_monotonic_usec())) {
		refuse(v, 429, REASON_RateLimited, "the node has asked too often; %s",
			reason_remedy(REASON_RateLimited));
		return;
	}
	if (desk_message_read(&v->message, v->kind, v->request->body, &reason, &err) < 0) {
		refuse_error(v, reason, &err);
		return;
	}
	switch (v->kind) {
	case MESSAGE_CHALLENGE:
		give_challenge(v);
		return;
	case MESSAGE_SIMULATED:
		give_certificate(v);
		return;
	default:
		take_evidence(v);
	}
}

static void on_judged(void *arg, const struct caller *c)
{
	struct visit *v = arg;

	v->asked = NULL;
	if (c->status == 503) {
		refuse(v, 503, REASON_Internal, "%s", c->message);
	} else if (c->status != 200) {
		refuse(v, 401, REASON_TokenInvalid, "%s", c->message);
	} else if (strcmp(c->user, v->desk->o.agent) != 0) {
		refuse(v, 401, REASON_TokenInvalid,
			"the token is of %.128s, not of the node agents (%s)", c->user,
			v->desk->o.agent);
	} else if (!c->node_name[0] || !c->node_uid[0] || strlen(c->node_name) >= sizeof(v->node) ||
		   strlen(c->node_uid) >= sizeof(v->uid)) {
		refuse(v, 401, REASON_TokenInvalid, "%s", reason_advice(REASON_TokenInvalid));
	} else {
		snprintf(v->node, sizeof(v->node), "%s", c->node_name);
		snprintf(v->uid, sizeof(v->uid), "%s", c->node_uid);
		handle(v);
	}
}

/* On the loop. */
static void begin(void *ctx)
{
	struct visit *v = ctx;
	const struct caller_judge *judge = &v->desk->o.judge;
	void *asked;

	if (!nodes_synced(v->desk->o.nodes)) {
		refuse(v, 503, REASON_Internal, "the cluster's Nodes are not known yet; try again");
		return;
	}
	/* Unless it calls back at once, and then v is no more. */
	asked = judge->ask(judge->ctx, secret_view(&v->token), on_judged, v);
	if (asked)
		v->asked = asked;
}

/*
 * The server's threads
 */

enum http_verdict desk_handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct desk *d = ctx;
	enum desk_message_kind kind;
	struct span token;
	struct visit *v;

	if (!desk_accept(x, req, res, &kind, &token))
		return HTTP_DONE;
	v = visit_new(d);
	if (v) {
		v->kind = kind;
		v->exchange = x;
		v->request = req;
		v->response = res;
		v->began_usec = clock_monotonic_usec();
		if (secret_copy(&v->token, token) == 0 && loop_post(d->o.queue, begin, v) == 0)
			return HTTP_DEFERRED;
		visit_free(v);
	}
	desk_refusal(res, 429, REASON_RateLimited, "too many requests at once; try again");
	return HTTP_DONE;
}

static int register_metrics(struct desk *d, struct error *err)
{
	static const char *const by_verdict[] = {"platform", "verdict", "reason", NULL};
	static const char *const by_code[] = {"request", "code", NULL};
	static const char *const by_reason[] = {"request", "reason", NULL};
	static const double bounds[] = {
		.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, 1};

	if (!d->o.metrics)
		return 0;
	d->verifications = metrics_counter(d->o.metrics, "casemate_webhook_verifications_total",
		"Nodes' evidence judged, by platform, verdict and reason.", by_verdict);
	d->requests = metrics_counter(d->o.metrics, "casemate_webhook_verifier_requests_total",
		"Requests of node agents by kind and HTTP code.", by_code);
	d->refusals = metrics_counter(d->o.metrics, "casemate_webhook_verifier_refusals_total",
		"Requests of node agents that were refused, before any evidence was judged.",
		by_reason);
	d->duration = metrics_histogram(d->o.metrics,
		"casemate_webhook_verification_duration_seconds",
		"How long the verification of evidence takes.", NULL, bounds, ARRAY_SIZE(bounds));
	if (!d->verifications || !d->requests || !d->refusals || !d->duration)
		return error_oom(err);
	for (size_t i = 0; i < MESSAGE_KIND_N; i++)
		metric_add(
			d->refusals, 0, METRIC_VALUES(kinds[i], reason_name(REASON_TokenInvalid)));
	return 0;
}

int desk_new(struct desk **ret_d, const struct desk_options *o, struct error *err)
{
	_cleanup_(desk_free_p) struct desk *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_oom(err);
	d->o = *o;
	pthread_mutex_init(&d->lock, NULL);
	r = register_metrics(d, err);
	if (r < 0)
		return r;
	*ret_d = TAKE_PTR(d);
	return 0;
}

void desk_free(struct desk *d)
{
	struct visit *v;

	if (!d)
		return;
	while ((v = LIST_FIRST(&d->visits))) {
		desk_refusal(v->response, 503, REASON_Internal, "the verifier is ending");
		leave(v);
	}
	pthread_mutex_destroy(&d->lock);
	free(d);
}
