/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_make.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/base/credential.h"
#include "tests/unit/test.h"

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(BIO *, BIO_free)

static int make(struct secret *ret, enum key_type type, unsigned size)
{
	const struct key_wish wish = {type, size, &owner, 1000000000, 1100000000};

	return key_make(ret, &wish, NULL);
}

static void test_plain(void)
{
	static const struct {
		const char *name;
		enum key_type type;
		unsigned size;
	} rows[] = {
		{"password", KEY_PASSWORD, 8},
		{"long password", KEY_PASSWORD, 128},
		{"AES-128", KEY_SYMMETRIC, 16},
		{"64 bytes", KEY_SYMMETRIC, 64},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_secret_ struct secret a = {0}, b = {0};

		CU_ASSERT_EQUAL(make(&a, rows[i].type, rows[i].size), 0);
		CU_ASSERT_EQUAL(make(&b, rows[i].type, rows[i].size), 0);
		CHECK_ROW(rows[i].name, a.len == rows[i].size, "%zu", a.len);
		CHECK_ROW(rows[i].name, !span_equal(secret_view(&a), secret_view(&b)), "twice");
		if (rows[i].type != KEY_PASSWORD)
			continue;
		for (size_t j = 0; j < a.len; j++)
			CU_ASSERT(isalnum((unsigned char)a.p[j]));
	}
}

static void test_pairs(void)
{
	static const struct {
		const char *name;
		enum key_type type;
		unsigned size;
	} rows[] = {
		{"P-256", KEY_EC, 256},
		{"P-384", KEY_EC, 384},
		{"P-521", KEY_EC, 521},
		{"RSA", KEY_RSA, 2048},
		{"certificate, EC", KEY_X509, 384},
		{"certificate, RSA", KEY_X509, 2048},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_secret_ struct secret pem = {0};
		_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
		_cleanup_(BIO_free_p) BIO *bio = NULL;
		_cleanup_(X509_free_p) X509 *cert = NULL;

		CU_ASSERT_EQUAL(make(&pem, rows[i].type, rows[i].size), 0);
		bio = BIO_new_mem_buf(pem.p, (int)pem.len);
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		CHECK_ROW(rows[i].name, key && EVP_PKEY_get_bits(key) == (int)rows[i].size, "%s",
			"no such key");
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		CHECK_ROW(rows[i].name, (rows[i].type == KEY_X509) == (cert != NULL), "%s", pem.p);
		if (!cert)
			continue;
		CU_ASSERT(credential_key_matches(cert, key));
		CU_ASSERT_EQUAL(X509_verify(cert, key), 1);
		CU_ASSERT_EQUAL(X509_check_host(cert, "payments.shop.svc", 0, 0, NULL), 1);
		CU_ASSERT_EQUAL(credential_not_after(cert), 1100000000);
	}
	ERR_clear_error();
}

static void test_refused(void)
{
	static const struct {
		enum key_type type;
		unsigned size;
	} rows[] = {{KEY_RAW, 8}, {KEY_EC, 2048}, {KEY_RSA, 256}, {KEY_RSA, 1024}, {KEY_X509, 128},
		{KEY_PASSWORD, 0}, {KEY_PASSWORD, 129}, {KEY_SYMMETRIC, 65}, {KEY_TYPE_N, 32}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_secret_ struct secret s = {0};

		CHECK_ROW("refused", make(&s, rows[i].type, rows[i].size) == -EINVAL, "row %zu", i);
	}
}

const CU_TestInfo keys_make_tests[] = {
	{"passwords and bytes", test_plain},
	{"key pairs and certificates", test_pairs},
	{"refused", test_refused},
	CU_TEST_INFO_NULL,
};
