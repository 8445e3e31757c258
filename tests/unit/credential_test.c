/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/credential.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

enum { NOW = 1700000000 };

/* Whatever a host is called, there is a certificate that a client can check. */
static void test_self_signed(void)
{
	static const char long_name[] =
		"a-host-with-a-name-that-does-not-fit-into-a-common-name.example.com";
	static const struct {
		const char *name, *want;
	} rows[] = {
		{"casemate-nodeagent-x7k2p", "casemate-nodeagent-x7k2p"},
		{"node.example.com", "node.example.com"},
		{"", "localhost"},
		{"a b", "localhost"},
		{"a,DNS:evil.example.com", "localhost"},
		{long_name, "localhost"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_credential_ struct credential c = {0};
		_cleanup_secret_ struct secret cert = {0}, key = {0};
		struct error err = {0};

		if (!CHECK_ROW(rows[i].name,
			    credential_self_signed(&c, rows[i].name, NOW, 3600, &err) == 0, "%s",
			    err.message))
			continue;
		CHECK_ROW(rows[i].name,
			X509_check_host(c.cert, rows[i].want, 0,
				X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1, "not for %s",
			rows[i].want);
		CU_ASSERT_EQUAL(X509_check_purpose(c.cert, X509_PURPOSE_SSL_SERVER, 0), 1);
		CU_ASSERT_EQUAL(X509_check_purpose(c.cert, X509_PURPOSE_SSL_CLIENT, 0), 0);
		CU_ASSERT_EQUAL(X509_check_ca(c.cert), 0);
		CU_ASSERT_EQUAL(X509_verify(c.cert, X509_get0_pubkey(c.cert)), 1);
		CU_ASSERT_TRUE(credential_key_matches(c.cert, c.key));
		CU_ASSERT_EQUAL(
			credential_not_before(c.cert), NOW - (int64_t)CREDENTIAL_BACKDATE_SEC);
		CU_ASSERT_EQUAL(credential_not_after(c.cert), NOW + 3600);
		CU_ASSERT_EQUAL(credential_write_cert(&cert, c.cert, &err), 0);
		CU_ASSERT_EQUAL(credential_write_key(&key, c.key, &err), 0);
		CU_ASSERT_EQUAL(credential_pem_not_after(secret_view(&cert)), NOW + 3600);
		CU_ASSERT_TRUE(span_starts(secret_view(&key), "-----BEGIN PRIVATE KEY-----\n"));
	}
	CU_ASSERT_EQUAL(credential_pem_not_after(SPAN_LIT("no PEM")), INT64_MIN);
	CU_ASSERT_EQUAL(credential_pem_not_after(SPAN_NONE), INT64_MIN);
}

static void test_read_file(void)
{
	char dir[] = "/tmp/casemate-test-XXXXXX", path[64];
	_cleanup_secret_ struct secret text = {0}, none = {0};
	struct error err = {0};

	CU_ASSERT_PTR_NOT_NULL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	CU_ASSERT_EQUAL(credential_read_file(&none, path, &err), -ENOENT);
	CU_ASSERT_EQUAL(credential_read_file(&none, dir, &err), -EBADMSG);
	write_text(path, "text");
	CU_ASSERT_EQUAL(credential_read_file(&text, path, &err), 0);
	CHECK_STR("text", secret_view(&text), "text");
	CU_ASSERT_EQUAL(truncate(path, CREDENTIAL_FILE_MAX + 1), 0);
	CU_ASSERT_EQUAL(credential_read_file(&none, path, &err), -EBADMSG);
	unlink(path);
	rmdir(dir);
}

static void test_seen(void)
{
	static const struct {
		const char *name;
		struct span contents[3];
		size_t n;
		bool want;
	} rows[] = {
		{"the first time", {{"ab", 2}, {"c", 1}}, 2, false},
		{"the same", {{"ab", 2}, {"c", 1}}, 2, true},
		{"and again", {{"ab", 2}, {"c", 1}}, 2, true},
		{"another boundary", {{"a", 1}, {"bc", 2}}, 2, false},
		{"the other way round", {{"bc", 2}, {"a", 1}}, 2, false},
		{"an empty one more", {{"bc", 2}, {"a", 1}, {NULL, 0}}, 3, false},
		{"that once more", {{"bc", 2}, {"a", 1}, {"", 0}}, 3, true},
		{"what was there before", {{"ab", 2}, {"c", 1}}, 2, false},
	};
	struct credential_seen seen = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i].name,
			credential_seen_before(&seen, rows[i].contents, rows[i].n) == rows[i].want,
			"want %d", rows[i].want);
}

CU_TestInfo credential_tests[] = {
	{"self-signed", test_self_signed},
	{"read a file", test_read_file},
	{"seen before", test_seen},
	CU_TEST_INFO_NULL,
};
