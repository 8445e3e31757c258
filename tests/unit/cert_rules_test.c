/* SPDX-License-Identifier: Apache-2.0
 *
 * Synthetic certificates and revocation lists with one thing wrong: refused when they are read, or
 * not issued by who should have. */
#include <openssl/rsa.h>

#include "common/tee/cert_key.h"
#include "common/tee/crl.h"
#include "tests/tee/amd_world.h"
#include "tests/unit/test.h"

/* A world whose leaf, CA and list may be changed. */
struct row {
	const char *name;
	void (*change)(struct tee_intel *w);
	int read, issued;
};

static void as_is(struct tee_intel *w)
{
	(void)w;
}

static void add(struct tee_intel *w, struct tee_extension e)
{
	size_t n = 0;

	while (w->leaf.extensions[n].oid)
		n++;
	w->leaf.extensions[n] = e;
}

static void no_serial(struct tee_intel *w)
{
	w->leaf.serial = 0;
}

static void version_1(struct tee_intel *w)
{
	w->leaf.version_1 = true;
}

static void unknown(struct tee_intel *w)
{
	add(w, (struct tee_extension){"1.2.3.4", SPAN_LIT("\x05\0"), false});
}

static void unknown_critical(struct tee_intel *w)
{
	add(w, (struct tee_extension){"1.2.3.4", SPAN_LIT("\x05\0"), true});
}

/* Its number begins like SGX's. */
static void nearly_known_critical(struct tee_intel *w)
{
	add(w, (struct tee_extension){"1.2.840.113741.1.13.1.9", SPAN_LIT("\x05\0"), true});
}

static void known_critical(struct tee_intel *w)
{
	add(w, (struct tee_extension){"1.2.840.113741.1.13.1", SPAN_LIT("\x30\0"), true});
}

static void name_constraints(struct tee_intel *w)
{
	add(w, (struct tee_extension){"2.5.29.30", SPAN_LIT("\x30\0"), true});
}

static void twice(struct tee_intel *w)
{
	unknown(w);
	unknown(w);
}

static void usage_twice(struct tee_intel *w)
{
	add(w, (struct tee_extension){"2.5.29.15", SPAN_LIT("\x03\x02\x01\x06"), false});
}

static void bad_usage(struct tee_intel *w)
{
	w->leaf.usage = NULL;
	add(w, (struct tee_extension){"2.5.29.15", SPAN_LIT("\x04\x02\x01\x06"), false});
}

static void name_of_63(struct tee_intel *w)
{
	w->leaf.subject = "a23456789b123456789c123456789d123456789e123456789f123456789g123";
}

static void name_of_64(struct tee_intel *w)
{
	w->leaf.subject = "a23456789b123456789c123456789d123456789e123456789f123456789g1234";
}

static void until_2051(struct tee_intel *w)
{
	w->leaf.not_after = 2556144000; /* GeneralizedTime from 2050 on */
}

static void broken_signature(struct tee_intel *w)
{
	w->leaf.break_signature = true;
}

static void other_signer(struct tee_intel *w)
{
	w->leaf.signer = TEE_KEY_OTHER;
}

static void signed_by_itself(struct tee_intel *w)
{
	w->leaf.signer = TEE_KEY_PCK;
}

static void other_issuer(struct tee_intel *w)
{
	w->leaf.issuer = "Intel SGX PCK Platform CA";
}

/* The same common name, in another order of the whole name. */
static void other_name(struct tee_intel *w)
{
	w->leaf.vendor = TEE_AMD;
}

static void other_hash(struct tee_intel *w)
{
	w->leaf.md = "SHA384";
}

static void old_hash(struct tee_intel *w)
{
	w->leaf.md = "SHA1";
}

static void issuer_is_no_ca(struct tee_intel *w)
{
	w->ca[PCK_CA_PROCESSOR].ca = false;
}

