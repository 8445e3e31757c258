/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/simulation.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/base/arena.h"
#include "common/base/credential.h"
#include "common/tee/simulated.h"
#include "webhook/replicas/shared_secret.h"

enum {
	PEM_MAX = 8192,
	CERTIFICATE_SEC = 30 * 24 * 3600,
};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

struct simulation {
	struct simulation_options o;
	struct shared_secret *secret;
	struct secret cert, key; /* PEM; empty: not there yet */
};

static int read_part(struct secret *ret, struct json_val secret, const char *name)
{
	struct arena none = ARENA_INIT(0); /* base64 needs no escapes */
	int r = secret_unbase64(ret, json_str(json_find(secret, "data", name), &none));

	return r < 0 ? r : ret->len ? 0 : -EBADMSG;
}

static int make(struct secret *data, int64_t now_sec, struct error *err)
{
	_cleanup_buf_ struct buf cert = BUF_INIT(PEM_MAX);
	_cleanup_secret_ struct secret key = {0};
	int r = simulated_make_root(&cert, &key, now_sec, err);

	if (r == 0 && secret_init(data, 4 * (size_t)PEM_MAX) < 0)
		r = error_oom(err);
	if (r == 0) {
		secret_add(data, SPAN_LIT("{\"tls.crt\":\""));
		secret_add_base64(data, buf_view(&cert));
		secret_add(data, SPAN_LIT("\",\"tls.key\":\""));
		secret_add_base64(data, secret_view(&key));
		r = secret_add(data, SPAN_LIT("\"}"));
	}
	return r < 0 ? r : 1;
}

/* A Secret that is spoilt is a person's to look at: a new root would undo every agent's
 * certificate. */
static int step(
	void *ctx, struct json_val secret, int64_t now_sec, struct secret *data, struct error *err)
{
	_cleanup_secret_ struct secret cert = {0}, key = {0};
	struct simulation *s = ctx;
	struct secret before;

	if (!json_exists(secret))
		return make(data, now_sec, err);
	if (read_part(&cert, secret, "tls.crt") < 0 || read_part(&key, secret, "tls.key") < 0)
		return error_set(err, -EBADMSG,
			"tls.crt or tls.key is missing or no base64; delete the Secret for a new "
			"simulated root");
	if (span_equal(secret_view(&cert), secret_view(&s->cert)))
		return 0;
	before = s->cert;
	s->cert = cert;
	cert = before;
	before = s->key;
	s->key = key;
	key = before;
	s->o.root(s->o.ctx, secret_view(&s->cert));
	return 0;
}

int simulation_new(struct simulation **ret_s, const struct simulation_options *o, struct error *err)
{
	_cleanup_(simulation_free_p) struct simulation *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_oom(err);
	s->o = *o;
	r = shared_secret_new(&s->secret,
		&(struct shared_secret_options){.kube = o->kube,
			.namespace_ = o->namespace_,
			.name = o->secret_name,
			.step = step,
			.ctx = s},
		err);
	if (r < 0)
		return r;
	*ret_s = TAKE_PTR(s);
	return 0;
}

void simulation_free(struct simulation *s)
{
	if (!s)
		return;
	shared_secret_free(s->secret);
	secret_free(&s->cert);
	secret_free(&s->key);
	free(s);
}

int simulation_certify(struct simulation *s, struct buf *out, struct span public_key,
	const char *node_uid, int64_t now_sec, struct error *err)
{
	const unsigned char *p = (const unsigned char *)public_key.p;
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;

	if (!s->key.len)
		return error_set(err, -EAGAIN, "there is no simulated root yet; try again");
	key = d2i_PUBKEY(NULL, &p, (long)public_key.len);
	if (!key || p != (const unsigned char *)public_key.p + public_key.len ||
		EVP_PKEY_get_id(key) != EVP_PKEY_EC || EVP_PKEY_get_bits(key) != 256)
		return credential_openssl_failed(
			err, -EBADMSG, "publicKey is no P-256 key (DER SubjectPublicKeyInfo)");
	return simulated_certify(out, secret_view(&s->cert), secret_view(&s->key), key, node_uid,
		now_sec, CERTIFICATE_SEC, err);
}
