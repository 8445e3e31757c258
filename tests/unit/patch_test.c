/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/admission/patch.h"

#include <errno.h>

#include "tests/unit/test.h"

static const struct json_limits limits = {.max_bytes = 1 << 20, .max_nodes = 10000, .max_depth = 32};

static void test_build(void)
{
	_cleanup_patch_ struct patch p = PATCH_INIT(1000);
	_cleanup_buf_ struct buf out = BUF_INIT(1000);

	patch_write(&p, &out);
	CHECK_STR("empty", buf_view(&out), "[]");
	buf_reset(&out);
	patch_op(&p, PATCH_ADD, "/spec/template");
	patch_keys(&p, "spec", "containers");
	patch_index(&p, 3);
	patch_keys(&p, "limits", "sgx.intel.com/epc~\"");
	patch_value_str(&p, SPAN_LIT("64Mi"));
	patch_op(&p, PATCH_REPLACE, "");
	patch_append(&p);
	patch_value_json(&p, SPAN_LIT("{\"a\":1}"));
	patch_op(&p, PATCH_REMOVE, "");
	patch_keys(&p, "spec", "overhead");
	patch_end(&p);
	patch_write(&p, &out);
	CHECK_STR("three operations", buf_view(&out),
		"[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/3/limits/"
		"sgx.intel.com~1epc~0\\\"\",\"value\":\"64Mi\"},"
		"{\"op\":\"replace\",\"path\":\"/-\",\"value\":{\"a\":1}},"
		"{\"op\":\"remove\",\"path\":\"/spec/overhead\"}]");
	CU_ASSERT_EQUAL(p.n, 3);
}

/* The add, replace and remove cases of RFC 6902 appendix A, and what the API server's library
 * refuses. */
static void test_apply(void)
{
	static const struct {
		const char *doc, *patch, *want;
		int code;
	} rows[] = {
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
			"{\"foo\":\"bar\",\"baz\":\"qux\"}", 0},
		{"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
			"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", 0},
		{"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
			"{\"foo\":\"bar\"}", 0},
		{"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
			"{\"foo\":[\"bar\",\"baz\"]}", 0},
		{"{\"baz\":\"qux\",\"foo\":\"bar\"}",
			"[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
			"{\"baz\":\"boo\",\"foo\":\"bar\"}", 0},
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/c\",\"value\":{\"g\":{}}}]",
			"{\"foo\":\"bar\",\"c\":{\"g\":{}}}", 0},
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":1}]", NULL, -ENOENT},
		{"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"a\"]}]",
			"{\"foo\":[\"bar\",[\"a\"]]}", 0},
		{"{\"/\":9,\"~1\":10}", "[{\"op\":\"replace\",\"path\":\"/~01\",\"value\":11}]",
			"{\"/\":9,\"~1\":11}", 0},
		{"{\"a\":1.50,\"b\" : [ 1e3 ]}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]",
			"{\"a\":2,\"b\":[ 1e3 ]}", 0},
		{"{\"a\":{}}", "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":{\"k\":1}},"
			"{\"op\":\"add\",\"path\":\"/a/x/l\",\"value\":2},"
			"{\"op\":\"remove\",\"path\":\"/a/x/k\"}]", "{\"a\":{\"x\":{\"l\":2}}}", 0},
		{"{}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[1]}]", "[1]", 0},
		{"{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", NULL, -ENOENT},
		{"{}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]", NULL, -ENOENT},
		{"[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]", NULL, -ENOENT},
		{"[1]", "[{\"op\":\"add\",\"path\":\"/00\",\"value\":1}]", NULL, -ENOENT},
		{"[1]", "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":1}]", NULL, -ENOENT},
		{"[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", NULL, -ENOENT},
		{"{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", NULL, -EBADMSG},
		{"{}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", NULL, -EBADMSG},
		{"{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", NULL, -EBADMSG},
		{"{}", "[{\"op\":\"copy\",\"path\":\"/a\",\"from\":\"/b\"}]", NULL, -EBADMSG},
		{"{}", "{}", NULL, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
		_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
		_cleanup_json_ struct json doc = {0};
		_cleanup_json_ struct json patch = {0};
		struct error err = {0};
		int r;

		json_parse(&doc, span_str(rows[i].doc), &limits, &err);
		json_parse(&patch, span_str(rows[i].patch), &limits, &err);
		r = patch_apply(json_root(&doc), json_root(&patch), &a, &out, &err);
		CHECK_ROW(rows[i].patch, r == rows[i].code, "got %d (%s), want %d", r, err.message,
			rows[i].code);
		if (rows[i].want)
			CHECK_STR(rows[i].patch, buf_view(&out), rows[i].want);
	}
}

CU_TestInfo patch_tests[] = {
	{"operations are built with escaped paths", test_build},
	{"operations are applied", test_apply},
	CU_TEST_INFO_NULL,
};
