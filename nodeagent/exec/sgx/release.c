/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/release.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/kbs/jwe.h"
#include "common/kbs/rcar.h"
#include "common/tee/quote.h"
#include "nodeagent/exec/file.h"
#include "nodeagent/exec/sgx/device.h"
#include "nodeagent/exec/sgx/https.h"
#include "nodeagent/exec/wire.h"

enum { CA_MAX = 256 * 1024, JWK_TEXT_MAX = 1024, ADDITIONAL_MAX = 1024, OK = 200 };

#define TEE "sgx"

/* Zero-initialise; release_free(). */
struct release {
	const struct exec_attempt *t;
	struct sgx_device device;
	struct sgx_broker broker;
	struct buf ca;
	struct secret token; /* the pod's; empty: none goes along */
	struct sgx_https https;
	EVP_PKEY *key;  /* ephemeral */
	struct buf jwk; /* its public half */
	char nonce[RCAR_NONCE_TEXT];
};

static void release_free(struct release *r)
{
	secret_free(&r->token);
	sgx_https_free(&r->https);
	EVP_PKEY_free(r->key);
	buf_free(&r->jwk);
	buf_free(&r->ca);
}

/* --- what is measured, and the token --- */

static int read_settings(struct release *r, struct error *err)
{
	const char *path = r->t->o->broker;
	_cleanup_buf_ struct buf text = BUF_INIT(SGX_BROKER_FILE_MAX);
	int n = exec_file_read(&text, path);

	if (n == -ENOMEM)
		return error_oom(err);
	if (n < 0)
		return error_set(err, -EBADMSG,
			"%s: %s: it says where the broker is and who vouches for it, and must be "
			"one of the enclave's trusted files (sgx.trusted_files of the manifest)",
			path, strerror(-n));
	n = sgx_broker_read(&r->broker, buf_view(&text), err);
	if (n < 0)
		return error_prefix(err, n, "%s", path);
	n = exec_file_read(&r->ca, r->broker.ca);
	if (n < 0)
		return error_set(err, n == -ENOMEM ? n : -EBADMSG,
			"%s: %s: %s names it, and it must be one of the enclave's trusted files",
			r->broker.ca, strerror(-n), path);
	return 0;
}

/* It expires, so it is read for each try. */
static int read_token(struct release *r, struct error *err)
{
	int n;

	if (!*r->broker.token)
		return 0;
	n = exec_token_read(&r->token, r->broker.token, err);
	if (n == -ENOMEM)
		return n;
	if (n < 0)
		return error_prefix(
			err, -EBADMSG, "the pod's token (token in %s)", r->t->o->broker);
	return exec_token_good(secret_view(&r->token))
		       ? 0
		       : error_set(err, -EBADMSG, "%s: it holds no service account token",
				 r->broker.token);
}

/* --- answers --- */

/* Why not, as the broker says it; which key it is about is in the answer already. */
static int refuse(struct release *r, int status, struct span body, struct error *err)
{
	struct exec_answer *a = r->t->answer;
	struct rcar_error e = {0};
	bool again;

	rcar_error_read(&e, body, NULL);
	again = rcar_error_passes(status, e.reason);
	snprintf(a->status, sizeof(a->status), "%s", again ? "again" : "refused");
	if (*e.reason || *e.variant)
		snprintf(a->reason, sizeof(a->reason), "%s", *e.reason ? e.reason : e.variant);
	else
		snprintf(a->reason, sizeof(a->reason), "HTTP %d", status);
	snprintf(a->message, sizeof(a->message), SPAN_FMT,
		SPAN_ARG(utf8_cut(span_str(e.detail), sizeof(a->message) - 1)));
	if (!*e.detail)
		snprintf(a->message, sizeof(a->message),
			"the broker did not say why: is it one at %.200s?", r->broker.url);
	exec_clean(a->reason);
	exec_clean(a->message);
	return error_set(err, again ? -EAGAIN : -EACCES, "%s", a->message);
}

static int ask(struct release *r, const char *path, struct span body, struct buf *answer,
	struct error *err)
{
	int status, n = sgx_https_ask(&r->https, path, body, &status, answer, err);

	if (n == 0 && status != OK)
		n = refuse(r, status, buf_view(answer), err);
	return n;
}

/* --- challenge, evidence, keys --- */

static int get_challenge(struct release *r, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(JWK_TEXT_MAX);
	_cleanup_buf_ struct buf answer = BUF_INIT(SGX_HTTPS_ANSWER_MAX);
	int n;

	r->key = jwk_generate(JWK_EC_P256);
	if (!r->key || jwk_write(&r->jwk, r->key, JWK_ALG_ECDH) < 0 ||
		rcar_auth_write(&body, TEE) < 0)
		return error_oom(err);
	n = ask(r, RCAR_PATH_AUTH, buf_view(&body), &answer, err);
	if (n < 0)
		return n;
	n = rcar_challenge_read(r->nonce, buf_view(&answer), err);
	if (n == 0 && !r->https.cookie.len)
		n = error_set(err, -EBADMSG, "the answer has no session");
	return n < 0 ? error_prefix(err, n, "%s", r->broker.url) : 0;
}

