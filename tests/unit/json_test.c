/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "tests/unit/test.h"

static const struct json_limits wide = {1 << 20, 1 << 16, 64};

/* A parsed literal; the text must outlive it. */
static int parse(struct json *doc, const char *text, struct error *err)
{
	return json_parse(doc, span_str(text), &wide, err);
}

static const char *const rich =
	"{\"s\":\"a\\u00e9\\ud83d\\ude00\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 and "
	"a tail\",\"n\":[-0.5e+10,0,12,null,true,false,{},[],[[1],{\"\":\"\"}]],"
	"\"o\":{\"a\\n\":1 , \"b\":[ ]}}";

static void test_accepted(void)
{
	static const char *const rows[] = {"null", "true", "false", "0", "-0", "-1", "10", "1.5",
		"0.0", "1e1", "1E+1", "1e-1", "-0.0e00", "123456789012345678901234567890", "\"\"",
		"[]", "{}", " \t\r\n[ 1 , 2 ] \n", "[[[]]]", "{\"\":{}}", "{\"a\":1,\"A\":2}",
		"{\"a\":{\"a\":1}}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0020\\uFfFf\"",
		"\"\\ud800\\udc00\\udbff\\udfff\"", "\"\\ue000\\ud7ff\"", "\"\x7f\"",
		"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
		"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", "\"1234567\\\\\"", "\"12345678\xc3\xa9\""};
	_cleanup_json_ struct json doc = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = parse(&doc, rows[i], &err);

		CHECK_ROW(rows[i], r == 0, "got %d: %s", r, err.message);
	}
	CU_ASSERT_EQUAL(parse(&doc, rich, NULL), 0);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "line 1, column 1: expected a value, got the end of the text"},
		{"{\r\n\n\"\xc3\xa9\": [\"\xf0\x9f\x98\x80\",]}",
			"line 3, column 11: expected a value, got ']'"},
		{" \n ", "line 2, column 2: expected a value, got the end of the text"},
		{"nul", "line 1, column 1: expected a value, got 'n'"},
		{"True", "line 1, column 1: expected a value, got 'T'"},
		{"nullx", "line 1, column 5: expected nothing after the value, got 'x'"},
		{"1 2", "line 1, column 3: expected nothing after the value, got '2'"},
		{"{} {}", "line 1, column 4: expected nothing after the value, got '{'"},
		{"01", "line 1, column 2: expected nothing after the value, got '1'"},
		{"-", "line 1, column 2: expected a digit, got the end of the text"},
		{"-a", "line 1, column 2: expected a digit, got 'a'"},
		{"+1", "line 1, column 1: expected a value, got '+'"},
		{".5", "line 1, column 1: expected a value, got '.'"},
		{"5.", "line 1, column 3: expected a digit after '.', got the end of the text"},
		{"1.e1", "line 1, column 3: expected a digit after '.', got 'e'"},
		{"1e", "line 1, column 3: expected a digit of the exponent, got the end of the "
		       "text"},
		{"1e+", "line 1, column 4: expected a digit of the exponent, got the end of the "
			"text"},
		{"0x10", "line 1, column 2: expected nothing after the value, got 'x'"},
		{"NaN", "line 1, column 1: expected a value, got 'N'"},
		{"[1,]", "line 1, column 4: expected a value, got ']'"},
		{"[,1]", "line 1, column 2: expected a value, got ','"},
		{"[1 2]", "line 1, column 4: expected ',' or ']', got '2'"},
		{"[1}", "line 1, column 3: expected ',' or ']', got '}'"},
		{"[", "line 1, column 2: expected a value, got the end of the text"},
		{"]", "line 1, column 1: expected a value, got ']'"},
		{"{\"a\":1,}", "line 1, column 8: expected a key in quotes, got '}'"},
		{"{\n\"a\" 1}", "line 2, column 5: expected ':' after a key, got '1'"},
		{"{\"a\":}", "line 1, column 6: expected a value, got '}'"},
		{"{\"a\"}", "line 1, column 5: expected ':' after a key, got '}'"},
		{"{a:1}", "line 1, column 2: expected a key in quotes, got 'a'"},
		{"{1:1}", "line 1, column 2: expected a key in quotes, got '1'"},
		{"{\"a\":1]", "line 1, column 7: expected ',' or '}', got ']'"},
		{"{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}', got '\"'"},
		{"'a'", "line 1, column 1: expected a value, got '''"},
		{"/**/1", "line 1, column 1: expected a value, got '/'"},
		{"\xef\xbb\xbf{}", "line 1, column 1: expected a value, got byte 0xef"},
		{"\f1", "line 1, column 1: expected a value, got byte 0x0c"},
		{"\"a", "line 1, column 3: expected a closing quote, got the end of the text"},
		{"\"a\nb\"", "line 1, column 3: control character 0x0a in a string; escape it"},
		{"\"\x1f\"", "line 1, column 2: control character 0x1f in a string; escape it"},
		{"\"12345678\x1f 0123456789\"",
			"line 1, column 10: control character 0x1f in a string; escape it"},
		{"\"12345678\t\"",
			"line 1, column 10: control character 0x09 in a string; escape it"},
		{"\"\\x\"", "line 1, column 3: expected one of \"\\/bfnrtu after '\\', got 'x'"},
		{"\"\\u12g4\"", "line 1, column 2: expected four hexadecimal digits after \\u"},
		{"\"\\u12\"", "line 1, column 2: expected four hexadecimal digits after \\u"},
		{"\"\\u0000\"",
			"line 1, column 2: \\u0000 is refused: strings must be free of NUL"},
		{"\"\\ud800\"", "line 1, column 2: the surrogate \\ud800 stands alone"},
		{"\"\\udc00\"", "line 1, column 2: the surrogate \\udc00 stands alone"},
		{"\"\\udc00\\udc00\"", "line 1, column 2: the surrogate \\udc00 stands alone"},
		{"\"\\ud800\\ud800\"", "line 1, column 2: the surrogate \\ud800 stands alone"},
		{"\"\\ud800x\\udc00\"", "line 1, column 2: the surrogate \\ud800 stands alone"},
		{"\"\xc3\xa9\x80\"", "line 1, column 3: invalid UTF-8 in a string"},
		{"\"\xc0\x80\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xc1\xbf\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xc3\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xe0\x9f\xbf\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xed\xa0\x80\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xe2\x82\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xe2\x82z\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xf0\x8f\xbf\xbf\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xf4\x90\x80\x80\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xf5\x80\x80\x80\"", "line 1, column 2: invalid UTF-8 in a string"},
		{"\"\xff\"", "line 1, column 2: invalid UTF-8 in a string"},
	};
	_cleanup_json_ struct json doc = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = parse(&doc, rows[i].text, &err);

		CHECK_ROW(rows[i].text, r == -EBADMSG && err.code == r, "got %d", r);
		CHECK_STR(rows[i].text, span_str(err.message), rows[i].message);
		CU_ASSERT_EQUAL(doc.n, 0);
		CU_ASSERT_FALSE(json_exists(json_root(&doc)));
		CU_ASSERT_EQUAL(parse(&doc, rows[i].text, NULL), -EBADMSG);
	}
}

