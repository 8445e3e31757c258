/* SPDX-License-Identifier: Apache-2.0
 *
 * A request for a key: session, deny lists, the live Pod where the agent asks, grant, store, audit
 * log, and only then the answer. What rcar_unwrap.c does for layers ends here too. */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/log.h"
#include "common/kbs/jwe.h"
#include "webhook/broker/rcar_private.h"
#include "webhook/broker/token.h"

enum {
	DENIED_RATE = 10, /* refusals a second of one pod, or platform */
	DENIED_BURST = 100,
	KEY_PATH_MAX = 400,
};

#define PROTOCOL "rcar"

static int write_down(struct visit *v, enum reason reason, const char *message, struct error *err)
{
	return ledger_write(v->desk->o.ledger,
		&(struct ledger_entry){
			.protocol = PROTOCOL,
			.tee = v->session.tee,
			.proven = &v->session.proven,
			.who = &v->session.who,
			.key = &v->key,
			.version = v->version,
			.reason = reason,
			.message = message,
		},
		err);
}

/* Under Trustee's names too. */
static void count(struct visit *v, bool ok)
{
	const struct kbs_metrics *k = &v->desk->kbs;

	metric_add(k->evaluations, 1, NULL);
	metric_add(ok ? k->approvals : k->violations, 1, NULL);
}

/* Who asks for what he does not get, under whatever names, fills neither the audit log nor the API
 * server with Events. */
static bool may_be_denied(struct visit *v)
{
	const struct proven *p = &v->session.proven;
	_cleanup_buf_ struct buf platform = BUF_INIT(2 * PLATFORM_ID_MAX);
	const char *who = v->session.who.pod_uid;

	codec_hex(&platform, p->platform_id, p->platform_id_len);
	if (!who[0] && platform.p)
		who = platform.p;
	return rates_take(v->desk->rates, RATE_DENIED, who, DENIED_RATE, DENIED_BURST,
		clock_monotonic_usec());
}

void visit_deny(struct visit *v, enum reason reason, const char *message)
{
	struct error err = {0};

	if (!may_be_denied(v)) {
		visit_refuse(v, REASON_RateLimited, "too many requests were refused; %s",
			reason_remedy(REASON_RateLimited));
		return;
	}
	count(v, false);
	if (write_down(v, reason, message, &err) < 0)
		log_error(err.message, "Could not write the audit log");
	visit_refuse(v, reason, "%s", message);
}

/* Seals the key to who asked. */
static int seal(struct visit *v, struct span key, struct error *err)
{
	struct jwk to = {0};
	int r = jwk_unpack(
		&to, (struct span){(const char *)v->session.key, v->session.key_len}, err);

	to.oaep_sha1 = v->desk->o.rsa_oaep_sha1;
	if (r == 0)
		r = jwe_seal(&v->jwe, &to, key, err);
	jwk_free(&to);
	return r;
}

static void release(struct visit *v)
{
	_cleanup_buf_ struct buf path = BUF_INIT(KEY_PATH_MAX);
	struct error err = {0};

	if (write_down(v, REASON_Ok, "", &err) < 0) {
		log_error(err.message, "Could not write the audit log: nothing is released");
		visit_refuse(v, REASON_StoreUnavailable,
			"the audit log cannot be written, so nothing is released");
		return;
	}
	count(v, true);
	key_id_write(&path, &v->key);
	metric_add(v->desk->kbs.reads, 1, METRIC_VALUES(path.p ? path.p : ""));
	log_info(2, "Released a key", LOG_STR("key", path.p ? path.p : ""),
		LOG_INT("version", v->version), LOG_STR("tee", v->session.tee),
		LOG_STR("node", v->session.who.node), LOG_STR("pod", v->session.who.pod));
	if (v->desk->o.released)
		v->desk->o.released(
			v->desk->o.ctx, &v->key, clock_unix_usec() / (int64_t)USEC_PER_SEC);
	visit_decided(v, REASON_Ok, "");
	visit_tell(v, "Normal", "KeyReleased", "keys of EnclaveProfile %s are released to this pod",
		v->key.profile);
	buf_span(v->response->body, buf_view(&v->jwe));
	v->response->etag = v->version;
	visit_leave(v);
}

static void fetch(struct visit *v, unsigned version);

/* A layer is of the version that was the newest when the image was encrypted. */
static void unwrap(struct visit *v, const struct secret *key)
{
	_cleanup_secret_ struct secret plain = {0};
	struct error err = {0};
	int r = packet_open(&plain, &v->packet, secret_view(key), &err);

	if (r == -EBADMSG && v->version > 1)
		fetch(v, v->version - 1);
	else if (r < 0)
		visit_deny(v, REASON_Malformed, err.message);
	else if (seal(v, secret_view(&plain), &err) < 0)
		visit_refuse(v, REASON_Internal, "%s", err.message);
	else
		release(v);
}

static void on_key(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *why)
{
	struct visit *v = ctx;
	struct error err = {0};

	v->version = version;
	if (!key)
		visit_deny(v, reason, why->message);
	else if (v->kind == RCAR_UNWRAP)
		unwrap(v, key);
	else if (seal(v, secret_view(key), &err) < 0)
		visit_refuse(v, REASON_Internal, "%s", err.message);
	else
		release(v);
}

