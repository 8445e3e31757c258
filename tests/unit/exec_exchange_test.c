/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/exchange.h"

#include <string.h>

#include "tests/unit/test.h"

static void test_requests(void)
{
	static const struct span two[] = {SPAN_LIT("p/k"), SPAN_LIT("p/l")};
	static const struct {
		const char *name, *token;
		int want;
	} bad[] = {
		{"no token", "", -EBADMSG},
		{"a quote", "a.b\"", -EBADMSG},
		{"two lines", "a.b.c\nd", -EBADMSG},
		{"a page", "<html>", -EBADMSG},
	};
	struct secret s = {0};
	struct span many[DELIVERY_KEYS_MAX];
	char token[DELIVERY_TOKEN_MAX], key[DELIVERY_NAME_MAX];

	CU_ASSERT_EQUAL(exec_request(&s, SPAN_LIT("aZ0.-_"), two, 2, NULL), 0);
	CHECK_STR("two", secret_view(&s),
		"{\"version\":1,\"token\":\"aZ0.-_\",\"keys\":[\"p/k\",\"p/l\"]}");
	secret_free(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int r = exec_request(&s, span_str(bad[i].token), two, 2, NULL);

		CHECK_ROW(bad[i].name, r == bad[i].want, "%d", r);
		secret_free(&s);
	}
	/* The longest of everything fits. */
	memset(token, 'a', sizeof(token));
	memset(key, 'k', sizeof(key));
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct span){key, sizeof(key)};
	CU_ASSERT_EQUAL(
		exec_request(&s, (struct span){token, sizeof(token)}, many, ARRAY_SIZE(many), NULL),
		0);
	secret_free(&s);
}

static const struct {
	const char *name, *json;
	int want;
	const char *status, *message;
} rows[] = {
	{"two keys", "{\"status\":\"ok\",\"lengths\":[32,0]}", 0, "ok", ""},
	{"one key too few", "{\"status\":\"ok\",\"lengths\":[32]}", -EBADMSG, NULL, NULL},
	{"one too many", "{\"status\":\"ok\",\"lengths\":[1,2,3]}", -EBADMSG, NULL, NULL},
	{"no lengths", "{\"status\":\"ok\"}", -EBADMSG, NULL, NULL},
	{"lengths that are none", "{\"status\":\"ok\",\"lengths\":{\"a\":1,\"b\":2}}", -EBADMSG,
		NULL, NULL},
	{"below 0", "{\"status\":\"ok\",\"lengths\":[32,-1]}", -EBADMSG, NULL, NULL},
	{"too long", "{\"status\":\"ok\",\"lengths\":[32,32769]}", -EBADMSG, NULL, NULL},
	{"refused",
		"{\"status\":\"refused\",\"reason\":\"KeyRevoked\",\"message\":\"gone\","
		"\"key\":\"p/k\"}",
		0, "refused", "gone"},
	{"controls", "{\"status\":\"again\",\"message\":\"a\\u001b[2Jb\\n\"}", 0, "again",
		"a?[2Jb?"},
	{"another word", "{\"status\":\"maybe\"}", -EBADMSG, NULL, NULL},
	{"no word", "{}", -EBADMSG, NULL, NULL},
	{"no object", "[]", -EBADMSG, NULL, NULL},
	{"nothing", "", -EBADMSG, NULL, NULL},
};

static void test_answers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exec_answer a = {0};
		int r = exec_answer_read(&a, span_str(rows[i].json), 2, NULL);

		if (!CHECK_ROW(rows[i].name, r == rows[i].want, "%d", r) || r < 0)
			continue;
		CHECK_STR(rows[i].name, span_str(a.status), rows[i].status);
		CHECK_STR(rows[i].name, span_str(a.message), rows[i].message);
	}
}

static void test_truncated_answers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].json);

		for (size_t n = 0; n < len; n++) {
			_cleanup_free_ char *cut = strndup(rows[i].json, n);
			struct exec_answer a = {.status = "same"};
			int r = exec_answer_read(&a, (struct span){cut, n}, 2, NULL);

			CHECK_ROW(rows[i].name, r == -EBADMSG, "%zu bytes: %d", n, r);
			CU_ASSERT_STRING_EQUAL(a.status, "same");
		}
	}
}

const CU_TestInfo exec_exchange_tests[] = {
	{"requests", test_requests},
	{"answers", test_answers},
	{"answers cut short", test_truncated_answers},
	CU_TEST_INFO_NULL,
};
