/* SPDX-License-Identifier: Apache-2.0
 *
 * The key-encryption key in a Secret (data "kek": lines as in a file): insecureKekInSecret. It is
 * made when it is not there, but never while records are: they are under the one that is gone, and
 * another would hide that a backup must be restored. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "webhook/broker/store_private.h"
#include "webhook/replicas/shared_secret.h"

struct store_kek {
	struct shared_secret *secret;
	struct kek_ring ring;
	char name[KEY_RECORD_NAME_MAX];
	char problem[900]; /* with what the Secret holds, or that it is gone */
	struct store_kek_hooks hooks;
	bool makes;
	bool absent; /* there is none, and it is not needed */
};

/* {"kek": base64 of the line}: the line is itself base64. */
static int make(struct secret *data, struct error *err)
{
	_cleanup_secret_ struct secret key = {0}, line = {0};

	if (secret_init(&key, KEK_LEN) < 0 || secret_init(&line, 64) < 0 ||
		secret_init(data, 256) < 0)
		return error_oom(err);
	if (RAND_bytes((unsigned char *)key.p, KEK_LEN) != 1)
		return error_set(err, -EIO, "no randomness for a key-encryption key");
	key.len = KEK_LEN;
	secret_add_base64(&line, secret_view(&key));
	secret_add(&line, SPAN_LIT("\n"));
	secret_add(data, SPAN_LIT("{\"kek\":\""));
	secret_add_base64(data, secret_view(&line));
	return secret_add(data, SPAN_LIT("\"}")) < 0 ? error_oom(err) : 1;
}

static bool same_keks(const struct kek_ring *a, const struct kek_ring *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = strcmp(a->v[i].id, b->v[i].id) == 0;
	return same;
}

static int is_wrong(struct store_kek *k, int code, struct error *err)
{
	snprintf(k->problem, sizeof(k->problem), "the Secret with the key-encryption key: %s",
		err->message);
	return code;
}

/* There is no Secret. */
static int step_missing(struct store_kek *k, struct secret *data, struct error *err)
{
	char record[KEY_RECORD_NAME_MAX];
	int r;

	k->absent = !k->makes; /* something else wraps */
	if (k->absent)
		return 0;
	if (k->ring.n)
		return is_wrong(k,
			error_set(err, -ENOKEY,
				"%s is gone; restore it before the brokers end, which know it "
				"still",
				k->name),
			err);
	r = k->hooks.records(k->hooks.ctx, record);
	if (r == -EAGAIN)
		return 0; /* told when they are known */
	if (r > 0)
		r = error_set(err, -ENOKEY,
			"%s is gone, and there are keys under it (Secret %.100s): restore it from "
			"your backup. None is made anew while they are there; if it is lost, so "
			"are they: delete their Secrets (kubectl delete secret -l "
			"casemate.dev/store=keys)",
			k->name, record);
	return r < 0 ? is_wrong(k, r, err) : make(data, err);
}

static int step(
	void *ctx, struct json_val secret, int64_t now_sec, struct secret *data, struct error *err)
{
	struct arena none = ARENA_INIT(0); /* base64 needs no escapes */
	struct json_val value = json_find(secret, "data", "kek");
	_cleanup_secret_ struct secret text = {0};
	struct kek_ring fresh = {0};
	struct store_kek *k = ctx;
	int r;

	(void)now_sec;
	if (!json_exists(value))
		return step_missing(k, data, err);
	r = secret_unbase64(&text, json_str(value, &none));
	if (r == 0)
		r = kek_ring_parse(&fresh, secret_view(&text), err);
	else
		error_set(err, r, "data.kek is no base64");
	if (r < 0)
		return is_wrong(k, r, err);
	k->problem[0] = '\0';
	if (same_keks(&fresh, &k->ring)) {
		kek_ring_free(&fresh);
		return 0;
	}
	kek_ring_free(&k->ring);
	k->ring = fresh;
	k->hooks.changed(k->hooks.ctx);
	return 0;
}

int store_kek_new(struct store_kek **ret_k, struct kube_client *kube, const char *namespace_,
	const char *name, bool makes, const struct store_kek_hooks *hooks, struct error *err)
{
	struct store_kek *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_oom(err);
	k->hooks = *hooks;
	k->makes = makes;
	snprintf(k->name, sizeof(k->name), "%s", name);
	r = shared_secret_new(&k->secret,
		&(struct shared_secret_options){.kube = kube,
			.namespace_ = namespace_,
			.name = name,
			.step = step,
			.ctx = k},
		err);
	if (r < 0) {
		free(k);
		return r;
	}
	*ret_k = k;
	return 0;
}

const struct kek_ring *store_kek_ring(const struct store_kek *k)
{
	return k->ring.n ? &k->ring : NULL;
}

const char *store_kek_problem(const struct store_kek *k)
{
	if (k->ring.n || k->problem[0] || k->absent)
		return k->problem;
	return *shared_secret_problem(k->secret) ? shared_secret_problem(k->secret)
						 : "the key-encryption key is not known yet";
}

void store_kek_look(struct store_kek *k)
{
	if (!k->ring.n || k->problem[0])
		shared_secret_look(k->secret);
}

void store_kek_free(struct store_kek *k)
{
	if (!k)
		return;
	shared_secret_free(k->secret);
	kek_ring_free(&k->ring);
	free(k);
}
