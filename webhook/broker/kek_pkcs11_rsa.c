/* SPDX-License-Identifier: Apache-2.0
 *
 * An RSA key of a token wraps key-encryption keys: RSA-OAEP with SHA-256 (RFC 8017 section 7.1), or
 * with SHA-1 where the token knows no other, and over it a signature of the same key, RSA-PSS with
 * SHA-256 (section 8.1), which binds it to the id of the key-encryption key. Without the signature
 * whoever has the public half could put a key of their own in place. What is public is done here,
 * what needs the private half by the token; what was wrapped is opened and verified before it is
 * kept. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "common/kbs/jwk.h"
#include "webhook/broker/kek_pkcs11_private.h"

enum { DIGEST = 32, BITS_MIN = 2048, BITS_ADVISED = 3072, BITS_MAX = 4096 };

static const struct hash {
	unsigned char mark; /* in what is wrapped */
	CK_MECHANISM_TYPE mechanism;
	CK_ULONG mgf;
	const EVP_MD *(*md)(void);
} hashes[] = {
	{1, CKM_SHA256, CKG_MGF1_SHA256, EVP_sha256},
	{2, CKM_SHA_1, CKG_MGF1_SHA1, EVP_sha1},
};

struct rsa {
	const struct pkcs11_job *job;
	CK_OBJECT_HANDLE key;
	struct jwk public;
	size_t size; /* of the modulus, bytes */
};

DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

/* The public half, from the private one's modulus; the exponent is 65537, as everywhere. */
static int read_public(struct rsa *k, struct error *err)
{
	unsigned char packed[1 + 2 * JWK_RSA_BYTES_MAX] = {JWK_RSA};
	CK_ATTRIBUTE modulus = {CKA_MODULUS, packed + 1, sizeof(packed) - 1};
	const struct pkcs11_job *job = k->job;
	CK_RV rv = job->f->C_GetAttributeValue(job->session, k->key, &modulus, 1);
	size_t n = modulus.ulValueLen;

	if (rv != CKR_OK)
		return pkcs11_failed(job, "reading the RSA key's modulus", rv, err);
	if (n && !packed[1]) /* some tokens write a sign */
		memmove(packed + 1, packed + 2, --n);
	if (n < BITS_MIN / 8 || n > BITS_MAX / 8)
		return error_set(err, -EKEYREJECTED,
			"token %.64s: the RSA key %.64s has %zu bits: from %d to %d are taken, "
			"and %d advised",
			job->token, job->key, 8 * n, BITS_MIN, BITS_MAX, BITS_ADVISED);
	k->size = n;
	return jwk_unpack(&k->public, (struct span){(char *)packed, 1 + n}, err);
}

static int encrypt(const struct rsa *k, const struct hash *hash, unsigned char *out)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->public.key, NULL);
	const struct secret *in = &k->job->in;
	size_t n = k->size;

	return ctx && EVP_PKEY_encrypt_init(ctx) == 1 &&
			       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
			       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash->md()) == 1 &&
			       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, hash->md()) == 1 &&
			       EVP_PKEY_encrypt(ctx, out, &n, (unsigned char *)in->p, in->len) ==
				       1 &&
			       n == k->size
		       ? 0
		       : -EIO;
}

/* By the token. ret is empty before. */
static CK_RV decrypt(
	const struct rsa *k, const struct hash *hash, const unsigned char *in, struct secret *ret)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = {
		.hash_alg = hash->mechanism, .mgf = hash->mgf, .source = CKZ_DATA_SPECIFIED};
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	CK_FUNCTION_LIST *f = k->job->f;
	CK_ULONG n = k->size;
	CK_RV rv;

	if (secret_init(ret, k->size) < 0)
		return CKR_HOST_MEMORY;
	rv = f->C_DecryptInit(k->job->session, &mechanism, k->key);
	if (rv == CKR_OK)
		rv = f->C_Decrypt(
			k->job->session, (unsigned char *)in, k->size, (unsigned char *)ret->p, &n);
	ret->len = rv == CKR_OK ? n : 0;
	return rv;
}

/* Of a mark, the ciphertext behind it, and whose it is. */
static int make_digest(const struct rsa *k, const unsigned char *wrapped, unsigned char ret[DIGEST])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char head[64];
	int n = snprintf(head, sizeof(head), "casemate kek 2 %s\n", k->job->id);
	bool done = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(ctx, head, (size_t)n) == 1 &&
		    EVP_DigestUpdate(ctx, wrapped, 1 + k->size) == 1 &&
		    EVP_DigestFinal_ex(ctx, ret, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return done ? 0 : -EIO;
}

