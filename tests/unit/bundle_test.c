/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/bundle.h"

#include <errno.h>

#include "tests/unit/test.h"
#include "webhook/certs/authority.h"

static const int64_t now = 1800000000;

/* Authorities 0, 1, 2, ... that live 100, 200, 300, ... seconds. */
struct certs {
	struct credential c[BUNDLE_MAX + 1];
};

static bool certs_make(struct certs *c)
{
	*c = (struct certs){0};
	for (size_t i = 0; i < ARRAY_SIZE(c->c); i++)
		if (authority_make_ca(&c->c[i], now, 100 * (int64_t)(i + 1), NULL) < 0)
			return false;
	return true;
}

static void certs_free(struct certs *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->c); i++)
		credential_free(&c->c[i]);
}

/* "012", and on as in ASCII: which authorities, in their order. */
static void describe(char *out, const struct bundle *b, const struct certs *c)
{
	for (size_t i = 0; i < b->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(c->c); k++)
			if (X509_cmp(b->cert[i], c->c[k].cert) == 0)
				*out++ = (char)('0' + k);
	*out = '\0';
}

static void build(struct bundle *b, const char *which, const struct certs *c)
{
	for (; *which; which++)
		CU_ASSERT_EQUAL(bundle_add(b, c->c[*which - '0'].cert, false), 0);
}

static void test_sets(void)
{
	static const struct {
		const char *name, *a, *b;
		int64_t at;
		int code;
		const char *want;
	} rows[] = {
		{"empty", "", "", 0, 0, ""},
		{"same", "01", "01", 0, 0, "01"},
		{"order of a stays", "10", "012", 0, 0, "102"},
		{"from nothing", "", "210", 0, 0, "210"},
		{"all fit", "0123456789:;", "<=>?@ABCDEFG", 0, 0, "0123456789:;<=>?@ABCDEFG"},
		{"one too many", "0123456789:;", "<=>?@ABCDEFGH", 0, -ENOBUFS,
			"0123456789:;<=>?@ABCDEFG"},
		{"none expired", "21", "0", 100, 0, "210"},
		{"the first expired", "21", "0", 101, 0, "21"},
		{"most expired", "21", "0", 201, 0, "2"},
		{"all expired", "21", "0", 301, 0, ""},
	};
	_cleanup_(certs_free) struct certs c;

	CU_ASSERT(certs_make(&c));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_bundle_ struct bundle a = {0}, b = {0};
		char got[BUNDLE_MAX + 1];
		int r;

		build(&a, rows[i].a, &c);
		build(&b, rows[i].b, &c);
		r = bundle_union(&a, &b);
		CHECK_ROW(rows[i].name, r == rows[i].code, "got %d", r);
		if (rows[i].at)
			bundle_drop_expired(&a, now + rows[i].at);
		describe(got, &a, &c);
		CHECK_STR(rows[i].name, span_str(got), rows[i].want);
	}
}

static void test_first(void)
{
	_cleanup_(certs_free) struct certs c;
	_cleanup_bundle_ struct bundle b = {0}, copy = {0};
	char got[BUNDLE_MAX + 1];

	CU_ASSERT(certs_make(&c));
	build(&b, "12", &c);
	CU_ASSERT_EQUAL(bundle_add(&b, c.c[0].cert, true), 0);
	CU_ASSERT_EQUAL(bundle_add(&b, c.c[2].cert, true), 0);
	bundle_copy(&copy, &b);
	bundle_remove(&b, 1);
	describe(got, &b, &c);
	CHECK_STR("removed", span_str(got), "02");
	describe(got, &copy, &c);
	CHECK_STR("copy", span_str(got), "012");
}

static void test_text(void)
{
	_cleanup_(certs_free) struct certs c;
	_cleanup_bundle_ struct bundle b = {0}, back = {0};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX), again = BUF_INIT(BUNDLE_PEM_MAX);
	size_t second;

	CU_ASSERT(certs_make(&c));
	build(&b, "10", &c);
	CU_ASSERT_EQUAL(bundle_write(&b, &pem), 0);
	CU_ASSERT_EQUAL(bundle_read(&back, buf_view(&pem), NULL), 0);
	CU_ASSERT_EQUAL(bundle_write(&back, &again), 0);
	CU_ASSERT(span_equal(buf_view(&pem), buf_view(&again)));
	second = (size_t)(strstr(pem.p + 1, "-----BEGIN") - pem.p);
	/* A cut text is refused, but between certificates, where it is a whole bundle itself. */
	for (size_t n = 0; n < pem.len; n++) {
		_cleanup_bundle_ struct bundle cut = {0};
		int r = bundle_read(&cut, (struct span){pem.p, n}, NULL);
		bool whole = n == second || n == second - 1 || n == pem.len - 1;

		CHECK_ROW("cut", r == (whole ? 0 : -EBADMSG), "%zu of %zu: %d", n, pem.len, r);
		CHECK_ROW("cut", cut.n == (whole ? n < pem.len - 1 ? 1u : 2u : 0u), "%zu: %zu", n,
			cut.n);
	}
	for (size_t i = 0; i < pem.len; i++) {
		_cleanup_bundle_ struct bundle bad = {0};
		char was = pem.p[i];

		pem.p[i] = '\x01';
		if (bundle_read(&bad, buf_view(&pem), NULL) < 0)
			CU_ASSERT_EQUAL(bad.n, 0);
		pem.p[i] = was;
	}
}

static void test_refused(void)
{
	static const struct {
		const char *name, *pem, *want;
	} rows[] = {
		{"empty", "", "does not end with a PEM certificate"},
		{"garbage", "garbage", "does not end with a PEM certificate"},
		{"end alone", "-----END CERTIFICATE-----\n", "PEM certificate 1 cannot be read"},
		{"no DER", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
			"PEM certificate 1 cannot be read"},
		{"a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
			"PEM certificate 1 cannot be read"},
		{"text behind", "-----END CERTIFICATE-----\nx",
			"does not end with a PEM certificate"},
		{"encrypted",
			"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
			"AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n"
			"-----END CERTIFICATE-----\n",
			"PEM certificate 1 cannot be read"},
	};
	_cleanup_(certs_free) struct certs c;
	_cleanup_bundle_ struct bundle one = {0};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX);

	CU_ASSERT(certs_make(&c));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_bundle_ struct bundle b = {0};
		struct error err = {0};
		int r = bundle_read(&b, span_str(rows[i].pem), &err);

		CHECK_ROW(rows[i].name, r == -EBADMSG, "got %d", r);
		CHECK_STR(rows[i].name, span_str(err.message), rows[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(c.c); i++) {
		bundle_free(&one);
		bundle_add(&one, c.c[i].cert, false);
		bundle_write(&one, &pem);
	}
	bundle_free(&one);
	CU_ASSERT_EQUAL(bundle_read(&one, buf_view(&pem), NULL), -EBADMSG);
	CU_ASSERT_EQUAL(one.n, 0);
}

CU_TestInfo bundle_tests[] = {
	{"union and expiry", test_sets},
	{"first, remove, copy", test_first},
	{"text", test_text},
	{"refused text", test_refused},
	CU_TEST_INFO_NULL,
};
