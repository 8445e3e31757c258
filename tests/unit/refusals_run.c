/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/kbs/jwk.h"
#include "common/kbs/rcar.h"
#include "tests/unit/refusals_private.h"
#include "tests/unit/test.h"

enum { SGX_REPORT_DATA = 320, EVIDENCE_MAX_ = 64 * 1024, TOKEN_MAX = 1024 };

static bool is_done(void *ctx)
{
	return ((struct refusals *)ctx)->done;
}

static void on_answer(void *ctx, const struct http_result *r)
{
	struct refusals *w = ctx;
	const char *cookie = http_result_header(r, "Set-Cookie");

	w->done = true;
	w->status = r->status;
	w->answer_len = r->body.len < REFUSALS_ANSWER_MAX ? r->body.len : 0;
	memcpy(w->answer, r->body.p ? r->body.p : "", w->answer_len);
	if (cookie)
		snprintf(w->cookie, sizeof(w->cookie), "%.*s", (int)strcspn(cookie, ";"), cookie);
}

void refusals_ask(struct refusals *w, const char *method, const char *path, const char *cookie,
	const char *bearer, struct span body)
{
	char url[512];
	const struct http_call_options o = {.method = method,
		.url = url,
		.content_type = "application/json",
		.bearer = bearer,
		.cookie = cookie && *cookie ? cookie : NULL,
		.body = body,
		.max_response = REFUSALS_ANSWER_MAX - 1,
		.timeout_usec = 60 * (int64_t)USEC_PER_SEC,
		.done = on_answer,
		.ctx = w};
	struct error err = {0};

	snprintf(url, sizeof(url), "%s%s", w->url, path);
	w->done = false;
	w->status = 0;
	if (CHECK_ROW(path, http_call(w->client, &o, NULL, &err) == 0, "%s", err.message))
		CHECK_ROW(path, kube_fix_wait(&w->kube, is_done, w), "no answer");
}

/* The handshake: a nonce, and the session's cookie in w. */
static bool greet(struct refusals *w, char nonce[RCAR_NONCE_TEXT])
{
	_cleanup_buf_ struct buf body = BUF_INIT(1024);

	rcar_auth_write(&body, w->a->tee);
	refusals_ask(w, "POST", RCAR_PATH_AUTH, NULL, NULL, buf_view(&body));
	return w->status == 200 &&
	       CHECK_ROW("challenge",
		       rcar_challenge_read(nonce, (struct span){w->answer, w->answer_len}, NULL) ==
			       0,
		       "none");
}

/*
 * The attestation
 */

/* What is sent, and what the evidence is made for. */
struct message {
	struct buf node_token, pod_token, bound_pod_token, additional, primary, key, bound_key;
	char nonce[RCAR_NONCE_TEXT], bound_nonce[RCAR_NONCE_TEXT];
};

static void message_free(struct message *m)
{
	struct buf *const all[] = {&m->node_token, &m->pod_token, &m->bound_pod_token,
		&m->additional, &m->primary, &m->key, &m->bound_key};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		buf_free(all[i]);
}

static void message_new(struct message *m)
{
	*m = (struct message){BUF_INIT(TOKEN_MAX), BUF_INIT(TOKEN_MAX), BUF_INIT(TOKEN_MAX),
		BUF_INIT(4096), BUF_INIT(2 * EVIDENCE_MAX_), BUF_INIT(4096), BUF_INIT(4096), "",
		""};
}

static void make_tokens(const struct refusals *w, struct message *m)
{
	const struct attack *a = w->a;
	const char *bound = a->bound_pod_token ? a->bound_pod_token : a->pod_token;
	struct rcar_requester r = {.container = span_str(a->container ? a->container : "")};

	if (a->node_token)
		refusals_token(&m->node_token, a->node_token);
	if (a->pod_token)
		refusals_token(&m->pod_token, a->pod_token);
	if (bound)
		refusals_token(&m->bound_pod_token, bound);
	r.node_token = buf_view(&m->node_token);
	r.pod_token = buf_view(&m->bound_pod_token);
	if (!a->unbound)
		CU_ASSERT_EQUAL(rcar_additional_write(&m->additional, &r), 0);
	jwk_write(&m->bound_key, w->own, JWK_ALG_ECDH);
	jwk_write(&m->key, a->other_key ? w->other : w->own, JWK_ALG_ECDH);
}

static void make_report_data(const struct message *m, unsigned char out[64])
{
	static const struct json_limits limits = {4096, 100, 8};
	_cleanup_json_ struct json doc = {0};

	memset(out, 0, 64);
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&m->bound_key), &limits, NULL), 0);
	CU_ASSERT_EQUAL(rcar_report_data(out, span_str(m->bound_nonce), json_root(&doc),
				m->additional.p ? buf_view(&m->additional) : SPAN_LIT("")),
		0);
}

static void make_evidence(struct refusals *w, struct message *m)
{
	_cleanup_buf_ struct buf evidence = BUF_INIT(EVIDENCE_MAX_);
	unsigned char report_data[64];

	make_report_data(m, report_data);
	if (strcmp(w->a->evidence, "sample") == 0) {
		buf_puts(&m->primary, "{\"svn\":\"1\",\"report_data\":\"");
		buf_base64(&m->primary, report_data, RCAR_REPORT_DATA);
	} else if (strcmp(w->a->evidence, "sgx") == 0) {
		struct tee_intel sgx = w->a->sgx;

		memcpy(sgx.quote.body + SGX_REPORT_DATA, report_data, 64);
		tee_intel_quote(&sgx, &evidence);
	} else {
		w->simulated.what = w->a->what;
		memcpy(w->simulated.what.report_data, report_data, 64);
		simulated_fix_make(&w->simulated, &evidence);
	}
	if (evidence.len) {
		buf_puts(&m->primary, "{\"evidence\":\"");
		buf_base64(&m->primary, evidence.p, evidence.len);
	}
	buf_puts(&m->primary, "\"}");
}