static void test_nul_and_nothing(void)
{
	_cleanup_json_ struct json doc = {0};

	CU_ASSERT_EQUAL(json_parse(&doc, SPAN_LIT("\"a\0b\""), &wide, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(json_parse(&doc, SPAN_LIT("1\0"), &wide, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(json_parse(&doc, SPAN_NONE, &wide, NULL), -EBADMSG);
}

static void test_truncations(void)
{
	_cleanup_json_ struct json doc = {0};
	size_t n = strlen(rich);

	for (size_t i = 0; i < n; i++) {
		/* a copy of its own, so that a sanitizer sees a read behind the end */
		_cleanup_free_ char *text = malloc(i ? i : 1);

		if (!text)
			return;
		memcpy(text, rich, i);
		CHECK_ROW("truncated",
			json_parse(&doc, (struct span){text, i}, &wide, NULL) == -EBADMSG,
			"accepted at %zu", i);
	}
}

static void test_duplicate_keys(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"{\"a\":1,\"a\":2}", "line 1, column 8: the key \"a\" is there twice; remove one"},
		{"{\"a\":1,\n \"\\u0061\":2}",
			"line 2, column 2: the key \"\\u0061\" is there twice; remove one"},
		{"{\"\\u00e9\":1,\"\xc3\xa9\":2}",
			"line 1, column 13: the key \"\xc3\xa9\" is there twice; remove one"},
		{"{\"\\ud83d\\ude00\":1,\"b\":0,\"\xf0\x9f\x98\x80\":2}",
			"line 1, column 25: the key \"\xf0\x9f\x98\x80\" is there twice; remove "
			"one"},
		{"{\"\":1,\"\":2}", "line 1, column 7: the key \"\" is there twice; remove one"},
		{"{\"\\/\":1,\"/\":2}",
			"line 1, column 9: the key \"/\" is there twice; remove one"},
		{"[{\"x\":{\"app.kubernetes.io/name\":1,\"app.kubernetes.io/name\":2}}]",
			"line 1, column 35: the key \"app.kubernetes.io/name\" is there twice; "
			"remove one"},
		{"{\"0123456789012345678901234567890123456789012345678901234567\xe2\x82\xac\":1,"
		 "\"0123456789012345678901234567890123456789012345678901234567\xe2\x82\xac\":1}",
			"line 1, column 66: the key "
			"\"0123456789012345678901234567890123456789012345678901234567...\" is "
			"there twice; remove one"},
	};
	_cleanup_json_ struct json doc = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = parse(&doc, rows[i].text, &err);

		CHECK_ROW(rows[i].text, r == -EBADMSG, "got %d", r);
		CHECK_STR(rows[i].text, span_str(err.message), rows[i].message);
	}
	CU_ASSERT_EQUAL(parse(&doc, "{\"aname\":1,\"bname\":2,\"name\":3,\"\\u0062\":4}", NULL), 0);
}

/* n keys of one length and one suffix; the last repeats key number twice when it is below n - 1,
 * escaped or not. */
static int parse_keys(struct json *doc, struct buf *text, size_t n, size_t twice, bool escaped)
{
	buf_reset(text);
	for (size_t i = 0; i < n; i++) {
		size_t key = i == n - 1 && twice < i ? twice : i;

		buf_printf(text, "%s\"%s%08zu-the-same-tail\":%zu", i ? "," : "{",
			escaped && i == n - 1 ? "\\u006b" : "k", key * 7919 % 1000003, i);
	}
	buf_putc(text, '}');
	return json_parse(doc, buf_view(text), &wide, NULL);
}

static void test_duplicates_of_any_size(void)
{
	static const size_t sizes[] = {2, 3, 15, 16, 17, 18, 31, 33, 100, 2000};
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		size_t n = sizes[s];

		for (int escaped = 0; escaped < 2; escaped++) {
			CU_ASSERT_EQUAL(parse_keys(&doc, &text, n, n, escaped), 0);
			CU_ASSERT_EQUAL(json_count(json_root(&doc)), n);
			for (size_t k = 0; k < n - 1; k += 1 + n / 20)
				CHECK_ROW("duplicate",
					parse_keys(&doc, &text, n, k, escaped) == -EBADMSG,
					"%zu keys, number %zu again, accepted", n, k);
		}
	}
}

