/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/x509_read.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "common/base/clock.h"
#include "common/tee/der.h"

static OSSL_LIB_CTX *context; /* kept for the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_context(void)
{
	context = OSSL_LIB_CTX_new();
	if (context && !OSSL_PROVIDER_load(context, "null")) {
		OSSL_LIB_CTX_free(context);
		context = NULL;
	}
}

OSSL_LIB_CTX *x509_context(void)
{
	pthread_once(&once, make_context);
	return context;
}

/* The algorithm named inside: behind [0] version of a certificate, and behind an INTEGER: the
 * serial number of a certificate, the version of a list. */
static bool inner_algorithm(struct span tbs, struct span *ret)
{
	struct span body, passed;

	if (!der_take(&tbs, DER_SEQUENCE, &body))
		return false;
	der_take(&body, 0xa0, &passed);
	return der_take(&body, DER_INTEGER, &passed) && der_take_whole(&body, DER_SEQUENCE, ret);
}

int x509_frame_read(struct x509_frame *ret, struct span der, struct error *err)
{
	struct x509_frame f;
	struct span whole, bits, inner;

	if (!der_take(&der, DER_SEQUENCE, &whole) || der.len ||
		!der_take_whole(&whole, DER_SEQUENCE, &f.tbs) ||
		!der_take_whole(&whole, DER_SEQUENCE, &f.algorithm) ||
		!der_take(&whole, DER_BIT_STRING, &bits) || whole.len)
		return error_set(err, -EBADMSG, "it is not DER, or something is behind it");
	if (bits.len < 1 || bits.p[0] != 0)
		return error_set(err, -EBADMSG, "its signature is not a whole number of bytes");
	if (!inner_algorithm(f.tbs, &inner) || !span_equal(inner, f.algorithm))
		return error_set(err, -EBADMSG,
			"the signature algorithms inside and outside of what is signed differ");
	f.signature = (struct span){bits.p + 1, bits.len - 1};
	*ret = f;
	return 0;
}

#define OID_SHA384 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02"
#define OID_PSS    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
#define OID_MGF1   "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
/* SHA-384, MGF1 with SHA-384, a salt of 48; NULL parameters as AMD writes them */
#define PSS_PARAMETERS                                                                             \
	"\xa0\x0f\x30\x0d" OID_SHA384 "\x05\x00\xa1\x1c\x30\x1a" OID_MGF1 "\x30\x0d" OID_SHA384    \
	"\x05\x00\xa2\x03\x02\x01\x30"

/* Whole AlgorithmIdentifiers: no parameter is left to interpretation. */
static const struct {
	struct span algorithm;
	enum x509_key kind;
} algorithms[] = {
	{SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), X509_KEY_P256},
	{SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"), X509_KEY_P384},
	{SPAN_LIT("\x30\x41" OID_PSS "\x30\x34" PSS_PARAMETERS), X509_KEY_RSA},
	/* most of AMD's name the trailer field, which DER leaves out */
	{SPAN_LIT("\x30\x46" OID_PSS "\x30\x39" PSS_PARAMETERS "\xa3\x03\x02\x01\x01"),
		X509_KEY_RSA},
};

static bool algorithm_fits(struct span algorithm, enum x509_key kind)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (span_equal(algorithm, algorithms[i].algorithm))
			return algorithms[i].kind == kind;
	return false;
}

int x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err)
{
	const char *md = kind == X509_KEY_P256 ? "SHA256" : "SHA384";
	EVP_PKEY_CTX *pctx; /* the other context's */
	EVP_MD_CTX *ctx;
	int r = 1;

	if (!algorithm_fits(f->algorithm, kind))
		return error_set(err, -EKEYREJECTED,
			"its signature algorithm is not the one that its issuer's key is for");
	ERR_set_mark();
	ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestVerifyInit_ex(ctx, &pctx, md, NULL, NULL, key, NULL) != 1)
		r = -ENOMEM;
	else if (kind == X509_KEY_RSA &&
		 (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
			 EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 48) != 1))
		r = -ENOMEM;
	if (r > 0)
		r = EVP_DigestVerify(ctx, (const unsigned char *)f->signature.p, f->signature.len,
			    (const unsigned char *)f->tbs.p, f->tbs.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_pop_to_mark();
	if (r < 0)
		return error_oom(err);
	return r ? 0
		 : error_set(err, -EKEYREJECTED, "its signature is not that of its issuer's key");
}

