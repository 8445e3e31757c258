/* SPDX-License-Identifier: Apache-2.0
 *
 * AESM's messages against bytes written by hand from the protocol's field numbers. */
#include "nodeagent/evidence/aesm_message.h"

#include <errno.h>

#include "common/tee/quote.h"
#include "tests/unit/test.h"

enum { MAX = 1024 };

/* prefix, then n bytes of fill, then suffix. */
static void add(struct buf *b, struct span prefix, size_t n, char fill, struct span suffix)
{
	buf_span(b, prefix);
	for (size_t i = 0; i < n; i++)
		buf_putc(b, fill);
	buf_span(b, suffix);
}

static void check_request(const struct aesm_request *q, const struct buf *want)
{
	_cleanup_buf_ struct buf got = BUF_INIT(MAX);

	CU_ASSERT_EQUAL(aesm_request_write(&got, q), 0);
	CHECK_ROW(aesm_step_name(q->step), span_equal(buf_view(&got), buf_view(want)),
		"other bytes: %zu, not %zu", got.len, want->len);
}

static void test_requests(void)
{
	char key[AESM_KEY_ID], report[AESM_REPORT];
	struct aesm_request q = {.key_id = {key, sizeof(key)},
		.report = {report, sizeof(report)},
		.room = 512,
		.timeout_ms = 1000};
	_cleanup_buf_ struct buf want = BUF_INIT(MAX);

	memset(key, 'k', sizeof(key));
	memset(report, 'r', sizeof(report));
	q.step = AESM_KEY_ID_NUM;
	buf_span(&want, SPAN_LIT("\252\1\3\110\350\7"));
	check_request(&q, &want);

	q.step = AESM_KEY_IDS;
	buf_reset(&want);
	buf_span(&want, SPAN_LIT("\262\1\6\10\200\4\110\350\7"));
	check_request(&q, &want);

	q.step = AESM_INIT_QUOTE;
	buf_reset(&want);
	add(&want, SPAN_LIT("\172\212\2\12\200\2"), sizeof(key), 'k',
		SPAN_LIT("\30\1\40\40\110\350\7"));
	check_request(&q, &want);

	q.step = AESM_QUOTE_SIZE;
	buf_reset(&want);
	add(&want, SPAN_LIT("\202\1\206\2\12\200\2"), sizeof(key), 'k', SPAN_LIT("\110\350\7"));
	check_request(&q, &want);

	q.step = AESM_QUOTE;
	q.room = 4600;
	buf_reset(&want);
	add(&want, SPAN_LIT("\212\1\274\5\12\260\3"), sizeof(report), 'r', SPAN_LIT("\22\200\2"));
	add(&want, SPAN_NONE, sizeof(key), 'k', SPAN_LIT("\40\370\43\110\350\7"));
	check_request(&q, &want);
}