static void test_limits(void)
{
	static const struct {
		const char *text;
		struct json_limits limits;
		int want;
		const char *message;
	} rows[] = {
		{"[1,2]", {5, 3, 1}, 0, ""},
		{"[1,2]", {4, 3, 1}, -E2BIG, "5 bytes of JSON, at most 4 are accepted"},
		{"[1,2]", {5, 2, 1}, -E2BIG, "line 1, column 4: more than 2 keys and values"},
		{"[1,2]", {5, 3, 0}, -E2BIG, "line 1, column 1: nested deeper than 0 levels"},
		{"1", {1, 1, 0}, 0, ""},
		{"1", {1, 0, 0}, -E2BIG, "line 1, column 1: more than 0 keys and values"},
		{"{\"a\":1}", {99, 3, 1}, 0, ""},
		{"{\"a\":1}", {99, 2, 1}, -E2BIG, "line 1, column 6: more than 2 keys and values"},
		{"{\"a\":1}", {99, 1, 1}, -E2BIG, "line 1, column 2: more than 1 keys and values"},
		{"[[],[[]]]", {99, 99, 3}, 0, ""},
		{"[[],[[]]]", {99, 99, 2}, -E2BIG, "line 1, column 6: nested deeper than 2 levels"},
	};
	_cleanup_json_ struct json reused = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json fresh = {0};
		struct error err = {0};
		int r = json_parse(&fresh, span_str(rows[i].text), &rows[i].limits, &err);

		CHECK_ROW(rows[i].text, r == rows[i].want, "got %d", r);
		CHECK_STR(rows[i].text, span_str(err.message), rows[i].message);
		/* memory of an earlier, larger document must not widen the limits */
		CU_ASSERT_EQUAL(parse(&reused, rich, NULL), 0);
		CU_ASSERT_EQUAL(json_parse(&reused, span_str(rows[i].text), &rows[i].limits, NULL),
			rows[i].want);
	}
}

