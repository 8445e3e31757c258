/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/challenge.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/tee/protocol.h"
#include "tests/unit/test.h"

#define NODE_UID  "2f0c2a44-1c61-4b3e-9d5c-0d6d3c7f1a11"
#define OTHER_UID "2f0c2a44-1c61-4b3e-9d5c-0d6d3c7f1a12"
#define NOW       (1790000000 * (int64_t)USEC_PER_SEC)
#define LIFE      (300 * (int64_t)USEC_PER_SEC)

static const struct sealing_keys keys = {
	.v = {{.id = 2, .key = "the newest, not yet for sealing"}, {.id = 1, .key = "the older one"}},
	.n = 2,
	.seal = 1,
};

static bool make(struct buf *sealed, struct challenge *c)
{
	struct error err = {0};

	return CHECK_ROW("new", challenge_new(c, NODE_UID, NOW, LIFE, &err) == 0, "%s",
		       err.message) &&
	       CHECK_ROW("seal", challenge_seal(sealed, &keys, c, &err) == 0, "%s", err.message);
}

static void test_opens(void)
{
	/* The same key in another place: the secret's keys have gone on. */
	const struct sealing_keys later = {.v = {{.id = 3}, keys.v[0], keys.v[1]}, .n = 3};
	_cleanup_buf_ struct buf sealed = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
	_cleanup_buf_ struct buf again = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
	struct challenge c, got;
	struct error err = {0};
	enum reason reason;

	if (!make(&sealed, &c) || !make(&again, &c))
		return;
	CU_ASSERT_FALSE(span_equal(buf_view(&sealed), buf_view(&again)));
	CHECK_ROW("open", challenge_open(&got, buf_view(&again), &later, NODE_UID, NOW, &reason,
			&err) == 0, "%s", err.message);
	CU_ASSERT_EQUAL(memcmp(got.nonce, c.nonce, sizeof(c.nonce)), 0);
	CU_ASSERT_STRING_EQUAL(got.node_uid, NODE_UID);
	CU_ASSERT_EQUAL(got.issued_usec, NOW);
	CU_ASSERT_EQUAL(got.expires_usec, NOW + LIFE);
}

static void test_refused(void)
{
	static const struct sealing_keys none = {0}, others = {.v = {{.id = 1}}, .n = 1};
	static const struct {
		const char *name;
		const struct sealing_keys *keys;
		const char *uid;
		int64_t now;
		enum reason want;
	} rows[] = {
		{"another node", &keys, OTHER_UID, NOW, REASON_NodeMismatch},
		{"a shorter UID", &keys, "2f0c2a44", NOW, REASON_NodeMismatch},
		{"no UID", &keys, "", NOW, REASON_NodeMismatch},
		{"expired", &keys, NODE_UID, NOW + LIFE + 1, REASON_ChallengeExpired},
		{"from the future", &keys, NODE_UID,
			NOW - (CHALLENGE_SKEW_SEC + 1) * (int64_t)USEC_PER_SEC,
			REASON_ChallengeInvalid},
		{"no key", &none, NODE_UID, NOW, REASON_ChallengeInvalid},
		{"another key of that id", &others, NODE_UID, NOW, REASON_ChallengeInvalid},
	};
	_cleanup_buf_ struct buf sealed = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
	struct challenge c;

	if (!make(&sealed, &c))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		enum reason reason = REASON_Ok;
		int r = challenge_open(&c, buf_view(&sealed), rows[i].keys, rows[i].uid,
			rows[i].now, &reason, &err);

		CHECK_ROW(rows[i].name, r == -EACCES && reason == rows[i].want, "%d %s: %s", r,
			reason_name(reason), err.message);
	}
	CU_ASSERT_EQUAL(challenge_seal(&sealed, &none, &c, NULL), -ENOKEY);
	CU_ASSERT_EQUAL(challenge_new(&c, "", NOW, LIFE, NULL), -EINVAL);
}

/* Its last second is one of its own. */
static void test_edges(void)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
	enum reason reason;
	struct challenge c;

	if (!make(&sealed, &c))
		return;
	CU_ASSERT_EQUAL(challenge_open(&c, buf_view(&sealed), &keys, NODE_UID, NOW + LIFE, &reason,
				NULL), 0);
	CU_ASSERT_EQUAL(challenge_open(&c, buf_view(&sealed), &keys, NODE_UID,
				NOW - CHALLENGE_SKEW_SEC * (int64_t)USEC_PER_SEC, &reason, NULL), 0);
}

static bool opens(struct span sealed)
{
	enum reason reason = REASON_Ok;
	struct challenge c;
	int r = challenge_open(&c, sealed, &keys, NODE_UID, NOW, &reason, NULL);

	return r == 0 || reason != REASON_ChallengeInvalid;
}

static void test_malleable(void)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(PROTOCOL_CHALLENGE_MAX);
	struct challenge c;

	if (!make(&sealed, &c))
		return;
	for (size_t n = 0; n < sealed.len; n++)
		CHECK_ROW("truncated", !opens((struct span){sealed.p, n}), "%zu bytes", n);
	for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
		CHECK_ROW("flipped", !opens(buf_view(&sealed)), "bit %zu", bit);
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	CU_ASSERT_TRUE(opens(buf_view(&sealed)));
	buf_putc(&sealed, '\0');
	CU_ASSERT_FALSE(opens(buf_view(&sealed)));
}

CU_TestInfo challenge_tests[] = {
	{"opens", test_opens},
	{"refused", test_refused},
	{"edges", test_edges},
	{"malleable", test_malleable},
	CU_TEST_INFO_NULL,
};