/* SHA-384, and zeros behind it. */
static int make_report_data(struct release *r, struct span additional,
	unsigned char ret[SGX_DEVICE_REPORT_DATA], struct error *err)
{
	static const struct json_limits limits = {JWK_TEXT_MAX, 64, 4};
	_cleanup_json_ struct json jwk = {0};
	int n = json_parse(&jwk, buf_view(&r->jwk), &limits, err);

	memset(ret, 0, SGX_DEVICE_REPORT_DATA);
	if (n == 0)
		n = rcar_report_data(ret, span_str(r->nonce), json_root(&jwk), additional);
	return n < 0 ? error_set(err, n, "what the quote is to bind cannot be written") : 0;
}

static int attest(struct release *r, struct error *err)
{
	_cleanup_buf_ struct buf additional = BUF_INIT(ADDITIONAL_MAX), quote = BUF_INIT(QUOTE_MAX);
	_cleanup_buf_ struct buf primary = BUF_INIT(2 * QUOTE_MAX);
	_cleanup_buf_ struct buf answer = BUF_INIT(SGX_HTTPS_ANSWER_MAX);
	const struct rcar_requester who = {.pod_token = secret_view(&r->token)};
	struct rcar_attest_out out = {
		.nonce = span_str(r->nonce), .tee_pubkey = buf_view(&r->jwk), .who = who};
	unsigned char report_data[SGX_DEVICE_REPORT_DATA];
	_cleanup_secret_ struct secret body = {0};
	int n;

	if (rcar_additional_write(&additional, &who) < 0)
		return error_oom(err);
	n = make_report_data(r, buf_view(&additional), report_data, err);
	if (n == 0)
		n = sgx_device_quote(&quote, &r->device, report_data, err);
	if (n < 0)
		return n;
	out.additional = buf_view(&additional);
	if (rcar_primary_write(&primary, TEE, buf_view(&quote)) < 0)
		return error_oom(err);
	out.primary = buf_view(&primary);
	if (rcar_attest_write(&body, &out) < 0)
		return error_oom(err);
	return ask(r, RCAR_PATH_ATTEST, secret_view(&body), &answer, err);
}

static int name_key(const struct release *r, size_t i, struct key_id *ret, struct error *err)
{
	struct exec_answer *a = r->t->answer;

	snprintf(a->key, sizeof(a->key), SPAN_FMT, SPAN_ARG(r->t->e->keys[i]));
	return exec_key_id(
		ret, r->t->e->keys[i], r->broker.namespace_, "namespace in " SGX_BROKER_FILE, err);
}

static int get_key(struct release *r, size_t i, struct error *err)
{
	_cleanup_buf_ struct buf answer = BUF_INIT(SGX_HTTPS_ANSWER_MAX);
	char path[sizeof(RCAR_PATH_RESOURCE) + sizeof(struct key_id)];
	struct secret *key = &r->t->keys[i];
	struct key_id id;
	int n = name_key(r, i, &id, err);

	if (n < 0)
		return n;
	snprintf(path, sizeof(path), RCAR_PATH_RESOURCE "%s/%s/%s", id.namespace_, id.profile,
		id.key);
	n = ask(r, path, SPAN_NONE, &answer, err);
	if (n < 0)
		return n;
	n = jwe_open(key, buf_view(&answer), r->key, err);
	if (n == 0 && key->len > DELIVERY_KEY_MAX)
		n = error_set(err, -E2BIG, "longer than the %d bytes that can be delivered",
			DELIVERY_KEY_MAX);
	return n;
}

/* --- the way --- */

static int fetch(struct release *r, struct error *err)
{
	struct key_id id;
	int n = sgx_device_find(&r->device, r->t->o->attestation, r->t->o->occlum, err);

	if (n == 0)
		n = read_settings(r, err);
	if (n == 0)
		n = read_token(r, err);
	/* Before anybody is asked. */
	for (size_t i = 0; n == 0 && i < r->t->e->n_keys; i++)
		n = name_key(r, i, &id, err);
	if (n < 0)
		return n;
	*r->t->answer->key = '\0';
	r->https.broker = &r->broker;
	r->https.ca = buf_view(&r->ca);
	r->https.deadline_usec = r->t->deadline_usec;
	n = get_challenge(r, err);
	if (n == 0)
		n = attest(r, err);
	for (size_t i = 0; n == 0 && i < r->t->e->n_keys; i++)
		n = get_key(r, i, err);
	return n;
}

static int ask_broker(const struct exec_attempt *t, struct error *err)
{
	struct release r = {.t = t, .ca = BUF_INIT(CA_MAX), .jwk = BUF_INIT(JWK_TEXT_MAX)};
	int n = fetch(&r, err);

	for (size_t i = 0; n < 0 && i < t->e->n_keys; i++)
		secret_free(&t->keys[i]);
	release_free(&r);
	return n;
}

static bool always(const struct exec_resolve_options *o)
{
	(void)o;
	return true;
}

const struct exec_way sgx_ways[] = {{always, ask_broker, true}};