static void test_own_maxima(void)
{
	static const struct json_limits none = {SIZE_MAX, SIZE_MAX, UINT_MAX};
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
	struct error err = {0};
	char *big;

	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		buf_putc(&text, '[');
	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		buf_putc(&text, ']');
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &none, &err), 0);
	CU_ASSERT(json_equal(json_root(&doc), json_root(&doc)));
	buf_reset(&text);
	for (int i = 0; i <= JSON_MAX_DEPTH; i++)
		buf_putc(&text, '[');
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &none, &err), -E2BIG);
	/* Zero pages: the size is refused before a byte is read. */
	big = calloc(1, (size_t)JSON_MAX_BYTES + 1);
	if (big)
		CU_ASSERT_EQUAL(json_parse(&doc, (struct span){big, (size_t)JSON_MAX_BYTES + 1},
					&none, NULL),
			-E2BIG);
	free(big);
}

static void test_nodes_grow(void)
{
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

	buf_puts(&text, "[0");
	for (int i = 1; i < 5000; i++)
		buf_printf(&text, ",%d", i);
	buf_puts(&text, "]");
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &wide, NULL), 0);
	for (size_t i = 0; i < 5000; i += 499) {
		int64_t n = -1;

		CU_ASSERT(json_int(json_at(json_root(&doc), i), &n));
		CU_ASSERT_EQUAL(n, (int64_t)i);
	}
	CU_ASSERT_FALSE(json_exists(json_at(json_root(&doc), 5000)));
}

static void test_lookup(void)
{
	_cleanup_json_ struct json doc = {0};
	const char *text =
		"{\"metadata\":{\"labels\":{\"a\\u002fb\":\"x\",\"\":7}},\"list\":[1,[2,3],"
		"{\"k\":\"v\"}]}";
	struct json_val root, none = {0};

	if (!CHECK_ROW(text, parse(&doc, text, NULL) == 0, "refused"))
		return;
	root = json_root(&doc);
	CU_ASSERT_EQUAL(json_type(root), JSON_OBJECT);
	CU_ASSERT_EQUAL(json_count(root), 2);
	CU_ASSERT(json_str_is(json_find(root, "metadata", "labels", "a/b"), "x"));
	CU_ASSERT_EQUAL(json_type(json_find(root, "metadata", "labels", "")), JSON_NUMBER);
	CU_ASSERT_FALSE(json_exists(json_find(root, "metadata", "labels", "a\\u002fb")));
	CU_ASSERT_FALSE(json_exists(json_find(root, "metadata", "no", "b")));
	CU_ASSERT_FALSE(json_exists(json_get(root, "metadat")));
	CU_ASSERT(json_is_object(json_get_span(root, (struct span){"metadata!", 8})));
	CU_ASSERT_FALSE(json_exists(json_get_span(root, SPAN_NONE)));
	CU_ASSERT_FALSE(json_exists(json_get(json_get(root, "list"), "k")));
	CHECK_STR("element", json_raw(json_at(json_get(root, "list"), 1)), "[2,3]");
	CHECK_STR("element", json_raw(json_at(json_get(root, "list"), 2)), "{\"k\":\"v\"}");
	CU_ASSERT_FALSE(json_exists(json_at(json_get(root, "list"), 3)));
	CU_ASSERT_FALSE(json_exists(json_at(json_get(root, "list"), SIZE_MAX)));
	CU_ASSERT_FALSE(json_exists(json_at(root, 0)));
	CHECK_STR(
		"with its quotes", json_raw(json_find(root, "metadata", "labels", "a/b")), "\"x\"");
	/* nothing is found in nothing */
	CU_ASSERT_EQUAL(json_type(none), JSON_MISSING);
	CU_ASSERT_EQUAL(json_count(none), 0);
	CU_ASSERT_FALSE(json_exists(json_find(none, "a", "b")));
	CU_ASSERT_FALSE(json_exists(json_at(none, 0)));
	CU_ASSERT_PTR_NULL(json_raw(none).p);
	CU_ASSERT_FALSE(json_str_is(none, ""));
	CU_ASSERT_FALSE(json_exists((struct json_val){&doc, (uint32_t)doc.n}));
	CU_ASSERT_FALSE(json_is_array(none) || json_is_string(none) || json_is_object(none));
}

