/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/jwk.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "common/base/codec.h"
#include "common/tee/signature.h"

enum { RSA_EXPONENT = 65537, MEMBER_MAX = 1024 };

static const struct {
	const char *crv, *group;
	size_t coordinate; /* bytes of one on the curve */
} kinds[] = {
	[JWK_EC_P256] = {"P-256", "prime256v1", 32},
	[JWK_EC_P521] = {"P-521", "secp521r1", 66},
	[JWK_RSA] = {NULL, NULL, 0},
};

DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return key;
}

/* A point that is not on the curve is refused. */
static EVP_PKEY *make_p521(const unsigned char *xy)
{
	unsigned char point[1 + 2 * JWK_EC_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_PKEY_PARAM_GROUP_NAME, (char *)kinds[JWK_EC_P521].group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	memcpy(point + 1, xy, sizeof(point) - 1);
	return from_params("EC", params);
}

static EVP_PKEY *make_rsa(struct span modulus)
{
	_cleanup_(OSSL_PARAM_BLD_free_p) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	_cleanup_(BN_free_p) BIGNUM *n =
		BN_bin2bn((const unsigned char *)modulus.p, (int)modulus.len, NULL);
	_cleanup_(OSSL_PARAM_free_p) OSSL_PARAM *params = NULL;

	if (!bld || !n || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
		OSSL_PARAM_BLD_push_ulong(bld, OSSL_PKEY_PARAM_RSA_E, RSA_EXPONENT) != 1)
		return NULL;
	params = OSSL_PARAM_BLD_to_param(bld);
	return params ? from_params("RSA", params) : NULL;
}

/* bytes: both coordinates, or a modulus. */
static int make(struct jwk *ret, enum jwk_kind kind, struct span bytes, struct error *err)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	EVP_PKEY *key;

	ERR_set_mark();
	key = kind == JWK_RSA       ? make_rsa(bytes)
	      : kind == JWK_EC_P256 ? signature_p256_key(p)
				    : make_p521(p);
	ERR_pop_to_mark();
	if (!key)
		return error_set(err, -EBADMSG, "the JWK is no %s",
			kind == JWK_RSA ? "RSA key" : "point of its curve");
	*ret = (struct jwk){.kind = kind, .key = key};
	return 0;
}

static int member(struct buf *out, struct json_val v, const char *name, size_t min, size_t max,
	struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(MEMBER_MAX);
	struct span text = json_str(json_get(v, name), &a);
	size_t before = out->len;

	if (!text.p || codec_unbase64(out, CODEC_BASE64_URL, text) < 0 || out->len - before < min ||
		out->len - before > max)
		return error_set(err, -EBADMSG,
			"the JWK's %s is not base64url (without padding) of %zu to %zu bytes", name,
			min, max);
	return 0;
}

/* Appends both coordinates. */
static int read_ec(struct buf *xy, enum jwk_kind *ret, struct json_val v, struct error *err)
{
	struct json_val crv = json_get(v, "crv");
	enum jwk_kind kind = json_str_is(crv, "P-521") ? JWK_EC_P521 : JWK_EC_P256;
	size_t n = kinds[kind].coordinate;
	int r;

	if (!json_str_is(crv, kinds[kind].crv))
		return error_set(err, -EBADMSG, "the JWK's crv is neither P-256 nor P-521");
	*ret = kind;
	r = member(xy, v, "x", n, n, err);
	return r < 0 ? r : member(xy, v, "y", n, n, err);
}

/* Appends the modulus to n, which is empty. */
static int read_rsa(struct buf *n, struct json_val v, struct error *err)
{
	int r;

	if (!json_str_is(json_get(v, "e"), "AQAB"))
		return error_set(err, -EBADMSG, "the JWK's e is not AQAB (65537)");
	r = member(n, v, "n", JWK_RSA_BYTES_MIN, JWK_RSA_BYTES_MAX, err);
	if (r < 0)
		return r;
	/* neither shorter than it says, nor even */
	if (!(n->p[0] & 0x80) || !(n->p[n->len - 1] & 1))
		return error_set(err, -EBADMSG,
			"the JWK's n is not a modulus whose highest and lowest bits are set");
	return 0;
}

/* What the members say: the kind, and the bytes that make() takes. algs: by kind; NULL: that kind
 * is not for this use. */
static int read_members(struct buf *bytes, enum jwk_kind *ret, struct json_val v,
	const char *const algs[], struct error *err)
{
	struct json_val kty = json_get(v, "kty"), alg = json_get(v, "alg");
	int r;

	*ret = JWK_RSA;
	if (json_exists(json_get(v, "d")))
		return error_set(err, -EBADMSG, "the JWK holds a private key");
	if (json_str_is(kty, "EC"))
		r = read_ec(bytes, ret, v, err);
	else if (json_str_is(kty, "RSA"))
		r = read_rsa(bytes, v, err);
	else
		return error_set(err, -EBADMSG, "the JWK's kty is neither EC nor RSA");
	if (r < 0)
		return r;
	if (!algs[*ret])
		return error_set(err, -EBADMSG, "the JWK's crv is not P-256");
	if (json_exists(alg) && !json_str_is(alg, algs[*ret]))
		return error_set(err, -EBADMSG, "the JWK's alg is not %s", algs[*ret]);
	return 0;
}

static int read_key(struct jwk *ret, struct json_val v, const char *const algs[], struct error *err)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(JWK_RSA_BYTES_MAX);
	enum jwk_kind kind;
	int r = read_members(&bytes, &kind, v, algs, err);

	return r < 0 ? r : make(ret, kind, buf_view(&bytes), err);
}

