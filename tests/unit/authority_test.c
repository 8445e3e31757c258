/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/authority.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tests/unit/test.h"

enum { DAY = 86400 };
static const int64_t now = 1800000000;

static void test_names(void)
{
	static const char long_label[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const struct {
		const char *service, *namespace_;
		int want;
	} rows[] = {
		{"casemate", "casemate-system", 0},
		{long_label, long_label, 0},
		{"a1-b", "0", 0},
		{"", "x", -EINVAL},
		{"x", "", -EINVAL},
		{NULL, "x", -EINVAL},
		{"a.b", "x", -EINVAL},
		{"A", "x", -EINVAL},
		{"-a", "x", -EINVAL},
		{"a-", "x", -EINVAL},
		{"*", "x", -EINVAL},
		{"a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -EINVAL},
	};
	struct authority_names names;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = authority_names(&names, rows[i].service, rows[i].namespace_, NULL);

		CHECK_ROW(
			rows[i].service ? rows[i].service : "NULL", r == rows[i].want, "got %d", r);
	}
	CU_ASSERT_EQUAL(authority_names(&names, "svc", "ns", NULL), 0);
	CHECK_STR("1st", span_str(names.name[0]), "svc.ns.svc");
	CHECK_STR("2nd", span_str(names.name[1]), "svc.ns");
	CHECK_STR("3rd", span_str(names.name[2]), "svc");
	CHECK_STR("4th", span_str(names.name[3]), "svc.ns.svc.cluster.local");
}

struct fixture {
	struct authority_names names, others;
	struct credential ca, other_ca, leaf;
	struct bundle roots, other_roots;
};

static bool fixture_make(struct fixture *f)
{
	*f = (struct fixture){0};
	return authority_names(&f->names, "casemate", "system", NULL) == 0 &&
	       authority_names(&f->others, "casemate", "elsewhere", NULL) == 0 &&
	       authority_make_ca(&f->ca, now, 365 * DAY, NULL) == 0 &&
	       authority_make_ca(&f->other_ca, now, 365 * DAY, NULL) == 0 &&
	       authority_make_leaf(&f->leaf, &f->ca, &f->names, now, 7 * DAY, NULL) == 0 &&
	       bundle_add(&f->roots, f->ca.cert, false) == 0 &&
	       bundle_add(&f->other_roots, f->other_ca.cert, false) == 0;
}

static void fixture_free(struct fixture *f)
{
	credential_free(&f->ca);
	credential_free(&f->other_ca);
	credential_free(&f->leaf);
	bundle_free(&f->roots);
	bundle_free(&f->other_roots);
}

/* OpenSSL with all of RFC 5280 switched on, as `openssl verify -x509_strict -purpose sslserver`. */
static int verify_strict(X509 *leaf, X509 *root)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int error;

	X509_STORE_add_cert(store, root);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now);
	X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return error;
}

static void test_made(void)
{
	_cleanup_(fixture_free) struct fixture f;
	ASN1_INTEGER *serial;

	CU_ASSERT(fixture_make(&f));
	CU_ASSERT_EQUAL(verify_strict(f.leaf.cert, f.ca.cert), X509_V_OK);
	CU_ASSERT_EQUAL(credential_not_before(f.leaf.cert), now - CREDENTIAL_BACKDATE_SEC);
	CU_ASSERT_EQUAL(authority_created(f.leaf.cert), now);
	CU_ASSERT_EQUAL(credential_not_after(f.leaf.cert), now + 7 * DAY);
	CU_ASSERT_EQUAL(
		authority_renew_at(f.ca.cert), now + 365 * DAY / 3 * 2 + 365 * DAY % 3 * 2 / 3);
	CU_ASSERT(X509_get_key_usage(f.leaf.cert) == KU_DIGITAL_SIGNATURE);
	CU_ASSERT(X509_get_extended_key_usage(f.leaf.cert) == XKU_SSL_SERVER);
	CU_ASSERT(X509_get_pathlen(f.ca.cert) == 0);
	serial = X509_get_serialNumber(f.leaf.cert);
	CU_ASSERT(serial->length == 16 && serial->data[0] < 0x80 && serial->data[0] >= 0x40);
	CU_ASSERT(credential_key_matches(f.leaf.cert, f.leaf.key));
	CU_ASSERT(!credential_key_matches(f.leaf.cert, f.ca.key));
	CU_ASSERT(authority_issued(f.ca.cert, f.leaf.cert));
	CU_ASSERT(!authority_issued(f.other_ca.cert, f.leaf.cert));
}

