/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/jws.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "common/base/algorithm.h"
#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/tee/signature.h"

enum { HALF = 32, SIGNATURE_DER_MAX = 80, NODES_MAX = 256, DEPTH_MAX = 8 };

DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

/* Ecdsa-Sig-Value (RFC 3279) as r || s. */
static int to_raw(unsigned char rs[2 * HALF], const unsigned char *der, size_t len)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, HALF) == HALF &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + HALF, HALF) == HALF;

	ECDSA_SIG_free(sig);
	return ok ? 0 : -EIO;
}

static int sign(unsigned char rs[2 * HALF], struct span message, EVP_PKEY *key)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	unsigned char der[SIGNATURE_DER_MAX], digest[HALF];
	size_t len = sizeof(der);

	if (!ctx)
		return -ENOMEM;
	if (EVP_Digest(message.p, message.len, digest, NULL, algorithm_sha256(), NULL) != 1 ||
		EVP_PKEY_sign_init(ctx) != 1 ||
		EVP_PKEY_sign(ctx, der, &len, digest, sizeof(digest)) != 1)
		return -EIO;
	return to_raw(rs, der, len);
}

int jws_sign_es256(struct buf *out, struct span header_json, struct span payload_json,
	EVP_PKEY *key, struct error *err)
{
	_cleanup_buf_ struct buf token = BUF_INIT(JWS_MAX);
	unsigned char rs[2 * HALF];
	int r;

	codec_base64url(&token, header_json.p, header_json.len);
	buf_putc(&token, '.');
	codec_base64url(&token, payload_json.p, payload_json.len);
	if (token.err)
		return error_set(err, token.err, "a token is too large");
	ERR_set_mark();
	r = sign(rs, buf_view(&token), key);
	ERR_pop_to_mark();
	if (r < 0)
		return error_set(err, r, "a token could not be signed");
	buf_putc(&token, '.');
	codec_base64url(&token, rs, sizeof(rs));
	if (token.err || buf_span(out, buf_view(&token)) < 0)
		return error_set(err, token.err ? token.err : out->err, "a token is too large");
	return 0;
}

static bool header_fits(struct span text)
{
	static const struct json_limits limits = {JWS_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_buf_ struct buf json = BUF_INIT(JWS_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val header;

	if (codec_unbase64(&json, CODEC_BASE64_URL, text) < 0 ||
		json_parse(&doc, buf_view(&json), &limits, NULL) < 0)
		return false;
	header = json_root(&doc);
	return json_is_object(header) && json_str_is(json_get(header, "alg"), "ES256") &&
	       !json_exists(json_get(header, "crit")) && !json_exists(json_get(header, "b64"));
}

int jws_split(struct jws_parts *ret, struct span token, struct error *err)
{
	const char *dot = token.p ? memchr(token.p, '.', token.len) : NULL;
	const char *end = dot ? memrchr(token.p, '.', token.len) : NULL;

	if (!dot || end == dot || token.len > JWS_MAX ||
		memchr(dot + 1, '.', (size_t)(end - dot - 1)))
		return error_set(err, -EBADMSG, "no token of three parts");
	*ret = (struct jws_parts){
		.covered = {token.p, (size_t)(end - token.p)},
		.header = {token.p, (size_t)(dot - token.p)},
		.payload = {dot + 1, (size_t)(end - dot - 1)},
		.signature = {end + 1, token.len - (size_t)(end + 1 - token.p)},
	};
	return 0;
}

int jws_verify_es256(struct span token, EVP_PKEY *key, struct buf *ret_payload, struct error *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
	unsigned char rs[2 * HALF];
	struct jws_parts parts = {0};
	int r = jws_split(&parts, token, err);

	if (r < 0)
		return r;
	if (codec_unbase64_exact(rs, sizeof(rs), CODEC_BASE64_URL, parts.signature) < 0)
		return error_set(err, -EBADMSG, "no token signed by ES256");
	r = signature_p256(key, rs, parts.covered);
	if (r < 0)
		return error_set(err, r, "the token was not signed by the key expected");
	if (!header_fits(parts.header) ||
		codec_unbase64(&payload, CODEC_BASE64_URL, parts.payload) < 0)
		return error_set(err, -EBADMSG, "the token's header or payload cannot be read");
	return buf_span(ret_payload, buf_view(&payload)) < 0
		       ? error_set(err, ret_payload->err, "the token is too large")
		       : 0;
}
