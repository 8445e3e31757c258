/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition casemate.dev/KeysReleased: from what it says and what became known to what it says
 * next. */
#include "webhook/broker/pod_mark.h"

#include <stdlib.h>

#include "tests/unit/test.h"

#define NOW 1790000000

static const struct json_limits limits = {1 << 20, 1 << 14, 40};

/* Two containers: one with a variable and a file, one with a variable; a third with none. */
#define POD(conditions)                                                                            \
	"{\"metadata\":{\"name\":\"p\",\"uid\":\"u1\",\"resourceVersion\":\"7\",\"annotations\":{" \
	"\"casemate.dev/files.app\":\"{\\\"t.txt\\\":\\\"pay/file\\\"}\"}},\"spec\":{"             \
	"\"containers\":[{\"name\":\"app\",\"env\":[{\"name\":\"A\",\"value\":"                    \
	"\"casemate://pay/env\"},{\"name\":\"B\",\"value\":\"x\"},{\"name\":\"C\",\"value\":"      \
	"\"casemate://not a key\"}],\"resources\":{\"limits\":{\"casemate.dev/keys\":\"1\"}}},"    \
	"{\"name\":\"plain\",\"env\":[{\"name\":\"A\",\"value\":\"casemate://pay/env\"}]}],"       \
	"\"initContainers\":[{\"name\":\"side\",\"restartPolicy\":\"Always\",\"env\":[{\"name\":"  \
	"\"A\",\"value\":\"casemate://pay/env\"}],\"resources\":{\"limits\":{"                     \
	"\"casemate.dev/keys\":\"1\"}}}]},\"status\":{\"conditions\":[" conditions "]}}"
#define READY "{\"type\":\"Ready\",\"status\":\"True\"}"
#define MARK(status, reason, message)                                                              \
	"{\"type\":\"casemate.dev/KeysReleased\",\"status\":\"" status "\",\"reason\":\"" reason   \
	"\",\"message\":\"" message "\"}"

#define RELEASED(container, key)                                                                   \
	{                                                                                          \
		container, "pay", key, REASON_Ok, ""                                               \
	}
#define REFUSED(container, key)                                                                    \
	{                                                                                          \
		container, "pay", key, REASON_IdentityNotAllowed, "not that one"                   \
	}

static int mark(const char *pod, const struct pod_news *news, struct buf *out)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	size_t n = 0;

	while (n < 4 && news[n].container)
		n++;
	CU_ASSERT_EQUAL(json_parse(&doc, span_str(pod), &limits, NULL), 0);
	return pod_mark_patch(out, json_root(&doc), news, n, NOW, &a);
}

