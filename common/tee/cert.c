/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/cert.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "common/tee/cert_key.h"
#include "common/tee/pem.h"

static const char *const known_critical[] = {
	"2.5.29.14",             /* subjectKeyIdentifier */
	"2.5.29.15",             /* keyUsage */
	"2.5.29.19",             /* basicConstraints */
	"2.5.29.31",             /* cRLDistributionPoints */
	"2.5.29.35",             /* authorityKeyIdentifier */
	"2.5.29.37",             /* extKeyUsage: who signs for what is said by names */
	"1.2.840.113741.1.13.1", /* SGX; critical in Intel's samples */
	"1.3.6.1.4.1.3704.1.",   /* SEV */
	NULL,
};

/* Reads into c->x509; what came is what OpenSSL would write. */
static int read_x509(struct cert *c, struct error *err)
{
	const unsigned char *p = c->der;
	unsigned char *again = NULL;
	int len;

	c->x509 = X509_new_ex(x509_context(), NULL);
	if (!x509_context() || !c->x509)
		return error_oom(err);
	if (!d2i_X509(&c->x509, &p, (long)c->der_len) || p != c->der + c->der_len)
		return error_set(err, -EBADMSG, "it is no certificate");
	len = i2d_re_X509_tbs(c->x509, &again);
	return x509_frame_check(&c->frame, again, len, err);
}

static int read_fields(struct cert *c, struct error *err)
{
	int r = x509_common_name(
		c->subject, sizeof(c->subject), X509_get_subject_name(c->x509), err);

	if (r == 0)
		r = x509_common_name(
			c->issuer, sizeof(c->issuer), X509_get_issuer_name(c->x509), err);
	if (r == 0)
		r = x509_time(&c->not_before, X509_get0_notBefore(c->x509), err);
	if (r == 0)
		r = x509_time(&c->not_after, X509_get0_notAfter(c->x509), err);
	if (r == 0)
		r = x509_serial(c->serial, sizeof(c->serial), &c->serial_len,
			X509_get0_serialNumber(c->x509), err);
	return r;
}

/* basicConstraints and keyUsage. */
static int read_usage(struct cert *c, struct error *err)
{
	int has_basic, has_usage;
	BASIC_CONSTRAINTS *basic =
		X509_get_ext_d2i(c->x509, NID_basic_constraints, &has_basic, NULL);
	ASN1_BIT_STRING *usage = X509_get_ext_d2i(c->x509, NID_key_usage, &has_usage, NULL);
	bool ok = (basic || has_basic == -1) && (usage || has_usage == -1);

	c->ca = basic && basic->ca;
	c->signs_certs = c->ca && (!usage || ASN1_BIT_STRING_get_bit(usage, 5) == 1);
	c->signs_crls = c->ca && (!usage || ASN1_BIT_STRING_get_bit(usage, 6) == 1);
	BASIC_CONSTRAINTS_free(basic);
	ASN1_BIT_STRING_free(usage);
	return ok ? 0 : error_set(err, -EBADMSG, "its basicConstraints or keyUsage cannot be read");
}

static int read_all(struct cert *c, struct error *err)
{
	struct span der = {(const char *)c->der, c->der_len};
	int r = x509_frame_read(&c->frame, der, err);

	if (r == 0)
		r = read_x509(c, err);
	if (r == 0 && X509_get_version(c->x509) != X509_VERSION_3)
		r = error_set(err, -EBADMSG, "it is not of version 3");
	if (r == 0)
		r = read_fields(c, err);
	if (r == 0)
		r = x509_check_extensions(X509_get0_extensions(c->x509), known_critical, err);
	if (r == 0)
		r = read_usage(c, err);
	if (r == 0)
		r = cert_key_read(&c->key_kind, &c->key_bits, X509_get_X509_PUBKEY(c->x509), err);
	return r;
}

int cert_parse_der(struct cert **ret_c, struct span der, struct error *err)
{
	return cert_parse_der_max(ret_c, CERT_DER_MAX, der, err);
}

int cert_parse_der_max(struct cert **ret_c, size_t max, struct span der, struct error *err)
{
	_cleanup_(cert_unref_p) struct cert *c = NULL;
	int r;

	if (der.len > max)
		return error_set(
			err, -E2BIG, "a certificate has %zu bytes, more than %zu", der.len, max);
	c = calloc(1, sizeof(*c) + der.len);
	if (!c)
		return error_oom(err);
	c->refs = 1;
	c->der_len = der.len;
	if (der.len)
		memcpy(c->der, der.p, der.len);
	if (!SHA256(c->der, c->der_len, c->digest))
		return error_oom(err);
	ERR_set_mark();
	r = read_all(c, err);
	ERR_pop_to_mark();
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return c->subject[0] ? error_prefix(err, r, "certificate \"%s\"", c->subject)
				     : error_prefix(err, r, "certificate");
	*ret_c = TAKE_PTR(c);
	return 0;
}

int cert_parse_der_known(struct cert **ret_c, struct span der, struct cert *const known[],
	size_t n_known, struct error *err)
{
	for (size_t i = 0; i < n_known; i++) {
		if (known[i] && span_equal(cert_der(known[i]), der)) {
			*ret_c = cert_ref(known[i]);
			return 0;
		}
	}
	return cert_parse_der(ret_c, der, err);
}