static void test_checks(void)
{
	_cleanup_(fixture_free) struct fixture f;
	struct bundle none = {0};

	CU_ASSERT(fixture_make(&f));
	const struct {
		const char *name;
		X509 *leaf;
		const struct bundle *roots;
		const struct authority_names *names;
		int64_t at;
		const char *want; /* "": accepted */
	} rows[] = {
		{"good", f.leaf.cert, &f.roots, &f.names, now, ""},
		{"names not asked", f.leaf.cert, &f.roots, NULL, now, ""},
		{"a slow clock", f.leaf.cert, &f.roots, &f.names, now - 300, ""},
		{"too early", f.leaf.cert, &f.roots, &f.names, now - 301,
			"not valid for another 1 seconds"},
		{"to the end", f.leaf.cert, &f.roots, &f.names, now + 7 * DAY - 1, ""},
		{"over", f.leaf.cert, &f.roots, &f.names, now + 7 * DAY + 1,
			"expired 1 seconds ago"},
		{"other authority", f.leaf.cert, &f.other_roots, &f.names, now,
			"unable to get local issuer certificate"},
		{"no authority", f.leaf.cert, &none, &f.names, now,
			"unable to get local issuer certificate"},
		{"other names", f.leaf.cert, &f.roots, &f.others, now,
			"not for the name casemate.elsewhere.svc"},
		{"not for servers", f.ca.cert, &f.roots, &f.names, now,
			"unsuitable certificate purpose"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = authority_check_leaf(
			rows[i].leaf, rows[i].roots, rows[i].names, rows[i].at, &err);

		CHECK_ROW(rows[i].name, r == (rows[i].want[0] ? -EBADMSG : 0), "got %d", r);
		CHECK_STR(rows[i].name, span_str(err.message), rows[i].want);
	}
	CU_ASSERT_EQUAL(authority_check_ca(f.ca.cert, now, NULL), 0);
	CU_ASSERT_EQUAL(authority_check_ca(f.ca.cert, now + 366 * DAY, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(authority_check_ca(f.leaf.cert, now, NULL), -EBADMSG);
}

/* Gives c another name and issuer, and no limit to the length of a path. */
static void sign_anew(struct credential *c, const char *name, const struct credential *issuer)
{
	X509_NAME *subject = X509_NAME_new();
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(
		NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	int at = X509_get_ext_by_NID(c->cert, NID_basic_constraints, -1);

	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_subject_name(c->cert, subject);
	X509_NAME_free(subject);
	X509_EXTENSION_free(X509_delete_ext(c->cert, at));
	X509_add_ext(c->cert, ext, -1);
	X509_EXTENSION_free(ext);
	X509_set_issuer_name(c->cert, X509_get_subject_name(issuer->cert));
	CU_ASSERT(X509_sign(c->cert, issuer->key, EVP_sha256()) > 0);
}

/* Others' certificates: root, middle, leaf. */
static void test_chains(void)
{
	struct authority_names names;
	struct credential root = {0}, middle = {0}, leaf = {0}, other = {0};

	CU_ASSERT_EQUAL(authority_names(&names, "casemate", "system", NULL), 0);
	snprintf(names.name[1], sizeof(names.name[1]), "*.wild.svc");
	CU_ASSERT_EQUAL(authority_make_ca(&root, now, 300 * DAY, NULL), 0);
	CU_ASSERT_EQUAL(authority_make_ca(&middle, now, 200 * DAY, NULL), 0);
	CU_ASSERT_EQUAL(authority_make_ca(&other, now, 300 * DAY, NULL), 0);
	sign_anew(&root, "root", &root);
	sign_anew(&middle, "middle", &root);
	CU_ASSERT_EQUAL(authority_make_leaf(&leaf, &middle, &names, now, 7 * DAY, NULL), 0);
	{
		const struct bundle whole = {.cert = {leaf.cert, middle.cert}, .n = 2};
		const struct bundle alone = {.cert = {leaf.cert}, .n = 1};
		const struct bundle with_root = {.cert = {root.cert}, .n = 1};
		const struct bundle with_middle = {.cert = {other.cert, middle.cert}, .n = 2};
		const struct bundle with_other = {.cert = {other.cert}, .n = 1};
		const struct {
			const char *row;
			const struct bundle *chain, *roots;
			const char *name;
			int64_t at;
			const char *want; /* NULL: passes */
		} rows[] = {
			{"root", &whole, &with_root, "casemate.system.svc", now, NULL},
			{"middle trusted", &alone, &with_middle, "casemate.system.svc", now, NULL},
			{"leaf trusted", &alone, &alone, "casemate.system.svc", now, NULL},
			{"wildcard", &whole, &with_root, "a.wild.svc", now, NULL},
			{"middle missing", &alone, &with_root, "casemate.system.svc", now,
				"unable to get local issuer certificate"},
			{"another root", &whole, &with_other, "casemate.system.svc", now,
				"unable to get local issuer certificate"},
			{"another name", &whole, &with_root, "other.system.svc", now,
				"not for the name other.system.svc"},
			{"expired", &whole, &with_root, "casemate.system.svc", now + 8 * DAY,
				"expired 86400 seconds ago"},
			{"not yet", &whole, &with_root, "casemate.system.svc", now - DAY,
				"not valid for another 86100 seconds"},
			{"an authority serves", &with_root, &with_root, "root", now,
				"unsuitable certificate purpose"},
		};

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct error err = {0};
			int r = authority_check_chain(
				rows[i].chain, rows[i].roots, rows[i].name, rows[i].at, &err);

			CHECK_ROW(rows[i].row, r == (rows[i].want ? -EBADMSG : 0), "got %d", r);
			CHECK_STR(rows[i].row, span_str(err.message),
				rows[i].want ? rows[i].want : "");
		}
	}
	credential_free(&root);
	credential_free(&middle);
	credential_free(&leaf);
	credential_free(&other);
}

static void test_lifetimes(void)
{
	_cleanup_(fixture_free) struct fixture f;
	_cleanup_credential_ struct credential leaf = {0};
	struct error err = {0};

	CU_ASSERT(fixture_make(&f));
	CU_ASSERT_EQUAL(
		authority_make_leaf(&leaf, &f.ca, &f.names, now + 364 * DAY, 7 * DAY, NULL), 0);
	CU_ASSERT_EQUAL(credential_not_after(leaf.cert), now + 365 * DAY);
	credential_free(&leaf);
	CU_ASSERT_EQUAL(
		authority_make_leaf(&leaf, &f.ca, &f.names, now + 365 * DAY, 1, &err), -EINVAL);
	CU_ASSERT_PTR_NULL(leaf.cert);
	CU_ASSERT_EQUAL(authority_make_ca(&leaf, now, 0, &err), -EINVAL);
	/* Beyond 2049, where UTCTime ends. */
	CU_ASSERT_EQUAL(authority_make_ca(&leaf, 2600000000, 10, &err), 0);
	CU_ASSERT_EQUAL(credential_not_after(leaf.cert), 2600000010);
	CU_ASSERT_EQUAL(authority_renew_at(leaf.cert), 2600000006);
}

static void test_keys(void)
{
	static const char *const refused[] = {"", "garbage", "-----BEGIN PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		/* A passphrase is not asked for. */
		"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
		"AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n"
		"AAAAAAAAAAAAAAAAAAAAAA==\n-----END EC PRIVATE KEY-----\n"};
	_cleanup_(fixture_free) struct fixture f;
	_cleanup_secret_ struct secret pem = {0};
	EVP_PKEY *key = NULL;
	unsigned matching = 0;

	CU_ASSERT(fixture_make(&f));
	CU_ASSERT_EQUAL(credential_write_key(&pem, f.leaf.key, NULL), 0);
	CU_ASSERT(span_starts(secret_view(&pem), "-----BEGIN PRIVATE KEY-----\n"));
	for (size_t n = 0; n < pem.len; n++) {
		int r = credential_read_key(&key, (struct span){pem.p, n}, NULL);

		/* Only the last newline is not missed. */
		CHECK_ROW("cut key", r == (n < pem.len - 1 ? -EBADMSG : 0), "%zu bytes: %d", n, r);
		EVP_PKEY_free(key);
		key = NULL;
	}
	/* No single changed character makes another key that passes for this one. */
	for (size_t i = 28; i < pem.len - 27; i++) {
		char was = pem.p[i];

		pem.p[i] = was == 'A' ? 'B' : 'A';
		if (credential_read_key(&key, secret_view(&pem), NULL) == 0)
			matching += credential_key_matches(f.leaf.cert, key) &&
				    EVP_PKEY_eq(key, f.leaf.key) != 1;
		EVP_PKEY_free(key);
		key = NULL;
		pem.p[i] = was;
	}
	CU_ASSERT_EQUAL(matching, 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		CHECK_ROW(refused[i],
			credential_read_key(&key, span_str(refused[i]), NULL) == -EBADMSG,
			"accepted");
}

CU_TestInfo authority_tests[] = {
	{"names", test_names},
	{"what is made verifies", test_made},
	{"checks", test_checks},
	{"others' chains", test_chains},
	{"lifetimes", test_lifetimes},
	{"keys", test_keys},
	CU_TEST_INFO_NULL,
};
