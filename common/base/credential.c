/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int credential_openssl_failed(struct error *err, int code, const char *what)
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

/* 127 random bits: RFC 5280 section 4.1.2.2 wants positive and at most 20 octets. */
static bool set_serial(X509 *cert)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		  BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;

	BN_free(n);
	return ok;
}

bool credential_add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
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

static bool fill(X509 *cert, const char *cn, EVP_PKEY *key, int64_t now_sec, int64_t not_after)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	       ASN1_TIME_set(X509_getm_notBefore(cert), now_sec - CREDENTIAL_BACKDATE_SEC) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), not_after) &&
	       X509_NAME_add_entry_by_txt(
		       subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) &&
	       X509_set_pubkey(cert, key);
}

int credential_begin(struct credential *ret, const char *cn, int64_t now_sec, int64_t not_after_sec,
	struct error *err)
{
	_cleanup_credential_ struct credential c = {
		.cert = X509_new(), .key = EVP_EC_gen("P-256")};

	if (!c.cert || !c.key || !fill(c.cert, cn, c.key, now_sec, not_after_sec))
		return credential_openssl_failed(err, -EIO, "making a certificate");
	*ret = c;
	c = (struct credential){0};
	return 0;
}

/* Goes into a line of OpenSSL's configuration language. */
static bool is_dns_name(const char *s)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = strlen(s);

	return n > 0 && n <= 64 && strspn(s, allowed) == n;
}

int credential_self_signed(struct credential *ret, const char *name, int64_t now_sec,
	int64_t lifetime_sec, struct error *err)
{
	_cleanup_credential_ struct credential c = {0};
	const char *cn = is_dns_name(name) ? name : "localhost";
	char san[80];
	int r = credential_begin(&c, cn, now_sec, now_sec + lifetime_sec, err);

	if (r < 0)
		return r;
	snprintf(san, sizeof(san), "DNS:%s", cn);
	if (!X509_set_issuer_name(c.cert, X509_get_subject_name(c.cert)) ||
		!credential_add_ext(c.cert, c.cert, NID_basic_constraints, "critical,CA:FALSE") ||
		!credential_add_ext(c.cert, c.cert, NID_key_usage, "critical,digitalSignature") ||
		!credential_add_ext(c.cert, c.cert, NID_ext_key_usage, "serverAuth") ||
		!credential_add_ext(c.cert, c.cert, NID_subject_key_identifier, "hash") ||
		!credential_add_ext(c.cert, c.cert, NID_subject_alt_name, san) ||
		!X509_sign(c.cert, c.key, EVP_sha256()))
		return credential_openssl_failed(err, -EIO, "making a self-signed certificate");
	*ret = c;
	c = (struct credential){0};
	return 0;
}

static int64_t to_sec(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : INT64_MIN;
}

int64_t credential_not_before(const X509 *cert)
{
	return to_sec(X509_get0_notBefore(cert));
}

int64_t credential_not_after(const X509 *cert)
{
	return to_sec(X509_get0_notAfter(cert));
}

int64_t credential_pem_not_after(struct span pem)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, credential_no_passphrase, NULL) : NULL;
	int64_t t = cert ? credential_not_after(cert) : INT64_MIN;

	X509_free(cert);
	BIO_free(in);
	ERR_clear_error();
	return t;
}

bool credential_key_matches(X509 *cert, EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	/* X509_check_private_key compares public halves alone. */
	bool ok =
		ctx && X509_check_private_key(cert, key) == 1 && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

int credential_no_passphrase(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

int credential_read_key(EVP_PKEY **ret_key, struct span pem, struct error *err)
{
	EVP_PKEY *key;
	BIO *in;

	if (pem.len == 0 || pem.len > CREDENTIAL_KEY_PEM_MAX)
		return error_set(
			err, -EBADMSG, "%s", pem.len ? "too long for a private key" : "empty");
	in = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!in)
		return error_oom(err);
	key = PEM_read_bio_PrivateKey(in, NULL, credential_no_passphrase, NULL);
	BIO_free(in);
	ERR_clear_error();
	if (!key)
		return error_set(err, -EBADMSG, "no PEM private key without a passphrase");
	*ret_key = key;
	return 0;
}

/* What was written to mem. */
static int take_written(struct secret *ret, BIO *mem, struct error *err)
{
	char *p;
	long n = BIO_get_mem_data(mem, &p);

	return secret_copy(ret, (struct span){p, (size_t)n}) < 0 ? error_oom(err) : 0;
}

int credential_read_file(struct secret *ret, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode) || st.st_size > CREDENTIAL_FILE_MAX)
		return error_set(
			err, -EBADMSG, "%s: not a file of at most %d bytes", path, CREDENTIAL_FILE_MAX);
	r = secret_init(ret, (size_t)st.st_size);
	if (r < 0)
		return error_oom(err);
	do {
		n = read(fd, ret->p + ret->len, ret->cap - ret->len);
		if (n < 0)
			return error_set(err, -errno, "%s: %m", path);
		ret->len += (size_t)n;
	} while (n > 0 && ret->len < ret->cap);
	return 0;
}

bool credential_seen_before(struct credential_seen *seen, const struct span *contents, size_t n)
{
	struct credential_seen now = {0};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool same = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	/* The lengths keep the boundaries apart. */
	for (size_t i = 0; same && i < n; i++)
		same = EVP_DigestUpdate(ctx, &contents[i].len, sizeof(contents[i].len)) &&
		       EVP_DigestUpdate(ctx, contents[i].p, contents[i].len);
	same = same && EVP_DigestFinal_ex(ctx, now.digest, NULL) &&
	       memcmp(now.digest, seen->digest, sizeof(now.digest)) == 0;
	EVP_MD_CTX_free(ctx);
	*seen = now;
	return same;
}

int credential_write_key(struct secret *ret, EVP_PKEY *key, struct error *err)
{
	/* Grows by copy and cleanse, and is cleansed when freed. */
	BIO *mem = BIO_new(BIO_s_secmem());
	int r;

	if (!mem)
		return error_oom(err);
	if (PEM_write_bio_PKCS8PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL))
		r = take_written(ret, mem, err);
	else
		r = credential_openssl_failed(err, -EIO, "writing a private key");
	BIO_free(mem);
	return r;
}

int credential_write_cert(struct secret *ret, X509 *cert, struct error *err)
{
	BIO *mem = BIO_new(BIO_s_mem());
	int r;

	if (!mem)
		return error_oom(err);
	if (PEM_write_bio_X509(mem, cert))
		r = take_written(ret, mem, err);
	else
		r = credential_openssl_failed(err, -EIO, "writing a certificate");
	BIO_free(mem);
	return r;
}