static void issuer_signs_lists_alone(struct tee_intel *w)
{
	w->ca[PCK_CA_PROCESSOR].usage = "critical,cRLSign";
}

static void issuer_says_nothing_of_usage(struct tee_intel *w)
{
	w->ca[PCK_CA_PROCESSOR].usage = NULL;
}

static const struct row certificates[] = {
	{"as it is", as_is, 0, 0},
	{"serial number 0", no_serial, 0, 0},
	{"version 1", version_1, -EBADMSG, 0},
	{"an extension that nobody knows", unknown, 0, 0},
	{"and is critical", unknown_critical, -EBADMSG, 0},
	{"critical, below one that is known", nearly_known_critical, -EBADMSG, 0},
	{"critical and known", known_critical, 0, 0},
	{"name constraints", name_constraints, -EBADMSG, 0},
	{"an extension twice", twice, -EBADMSG, 0},
	{"keyUsage twice", usage_twice, -EBADMSG, 0},
	{"keyUsage that is none", bad_usage, -EBADMSG, 0},
	{"a name of 63 bytes", name_of_63, 0, 0},
	{"a name of 64 bytes", name_of_64, -EBADMSG, 0},
	{"until 2051", until_2051, 0, 0},
	{"broken signature", broken_signature, 0, -EKEYREJECTED},
	{"signed by another", other_signer, 0, -EKEYREJECTED},
	{"signed by itself", signed_by_itself, 0, -EKEYREJECTED},
	{"another issuer's name", other_issuer, 0, -EKEYREJECTED},
	{"another whole name", other_name, 0, -EKEYREJECTED},
	{"SHA-384 by P-256", other_hash, 0, -EKEYREJECTED},
	{"SHA-1 by P-256", old_hash, 0, -EKEYREJECTED},
	{"issuer is no CA", issuer_is_no_ca, 0, -EKEYREJECTED},
	{"issuer signs lists alone", issuer_signs_lists_alone, 0, -EKEYREJECTED},
	{"issuer says nothing of usage", issuer_says_nothing_of_usage, 0, 0},
};

static struct cert *issuer_of(const struct tee_intel *w)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
	struct cert *c = NULL;

	tee_cert_der(&w->ca[PCK_CA_PROCESSOR], &b);
	CU_ASSERT_EQUAL(cert_parse_der(&c, buf_view(&b), NULL), 0);
	return c;
}

static void test_certificates(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(certificates); i++) {
		const struct row *row = &certificates[i];
		_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
		_cleanup_(cert_unref_p) struct cert *c = NULL, *issuer = NULL;
		struct error err = {0};
		struct tee_intel w;
		int r;

		tee_intel_sgx(&w);
		row->change(&w);
		tee_cert_der(&w.leaf, &b);
		issuer = issuer_of(&w);
		r = cert_parse_der(&c, buf_view(&b), &err);
		if (!CHECK_ROW(row->name, r == row->read, "read: %d %s", r, err.message) || r < 0)
			continue;
		r = cert_check_issued(c, issuer, &err);
		CHECK_ROW(row->name, r == row->issued, "issued: %d %s", r, err.message);
		CHECK_ROW(row->name, r == 0 || err.message[0], "no message");
	}
}

