/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed:	"CMC" VERSION | key id, 8 bytes | IV, 12 | ciphertext | tag, 16
 * Inside:	nonce, 16 | issued, 8 | expires, 8 | the Node's UID
 *
 * Numbers are big endian. The first 12 bytes are authenticated as well. */
#include "webhook/verifier/challenge.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"

enum {
	HEAD = 12,
	IV = 12,
	TAG = 16,
	FIXED = CHALLENGE_NONCE + 16, /* inside, before the UID */
	INSIDE_MAX = FIXED + CHALLENGE_UID_MAX - 1,
	SEALED_MAX = HEAD + IV + INSIDE_MAX + TAG,
};

static const unsigned char magic[4] = {'C', 'M', 'C', 1};

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

static void put_u64(unsigned char out[8], uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		out[i] = (unsigned char)v;
}

static uint64_t get_u64(const unsigned char in[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return v;
}

int challenge_new(struct challenge *ret, const char *node_uid, int64_t now_usec,
	int64_t lifetime_usec, struct error *err)
{
	struct challenge c = {.issued_usec = now_usec, .expires_usec = now_usec + lifetime_usec};
	size_t n = strlen(node_uid);

	if (n == 0 || n >= sizeof(c.node_uid))
		return error_set(err, -EINVAL, "the Node's UID has %zu bytes, not 1 to %zu", n,
			sizeof(c.node_uid) - 1);
	memcpy(c.node_uid, node_uid, n);
	if (RAND_bytes(c.nonce, sizeof(c.nonce)) != 1)
		return error_set(err, -EIO, "no randomness for a challenge");
	*ret = c;
	return 0;
}

static size_t write_inside(unsigned char out[INSIDE_MAX], const struct challenge *c)
{
	size_t n = strnlen(c->node_uid, CHALLENGE_UID_MAX - 1);

	memcpy(out, c->nonce, CHALLENGE_NONCE);
	put_u64(out + CHALLENGE_NONCE, (uint64_t)c->issued_usec);
	put_u64(out + CHALLENGE_NONCE + 8, (uint64_t)c->expires_usec);
	memcpy(out + FIXED, c->node_uid, n);
	return FIXED + n;
}

int challenge_seal(struct buf *out, const struct challenge_keys *keys, const struct challenge *c,
	struct error *err)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char sealed[SEALED_MAX], inside[INSIDE_MAX];
	unsigned char *iv = sealed + HEAD, *body = iv + IV;
	size_t n = write_inside(inside, c);
	const struct challenge_key *key;
	int len;

	if (keys->seal >= keys->n)
		return error_set(err, -ENOKEY, "there is no key to seal challenges with yet");
	key = &keys->v[keys->seal];
	memcpy(sealed, magic, sizeof(magic));
	put_u64(sealed + sizeof(magic), key->id);
	if (!ctx || RAND_bytes(iv, IV) != 1 ||
		EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key->key, iv, NULL) != 1 ||
		EVP_EncryptUpdate(ctx, NULL, &len, sealed, HEAD) != 1 ||
		EVP_EncryptUpdate(ctx, body, &len, inside, (int)n) != 1 ||
		EVP_EncryptFinal_ex(ctx, body + n, &len) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, body + n) != 1)
		return error_set(err, -EIO, "a challenge could not be sealed");
	return buf_add(out, sealed, HEAD + IV + n + TAG) < 0 ? error_oom(err) : 0;
}

static const struct challenge_key *find_key(const struct challenge_keys *keys, uint64_t id)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->v[i].id == id)
			return &keys->v[i];
	return NULL;
}

/* Returns the bytes inside, -1: not sealed by us. */
static int unseal(
	unsigned char inside[INSIDE_MAX], struct span sealed, const struct challenge_keys *keys)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const unsigned char *p = (const unsigned char *)sealed.p, *iv = p + HEAD, *body = iv + IV;
	const struct challenge_key *key;
	unsigned char tag[TAG];
	int n, len;

	if (sealed.len <= HEAD + IV + FIXED + TAG || sealed.len > SEALED_MAX ||
		memcmp(p, magic, sizeof(magic)) != 0)
		return -1;
	n = (int)(sealed.len - HEAD - IV - TAG);
	key = find_key(keys, get_u64(p + sizeof(magic)));
	memcpy(tag, body + n, TAG);
	if (!ctx || !key || EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key->key, iv, NULL) != 1 ||
		EVP_DecryptUpdate(ctx, NULL, &len, p, HEAD) != 1 ||
		EVP_DecryptUpdate(ctx, inside, &len, body, n) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1 ||
		EVP_DecryptFinal_ex(ctx, inside + n, &len) != 1)
		return -1;
	return n;
}

static int refuse(enum reason *ret_reason, enum reason reason, struct error *err, const char *what)
{
	*ret_reason = reason;
	return error_set(err, -EACCES, "%s; %s", what, reason_remedy(reason));
}

int challenge_open(struct challenge *ret, struct span sealed, const struct challenge_keys *keys,
	const char *node_uid, int64_t now_usec, enum reason *ret_reason, struct error *err)
{
	unsigned char inside[INSIDE_MAX];
	struct challenge c = {0};
	int n = unseal(inside, sealed, keys);

	if (n < 0)
		return refuse(ret_reason, REASON_ChallengeInvalid, err,
			"the challenge is none that this verifier gave out");
	memcpy(c.nonce, inside, CHALLENGE_NONCE);
	c.issued_usec = (int64_t)get_u64(inside + CHALLENGE_NONCE);
	c.expires_usec = (int64_t)get_u64(inside + CHALLENGE_NONCE + 8);
	memcpy(c.node_uid, inside + FIXED, (size_t)n - FIXED);
	if (strlen(node_uid) != (size_t)n - FIXED ||
		CRYPTO_memcmp(c.node_uid, node_uid, (size_t)n - FIXED) != 0)
		return refuse(ret_reason, REASON_NodeMismatch, err,
			"the challenge was given to another node");
	if (now_usec > c.expires_usec)
		return refuse(
			ret_reason, REASON_ChallengeExpired, err, "the challenge has expired");
	if (c.issued_usec > now_usec + CHALLENGE_SKEW_SEC * (int64_t)USEC_PER_SEC)
		return refuse(ret_reason, REASON_ChallengeInvalid, err,
			"the challenge is from the future: the clocks of the verifier's replicas "
			"differ");
	*ret = c;
	return 0;
}