static void test_iteration(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"{\"a\":1,\"b\":{\"x\":[1,2]},\"c\":[]}",
			"0:\"a\"=1 1:\"b\"={\"x\":[1,2]} 2:\"c\"=[] "},
		{"[1,[2,{}],\"z\"]", "0:=1 1:=[2,{}] 2:=\"z\" "},
		{"[]", ""},
		{"{}", ""},
		{"\"text\"", ""},
		{"12", ""},
	};
	struct json_iter it;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		_cleanup_buf_ struct buf out = BUF_INIT(1000);

		CU_ASSERT_EQUAL(parse(&doc, rows[i].text, NULL), 0);
		buf_puts(&out, "");
		json_each (it, json_root(&doc)) {
			buf_printf(&out, "%zu:", it.index);
			buf_span(&out, json_raw(it.key));
			buf_putc(&out, '=');
			buf_span(&out, json_raw(it.value));
			buf_putc(&out, ' ');
		}
		CHECK_STR(rows[i].text, buf_view(&out), rows[i].want);
	}
	json_each (it, (struct json_val){0})
		CU_FAIL("nothing has no elements");
}

static void test_copies(void)
{
	static const struct {
		const char *text, *want;
		bool whole;
	} rows[] = {
		{"\"abc\"", "abc", true},
		{"\"\"", "", true},
		{"\"abcd\"", "abc", false},
		{"\"a\\u00e4\"", "a\u00e4", true},
		{"\"ab\\u00e4\"", "ab", false}, /* between characters */
		{"7", "", false},
		{"null", "", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		char got[4];
		bool whole;

		CU_ASSERT_EQUAL(parse(&doc, rows[i].text, NULL), 0);
		whole = json_copy(json_root(&doc), got, sizeof(got));
		CHECK_ROW(rows[i].text, whole == rows[i].whole, "got %d", whole);
		CHECK_STR(rows[i].text, span_str(got), rows[i].want);
	}
}

static void test_strings(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"\"\"", ""},
		{"\"plain\"", "plain"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\\uffff\\u007f\\u0080\\u07ff\\u0800\"",
			"A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80"},
		{"\"\\ud83d\\ude00\\ud800\\udc00\\uDBFF\\uDFFF\"",
			"\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
		{"\"\xe2\x82\xac\\n\xe2\x82\xac\"", "\xe2\x82\xac\n\xe2\x82\xac"},
		{"\"\\\\n\"", "\\n"},
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(1000), empty = ARENA_INIT(0);
	_cleanup_json_ struct json doc = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_val v;
		struct span got;

		CU_ASSERT_EQUAL(parse(&doc, rows[i].text, NULL), 0);
		v = json_root(&doc);
		got = json_str(v, &a);
		CHECK_STR(rows[i].text, got, rows[i].want);
		CU_ASSERT_PTR_NOT_NULL(got.p);
		CHECK_ROW(rows[i].text, json_str_is(v, rows[i].want), "json_str_is denies");
		CU_ASSERT_FALSE(json_str_is(v, "A\xc3\xa9"));
		CU_ASSERT_FALSE(json_str_equal(v, (struct span){rows[i].want, got.len + 1}));
		CHECK_ROW(rows[i].text,
			got.len == 0 || !json_str_equal(v, (struct span){got.p, got.len - 1}),
			"a prefix is taken for the whole");
	}
	CU_ASSERT_EQUAL(parse(&doc, "[\"plain\",\"\\n\",5]", NULL), 0);
	CHECK_STR("needs no memory", json_str(json_at(json_root(&doc), 0), &empty), "plain");
	CU_ASSERT_PTR_NULL(json_str(json_at(json_root(&doc), 1), &empty).p);
	CU_ASSERT_PTR_NULL(json_str(json_at(json_root(&doc), 2), &a).p);
	CU_ASSERT_PTR_NULL(json_str((struct json_val){0}, &a).p);
}

static void test_integers(void)
{
	static const struct {
		const char *text;
		bool want;
		int64_t n;
	} rows[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"42", true, 42},
		{"-1", true, -1},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"92233720368547758070", false, 0},
		{"1.0", false, 0},
		{"1e3", false, 0},
		{"1E3", false, 0},
		{"\"1\"", false, 0},
		{"null", false, 0},
		{"true", false, 0},
		{"[1]", false, 0},
	};
	_cleanup_json_ struct json doc = {0};
	int64_t n = 77;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		n = 77;
		CU_ASSERT_EQUAL(parse(&doc, rows[i].text, NULL), 0);
		CHECK_ROW(rows[i].text, json_int(json_root(&doc), &n) == rows[i].want, "got %d",
			!rows[i].want);
		CHECK_ROW(rows[i].text, n == (rows[i].want ? rows[i].n : 77), "got %lld",
			(long long)n);
	}
	CU_ASSERT_FALSE(json_int((struct json_val){0}, &n));
}