/* The same length, other bytes in it; what was signed does not matter where it cannot be read. */
static void test_patched(void)
{
	static const struct {
		const char *name;
		struct span from, to;
	} rows[] = {
		{"a NUL in a name", SPAN_LIT("SGX PCK Cert"), SPAN_LIT("SGX\0PCK Cert")},
		{"a NUL in another part of a name", SPAN_LIT("Santa Clara"),
			SPAN_LIT("Santa\0Clara")},
		{"a negative serial number", SPAN_LIT("\x02\x04\x07\xc0"),
			SPAN_LIT("\x02\x04\x87\xc0")},
		{"a serial number with a zero before it", SPAN_LIT("\x02\x04\x07\xc0"),
			SPAN_LIT("\x02\x04\0\x40")},
		{"a compressed point", SPAN_LIT("\x03\x42\0\x04"), SPAN_LIT("\x03\x42\0\x02")},
		{"another curve", SPAN_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x07"),
			SPAN_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x06")},
		{"a time without Z", SPAN_LIT("Z\x17\x0d"), SPAN_LIT("0\x17\x0d")},
		{"a month 13",
			SPAN_LIT("\x17\x0d"
				 "200603"),
			SPAN_LIT("\x17\x0d"
				 "201303")},
		{"no digit in a time",
			SPAN_LIT("\x17\x0d"
				 "200603"),
			SPAN_LIT("\x17\x0d"
				 "2006x3")},
		{"an indefinite length",
			SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x30"),
			SPAN_LIT("\x30\x80\x06\x06\x2a\x86\x48\xce\x3d\x04\0\0\x30")},
	};
	_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
	struct tee_intel w;

	tee_intel_sgx(&w);
	tee_cert_der(&w.leaf, &b);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *copy = malloc(b.len);
		struct cert *c = NULL;
		struct error err = {0};
		char *at;
		int r;

		memcpy(copy, b.p, b.len);
		at = memmem(copy, b.len, rows[i].from.p, rows[i].from.len);
		if (!CHECK_ROW(rows[i].name, at && rows[i].from.len == rows[i].to.len, "not there"))
			continue;
		memcpy(at, rows[i].to.p, rows[i].to.len);
		r = cert_parse_der(&c, (struct span){copy, b.len}, &err);
		CHECK_ROW(rows[i].name, r == -EBADMSG && !c, "%d", r);
		cert_unref(c);
	}
}

