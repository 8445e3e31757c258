/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/replicas/keyring.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"

enum {
	NAME_MAX_DIGITS = 18,
	LEAVING_MAX = 32, /* keys that one patch removes */
};

/* The id that a data key names; 0: none. */
static uint64_t id_of(struct span name)
{
	uint64_t id = 0;

	if (name.len == 0 || name.len > NAME_MAX_DIGITS || name.p[0] == '0')
		return 0;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return 0;
		id = id * 10 + (uint64_t)(name.p[i] - '0');
	}
	return id;
}

/* Keeps the newest, in descending order. */
static void insert(struct sealing_keys *keys, const struct sealing_key *key)
{
	size_t i = 0;

	while (i < keys->n && keys->v[i].id > key->id)
		i++;
	if (i == SEALING_KEYS_MAX)
		return;
	if (keys->n < SEALING_KEYS_MAX)
		keys->n++;
	memmove(&keys->v[i + 1], &keys->v[i], (keys->n - i - 1) * sizeof(keys->v[0]));
	keys->v[i] = *key;
}

void keyring_read(struct sealing_keys *ret, struct json_val secret, int64_t now_sec)
{
	struct arena none = ARENA_INIT(0); /* neither digits nor base64 need escapes */
	struct json_iter it;

	*ret = (struct sealing_keys){0};
	json_each (it, json_get(secret, "data")) {
		struct sealing_key key = {.id = id_of(json_str(it.key, &none))};
		_cleanup_secret_ struct secret bytes = {0};

		if (!key.id || secret_unbase64(&bytes, json_str(it.value, &none)) < 0 ||
			bytes.len != SEALING_KEY)
			continue;
		memcpy(key.key, bytes.p, SEALING_KEY);
		insert(ret, &key);
		OPENSSL_cleanse(&key, sizeof(key));
	}
	while (ret->seal + 1 < ret->n &&
		(int64_t)ret->v[ret->seal].id > now_sec - KEYRING_SETTLE_SEC)
		ret->seal++;
}

bool keyring_due(const struct sealing_keys *keys, int64_t now_sec)
{
	return keys->n == 0 || (int64_t)keys->v[0].id <= now_sec - KEYRING_LIFE_SEC;
}

/* Does the key of that name stay beside a new one? */
static bool stays(const struct sealing_keys *keys, struct span name)
{
	uint64_t id = id_of(name);

	for (size_t i = 0; i < keys->n && i < SEALING_KEYS_MAX - 1; i++)
		if (keys->v[i].id == id)
			return true;
	return false;
}

int keyring_next(struct secret *ret, const struct sealing_keys *keys, struct json_val secret,
	int64_t now_sec, struct error *err)
{
	struct arena none = ARENA_INIT(0);
	unsigned char key[SEALING_KEY];
	char text[64];
	struct json_iter it;
	size_t leaving = 0;

	if (RAND_bytes(key, sizeof(key)) != 1)
		return error_set(err, -EIO, "no randomness for a key");
	if (secret_init(ret, 256 + LEAVING_MAX * sizeof(text)) < 0)
		return error_oom(err);
	snprintf(text, sizeof(text), "{\"%" PRId64 "\":\"", now_sec);
	secret_add(ret, span_str(text));
	secret_add_base64(ret, (struct span){(const char *)key, sizeof(key)});
	secret_add(ret, SPAN_LIT("\""));
	OPENSSL_cleanse(key, sizeof(key));
	json_each (it, json_get(secret, "data")) {
		struct span name = json_str(it.key, &none);

		/* What is no key is somebody else's. */
		if (!id_of(name) || stays(keys, name) || leaving++ == LEAVING_MAX)
			continue;
		snprintf(text, sizeof(text), ",\"" SPAN_FMT "\":null", SPAN_ARG(name));
		secret_add(ret, span_str(text));
	}
	return secret_add(ret, SPAN_LIT("}"));
}
