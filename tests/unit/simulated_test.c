/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/simulated.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "common/base/credential.h"
#include "tests/unit/simulated_fix.h"
#include "tests/unit/test.h"

static void test_round_trip(void)
{
	_cleanup_(simulated_fix_free) struct simulated_fix f;
	_cleanup_buf_ struct buf text = BUF_INIT(SIMULATED_MAX), again = BUF_INIT(SIMULATED_MAX);
	struct simulated s;
	struct error err = {0};
	enum reason reason;

	if (!simulated_fix_new(&f) || !simulated_fix_make(&f, &text))
		return;
	if (!CHECK_ROW("parse", simulated_parse(&s, buf_view(&text), &reason, &err) == 0, "%s",
		    err.message))
		return;
	/* The views do not point into the text. */
	memset(text.p, 'x', text.len);
	CHECK_STR("certificate", s.certificate, f.certificate.p);
	CHECK_STR("tee", span_str(s.tee), "sgx");
	CHECK_STR("node", span_str(s.node), "node-1");
	CHECK_STR("node UID", span_str(s.node_uid), SIMULATED_UID);
	CHECK_STR("status", span_str(s.tcb_status), "UpToDate");
	CU_ASSERT(s.svn == 3 && !s.debug);
	CU_ASSERT(s.platform_id_len == 16 && memcmp(s.platform_id, f.what.platform_id, 16) == 0);
	CU_ASSERT(s.n_measurements == 2 && s.measurements[0].len == 32 &&
		  s.measurements[1].len == 48);
	CU_ASSERT(memcmp(s.measurements, f.what.measurements, sizeof(s.measurements)) == 0);
	CU_ASSERT(memcmp(s.report_data, f.what.report_data, 64) == 0);
	CU_ASSERT(simulated_make(&again, &s, f.key, s.certificate, &err) == 0);
	CU_ASSERT(memmem(again.p, again.len, "\"svn\\\":3", 8) != NULL);
	simulated_free(&s);
}

static void test_truncated(void)
{
	_cleanup_(simulated_fix_free) struct simulated_fix f;
	_cleanup_buf_ struct buf text = BUF_INIT(SIMULATED_MAX);
	struct simulated s;
	enum reason reason;

	if (!simulated_fix_new(&f) || !simulated_fix_make(&f, &text))
		return;
	for (size_t n = 0; n < text.len - 1; n++) { /* the last byte is a newline */
		char *copy = malloc(n ? n : 1);
		int r;

		memcpy(copy, text.p, n);
		reason = REASON_Ok;
		r = simulated_parse(&s, (struct span){copy, n}, &reason, NULL);
		CHECK_ROW("truncated", r == -EBADMSG && reason == REASON_Malformed, "at %zu: %d", n,
			r);
		if (r == 0)
			simulated_free(&s);
		free(copy);
	}
}

/* Each row: a document whose body is this, signed by nobody. */
#define BODY_HEAD "{\"tee\":\"sgx\",\"node\":\"n\",\"nodeUID\":\"u\",\"platformID\":\"ab\","
#define BODY_TCB  "\"tcb\":{\"status\":\"UpToDate\",\"svn\":1},"
#define BODY_TAIL ",\"reportData\":\"" ZEROS "\"}"
#define ZEROS16   "00000000000000000000000000000000"
#define ZEROS     ZEROS16 ZEROS16 ZEROS16 ZEROS16
#define BODY(m)   BODY_HEAD BODY_TCB "\"debug\":false,\"measurements\":" m BODY_TAIL