static const char *const wrapping[] = {
	[JWK_EC_P256] = JWK_ALG_ECDH, [JWK_EC_P521] = JWK_ALG_ECDH, [JWK_RSA] = JWK_ALG_RSA};

int jwk_read(struct jwk *ret, struct json_val v, struct error *err)
{
	return read_key(ret, v, wrapping, err);
}

int jwk_read_packed(unsigned char out[JWK_PUBLIC_MAX], struct json_val v, struct error *err)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(JWK_RSA_BYTES_MAX);
	struct jwk k = {0};
	enum jwk_kind kind;
	int r = read_members(&bytes, &kind, v, wrapping, err);

	if (r == 0 && (kind != JWK_EC_P256 || !signature_p256_holds((unsigned char *)bytes.p)))
		r = make(&k, kind, buf_view(&bytes), err);
	jwk_free(&k);
	if (r < 0)
		return r;
	out[0] = (unsigned char)kind;
	memcpy(out + 1, bytes.p, bytes.len);
	return (int)bytes.len + 1;
}

int jwk_read_signer(struct jwk *ret, struct json_val v, struct error *err)
{
	static const char *const algs[] = {
		[JWK_EC_P256] = JWK_SIG_EC, [JWK_EC_P521] = NULL, [JWK_RSA] = JWK_SIG_RSA};
	struct json_val use = json_get(v, "use");

	if (json_exists(use) && !json_str_is(use, "sig"))
		return error_set(err, -EBADMSG, "the JWK's use is not sig");
	return read_key(ret, v, algs, err);
}

static int kind_of(const EVP_PKEY *key)
{
	char group[32];
	int bytes = EVP_PKEY_get_size(key);

	if (EVP_PKEY_is_a(key, "RSA"))
		return bytes >= JWK_RSA_BYTES_MIN && bytes <= JWK_RSA_BYTES_MAX ? JWK_RSA : -EINVAL;
	if (!EVP_PKEY_is_a(key, "EC") ||
		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return -EINVAL;
	for (int kind = JWK_EC_P256; kind <= JWK_EC_P521; kind++)
		if (strcmp(group, kinds[kind].group) == 0)
			return kind;
	return -EINVAL;
}

/* A number of the key in len bytes, big endian. */
static int number(const EVP_PKEY *key, const char *name, unsigned char *out, size_t len)
{
	_cleanup_(BN_free_p) BIGNUM *n = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &n) != 1 || BN_bn2binpad(n, out, (int)len) < 0)
		return -EINVAL;
	return 0;
}

/* The same for both coordinates, or the modulus; returns their length. */
static int numbers(unsigned char *out, const EVP_PKEY *key, enum jwk_kind kind)
{
	unsigned char point[1 + 2 * JWK_EC_BYTES_MAX];
	size_t n = kinds[kind].coordinate, got = 0;

	if (kind == JWK_RSA) {
		n = (size_t)EVP_PKEY_get_size(key);
		return number(key, OSSL_PKEY_PARAM_RSA_N, out, n) < 0 ? -EINVAL : (int)n;
	}
	/* always uncompressed; one by one OpenSSL would calculate both each time */
	if (EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof(point), &got) != 1 ||
		got != 1 + 2 * n || point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return -EINVAL;
	memcpy(out, point + 1, 2 * n);
	return (int)(2 * n);
}

static void put(struct buf *out, const char *name, const unsigned char *p, size_t n)
{
	buf_printf(out, "\"%s\":\"", name);
	codec_base64url(out, p, n);
	buf_putc(out, '"');
}

int jwk_write(struct buf *out, const EVP_PKEY *key, const char *alg)
{
	unsigned char bytes[JWK_RSA_BYTES_MAX];
	int kind = kind_of(key), n;

	if (kind < 0)
		return kind;
	n = numbers(bytes, key, (enum jwk_kind)kind);
	if (n < 0)
		return n;
	buf_putc(out, '{');
	if (alg)
		buf_printf(out, "\"alg\":\"%s\",", alg);
	if (kind == JWK_RSA) {
		buf_puts(out, "\"e\":\"AQAB\",\"kty\":\"RSA\",");
		put(out, "n", bytes, (size_t)n);
	} else {
		buf_printf(out, "\"crv\":\"%s\",\"kty\":\"EC\",", kinds[kind].crv);
		put(out, "x", bytes, (size_t)n / 2);
		buf_putc(out, ',');
		put(out, "y", bytes + n / 2, (size_t)n / 2);
	}
	return buf_putc(out, '}');
}

int jwk_unpack(struct jwk *ret, struct span packed, struct error *err)
{
	struct span bytes;
	bool ok;

	if (packed.len < 1 || (unsigned char)packed.p[0] > JWK_RSA)
		return error_set(err, -EBADMSG, "no packed key");
	bytes = (struct span){packed.p + 1, packed.len - 1};
	ok = packed.p[0] == JWK_RSA
		     ? bytes.len >= JWK_RSA_BYTES_MIN && bytes.len <= JWK_RSA_BYTES_MAX
		     : bytes.len == 2 * kinds[(unsigned char)packed.p[0]].coordinate;
	if (!ok)
		return error_set(err, -EBADMSG, "a packed key of %zu bytes", packed.len);
	return make(ret, (enum jwk_kind)packed.p[0], bytes, err);
}

EVP_PKEY *jwk_generate(enum jwk_kind kind)
{
	if (kind == JWK_EC_P256)
		return signature_p256_generate();
	return kinds[kind].group ? EVP_EC_gen(kinds[kind].group) : NULL;
}

void jwk_free(struct jwk *k)
{
	EVP_PKEY_free(k->key);
	*k = (struct jwk){0};
}
