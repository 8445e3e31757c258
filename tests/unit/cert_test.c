/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/cert.h"

#include "common/base/buf.h"
#include "common/base/buf.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

enum { CHAIN_MAX = 3 };

/* The PEM inside of a quote: its certification data, to its end or the zeros behind it. */
static struct span pem_of(const char *path)
{
	struct span q = vector(path);
	const char *begin = memmem(q.p, q.len, "-----BEGIN", 10), *end = q.p + q.len;

	if (!begin)
		return q;
	while (end > begin && end[-1] == '\0')
		end--;
	return (struct span){begin, (size_t)(end - begin)};
}

static void free_chain(struct cert *chain[], int n)
{
	for (int i = 0; i < n; i++)
		cert_unref(chain[i]);
}

/* One link of a real chain, each in a file of its own or by place in a file of several. */
struct link {
	const char *name, *cert, *issuer;
	int i, issuer_i;
};

static const struct link links[] = {
	{"PCK, SGX", "dcap-qvl/sgx_quote", "dcap-qvl/sgx_quote", 0, 1},
	{"Processor CA", "dcap-qvl/sgx_quote", "dcap-qvl/sgx_quote", 1, 2},
	{"Intel's root", "dcap-qvl/sgx_quote", "dcap-qvl/sgx_quote", 2, 2},
	{"PCK, TDX", "dcap-qvl/tdx_quote", "dcap-qvl/tdx_quote", 0, 1},
	{"Platform CA", "dcap-qvl/tdx_quote", "dcap-qvl/tdx_quote", 1, 2},
	{"PCK, version 5", "go-tdx-guest/quote_v5_sample.dat", "go-tdx-guest/quote_v5_sample.dat",
		0, 1},
	{"PCK, in a fixed buffer", "go-tdx-guest/cos-113-tdx-quote.dat",
		"go-tdx-guest/cos-113-tdx-quote.dat", 0, 1},
	{"PCK, occlum", "trustee/occlum_quote.dat", "trustee/occlum_quote.dat", 0, 1},
	{"TCB signing", "go-tdx-guest/tcb_info_issuer_chain.pem",
		"go-tdx-guest/tcb_info_issuer_chain.pem", 0, 1},
	{"ASK of Milan", "amd-roots/ask_ark_milan.pem", "amd-roots/ask_ark_milan.pem", 0, 1},
	{"ARK of Milan", "amd-roots/ask_ark_milan.pem", "amd-roots/ask_ark_milan.pem", 1, 1},
	{"ASK of Genoa", "amd-roots/ask_ark_genoa.pem", "amd-roots/ask_ark_genoa.pem", 0, 1},
	{"ASVK of Turin", "amd-roots/ask_ark_turin_vlek.pem", "amd-roots/ask_ark_turin_vlek.pem", 0,
		1},
	{"VCEK of Milan", "trustee/test-vcek.der", "amd-roots/ask_ark_milan.pem", 0, 0},
	{"VCEK of Turin", "virtee-sev/vcek_turin.der", "virtee-sev/cert_chain_turin", 0, 0},
	{"VCEK on Azure", "az-snp/vcek.pem", "az-snp/vcek.pem", 0, 1},
};

/* The certificates of a file, or the one that it is. */
static int read_chain(struct cert *ret[CHAIN_MAX], const char *path, struct error *err)
{
	struct span text = pem_of(path);

	if (text.len && text.p[0] == 0x30)
		return cert_parse_der(ret, text, err) < 0 ? err->code : 1;
	return cert_parse_pem(ret, CHAIN_MAX, text, err);
}

static void test_real_chains(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		const struct link *l = &links[i];
		struct cert *chain[CHAIN_MAX] = {0}, *issuers[CHAIN_MAX] = {0};
		struct error err = {0};
		int n = read_chain(chain, l->cert, &err);
		int m = read_chain(issuers, l->issuer, &err);

		if (CHECK_ROW(l->name, n > l->i && m > l->issuer_i, "%s", err.message)) {
			int r = cert_check_issued(chain[l->i], issuers[l->issuer_i], &err);

			CHECK_ROW(l->name, r == 0, "%s", err.message);
			for (int j = 0; j < m; j++) {
				if (j == l->issuer_i)
					continue;
				r = cert_check_issued(chain[l->i], issuers[j], &err);
				CHECK_ROW(l->name, r == -EKEYREJECTED, "issued by %s, too",
					issuers[j]->subject);
			}
		}
		free_chain(chain, n);
		free_chain(issuers, m);
	}
}