static void test_bodies(void)
{
	static const struct {
		const char *name, *body, *message; /* "": read */
	} rows[] = {
		{"empty lists", BODY("{}"), ""},
		{"eight registers",
			BODY("{\"a\":\"00\",\"b\":\"00\",\"c\":\"00\",\"d\":\"00\",\"e\":\"00\","
			     "\"f\":\"00\",\"g\":\"00\",\"h\":\"00\"}"),
			""},
		{"nine registers",
			BODY("{\"a\":\"00\",\"b\":\"00\",\"c\":\"00\",\"d\":\"00\",\"e\":\"00\","
			     "\"f\":\"00\",\"g\":\"00\",\"h\":\"00\",\"i\":\"00\"}"),
			"measurements: must be an object of at most 8"},
		{"a list of registers", BODY("[]"), "measurements: must be an object"},
		{"an empty name", BODY("{\"\":\"00\"}"), "measurements: a name"},
		{"a name of 24", BODY("{\"abcdefghijklmnopqrstuvwx\":\"00\"}"),
			"measurements: a name"},
		{"a name with a dash", BODY("{\"a-b\":\"00\"}"), "measurements: a name"},
		{"a register twice", BODY("{\"a\":\"00\",\"\\u0061\":\"00\"}"), "body: "},
		{"an empty register", BODY("{\"a\":\"\"}"),
			"measurements: must be a string of hex"},
		{"half a byte", BODY("{\"a\":\"000\"}"), "measurements: must be a string of hex"},
		{"no digits", BODY("{\"a\":\"0g\"}"), "measurements: must be a string of hex"},
		{"a number", BODY("{\"a\":0}"), "measurements: must be a string of hex"},
		{"49 bytes", BODY("{\"a\":\"" ZEROS16 ZEROS16 ZEROS16 "00\"}"),
			"measurements: must be a string of hex"},
		{"no object", "[]", "must be an object"},
		{"no JSON", "x", "body: "},
		{"something behind it", BODY("{}") "x", "body: "},
		{"nothing", "", "body: "},
		{"a member too many", BODY("{},\"more\":1"), "\"more\": no such member"},
		{"a member missing", BODY_HEAD "\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"tcb: is missing"},
		{"another TEE",
			"{\"tee\":\"cca\",\"node\":\"n\",\"nodeUID\":\"u\",\"platformID\":"
			"\"ab\"," BODY_TCB "\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"tee: must be sgx"},
		{"a node with a blank",
			"{\"tee\":\"sgx\",\"node\":\"a "
			"b\",\"nodeUID\":\"u\",\"platformID\":\"ab\"," BODY_TCB
			"\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"node: must be printable"},
		{"an empty UID",
			"{\"tee\":\"sgx\",\"node\":\"n\",\"nodeUID\":\"\",\"platformID\":"
			"\"ab\"," BODY_TCB "\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"nodeUID: must be a string"},
		{"a UID of 64",
			"{\"tee\":\"sgx\",\"node\":\"n\",\"nodeUID\":\"" ZEROS16 ZEROS16
			"\",\"platformID\":\"ab\"," BODY_TCB
			"\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"nodeUID: must be a string"},
		{"a platform id of 33 bytes",
			"{\"tee\":\"sgx\",\"node\":\"n\",\"nodeUID\":\"u\",\"platformID\":"
			"\"" ZEROS16 ZEROS16 "00\"," BODY_TCB
			"\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"platformID: must be a string of hex"},
		{"an unknown status",
			BODY_HEAD "\"tcb\":{\"status\":\"Fine\",\"svn\":1},\"debug\":false,"
				  "\"measurements\":{}" BODY_TAIL,
			"tcb.status: is no TCB status"},
		{"a negative SVN",
			BODY_HEAD "\"tcb\":{\"status\":\"UpToDate\",\"svn\":-1},\"debug\":false,"
				  "\"measurements\":{}" BODY_TAIL,
			"tcb.svn: must be a whole number"},
		{"an SVN too large",
			BODY_HEAD "\"tcb\":{\"status\":\"UpToDate\",\"svn\":65536},\"debug\":false,"
				  "\"measurements\":{}" BODY_TAIL,
			"tcb.svn: must be a whole number"},
		{"more of the TCB",
			BODY_HEAD "\"tcb\":{\"status\":\"UpToDate\",\"svn\":1,\"x\":1},"
				  "\"debug\":false,\"measurements\":{}" BODY_TAIL,
			"tcb.\"x\": no such member"},
		{"no boolean", BODY_HEAD BODY_TCB "\"debug\":0,\"measurements\":{}" BODY_TAIL,
			"debug: must be true or false"},
		{"short report data",
			BODY_HEAD BODY_TCB
			"\"debug\":false,\"measurements\":{},\"reportData\":\"00\"}",
			"reportData: must be a string of hex"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(SIMULATED_MAX);
		enum reason reason = REASON_Ok;
		struct error err = {0};
		struct simulated s;
		int r;

		buf_puts(&text,
			"{\"casemateSimulated\":1,\"certificate\":\"\",\"signature\":\"" ZEROS
			"\",\"body\":");
		buf_json_string(&text, span_str(rows[i].body));
		buf_putc(&text, '}');
		r = simulated_parse(&s, buf_view(&text), &reason, &err);
		if (!*rows[i].message) {
			if (CHECK_ROW(rows[i].name, r == 0, "%s", err.message))
				simulated_free(&s);
			continue;
		}
		CHECK_ROW(rows[i].name,
			r == -EBADMSG && reason == REASON_Malformed &&
				strstr(err.message, rows[i].message),
			"%d %s", r, err.message);
		if (r == 0)
			simulated_free(&s);
	}
}

static void test_frames(void)
{
	static const struct {
		const char *name, *text;
		enum reason reason;
	} rows[] = {
		{"a later version", "{\"casemateSimulated\":2,\"new\":{}}",
			REASON_UnsupportedVersion},
		{"no version", "{\"body\":\"\"}", REASON_Malformed},
		{"a fraction", "{\"casemateSimulated\":1.0}", REASON_Malformed},
		{"a string", "{\"casemateSimulated\":\"1\"}", REASON_Malformed},
		{"nothing else", "{\"casemateSimulated\":1}", REASON_Malformed},
		{"body twice",
			"{\"casemateSimulated\":1,\"body\":\"\",\"body\":\"\",\"certificate\":\"\","
			"\"signature\":\"" ZEROS "\"}",
			REASON_Malformed},
		{"a body that is no string",
			"{\"casemateSimulated\":1,\"body\":{},\"certificate\":\"\",\"signature\":"
			"\"" ZEROS "\"}",
			REASON_Malformed},
		{"a certificate that is no string",
			"{\"casemateSimulated\":1,\"body\":\"{}\",\"certificate\":1,\"signature\":"
			"\"" ZEROS "\"}",
			REASON_Malformed},
		{"a signature of 63 bytes",
			"{\"casemateSimulated\":1,\"body\":\"{}\",\"certificate\":\"\","
			"\"signature\":"
			"\"" ZEROS16 ZEROS16 ZEROS16 "000000000000000000000000000000\"}",
			REASON_Malformed},
		{"more",
			"{\"casemateSimulated\":1,\"body\":\"{}\",\"certificate\":\"\","
			"\"signature\":"
			"\"" ZEROS "\",\"x\":1}",
			REASON_Malformed},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum reason reason = REASON_Ok;
		struct error err = {0};
		struct simulated s;
		int r = simulated_parse(&s, span_str(rows[i].text), &reason, &err);

		CHECK_ROW(rows[i].name,
			r == -EBADMSG && reason == rows[i].reason &&
				strstr(err.message, "simulated evidence"),
			"%d %s %s", r, reason_name(reason), err.message);
	}
}

static void test_too_long(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(2 * SIMULATED_MAX);
	enum reason reason = REASON_Ok;
	struct simulated s;

	buf_puts(&text, "{\"casemateSimulated\":1,\"body\":\"");
	while (text.len < SIMULATED_MAX)
		buf_puts(&text, "        ");
	buf_puts(&text, "\"}");
	CU_ASSERT(simulated_parse(&s, buf_view(&text), &reason, NULL) == -EBADMSG);
	CU_ASSERT(reason == REASON_Malformed);
}

/* What openssl itself says of the certificates. */
static void test_certificates(void)
{
	_cleanup_(simulated_fix_free) struct simulated_fix f;
	BIO *in;
	X509 *root, *leaf;
	char name[100];

	if (!simulated_fix_new(&f))
		return;
	in = BIO_new_mem_buf(f.root.p, (int)f.root.len);
	root = PEM_read_bio_X509(in, NULL, NULL, NULL);
	BIO_free(in);
	in = BIO_new_mem_buf(f.certificate.p, (int)f.certificate.len);
	leaf = PEM_read_bio_X509(in, NULL, NULL, NULL);
	BIO_free(in);
	if (root && leaf) {
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(leaf), NID_commonName, name, sizeof(name));
		CHECK_STR("leaf's name", span_str(name), "node:" SIMULATED_UID);
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(root), NID_commonName, name, sizeof(name));
		CHECK_STR("root's name", span_str(name), "Casemate Simulated TEE Root");
		CU_ASSERT(X509_check_issued(root, root) == X509_V_OK);
		CU_ASSERT(X509_check_issued(root, leaf) == X509_V_OK);
		CU_ASSERT(X509_verify(leaf, X509_get0_pubkey(root)) == 1);
		CU_ASSERT(X509_check_ca(root) == 1 && X509_check_ca(leaf) == 0);
		CU_ASSERT(credential_not_after(leaf) == SIMULATED_NOW + SIMULATED_LIFETIME);
		CU_ASSERT(EVP_PKEY_eq(X509_get0_pubkey(leaf), f.key) == 1);
	}
	CU_ASSERT(root && leaf);
	X509_free(root);
	X509_free(leaf);
}

static void test_certify_refuses(void)
{
	_cleanup_(simulated_fix_free) struct simulated_fix f;
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *p384 = EVP_EC_gen("P-384");
	const struct {
		const char *name, *uid;
		EVP_PKEY *key;
		struct span root, root_key;
		int want;
	} rows[] = {
		{"an RSA key", "u", rsa, SPAN_NONE, SPAN_NONE, -EINVAL},
		{"P-384", "u", p384, SPAN_NONE, SPAN_NONE, -EINVAL},
		{"no UID", "", NULL, SPAN_NONE, SPAN_NONE, -EINVAL},
		{"a UID of two lines", "a\nb", NULL, SPAN_NONE, SPAN_NONE, -EINVAL},
		{"a UID of 59", "00000000001111111111222222222233333333334444444444555555555", NULL,
			SPAN_NONE, SPAN_NONE, -EINVAL},
		{"a UID of 58", "0000000000111111111122222222223333333333444444444455555555", NULL,
			SPAN_NONE, SPAN_NONE, 0},
		{"no root", "u", NULL, SPAN_LIT("x"), SPAN_NONE, -EBADMSG},
		{"no root key", "u", NULL, SPAN_NONE, SPAN_LIT("x"), -EBADMSG},
	};

	if (!simulated_fix_new(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT(8192);
		struct error err = {0};
		int r = simulated_certify(&out, rows[i].root.p ? rows[i].root : buf_view(&f.root),
			rows[i].root_key.p ? rows[i].root_key : secret_view(&f.root_key),
			rows[i].key ? rows[i].key : f.key, rows[i].uid, SIMULATED_NOW,
			SIMULATED_LIFETIME, &err);

		CHECK_ROW(rows[i].name, r == rows[i].want && (r == 0 || out.len == 0), "%d %s", r,
			err.message);
	}
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p384);
}

static void test_make_refuses(void)
{
	_cleanup_(simulated_fix_free) struct simulated_fix f;
	_cleanup_buf_ struct buf out = BUF_INIT(SIMULATED_MAX), small = BUF_INIT(100);
	EVP_PKEY *p384 = EVP_EC_gen("P-384");

	if (simulated_fix_new(&f)) {
		CU_ASSERT(simulated_make(&out, &f.what, p384, buf_view(&f.certificate), NULL) ==
			  -EIO);
		CU_ASSERT(out.len == 0);
		CU_ASSERT(simulated_make(&small, &f.what, f.key, buf_view(&f.certificate), NULL) ==
			  -E2BIG);
	}
	EVP_PKEY_free(p384);
}

CU_TestInfo simulated_tests[] = {
	{"round trip", test_round_trip},
	{"truncated", test_truncated},
	{"bodies", test_bodies},
	{"frames", test_frames},
	{"too long", test_too_long},
	{"certificates", test_certificates},
	{"certify refuses", test_certify_refuses},
	{"make refuses", test_make_refuses},
	CU_TEST_INFO_NULL,
};
