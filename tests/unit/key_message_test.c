/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/message.h"

#include <string.h>

#include "common/kbs/rcar.h"
#include "nodeagent/exec/exchange.h"
#include "nodeagent/keys/promise.h"
#include "nodeagent/keys/release.h"
#include "tests/unit/test.h"

#define GOOD "{\"version\":1,\"token\":\"aa.bb.cc\",\"keys\":[\"p/k\",\"p/l\"]}"

static void test_requests(void)
{
	static const struct {
		const char *name, *json;
		int want;
		const char *message;
	} rows[] = {
		{"good", GOOD, 0, NULL},
		{"more members", "{\"version\":1,\"token\":\"a\",\"keys\":[\"p/k\"],\"x\":[]}", 0,
			NULL},
		{"another version", "{\"version\":2,\"token\":\"a\",\"keys\":[\"p/k\"]}", -EBADMSG,
			"version must be 1"},
		{"no version", "{\"token\":\"a\",\"keys\":[\"p/k\"]}", -EBADMSG, "version"},
		{"no token", "{\"version\":1,\"keys\":[\"p/k\"]}", -EBADMSG, "token"},
		{"an empty token", "{\"version\":1,\"token\":\"\",\"keys\":[\"p/k\"]}", -EBADMSG,
			"token"},
		{"an escaped token", "{\"version\":1,\"token\":\"a\\u0062\",\"keys\":[\"p/k\"]}",
			-EBADMSG, "token"},
		{"no keys", "{\"version\":1,\"token\":\"a\"}", -EBADMSG, "1 to 32"},
		{"none of them", "{\"version\":1,\"token\":\"a\",\"keys\":[]}", -EBADMSG,
			"1 to 32"},
		{"a key of another namespace",
			"{\"version\":1,\"token\":\"a\",\"keys\":[\"n/p/k\"]}", -EBADMSG,
			"PROFILE/KEY"},
		{"a way out", "{\"version\":1,\"token\":\"a\",\"keys\":[\"../k\"]}", -EBADMSG,
			"PROFILE/KEY"},
		{"a number", "{\"version\":1,\"token\":\"a\",\"keys\":[1]}", -EBADMSG,
			"PROFILE/KEY"},
		{"a member twice", "{\"version\":1,\"version\":1}", -EBADMSG, "JSON"},
		{"no object", "[1]", -EBADMSG, "version"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_key_request_ struct key_request q = {0};
		struct error err = {0};
		int r = key_request_read(&q, span_str(rows[i].json), &err);

		CHECK_ROW(rows[i].name, r == rows[i].want, "%d %s", r, err.message);
		if (r < 0)
			CHECK_ROW(rows[i].name,
				rows[i].message && strstr(err.message, rows[i].message), "%s",
				err.message);
	}
}

static void test_a_good_request(void)
{
	_cleanup_key_request_ struct key_request q = {0};
	_cleanup_secret_ struct secret written = {0};
	static const struct span keys[] = {SPAN_LIT("p/k"), SPAN_LIT("p/l")};

	/* What casemate-exec writes is what the agent reads. */
	CU_ASSERT_EQUAL(exec_request(&written, SPAN_LIT("aa.bb.cc"), keys, 2, NULL), 0);
	CHECK_STR("the same", secret_view(&written), GOOD);
	CU_ASSERT_EQUAL(key_request_read(&q, secret_view(&written), NULL), 0);
	CHECK_STR("token", secret_view(&q.token), "aa.bb.cc");
	CU_ASSERT_EQUAL(q.keys.n, 2);
	CU_ASSERT_STRING_EQUAL(q.keys.v[0], "p/k");
	CU_ASSERT_STRING_EQUAL(q.keys.v[1], "p/l");
	for (size_t n = 0; n < written.len; n++) {
		_cleanup_key_request_ struct key_request cut = {0};
		int r = key_request_read(&cut, (struct span){written.p, n}, NULL);

		CHECK_ROW("cut", r == -EBADMSG, "%zu bytes: %d", n, r);
	}
}

/* The head of an answer, read as casemate-exec does. */
static bool read_head(const struct secret *s, size_t n, struct exec_answer *ret, struct span *rest)
{
	size_t len = s->len < 4 ? 0 : (size_t)(unsigned char)s->p[2] << 8 | (unsigned char)s->p[3];

	if (s->len < 4 + len || s->p[0] || s->p[1])
		return false;
	*rest = (struct span){s->p + 4 + len, s->len - 4 - len};
	return exec_answer_read(ret, (struct span){s->p + 4, len}, n, NULL) == 0;
}

static void test_answers(void)
{
	struct secret keys[2] = {0}, answer = {0};
	struct exec_answer a = {0};
	struct span rest = SPAN_NONE;
	char text[2000];

	secret_copy(&keys[0], (struct span){"a\0b", 3});
	secret_copy(&keys[1], SPAN_LIT(""));
	CU_ASSERT_EQUAL(key_answer_keys(&answer, keys, 2), 0);
	CU_ASSERT(read_head(&answer, 2, &a, &rest));
	CU_ASSERT_STRING_EQUAL(a.status, "ok");
	CU_ASSERT(a.lengths[0] == 3 && a.lengths[1] == 0);
	CU_ASSERT(rest.len == 3 && memcmp(rest.p, "a\0b", 3) == 0);
	secret_free(&answer);
	secret_free(&keys[0]);
	secret_free(&keys[1]);
	CU_ASSERT_EQUAL(
		key_answer_refusal(&answer, true, "KeyNotFound", "it \"is\" not", "p/k"), 0);
	CU_ASSERT(read_head(&answer, 2, &a, &rest));
	CU_ASSERT_STRING_EQUAL(a.status, "again");
	CU_ASSERT_STRING_EQUAL(a.message, "it \"is\" not");
	CU_ASSERT_STRING_EQUAL(a.key, "p/k");
	secret_free(&answer);
	/* Whatever is to be said fits. */
	memset(text, '\1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CU_ASSERT_EQUAL(key_answer_refusal(&answer, false, text, text, ""), 0);
	CU_ASSERT(read_head(&answer, 2, &a, &rest));
	CU_ASSERT_STRING_EQUAL(a.status, "refused");
	secret_free(&answer);
	/* And is UTF-8, or nothing. */
	CU_ASSERT_EQUAL(key_answer_refusal(&answer, false, "\xff", "a\xc3", ""), 0);
	CU_ASSERT(read_head(&answer, 2, &a, &rest));
	CU_ASSERT_STRING_EQUAL(a.message, "a");
	secret_free(&answer);
}

static void test_promises(void)
{
	static const struct {
		const char *name, *annotation;
		int want;
		size_t n;
		const char *message;
	} rows[] = {
		{"one file", "{\\\"db.pem\\\":\\\"p/k\\\"}", 0, 1, NULL},
		{"two", "{\\\"a\\\":\\\"p/k\\\",\\\"b\\\":\\\"p/k\\\"}", 0, 2, NULL},
		{"none", "{}", 0, 0, NULL},
		{"no object", "[]", -EBADMSG, 0, "JSON object"},
		{"no JSON", "x", -EBADMSG, 0, "casemate.dev/files.app"},
		{"nothing", "", -EBADMSG, 0, "casemate.dev/files.app"},
		{"a way out", "{\\\"../x\\\":\\\"p/k\\\"}", -EBADMSG, 0, "file's name"},
		{"a folder", "{\\\"a/x\\\":\\\"p/k\\\"}", -EBADMSG, 0, "file's name"},
		{"no key", "{\\\"a\\\":\\\"k\\\"}", -EBADMSG, 0, "PROFILE/KEY"},
		{"a key of another namespace", "{\\\"a\\\":\\\"n/p/k\\\"}", -EBADMSG, 0,
			"PROFILE/KEY"},
		{"a number", "{\\\"a\\\":1}", -EBADMSG, 0, "PROFILE/KEY"},
		{"a name twice", "{\\\"a\\\":\\\"p/k\\\",\\\"a\\\":\\\"p/l\\\"}", -EBADMSG, 0, "a"},
	};
	static const struct json_limits limits = {4096, 100, 8};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		struct key_promise p = {0};
		struct error err = {0};
		char pod[1024];
		int r;

		snprintf(pod, sizeof(pod),
			"{\"metadata\":{\"annotations\":{\"casemate.dev/files.app\":\"%s\"}}}",
			rows[i].annotation);
		CU_ASSERT_EQUAL(json_parse(&doc, span_str(pod), &limits, NULL), 0);
		r = key_promise_read(&p, json_root(&doc), "app", &err);
		CHECK_ROW(rows[i].name, r == rows[i].want, "%d %s", r, err.message);
		if (r < 0)
			CHECK_ROW(rows[i].name,
				rows[i].message && strstr(err.message, rows[i].message), "%s",
				err.message);
		else
			CHECK_ROW(rows[i].name, p.keys.n == rows[i].n, "%zu", p.keys.n);
		CU_ASSERT_EQUAL(key_promise_read(&p, json_root(&doc), "sidecar", &err), 0);
		CHECK_ROW(rows[i].name, p.keys.n == 0, "another container: %zu", p.keys.n);
	}
}

static void test_refusals(void)
{
	static const struct {
		int status;
		const char *body;
		bool again;
		const char *reason, *message;
	} rows[] = {
		{403,
			"{\"type\":\"https://github.com/confidential-containers/kbs/errors/"
			"PolicyDeny\",\"detail\":\"no\",\"reason\":\"WorkloadNotAllowed\"}",
			false, "WorkloadNotAllowed", "no"},
		{404,
			"{\"type\":\"https://github.com/confidential-containers/kbs/errors/"
			"PluginNotFound\",\"detail\":\"no\"}",
			false, "PluginNotFound", "no"},
		{403, "{\"type\":\"x\",\"detail\":\"later\",\"reason\":\"NotAttested\"}", true,
			"NotAttested", "later"},
		{403, "{\"type\":\"x\",\"detail\":\"soon\",\"reason\":\"CollateralMissing\"}", true,
			"CollateralMissing", "soon"},
		{401, "{\"type\":\"x\",\"detail\":\"old\",\"reason\":\"SessionExpired\"}", true,
			"SessionExpired", "old"},
		{401, "{\"type\":\"x\",\"detail\":\"bad\",\"reason\":\"TokenInvalid\"}", false,
			"TokenInvalid", "bad"},
		{503, "<html>", true, "StoreUnavailable", "the broker answered 503"},
		{400, "", false, "StoreUnavailable", "the broker answered 400"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct key_refusal why;

		key_refusal_read(&why, rows[i].status, span_str(rows[i].body));
		CHECK_ROW(rows[i].message, why.again == rows[i].again, "again: %d", why.again);
		CHECK_STR(rows[i].message, span_str(why.reason), rows[i].reason);
		CHECK_ROW(rows[i].message, strstr(why.message, rows[i].message), "%s", why.message);
		CU_ASSERT_EQUAL(why.key, SIZE_MAX);
	}
}

static void test_primary_evidence(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(200);

	CU_ASSERT_EQUAL(rcar_primary_write(&b, "simulated", SPAN_LIT("abc")), 0);
	CHECK_STR("simulated", buf_view(&b), "{\"evidence\":\"YWJj\"}");
	buf_reset(&b);
	CU_ASSERT_EQUAL(rcar_primary_write(&b, "tdx", SPAN_LIT("abc")), 0);
	CHECK_STR("tdx", buf_view(&b), "{\"cc_eventlog\":null,\"quote\":\"YWJj\"}");
}

const CU_TestInfo key_message_tests[] = {
	{"requests, right and wrong", test_requests},
	{"what casemate-exec writes, whole and cut", test_a_good_request},
	{"answers", test_answers},
	{"promised files", test_promises},
	{"what a broker's refusal means", test_refusals},
	{"primary evidence", test_primary_evidence},
	CU_TEST_INFO_NULL,
};