static void fetch(struct visit *v, unsigned version)
{
	const struct rcar_world *w = v->desk->o.world;
	const struct key_id *id = &v->key;
	const struct profile *p =
		profile_find(w->profiles, span_str(id->namespace_), span_str(id->profile));
	const struct key_owner owner = {
		.namespace_ = id->namespace_,
		.namespace_uid = w->namespace_uid(w->ctx, id->namespace_),
		.profile = id->profile,
		.profile_uid = p ? p->uid : "",
	};
	struct error err = {0};

	if (key_store_fetch(v->desk->o.store, &owner, id->key, version, on_key, v, &err) < 0)
		visit_refuse(v, REASON_Internal, "%s", err.message);
}

/* Counted here, so that only those who may have a namespace's keys can use up its rate. */
void visit_fetch(struct visit *v)
{
	if (rates_take(v->desk->rates, RATE_NAMESPACE, v->key.namespace_, RATES_KEYS_PER_SEC,
		    RATES_KEYS_BURST, clock_monotonic_usec()))
		fetch(v, 0);
	else
		visit_refuse(v, REASON_RateLimited, "keys of this namespace are asked too often");
}

int visit_judge(struct visit *v, struct json_val pod, struct span image, struct arena *a,
	enum reason *ret_reason, const char **ret_message)
{
	const struct rcar_options *o = &v->desk->o;
	const struct grant_request q = {
		.config = o->world->policy,
		.profiles = o->world->profiles,
		.id = &v->key,
		.proven = &v->session.proven,
		.who = &v->session.who,
		.pod = pod,
		.image = image,
		.allow_simulated = o->world->policy->allow_simulated,
		.allow_sample = o->rules.allow_sample,
		.now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC,
	};
	int r = grant_decide(&q, a, ret_reason, ret_message);

	if (r < 0)
		metric_add(v->desk->kbs.policy_errors, 1, NULL);
	return r;
}

static void decide(struct visit *v, struct json_val pod)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(MESSAGES_MAX);
	enum reason reason = REASON_Internal;
	const char *message = "";

	if (visit_judge(v, pod, SPAN_NONE, &a, &reason, &message) < 0)
		visit_refuse(v, REASON_Internal, "out of memory");
	else if (reason != REASON_Ok)
		visit_deny(v, reason, message);
	else
		visit_fetch(v);
}

static void on_pod(void *ctx, struct json_val pod, enum reason reason, const char *message)
{
	struct visit *v = ctx;

	v->asked = NULL;
	if (reason != REASON_Ok)
		visit_deny(v, reason, message);
	else
		decide(v, pod);
}

static void on_node(void *ctx, const struct testimony *t)
{
	struct visit *v = ctx;
	enum reason reason = t->reason;
	struct error err = {0};
	int r;

	v->asked = NULL;
	if (reason != REASON_Ok) {
		visit_deny(v, reason, t->message);
		return;
	}
	if (!attestation_fits_node(&v->session, &t->node, &reason, &err)) {
		visit_deny(v, reason, err.message);
		return;
	}
	if (v->kind == RCAR_UNWRAP) {
		visit_look_for_image(v);
		return;
	}
	v->asked = witness_pod(v->desk->o.witness, &v->session.who, on_pod, v, &r);
	if (!v->asked)
		visit_refuse(v, REASON_Internal, "%s", strerror(-r));
}

void visit_look(struct visit *v)
{
	int64_t now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC;

	v->asked = witness_node(v->desk->o.witness, &v->session.who, now_sec, on_node, v);
	if (v->asked)
		witness_go(v->asked);
	else
		visit_refuse(v, REASON_Internal, "out of memory");
}

/* By the cookie, or else the token. */
static int open_session(struct visit *v, enum reason *ret_reason, struct error *err)
{
	const struct rcar_options *o = &v->desk->o;
	int64_t now = clock_unix_usec();
	int r;

	if (v->cookie.len || !v->bearer.len || !*o->token_key)
		r = session_open(&v->session, o->keys, v->cookie, now, ret_reason, err);
	else
		r = token_read(
			&v->session, v->bearer, o->keys, *o->token_key, now, ret_reason, err);
	if (r < 0 || v->session.attested)
		return r;
	*ret_reason = REASON_SessionExpired;
	return error_set(err, -EACCES, "this session has not attested yet");
}

bool visit_ready(struct visit *v)
{
	const struct rcar_options *o = &v->desk->o;
	enum reason reason = REASON_Internal;
	struct error err = {0};

	if (open_session(v, &reason, &err) < 0) {
		visit_refuse(v, reason, "%s", err.message);
		return false;
	}
	if (!o->world->profiles) {
		visit_refuse(v, REASON_StoreUnavailable, "the profiles are not known yet");
		return false;
	}
	if (!*o->deny) {
		visit_refuse(v, REASON_StoreUnavailable, "the deny lists are not known yet");
		return false;
	}
	reason = deny_judge(*o->deny, &v->session.proven, &v->session.who);
	if (reason != REASON_Ok)
		visit_deny(v, reason, reason_explanation(reason));
	return reason == REASON_Ok;
}

void visit_resource(struct visit *v)
{
	if (!visit_ready(v))
		return;
	if (!v->session.who.node[0]) {
		decide(v, (struct json_val){0});
		return;
	}
	if (!v->session.who.pod[0]) {
		visit_deny(v, REASON_WorkloadNotAllowed,
			"no pod's token came with the agent's, so there is no pod to judge");
		return;
	}
	if (!v->desk->o.witness) {
		visit_refuse(v, REASON_PodUnknown, "there is no API server to ask for the pod");
		return;
	}
	visit_look(v);
}
