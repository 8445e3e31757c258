/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_make.h"

#include <errno.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/base/credential.h"

enum {
	CHARACTERS_MAX = 128,
	BYTES_MAX = 64,
	CN_MAX = 64, /* X.520's upper bound */
};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* 62 characters: bytes that would favour some of them are thrown away. */
static int make_password(struct secret *ret, unsigned size, struct error *err)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	enum { LETTERS = sizeof(alphabet) - 1, FAIR = 256 / LETTERS * LETTERS };

	if (secret_init(ret, size) < 0)
		return error_oom(err);
	while (ret->len < size) {
		unsigned char byte;

		if (RAND_priv_bytes(&byte, 1) != 1) {
			secret_free(ret);
			return error_set(err, -EIO, "no randomness for a key");
		}
		if (byte < FAIR)
			secret_add(ret, (struct span){&alphabet[byte % LETTERS], 1});
	}
	return 0;
}

static int make_symmetric(struct secret *ret, unsigned size, struct error *err)
{
	if (secret_init(ret, size) < 0)
		return error_oom(err);
	if (RAND_priv_bytes((unsigned char *)ret->p, (int)size) != 1) {
		secret_free(ret);
		return error_set(err, -EIO, "no randomness for a key");
	}
	ret->len = size;
	return 0;
}

static EVP_PKEY *make_pair(unsigned bits)
{
	switch (bits) {
	case 256:
		return EVP_EC_gen("P-256");
	case 384:
		return EVP_EC_gen("P-384");
	case 521:
		return EVP_EC_gen("P-521");
	default:
		return EVP_RSA_gen(bits);
	}
}

static bool fill_certificate(
	X509 *cert, EVP_PKEY *key, const char *name, const struct key_wish *wish)
{
	char san[512];

	snprintf(san, sizeof(san), "DNS:%s", name);
	return X509_set_pubkey(cert, key) == 1 &&
	       X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
	       credential_add_ext(cert, cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       credential_add_ext(cert, cert, NID_key_usage,
		       wish->size >= 2048 ? "critical,digitalSignature,keyEncipherment"
					  : "critical,digitalSignature") &&
	       credential_add_ext(cert, cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
	       credential_add_ext(cert, cert, NID_subject_key_identifier, "hash") &&
	       credential_add_ext(cert, cert, NID_subject_alt_name, san) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

static int make_certificate(
	struct secret *ret, EVP_PKEY *key, const struct key_wish *wish, struct error *err)
{
	_cleanup_credential_ struct credential c = {0};
	char name[400], cn[CN_MAX + 1];
	int r;

	snprintf(name, sizeof(name), "%s.%s.svc", wish->owner->profile, wish->owner->namespace_);
	snprintf(cn, sizeof(cn), "%s", wish->owner->profile);
	r = credential_begin(&c, cn, wish->now_sec, wish->not_after_sec, err);
	if (r < 0)
		return r;
	if (!fill_certificate(c.cert, key, name, wish))
		return credential_openssl_failed(err, -EIO, "making a certificate");
	return credential_write_cert(ret, c.cert, err);
}

static int make_pem(struct secret *ret, const struct key_wish *wish, struct error *err)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = make_pair(wish->size);
	_cleanup_secret_ struct secret pem = {0}, cert = {0};
	int r;

	if (!key)
		return credential_openssl_failed(err, -EIO, "making a key pair");
	r = credential_write_key(&pem, key, err);
	if (r == 0 && wish->type == KEY_X509)
		r = make_certificate(&cert, key, wish, err);
	if (r < 0)
		return r;
	if (secret_init(ret, pem.len + cert.len) < 0)
		return error_oom(err);
	secret_add(ret, secret_view(&pem));
	return secret_add(ret, secret_view(&cert));
}

static bool size_fits(const struct key_wish *w)
{
	bool ec = w->size == 256 || w->size == 384 || w->size == 521;
	bool rsa = w->size == 2048 || w->size == 3072 || w->size == 4096;

	switch (w->type) {
	case KEY_PASSWORD:
		return w->size > 0 && w->size <= CHARACTERS_MAX;
	case KEY_SYMMETRIC:
		return w->size > 0 && w->size <= BYTES_MAX;
	case KEY_EC:
		return ec;
	case KEY_RSA:
		return rsa;
	case KEY_X509:
		return ec || rsa;
	default:
		return false;
	}
}

int key_make(struct secret *ret, const struct key_wish *wish, struct error *err)
{
	if (!size_fits(wish))
		return error_set(err, -EINVAL, "no key of type %s and size %u can be made",
			wish->type < KEY_TYPE_N ? key_type_name(wish->type) : "?", wish->size);
	if (wish->type == KEY_PASSWORD)
		return make_password(ret, wish->size, err);
	if (wish->type == KEY_SYMMETRIC)
		return make_symmetric(ret, wish->size, err);
	return make_pem(ret, wish, err);
}
