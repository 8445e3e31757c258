/* SPDX-License-Identifier: Apache-2.0
 *
 * A call goes through its questions one after the other: the node's token, the pod's, the
 * NodeAttestation; or asks for a Pod. */
#include "webhook/broker/witness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/codec.h"
#include "common/base/secret.h"

enum {
	RESPONSE_MAX = 2 * 1024 * 1024,
	PATH_MAX_BYTES = 512,
	CLAIMS_MAX = 16 * 1024,
	CLAIMS_NODES = 500,
	CLAIMS_DEPTH = 16,
	POD_NODES = 200000,
	PODS_MAX = 16 * 1024 * 1024, /* bytes of a namespace's pods on one node */
	PODS_NODES = 2000000,
	SKEW_SEC = 60,
};

#define ACCOUNT "system:serviceaccount:"

struct witness {
	struct witness_options o;
	char agent[400];
};

struct witness_call {
	struct witness *w;
	struct secret node_token, pod_token;
	int64_t now_sec;
	struct testimony t;
	char message[480];
	void *asked;            /* of the judge of tokens */
	struct kube_call *kube; /* of the API server */
	witness_done done;
	witness_pod_done pod_done;
	bool list; /* of Pods, and not one */
	bool token_alone; /* not the NodeAttestation */
	void *ctx;
};

static void call_free(struct witness_call *c)
{
	secret_free(&c->node_token);
	secret_free(&c->pod_token);
	free(c);
}

void witness_cancel(struct witness_call *c)
{
	if (!c)
		return;
	if (c->asked)
		c->w->o.judge.cancel(c->w->o.judge.ctx, c->asked);
	if (c->kube)
		kube_cancel(c->kube);
	call_free(c);
}

int witness_new(struct witness **ret_w, const struct witness_options *o, struct error *err)
{
	struct witness *w = calloc(1, sizeof(*w));

	if (!w)
		return error_oom(err);
	w->o = *o;
	snprintf(w->agent, sizeof(w->agent), "%s", o->agent);
	*ret_w = w;
	return 0;
}

void witness_free(struct witness *w)
{
	free(w);
}

/* The call is over; c is no more. */
static void testify(struct witness_call *c, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void testify(struct witness_call *c, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->message, sizeof(c->message), fmt, ap);
	va_end(ap);
	c->t.reason = reason;
	c->t.message = c->message;
	c->done(c->ctx, &c->t);
	call_free(c);
}

/*
 * The node
 */

bool witness_node_holds(const struct record *r, const char *node, const char *node_uid,
	int64_t now_sec, enum reason *ret_reason, struct error *err)
{
	enum reason reason = r->standing == RECORD_REFUSED || r->standing == RECORD_WAIVED
				     ? r->reason
				     : REASON_VerdictExpired;

	if (record_holds(r, node_uid, now_sec) &&
		(r->standing == RECORD_ATTESTED || r->standing == RECORD_STANDING_SIMULATED))
		return true;
	if (reason == REASON_Ok)
		reason = REASON_NotAttested;
	*ret_reason = reason;
	error_set(err, -EACCES, "node %s is not attested now (%s): %s", node,
		record_standing_name(r->standing)[0] ? record_standing_name(r->standing)
						     : "no verdict",
		r->message[0] ? r->message : reason_explanation(reason));
	return false;
}

static void on_record(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {RESPONSE_MAX, POD_NODES, JSON_MAX_DEPTH};
	struct witness_call *c = ctx;
	_cleanup_json_ struct json doc = {0};
	struct record *r = &c->t.node;
	enum reason reason = REASON_Internal;
	struct error err = {0};

	c->kube = NULL;
	if (res->status == 404) {
		testify(c, REASON_NotAttested, "node %s has no NodeAttestation: %s", c->t.who.node,
			reason_remedy(REASON_NotAttested));
		return;
	}
	if (res->code || res->status != 200 || json_parse(&doc, res->body, &limits, NULL) < 0) {
		testify(c, REASON_Internal, "the NodeAttestation of %s cannot be read: %s",
			c->t.who.node, res->message);
		return;
	}
	record_read(r, json_root(&doc));
	if (witness_node_holds(r, c->t.who.node, c->t.who.node_uid, c->now_sec, &reason, &err))
		testify(c, REASON_Ok, "%s", "");
	else
		testify(c, reason, "%s", err.message);
}

/* Names come from the API server's own answers, so they need no escapes. */
static int get(struct witness_call *c, const char *path, size_t max, kube_done done)
{
	const struct kube_request rq = {.method = "GET", .path = path, .max_response = max};
	struct error err = {0};

	return kube_call(c->w->o.kube, &rq, done, c, &c->kube, &err);
}

