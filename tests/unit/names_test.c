/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/names.h"

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

enum { LABEL = 1, SUBDOMAIN = 2, KEY = 4, VALUE = 8, ENV = 16, PATH = 32, HEX2 = 64 };

static const struct {
	const char *text;
	int is;
} rows[] = {
	{"", VALUE},
	{"a", LABEL | SUBDOMAIN | KEY | VALUE | ENV},
	{"a-1", LABEL | SUBDOMAIN | KEY | VALUE},
	{"-a", 0},
	{"a-", 0},
	{"A", KEY | VALUE | ENV},
	{"a.b-c.d", SUBDOMAIN | KEY | VALUE},
	{"a..b", KEY | VALUE},
	{"a.-b", KEY | VALUE},
	{"a-.b", KEY | VALUE},
	{".a", 0},
	{"a.", 0},
	{"A_b.C", KEY | VALUE},
	{"_A1", ENV},
	{"1A", KEY | VALUE},
	{"A B", 0},
	{"example.com/x", KEY},
	{"example.com/", 0},
	{"/x", PATH},
	{"a/b/c", 0},
	{"Example.com/x", 0},
	{X60 "xxx", LABEL | SUBDOMAIN | KEY | VALUE | ENV},
	{X60 "xxxx", SUBDOMAIN | ENV},
	{X60 "." X60 "." X60 "." X60 ".123456789", SUBDOMAIN},
	{X60 "." X60 "." X60 "." X60 ".1234567890", 0},
	{"/", 0},
	{"/a/b.c", PATH},
	{"/a/../b", 0},
	{"/..", 0},
	{"/a/.", 0},
	{"/a//b", 0},
	{"/a/", 0},
	{"/...", PATH},
	{"/a\nb", 0},
	{"/a b", PATH},
	{"0fA9", KEY | VALUE | HEX2},
	{"0fa9", LABEL | SUBDOMAIN | KEY | VALUE | HEX2},
	{"0fag", LABEL | SUBDOMAIN | KEY | VALUE},
};

static void test_grammars(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span s = span_str(rows[i].text);
		int is = 0;

		is |= name_is_dns_label(s) ? LABEL : 0;
		is |= name_is_dns_subdomain(s) ? SUBDOMAIN : 0;
		is |= name_is_label_key(s) ? KEY : 0;
		is |= name_is_label_value(s) ? VALUE : 0;
		is |= name_is_env(s) ? ENV : 0;
		is |= name_is_path(s) ? PATH : 0;
		is |= name_is_hex(s, 2) ? HEX2 : 0;
		CHECK_ROW(rows[i].text, is == rows[i].is, "got %#x, want %#x", is, rows[i].is);
	}
}

static void test_longest_path(void)
{
	char path[NAME_PATH_MAX + 2];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	CU_ASSERT_TRUE(name_is_path((struct span){path, NAME_PATH_MAX}));
	CU_ASSERT_FALSE(name_is_path((struct span){path, NAME_PATH_MAX + 1}));
}

static void test_distance(void)
{
	static const struct {
		const char *a, *b;
		unsigned want;
	} table[] = {
		{"default", "default", 0},
		{"defualt", "default", 1},
		{"defaul", "default", 1},
		{"ddefault", "default", 1},
		{"exce", "exec", 1},
		{"dfaul", "default", 2},
		{"max", "min", 2},
		{"abc", "xyz", 3},
		{"", "ab", 2},
		{"", "abc", 3},
		{X60, X60, 3},
		{X60, "x", 3},
		{"x", X60, 3},
		{X10 X10 X10 X10, X10 X10 X10 X10, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned got = name_distance(span_str(table[i].a), span_str(table[i].b));

		CHECK_ROW(table[i].a, got == table[i].want, "got %u, want %u", got, table[i].want);
	}
}

static void test_image_digests(void)
{
	static const struct {
		const char *image, *want, *want_id; /* NULL: none */
	} table[] = {
		{"a/b@sha256:12", "sha256:12", "sha256:12"},
		{"a:5000/b:tag@sha256:12", "sha256:12", "sha256:12"},
		{"a@b@sha256:12", "sha256:12", "sha256:12"},
		{"a@", "", ""},
		{"a:tag", NULL, NULL},
		{"a/sha256:12", NULL, NULL},
		{"sha256:12", NULL, "sha256:12"}, /* as an image: the tag 12 of sha256 */
		{"", NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct span image = span_str(table[i].image);
		struct span got = name_image_digest(image), id = name_image_id_digest(image);

		CHECK_ROW(table[i].image,
			table[i].want ? got.p && span_is(got, table[i].want) : !got.p,
			"got " SPAN_FMT, SPAN_ARG(got));
		CHECK_ROW(table[i].image,
			table[i].want_id ? id.p && span_is(id, table[i].want_id) : !id.p,
			"ID: got " SPAN_FMT, SPAN_ARG(id));
	}
	CU_ASSERT_PTR_NULL(name_image_digest(SPAN_NONE).p);
	CU_ASSERT_PTR_NULL(name_image_id_digest(SPAN_NONE).p);
}

CU_TestInfo names_tests[] = {
	{"grammars", test_grammars},
	{"the longest path", test_longest_path},
	{"distance", test_distance},
	{"digests of images", test_image_digests},
	CU_TEST_INFO_NULL,
};
