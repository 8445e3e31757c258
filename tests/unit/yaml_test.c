/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/yaml.h"

#include <errno.h>

#include "tests/unit/test.h"

static const struct yaml_limits limits = {1 << 16, 1 << 12, 8, 20};

/* All documents, a newline behind each; or the message. */
static void read_all(struct buf *out, struct span text, const struct yaml_limits *l)
{
	_cleanup_yaml_stream_ struct yaml_stream s = {0};
	struct error err = {0};

	buf_reset(out);
	if (yaml_read(&s, text, "f", l, &err) < 0) {
		buf_puts(out, err.message);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out, "%s\n", s.documents[i].json);
}

struct row {
	const char *text, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);

	for (size_t i = 0; i < n; i++) {
		read_all(&out, span_str(rows[i].text), &limits);
		if (!out.p)
			buf_puts(&out, "");
		CHECK_STR(rows[i].text, buf_view(&out), rows[i].want);
	}
}

/* What kubectl's reader (k8s.io/apimachinery v0.34) makes of the same text. */
static void test_accepted(void)
{
	static const struct row rows[] = {
		{"", ""},
		{"# nothing\n---\n---\n# again\n", ""},
		{"a: 1\n---\nb: 2\n", "{\"a\":1}\n{\"b\":2}\n"},
		{"a: 1\n--- # c\nb: 2\n", "{\"a\":1}\n{\"b\":2}\n"},
		{"---\r\na: 1\r\n---\t\r\nb: 2\r\n", "{\"a\":1}\n{\"b\":2}\n"},
		{"a: 1\n... # c\n---\nb: 2\n", "{\"a\":1}\n{\"b\":2}\n"},
		{"---\n...\n---\na: 1\n", "{\"a\":1}\n"},
		{"\xef\xbb\xbf"
		 "a: 1\n",
			"{\"a\":1}\n"},
		{"~\n---\nnull\n", "null\nnull\n"},
		{"x", "\"x\"\n"},
		{"a:\t1\t# c\n", "{\"a\":1}\n"},
		{"b: |\r\n  x\r\n  y\r\n", "{\"b\":\"x\\ny\\n\"}\n"},
		{"a: |\n ---\n", "{\"a\":\"---\\n\"}\n"},
		{"a: |+\n  b\n\n---\nc: 1\n", "{\"a\":\"b\\n\\n\"}\n{\"c\":1}\n"},
		{"a: |\n  no newline at the end", "{\"a\":\"no newline at the end\\n\"}\n"},
		{"a: |-\n  b", "{\"a\":\"b\"}\n"},
		{"a: >-\n  b\n  c\n\n  d\n", "{\"a\":\"b c\\nd\"}\n"},
		{"a: \"x\\\n  y\\u00e9\\t\"\n", "{\"a\":\"xy\xc3\xa9\\u0009\"}\n"},
		{"{a:1}\n", "{\"a:1\":null}\n"},
		{"{a: b:c, d}\n", "{\"a\":\"b:c\",\"d\":null}\n"},
		{"a: [x: y, 010, 'no', no]\n", "{\"a\":[{\"x\":true},8,\"no\",false]}\n"},
		{"a:\n- b\n- - c\n  - d\n- e: 1\n  f: 2\n",
			"{\"a\":[\"b\",[\"c\",\"d\"],{\"e\":1,\"f\":2}]}\n"},
		{"? a\n: b\n? c\n", "{\"a\":\"b\",\"c\":null}\n"},
		/* keys */
		{"1: a\n0x10: b\n1.5: c\n1e6: d\n.inf: e\n", "{\"1\":\"a\",\"16\":\"b\","
							     "\"1.5\":\"c\",\"1e+06\":\"d\","
							     "\".inf\":\"e\"}\n"},
		{"yes: a\nn: b\n'on': c\n", "{\"true\":\"a\",\"false\":\"b\",\"on\":\"c\"}\n"},
		{"!!str 1: a\n", "{\"1\":\"a\"}\n"},
		/* tags */
		{"[!!float 3, !!int \"3\", !!bool yes, !!null '', !!str null, !!str , ! 12, ! "
		 "\"1\"]",
			"[3,3,true,null,\"null\",\"\",\"12\",\"1\"]\n"},
		{"!!map {a: !!seq [1]}\n", "{\"a\":[1]}\n"},
		{"a: !<tag:yaml.org,2002:int> 3\n", "{\"a\":3}\n"},
		/* anchors and merges: at their place, as yaml.v2 does it */
		{"a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "{\"a\":1,\"b\":1,\"c\":2,\"d\":2}\n"},
		{"a: &x b\n*x : 2\n", "{\"a\":\"b\",\"b\":2}\n"},
		{"a: &x {b: [1]}\nc: [*x, *x]\n",
			"{\"a\":{\"b\":[1]},\"c\":[{\"b\":[1]},{\"b\":[1]}]}\n"},
		{"a: &b\nc: *b\n", "{\"a\":null,\"c\":null}\n"},
		{"<<: {a: 2}\na: 1\n", "{\"a\":1}\n"},
		{"a: 1\n<<: {a: 2}\n", "{\"a\":2}\n"},
		{"b: {z: 0, a: 1, <<: {a: 2, c: 3}, c: 4}\n",
			"{\"b\":{\"z\":0,\"a\":2,\"c\":4}}\n"},
		{"<<: [{a: 1}, {a: 2, b: 3}]\n", "{\"a\":1,\"b\":3}\n"},
		{"a: &a {x: 1}\nb: &b {<<: *a, q: 2}\nc: {<<: [*b, {q: 3, z: 4}]}\n",
			"{\"a\":{\"x\":1},\"b\":{\"x\":1,\"q\":2},"
			"\"c\":{\"q\":2,\"z\":4,\"x\":1}}\n"},
		{"\"<<\": {a: 1}\nb: <<\n", "{\"<<\":{\"a\":1},\"b\":\"<<\"}\n"},
		/* JSON */
		{" {\"a\" : [ 1.0, -0.0, 1E2, 18446744073709551616 "
		 "],\n\t\"b\":\"\\ud83d\\ude00\\/\" } ",
			"{\"a\":[1,-0.0,100,18446744073709552000],\"b\":\"\\ud83d\\ude00\\/\"}\n"},
		{"{\"a\": 010, }", "{\"a\":8}\n"},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_refused(void)
{
	static const struct row rows[] = {
		{"a: 1\nb:\n  c: 2\n  'c': 3\n", "f:4:3: duplicate key \"c\", first at 3:3"},
		{"1: a\n\"1\": b\n", "f:2:1: duplicate key \"1\", first at 1:1"},
		{"true: a\nyes: b\n", "f:2:1: duplicate key \"true\", first at 1:1"},
		{"{\"a\":1,\"b\":{},\"a\":2}", "f:1:15: duplicate key \"a\", first at 1:2"},
		{"&k a: 1\n*k : 2\n", "f:2:1: duplicate key \"a\", first at 1:1"},
		{"<<: {a: 1}\n<<: {b: 2}\n",
			"f:2:1: duplicate key \"<<\", first at 1:1: merge a list instead"},
		{"a: {<<: {b: 1, b: 2}, b: 3}\n", "f:1:16: duplicate key \"b\", first at 1:10"},
		{"? \"a\\nb\"\n: 1\n? \"a\\nb\"\n: 2\n",
			"f:3:3: duplicate key \"a?b\", first at 1:3"},
		{"? [a]\n: b\n",
			"f:1:3: a key must be text, a number or a boolean: put it in quotes"},
		{"null: 1\n", "f:1:1: a key must be text, a number or a boolean: put it in quotes"},
		{"18446744073709551615: a\n",
			"f:1:1: a key must be text, a number or a boolean: put it in quotes"},
		{"x: &a [*a]\n", "f:1:8: alias *a is inside of what it stands for"},
		{"a: &a {<<: *a}\n", "f:1:12: alias *a is inside of what it stands for"},
		{"a: *x\n", "f:1:4: alias *x: no anchor &x stands before it"},
		{"a: &x 1\n---\na: *x\n", "f:3:4: alias *x: no anchor &x stands before it"},
		{"<<: 1\n", "f:1:5: \"<<\" merges a mapping or a list of mappings"},
		{"a: &a []\n<<: *a\n", "f:2:5: \"<<\" merges a mapping or a list of mappings"},
		{"<<: [{a: 1}, b]\n", "f:1:14: \"<<\" merges a list of mappings; this is none"},
		{"a: .inf\n", "f:1:4: JSON has no infinite or undefined numbers: put it in quotes"},
		{"a: !!binary aGk=\n", "f:1:4: tag !!binary is not supported: leave it out, and "
				       "put text in quotes"},
		{"a: !foo x\n",
			"f:1:4: tag !foo is not supported: leave it out, and put text in quotes"},
		{"a: !!set {b}\n", "f:1:4: tag !!set is not supported: leave it out"},
		{"a: !!map [b]\n", "f:1:4: tag !!map is not supported: leave it out"},
		{"a: !!int 3.0\n", "f:1:4: \"3.0\" is no int, which its tag says"},
		{"a: !!null x\n", "f:1:4: \"x\" is no null, which its tag says"},
		{"a: !!float 18446744073709551615\n",
			"f:1:4: \"18446744073709551615\" is no float, which its tag says"},
		{"a: \"\\0\"\n", "f:1:4: text must not hold NUL characters"},
		{"%YAML 1.1\n---\na: 1\n",
			"f:1:1: %YAML and %TAG directives are not supported (nor "
			"by kubectl): leave them out"},
		{"a: 1\n--- b\n", "f:2:5: only a comment may follow \"---\" on its line: kubectl "
				  "refuses more"},
		{"---foo: 1\n", "f:1:4: only a comment may follow \"---\" on its line: kubectl "
				"refuses more"},
		{"a: 1\n...\nb: 2\n", "f:3:1: did not find expected <document start>"},
		{"{a: 1} x\n", "f:1:8: did not find expected <document start>"},
		{"a:\n\tb: 1\n",
			"f:2:1: found character that cannot start any token while scanning "
			"for the next token"},
		{"a: 1\n b: 2\n", "f:2:3: mapping values are not allowed in this context"},
		{"a: [1\n",
			"f:2:1: did not find expected ',' or ']' while parsing a flow sequence"},
		{"a: \x01\n", "f:1:4: control characters are not allowed"},
		{"\xc3\xa9: 1\n\xc3\xa9: \xff\n", "f:2:4: invalid leading UTF-8 octet"},
		{"\xff\xfe"
		 "a",
			"f:1:1: UTF-16 text: save it as UTF-8"},
		{"{\"a\":\n 1e400}", "f:2:2: number out of range"},
		{"[[[[[[[[[[[[[[[[[[[[[[", "f:1:21: nested deeper than 20 levels"},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_limits(void)
{
	static const struct {
		const char *text;
		struct yaml_limits limits;
		const char *want;
	} rows[] = {
		{"[a, b]", {100, 3, 1, 1}, "[\"a\",\"b\"]\n"},
		{"[a, b]", {100, 2, 1, 1}, "f:1:5: more than 2 values"},
		{"[a, b]", {100, 3, 1, 0}, "f:1:1: nested deeper than 0 levels"},
		{"[a, b]", {9, 3, 1, 1}, "[\"a\",\"b\"]\n"},
		{"[a, b]", {8, 3, 1, 1}, "f:1:1: more than 8 bytes of JSON"},
		{"[1, 2]", {4, 3, 1, 1}, "f:1:1: more than 4 bytes of JSON"},
		{"a\n---\nb\n", {100, 9, 1, 1}, "f:3:1: more than 1 documents"},
		{"a\n---\nb\n", {100, 1, 2, 1},
			"f:3:1: more than 1 values once aliases and merges are expanded"},
		{"aa\n---\nbb\n", {7, 2, 2, 1}, "f:3:1: more than 7 bytes of JSON"},
		{"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", {1000, 100, 1, 9},
			"f:1:4: more than 100 values once aliases and merges are expanded"},
		{"a: &a {}\nb: &b {<<: [*a,*a,*a,*a]}\nc: &c {<<: [*b,*b,*b,*b]}\n"
		 "d: {<<: [*c,*c,*c,*c]}\n",
			{1000, 60, 1, 9},
			"f:3:4: more than 60 values once aliases and merges are expanded"},
		{"a: &a {x: 1}\nb: &b {<<: *a}\nc: &c {<<: *b}\nd: {<<: *c}\n", {1000, 60, 1, 3},
			"f:1:4: merges nested deeper than 3 levels"},
		{"a: &a [[1]]\nb: [*a]\n", {1000, 60, 1, 3},
			"f:1:8: nested deeper than 3 levels once aliases are expanded"},
	};
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		read_all(&out, span_str(rows[i].text), &rows[i].limits);
		CHECK_STR(rows[i].text, buf_view(&out), rows[i].want);
	}
}

static void test_anchor_limit(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), out = BUF_INIT(1 << 16);

	for (int i = 0; i <= 1000; i++)
		buf_printf(&text, "- &a%d x\n", i);
	read_all(&out, buf_view(&text), &limits);
	CHECK_STR("anchors", buf_view(&out), "f:1001:3: more than 1000 anchors in one document");
}

static void test_marks(void)
{
	static const struct {
		const char *text;
		const char *key, *inner;
		unsigned line, column, key_line, key_column;
	} rows[] = {
		{"# c\na: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "a", "b", 2, 11, 2, 8},
		{"# c\na: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "c", "b", 2, 11, 2, 8},
		{"# c\na: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "c", "d", 5, 6, 5, 3},
		{"{\"\xc3\xa9\": 1, \"a\":\n  {\"b\": 1,\"d\" : [2]}}", "a", "b", 2, 9, 2, 4},
		{"{\"\xc3\xa9\": 1, \"a\": {\"d\" : [2]}}", "a", "d", 1, 22, 1, 16},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_yaml_stream_ struct yaml_stream s = {0};
		_cleanup_json_ struct json doc = {0};
		struct json_limits jl = {1000, 100, 10};
		struct json_iter it;
		struct error err = {0};
		struct yaml_mark m;

		CU_ASSERT_EQUAL(yaml_read(&s, span_str(rows[i].text), "f", &limits, &err), 0);
		if (!CHECK_ROW(rows[i].text, s.n == 1, "%s", err.message))
			continue;
		CU_ASSERT_EQUAL(json_parse(&doc, span_str(s.documents[0].json), &jl, &err), 0);
		json_each (it, json_get(json_root(&doc), rows[i].key)) {
			if (!json_str_is(it.key, rows[i].inner))
				continue;
			m = yaml_where(&s.documents[0], it.value);
			CHECK_ROW(rows[i].text,
				m.line == rows[i].line && m.column == rows[i].column,
				"value at %u:%u", m.line, m.column);
			m = yaml_where(&s.documents[0], it.key);
			CHECK_ROW(rows[i].text,
				m.line == rows[i].key_line && m.column == rows[i].key_column,
				"key at %u:%u", m.line, m.column);
		}
	}
}

/* Whatever a cut leaves is a document or a message with a place, nothing else. */
static void test_truncations(void)
{
	static const char text[] =
		"a: &x {b: [1, 'it''s', \"\\u00e9\"], c: !!str 1}\n---\n"
		"? |-\n  k\n  l\n: >\n  folded\n  text\nd:\n- *y\n- <<: {e: ~}\n";
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 16);

	for (size_t n = 0; n < sizeof(text); n++) {
		read_all(&out, (struct span){text, n}, &limits);
		CHECK_ROW(text,
			n == 0 || out.p[0] == '{' || out.p[0] == '"' ||
				strncmp(out.p, "f:", 2) == 0,
			"%zu bytes: %s", n, out.p);
	}
}

static void test_write(void)
{
	static const struct row rows[] = {
		{"{}", "{}\n"},
		{"[]", "[]\n"},
		{"null", "null\n"},
		{"\"x\"", "x\n"},
		{"\"a\\nb\\n\"", "|\n  a\n  b\n"},
		{"{\"b\":1.50,\"a\":[true,null,-1e3],\"c\":{},\"d\":[]}",
			"b: 1.50\na:\n- true\n- null\n- -1e3\nc: {}\nd: []\n"},
		{"[[1,[2,[]]],{\"a\":{\"b\":[{\"c\":1,\"d\":2},3]}}]",
			"- - 1\n  - - 2\n    - []\n- a:\n    b:\n    - c: 1\n      d: 2\n    - "
			"3\n"},
		{"{\"a\":{\"s\":\"x\\n\\n  y\"},\"b\":[\"p\\nq\\n\"]}",
			"a:\n  s: |-\n    x\n\n      y\nb:\n- |\n  p\n  q\n"},
		{"[\"\",\" a\",\"a \",\"a: b\",\"a:\",\"a #b\",\"#a\",\"- "
		 "a\",\"-\",\"---\",\"...\"]",
			"- \"\"\n- \" a\"\n- \"a \"\n- \"a: b\"\n- \"a:\"\n- \"a #b\"\n- \"#a\"\n- "
			"\"- "
			"a\"\n- \"-\"\n- \"---\"\n- \"...\"\n"},
		{"[\"a:b\",\"a#b\",\"--flag=x\",\"-c\",\"64Mi\",\"100m\",\"$(X)\",\"a,b\",\"/"
		 "bin\"]",
			"- a:b\n- a#b\n- --flag=x\n- -c\n- 64Mi\n- 100m\n- $(X)\n- a,b\n- /bin\n"},
		{"[\"yes\",\"Y\",\"off\",\"TRUE\",\"nUll\",\"~\",\"<<\",\"=\",\".Inf\",\"-.inf\"]",
			"- \"yes\"\n- \"Y\"\n- \"off\"\n- \"TRUE\"\n- \"nUll\"\n- \"~\"\n- "
			"\"<<\"\n- "
			"\"=\"\n- \".Inf\"\n- \"-.inf\"\n"},
		{"[\"1\",\"1e3\",\"0x1F\",\"0o7\",\"1_0\",\"+.5\",\"1:30\",\"2001-01-01\",\"1.2."
		 "3\"]",
			"- \"1\"\n- \"1e3\"\n- \"0x1F\"\n- \"0o7\"\n- \"1_0\"\n- \"+.5\"\n- "
			"\"1:30\"\n"
			"- \"2001-01-01\"\n- \"1.2.3\"\n"},
		{"[\"a\\tb\",\"\\r\",\"\\u001b\",\"\\u0085\",\"\\u2028\",\"\\ufeff\",\"\xc3\xa9\"]",
			"- \"a\\tb\"\n- \"\\r\"\n- \"\\u001B\"\n- \"\\u0085\"\n- \"\\u2028\"\n"
			"- \"\\uFEFF\"\n- \xc3\xa9\n"},
		{"[\"\\n\",\"\\na\",\" a\\nb\",\"a\\n\\n\",\"a\\n "
		 "\\nb\",\"a\\r\\nb\",\"a\\n\\tb\"]",
			"- \"\\n\"\n- \"\\na\"\n- \" a\\nb\"\n- \"a\\n\\n\"\n- \"a\\n \\nb\"\n- "
			"\"a\\r\\nb\"\n- |-\n  a\n  \tb\n"},
		{"{\"1\":{\"a b\":1},\"y\":\"\\\"'\\\\\",\"<<\":\"a\\\\b\"}",
			"\"1\":\n  a b: 1\n\"y\": \"\\\"'\\\\\"\n\"<<\": a\\b\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		struct json_limits jl = {1000, 100, 10};
		struct error err = {0};

		json_parse(&doc, span_str(rows[i].text), &jl, &err);
		CU_ASSERT_EQUAL(yaml_write(&out, json_root(&doc)), 0);
		CHECK_STR(rows[i].text, buf_view(&out), rows[i].want);
	}
}

/* Longer than a simple key may be, with every kind of value. */
static void test_long_keys(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), out = BUF_INIT(1 << 20),
				 back = BUF_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct json_limits jl = {1 << 16, 100, 10};

	buf_puts(&text, "{");
	for (int i = 0; i < 4; i++) {
		buf_puts(&text, i ? ",\"" : "\"");
		for (int k = 0; k < 500; k++)
			buf_puts(&text, i % 2 ? "\xc2\x85" : "key");
		buf_printf(&text, "%d\":%s", i,
			i == 0   ? "1"
			: i == 1 ? "[1,{\"a\":2}]"
			: i == 2 ? "{\"b\":[3]}"
				 : "\"x\\ny\"");
	}
	buf_puts(&text, "}");
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &jl, NULL), 0);
	CU_ASSERT_EQUAL(yaml_write(&out, json_root(&doc)), 0);
	read_all(&back, buf_view(&out), &limits);
	buf_puts(&text, "\n");
	CHECK_STR("long keys", buf_view(&back), text.p);
}

static void test_write_fails(void)
{
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf out = BUF_INIT(4096), small = BUF_INIT(8);
	struct json_limits jl = {1000, 100, 10};

	json_parse(&doc, SPAN_LIT("{\"a\":1e400}"), &jl, NULL);
	CU_ASSERT_EQUAL(yaml_write(&out, json_root(&doc)), -ERANGE);
	CU_ASSERT_EQUAL(yaml_write(&out, json_get(json_root(&doc), "b")), -EINVAL);
	json_parse(&doc, SPAN_LIT("[\"too long for it\"]"), &jl, NULL);
	CU_ASSERT_EQUAL(yaml_write(&small, json_root(&doc)), -E2BIG);
}

CU_TestInfo yaml_tests[] = {
	{"as kubectl reads it", test_accepted},
	{"refusals say where and why", test_refused},
	{"limits", test_limits},
	{"anchors are counted", test_anchor_limit},
	{"marks", test_marks},
	{"truncations", test_truncations},
	{"write", test_write},
	{"long keys", test_long_keys},
	{"write fails", test_write_fails},
	CU_TEST_INFO_NULL,
};
