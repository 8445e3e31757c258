/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/roots.h"

#include <openssl/sha.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

/* As published: of the certificate, and of AMD's SubjectPublicKeyInfo. */
static const struct {
	const char *name, *certificate, *key;
} pins[] = {
	{"Intel SGX Root CA", "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
		NULL},
	{"ARK-Milan", "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
		"9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"},
	{"ARK-Genoa", "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
		"429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"},
	{"ARK-Turin", "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
		"4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"},
};

static void check_pin(const char *name, const unsigned char *p, size_t len, const char *want)
{
	_cleanup_buf_ struct buf hex = BUF_INIT(128);
	unsigned char digest[32];

	SHA256(p, len, digest);
	codec_hex(&hex, digest, sizeof(digest));
	CHECK_STR(name, buf_view(&hex), want);
}

static void test_pins(void)
{
	struct roots roots = {0};
	struct error err = {0};
	struct cert *certs[4];

	if (!CHECK_ROW("roots", roots_builtin(&roots, &err) == 0, "%s", err.message))
		return;
	certs[0] = roots.intel;
	for (int p = 0; p < SNP_PRODUCT_N; p++)
		certs[1 + p] = roots.ark[p];
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		struct span der = cert_der(certs[i]);
		unsigned char *spki = NULL;
		int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certs[i]->x509), &spki);

		CHECK_STR(pins[i].name, span_str(certs[i]->subject), pins[i].name);
		check_pin(pins[i].name, (const unsigned char *)der.p, der.len, pins[i].certificate);
		if (pins[i].key && len > 0)
			check_pin(pins[i].name, spki, (size_t)len, pins[i].key);
		OPENSSL_free(spki);
		/* not proved, but true */
		CU_ASSERT(cert_check_issued(certs[i], certs[i], &err) == 0);
	}
	CU_ASSERT(span_equal(cert_der(roots.intel), vector("dcap-qvl/TrustedRootCA.der")));
	roots_free(&roots);
	CU_ASSERT(!roots.intel && !roots.ark[0]);
}

static void test_finding(void)
{
	_cleanup_roots_ struct roots roots = {0};
	struct cert *genuine = NULL, *test = NULL, *ark = NULL;
	struct error err = {0};

	CU_ASSERT(roots_builtin(&roots, &err) == 0);
	CU_ASSERT(cert_parse_pem(&test, 1, vector("intel-qvl/trustedRootCaCert.pem"), &err) == 1);
	CU_ASSERT(cert_parse_pem(&genuine, 1, vector("go-tdx-guest/trusted_root.pem"), &err) == 1);
	if (!test || !genuine)
		return;
	CU_ASSERT(roots_find_intel(&roots, genuine) == roots.intel);
	/* the same name and another key */
	CHECK_STR("test root", span_str(test->subject), roots.intel->subject);
	CU_ASSERT(roots_find_intel(&roots, test) == NULL);
	CU_ASSERT(roots_find_intel(&roots, roots.ark[0]) == NULL);
	CU_ASSERT(roots_add(&roots, vector("intel-qvl/trustedRootCaCert.pem"), &err) == 0);
	CU_ASSERT(roots_find_intel(&roots, test) == roots.extra[0]);
	CU_ASSERT(roots_find_intel(&roots, genuine) == roots.intel);

	for (int p = 0; p < SNP_PRODUCT_N; p++) {
		CU_ASSERT(roots_ark(&roots, p, 0) == roots.ark[p]);
		CU_ASSERT(roots_ark(&roots, p, 1) == NULL);
	}
	ark = cert_ref(roots.ark[SNP_GENOA]);
	CU_ASSERT(roots_add(&roots, cert_der(ark), &err) == 0);
	CU_ASSERT(roots_ark(&roots, SNP_GENOA, 1) == roots.extra[1]);
	CU_ASSERT(roots_ark(&roots, SNP_GENOA, 2) == NULL);
	CU_ASSERT(roots_ark(&roots, SNP_MILAN, 1) == NULL);
	/* its own is not trusted any more, the other stays */
	cert_unref(roots.ark[SNP_GENOA]);
	roots.ark[SNP_GENOA] = NULL;
	CU_ASSERT(roots_ark(&roots, SNP_GENOA, 0) == roots.extra[1]);
	/* an ARK is no root of Intel's, though it was added */
	CU_ASSERT(roots_find_intel(&roots, ark) == NULL);
	cert_unref(ark);
	cert_unref(test);
	cert_unref(genuine);
}

static void test_refused(void)
{
	static const struct {
		const char *path;
		int want;
	} rows[] = {
		{"intel-qvl/pckCert.pem", -EBADMSG},     /* no CA */
		{"intel-qvl/pckSignChain.pem", -E2BIG},  /* two */
		{"amd-roots/ask_ark_milan.pem", -E2BIG}, /* ASK and ARK */
		{"trustee/test-vcek.der", -EBADMSG},     /* a leaf */
		{"intel-qvl/rootCaCrl.der", -EBADMSG},   /* no certificate */
		{"intel-qvl/rootCaCrl.pem", -EBADMSG},
	};
	_cleanup_roots_ struct roots roots = {0};
	struct cert *chain[3] = {0};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = roots_add(&roots, vector(rows[i].path), &err);

		CHECK_ROW(rows[i].path, r == rows[i].want, "%d: %s", r, err.message);
	}
	/* a CA, but no root by its name */
	CU_ASSERT(cert_parse_pem(chain, 3, vector("go-tdx-guest/pck_crl_issuer_chain.pem"), &err) ==
		  2);
	CU_ASSERT(roots_add(&roots, cert_der(chain[0]), &err) == -EBADMSG);
	cert_unref(chain[0]);
	cert_unref(chain[1]);
	CU_ASSERT(roots.n_extra == 0);
	for (int i = 0; i < ROOTS_EXTRA_MAX; i++)
		CU_ASSERT(roots_add(&roots, vector("dcap-qvl/TrustedRootCA.der"), &err) == 0);
	CU_ASSERT(roots_add(&roots, vector("dcap-qvl/TrustedRootCA.der"), &err) == -E2BIG);
}

const CU_TestInfo roots_tests[] = {
	{"those compiled in are those published", test_pins},
	{"a root is found by name and key", test_finding},
	{"what is no root", test_refused},
	CU_TEST_INFO_NULL,
};
