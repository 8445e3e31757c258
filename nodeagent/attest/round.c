/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/round.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/command.h"
#include "common/base/secret.h"
#include "common/base/settings_file.h"
#include "common/net/http.h"
#include "common/tee/binding.h"
#include "nodeagent/attest/token.h"

enum { CALL_USEC = 30 * 1000000, ROUND_ARENA_MAX = 1 << 20, CA_MAX = 256 << 10 };

struct round {
	struct round_options o;
	struct round_keys *keys;
	const struct round_platform *platform;

	struct secret token;
	struct token_claims claims;
	struct buf challenge;
	struct buf public_key; /* DER */

	struct http_client *http;
	struct http_call *call;
	int (*answered)(struct round *r, struct span body, struct error *err);
	struct evidence_job *job;
	sd_event_source *soon; /* begins the round on the next turn of the loop */
};

static void round_free(struct round *r)
{
	sd_event_source_disable_unref(r->soon);
	evidence_abandon(r->job);
	http_client_free(r->http);
	secret_free(&r->token);
	buf_free(&r->challenge);
	buf_free(&r->public_key);
	free(r);
}

void round_cancel(struct round *r)
{
	if (r)
		round_free(r);
}

/* The end: nothing of r may be touched afterwards. */
static void end(struct round *r, const struct attest_verdict *v, int64_t retry_after,
	const struct error *err)
{
	struct round_options o = r->o;

	round_free(r);
	o.done(o.ctx, v, retry_after, err);
}

static void on_answer(void *ctx, const struct http_result *result)
{
	struct round *r = ctx;
	struct error err = {0};

	r->call = NULL;
	if (result->code != 0) {
		error_set(&err, result->code, "the verifier at %s: %s", r->o.url, result->error);
	} else if (result->status != 200) {
		attest_read_problem(&err, result->status, result->body);
	} else if (r->answered(r, result->body, &err) == 0) {
		return;
	}
	/* A verdict also ends here, without an error. */
	if (err.code)
		end(r, NULL, result->retry_after, &err);
}

static int ask(struct round *r, enum attest_phase phase, const char *path, const struct buf *body,
	int (*answered)(struct round *r, struct span body, struct error *err), struct error *err)
{
	_cleanup_free_ char *url = NULL;
	struct http_call_options o = {
		.method = "POST",
		.content_type = "application/json",
		.bearer = r->token.p,
		.body = buf_view(body),
		.max_response = PROTOCOL_ANSWER_MAX,
		.timeout_usec = CALL_USEC,
		.done = on_answer,
		.ctx = r,
	};

	if (body->err || asprintf(&url, "%s%s", r->o.url, path) < 0)
		return error_oom(err);
	o.url = url;
	r->answered = answered;
	r->o.phase(r->o.ctx, phase);
	return http_call(r->http, &o, &r->call, err);
}

static int public_key_of(EVP_PKEY *key, struct buf *ret)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	if (n <= 0)
		return -ENOMEM;
	buf_add(ret, der, (size_t)n);
	OPENSSL_free(der);
	return ret->err;
}

static int on_verdict(struct round *r, struct span body, struct error *err)
{
	struct attest_verdict v;
	int n = attest_read_verdict(&v, body, err);

	if (n == 0)
		end(r, &v, -1, NULL);
	return n;
}

static void on_evidence(void *ctx, int result, struct span evidence, const struct error *why)
{
	struct round *r = ctx;
	_cleanup_buf_ struct buf body = BUF_INIT(PROTOCOL_REQUEST_MAX);
	struct attest_evidence m = {
		.challenge = buf_view(&r->challenge),
		.public_key = buf_view(&r->public_key),
		.platform = r->platform->name,
		.evidence = evidence,
		.epc_bytes = r->platform->epc_bytes,
		.cvm_slots = r->platform->cvm_slots,
	};
	struct error err = {0};

	r->job = NULL;
	if (result < 0) {
		end(r, NULL, -1, why);
		return;
	}
	attest_evidence(&body, &m);
	if (ask(r, ATTEST_PHASE_JUDGING, PROTOCOL_PATH_EVIDENCE, &body, on_verdict, &err) < 0)
		end(r, NULL, -1, &err);
}

/* Has the simulated TEE a certificate for the node of these claims? */
static bool is_certified(const struct round_keys *k, const struct token_claims *claims)
{
	return k->simulated_certificate && strcmp(k->certified_uid, claims->node_uid) == 0;
}