static void ask_record(struct witness_call *c)
{
	char path[PATH_MAX_BYTES];

	if (!c->t.who.node[0] || c->token_alone) {
		testify(c, REASON_Ok, "%s", "");
		return;
	}
	snprintf(path, sizeof(path), "/apis/casemate.dev/v1alpha1/nodeattestations/%s",
		c->t.who.node);
	if (get(c, path, RESPONSE_MAX, on_record) < 0)
		testify(c, REASON_Internal, "the API server cannot be asked");
}

/*
 * Tokens
 */

/* When a token was made, from its claims, whose signature the API server has checked; -1: unsaid.
 */
static int64_t issued(struct span token)
{
	static const struct json_limits limits = {CLAIMS_MAX, CLAIMS_NODES, CLAIMS_DEPTH};
	_cleanup_buf_ struct buf claims = BUF_INIT(CLAIMS_MAX);
	_cleanup_json_ struct json doc = {0};
	const char *dot = memchr(token.p, '.', token.len), *end;
	int64_t iat;

	if (!dot)
		return -1;
	dot++;
	end = memchr(dot, '.', token.len - (size_t)(dot - token.p));
	if (!end ||
		codec_unbase64(&claims, CODEC_BASE64_URL, (struct span){dot, (size_t)(end - dot)}) <
			0 ||
		json_parse(&doc, buf_view(&claims), &limits, NULL) < 0 ||
		!json_int(json_get(json_root(&doc), "iat"), &iat))
		return -1;
	return iat;
}

static bool keep(char *to, size_t size, const char *from)
{
	return from[0] && (size_t)snprintf(to, size, "%s", from) < size;
}

/* "system:serviceaccount:NAMESPACE:NAME" */
static bool keep_account(struct requester *w, const char *user)
{
	struct span rest = span_after(span_str(user), ACCOUNT);
	const char *colon = rest.len ? memchr(rest.p, ':', rest.len) : NULL;

	if (!colon || (size_t)(colon - rest.p) >= sizeof(w->namespace_))
		return false;
	snprintf(w->namespace_, sizeof(w->namespace_), "%.*s", (int)(colon - rest.p), rest.p);
	return keep(w->service_account, sizeof(w->service_account), colon + 1);
}

static bool failed(struct witness_call *c, const struct caller *who, const char *whose)
{
	if (who->status == 200)
		return false;
	testify(c, who->status == 503 ? REASON_Internal : REASON_TokenInvalid, "%s token: %s",
		whose, who->message);
	return true;
}

static void on_pod_token(void *ctx, const struct caller *who)
{
	struct witness_call *c = ctx;
	struct requester *w = &c->t.who;
	int64_t iat;

	c->asked = NULL;
	if (failed(c, who, "the pod's"))
		return;
	iat = issued(secret_view(&c->pod_token));
	if (!keep_account(w, who->user) || !keep(w->pod, sizeof(w->pod), who->pod_name) ||
		!keep(w->pod_uid, sizeof(w->pod_uid), who->pod_uid)) {
		testify(c, REASON_TokenInvalid, "the pod's token is bound to no pod; %s",
			reason_remedy(REASON_TokenInvalid));
	} else if (iat < c->now_sec - WITNESS_TOKEN_SEC || iat > c->now_sec + SKEW_SEC) {
		testify(c, REASON_TokenInvalid,
			"the pod's token was not made within the last %d minutes: read it anew",
			WITNESS_TOKEN_SEC / 60);
	} else if (w->node[0] && (strcmp(w->node, who->node_name) != 0 ||
					 strcmp(w->node_uid, who->node_uid) != 0)) {
		testify(c, REASON_NodeMismatch,
			"the pod's token is of a pod on node \"%s\", and the agent's of node %s",
			who->node_name, w->node);
	} else {
		ask_record(c);
	}
}

static void ask_token(struct witness_call *c, struct secret *token, caller_judged judged)
{
	const struct caller_judge *judge = &c->w->o.judge;
	void *asked = judge->ask(judge->ctx, secret_view(token), judged, c);

	/* Unless it called back at once, and then c may be no more. */
	if (asked)
		c->asked = asked;
}

