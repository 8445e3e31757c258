/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/release.h"

#include <stdio.h>
#include <string.h>

#include "common/base/command.h"
#include "common/base/settings_file.h"
#include "common/base/utf8.h"
#include "common/kbs/jwe.h"
#include "common/kbs/rcar.h"
#include "common/kbs/versions.h"
#include "nodeagent/attest/token.h"

enum {
	CALL_USEC = 20 * 1000000,
	RELEASE_ARENA_MAX = 512 << 10,
	CA_MAX = 256 << 10,
	COOKIE_MAX = 8 << 10,
	ANSWER_MAX = JWE_MAX,
	JWK_TEXT_MAX = 1024,
	ADDITIONAL_MAX = 1024,
};

struct key_release {
	struct key_release_options o;
	struct secret node_token;
	EVP_PKEY *key;  /* ephemeral */
	struct buf jwk; /* its public half */
	struct buf additional;
	char tee[RCAR_TEE_MAX], nonce[RCAR_NONCE_TEXT];
	struct secret cookie;

	struct http_client *http;
	struct http_call *call;
	int (*answered)(struct key_release *r, const struct http_result *res, struct error *err);
	struct evidence_job *job;
	sd_event_source *soon; /* begins on the next turn of the loop */
	struct secret keys[DELIVERY_KEYS_MAX];
	size_t n_keys; /* that came */
};

static void release_free(struct key_release *r)
{
	sd_event_source_disable_unref(r->soon);
	evidence_abandon(r->job);
	http_client_free(r->http);
	secret_free(&r->node_token);
	secret_free(&r->cookie);
	EVP_PKEY_free(r->key);
	buf_free(&r->jwk);
	buf_free(&r->additional);
	for (size_t i = 0; i < r->n_keys; i++)
		secret_free(&r->keys[i]);
	free(r);
}

void key_release_cancel(struct key_release *r)
{
	if (r)
		release_free(r);
}

/* --- the end --- */

static void end_refused(struct key_release *r, const struct key_refusal *why)
{
	struct key_release_options o = r->o;
	struct key_refusal copy = *why;

	release_free(r);
	o.done(o.ctx, NULL, &copy);
}

/* What went wrong on this side: nothing was judged. */
static void end_failed(struct key_release *r, const struct error *err)
{
	struct key_refusal why = {
		.again = err->code != -ENOTSUP && err->code != -E2BIG,
		.reason = "StoreUnavailable",
		.key = SIZE_MAX,
	};

	snprintf(why.message, sizeof(why.message), "%s", err->message);
	end_refused(r, &why);
}

static void end_done(struct key_release *r)
{
	/* The keys are the caller's to look at before they go. */
	r->o.done(r->o.ctx, r->keys, NULL);
	release_free(r);
}

void key_refusal_read(struct key_refusal *ret, int status, struct span body)
{
	struct rcar_error e = {0};

	rcar_error_read(&e, body, NULL);
	*ret = (struct key_refusal){.again = rcar_error_passes(status, e.reason), .key = SIZE_MAX};
	snprintf(ret->reason, sizeof(ret->reason), "%s",
		*e.reason    ? e.reason
		: *e.variant ? e.variant
			     : "StoreUnavailable");
	snprintf(ret->message, sizeof(ret->message), SPAN_FMT,
		SPAN_ARG(utf8_cut(span_str(e.detail), sizeof(ret->message) - 1)));
	if (!*e.detail)
		snprintf(ret->message, sizeof(ret->message),
			"the broker answered %d and did not say why: see broker.url", status);
}

static int on_key(struct key_release *r, const struct http_result *res, struct error *err);

static void on_answer(void *ctx, const struct http_result *res)
{
	struct key_release *r = ctx;
	struct key_refusal why;
	struct error err = {0};

	r->call = NULL;
	if (res->code != 0) {
		error_set(&err, res->code, "the broker at %s: %s", r->o.url, res->error);
		end_failed(r, &err);
	} else if (res->status != 200) {
		key_refusal_read(&why, res->status, res->body);
		if (r->answered == on_key)
			why.key = r->n_keys;
		end_refused(r, &why);
	} else if (r->answered(r, res, &err) < 0) {
		end_failed(r, &err);
	}
}

