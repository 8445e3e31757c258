/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/token.h"

#include <errno.h>
#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/kbs/jcs.h"
#include "common/kbs/jws.h"

enum { HEADER_MAX = 1024, NODES_MAX = 2000, DEPTH_MAX = 16 };

/* AR4SI's values (draft-ietf-rats-ar4si, section 2.3). What was refused gets no token; what may run
 * is judged for each key. */
enum { NOT_SAID = 0, AFFIRMED = 2, UNRECOGNIZED = 97 };

static void write_evidence(struct buf *out, const struct token_claims *c)
{
	const struct session *s = c->session;

	buf_printf(out, "{\"%s\":{", s->tee);
	for (size_t i = 0; i < s->proven.n_registers; i++) {
		buf_puts(out, i ? "," : "");
		buf_json_string(out, span_str(s->proven.registers[i].name));
		buf_puts(out, ":\"");
		codec_hex(out, s->proven.registers[i].value, s->proven.registers[i].len);
		buf_putc(out, '"');
	}
	buf_puts(out, "},\"report_data\":\"");
	codec_hex(out, c->report_data, RCAR_REPORT_DATA);
	buf_puts(out, "\",\"runtime_data_claims\":{\"additional-evidence\":");
	jcs_string(out, c->additional);
	buf_puts(out, ",\"nonce\":\"");
	buf_base64(out, s->nonce, sizeof(s->nonce));
	buf_puts(out, "\",\"tee-pubkey\":");
	jcs_write(out, c->tee_pubkey);
	buf_putc(out, '}');
	if (c->init_data_hex.len)
		buf_printf(out, ",\"init_data\":\"" SPAN_FMT "\"", SPAN_ARG(c->init_data_hex));
	buf_putc(out, '}');
}

static void write_submods(struct buf *out, const struct token_claims *c)
{
	bool real = !c->session->proven.sample && c->session->proven.tee != TEE_TYPE_SIMULATED;
	int trust = real ? AFFIRMED : UNRECOGNIZED;

	buf_printf(out,
		"{\"cpu0\":{\"ear.status\":\"%s\",\"ear.trustworthiness-vector\":{"
		"\"instance-identity\":%d,\"configuration\":%d,\"executables\":%d,"
		"\"file-system\":0,\"hardware\":%d,\"runtime-opaque\":0,\"storage-opaque\":0,"
		"\"sourced-data\":0},\"ear.appraisal-policy-id\":\"default\","
		"\"ear.veraison.annotated-evidence\":",
		real ? "affirming" : "contraindicated", trust, trust, NOT_SAID, trust);
	write_evidence(out, c);
	buf_puts(out, "}}");
}

static int write_payload(struct buf *out, const struct token_claims *c,
	const struct sealing_keys *keys, int64_t now_sec, struct error *err)
{
	int r;

	buf_printf(out,
		"{\"eat_profile\":\"tag:github.com,2024:confidential-containers/Trustee\","
		"\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"iss\":\"casemate.dev\","
		"\"ear.verifier-id\":{\"developer\":\"https://casemate.dev\","
		"\"build\":\"casemate-webhook %s\"},\"submods\":",
		now_sec, c->session->expires_usec / (int64_t)USEC_PER_SEC, c->version);
	write_submods(out, c);
	buf_puts(out, ",\"" TOKEN_CLAIM_SESSION "\":\"");
	r = session_seal(out, keys, c->session, err);
	if (r < 0)
		return r;
	buf_puts(out, "\"}");
	return out->err ? error_set(err, out->err, "the token holds too much") : 0;
}

void token_signer_free(struct token_signer *s)
{
	EVP_PKEY_free(s->key);
	buf_free(&s->header);
	*s = (struct token_signer){0};
}

/* The header of that key's tokens. The key is held, so that no other one has its address. */
static int take_signer(struct token_signer *s, EVP_PKEY *key, struct error *err)
{
	int r;

	if (s->key == key)
		return 0;
	token_signer_free(s);
	s->header = BUF_INIT(HEADER_MAX);
	buf_puts(&s->header, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":");
	r = jwk_write(&s->header, key, "ES256");
	buf_putc(&s->header, '}');
	if (r == 0)
		r = s->header.err;
	if (r < 0)
		return error_set(err, r, "the token's key is not on P-256");
	EVP_PKEY_up_ref(key);
	s->key = key;
	return 0;
}

int token_write(struct buf *out, const struct token_claims *c, const struct sealing_keys *keys,
	struct token_signer *signer, EVP_PKEY *key, int64_t now_sec, struct error *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX / 2);
	int r = take_signer(signer, key, err);

	if (r == 0)
		r = write_payload(&payload, c, keys, now_sec, err);
	return r < 0 ? r
		     : jws_sign_es256(out, buf_view(&signer->header), buf_view(&payload), key, err);
}

static int refuse(enum reason *ret_reason, struct error *err, const char *what)
{
	*ret_reason = REASON_SessionExpired;
	return error_set(err, -EACCES, "%s; %s", what, reason_remedy(REASON_SessionExpired));
}

int token_read(struct session *ret, struct span token, const struct sealing_keys *keys,
	EVP_PKEY *key, int64_t now_usec, enum reason *ret_reason, struct error *err)
{
	static const struct json_limits limits = {JWS_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
	_cleanup_arena_ struct arena a = ARENA_INIT(SESSION_TEXT_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	int64_t expires;

	if (jws_verify_es256(token, key, &payload, err) < 0 ||
		json_parse(&doc, buf_view(&payload), &limits, NULL) < 0)
		return refuse(ret_reason, err, "the token is none that this broker signed");
	root = json_root(&doc);
	if (!json_int(json_get(root, "exp"), &expires) || now_usec / USEC_PER_SEC > expires)
		return refuse(ret_reason, err, "the token has expired");
	return session_open(ret, keys, json_str(json_get(root, TOKEN_CLAIM_SESSION), &a), now_usec,
		ret_reason, err);
}