static void send_attestation(struct refusals *w, const struct message *m, const char *cookie)
{
	_cleanup_secret_ struct secret body = {0};
	const struct rcar_attest_out o = {.nonce = span_str(m->nonce),
		.tee_pubkey = buf_view(&m->key),
		.primary = buf_view(&m->primary),
		.additional = m->additional.p ? buf_view(&m->additional) : SPAN_LIT(""),
		.who = w->a->dropped
			       ? (struct rcar_requester){SPAN_NONE, SPAN_NONE, SPAN_NONE}
			       : (struct rcar_requester){buf_view(&m->node_token),
					 buf_view(&m->pod_token),
					 w->a->container ? span_str(w->a->container) : SPAN_NONE}};

	if (CHECK_ROW("message", rcar_attest_write(&body, &o) == 0, "not written"))
		refusals_ask(w, "POST", RCAR_PATH_ATTEST, cookie, NULL, secret_view(&body));
}

bool refusals_attest(struct refusals *w)
{
	const struct attack *a = w->a;
	char cookie[COOKIE_MAX];
	struct message m;

	message_new(&m);
	if (greet(w, m.nonce)) {
		memcpy(cookie, w->cookie, sizeof(cookie));
		memcpy(m.bound_nonce, m.nonce, sizeof(m.nonce));
		if (a->other_nonce || a->other_session)
			greet(w, m.bound_nonce);
		if (a->other_session)
			memcpy(m.nonce, m.bound_nonce, sizeof(m.nonce));
		make_tokens(w, &m);
		make_evidence(w, &m);
		send_attestation(w, &m, cookie);
		if (a->twice)
			send_attestation(w, &m, cookie);
	}
	message_free(&m);
	return w->status == 200;
}

/*
 * What came of it
 */

static bool holds(const struct refusals *w, struct span what)
{
	return memmem(w->answer, w->answer_len, what.p, what.len);
}

/* The key, as it is or in any text that bytes are written in. */
static bool tells_key(const struct refusals *w)
{
	_cleanup_buf_ struct buf b64 = BUF_INIT(256), url = BUF_INIT(256), hex = BUF_INIT(256);
	struct span key = SPAN_LIT(REFUSALS_SECRET);

	buf_base64(&b64, key.p, key.len);
	codec_base64url(&url, key.p, key.len);
	codec_hex(&hex, key.p, key.len);
	/* the last digits of base64 depend on what follows */
	return holds(w, key) || holds(w, (struct span){b64.p, b64.len - 4}) ||
	       holds(w, (struct span){url.p, url.len - 4}) || holds(w, buf_view(&hex));
}

static void check(struct refusals *w, const struct refusals_row *row, unsigned i)
{
	struct rcar_error refusal = {0};
	const char *got = "Ok";

	if (w->status != 200 &&
		rcar_error_read(&refusal, (struct span){w->answer, w->answer_len}, NULL) == 0)
		got = refusal.reason;
	printf("%4u  %-52s %d %s\n", i, row->attack, w->status, got);
	CHECK_ROW(row->attack, strcmp(got, reason_name(row->reason)) == 0, "%d %s, not %s: %s",
		w->status, got, reason_name(row->reason), refusal.detail);
	CHECK_ROW(row->attack, (w->status == 200) == (row->reason == REASON_Ok), "%d", w->status);
	CHECK_ROW(row->attack, !tells_key(w), "the key is in the answer");
	CHECK_ROW(row->attack, holds(w, SPAN_LIT("\"ciphertext\"")) == (row->reason == REASON_Ok),
		"what is sealed to who asked");
	CHECK_ROW(row->attack, row->reason == REASON_Ok || refusal.detail[0], "says nothing");
}

void refusals_init(struct attack *a)
{
	*a = (struct attack){.record = REFUSALS_GOOD,
		.config_simulated = true,
		.namespace_uid = "ns1",
		.what = {.tee = "tdx",
			.node = "n1",
			.node_uid = "nu1",
			.platform_id = {0xab, 1},
			.platform_id_len = 16,
			.tcb_status = "UpToDate",
			.svn = 3,
			.measurements = {{"mrtd", {7}, 48}},
			.n_measurements = 1},
		.certified_uid = "nu1",
		.tee = "simulated",
		.evidence = "simulated",
		.key = "shop/pay/secret-key",
		.node_token = "agent",
		.pod_token = "pod",
		.container = "app"};
	tee_intel_sgx(&a->sgx);
	tee_intel_at(&a->sgx, SIMULATED_NOW);
}

static void run(const struct refusals_row *row, unsigned i)
{
	static struct refusals w; /* its answers are large */
	char path[512];
	struct attack a;

	refusals_init(&a);
	a.pod = row->pod;
	if (row->change)
		row->change(&a);
	if (refusals_begin(&w, &a)) {
		if (refusals_attest(&w)) {
			if (a.then)
				a.then(&w, &a);
			snprintf(path, sizeof(path), RCAR_PATH_RESOURCE "%s", a.key);
			refusals_ask(&w, "GET", path, a.cookie ? a.cookie : w.cookie, a.bearer,
				SPAN_NONE);
		}
		check(&w, row, i);
	}
	refusals_end(&w);
}

unsigned refusals_run(const struct refusals_row *rows, size_t n)
{
	unsigned refused = 0;

	for (size_t i = 0; i < n; i++) {
		run(&rows[i], (unsigned)i);
		refused += rows[i].reason != REASON_Ok;
	}
	printf("      %u attacks refused\n", refused);
	return refused;
}