static int ask(struct key_release *r, const char *method, const char *path, struct span body,
	int (*answered)(struct key_release *r, const struct http_result *res, struct error *err),
	struct error *err)
{
	_cleanup_free_ char *url = NULL;
	struct http_call_options o = {
		.method = method,
		.content_type = body.p ? "application/json" : NULL,
		.cookie = r->cookie.p,
		.body = body,
		.max_response = ANSWER_MAX,
		.timeout_usec = CALL_USEC,
		.done = on_answer,
		.ctx = r,
	};

	if (asprintf(&url, "%s%s", r->o.url, path) < 0)
		return error_oom(err);
	o.url = url;
	r->answered = answered;
	return http_call(r->http, &o, &r->call, err);
}

/* --- the keys --- */

static int ask_key(struct key_release *r, struct error *err);

static const char *key_name(const struct key_release *r, size_t i)
{
	return r->o.layer.p ? r->o.layer_key : r->o.keys->v[i];
}

static int on_key(struct key_release *r, const struct http_result *res, struct error *err)
{
	int n = jwe_open(&r->keys[r->n_keys], res->body, r->key, err);

	if (n < 0)
		return error_prefix(err, n, "key %s", key_name(r, r->n_keys));
	if (r->o.ret_versions)
		r->o.ret_versions[r->n_keys] = versions_etag(http_result_header(res, "ETag"));
	r->n_keys++;
	if (r->keys[r->n_keys - 1].len > DELIVERY_KEY_MAX)
		return error_set(err, -E2BIG,
			"key %s: longer than %d bytes can be delivered to nobody",
			key_name(r, r->n_keys - 1), DELIVERY_KEY_MAX);
	if (!r->o.layer.p && r->n_keys < r->o.keys->n)
		return ask_key(r, err);
	end_done(r);
	return 0;
}

static int ask_key(struct key_release *r, struct error *err)
{
	bool layer = r->o.layer.p;
	char path[sizeof(RCAR_PATH_RESOURCE) + 64 + DELIVERY_NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s%s/%s", layer ? RCAR_PATH_UNWRAP : RCAR_PATH_RESOURCE,
		r->o.namespace_, key_name(r, r->n_keys));
	return ask(r, layer ? "POST" : "GET", path, r->o.layer, on_key, err);
}

/* "kbs-session-id=…; Path=/" becomes "kbs-session-id=…". The session is in the cookie itself: what
 * comes last counts. */
static int take_cookie(struct key_release *r, const struct http_result *res, struct error *err)
{
	const char *header = http_result_header(res, "Set-Cookie");
	size_t n = header ? strcspn(header, "; \t") : 0;

	if (!span_starts((struct span){header, n}, RCAR_COOKIE "=") || n > COOKIE_MAX)
		return error_set(
			err, -EBADMSG, "the answer of the broker at %s has no session", r->o.url);
	secret_free(&r->cookie);
	return secret_copy(&r->cookie, (struct span){header, n}) < 0 ? error_oom(err) : 0;
}

static int on_attested(struct key_release *r, const struct http_result *res, struct error *err)
{
	/* A broker that keeps sessions itself need not repeat it. */
	int n = http_result_header(res, "Set-Cookie") ? take_cookie(r, res, err) : 0;

	return n < 0 ? n : ask_key(r, err);
}

/* --- evidence --- */

static struct rcar_requester requester(const struct key_release *r)
{
	return (struct rcar_requester){
		.node_token = secret_view(&r->node_token),
		.pod_token = r->o.pod_token,
		.container = span_str(r->o.container),
	};
}