static void test_equality(void)
{
	static const struct {
		const char *a, *b;
		bool want;
	} rows[] = {
		{"null", "null", true},
		{"null", "false", false},
		{"true", "true", true},
		{"1", "1", true},
		{"1", "1.0", false},
		{"1", "\"1\"", false},
		{"\"a\"", "\"\\u0061\"", true},
		{"\"a\"", "\"b\"", false},
		{"\"a\"", "\"ab\"", false},
		{"\"\\n\"", "\"\\u000a\"", true},
		{"\"\\n\"", "\"\\nn\"", false},
		{"[]", "{}", false},
		{"[1,2]", "[ 1 , 2 ]", true},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true},
		{"{\"a\":1,\"b\":[2]}", "{\"b\":[3],\"a\":1}", false},
		{"{\"a\":1}", "{\"b\":1}", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":1}", false},
		{"{\"\\u0061\":{}}", "{\"a\":{}}", true},
		{"{\"a\":null}", "{\"b\":null}", false},
	};
	_cleanup_json_ struct json a = {0}, b = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CU_ASSERT_EQUAL(parse(&a, rows[i].a, NULL), 0);
		CU_ASSERT_EQUAL(parse(&b, rows[i].b, NULL), 0);
		CHECK_ROW(rows[i].a, json_equal(json_root(&a), json_root(&b)) == rows[i].want,
			"against %s: got %d", rows[i].b, !rows[i].want);
		CHECK_ROW(rows[i].a, json_equal(json_root(&b), json_root(&a)) == rows[i].want,
			"against %s, turned round: got %d", rows[i].b, !rows[i].want);
	}
	CU_ASSERT(json_equal((struct json_val){0}, (struct json_val){0}));
	CU_ASSERT_FALSE(json_equal((struct json_val){0}, json_root(&a)));
}

/* {"k0":0,...} forwards or backwards; the value of key odd is another. */
static void many_members(struct buf *out, int n, bool backwards, int odd)
{
	for (int i = 0; i < n; i++) {
		int k = backwards ? n - 1 - i : i;

		buf_printf(out, "%s\"%s%d\":%d", i ? "," : "{", backwards ? "\\u006b" : "k", k,
			k == odd ? -1 : k);
	}
	buf_puts(out, "}");
}

static void test_equality_of_many(void)
{
	for (int n = 30; n < 36; n++) {
		_cleanup_buf_ struct buf x = BUF_INIT(1 << 16), y = BUF_INIT(1 << 16),
					 z = BUF_INIT(1 << 16);
		_cleanup_json_ struct json a = {0}, b = {0}, c = {0};

		many_members(&x, n, false, -1);
		many_members(&y, n, true, -1);
		many_members(&z, n, true, n / 2);
		CU_ASSERT_EQUAL(json_parse(&a, buf_view(&x), &wide, NULL), 0);
		CU_ASSERT_EQUAL(json_parse(&b, buf_view(&y), &wide, NULL), 0);
		CU_ASSERT_EQUAL(json_parse(&c, buf_view(&z), &wide, NULL), 0);
		CU_ASSERT(json_equal(json_root(&a), json_root(&b)));
		CU_ASSERT_FALSE(json_equal(json_root(&a), json_root(&c)));
	}
}

CU_TestInfo json_tests[] = {
	{"accepted", test_accepted},
	{"refused, and why", test_refused},
	{"NUL bytes and no bytes", test_nul_and_nothing},
	{"every truncation is refused", test_truncations},
	{"duplicate keys", test_duplicate_keys},
	{"duplicates in objects of any size", test_duplicates_of_any_size},
	{"limits hold to the unit", test_limits},
	{"limits have maxima", test_own_maxima},
	{"nodes grow", test_nodes_grow},
	{"look-up", test_lookup},
	{"iteration", test_iteration},
	{"strings are decoded", test_strings},
	{"copies of strings", test_copies},
	{"integers", test_integers},
	{"equality", test_equality},
	{"equality of large objects", test_equality_of_many},
	CU_TEST_INFO_NULL,
};
