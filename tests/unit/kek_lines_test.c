/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/kek_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#define HEAD "casemate-keks/1\n"
#define ONE  "0011223344556677 vault vault:v1:AAAA transit/casemate\n"
#define TWO  "8899aabbccddeeff pkcs11 BBBB== a token/its key\n"

static void test_read(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(KEK_LINES_BYTES_MAX);
	struct kek_lines lines = {0};
	struct error err = {0};
	int r = kek_lines_read(&lines, SPAN_LIT(HEAD ONE TWO), &err);

	if (!CHECK_ROW("read", r == 0 && lines.n == 2, "%d %s", r, err.message))
		return;
	CU_ASSERT_EQUAL(lines.v[0].kind, KEK_VAULT);
	CU_ASSERT_EQUAL(lines.v[1].kind, KEK_PKCS11);
	CHECK_STR("id", span_str(lines.v[0].id), "0011223344556677");
	CHECK_STR("wrapped", span_str(lines.v[0].wrapped), "vault:v1:AAAA");
	CHECK_STR("by", span_str(lines.v[1].by), "a token/its key");
	CU_ASSERT_PTR_EQUAL(kek_lines_find(&lines, "8899aabbccddeeff"), &lines.v[1]);
	CU_ASSERT_PTR_NULL(kek_lines_find(&lines, "8899aabbccddeefe"));
	CU_ASSERT_EQUAL(kek_lines_write(&out, &lines), 0);
	CHECK_STR("written", buf_view(&out), HEAD ONE TWO);
}

/* Whatever is cut off, but for whole lines at the end. */
static void test_truncated(void)
{
	static const char text[] = HEAD ONE TWO;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		_cleanup_free_ char *cut = malloc(n + 1);
		struct kek_lines lines = {0};
		bool whole = n == strlen(HEAD ONE);
		int r;

		if (!cut)
			return;
		memcpy(cut, text, n);
		r = kek_lines_read(&lines, (struct span){cut, n}, NULL);
		CHECK_ROW("cut", r == (whole ? 0 : -EBADMSG), "at %zu: %d", n, r);
		CU_ASSERT_EQUAL(lines.n, whole ? 1 : 0);
	}
}

static void test_bad(void)
{
	static const char *const rows[] = {
		HEAD,
		"casemate-keks/2\n" ONE,
		HEAD "\n" ONE,
		HEAD ONE ONE,
		HEAD "0011223344556677 file vault:v1:AAAA transit/casemate\n",
		HEAD "0011223344556677 auto vault:v1:AAAA transit/casemate\n",
		HEAD "001122334455667 vault vault:v1:AAAA transit/casemate\n",
		HEAD "001122334455667G vault vault:v1:AAAA transit/casemate\n",
		HEAD "001122334455667A vault vault:v1:AAAA transit/casemate\n",
		HEAD "0011223344556677 vault  transit/casemate\n",
		HEAD "0011223344556677 vault vault:v1:AAAA \n",
		HEAD "0011223344556677 vault vault:v1:AAAA  x\n",
		HEAD "0011223344556677 vault vault:v1:\tAAA x\n",
		HEAD "0011223344556677 vault vault:v1:\xc3\xa4 x\n",
		HEAD "0011223344556677 vault vault:v1:AAAA x\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kek_lines lines = {0};
		int r = kek_lines_read(&lines, span_str(rows[i]), NULL);

		CHECK_ROW(rows[i], r == -EBADMSG, "%d", r);
	}
}

static void test_limits(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	struct kek_lines lines = {0};

	buf_puts(&text, HEAD);
	for (unsigned i = 0; i < KEKS_MAX; i++)
		buf_printf(&text, "%016x vault x y\n", i);
	CU_ASSERT_EQUAL(kek_lines_read(&lines, buf_view(&text), NULL), 0);
	CU_ASSERT_EQUAL(lines.n, KEKS_MAX);
	buf_printf(&text, "%016x vault x y\n", KEKS_MAX);
	CU_ASSERT_EQUAL(kek_lines_read(&lines, buf_view(&text), NULL), -EBADMSG);
	buf_reset(&text);
	buf_puts(&text, HEAD "0011223344556677 vault ");
	for (unsigned i = 0; i < KEK_WRAPPED_MAX; i++)
		buf_putc(&text, 'A');
	buf_puts(&text, " x\n");
	CU_ASSERT_EQUAL(kek_lines_read(&lines, buf_view(&text), NULL), -EBADMSG);
}

CU_TestInfo kek_lines_tests[] = {
	{"read and written", test_read},
	{"truncated", test_truncated},
	{"not what was written", test_bad},
	{"limits", test_limits},
	CU_TEST_INFO_NULL,
};