int x509_common_name(char *ret, size_t size, const X509_NAME *name, struct error *err)
{
	const ASN1_STRING *cn = NULL;
	size_t len;

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e);

		if (memchr(ASN1_STRING_get0_data(s), 0, (size_t)ASN1_STRING_length(s)))
			return error_set(err, -EBADMSG, "a name has a NUL in it");
		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(e)) != NID_commonName)
			continue;
		if (cn)
			return error_set(err, -EBADMSG, "a name has two common names");
		cn = s;
	}
	len = cn ? (size_t)ASN1_STRING_length(cn) : 0;
	if (len >= size)
		return error_set(err, -EBADMSG, "a common name is longer than %zu bytes", size - 1);
	if (len)
		memcpy(ret, ASN1_STRING_get0_data(cn), len);
	ret[len] = '\0';
	return 0;
}

int x509_time(int64_t *ret, const ASN1_TIME *t, struct error *err)
{
	const char *p = (const char *)ASN1_STRING_get0_data(t);
	size_t year = ASN1_STRING_type(t) == V_ASN1_UTCTIME ? 2 : 4;
	char text[sizeof("2006-01-02T15:04:05Z")];
	int64_t usec;

	if ((size_t)ASN1_STRING_length(t) != year + 11 || p[year + 10] != 'Z')
		return error_set(err, -EBADMSG, "a time is not in the form that RFC 5280 wants");
	memcpy(text, p[0] >= '5' ? "19" : "20", 2);
	memcpy(text + 4 - year, p, year);
	p += year;
	memcpy(text + 4, "-MM-DDTHH:MM:SSZ", sizeof("-MM-DDTHH:MM:SSZ"));
	for (size_t i = 0; i < 5; i++)
		memcpy(text + 5 + 3 * i, p + 2 * i, 2);
	if (clock_parse(span_str(text), &usec) < 0)
		return error_set(err, -EBADMSG, "a time is none");
	*ret = usec / USEC_PER_SEC;
	return 0;
}

int x509_serial(
	unsigned char *ret, size_t max, size_t *ret_len, const ASN1_INTEGER *n, struct error *err)
{
	const unsigned char *p = ASN1_STRING_get0_data(n);
	size_t len = (size_t)ASN1_STRING_length(n);

	if (ASN1_STRING_type(n) != V_ASN1_INTEGER)
		return error_set(err, -EBADMSG, "a serial number is negative");
	while (len && p[0] == 0) {
		p++;
		len--;
	}
	if (len > max)
		return error_set(err, -EBADMSG, "a serial number has more than %zu bytes", max);
	if (len)
		memcpy(ret, p, len);
	*ret_len = len;
	return 0;
}

static bool is_known(const ASN1_OBJECT *o, const char *const known[])
{
	char oid[80];
	int n = OBJ_obj2txt(oid, sizeof(oid), o, 1);

	for (; n > 0 && n < (int)sizeof(oid) && *known; known++) {
		size_t len = strlen(*known);

		if (strncmp(oid, *known, len) == 0 && ((*known)[len - 1] == '.' || !oid[len]))
			return true;
	}
	return false;
}

int x509_frame_check(
	const struct x509_frame *f, unsigned char *again, int len, struct error *err)
{
	bool same = len > 0 && (size_t)len == f->tbs.len &&
		    memcmp(again, f->tbs.p, (size_t)len) == 0;

	OPENSSL_free(again);
	return same ? 0 : error_set(err, -EBADMSG, "it is not in DER");
}

int x509_check_extensions(
	const STACK_OF(X509_EXTENSION) * extensions, const char *const known[], struct error *err)
{
	int n = X509v3_get_ext_count(extensions);

	if (n > X509_EXTENSIONS_MAX)
		return error_set(
			err, -EBADMSG, "it has more than %d extensions", X509_EXTENSIONS_MAX);
	for (int i = 0; i < n; i++) {
		X509_EXTENSION *x = X509v3_get_ext(extensions, i);
		const ASN1_OBJECT *o = X509_EXTENSION_get_object(x);
		char oid[80] = "?";

		if (X509v3_get_ext_by_OBJ(extensions, o, i) >= 0) {
			OBJ_obj2txt(oid, sizeof(oid), o, 1);
			return error_set(err, -EBADMSG, "it has the extension %s twice", oid);
		}
		if (X509_EXTENSION_get_critical(x) && !is_known(o, known)) {
			OBJ_obj2txt(oid, sizeof(oid), o, 1);
			return error_set(err, -EBADMSG,
				"its critical extension %s is none that Casemate knows", oid);
		}
	}
	return 0;
}
