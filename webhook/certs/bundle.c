/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/bundle.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "webhook/certs/authority.h"

/* A cut bundle must not pass for a shorter one. */
static bool ends_well(struct span pem)
{
	static const char end[] = "-----END ";
	const char *last = NULL, *p = pem.p;
	size_t left = pem.len;

	while ((p = memmem(p, left, end, sizeof(end) - 1))) {
		last = p++;
		left = (size_t)(pem.p + pem.len - p);
	}
	if (!last)
		return false;
	p = memmem(last + sizeof(end) - 1, (size_t)(pem.p + pem.len - last) - (sizeof(end) - 1),
		"-----", 5);
	if (!p)
		return false;
	for (p += 5; p < pem.p + pem.len; p++)
		if (!strchr(" \t\r\n", *p) || *p == '\0')
			return false;
	return true;
}

static int read_all(struct bundle *b, BIO *in, struct error *err)
{
	for (size_t i = 0;; i++) {
		X509 *cert = PEM_read_bio_X509(in, NULL, credential_no_passphrase, NULL);
		int r;

		if (!cert) {
			unsigned long e = ERR_peek_last_error();

			if (i > 0 && ERR_GET_LIB(e) == ERR_LIB_PEM &&
				ERR_GET_REASON(e) == PEM_R_NO_START_LINE)
				return 0;
			return error_set(
				err, -EBADMSG, "PEM certificate %zu cannot be read", i + 1);
		}
		r = bundle_add(b, cert, false);
		X509_free(cert);
		if (r < 0)
			return error_set(
				err, -EBADMSG, "more than %d PEM certificates", BUNDLE_MAX);
	}
}

int bundle_read(struct bundle *b, struct span pem, struct error *err)
{
	BIO *in;
	int r;

	if (pem.len > BUNDLE_PEM_MAX)
		return error_set(err, -EBADMSG, "longer than %d bytes", BUNDLE_PEM_MAX);
	if (!ends_well(pem))
		return error_set(err, -EBADMSG, "does not end with a PEM certificate");
	in = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!in)
		return error_oom(err);
	r = read_all(b, in, err);
	BIO_free(in);
	ERR_clear_error();
	if (r < 0)
		bundle_free(b);
	return r;
}

int bundle_write(const struct bundle *b, struct buf *out)
{
	BIO *mem = BIO_new(BIO_s_mem());
	int r = mem ? 0 : -ENOMEM;
	char *p;

	for (size_t i = 0; i < b->n && r == 0; i++)
		r = PEM_write_bio_X509(mem, b->cert[i]) ? 0 : -ENOMEM;
	if (r == 0) {
		long n = BIO_get_mem_data(mem, &p);

		r = buf_add(out, p, (size_t)n);
	}
	BIO_free(mem);
	ERR_clear_error();
	return r;
}

int bundle_add(struct bundle *b, X509 *cert, bool first)
{
	size_t at = first ? 0 : b->n;

	if (bundle_has(b, cert))
		return 0;
	if (b->n == BUNDLE_MAX)
		return -ENOBUFS;
	X509_up_ref(cert);
	memmove(b->cert + at + 1, b->cert + at, (b->n - at) * sizeof(b->cert[0]));
	b->cert[at] = cert;
	b->n++;
	return 0;
}

bool bundle_has(const struct bundle *b, const X509 *cert)
{
	for (size_t i = 0; i < b->n; i++)
		if (X509_cmp(b->cert[i], cert) == 0)
			return true;
	return false;
}

bool bundle_has_all(const struct bundle *b, const struct bundle *of)
{
	for (size_t i = 0; i < of->n; i++)
		if (!bundle_has(b, of->cert[i]))
			return false;
	return true;
}

void bundle_remove(struct bundle *b, size_t i)
{
	X509_free(b->cert[i]);
	b->n--;
	memmove(b->cert + i, b->cert + i + 1, (b->n - i) * sizeof(b->cert[0]));
	b->cert[b->n] = NULL;
}

int bundle_union(struct bundle *b, const struct bundle *other)
{
	int r = 0;

	for (size_t i = 0; i < other->n; i++)
		if (bundle_add(b, other->cert[i], false) < 0)
			r = -ENOBUFS;
	return r;
}

size_t bundle_drop_expired(struct bundle *b, int64_t now_sec)
{
	size_t before = b->n;

	for (size_t i = b->n; i-- > 0;)
		if (credential_not_after(b->cert[i]) < now_sec)
			bundle_remove(b, i);
	return before - b->n;
}

void bundle_copy(struct bundle *to, const struct bundle *from)
{
	*to = *from;
	for (size_t i = 0; i < to->n; i++)
		X509_up_ref(to->cert[i]);
}

void bundle_free(struct bundle *b)
{
	while (b->n > 0)
		bundle_remove(b, b->n - 1);
}
