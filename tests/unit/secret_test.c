/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include <errno.h>
#include <stdint.h>

#include "tests/unit/test.h"

static void test_bounded(void)
{
	_cleanup_secret_ struct secret s = {0};
	const char *p;

	CU_ASSERT_EQUAL(secret_init(&s, 7), 0);
	p = s.p;
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_LIT("abc")), 0);
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_LIT("defgh")), -ENOBUFS);
	CHECK_STR("refused whole", secret_view(&s), "abc");
	CU_ASSERT_EQUAL(secret_add_base64(&s, SPAN_LIT("xyz1")), -ENOBUFS);
	CU_ASSERT_EQUAL(secret_add_base64(&s, SPAN_LIT("xyz")), 0);
	CHECK_STR("full", secret_view(&s), "abceHl6");
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_LIT("!")), -ENOBUFS);
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_NONE), 0);
	CU_ASSERT_PTR_EQUAL(s.p, p);
	CU_ASSERT_EQUAL(s.p[s.len], '\0');
	secret_free(&s);
	CU_ASSERT_PTR_NULL(s.p);
	CU_ASSERT_EQUAL(secret_init(&s, SIZE_MAX), -ENOMEM);
	CU_ASSERT_EQUAL(secret_copy(&s, SPAN_LIT("k\0y")), 0);
	CU_ASSERT(span_equal(secret_view(&s), SPAN_LIT("k\0y")));
}

static void test_base64(void)
{
	/* RFC 4648 section 10, then what its section 3 lets a decoder refuse. */
	static const struct {
		const char *text, *want; /* want NULL: refused */
	} rows[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
		{"Zg", NULL},
		{"Zg=", NULL},
		{"Z===", NULL},
		{"====", NULL},
		{"Zg==Zg==", NULL},
		{" Zg=", NULL},
		{"Zg==\n", NULL},
		{"Zm9\n", NULL},
		{"Zm9-", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_secret_ struct secret s = {0};
		int r = secret_unbase64(&s, span_str(rows[i].text));

		CHECK_ROW(rows[i].text, r == (rows[i].want ? 0 : -EBADMSG), "got %d", r);
		if (rows[i].want && r == 0)
			CHECK_STR(rows[i].text, secret_view(&s), rows[i].want);
	}
}

CU_TestInfo secret_tests[] = {
	{"bounded and never moved", test_bounded},
	{"base64", test_base64},
	CU_TEST_INFO_NULL,
};