static void on_node_token(void *ctx, const struct caller *who)
{
	struct witness_call *c = ctx;
	struct requester *w = &c->t.who;

	c->asked = NULL;
	if (failed(c, who, "the agent's"))
		return;
	if (strcmp(who->user, c->w->agent) != 0) {
		testify(c, REASON_TokenInvalid,
			"the agent's token is of %.128s, not of the node agents (%s)", who->user,
			c->w->agent);
	} else if (!keep(w->node, sizeof(w->node), who->node_name) ||
		   !keep(w->node_uid, sizeof(w->node_uid), who->node_uid)) {
		testify(c, REASON_TokenInvalid,
			"the agent's token does not say which node it is "
			"of; Kubernetes 1.30 or newer is needed");
	} else if (c->pod_token.len) {
		ask_token(c, &c->pod_token, on_pod_token);
	} else {
		ask_record(c);
	}
}

static struct witness_call *call_new(struct witness *w, void *ctx)
{
	struct witness_call *c = calloc(1, sizeof(*c));

	if (c) {
		c->w = w;
		c->ctx = ctx;
	}
	return c;
}

struct witness_call *witness_ask(struct witness *w, const struct rcar_requester *r, int64_t now_sec,
	witness_done done, void *ctx)
{
	struct witness_call *c = call_new(w, ctx);

	if (!c || secret_copy(&c->node_token, r->node_token) < 0 ||
		secret_copy(&c->pod_token, r->pod_token) < 0) {
		if (c)
			call_free(c);
		return NULL;
	}
	c->done = done;
	c->now_sec = now_sec;
	return c;
}

struct witness_call *witness_agent(
	struct witness *w, struct span node_token, witness_done done, void *ctx)
{
	const struct rcar_requester r = {.node_token = node_token};
	struct witness_call *c = witness_ask(w, &r, 0, done, ctx);

	if (c)
		c->token_alone = true;
	return c;
}

void witness_go(struct witness_call *c)
{
	if (c->node_token.len && !c->w->o.kube)
		testify(c, REASON_TokenInvalid,
			"a node's agent is believed with its verdict and its live pod, and this "
			"broker has no API server to ask for them: let the agent ask a broker in "
			"the cluster");
	else if (c->node_token.len)
		ask_token(c, &c->node_token, on_node_token);
	else if (c->pod_token.len)
		ask_token(c, &c->pod_token, on_pod_token);
	else
		ask_record(c);
}

struct witness_call *witness_node(struct witness *w, const struct requester *who, int64_t now_sec,
	witness_done done, void *ctx)
{
	struct witness_call *c = call_new(w, ctx);

	if (c) {
		c->done = done;
		c->now_sec = now_sec;
		c->t.who = *who;
	}
	return c;
}

/*
 * The live Pod
 */

static void on_pod(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {PODS_MAX, PODS_NODES, JSON_MAX_DEPTH};
	struct witness_call *c = ctx;
	_cleanup_json_ struct json doc = {0};
	bool ok =
		!res->code && res->status == 200 && json_parse(&doc, res->body, &limits, NULL) == 0;
	struct json_val got = c->list ? json_get(json_root(&doc), "items") : json_root(&doc);

	c->kube = NULL;
	if (ok)
		c->pod_done(c->ctx, got, REASON_Ok, "");
	else
		c->pod_done(c->ctx, (struct json_val){0},
			res->status == 404 ? REASON_WorkloadNotAllowed : REASON_PodUnknown,
			res->status == 404 ? "the token's pod is not there any more"
					   : "the pod could not be looked up; try again");
	call_free(c);
}

static struct witness_call *ask_pods(struct witness *w, const char *path, bool list,
	witness_pod_done done, void *ctx, int *ret_r)
{
	struct witness_call *c = call_new(w, ctx);

	*ret_r = -ENOMEM;
	if (!c)
		return NULL;
	c->pod_done = done;
	c->list = list;
	*ret_r = get(c, path, list ? PODS_MAX : RESPONSE_MAX, on_pod);
	if (*ret_r == 0)
		return c;
	call_free(c);
	return NULL;
}

struct witness_call *witness_pod(struct witness *w, const struct requester *who,
	witness_pod_done done, void *ctx, int *ret_r)
{
	char path[PATH_MAX_BYTES];

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", who->namespace_, who->pod);
	return ask_pods(w, path, false, done, ctx, ret_r);
}

struct witness_call *witness_pods(struct witness *w, const char *namespace_, const char *node,
	witness_pod_done done, void *ctx, int *ret_r)
{
	char path[PATH_MAX_BYTES];

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods?fieldSelector=spec.nodeName%%3D%s",
		namespace_, node);
	return ask_pods(w, path, true, done, ctx, ret_r);
}
