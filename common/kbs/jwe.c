/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "common/base/algorithm.h"
#include "common/base/codec.h"
#include "common/kbs/jwe_private.h"

enum {
	HEADER_MAX = 2048,
	WRAPPED_MAX = JWK_RSA_BYTES_MAX,
	NODES_MAX = 64,
	DEPTH_MAX = 4,
};

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

/*
 * Key agreement and transport
 */

/* That theirs lies on its curve was seen to when it was made of its coordinates; the curves have no
 * other subgroups, so OpenSSL need not multiply it by the order to check it once more (NIST SP
 * 800-56A, 5.6.2.3.4). */
static int agree(unsigned char kek[32], EVP_PKEY *ours, EVP_PKEY *theirs)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
	unsigned char z[JWK_EC_BYTES_MAX];
	size_t n = sizeof(z);
	int r = -EIO;

	if (ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1 &&
		EVP_PKEY_derive(ctx, z, &n) == 1)
		r = jwe_concat_kdf(kek, (struct span){(const char *)z, n}, span_str(JWK_ALG_ECDH),
			SPAN_NONE, SPAN_NONE, 256);
	OPENSSL_cleanse(z, sizeof(z));
	return r;
}

static bool oaep(EVP_PKEY_CTX *ctx, const EVP_MD *md)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static int transport(struct buf *wrapped, const struct jwk *to, const unsigned char key[JWE_KEY])
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(to->key, NULL);
	const EVP_MD *md = to->oaep_sha1 ? EVP_sha1() : EVP_sha256();
	unsigned char out[WRAPPED_MAX];
	size_t n = sizeof(out);

	if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 || !oaep(ctx, md) ||
		EVP_PKEY_encrypt(ctx, out, &n, key, JWE_KEY) != 1)
		return -EIO;
	return buf_add(wrapped, out, n);
}

static int untransport(unsigned char key[JWE_KEY], EVP_PKEY *own, struct span wrapped)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	unsigned char out[WRAPPED_MAX];
	size_t n = sizeof(out);
	int r = -EKEYREJECTED;

	if (ctx && EVP_PKEY_decrypt_init(ctx) == 1 && oaep(ctx, EVP_sha256()) &&
		EVP_PKEY_decrypt(ctx, out, &n, (const unsigned char *)wrapped.p, wrapped.len) ==
			1 &&
		n == JWE_KEY) {
		memcpy(key, out, JWE_KEY);
		r = 0;
	}
	OPENSSL_cleanse(out, sizeof(out));
	return r;
}

/*
 * Sealing
 */

/* The protected header, and the content key wrapped. */
static int write_header(struct buf *header, struct buf *wrapped, const struct jwk *to,
	const struct jwe_random *random)
{
	unsigned char kek[32], key[JWE_WRAPPED];
	int r;

	if (to->kind == JWK_RSA) {
		buf_puts(header, "{\"alg\":\"" JWK_ALG_RSA "\",\"enc\":\"A256GCM\"}");
		return transport(wrapped, to, random->key);
	}
	buf_puts(header, "{\"alg\":\"" JWK_ALG_ECDH "\",\"enc\":\"A256GCM\",\"epk\":");
	r = jwk_write(header, random->ephemeral, NULL);
	buf_putc(header, '}');
	if (r == 0)
		r = agree(kek, random->ephemeral, to->key);
	if (r == 0)
		r = jwe_wrap(key, kek, random->key);
	if (r == 0)
		r = buf_add(wrapped, key, sizeof(key));
	OPENSSL_cleanse(kek, sizeof(kek));
	return r;
}

/* aad: the header as it is sent. */
static int encrypt(unsigned char *out, unsigned char tag[JWE_TAG], struct span aad,
	struct span plaintext, const struct jwe_random *random)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (!ctx ||
		EVP_EncryptInit_ex2(ctx, algorithm_aes256_gcm(), random->key, random->iv, NULL) !=
			1 ||
		EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.len) != 1 ||
		EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)plaintext.p,
			(int)plaintext.len) != 1 ||
		EVP_EncryptFinal_ex(ctx, out + n, &n) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, JWE_TAG, tag) != 1)
		return -EIO;
	return 0;
}