static void on_evidence(void *ctx, int result, struct span evidence, const struct error *why)
{
	struct key_release *r = ctx;
	_cleanup_buf_ struct buf primary = BUF_INIT(2 * EVIDENCE_MAX);
	_cleanup_secret_ struct secret body = {0};
	struct rcar_attest_out out = {
		.nonce = span_str(r->nonce),
		.tee_pubkey = buf_view(&r->jwk),
		.additional = buf_view(&r->additional),
		.who = requester(r),
	};
	struct error err = {0};
	int n;

	r->job = NULL;
	if (result < 0) {
		end_failed(r, why);
		return;
	}
	n = rcar_primary_write(&primary, r->tee, evidence);
	out.primary = buf_view(&primary);
	if (n == 0)
		n = rcar_attest_write(&body, &out);
	if (n < 0)
		error_set(&err, n, "the evidence is too long, or memory short");
	else
		n = ask(r, "POST", RCAR_PATH_ATTEST, secret_view(&body), on_attested, &err);
	if (n < 0)
		end_failed(r, &err);
}

static int prove(struct key_release *r, struct error *err)
{
	static const struct json_limits limits = {JWK_TEXT_MAX, 64, 4};
	_cleanup_json_ struct json jwk = {0};
	const struct rcar_requester who = requester(r);
	unsigned char report_data[64] = {0};
	int n = rcar_additional_write(&r->additional, &who);

	if (n == 0)
		n = json_parse(&jwk, buf_view(&r->jwk), &limits, err);
	if (n == 0)
		n = rcar_report_data(
			report_data, span_str(r->nonce), json_root(&jwk), buf_view(&r->additional));
	if (n < 0)
		return error_set(err, n, "what the evidence is to bind cannot be written");
	return r->o.prover->start(r->o.prover->ctx, report_data, &r->job, on_evidence, r, err);
}

static int on_challenge(struct key_release *r, const struct http_result *res, struct error *err)
{
	int n = take_cookie(r, res, err);

	if (n == 0)
		n = rcar_challenge_read(r->nonce, res->body, err);
	return n < 0 ? error_prefix(err, n, "the broker at %s", r->o.url) : prove(r, err);
}

/* --- the beginning --- */

int key_broker_open(struct http_client **ret, struct secret *ret_token, sd_event *event,
	const char *ca_file, const char *token_file, struct error *err)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(RELEASE_ARENA_MAX);
	struct http_client_options o = {.user_agent = "casemate-nodeagent/" CASEMATE_VERSION};
	struct token_claims claims;
	struct span text;
	int n = token_load(&claims, &text, token_file, &m, err);

	if (n == 0 && secret_copy(ret_token, text) < 0)
		n = error_oom(err);
	if (n == 0 && *ca_file)
		n = settings_read_file(ca_file, CA_MAX, &m, &o.ca_pem, err);
	return n < 0 ? n : http_client_new(ret, event, &o, err);
}

static int begin(struct key_release *r, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(JWK_TEXT_MAX);
	const char *tee = r->o.prover->tee(r->o.prover->ctx);
	int n;

	if (!*tee || strlen(tee) >= sizeof(r->tee))
		return error_set(err, -ENOTSUP,
			"this node can prove nothing that keys are given for: it must be a TDX or "
			"SNP guest");
	strcpy(r->tee, tee);
	n = key_broker_open(
		&r->http, &r->node_token, r->o.event, r->o.ca_file, r->o.token_file, err);
	if (n < 0)
		return n;
	r->key = jwk_generate(JWK_EC_P256);
	if (!r->key || jwk_write(&r->jwk, r->key, JWK_ALG_ECDH) < 0 ||
		rcar_auth_write(&body, r->tee) < 0)
		return error_oom(err);
	return ask(r, "POST", RCAR_PATH_AUTH, buf_view(&body), on_challenge, err);
}

static int on_soon(sd_event_source *source, void *ctx)
{
	struct key_release *r = ctx;
	struct error err = {0};

	(void)source;
	if (begin(r, &err) < 0)
		end_failed(r, &err);
	return 0;
}

int key_release_start(
	struct key_release **ret, const struct key_release_options *o, struct error *err)
{
	struct key_release *r = calloc(1, sizeof(*r));

	if (!r)
		return error_oom(err);
	*r = (struct key_release){
		.o = *o,
		.jwk = BUF_INIT(JWK_TEXT_MAX),
		.additional = BUF_INIT(ADDITIONAL_MAX),
	};
	if (sd_event_add_defer(o->event, &r->soon, on_soon, r) < 0) {
		release_free(r);
		return error_oom(err);
	}
	*ret = r;
	return 0;
}
