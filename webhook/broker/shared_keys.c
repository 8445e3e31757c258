/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/shared_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/settings_file.h"
#include "common/kbs/jwk.h"
#include "webhook/replicas/keyring.h"
#include "webhook/replicas/shared_secret.h"

#define TOKEN_KEY "token.key"

enum { PEM_MAX = 4096 };

struct shared_keys {
	struct sealing_keys sealing;
	EVP_PKEY *token;
	struct shared_secret *secret;
};

DEFINE_CLEANUP(BIO *, BIO_free_all)

/* A private key on P-256. NULL: it is none. */
static EVP_PKEY *read_key(struct span pem)
{
	_cleanup_(BIO_free_all_p) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key = bio && pem.len ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	char group[32] = "";

	if (key && (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 ||
			   strcmp(group, "prime256v1") != 0)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static void take_token(struct shared_keys *k, struct json_val secret)
{
	_cleanup_secret_ struct secret pem = {0};
	struct arena none = ARENA_INIT(0);
	struct json_val v = json_find(secret, "data", TOKEN_KEY);
	EVP_PKEY *key = NULL;

	if (json_is_string(v) && secret_unbase64(&pem, json_str(v, &none)) == 0)
		key = read_key(secret_view(&pem));
	if (!key)
		return;
	EVP_PKEY_free(k->token);
	k->token = key;
}

/* {"token.key": base64} */
static int make_token(struct secret *data, struct error *err)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = jwk_generate(JWK_EC_P256);
	_cleanup_(BIO_free_all_p) BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long n;

	if (!key || !bio || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return error_set(err, -EIO, "no key could be made to sign tokens with");
	n = BIO_get_mem_data(bio, &pem);
	if (n <= 0 || n > PEM_MAX || secret_init(data, 64 + 2 * (size_t)n) < 0)
		return error_oom(err);
	secret_add(data, SPAN_LIT("{\"" TOKEN_KEY "\":\""));
	secret_add_base64(data, (struct span){pem, (size_t)n});
	return secret_add(data, SPAN_LIT("\"}"));
}

static int take(
	void *ctx, struct json_val secret, int64_t now_sec, struct secret *data, struct error *err)
{
	struct shared_keys *k = ctx;
	int r;

	keyring_read(&k->sealing, secret, now_sec);
	take_token(k, secret);
	if (keyring_due(&k->sealing, now_sec))
		r = keyring_next(data, &k->sealing, secret, now_sec, err);
	else if (!json_exists(json_find(secret, "data", TOKEN_KEY)))
		r = make_token(data, err);
	else
		return 0;
	return r < 0 ? r : 1;
}

static int alone(struct shared_keys *k, const char *token_file, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(2 * PEM_MAX);
	struct span pem = SPAN_NONE;
	int r;

	k->sealing = (struct sealing_keys){.v = {{.id = 1}}, .n = 1};
	if (RAND_priv_bytes(k->sealing.v[0].key, SEALING_KEY) != 1)
		return error_set(err, -EIO, "no randomness");
	if (!*token_file) {
		k->token = jwk_generate(JWK_EC_P256);
		return k->token ? 0 : error_set(err, -EIO, "no key to sign tokens with");
	}
	r = settings_read_file(token_file, PEM_MAX, &a, &pem, err);
	if (r < 0)
		return r;
	k->token = read_key(pem);
	OPENSSL_cleanse((char *)pem.p, pem.len);
	return k->token ? 0
			: error_set(err, -EINVAL,
				  "broker.tokenKey: %s holds no private key on P-256 (PEM)",
				  token_file);
}

int shared_keys_new(struct shared_keys **ret_k, struct kube_client *kube, const char *namespace_,
	const char *name, const char *token_file, struct error *err)
{
	_cleanup_(shared_keys_free_p) struct shared_keys *k = calloc(1, sizeof(*k));
	const struct shared_secret_options o = {
		.kube = kube, .namespace_ = namespace_, .name = name, .step = take, .ctx = k};
	int r;

	if (!k)
		return error_oom(err);
	r = kube ? shared_secret_new(&k->secret, &o, err) : alone(k, token_file, err);
	if (r < 0)
		return r;
	*ret_k = TAKE_PTR(k);
	return 0;
}

void shared_keys_free(struct shared_keys *k)
{
	if (!k)
		return;
	shared_secret_free(k->secret);
	EVP_PKEY_free(k->token);
	OPENSSL_cleanse(&k->sealing, sizeof(k->sealing));
	free(k);
}

const struct sealing_keys *shared_keys_sealing(const struct shared_keys *k)
{
	return &k->sealing;
}

EVP_PKEY *const *shared_keys_token(const struct shared_keys *k)
{
	return &k->token;
}

const char *shared_keys_problem(const struct shared_keys *k)
{
	if (k->sealing.n && k->token)
		return "";
	return k->secret && *shared_secret_problem(k->secret) ? shared_secret_problem(k->secret)
							      : "not read yet";
}