static void put(struct buf *out, const char *name, struct span s)
{
	buf_printf(out, "\"%s\":\"", name);
	codec_base64url(out, s.p, s.len);
	buf_putc(out, '"');
}

static int seal(struct buf *out, const struct jwk *to, struct span plaintext,
	const struct jwe_random *random)
{
	_cleanup_buf_ struct buf header = BUF_INIT(HEADER_MAX), wrapped = BUF_INIT(WRAPPED_MAX);
	_cleanup_buf_ struct buf protected_ = BUF_INIT(2 * HEADER_MAX);
	_cleanup_free_ unsigned char *ciphertext = malloc(plaintext.len + 1);
	unsigned char tag[JWE_TAG];
	int r = ciphertext ? write_header(&header, &wrapped, to, random) : -ENOMEM;

	if (r == 0)
		r = codec_base64url(&protected_, header.p, header.len);
	if (r == 0)
		r = encrypt(ciphertext, tag, buf_view(&protected_), plaintext, random);
	if (r < 0)
		return r;
	buf_puts(out, "{\"protected\":\"");
	buf_span(out, buf_view(&protected_));
	buf_puts(out, "\",");
	put(out, "encrypted_key", buf_view(&wrapped));
	buf_putc(out, ',');
	put(out, "iv", (struct span){(const char *)random->iv, JWE_IV});
	buf_putc(out, ',');
	put(out, "ciphertext", (struct span){(const char *)ciphertext, plaintext.len});
	buf_putc(out, ',');
	put(out, "tag", (struct span){(const char *)tag, JWE_TAG});
	return buf_putc(out, '}');
}

int jwe_seal_with(struct buf *out, const struct jwk *to, struct span plaintext,
	const struct jwe_random *random, struct error *err)
{
	int r;

	if (plaintext.len > JWE_PLAINTEXT_MAX)
		return error_set(err, -E2BIG, "a key of %zu bytes, more than %d", plaintext.len,
			JWE_PLAINTEXT_MAX);
	ERR_set_mark();
	r = seal(out, to, plaintext, random);
	ERR_pop_to_mark();
	if (r == -ENOMEM)
		return error_oom(err);
	return r < 0 ? error_set(err, r, "a key could not be sealed to who asks") : 0;
}

int jwe_seal(struct buf *out, const struct jwk *to, struct span plaintext, struct error *err)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *ephemeral = NULL;
	struct jwe_random random;
	int r;

	if (to->kind != JWK_RSA) {
		ephemeral = jwk_generate(to->kind);
		if (!ephemeral)
			return error_set(err, -EIO, "no ephemeral key could be made");
	}
	random.ephemeral = ephemeral;
	if (RAND_priv_bytes(random.key, sizeof(random.key)) != 1 ||
		RAND_bytes(random.iv, sizeof(random.iv)) != 1)
		return error_set(err, -EIO, "no randomness");
	r = jwe_seal_with(out, to, plaintext, &random, err);
	OPENSSL_cleanse(random.key, sizeof(random.key));
	return r;
}

/*
 * Opening
 */

struct parts {
	struct span protected_; /* as received */
	struct buf header, wrapped, iv, ciphertext, tag;
};

static int take(
	struct buf *out, struct json_val v, const char *name, struct arena *a, struct error *err)
{
	struct span text = json_str(json_get(v, name), a);

	if (!text.p || codec_unbase64(out, CODEC_BASE64_URL, text) < 0)
		return error_set(err, -EBADMSG, "the JWE's %s is missing or not base64url", name);
	return 0;
}

static int read_parts(struct parts *p, struct json_val v, struct arena *a, struct error *err)
{
	struct buf *const bufs[] = {&p->header, &p->wrapped, &p->iv, &p->ciphertext, &p->tag};
	static const char *const names[] = {
		"protected", "encrypted_key", "iv", "ciphertext", "tag"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = take(bufs[i], v, names[i], a, err);

		if (r < 0)
			return r;
	}
	p->protected_ = json_str(json_get(v, "protected"), a);
	if (p->iv.len != JWE_IV || p->tag.len != JWE_TAG)
		return error_set(err, -EBADMSG, "the JWE's iv or tag is not of its length");
	return 0;
}