/* What the simulated TEE says. The platform's id is derived from the node: each is a machine of its
 * own. */
static int fill_simulated(struct evidence_request *q, const struct round_platform *p,
	const struct round_keys *keys, const struct token_claims *claims)
{
	struct simulated *s = &q->simulated;
	unsigned int n = 0;

	strncpy(s->tee, p->tee, sizeof(s->tee) - 1);
	memcpy(s->node, claims->node, sizeof(s->node));
	memcpy(s->node_uid, claims->node_uid, sizeof(s->node_uid));
	strncpy(s->tcb_status, "UpToDate", sizeof(s->tcb_status) - 1);
	s->svn = 1;
	if (!EVP_Digest(s->node_uid, strlen(s->node_uid), s->platform_id, &n, EVP_sha256(), NULL))
		return -ENOMEM;
	s->platform_id_len = 16;
	q->key = keys->simulated_key;
	EVP_PKEY_up_ref(q->key);
	q->certificate = strdup(keys->simulated_certificate);
	return q->certificate ? 0 : -ENOMEM;
}

int round_evidence(struct evidence_request *q, const struct round_platform *p,
	const struct round_keys *keys, const struct token_claims *claims)
{
	q->source = p->source;
	q->sgx = p->sgx;
	memcpy(q->tsm_root, p->tsm_root, sizeof(q->tsm_root));
	if (q->source != EVIDENCE_SIMULATED)
		return 0;
	return is_certified(keys, claims) ? fill_simulated(q, p, keys, claims) : -EAGAIN;
}

static int prove(struct round *r, struct error *err)
{
	_cleanup_evidence_request_ struct evidence_request q = {.quotes = r->o.quotes};
	const struct node_binding binding = {
		.challenge = buf_view(&r->challenge),
		.node = span_str(r->claims.node),
		.node_uid = span_str(r->claims.node_uid),
		.public_key = buf_view(&r->public_key),
		.token = secret_view(&r->token),
	};

	if (node_binding_report_data(q.report_data, &binding) < 0 ||
		round_evidence(&q, r->platform, r->keys, &r->claims) < 0)
		return error_oom(err);
	r->o.phase(r->o.ctx, ATTEST_PHASE_PROVING);
	return evidence_start(&r->job, r->o.queue, &q, on_evidence, r, err);
}

static int on_certificate(struct round *r, struct span body, struct error *err)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(PROTOCOL_ANSWER_MAX);
	int n = attest_read_certificate(&pem, body, err);

	if (n < 0)
		return n;
	free(r->keys->simulated_certificate);
	r->keys->simulated_certificate = TAKE_PTR(pem.p);
	memcpy(r->keys->certified_uid, r->claims.node_uid, sizeof(r->keys->certified_uid));
	return prove(r, err);
}

static int certify(struct round *r, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(PROTOCOL_REQUEST_MAX);
	_cleanup_buf_ struct buf key = BUF_INIT(PROTOCOL_KEY_MAX);

	if (public_key_of(r->keys->simulated_key, &key) < 0)
		return error_oom(err);
	attest_certify(&body, buf_view(&key));
	return ask(r, ATTEST_PHASE_CERTIFYING, PROTOCOL_PATH_SIMULATED, &body, on_certificate, err);
}

static int on_challenge(struct round *r, struct span body, struct error *err)
{
	int n = attest_read_challenge(&r->challenge, body, err);

	if (n < 0)
		return n;
	if (r->platform->source == EVIDENCE_SIMULATED && !is_certified(r->keys, &r->claims))
		return certify(r, err);
	/* A host has nothing to prove, and says so. */
	if (!*r->platform->tee) {
		on_evidence(r, 0, SPAN_NONE, NULL);
		return 0;
	}
	return prove(r, err);
}

static int read_token(struct round *r, struct arena *m, struct error *err)
{
	struct span text;
	int n = token_load(&r->claims, &text, r->o.token_file, m, err);

	if (n < 0)
		return n;
	if (strcmp(r->claims.node, r->o.node) != 0)
		return error_set(err, -EBADMSG,
			"%s: the token is of node %s, and this agent is configured as that of %s: "
			"correct nodeName",
			r->o.token_file, r->claims.node, r->o.node);
	return secret_copy(&r->token, text) < 0 ? error_oom(err) : 0;
}