/* The next certificate of *pem: 1, or 0 at its end. */
static int next_cert(struct cert **ret, struct span *pem, struct cert *const known[],
	size_t n_known, struct error *err)
{
	_cleanup_buf_ struct buf der = BUF_INIT(CERT_DER_MAX);
	int r = pem_next(pem, "CERTIFICATE", &der, err);

	if (r <= 0)
		return r;
	r = cert_parse_der_known(ret, buf_view(&der), known, n_known, err);
	return r < 0 ? r : 1;
}

int cert_parse_pem(struct cert *ret_c[], size_t max, struct span pem, struct error *err)
{
	return cert_parse_pem_known(ret_c, max, pem, NULL, 0, err);
}

int cert_parse_pem_known(struct cert *ret_c[], size_t max, struct span pem,
	struct cert *const known[], size_t n_known, struct error *err)
{
	size_t n = 0;
	int r;

	for (;;) {
		struct cert *c = NULL;

		r = next_cert(&c, &pem, known, n_known, err);
		if (r < 0)
			r = error_prefix(err, r, "certificate %zu", n + 1);
		if (r <= 0)
			break;
		if (n == max) {
			cert_unref(c);
			r = error_set(err, -E2BIG, "there are more than %zu certificates", max);
			break;
		}
		ret_c[n++] = c;
	}
	if (r == 0 && n == 0)
		r = error_set(err, -EBADMSG, "there is no certificate");
	while (r < 0 && n) {
		cert_unref(ret_c[--n]);
		ret_c[n] = NULL;
	}
	return r < 0 ? r : (int)n;
}

struct cert *cert_ref(struct cert *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void cert_unref(struct cert *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
		return;
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	cert_unref(c->issued_by);
	free(c);
}

EVP_PKEY *cert_key(struct cert *c)
{
	EVP_PKEY *key = __atomic_load_n(&c->key, __ATOMIC_ACQUIRE), *none = NULL;

	if (key)
		return key;
	key = cert_key_make(c->key_kind, c->key_bits);
	if (!key)
		return NULL;
	if (__atomic_compare_exchange_n(
		    &c->key, &none, key, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return key;
	EVP_PKEY_free(key);
	return none; /* another thread's */
}

struct span cert_der(const struct cert *c)
{
	return (struct span){(const char *)c->der, c->der_len};
}

static struct span name_der(const X509_NAME *name)
{
	const unsigned char *p;
	size_t len;

	return X509_NAME_get0_der(name, &p, &len) ? (struct span){(const char *)p, len} : SPAN_NONE;
}

int cert_check_frame(const struct x509_frame *f, const X509_NAME *issuer_name, struct cert *issuer,
	struct error *err)
{
	struct span named = name_der(issuer_name),
		    name = name_der(X509_get_subject_name(issuer->x509));
	EVP_PKEY *key;

	if (!named.len || !span_equal(named, name))
		return error_set(
			err, -EKEYREJECTED, "it names another issuer than \"%s\"", issuer->subject);
	key = cert_key(issuer);
	if (!key)
		return error_set(err, -EKEYREJECTED, "the key of its issuer \"%s\" is none",
			issuer->subject);
	return x509_frame_verify(f, issuer->key_kind, key, err);
}

/* Neither ever changes, so what is true of them stays true; that it is known is no change either.
 */
static void remember_issuer(const struct cert *certificate, struct cert *issuer)
{
	struct cert *c = (struct cert *)certificate, *none = NULL;

	if (c == issuer)
		return; /* it would keep itself */
	cert_ref(issuer);
	if (!__atomic_compare_exchange_n(
		    &c->issued_by, &none, issuer, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		cert_unref(issuer);
}

int cert_check_issued(const struct cert *c, struct cert *issuer, struct error *err)
{
	int r;

	if (__atomic_load_n(&c->issued_by, __ATOMIC_ACQUIRE) == issuer)
		return 0;
	if (!issuer->signs_certs)
		r = error_set(
			err, -EKEYREJECTED, "\"%s\" may not sign certificates", issuer->subject);
	else
		r = cert_check_frame(&c->frame, X509_get_issuer_name(c->x509), issuer, err);
	if (r < 0)
		return error_prefix(err, r, "certificate \"%s\"", c->subject);
	remember_issuer(c, issuer);
	return 0;
}

struct span cert_extension(const struct cert *c, const char *oid)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	int i = o ? X509_get_ext_by_OBJ(c->x509, o, -1) : -1;
	const ASN1_OCTET_STRING *s;

	ASN1_OBJECT_free(o);
	if (i < 0)
		return SPAN_NONE;
	s = X509_EXTENSION_get_data(X509_get_ext(c->x509, i));
	return (struct span){(const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

bool cert_same(const struct cert *a, const struct cert *b)
{
	return a == b || span_equal(cert_der(a), cert_der(b));
}

bool cert_same_owner(const struct cert *a, const struct cert *b)
{
	return a->key_kind == b->key_kind && span_equal(a->key_bits, b->key_bits) &&
	       span_equal(name_der(X509_get_subject_name(a->x509)),
		       name_der(X509_get_subject_name(b->x509)));
}