/* RSA of that many bits with that exponent. */
static EVP_PKEY *rsa_key(unsigned bits, unsigned exponent)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;

	BN_set_word(e, exponent);
	EVP_PKEY_keygen_init(ctx);
	EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits);
	EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e);
	EVP_PKEY_generate(ctx, &key);
	BN_free(e);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void test_keys(void)
{
	static const struct {
		const char *name, *group;
		unsigned bits, exponent;
		int want; /* kind, or what it is refused with */
	} rows[] = {
		{"P-256", "P-256", 0, 0, X509_KEY_P256},
		{"P-384", "P-384", 0, 0, X509_KEY_P384},
		{"P-521", "P-521", 0, 0, -EBADMSG},
		{"secp256k1", "secp256k1", 0, 0, -EBADMSG},
		{"Ed25519", NULL, 0, 0, -EBADMSG},
		{"RSA-1024", NULL, 1024, 65537, -EBADMSG},
		{"RSA-2040", NULL, 2040, 65537, -EBADMSG},
		{"RSA-2048", NULL, 2048, 65537, X509_KEY_RSA},
		{"RSA-2048, e = 3", NULL, 2048, 3, -EBADMSG},
		{"RSA-2052", NULL, 2052, 65537, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EVP_PKEY *key = rows[i].group  ? EVP_EC_gen(rows[i].group)
				: rows[i].bits ? rsa_key(rows[i].bits, rows[i].exponent)
					       : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
			 *again;
		X509_PUBKEY *pub = NULL;
		enum x509_key kind;
		struct span bits;
		struct error err = {0};
		int r;

		if (!CHECK_ROW(rows[i].name, key && X509_PUBKEY_set(&pub, key) == 1, "no key"))
			continue;
		r = cert_key_read(&kind, &bits, pub, &err);
		CHECK_ROW(rows[i].name, (r < 0 ? r : (int)kind) == rows[i].want, "%d", r);
		again = r < 0 ? NULL : cert_key_make(kind, bits);
		CHECK_ROW(rows[i].name, r < 0 || EVP_PKEY_eq(again, key) == 1, "another key");
		EVP_PKEY_free(again);
		X509_PUBKEY_free(pub);
		EVP_PKEY_free(key);
	}
}

/* What RSA signs with SHA-384 counts; with another hash it does not. */
static void test_rsa(void)
{
	for (int sha256 = 0; sha256 < 2; sha256++) {
		_cleanup_buf_ struct buf a = BUF_INIT(TEE_DER_MAX), b = BUF_INIT(TEE_DER_MAX);
		_cleanup_(cert_unref_p) struct cert *ark = NULL, *ask = NULL;
		struct error err = {0};
		struct tee_amd w;

		tee_amd(&w, SNP_MILAN, 2, false);
		w.intermediate.md = sha256 ? "SHA256" : NULL;
		tee_amd_ark(&w, &a);
		tee_amd_intermediate(&w, &b);
		CU_ASSERT_EQUAL(cert_parse_der(&ark, buf_view(&a), &err), 0);
		CU_ASSERT_EQUAL(cert_parse_der(&ask, buf_view(&b), &err), 0);
		if (ark && ask)
			CU_ASSERT_EQUAL(
				cert_check_issued(ask, ark, &err), sha256 ? -EKEYREJECTED : 0);
	}
}

static struct tee_crl *list(struct tee_intel *w)
{
	return &w->pck_crl[PCK_CA_PROCESSOR];
}

static void no_next_update(struct tee_intel *w)
{
	list(w)->next_update = 0;
}

static void no_number(struct tee_intel *w)
{
	list(w)->number = -1;
}

static void no_entries(struct tee_intel *w)
{
	list(w)->n_revoked = 0;
}

static void delta(struct tee_intel *w)
{
	list(w)->extension = (struct tee_extension){"2.5.29.27", SPAN_LIT("\x02\x01\x01"), false};
}

static void for_a_part(struct tee_intel *w)
{
	/* onlyContainsUserCerts */
	list(w)->extension =
		(struct tee_extension){"2.5.29.28", SPAN_LIT("\x30\x03\x81\x01\xff"), false};
}

static void list_unknown(struct tee_intel *w)
{
	list(w)->extension = (struct tee_extension){"1.2.3.4", SPAN_LIT("\x05\0"), false};
}

static void list_unknown_critical(struct tee_intel *w)
{
	list(w)->extension = (struct tee_extension){"1.2.3.4", SPAN_LIT("\x05\0"), true};
}

static void number_twice(struct tee_intel *w)
{
	list(w)->extension = (struct tee_extension){"2.5.29.20", SPAN_LIT("\x02\x01\x02"), false};
}

static void number_negative(struct tee_intel *w)
{
	no_number(w);
	list(w)->extension = (struct tee_extension){"2.5.29.20", SPAN_LIT("\x02\x01\x82"), false};
}

static void number_too_long(struct tee_intel *w)
{
	no_number(w);
	list(w)->extension = (struct tee_extension){
		"2.5.29.20", SPAN_LIT("\x02\x09\x01\0\0\0\0\0\0\0\0"), false};
}

static void entry_reason(struct tee_intel *w)
{
	list(w)->entry_extension =
		(struct tee_extension){"2.5.29.21", SPAN_LIT("\x0a\x01\x01"), false};
}

/* certificateIssuer: the entry is of another issuer's certificate */
static void entry_issuer(struct tee_intel *w)
{
	list(w)->entry_extension = (struct tee_extension){"2.5.29.29",
		SPAN_LIT("\x30\x0f\xa4\x0d\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\0"),
		true};
}

static void list_broken(struct tee_intel *w)
{
	list(w)->break_signature = true;
}

static void list_of_other(struct tee_intel *w)
{
	list(w)->signer = TEE_KEY_PLATFORM_CA;
}

static void list_named_other(struct tee_intel *w)
{
	list(w)->issuer = "Intel SGX PCK Platform CA";
}

static void issuer_signs_certificates_alone(struct tee_intel *w)
{
	w->ca[PCK_CA_PROCESSOR].usage = "critical,keyCertSign";
}

static const struct row lists[] = {
	{"as it is", as_is, 0, 0},
	{"no end", no_next_update, -EBADMSG, 0},
	{"no number", no_number, 0, 0},
	{"no entries", no_entries, 0, 0},
	{"a delta", delta, -EBADMSG, 0},
	{"for a part", for_a_part, -EBADMSG, 0},
	{"an extension that nobody knows", list_unknown, 0, 0},
	{"and is critical", list_unknown_critical, -EBADMSG, 0},
	{"two numbers", number_twice, -EBADMSG, 0},
	{"a negative number", number_negative, -EBADMSG, 0},
	{"a number of 72 bits", number_too_long, -EBADMSG, 0},
	{"a reason with the entry", entry_reason, 0, 0},
	{"an entry of another issuer", entry_issuer, -EBADMSG, 0},
	{"broken signature", list_broken, 0, -EKEYREJECTED},
	{"signed by the other CA", list_of_other, 0, -EKEYREJECTED},
	{"named as the other CA's", list_named_other, 0, -EKEYREJECTED},
	{"issuer is no CA", issuer_is_no_ca, 0, -EKEYREJECTED},
	{"issuer signs certificates alone", issuer_signs_certificates_alone, 0, -EKEYREJECTED},
};

static void test_lists(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct row *row = &lists[i];
		_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
		_cleanup_(crl_unref_p) struct crl *c = NULL;
		_cleanup_(cert_unref_p) struct cert *issuer = NULL;
		struct error err = {0};
		struct tee_intel w;
		int r;

		tee_intel_sgx(&w);
		row->change(&w);
		tee_crl_der(list(&w), &b);
		issuer = issuer_of(&w);
		r = crl_parse(&c, buf_view(&b), &err);
		if (!CHECK_ROW(row->name, r == row->read, "read: %d %s", r, err.message) || r < 0)
			continue;
		CHECK_ROW(row->name, c->number == list(&w)->number, "number");
		r = crl_check_issued(c, issuer, &err);
		CHECK_ROW(row->name, r == row->issued, "issued: %d %s", r, err.message);
	}
}

