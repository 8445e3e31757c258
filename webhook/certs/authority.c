/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/base/cleanup.h"

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

int authority_make_ca(
	struct credential *ret, int64_t now_sec, int64_t lifetime_sec, struct error *err)
{
	_cleanup_credential_ struct credential ca = {0};
	int r;

	if (lifetime_sec <= 0)
		return error_set(err, -EINVAL, "a certificate authority needs a lifetime");
	r = credential_begin(&ca, "Casemate admission CA", now_sec, now_sec + lifetime_sec, err);
	if (r < 0)
		return r;
	if (!X509_set_issuer_name(ca.cert, X509_get_subject_name(ca.cert)) ||
		!credential_add_ext(ca.cert, ca.cert, NID_basic_constraints,
			"critical,CA:TRUE,pathlen:0") ||
		!credential_add_ext(
			ca.cert, ca.cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
		!credential_add_ext(ca.cert, ca.cert, NID_subject_key_identifier, "hash") ||
		!X509_sign(ca.cert, ca.key, EVP_sha256()))
		return credential_openssl_failed(err, -EIO, "making a certificate authority");
	*ret = ca;
	ca = (struct credential){0};
	return 0;
}

static bool sign_leaf(
	struct credential *leaf, const struct credential *ca, const struct authority_names *names)
{
	X509 *cert = leaf->cert;

	return X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) &&
	       credential_add_ext(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       credential_add_ext(cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	       credential_add_ext(cert, ca->cert, NID_ext_key_usage, "serverAuth") &&
	       credential_add_ext(cert, ca->cert, NID_subject_key_identifier, "hash") &&
	       credential_add_ext(
		       cert, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	       add_names(cert, names) && X509_sign(cert, ca->key, EVP_sha256());
}

int authority_make_leaf(struct credential *ret, const struct credential *ca,
	const struct authority_names *names, int64_t now_sec, int64_t lifetime_sec,
	struct error *err)
{
	_cleanup_credential_ struct credential leaf = {0};
	int64_t end = credential_not_after(ca->cert);
	int r;

	if (now_sec + lifetime_sec < end)
		end = now_sec + lifetime_sec;
	if (end <= now_sec)
		return error_set(err, -EINVAL,
			"a server certificate would be over before it begins: its authority ends "
			"at "
			"%lld, now is %lld",
			(long long)credential_not_after(ca->cert), (long long)now_sec);
	r = credential_begin(&leaf, "Casemate admission webhook", now_sec, end, err);
	if (r < 0)
		return r;
	if (!sign_leaf(&leaf, ca, names))
		return credential_openssl_failed(err, -EIO, "making a server certificate");
	*ret = leaf;
	leaf = (struct credential){0};
	return 0;
}

int64_t authority_created(const X509 *cert)
{
	int64_t t = credential_not_before(cert);

	return t == INT64_MIN ? t : t + CREDENTIAL_BACKDATE_SEC;
}

int64_t authority_renew_at(const X509 *cert)
{
	int64_t from = authority_created(cert), to = credential_not_after(cert);

	return from == INT64_MIN || to <= from
		       ? to
		       : from + (to - from) / 3 * 2 + (to - from) % 3 * 2 / 3;
}

static int check_time(const X509 *cert, int64_t now_sec, struct error *err)
{
	int64_t from = credential_not_before(cert), to = credential_not_after(cert);

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
