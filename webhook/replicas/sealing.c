/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed:	magic, 4 bytes | key id, 8, big endian | IV, 12 | ciphertext | tag, 16
 *
 * The first 12 bytes are authenticated as well. */
#include "webhook/replicas/sealing.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/base/algorithm.h"
#include "common/base/cleanup.h"

enum { HEAD = SEALING_MAGIC + 8, IV = 12, TAG = 16 };

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

static void put_id(unsigned char out[8], uint64_t id)
{
	for (int i = 7; i >= 0; i--, id >>= 8)
		out[i] = (unsigned char)id;
}

static uint64_t get_id(const unsigned char in[8])
{
	uint64_t id = 0;

	for (int i = 0; i < 8; i++)
		id = id << 8 | in[i];
	return id;
}

int sealing_seal(struct buf *out, const struct sealing_keys *keys,
	const unsigned char magic[SEALING_MAGIC], struct span inside, struct error *err)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char sealed[SEALING_OVERHEAD + SEALING_MAX];
	unsigned char *iv = sealed + HEAD, *body = iv + IV;
	const struct sealing_key *key;
	int len;

	if (keys->seal >= keys->n)
		return error_set(err, -ENOKEY, "there is no key to seal with yet");
	if (inside.len > SEALING_MAX)
		return error_set(
			err, -E2BIG, "%zu bytes to seal, more than %d", inside.len, SEALING_MAX);
	key = &keys->v[keys->seal];
	memcpy(sealed, magic, SEALING_MAGIC);
	put_id(sealed + SEALING_MAGIC, key->id);
	if (!ctx || RAND_bytes(iv, IV) != 1 ||
		EVP_EncryptInit_ex2(ctx, algorithm_aes256_gcm(), key->key, iv, NULL) != 1 ||
		EVP_EncryptUpdate(ctx, NULL, &len, sealed, HEAD) != 1 ||
		EVP_EncryptUpdate(
			ctx, body, &len, (const unsigned char *)inside.p, (int)inside.len) != 1 ||
		EVP_EncryptFinal_ex(ctx, body + inside.len, &len) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, body + inside.len) != 1)
		return error_set(err, -EIO, "OpenSSL could not seal");
	return buf_add(out, sealed, SEALING_OVERHEAD + inside.len) < 0
		       ? error_set(err, out->err, "no room for what is sealed")
		       : 0;
}

static const struct sealing_key *find_key(const struct sealing_keys *keys, uint64_t id)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->v[i].id == id)
			return &keys->v[i];
	return NULL;
}

int sealing_open(struct buf *out, const struct sealing_keys *keys,
	const unsigned char magic[SEALING_MAGIC], struct span sealed)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const unsigned char *p = (const unsigned char *)sealed.p, *iv = p + HEAD, *body = iv + IV;
	unsigned char inside[SEALING_MAX], tag[TAG];
	const struct sealing_key *key;
	int n, len, r = -EACCES;

	if (sealed.len < SEALING_OVERHEAD || sealed.len > SEALING_OVERHEAD + SEALING_MAX ||
		memcmp(p, magic, SEALING_MAGIC) != 0)
		return -EACCES;
	n = (int)(sealed.len - SEALING_OVERHEAD);
	key = find_key(keys, get_id(p + SEALING_MAGIC));
	memcpy(tag, body + n, TAG);
	if (ctx && key &&
		EVP_DecryptInit_ex2(ctx, algorithm_aes256_gcm(), key->key, iv, NULL) == 1 &&
		EVP_DecryptUpdate(ctx, NULL, &len, p, HEAD) == 1 &&
		EVP_DecryptUpdate(ctx, inside, &len, body, n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
		EVP_DecryptFinal_ex(ctx, inside + n, &len) == 1)
		r = buf_add(out, inside, (size_t)n);
	OPENSSL_cleanse(inside, sizeof(inside));
	return r;
}