static CK_RV sign(const struct rsa *k, unsigned char digest[DIGEST], unsigned char *signature)
{
	CK_RSA_PKCS_PSS_PARAMS pss = {
		.hash_alg = CKM_SHA256, .mgf = CKG_MGF1_SHA256, .s_len = DIGEST};
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_PSS, &pss, sizeof(pss)};
	CK_FUNCTION_LIST *f = k->job->f;
	CK_ULONG n = k->size;
	CK_RV rv = f->C_SignInit(k->job->session, &mechanism, k->key);

	if (rv == CKR_OK)
		rv = f->C_Sign(k->job->session, digest, DIGEST, signature, &n);
	return rv == CKR_OK && n != k->size ? CKR_GENERAL_ERROR : rv;
}

static bool is_signed(const struct rsa *k, const unsigned char *wrapped)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->public.key, NULL);
	unsigned char digest[DIGEST];

	return ctx && make_digest(k, wrapped, digest) == 0 && EVP_PKEY_verify_init(ctx) == 1 &&
	       EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, DIGEST) == 1 &&
	       EVP_PKEY_verify(ctx, wrapped + 1 + k->size, k->size, digest, DIGEST) == 1;
}

/* The token does not know that hash. */
static bool is_unknown(CK_RV rv)
{
	return rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_PARAM_INVALID ||
	       rv == CKR_MECHANISM_INVALID;
}

/* Wraps by the first hash that the token opens. */
static int wrap(const struct rsa *k, unsigned char *wrapped, struct error *err)
{
	const struct secret *in = &k->job->in;
	CK_RV rv = CKR_MECHANISM_INVALID;

	for (size_t i = 0; i < ARRAY_SIZE(hashes) && is_unknown(rv); i++) {
		_cleanup_secret_ struct secret opened = {0};

		wrapped[0] = hashes[i].mark;
		if (encrypt(k, &hashes[i], wrapped + 1) < 0)
			return error_set(err, -EIO, "OpenSSL does not wrap for the RSA key");
		rv = decrypt(k, &hashes[i], wrapped + 1, &opened);
		if (rv == CKR_OK &&
			(opened.len != in->len || CRYPTO_memcmp(opened.p, in->p, in->len) != 0))
			return error_set(err, -EBADMSG,
				"token %.64s: the RSA key %.64s opens something else than was "
				"wrapped for it",
				k->job->token, k->job->key);
	}
	return rv == CKR_OK ? 0 : pkcs11_failed(k->job, "opening what was wrapped", rv, err);
}

static int seal(const struct rsa *k, struct secret *out, struct error *err)
{
	unsigned char wrapped[PKCS11_RSA_SEALED(JWK_RSA_BYTES_MAX)], digest[DIGEST];
	int r = wrap(k, wrapped, err);
	CK_RV rv;

	if (r < 0)
		return r;
	if (make_digest(k, wrapped, digest) < 0)
		return error_set(err, -EIO, "OpenSSL makes no digest");
	rv = sign(k, digest, wrapped + 1 + k->size);
	if (rv != CKR_OK)
		return pkcs11_failed(k->job, "signing", rv, err);
	if (!is_signed(k, wrapped))
		return error_set(err, -EBADMSG,
			"token %.64s: the signature of the RSA key %.64s is not its modulus's with "
			"the exponent 65537",
			k->job->token, k->job->key);
	if (secret_init(out, PKCS11_RSA_SEALED(k->size)) < 0)
		return error_oom(err);
	return secret_add(out, (struct span){(char *)wrapped, PKCS11_RSA_SEALED(k->size)});
}

static int open_wrapped(const struct rsa *k, struct secret *out, struct error *err)
{
	const unsigned char *wrapped = (unsigned char *)k->job->in.p;
	size_t i = 0;
	CK_RV rv;

	while (k->job->in.len == PKCS11_RSA_SEALED(k->size) && i < ARRAY_SIZE(hashes) &&
		hashes[i].mark != wrapped[0])
		i++;
	if (k->job->in.len != PKCS11_RSA_SEALED(k->size) || i == ARRAY_SIZE(hashes) ||
		!is_signed(k, wrapped))
		return error_set(err, -EACCES,
			"token %.64s, opening: the RSA key %.64s did not wrap it, or it was "
			"changed",
			k->job->token, k->job->key);
	rv = decrypt(k, &hashes[i], wrapped + 1, out);
	if (rv != CKR_OK)
		return pkcs11_failed(k->job, "opening", rv, err);
	return out->len == KEK_LEN
		       ? 0
		       : error_set(err, -EBADMSG, "token %.64s: its answer has a length of %zu",
				 k->job->token, out->len);
}

int pkcs11_rsa(
	const struct pkcs11_job *job, CK_OBJECT_HANDLE key, struct secret *out, struct error *err)
{
	struct rsa k = {.job = job, .key = key};
	int r = read_public(&k, err);

	if (r == 0)
		r = job->seals ? seal(&k, out, err) : open_wrapped(&k, out, err);
	jwk_free(&k.public);
	return r;
}
