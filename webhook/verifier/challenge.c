/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside:	nonce, 16 | issued, 8 | expires, 8 | the Node's UID
 *
 * Numbers are big endian. */
#include "webhook/verifier/challenge.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"

enum {
	FIXED = CHALLENGE_NONCE + 16, /* before the UID */
	INSIDE_MAX = FIXED + CHALLENGE_UID_MAX - 1,
};

static const unsigned char magic[SEALING_MAGIC] = {'C', 'M', 'C', 1};

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

int challenge_seal(struct buf *out, const struct sealing_keys *keys, const struct challenge *c,
	struct error *err)
{
	unsigned char inside[INSIDE_MAX];
	size_t n = write_inside(inside, c);
	int r = sealing_seal(out, keys, magic, (struct span){(const char *)inside, n}, err);

	return r < 0 ? error_prefix(err, r, "challenge") : 0;
}

static int refuse(enum reason *ret_reason, enum reason reason, struct error *err, const char *what)
{
	*ret_reason = reason;
	return error_set(err, -EACCES, "%s; %s", what, reason_remedy(reason));
}

int challenge_open(struct challenge *ret, struct span sealed, const struct sealing_keys *keys,
	const char *node_uid, int64_t now_usec, enum reason *ret_reason, struct error *err)
{
	_cleanup_buf_ struct buf opened = BUF_INIT(INSIDE_MAX);
	int r = sealing_open(&opened, keys, magic, sealed);
	const unsigned char *inside = (const unsigned char *)opened.p;
	struct challenge c = {0};
	size_t n = opened.len;

	if (r < 0 || n <= FIXED)
		return refuse(ret_reason, REASON_ChallengeInvalid, err,
			"the challenge is none that this verifier gave out");
	memcpy(c.nonce, inside, CHALLENGE_NONCE);
	c.issued_usec = (int64_t)get_u64(inside + CHALLENGE_NONCE);
	c.expires_usec = (int64_t)get_u64(inside + CHALLENGE_NONCE + 8);
	memcpy(c.node_uid, inside + FIXED, n - FIXED);
	if (strlen(node_uid) != n - FIXED || CRYPTO_memcmp(c.node_uid, node_uid, n - FIXED) != 0)
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
