/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "common/base/cleanup.h"

/* The newest of OpenSSL's complaints, which are then forgotten. */
static int openssl_failed(struct error *err, int code, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(err, code, "%s: %s", what, why ? why : "OpenSSL gives no reason");
}

void credential_free(struct credential *c)
{
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
	*c = (struct credential){0};
}

void credential_copy(struct credential *to, const struct credential *from)
{
	*to = *from;
	if (!from->cert)
		return;
	X509_up_ref(to->cert);
	EVP_PKEY_up_ref(to->key);
}

static bool is_dns_label(const char *s)
{
	static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = s ? strlen(s) : 0;

	return n > 0 && n <= 63 && strspn(s, inner) == n && s[0] != '-' && s[n - 1] != '-';
}

int authority_names(
	struct authority_names *ret, const char *service, const char *namespace_, struct error *err)
{
	static const char *const formats[AUTHORITY_NAMES_MAX] = {
		"svc", "", NULL, "svc.cluster.local"};
	struct authority_names names = {0};

	if (!is_dns_label(service) || !is_dns_label(namespace_))
		return error_set(err, -EINVAL,
			"the Service '%s' in namespace '%s' cannot be named in a certificate: each "
			"must be 1 to 63 of a-z, 0-9 and '-', not at the ends",
			service ? service : "", namespace_ ? namespace_ : "");
	for (size_t i = 0; i < AUTHORITY_NAMES_MAX; i++)
		snprintf(names.name[i], sizeof(names.name[i]), "%s%s%s%s%s", service,
			formats[i] ? "." : "", formats[i] ? namespace_ : "",
			formats[i] && formats[i][0] ? "." : "", formats[i] ? formats[i] : "");
	*ret = names;
	return 0;
}

/* 127 random bits: RFC 5280 section 4.1.2.2 wants positive and at most 20 octets. */
static bool set_serial(X509 *cert)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		  BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;

	BN_free(n);
	return ok;
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool add_names(X509 *cert, const struct authority_names *names)
{
	GENERAL_NAMES *san = GENERAL_NAMES_new();
	bool ok = san != NULL;

	for (size_t i = 0; ok && i < AUTHORITY_NAMES_MAX; i++) {
		GENERAL_NAME *gn = GENERAL_NAME_new();
		ASN1_IA5STRING *dns = ASN1_IA5STRING_new();

		ok = gn && dns && ASN1_STRING_set(dns, names->name[i], -1) == 1;
		if (ok) {
			GENERAL_NAME_set0_value(gn, GEN_DNS, dns);
			dns = NULL;
			ok = sk_GENERAL_NAME_push(san, gn) > 0;
			if (ok)
				gn = NULL;
		}
		ASN1_IA5STRING_free(dns);
		GENERAL_NAME_free(gn);
	}
	ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, san, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(san);
	return ok;
}

/* What roots and server certificates have in common. */
static bool fill(X509 *cert, const char *cn, EVP_PKEY *key, int64_t now_sec, int64_t not_after)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	       ASN1_TIME_set(X509_getm_notBefore(cert), now_sec - AUTHORITY_BACKDATE_SEC) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), not_after) &&
	       X509_NAME_add_entry_by_txt(
		       subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) &&
	       X509_set_pubkey(cert, key);
}

int authority_make_ca(
	struct credential *ret, int64_t now_sec, int64_t lifetime_sec, struct error *err)
{
	_cleanup_credential_ struct credential ca = {
		.cert = X509_new(), .key = EVP_EC_gen("P-256")};