static int begin(struct round *r, struct error *err)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(ROUND_ARENA_MAX);
	_cleanup_buf_ struct buf body = BUF_INIT(PROTOCOL_REQUEST_MAX);
	struct http_client_options o = {.user_agent = "casemate-nodeagent/" CASEMATE_VERSION};
	int n;

	/* The verifier need not be troubled. */
	if (*r->platform->tee && r->platform->source == EVIDENCE_NONE)
		return error_set(err, -ENOTSUP,
			"this SGX host proves nothing, since sgx.evidence is off: set it where the "
			"agent may open /dev/sgx_enclave (in the chart: agent.sgx.evidence)");
	n = read_token(r, &m, err);

	if (n == 0 && *r->o.ca_file)
		n = settings_read_file(r->o.ca_file, CA_MAX, &m, &o.ca_pem, err);
	if (n == 0)
		n = http_client_new(&r->http, r->o.event, &o, err);
	if (n < 0)
		return n;
	if (public_key_of(r->keys->key, &r->public_key) < 0)
		return error_oom(err);
	attest_challenge(&body);
	return ask(r, ATTEST_PHASE_CHALLENGING, PROTOCOL_PATH_CHALLENGE, &body, on_challenge, err);
}

static int on_soon(sd_event_source *source, void *ctx)
{
	struct round *r = ctx;
	struct error err = {0};

	(void)source;
	if (begin(r, &err) < 0)
		end(r, NULL, -1, &err);
	return 0;
}

int round_start(struct round **ret, const struct round_options *o, struct round_keys *keys,
	const struct round_platform *platform, struct error *err)
{
	struct round *r = calloc(1, sizeof(*r));

	if (!r)
		return error_oom(err);
	*r = (struct round){
		.o = *o,
		.keys = keys,
		.platform = platform,
		.challenge = BUF_INIT(PROTOCOL_CHALLENGE_MAX),
		.public_key = BUF_INIT(PROTOCOL_KEY_MAX),
	};
	if (sd_event_add_defer(o->event, &r->soon, on_soon, r) < 0) {
		round_free(r);
		return error_oom(err);
	}
	*ret = r;
	return 0;
}

static const struct round_platform none = {
	.name = "", .tee = "", .source = EVIDENCE_NONE, .epc_bytes = -1, .cvm_slots = -1};

void round_platform_of(struct round_platform *ret, const struct platform *p, const char *sysroot,
	bool sgx_evidence)
{
	bool sgx = p->enclave_ok, host = p->tdx_host || p->snp_host;

	*ret = none;
	if (p->tdx_guest || p->snp_guest) {
		ret->tee = p->tdx_guest ? "tdx" : "snp";
		ret->source = EVIDENCE_TSM;
	} else if (sgx && (sgx_evidence || p->simulated || !host)) {
		ret->tee = "sgx";
		ret->source = sgx_evidence ? EVIDENCE_SGX : EVIDENCE_NONE;
	}
	if (*ret->tee && p->simulated)
		ret->source = EVIDENCE_SIMULATED;
	if (*ret->tee)
		ret->name = p->simulated ? "simulated" : ret->tee;
	else if (host)
		ret->name = p->tdx_host ? "tdx-host" : "snp-host";
	if (ret->source == EVIDENCE_SGX)
		sgx_source_set(&ret->sgx, sysroot, p->aesm_socket, p->enclave_device);
	if (ret->source == EVIDENCE_TSM)
		snprintf(ret->tsm_root, sizeof(ret->tsm_root), "%s" TSM_ROOT,
			sysroot && strcmp(sysroot, "/") != 0 ? sysroot : "");
	if (sgx)
		ret->epc_bytes = (int64_t)p->epc_bytes;
	if (host)
		ret->cvm_slots = (int64_t)(p->tdx_host ? p->tdx_keys : p->snp_asids);
}

bool round_platform_same(const struct round_platform *a, const struct round_platform *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->tee, b->tee) == 0 &&
	       a->source == b->source && a->epc_bytes == b->epc_bytes &&
	       a->cvm_slots == b->cvm_slots;
}

int round_keys_new(struct round_keys *k, struct error *err)
{
	*k = (struct round_keys){.key = EVP_EC_gen("P-256"), .simulated_key = EVP_EC_gen("P-256")};
	if (!k->key || !k->simulated_key) {
		round_keys_free(k);
		return error_oom(err);
	}
	return 0;
}

void round_keys_free(struct round_keys *k)
{
	EVP_PKEY_free(k->key);
	EVP_PKEY_free(k->simulated_key);
	free(k->simulated_certificate);
	*k = (struct round_keys){0};
}