static void test_fields(void)
{
	static const unsigned char root_serial[] = {0x22, 0x65, 0x0c, 0xd6, 0x5a, 0x9d, 0x34, 0x89,
		0xf3, 0x83, 0xb4, 0x95, 0x52, 0xbf, 0x50, 0x1b, 0x39, 0x27, 0x06, 0xac};
	struct cert *c[CHAIN_MAX] = {0}, *vcek = NULL;
	struct error err = {0};
	int n = cert_parse_pem(c, CHAIN_MAX, pem_of("dcap-qvl/sgx_quote"), &err);

	CHECK_ROW("chain", n == 3, "%d: %s", n, err.message);
	if (n != 3)
		return;
	CHECK_STR("leaf", span_str(c[0]->subject), "Intel SGX PCK Certificate");
	CHECK_STR("leaf's issuer", span_str(c[0]->issuer), "Intel SGX PCK Processor CA");
	CU_ASSERT(!c[0]->ca && !c[0]->signs_certs && !c[0]->signs_crls);
	CU_ASSERT(c[0]->not_before == 1695246823 && c[0]->not_after == 1916171623);
	CU_ASSERT(cert_valid_at(c[0], c[0]->not_before) && cert_valid_at(c[0], c[0]->not_after));
	CU_ASSERT(!cert_valid_at(c[0], c[0]->not_before - 1));
	CU_ASSERT(!cert_valid_at(c[0], c[0]->not_after + 1));
	CU_ASSERT(c[1]->ca && c[1]->signs_certs && c[1]->signs_crls);
	CHECK_STR("root", span_str(c[2]->subject), "Intel SGX Root CA");
	CU_ASSERT(c[2]->not_before == 1526899510 && c[2]->not_after == 2524607999);
	CU_ASSERT(c[2]->serial_len == 20 && memcmp(c[2]->serial, root_serial, 20) == 0);
	CU_ASSERT(span_equal(cert_der(c[2]), vector("dcap-qvl/TrustedRootCA.der")));
	CU_ASSERT(cert_extension(c[0], "1.2.840.113741.1.13.1").len > 400);
	CU_ASSERT(cert_extension(c[0], "1.2.840.113741.1.13.2").p == NULL);
	CU_ASSERT(cert_extension(c[0], "nonsense").p == NULL);
	CU_ASSERT(cert_same(c[0], c[0]) && !cert_same(c[0], c[1]));
	CU_ASSERT(cert_same_owner(c[1], c[1]) && !cert_same_owner(c[1], c[2]));
	free_chain(c, n);

	CU_ASSERT(cert_parse_der(&vcek, vector("trustee/test-vcek.der"), &err) == 0);
	CU_ASSERT(vcek && vcek->serial_len == 0);
	cert_unref(vcek);
}

static void test_pem(void)
{
	static const struct {
		const char *name, *before, *between, *behind;
		size_t behind_len;
		int want;
	} rows[] = {
		{"as it is", "", "\n", "\n", 1, 2},
		{"one NUL behind", "", "\n", "\n\0", 2, 2},
		{"a NUL and nothing else behind", "", "", "\0", 1, 2},
		{"white space around", " \r\n\t", "\r\n\r\n", " \n", 2, 2},
		{"two NULs", "", "\n", "\0\0", 2, -EBADMSG},
		{"a newline behind the NUL", "", "\n", "\0\n", 2, -EBADMSG},
		{"a NUL between", "", "\0", "", 0, 2}, /* a string ends there: nothing between */
		{"text before", "x", "\n", "", 0, -EBADMSG},
		{"text between", "", "\nx\n", "", 0, -EBADMSG},
		{"text behind", "", "\n", "x", 1, -EBADMSG},
		{"another block", "", "\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
			"", 0, -EBADMSG},
		{"no end", "", "\n", "-----BEGIN CERTIFICATE-----\nAAAA", 32, -EBADMSG},
		{"no base64", "", "\n-----BEGIN CERTIFICATE-----\nA*AA\n-----END CERTIFICATE-----",
			"", 0, -EBADMSG},
		{"nothing in it", "", "\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
			"", 0, -EBADMSG},
	};
	struct span two = pem_of("amd-roots/ask_ark_milan.pem");
	const char *second = memmem(two.p + 10, two.len - 10, "-----BEGIN", 10);

	while (two.p[two.len - 1] == '\n')
		two.len--;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
		struct cert *c[CHAIN_MAX] = {0};
		struct error err = {0};
		size_t n = (size_t)(second - two.p);
		int r;

		while (two.p[n - 1] == '\n')
			n--;
		buf_puts(&b, rows[i].before);
		buf_add(&b, two.p, n);
		buf_puts(&b, rows[i].between);
		buf_add(&b, second, two.len - (size_t)(second - two.p));
		buf_add(&b, rows[i].behind, rows[i].behind_len);
		r = cert_parse_pem(c, CHAIN_MAX, buf_view(&b), &err);
		CHECK_ROW(rows[i].name, r == rows[i].want, "%d: %s", r, err.message);
		if (r < 0)
			CU_ASSERT(!c[0] && !c[1] && !c[2] && err.code == r);
		free_chain(c, r);
	}
}