	if (lifetime_sec <= 0)
		return error_set(err, -EINVAL, "a certificate authority needs a lifetime");
	if (!ca.cert || !ca.key ||
		!fill(ca.cert, "Casemate admission CA", ca.key, now_sec, now_sec + lifetime_sec) ||
		!X509_set_issuer_name(ca.cert, X509_get_subject_name(ca.cert)) ||
		!add_ext(ca.cert, ca.cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
		!add_ext(ca.cert, ca.cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
		!add_ext(ca.cert, ca.cert, NID_subject_key_identifier, "hash") ||
		!X509_sign(ca.cert, ca.key, EVP_sha256()))
		return openssl_failed(err, -EIO, "making a certificate authority");
	*ret = ca;
	ca = (struct credential){0};
	return 0;
}

int authority_make_leaf(struct credential *ret, const struct credential *ca,
	const struct authority_names *names, int64_t now_sec, int64_t lifetime_sec,
	struct error *err)
{
	_cleanup_credential_ struct credential leaf = {
		.cert = X509_new(), .key = EVP_EC_gen("P-256")};
	int64_t end = authority_not_after(ca->cert);

	if (now_sec + lifetime_sec < end)
		end = now_sec + lifetime_sec;
	if (end <= now_sec)
		return error_set(err, -EINVAL,
			"a server certificate would be over before it begins: its authority ends "
			"at "
			"%lld, now is %lld",
			(long long)authority_not_after(ca->cert), (long long)now_sec);
	if (!leaf.cert || !leaf.key ||
		!fill(leaf.cert, "Casemate admission webhook", leaf.key, now_sec, end) ||
		!X509_set_issuer_name(leaf.cert, X509_get_subject_name(ca->cert)) ||
		!add_ext(leaf.cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") ||
		!add_ext(leaf.cert, ca->cert, NID_key_usage, "critical,digitalSignature") ||
		!add_ext(leaf.cert, ca->cert, NID_ext_key_usage, "serverAuth") ||
		!add_ext(leaf.cert, ca->cert, NID_subject_key_identifier, "hash") ||
		!add_ext(leaf.cert, ca->cert, NID_authority_key_identifier, "keyid:always") ||
		!add_names(leaf.cert, names) || !X509_sign(leaf.cert, ca->key, EVP_sha256()))
		return openssl_failed(err, -EIO, "making a server certificate");
	*ret = leaf;
	leaf = (struct credential){0};
	return 0;
}

static int64_t to_sec(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : INT64_MIN;
}

int64_t authority_not_before(const X509 *cert)
{
	return to_sec(X509_get0_notBefore(cert));
}

int64_t authority_not_after(const X509 *cert)
{
	return to_sec(X509_get0_notAfter(cert));
}

int64_t authority_created(const X509 *cert)
{
	int64_t t = authority_not_before(cert);

	return t == INT64_MIN ? t : t + AUTHORITY_BACKDATE_SEC;
}

int64_t authority_renew_at(const X509 *cert)
{
	int64_t from = authority_created(cert), to = authority_not_after(cert);

	return from == INT64_MIN || to <= from
		       ? to
		       : from + (to - from) / 3 * 2 + (to - from) % 3 * 2 / 3;
}

static int check_time(const X509 *cert, int64_t now_sec, struct error *err)
{
	int64_t from = authority_not_before(cert), to = authority_not_after(cert);

	if (from == INT64_MIN || to == INT64_MIN)
		return error_set(err, -EBADMSG, "its validity cannot be read");
	if (now_sec < from)
		return error_set(err, -EBADMSG, "not valid for another %lld seconds",
			(long long)(from - now_sec));
	if (now_sec > to)
		return error_set(
			err, -EBADMSG, "expired %lld seconds ago", (long long)(now_sec - to));
	return 0;
}

int authority_check_ca(X509 *cert, int64_t now_sec, struct error *err)
{
	int r = check_time(cert, now_sec, err);

	if (r < 0)
		return r;
	/* 1: a version 3 certificate whose basic constraints say so; more is OpenSSL's leniency. */
	if (X509_check_ca(cert) != 1)
		return error_set(err, -EBADMSG, "not an authority");
	if (!authority_issued(cert, cert))
		return error_set(err, -EBADMSG, "not self-signed");
	return 0;
}

bool authority_issued(X509 *ca, X509 *cert)
{
	bool ok = X509_check_issued(ca, cert) == X509_V_OK &&
		  X509_verify(cert, X509_get0_pubkey(ca)) == 1;

	ERR_clear_error();
	return ok;
}

/* between: those that may stand between leaf and root, borrowed; NULL: none. */
static int verify_chain(X509 *leaf, STACK_OF(X509) * between, const struct bundle *roots,
	unsigned long flags, int64_t now_sec, struct error *err)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int r = 0;

	for (size_t i = 0; store && i < roots->n; i++)
		if (!X509_STORE_add_cert(store, roots->cert[i]))
			r = -ENOMEM;
	if (!store || !ctx || r < 0 || !X509_STORE_CTX_init(ctx, store, leaf, between) ||
		!X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER)) {
		r = error_oom(err);
	} else {
		X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now_sec);
		X509_STORE_CTX_set_flags(ctx, flags);
		if (X509_verify_cert(ctx) != 1)
			r = error_set(err, -EBADMSG, "%s",
				X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

int authority_check_leaf(X509 *leaf, const struct bundle *roots,
	const struct authority_names *names, int64_t now_sec, struct error *err)
{
	int r = check_time(leaf, now_sec, err);

	if (r == 0)
		r = verify_chain(leaf, NULL, roots, 0, now_sec, err);
	for (size_t i = 0; r == 0 && names && i < AUTHORITY_NAMES_MAX; i++)
		if (X509_check_host(leaf, names->name[i], 0,
			    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS,
			    NULL) != 1)
			r = error_set(err, -EBADMSG, "not for the name %s", names->name[i]);
	ERR_clear_error();
	return r;
}

int authority_check_chain(const struct bundle *chain, const struct bundle *roots, const char *name,
	int64_t now_sec, struct error *err)
{
	STACK_OF(X509) *between = sk_X509_new_null();
	X509 *leaf = chain->cert[0];
	int r = between ? check_time(leaf, now_sec, err) : error_oom(err);

	for (size_t i = 1; r == 0 && i < chain->n; i++)
		if (!sk_X509_push(between, chain->cert[i]))
			r = error_oom(err);
	if (r == 0)
		r = verify_chain(leaf, between, roots, X509_V_FLAG_PARTIAL_CHAIN, now_sec, err);
	if (r == 0 && X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
		r = error_set(err, -EBADMSG, "not for the name %s", name);
	sk_X509_free(between);
	ERR_clear_error();
	return r;
}

bool authority_key_matches(X509 *cert, EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	/* X509_check_private_key compares public halves alone. */
	bool ok =
		ctx && X509_check_private_key(cert, key) == 1 && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

int authority_no_passphrase(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

int authority_read_key(EVP_PKEY **ret_key, struct span pem, struct error *err)
{
	EVP_PKEY *key;
	BIO *in;

	if (pem.len == 0 || pem.len > AUTHORITY_KEY_PEM_MAX)
		return error_set(
			err, -EBADMSG, "%s", pem.len ? "too long for a private key" : "empty");
	in = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!in)
		return error_oom(err);
	key = PEM_read_bio_PrivateKey(in, NULL, authority_no_passphrase, NULL);
	BIO_free(in);
	ERR_clear_error();
	if (!key)
		return error_set(err, -EBADMSG, "no PEM private key without a passphrase");
	*ret_key = key;
	return 0;
}

int authority_write_key(struct secret *ret, EVP_PKEY *key, struct error *err)
{
	/* Grows by copy and cleanse, and is cleansed when freed. */
	BIO *mem = BIO_new(BIO_s_secmem());
	char *p;
	int r;

	if (!mem)
		return error_oom(err);
	if (!PEM_write_bio_PKCS8PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL)) {
		r = openssl_failed(err, -EIO, "writing a private key");
	} else {
		long n = BIO_get_mem_data(mem, &p);

		r = secret_copy(ret, (struct span){p, (size_t)n});
		if (r < 0)
			error_oom(err);
	}
	BIO_free(mem);
	return r;
}
