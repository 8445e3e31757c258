/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/crl.h"

#include "common/base/buf.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

/* The certificate of that number in a PEM file. */
static struct cert *cert_of(const char *path, int i)
{
	struct cert *c[3] = {0}, *ret;
	struct error err = {0};
	int n = cert_parse_pem(c, 3, vector(path), &err);

	if (!CHECK_ROW(path, n > i, "%d: %s", n, err.message))
		return NULL;
	ret = cert_ref(c[i]);
	for (int j = 0; j < n; j++)
		cert_unref(c[j]);
	return ret;
}

static void test_real_lists(void)
{
	static const struct {
		const char *path, *issuer;
		int issuer_i;
		size_t revoked;
		int64_t this_update, next_update, number;
	} rows[] = {
		{"go-tdx-guest/rootcrl.der", "go-tdx-guest/pck_crl_issuer_chain.pem", 1, 0,
			1680517371, 1712053371, 1},
		{"go-tdx-guest/pckcrl", "go-tdx-guest/pck_crl_issuer_chain.pem", 0, 44, 1686209272,
			1688801272, 1},
		{"intel-qvl/rootCaCrl.der", "intel-qvl/pckSignChain.pem", 1, 0, 1566992775,
			1882352775, 1},
		{"intel-qvl/intermediateCaCrl.der", "intel-qvl/pckSignChain.pem", 0, 1, 1567669627,
			1883288827, 1},
		{"intel-qvl/intermediateCaCrl.pem", "intel-qvl/pckSignChain.pem", 0, 1, 1567669627,
			1883288827, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(crl_unref_p) struct crl *c = NULL;
		_cleanup_(cert_unref_p) struct cert *issuer =
			cert_of(rows[i].issuer, rows[i].issuer_i);
		_cleanup_(cert_unref_p) struct cert *other =
			cert_of(rows[i].issuer, !rows[i].issuer_i);
		struct error err = {0};
		int r = crl_parse(&c, vector(rows[i].path), &err);

		if (!CHECK_ROW(rows[i].path, r == 0 && issuer, "%s", err.message))
			continue;
		CHECK_STR(rows[i].path, span_str(c->issuer), issuer->subject);
		r = crl_check_issued(c, issuer, &err);
		CHECK_ROW(rows[i].path, r == 0, "%s", err.message);
		CHECK_ROW(rows[i].path, !other || crl_check_issued(c, other, &err) == -EKEYREJECTED,
			"by another as well");
		CHECK_ROW(
			rows[i].path, c->n_revoked == rows[i].revoked, "%zu entries", c->n_revoked);
		CHECK_ROW(rows[i].path,
			c->this_update == rows[i].this_update &&
				c->next_update == rows[i].next_update &&
				c->number == rows[i].number,
			"%lld to %lld, number %lld", (long long)c->this_update,
			(long long)c->next_update, (long long)c->number);
		CU_ASSERT(crl_valid_at(c, c->this_update) && crl_valid_at(c, c->next_update));
		CU_ASSERT(!crl_valid_at(c, c->this_update - 1));
		CU_ASSERT(!crl_valid_at(c, c->next_update + 1));
	}
}

static void set_serial(struct cert *c, const unsigned char *p, size_t len)
{
	memcpy(c->serial, p, len);
	c->serial_len = len;
}

static void test_who_is_revoked(void)
{
	static const unsigned char on_it[] = {0x1d, 0x21, 0x0d, 0x4e, 0x73, 0xd7, 0x81, 0x4f, 0x34,
		0xc0, 0x97, 0xef, 0x49, 0x6d, 0x3c, 0x4f, 0xa9, 0x82, 0x68, 0x4c};
	_cleanup_(crl_unref_p) struct crl *c = NULL;
	_cleanup_(cert_unref_p) struct cert *pck = cert_of("intel-qvl/pckCert.pem", 0);

	CU_ASSERT(crl_parse(&c, vector("intel-qvl/intermediateCaCrl.der"), NULL) == 0);
	if (!c || !pck)
		return;
	CU_ASSERT(!crl_revokes(c, pck));
	set_serial(pck, on_it, 20);
	CU_ASSERT(crl_revokes(c, pck));
	set_serial(pck, on_it, 19);
	CU_ASSERT(!crl_revokes(c, pck));
	set_serial(pck, on_it + 1, 19);
	CU_ASSERT(!crl_revokes(c, pck));
	pck->serial_len = 0;
	CU_ASSERT(!crl_revokes(c, pck));
}

static bool flipped_is_taken(struct span der, struct cert *issuer, size_t bit)
{
	_cleanup_free_ char *copy = malloc(der.len);
	_cleanup_(crl_unref_p) struct crl *c = NULL;

	memcpy(copy, der.p, der.len);
	copy[bit / 8] ^= (char)(1 << bit % 8);
	return crl_parse(&c, (struct span){copy, der.len}, NULL) == 0 &&
	       crl_check_issued(c, issuer, NULL) == 0;
}

static void test_flips(void)
{
	struct span der = vector("intel-qvl/intermediateCaCrl.der");
	_cleanup_(cert_unref_p) struct cert *issuer = cert_of("intel-qvl/pckSignChain.pem", 0);

	for (size_t bit = 0; issuer && bit < 8 * der.len; bit++)
		CHECK_ROW("flip", !flipped_is_taken(der, issuer, bit),
			"bit %zu of byte %zu may be turned", bit % 8, bit / 8);
}

static void test_truncations(void)
{
	struct span der = vector("intel-qvl/intermediateCaCrl.der");
	_cleanup_buf_ struct buf longer = BUF_INIT(1 << 16);
	struct crl *c = NULL;
	struct error err = {0};

	for (size_t n = 0; n < der.len; n++) {
		_cleanup_free_ char *copy = malloc(n + 1);
		int r;

		memcpy(copy, der.p, n);
		r = crl_parse(&c, (struct span){copy, n}, &err);
		CHECK_ROW("truncated", r == -EBADMSG && !c, "at %zu: %d", n, r);
	}
	buf_span(&longer, der);
	buf_putc(&longer, 0);
	CU_ASSERT(crl_parse(&c, buf_view(&longer), &err) == -EBADMSG);
	buf_reset(&longer);
	for (int i = 0; i < 2; i++)
		buf_span(&longer, vector("intel-qvl/intermediateCaCrl.pem"));
	CU_ASSERT(crl_parse(&c, buf_view(&longer), &err) == -EBADMSG);
	CU_ASSERT(crl_parse(&c, vector("dcap-qvl/TrustedRootCA.der"), &err) == -EBADMSG);
}

const CU_TestInfo crl_tests[] = {
	{"real lists are those of their issuers", test_real_lists},
	{"who is on a list", test_who_is_revoked},
	{"no bit can be turned", test_flips},
	{"no part is a list, nor are two", test_truncations},
	CU_TEST_INFO_NULL,
};