static int content_key(unsigned char key[JWE_KEY], const struct parts *p, struct json_val header,
	EVP_PKEY *own, struct error *err)
{
	bool rsa = EVP_PKEY_is_a(own, "RSA");
	unsigned char kek[32];
	struct jwk epk = {0};
	int r;

	if (!json_str_is(json_get(header, "enc"), "A256GCM") ||
		!json_str_is(json_get(header, "alg"), rsa ? JWK_ALG_RSA : JWK_ALG_ECDH) ||
		json_exists(json_get(header, "zip")) || json_exists(json_get(header, "crit")))
		return error_set(err, -EBADMSG, "the JWE's header is not of %s with A256GCM",
			rsa ? JWK_ALG_RSA : JWK_ALG_ECDH);
	if (rsa) {
		r = untransport(key, own, buf_view(&p->wrapped));
	} else {
		r = jwk_read(&epk, json_get(header, "epk"), err);
		if (r < 0)
			return error_prefix(err, r, "epk");
		r = p->wrapped.len == JWE_WRAPPED ? agree(kek, own, epk.key) : -EKEYREJECTED;
		if (r == 0)
			r = jwe_unwrap(key, kek, (const unsigned char *)p->wrapped.p);
		OPENSSL_cleanse(kek, sizeof(kek));
		jwk_free(&epk);
	}
	return r < 0 ? error_set(err, -EKEYREJECTED, "the JWE was not sealed to this key") : 0;
}

static int decrypt(struct secret *ret, const struct parts *p, const unsigned char key[JWE_KEY])
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	_cleanup_secret_ struct secret plain = {0};
	int n, end;

	if (!ctx || secret_init(&plain, p->ciphertext.len + 1) < 0)
		return -ENOMEM;
	if (EVP_DecryptInit_ex2(
		    ctx, algorithm_aes256_gcm(), key, (const unsigned char *)p->iv.p, NULL) != 1 ||
		EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)p->protected_.p,
			(int)p->protected_.len) != 1 ||
		EVP_DecryptUpdate(ctx, (unsigned char *)plain.p, &n,
			(const unsigned char *)p->ciphertext.p, (int)p->ciphertext.len) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, JWE_TAG, p->tag.p) != 1 ||
		EVP_DecryptFinal_ex(ctx, (unsigned char *)plain.p + n, &end) != 1)
		return -EKEYREJECTED;
	plain.len = p->ciphertext.len;
	plain.p[plain.len] = '\0';
	*ret = plain;
	plain = (struct secret){0};
	return 0;
}

static int open_parts(struct secret *ret, const struct parts *p, EVP_PKEY *own, struct error *err)
{
	static const struct json_limits limits = {HEADER_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_json_ struct json header = {0};
	unsigned char key[JWE_KEY];
	int r = json_parse(&header, buf_view(&p->header), &limits, err);

	if (r < 0)
		return error_prefix(err, -EBADMSG, "the JWE's header");
	ERR_set_mark();
	r = content_key(key, p, json_root(&header), own, err);
	if (r == 0) {
		r = decrypt(ret, p, key);
		if (r < 0)
			error_set(err, r, "the JWE was changed");
	}
	ERR_pop_to_mark();
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

int jwe_open(struct secret *ret, struct span json, EVP_PKEY *key, struct error *err)
{
	static const struct json_limits limits = {JWE_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_arena_ struct arena a = ARENA_INIT(JWE_MAX);
	_cleanup_json_ struct json doc = {0};
	struct parts p = {.header = BUF_INIT(HEADER_MAX),
		.wrapped = BUF_INIT(WRAPPED_MAX),
		.iv = BUF_INIT(JWE_IV),
		.ciphertext = BUF_INIT(JWE_PLAINTEXT_MAX),
		.tag = BUF_INIT(JWE_TAG)};
	int r = json_parse(&doc, json, &limits, err);

	if (r < 0)
		return error_prefix(err, r == -ENOMEM ? r : -EBADMSG, "JWE");
	r = read_parts(&p, json_root(&doc), &a, err);
	if (r == 0)
		r = open_parts(ret, &p, key, err);
	buf_free(&p.header);
	buf_free(&p.wrapped);
	buf_free(&p.iv);
	buf_free(&p.ciphertext);
	buf_free(&p.tag);
	return r;
}