static void test_pem_count(void)
{
	struct cert *c[CHAIN_MAX] = {0};
	struct error err = {0};

	CU_ASSERT(cert_parse_pem(c, 2, pem_of("dcap-qvl/sgx_quote"), &err) == -E2BIG);
	CU_ASSERT(!c[0] && !c[1]);
	CU_ASSERT(cert_parse_pem(c, 3, SPAN_LIT(" \n"), &err) == -EBADMSG);
	CU_ASSERT(cert_parse_pem(c, 3, SPAN_NONE, &err) == -EBADMSG);
}

/* A leaf and who issued it: Intel's (P-256) and AMD's (P-384 by RSA). */
static bool read_pair(struct cert *ret[2], const struct link *l)
{
	struct cert *chain[CHAIN_MAX] = {0}, *issuers[CHAIN_MAX] = {0};
	struct error err = {0};
	int n = read_chain(chain, l->cert, &err), m = read_chain(issuers, l->issuer, &err);
	bool ok = n > l->i && m > l->issuer_i;

	if (ok) {
		ret[0] = cert_ref(chain[l->i]);
		ret[1] = cert_ref(issuers[l->issuer_i]);
	}
	free_chain(chain, n);
	free_chain(issuers, m);
	return CHECK_ROW(l->name, ok, "%s", err.message);
}

/* Does one bit turned leave a certificate that its issuer stands behind? */
static bool flipped_is_taken(const struct cert *c, struct cert *issuer, size_t bit)
{
	_cleanup_free_ char *der = malloc(cert_der(c).len);
	_cleanup_(cert_unref_p) struct cert *other = NULL;
	struct span s = {der, cert_der(c).len};

	memcpy(der, cert_der(c).p, s.len);
	der[bit / 8] ^= (char)(1 << bit % 8);
	return cert_parse_der(&other, s, NULL) == 0 && cert_check_issued(other, issuer, NULL) == 0;
}

static void test_flips(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct cert *pair[2] = {0};

		if (strcmp(links[i].name, "PCK, SGX") != 0 &&
			strcmp(links[i].name, "VCEK of Turin") != 0)
			continue;
		if (!read_pair(pair, &links[i]))
			continue;
		for (size_t bit = 0; bit < 8 * cert_der(pair[0]).len; bit++)
			CHECK_ROW(links[i].name, !flipped_is_taken(pair[0], pair[1], bit),
				"bit %zu of byte %zu may be turned", bit % 8, bit / 8);
		cert_unref(pair[0]);
		cert_unref(pair[1]);
	}
}

static void test_truncations(void)
{
	struct span der = vector("dcap-qvl/TrustedRootCA.der");
	_cleanup_free_ char *longer = calloc(1, der.len + 1);
	struct cert *c = NULL;
	struct error err = {0};

	for (size_t n = 0; n < der.len; n++) {
		/* a copy of its own, so that sanitizers see what lies behind */
		_cleanup_free_ char *copy = malloc(n + 1);
		int r;

		memcpy(copy, der.p, n);
		r = cert_parse_der(&c, (struct span){copy, n}, &err);
		CHECK_ROW("truncated", r == -EBADMSG && !c, "at %zu: %d", n, r);
	}
	memcpy(longer, der.p, der.len);
	CU_ASSERT(cert_parse_der(&c, (struct span){longer, der.len + 1}, &err) == -EBADMSG);
}

const CU_TestInfo cert_tests[] = {
	{"real certificates were issued by whom they say", test_real_chains},
	{"what a certificate says", test_fields},
	{"PEM is blocks and white space alone", test_pem},
	{"too many certificates, and none", test_pem_count},
	{"no bit can be turned", test_flips},
	{"no part is a certificate", test_truncations},
	CU_TEST_INFO_NULL,
};