/* prefix, n bytes of 'x': the answer. */
static const struct {
	const char *name;
	enum aesm_step step;
	struct span prefix;
	size_t n;
	int want;
	uint32_t code, number;
	size_t bytes;
	const char *message;
} answers[] = {
	{"2 keys", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\4\10\0\20\2"), 0, 0, 0, 2, 0, NULL},
	{"members that came later", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\6\10\0\20\2\170\1"), 0, 0, 0,
		2, 0, NULL},
	{"16 keys", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\4\10\0\20\20"), 0, 0, 0, 16, 0, NULL},
	{"17 keys", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\4\10\0\20\21"), 0, -EBADMSG, 0, 0, 0,
		"17 keys; at most 16"},
	{"no keys", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\4\10\0\20\0"), 0, -EOPNOTSUPP, 0, 0, 0,
		"libsgx-aesm-ecdsa-plugin"},
	{"no number", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\2\10\0"), 0, -EOPNOTSUPP, 0, 0, 0,
		"no attestation keys"},
	{"an error", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\2\10\22"), 0, 0, 18, 0, 0, NULL},
	{"no code", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\2\20\2"), 0, -EBADMSG, 0, 0, 0,
		"no valid protobuf"},
	{"nothing", AESM_KEY_ID_NUM, SPAN_LIT(""), 0, -EBADMSG, 0, 0, 0, "something else"},
	{"unsupported", AESM_KEY_ID_NUM, SPAN_LIT("\242\1\2\10\36"), 0, -EOPNOTSUPP, 0, 0, 0,
		"does not know GetSupportedAttKeyIDNum"},
	{"another's", AESM_KEY_ID_NUM, SPAN_LIT("\202\1\5\10\0\20\370\43"), 0, -EBADMSG, 0, 0, 0,
		"something else"},
	{"and another's", AESM_KEY_ID_NUM, SPAN_LIT("\252\1\4\10\0\20\2\202\1\5\10\0\20\370\43"), 0,
		-EBADMSG, 0, 0, 0, "something else"},
	{"1 id", AESM_KEY_IDS, SPAN_LIT("\262\1\205\2\10\0\22\200\2"), 256, 0, 0, 0, 256, NULL},
	{"half an id", AESM_KEY_IDS, SPAN_LIT("\262\1\205\1\10\0\22\200\1"), 128, -EBADMSG, 0, 0, 0,
		"no whole ids"},
	{"no ids", AESM_KEY_IDS, SPAN_LIT("\262\1\2\10\0"), 0, -EBADMSG, 0, 0, 0, "0 bytes"},
	{"a target", AESM_INIT_QUOTE, SPAN_LIT("\172\205\4\10\0\22\200\4"), 512, 0, 0, 0, 512,
		NULL},
	{"a longer target", AESM_INIT_QUOTE, SPAN_LIT("\172\206\4\10\0\22\201\4"), 513, -EBADMSG, 0,
		0, 0, "513 bytes, not 512"},
	{"no target", AESM_INIT_QUOTE, SPAN_LIT("\172\4\10\0\30\40"), 0, -EBADMSG, 0, 0, 0,
		"0 bytes, not 512"},
	{"a size", AESM_QUOTE_SIZE, SPAN_LIT("\202\1\5\10\0\20\370\43"), 0, 0, 0, 4600, 0, NULL},
	{"a size of 64 KiB", AESM_QUOTE_SIZE, SPAN_LIT("\202\1\6\10\0\20\200\200\4"), 0, 0, 0,
		QUOTE_MAX, 0, NULL},
	{"a larger one", AESM_QUOTE_SIZE, SPAN_LIT("\202\1\6\10\0\20\201\200\4"), 0, -EBADMSG, 0, 0,
		0, "65537 bytes"},
	{"no size", AESM_QUOTE_SIZE, SPAN_LIT("\202\1\2\10\0"), 0, -EBADMSG, 0, 0, 0, "0 bytes"},
	{"a quote", AESM_QUOTE, SPAN_LIT("\212\1\205\2\10\0\22\200\2"), 256, 0, 0, 0, 256, NULL},
	{"an error with a quote", AESM_QUOTE, SPAN_LIT("\212\1\205\2\10\1\22\200\2"), 256, 0, 1, 0,
		0, NULL},
	{"no quote", AESM_QUOTE, SPAN_LIT("\212\1\2\10\0"), 0, -EBADMSG, 0, 0, 0, "no quote"},
};

static void test_answers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_arena_ struct arena m = ARENA_INIT(AESM_ANSWER_MEMORY);
		_cleanup_buf_ struct buf in = BUF_INIT(MAX);
		struct aesm_answer a = {.number = 77};
		struct error err = {0};
		int r;

		add(&in, answers[i].prefix, answers[i].n, 'x', SPAN_NONE);
		r = aesm_answer_read(&a, &m, answers[i].step, buf_view(&in), &err);
		CHECK_ROW(answers[i].name, r == answers[i].want, "%d %s", r, err.message);
		if (r < 0)
			CHECK_ROW(answers[i].name,
				strstr(err.message, answers[i].message) && a.number == 77,
				"message: %s", err.message);
		else
			CHECK_ROW(answers[i].name,
				a.code == answers[i].code && a.number == answers[i].number &&
					a.bytes.len == answers[i].bytes,
				"code %u, number %u, %zu bytes", a.code, a.number, a.bytes.len);
	}
}

static void test_truncated(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_buf_ struct buf in = BUF_INIT(MAX);

		add(&in, answers[i].prefix, answers[i].n, 'x', SPAN_NONE);
		for (size_t n = 0; n < in.len && answers[i].want == 0; n++) {
			_cleanup_arena_ struct arena m = ARENA_INIT(AESM_ANSWER_MEMORY);
			_cleanup_free_ char *exact = malloc(n + 1);
			struct aesm_answer a;
			int r;

			memcpy(exact, in.p, n);
			r = aesm_answer_read(
				&a, &m, answers[i].step, (struct span){exact, n}, NULL);
			CHECK_ROW(answers[i].name, r == -EBADMSG, "%zu bytes: %d", n, r);
		}
	}
}

static void test_key(void)
{
	char ids[3 * AESM_KEY_ID] = {0};
	struct span all = {ids, sizeof(ids)};

	CU_ASSERT_PTR_NULL(aesm_ecdsa_key(all).p);
	CU_ASSERT_PTR_NULL(aesm_ecdsa_key(SPAN_NONE).p);
	ids[AESM_KEY_ID + 154] = 3;     /* P-384 */
	ids[2 * AESM_KEY_ID + 154] = 2; /* P-256 */
	CU_ASSERT_PTR_EQUAL(aesm_ecdsa_key(all).p, ids + 2 * AESM_KEY_ID);
	CU_ASSERT_EQUAL(aesm_ecdsa_key(all).len, AESM_KEY_ID);
	CU_ASSERT_PTR_NULL(aesm_ecdsa_key((struct span){ids, sizeof(ids) - 1}).p);
	ids[2 * AESM_KEY_ID + 155] = 1;
	CU_ASSERT_PTR_NULL(aesm_ecdsa_key(all).p);
}

static void test_codes(void)
{
	static const uint32_t later[] = {12, 13, 18, 46};

	for (uint32_t code = 1; code < 100; code++) {
		struct error err = {0};
		int r = aesm_code_error(&err, AESM_QUOTE, code);
		enum aesm_retry want = code == 42 ? AESM_RESTART : AESM_FINAL;
		char number[32];

		for (size_t i = 0; i < ARRAY_SIZE(later); i++)
			want = later[i] == code ? AESM_LATER : want;
		snprintf(number, sizeof(number), "(error %u): ", code);
		CHECK_ROW(number, aesm_code_retry(code) == want, "retry %d", aesm_code_retry(code));
		CHECK_ROW(number, strstr(err.message, number) && strstr(err.message, "GetQuoteEx"),
			"%s", err.message);
		CHECK_ROW(number, err.code == r && (r == -EREMOTEIO || r == -EAGAIN), "%d", r);
		CHECK_ROW(number, want == AESM_FINAL || r == -EAGAIN, "%d", r);
	}
	CU_ASSERT_EQUAL(aesm_code_retry(UINT32_MAX), AESM_FINAL);
}

CU_TestInfo aesm_message_tests[] = {
	{"requests, byte by byte", test_requests},
	{"answers", test_answers},
	{"answers truncated at every byte", test_truncated},
	{"which key", test_key},
	{"errors", test_codes},
	CU_TEST_INFO_NULL,
};