static void test_steps(void)
{
	static const struct {
		const char *name, *before; /* conditions */
		struct pod_news news[4];
		const char *status, *reason, *message; /* NULL: nothing is written */
		bool turned;
	} rows[] = {
		{"the first of three", READY, {RELEASED("app", "file")}, "False", "KeysPending",
			"waiting for side:pay/env, app:pay/env", true},
		{"the second",
			MARK("False", "KeysPending", "waiting for side:pay/env, app:pay/env"),
			{RELEASED("side", "env")}, "False", "KeysPending",
			"waiting for app:pay/env", false},
		{"the last", READY "," MARK("False", "KeysPending", "waiting for app:pay/env"),
			{RELEASED("app", "env")}, "True", "KeysReleased",
			"all keys that the pod's containers are promised were released to it",
			true},
		{"all at once", "",
			{RELEASED("app", "file"), RELEASED("app", "env"), RELEASED("side", "env")},
			"True", "KeysReleased",
			"all keys that the pod's containers are promised were released to it",
			true},
		{"it stays so", MARK("True", "KeysReleased", "all"), {REFUSED("app", "env")}, NULL,
			NULL, NULL, false},
		{"nothing new", MARK("False", "KeysPending", "waiting for app:pay/env"),
			{RELEASED("app", "file")}, NULL, NULL, NULL, false},
		{"refused", "", {REFUSED("app", "file")}, "False", "IdentityNotAllowed",
			"app:pay/file: not that one; waiting for side:pay/env, app:pay/env, "
			"app:pay/file",
			true},
		{"refused again",
			MARK("False", "IdentityNotAllowed",
				"app:pay/file: not that one; waiting for app:pay/file"),
			{REFUSED("app", "file")}, NULL, NULL, NULL, false},
		{"refused, and another released",
			MARK("False", "IdentityNotAllowed",
				"app:pay/file: not that one; waiting for side:pay/env, "
				"app:pay/file"),
			{RELEASED("side", "env")}, "False", "IdentityNotAllowed",
			"app:pay/file: not that one; waiting for app:pay/file", false},
		{"refused, and then released",
			MARK("False", "IdentityNotAllowed",
				"app:pay/file: not that one; waiting for side:pay/env, "
				"app:pay/file"),
			{RELEASED("app", "file")}, "False", "KeysPending",
			"waiting for side:pay/env", false},
		{"a refusal that says waiting for",
			MARK("False", "X",
				"app:pay/file: waiting for Godot; waiting for app:pay/file"),
			{RELEASED("app", "file")}, "True", "KeysReleased",
			"all keys that the pod's containers are promised were released to it",
			true},
		{"a key that is not promised",
			MARK("False", "KeysPending", "waiting for app:pay/env"),
			{REFUSED("app", "other")}, NULL, NULL, NULL, false},
		{"a key that was released before",
			MARK("False", "KeysPending", "waiting for app:pay/env"),
			{REFUSED("app", "file")}, NULL, NULL, NULL, false},
		{"the node's proof", "",
			{{"app", "", "", REASON_NotAttested, "node n1 is not attested"}}, "False",
			"NotAttested",
			"the node's proof: node n1 is not attested; waiting for side:pay/env, "
			"app:pay/env, app:pay/file",
			true},
		{"the node's proof, and then a key",
			MARK("False", "NotAttested",
				"the node's proof: no; waiting for side:pay/env, app:pay/env, "
				"app:pay/file"),
			{RELEASED("app", "file")}, "False", "KeysPending",
			"waiting for side:pay/env, app:pay/env", false},
		{"somebody else's words", MARK("Unknown", "Made", "up"), {RELEASED("app", "file")},
			"False", "KeysPending", "waiting for side:pay/env, app:pay/env", true},
		{"words of a key that is none", MARK("False", "KeysPending", "waiting for a:b/c"),
			{RELEASED("app", "file")}, "True", "KeysReleased",
			"all keys that the pod's containers are promised were released to it",
			true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf pod = BUF_INIT(1 << 16), out = BUF_INIT(1 << 16);
		_cleanup_json_ struct json doc = {0};
		struct json_val c;
		int r;

		buf_printf(&pod, "%.*s%s%s", (int)(strlen(POD("")) - strlen("]}}")), POD(""),
			rows[i].before, "]}}");
		buf_putc(&pod, '\0');
		r = mark(pod.p, rows[i].news, &out);
		CHECK_ROW(rows[i].name, r == (rows[i].status != NULL), "%d %.*s", r, (int)out.len,
			out.p ? out.p : "");
		if (r != 1 || !rows[i].status)
			continue;
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&out), &limits, NULL), 0);
		CU_ASSERT(json_str_is(json_find(json_root(&doc), "metadata", "uid"), "u1"));
		CU_ASSERT(json_str_is(
			json_find(json_root(&doc), "metadata", "resourceVersion"), "7"));
		c = json_at(json_find(json_root(&doc), "status", "conditions"), 0);
		CHECK_ROW(rows[i].name,
			json_str_is(json_get(c, "type"), POD_MARK_CONDITION) &&
				json_str_is(json_get(c, "status"), rows[i].status) &&
				json_str_is(json_get(c, "reason"), rows[i].reason) &&
				json_str_is(json_get(c, "message"), rows[i].message) &&
				json_exists(json_get(c, "lastTransitionTime")) == rows[i].turned,
			"%.*s", (int)out.len, out.p);
	}
}

static void test_nothing_promised(void)
{
	static const struct pod_news news[4] = {RELEASED("app", "env")};
	static const char *const pods[] = {"{}", "[]", "{\"spec\":{\"containers\":{}}}",
		"{\"spec\":{\"containers\":[{\"name\":\"app\",\"env\":[{\"name\":\"A\",\"value\":"
		"\"casemate://pay/env\"}]}]}}",
		"{\"metadata\":{\"annotations\":{\"casemate.dev/files.app\":\"{\"}},\"spec\":{"
		"\"containers\":[{\"name\":\"app\",\"resources\":{\"limits\":{"
		"\"casemate.dev/keys\":1}}}]}}"};

	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(1 << 16);

		CHECK_ROW(pods[i], mark(pods[i], news, &out) == 0 && out.len == 0, "written");
	}
}

const CU_TestInfo pod_mark_tests[] = {
	{"steps", test_steps},
	{"nothing is promised", test_nothing_promised},
	CU_TEST_INFO_NULL,
};