static void test_revoked(void)
{
	for (size_t n = 0; n <= TEE_SERIALS_MAX; n++) {
		_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX), leaf = BUF_INIT(TEE_DER_MAX);
		_cleanup_(crl_unref_p) struct crl *c = NULL;
		_cleanup_(cert_unref_p) struct cert *who = NULL;
		struct tee_intel w;

		/* out of order, and the one looked for in the middle or not at all */
		tee_intel_sgx(&w);
		list(&w)->n_revoked = TEE_SERIALS_MAX;
		for (size_t i = 0; i < TEE_SERIALS_MAX; i++)
			list(&w)->revoked[i] = i * 77 % 19 + (i % 2 ? 1ull << 40 : 0);
		w.leaf.serial = n < TEE_SERIALS_MAX ? list(&w)->revoked[n] : 20;
		tee_crl_der(list(&w), &b);
		tee_cert_der(&w.leaf, &leaf);
		CU_ASSERT_EQUAL(crl_parse(&c, buf_view(&b), NULL), 0);
		CU_ASSERT_EQUAL(cert_parse_der(&who, buf_view(&leaf), NULL), 0);
		if (c && who)
			CU_ASSERT_EQUAL(crl_revokes(c, who), n < TEE_SERIALS_MAX);
	}
}

const CU_TestInfo cert_rules_tests[] = {
	{"certificates with one thing wrong", test_certificates},
	{"certificates that cannot be read", test_patched},
	{"kinds of keys", test_keys},
	{"RSA signs with SHA-384", test_rsa},
	{"lists with one thing wrong", test_lists},
	{"whoever is on a list is found", test_revoked},
	CU_TEST_INFO_NULL,
};
