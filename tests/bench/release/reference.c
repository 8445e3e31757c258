/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/release/reference.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/kbs/rcar.h"

/* How long things are, in bytes. */
enum {
	NONCE = 32,
	IV = 12,
	TAG = 16,
	NEW_SESSION = 80, /* as it is sealed before the attestation, and after */
	SESSION = 700,
	REPORT_DATA = 350, /* what it is the hash of */
	QUOTE = 432,       /* what an attestation key signs */
	TOKEN = 3000,
	AUDIT = 700,
	KEY = 32,
	POINT = 65,
	REQUESTS = 7500, /* of a release, in TLS records, and the answers */
	ANSWERS = 6500,
};

static struct {
	EVP_CIPHER *gcm, *wrap;
	EVP_MD *sha256, *sha384;
	EVP_CIPHER_CTX *cipher;
	EVP_PKEY *signer, *attestation, *client;
	EVP_PKEY_CTX *generate, *verify;
	unsigned char quote_signature[80], point[POINT];
	size_t quote_signature_len;
	unsigned char in[8192], out[8192 + 64], key[KEY];
} r;

static void must(bool ok)
{
	if (ok)
		return;
	fputs("broker: OpenSSL refuses the reference\n", stderr);
	exit(1);
}

static void hash(const EVP_MD *md, size_t n, unsigned char *out)
{
	must(EVP_Digest(r.in, n, out, NULL, md, NULL) == 1);
}

static void sign(EVP_PKEY *key, size_t n, unsigned char *out, size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx && EVP_DigestSignInit(ctx, NULL, r.sha256, NULL, key) == 1 &&
		EVP_DigestSign(ctx, out, len, r.in, n) == 1);
	EVP_MD_CTX_free(ctx);
}

static void set_up(void)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t n = 0;

	r.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	r.wrap = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
	r.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	r.sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
	r.cipher = EVP_CIPHER_CTX_new();
	r.signer = EVP_EC_gen("P-256");
	r.attestation = EVP_EC_gen("P-256");
	r.client = EVP_EC_gen("P-256");
	must(r.gcm && r.wrap && r.sha256 && r.sha384 && r.cipher && r.signer && r.attestation &&
		r.client);
	r.generate = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	r.verify = EVP_PKEY_CTX_new(r.attestation, NULL);
	must(r.generate && EVP_PKEY_keygen_init(r.generate) == 1 &&
		EVP_PKEY_CTX_set_group_name(r.generate, "P-256") == 1 && r.verify &&
		EVP_PKEY_verify_init(r.verify) == 1);
	must(EVP_PKEY_get_octet_string_param(
		     r.client, OSSL_PKEY_PARAM_PUB_KEY, r.point, POINT, &n) == 1 &&
		n == POINT);
	must(RAND_bytes(r.in, sizeof(r.in)) == 1 && RAND_bytes(r.key, KEY) == 1);
	r.quote_signature_len = sizeof(r.quote_signature);
	sign(r.attestation, QUOTE, r.quote_signature, &r.quote_signature_len);
	hash(r.sha256, QUOTE, digest);
	must(EVP_PKEY_verify(r.verify, r.quote_signature, r.quote_signature_len, digest, 32) == 1);
}

/* What opening costs is what sealing costs. */
static void seal(size_t n, bool fresh_iv)
{
	unsigned char iv[IV] = {0}, tag[TAG];
	int len;

	must((!fresh_iv || RAND_bytes(iv, IV) == 1) &&
		EVP_EncryptInit_ex2(r.cipher, r.gcm, r.key, iv, NULL) == 1 &&
		EVP_EncryptUpdate(r.cipher, r.out, &len, r.in, (int)n) == 1 &&
		EVP_EncryptFinal_ex(r.cipher, r.out + len, &len) == 1 &&
		EVP_CIPHER_CTX_ctrl(r.cipher, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);
}

/* The client's key from its point, a key of our own, ECDH, Concat KDF, key wrap, content. */
static void seal_to_client(void)
{
	EVP_PKEY *client = EVP_PKEY_new(), *own = NULL;
	unsigned char digest[EVP_MAX_MD_SIZE], content[KEY], z[KEY];
	EVP_PKEY_CTX *derive;
	size_t n = sizeof(z);
	int len;

	must(client && EVP_PKEY_copy_parameters(client, r.client) == 1 &&
		EVP_PKEY_set1_encoded_public_key(client, r.point, POINT) == 1 &&
		EVP_PKEY_generate(r.generate, &own) == 1);
	derive = EVP_PKEY_CTX_new(own, NULL);
	must(derive && EVP_PKEY_derive_init(derive) == 1 &&
		EVP_PKEY_derive_set_peer_ex(derive, client, 0) == 1 &&
		EVP_PKEY_derive(derive, z, &n) == 1);
	hash(r.sha256, 100, digest);
	must(RAND_bytes(content, KEY) == 1);
	EVP_CIPHER_CTX_set_flags(r.cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	must(EVP_EncryptInit_ex2(r.cipher, r.wrap, digest, NULL, NULL) == 1 &&
		EVP_EncryptUpdate(r.cipher, r.out, &len, content, KEY) == 1);
	EVP_CIPHER_CTX_reset(r.cipher);
	seal(KEY, true);
	EVP_PKEY_CTX_free(derive);
	EVP_PKEY_free(own);
	EVP_PKEY_free(client);
}

/* A nonce in a sealed session. */
static void challenge(void)
{
	unsigned char nonce[NONCE];

	must(RAND_bytes(nonce, NONCE) == 1);
	seal(NEW_SESSION, true);
}

/* Session, report data, quote, token, session of the token and the cookie. */
static void attestation(void)
{
	unsigned char digest[EVP_MAX_MD_SIZE], signature[80];
	size_t n = sizeof(signature);

	seal(NEW_SESSION, false);
	hash(r.sha384, REPORT_DATA, digest);
	hash(r.sha256, QUOTE, digest);
	must(EVP_PKEY_verify(r.verify, r.quote_signature, r.quote_signature_len, digest, 32) == 1);
	seal(SESSION, true);
	seal(SESSION, true);
	sign(r.signer, TOKEN, signature, &n);
}

/* Session, stored key, the key to the client, audit log. */
static void resource(void)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	seal(SESSION, false);
	seal(KEY, false);
	seal_to_client();
	hash(r.sha256, AUDIT, digest);
}

void reference_request(const char *path)
{
	if (!r.gcm)
		set_up();
	if (strcmp(path, RCAR_PATH_AUTH) == 0)
		challenge();
	else if (strcmp(path, RCAR_PATH_ATTEST) == 0)
		attestation();
	else
		resource();
}

static double cpu_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double reference_usec(int n)
{
	double began;

	if (!r.gcm)
		set_up();
	began = cpu_usec();
	for (int i = 0; i < n; i++) {
		challenge();
		attestation();
		resource();
		/* TLS records */
		seal(REQUESTS, false);
		seal(ANSWERS, false);
	}
	return (cpu_usec() - began) / n;
}
