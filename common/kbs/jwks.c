/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/jwks.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "common/tee/signature.h"

enum { NODES_MAX = 4096, DEPTH_MAX = 16, ES256_BYTES = 64 };

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static const struct jwks_key *find(const struct jwks *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].id, id) == 0)
			return &s->v[i];
	return NULL;
}

/* One that is no key to verify with is passed over: an issuer may have others as well. */
static int add(struct jwks *s, struct json_val v, struct error *err)
{
	struct jwks_key k = {0};
	int r;

	if (!json_copy(json_get(v, "kid"), k.id, sizeof(k.id)) || !k.id[0])
		return 0;
	r = jwk_read_signer(&k.key, v, NULL);
	if (r == -EBADMSG)
		return 0;
	if (r < 0)
		return error_oom(err);
	if (s->n < JWKS_KEYS_MAX && !find(s, k.id)) {
		s->v[s->n++] = k;
		return 0;
	}
	r = s->n == JWKS_KEYS_MAX ? error_set(err, -E2BIG, "more than %d keys", JWKS_KEYS_MAX)
				  : error_set(err, -EBADMSG, "two keys of the kid \"%s\"", k.id);
	jwk_free(&k.key);
	return r;
}

int jwks_read(struct jwks *ret, struct span json, struct error *err)
{
	static const struct json_limits limits = {JWKS_TEXT_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_json_ struct json doc = {0};
	struct json_val keys;
	struct json_iter it;
	int r = json_parse(&doc, json, &limits, err);

	if (r < 0)
		return r;
	keys = json_get(json_root(&doc), "keys");
	if (!json_is_array(keys))
		return error_set(err, -EBADMSG, "no list \"keys\": a JSON Web Key Set is expected");
	json_each (it, keys) {
		r = add(ret, it.value, err);
		if (r < 0)
			break;
	}
	if (r == 0 && ret->n == 0)
		r = error_set(err, -EBADMSG,
			"none of the keys has a kid and is for RS256 or ES256 (P-256)");
	if (r < 0)
		jwks_free(ret);
	return r;
}

void jwks_free(struct jwks *s)
{
	for (size_t i = 0; i < s->n; i++)
		jwk_free(&s->v[i].key);
	s->n = 0;
}

/* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3), of the modulus's length. */
static int verify_rs256(EVP_PKEY *key, struct span signature, struct span message)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r;

	if (!ctx)
		return -ENOMEM;
	ERR_set_mark();
	r = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
			    EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.len,
				    (const unsigned char *)message.p, message.len) == 1
		    ? 0
		    : -EKEYREJECTED;
	ERR_pop_to_mark();
	return r;
}

static int check_signature(const struct jwk *key, const struct jws_parts *parts, struct error *err)
{
	_cleanup_buf_ struct buf sig = BUF_INIT(JWK_RSA_BYTES_MAX);
	int r;

	if (codec_unbase64(&sig, CODEC_BASE64_URL, parts->signature) < 0 ||
		(key->kind != JWK_RSA && sig.len != ES256_BYTES))
		return error_set(err, -EBADMSG, "the token has no signature of its algorithm");
	r = key->kind == JWK_RSA
		    ? verify_rs256(key->key, buf_view(&sig), parts->covered)
		    : signature_p256(key->key, (const unsigned char *)sig.p, parts->covered);
	return r < 0 ? error_set(err, r, "the token was not signed by the key that it names") : 0;
}

/* The key that a header names. */
static int find_key(
	const struct jwks *s, struct span text, const struct jwk **ret, struct error *err)
{
	static const struct json_limits limits = {JWS_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_buf_ struct buf json = BUF_INIT(JWS_MAX);
	_cleanup_json_ struct json doc = {0};
	const struct jwks_key *k;
	struct json_val header;
	char id[JWKS_ID_MAX];

	if (codec_unbase64(&json, CODEC_BASE64_URL, text) < 0 ||
		json_parse(&doc, buf_view(&json), &limits, NULL) < 0)
		return error_set(err, -EBADMSG, "the token's header cannot be read");
	header = json_root(&doc);
	if (!json_is_object(header) || json_exists(json_get(header, "crit")) ||
		json_exists(json_get(header, "b64")))
		return error_set(err, -EBADMSG, "the token's header asks for what is not known");
	if (!json_copy(json_get(header, "kid"), id, sizeof(id)) || !(k = find(s, id)))
		return error_set(err, -EKEYREJECTED,
			"the token was signed by a key that is not in the issuer's key set; if the "
			"issuer has a new one, fetch the set anew");
	if (!json_str_is(
		    json_get(header, "alg"), k->key.kind == JWK_RSA ? JWK_SIG_RSA : JWK_SIG_EC))
		return error_set(err, -EBADMSG, "the token's alg is not that of the key it names");
	*ret = &k->key;
	return 0;
}

int jwks_verify(const struct jwks *s, struct span token, struct buf *ret_payload, struct error *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
	const struct jwk *key = NULL;
	struct jws_parts parts = {0};
	int r = jws_split(&parts, token, err);

	if (r == 0)
		r = find_key(s, parts.header, &key, err);
	if (r < 0 || !key)
		return r;
	r = check_signature(key, &parts, err);
	if (r < 0)
		return r;
	if (codec_unbase64(&payload, CODEC_BASE64_URL, parts.payload) < 0)
		return error_set(err, -EBADMSG, "the token's payload cannot be read");
	return buf_span(ret_payload, buf_view(&payload)) < 0
		       ? error_set(err, ret_payload->err, "the token is too large")
		       : 0;
}
