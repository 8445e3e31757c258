/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/crl.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "common/tee/cert_key.h"
#include "common/tee/der.h"
#include "common/tee/pem.h"

static const char *const known_critical[] = {
	"2.5.29.20", /* cRLNumber */
	"2.5.29.35", /* authorityKeyIdentifier */
	NULL,
};
/* Of an entry: none. certificateIssuer (an indirect list) is critical, thus refused. */
static const char *const known_critical_entry[] = {NULL};

static int read_x509(struct crl *c, struct error *err)
{
	const unsigned char *p = c->der;
	unsigned char *again = NULL;
	int len;

	c->x509 = X509_CRL_new_ex(x509_context(), NULL);
	if (!x509_context() || !c->x509)
		return error_oom(err);
	if (!d2i_X509_CRL(&c->x509, &p, (long)c->der_len) || p != c->der + c->der_len)
		return error_set(err, -EBADMSG, "it is none");
	len = i2d_re_X509_CRL_tbs(c->x509, &again);
	return x509_frame_check(&c->frame, again, len, err);
}

static int read_number(struct crl *c, struct error *err)
{
	int i = X509_CRL_get_ext_by_NID(c->x509, NID_crl_number, -1);
	const ASN1_OCTET_STRING *s;
	struct span in, content;
	int64_t n = 0;

	c->number = -1;
	if (i < 0)
		return 0;
	s = X509_EXTENSION_get_data(X509_CRL_get_ext(c->x509, i));
	in = (struct span){(const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
	if (!der_take(&in, DER_INTEGER, &content) || in.len || content.len < 1 ||
		content.len > sizeof(n) || content.p[0] & 0x80)
		return error_set(err, -EBADMSG, "its number is none between 0 and 2^63-1");
	for (size_t j = 0; j < content.len; j++)
		n = n << 8 | (unsigned char)content.p[j];
	c->number = n;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct crl_serial *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->bytes, y->bytes, x->len);
}

static int read_entry(struct crl_serial *ret, const X509_REVOKED *entry, struct error *err)
{
	size_t len;
	int r = x509_serial(
		ret->bytes, sizeof(ret->bytes), &len, X509_REVOKED_get0_serialNumber(entry), err);

	if (r < 0)
		return r;
	ret->len = (unsigned char)len;
	return x509_check_extensions(
		X509_REVOKED_get0_extensions(entry), known_critical_entry, err);
}

static int read_entries(struct crl *c, struct error *err)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(c->x509);
	int n = sk_X509_REVOKED_num(entries);

	if (n <= 0)
		return 0;
	c->revoked = calloc((size_t)n, sizeof(*c->revoked));
	if (!c->revoked)
		return error_oom(err);
	for (int i = 0; i < n; i++) {
		int r = read_entry(&c->revoked[i], sk_X509_REVOKED_value(entries, i), err);

		if (r < 0)
			return error_prefix(err, r, "entry %d", i + 1);
	}
	c->n_revoked = (size_t)n;
	qsort(c->revoked, c->n_revoked, sizeof(*c->revoked), compare);
	return 0;
}

static int read_fields(struct crl *c, struct error *err)
{
	int r = x509_common_name(c->issuer, sizeof(c->issuer), X509_CRL_get_issuer(c->x509), err);

	if (r < 0)
		return r;
	r = x509_time(&c->this_update, X509_CRL_get0_lastUpdate(c->x509), err);
	if (r < 0)
		return r;
	if (!X509_CRL_get0_nextUpdate(c->x509))
		return error_set(err, -EBADMSG, "it does not say until when it holds");
	return x509_time(&c->next_update, X509_CRL_get0_nextUpdate(c->x509), err);
}

static int read_all(struct crl *c, struct error *err)
{
	struct span der = {(const char *)c->der, c->der_len};
	int r = x509_frame_read(&c->frame, der, err);

	if (r == 0)
		r = read_x509(c, err);
	if (r == 0)
		r = read_fields(c, err);
	if (r == 0)
		r = x509_check_extensions(X509_CRL_get0_extensions(c->x509), known_critical, err);
	if (r == 0 &&
		(X509_CRL_get_ext_by_NID(c->x509, NID_delta_crl, -1) >= 0 ||
			X509_CRL_get_ext_by_NID(c->x509, NID_issuing_distribution_point, -1) >= 0))
		r = error_set(err, -EBADMSG, "it is a delta, or for a part of the certificates");
	if (r == 0)
		r = read_number(c, err);
	if (r == 0)
		r = read_entries(c, err);
	return r;
}

static int parse_der(struct crl **ret_c, struct span der, struct error *err)
{
	_cleanup_(crl_unref_p) struct crl *c = NULL;
	int r;

	if (der.len > CRL_DER_MAX)
		return error_set(err, -E2BIG, "a revocation list has %zu bytes, more than %d",
			der.len, CRL_DER_MAX);
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
		return c->issuer[0] ? error_prefix(err, r, "revocation list of \"%s\"", c->issuer)
				    : error_prefix(err, r, "revocation list");
	*ret_c = TAKE_PTR(c);
	return 0;
}

int crl_parse(struct crl **ret_c, struct span der_or_pem, struct error *err)
{
	_cleanup_buf_ struct buf der = BUF_INIT(CRL_DER_MAX);
	size_t len;
	int r;

	if (!pem_is(der_or_pem))
		return parse_der(ret_c, der_or_pem, err);
	r = pem_next(&der_or_pem, "X509 CRL", &der, err);
	if (r < 0)
		return r;
	len = der.len;
	r = pem_next(&der_or_pem, "X509 CRL", &der, err);
	if (r < 0)
		return r;
	if (r > 0)
		return error_set(err, -EBADMSG, "there is more than one revocation list");
	return parse_der(ret_c, (struct span){der.p, len}, err);
}

struct crl *crl_ref(struct crl *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void crl_unref(struct crl *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
		return;
	X509_CRL_free(c->x509);
	free(c->revoked);
	free(c);
}

int crl_check_issued(const struct crl *c, struct cert *issuer, struct error *err)
{
	int r;

	if (!issuer->signs_crls)
		r = error_set(err, -EKEYREJECTED, "\"%s\" may not sign revocation lists",
			issuer->subject);
	else
		r = cert_check_frame(&c->frame, X509_CRL_get_issuer(c->x509), issuer, err);
	return r < 0 ? error_prefix(err, r, "revocation list of \"%s\"", c->issuer) : 0;
}

bool crl_revokes(const struct crl *c, const struct cert *cert)
{
	return crl_revokes_serial(c, cert->serial, cert->serial_len);
}

bool crl_revokes_serial(const struct crl *c, const unsigned char *serial, size_t len)
{
	struct crl_serial key = {.len = (unsigned char)len};

	memcpy(key.bytes, serial, len);
	return c->n_revoked &&
	       bsearch(&key, c->revoked, c->n_revoked, sizeof(*c->revoked), compare);
}
