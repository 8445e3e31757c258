/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tee/issue.h"

#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/base/cleanup.h"
#include "common/tee/der.h"
#include "tests/tee/der_write.h"
#include "tests/tee/memo.h"

static void name_part(X509_NAME *name, const char *field, const char *value)
{
	tee_must(X509_NAME_add_entry_by_txt(
			 name, field, MBSTRING_ASC, (const unsigned char *)value, -1, -1, 0) == 1,
		"a name");
}

static void write_name(X509_NAME *name, enum tee_vendor vendor, const char *cn)
{
	if (vendor == TEE_INTEL) {
		name_part(name, "CN", cn);
		name_part(name, "O", "Intel Corporation");
		name_part(name, "L", "Santa Clara");
		name_part(name, "ST", "CA");
		name_part(name, "C", "US");
		return;
	}
	name_part(name, "OU", "Engineering");
	name_part(name, "C", "US");
	name_part(name, "L", "Santa Clara");
	name_part(name, "ST", "CA");
	name_part(name, "O", "Advanced Micro Devices");
	name_part(name, "CN", cn);
}

static X509_EXTENSION *extension(const struct tee_extension *e)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(e->oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *x;

	ASN1_OCTET_STRING_set(value, (const unsigned char *)e->value.p, (int)e->value.len);
	x = X509_EXTENSION_create_by_OBJ(NULL, oid, e->critical, value);
	tee_must(x, "an extension");
	ASN1_OBJECT_free(oid);
	ASN1_OCTET_STRING_free(value);
	return x;
}

static void add_by_name(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	tee_must(e && X509_add_ext(x, e, -1) == 1, "an extension");
	X509_EXTENSION_free(e);
}

/* SHA-1 of the public key's bits (RFC 5280, section 4.2.1.2). */
static struct span key_id(enum tee_key k, unsigned char digest[SHA_DIGEST_LENGTH])
{
	X509_PUBKEY *pub = NULL;
	const unsigned char *p = NULL;
	int len = 0;

	tee_must(X509_PUBKEY_set(&pub, tee_key(k)) == 1 &&
			 X509_PUBKEY_get0_param(NULL, &p, &len, NULL, pub) == 1,
		"a key identifier");
	SHA1(p, (size_t)len, digest);
	X509_PUBKEY_free(pub);
	return (struct span){(const char *)digest, SHA_DIGEST_LENGTH};
}

/* authorityKeyIdentifier, subjectKeyIdentifier. */
static X509_EXTENSION *id_extension(const char *oid, enum tee_key k, bool authority)
{
	_cleanup_buf_ struct buf id = BUF_INIT(64), value = BUF_INIT(64);
	unsigned char digest[SHA_DIGEST_LENGTH];

	der_write(&id, authority ? 0x80 : DER_OCTET_STRING, key_id(k, digest));
	if (authority)
		der_write(&value, DER_SEQUENCE, buf_view(&id));
	else
		buf_span(&value, buf_view(&id));
	return extension(&(struct tee_extension){.oid = oid, .value = buf_view(&value)});
}

static void add_ids(X509 *x, const struct tee_cert *c)
{
	X509_EXTENSION *authority = id_extension("2.5.29.35", c->signer, true);
	X509_EXTENSION *subject = id_extension("2.5.29.14", c->key, false);

	X509_add_ext(x, authority, -1);
	X509_add_ext(x, subject, -1);
	add_by_name(x, NID_crl_distribution_points,
		"URI:https://certificates.trustedservices.intel.com/IntelSGXRootCA.der");
	X509_EXTENSION_free(authority);
	X509_EXTENSION_free(subject);
}

static void add_extensions(X509 *x, const struct tee_cert *c)
{
	char basic[64] = "critical,CA:FALSE";

	if (c->ca && c->path_len >= 0)
		snprintf(basic, sizeof(basic), "critical,CA:TRUE,pathlen:%d", c->path_len);
	else if (c->ca)
		snprintf(basic, sizeof(basic), "critical,CA:TRUE");
	if (c->vendor == TEE_INTEL && !c->bare)
		add_ids(x, c);
	if (c->usage)
		add_by_name(x, NID_key_usage, c->usage);
	/* AMD's leaves say nothing about it */
	if (c->ca || c->vendor == TEE_INTEL)
		add_by_name(x, NID_basic_constraints, basic);
	for (size_t i = 0; i < TEE_EXTENSIONS_MAX && c->extensions[i].oid; i++) {
		X509_EXTENSION *e = extension(&c->extensions[i]);

		tee_must(X509_add_ext(x, e, -1) == 1, "an extension");
		X509_EXTENSION_free(e);
	}
}

/* A context that signs as the vendor does. */
static EVP_MD_CTX *signing(enum tee_key signer, const char *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p;

	if (!md)
		md = signer < TEE_KEY_VCEK ? "SHA256" : "SHA384";
	tee_must(EVP_DigestSignInit_ex(ctx, &p, md, NULL, NULL, tee_key(signer), NULL) == 1,
		"signing");
	if (signer >= TEE_KEY_ARK)
		tee_must(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
				 EVP_PKEY_CTX_set_rsa_pss_saltlen(p, 48) == 1,
			"RSASSA-PSS");
	return ctx;
}

/* The last byte of a certificate or list is of its signature. */
static void put(struct buf *out, unsigned char *der, int len, bool broken)
{
	tee_must(len > 0, "DER");
	if (broken)
		der[len - 1] ^= 1;
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static void write_cert(const struct tee_cert *c, struct buf *out)
{
	X509 *x = X509_new();
	ASN1_TIME *from = ASN1_TIME_set(NULL, c->not_before),
		  *to = ASN1_TIME_set(NULL, c->not_after);
	EVP_MD_CTX *ctx = signing(c->signer, c->md);
	unsigned char *der = NULL;
	int len;

	tee_must(x && from && to, "a certificate");
	X509_set_version(x, c->version_1 ? X509_VERSION_1 : X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), c->serial);
	write_name(X509_get_subject_name(x), c->vendor, c->subject);
	write_name(X509_get_issuer_name(x), c->vendor, c->issuer);
	X509_set1_notBefore(x, from);
	X509_set1_notAfter(x, to);
	X509_set_pubkey(x, tee_key(c->key));
	add_extensions(x, c);
	tee_must(X509_sign_ctx(x, ctx) > 0, "a certificate's signature");
	len = i2d_X509(x, &der);
	put(out, der, len, c->break_signature);
	EVP_MD_CTX_free(ctx);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	X509_free(x);
}

static void put_extension(struct buf *key, const struct tee_extension *e)
{
	if (e->oid)
		buf_printf(key, "%s%d %zu:", e->oid, e->critical, e->value.len);
	if (e->oid)
		buf_span(key, e->value);
}

/* All that a certificate is made of. */
static void cert_key(struct buf *key, const struct tee_cert *c)
{
	buf_printf(key, "cert %d %s|%s|%s|%s ", c->vendor, c->subject, c->issuer,
		c->usage ? c->usage : "-", c->md ? c->md : "-");
	buf_printf(key, "%llx %lld %lld %d %d %d %d %d %d %d ", (unsigned long long)c->serial,
		(long long)c->not_before, (long long)c->not_after, c->ca, c->path_len, c->key,
		c->signer, c->break_signature, c->version_1, c->bare);
	for (size_t i = 0; i < TEE_EXTENSIONS_MAX; i++)
		put_extension(key, &c->extensions[i]);
}

void tee_cert_der(const struct tee_cert *c, struct buf *out)
{
	_cleanup_buf_ struct buf key = BUF_INIT(TEE_PEM_MAX), der = BUF_INIT(TEE_DER_MAX);

	cert_key(&key, c);
	if (memo_get(buf_view(&key), out))
		return;
	write_cert(c, &der);
	memo_put(buf_view(&key), buf_view(&der));
	buf_span(out, buf_view(&der));
}

void tee_pem(struct buf *out, const char *label, struct span der)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEE_PEM_MAX);

	buf_base64(&text, der.p, der.len);
	buf_printf(out, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < text.len; i += 64)
		buf_printf(out, "%.64s\n", text.p + i);
	buf_printf(out, "-----END %s-----\n", label);
}

void tee_cert_pem(const struct tee_cert *c, struct buf *out)
{
	_cleanup_buf_ struct buf der = BUF_INIT(TEE_DER_MAX);

	tee_cert_der(c, &der);
	tee_pem(out, "CERTIFICATE", buf_view(&der));
}

static void add_entry(X509_CRL *x, const struct tee_crl *c, uint64_t serial)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, c->this_update);

	ASN1_INTEGER_set_uint64(n, serial);
	X509_REVOKED_set_serialNumber(entry, n);
	X509_REVOKED_set_revocationDate(entry, when);
	if (c->entry_extension.oid) {
		X509_EXTENSION *e = extension(&c->entry_extension);

		X509_REVOKED_add_ext(entry, e, -1);
		X509_EXTENSION_free(e);
	}
	tee_must(X509_CRL_add0_revoked(x, entry) == 1, "an entry of a list");
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(when);
}

static void set_times(X509_CRL *x, const struct tee_crl *c)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, c->this_update);

	X509_CRL_set1_lastUpdate(x, t);
	ASN1_TIME_free(t);
	if (!c->next_update)
		return;
	t = ASN1_TIME_set(NULL, c->next_update);
	X509_CRL_set1_nextUpdate(x, t);
	ASN1_TIME_free(t);
}

static void write_crl(const struct tee_crl *c, struct buf *out)
{
	X509_CRL *x = X509_CRL_new();
	X509_NAME *name = X509_NAME_new();
	EVP_MD_CTX *ctx = signing(c->signer, NULL);
	unsigned char *der = NULL;
	int len;

	X509_CRL_set_version(x, X509_CRL_VERSION_2);
	write_name(name, c->vendor, c->issuer);
	X509_CRL_set_issuer_name(x, name);
	set_times(x, c);
	if (c->number >= 0) {
		ASN1_INTEGER *n = ASN1_INTEGER_new();

		ASN1_INTEGER_set_int64(n, c->number);
		X509_CRL_add1_ext_i2d(x, NID_crl_number, n, 0, 0);
		ASN1_INTEGER_free(n);
	}
	if (c->vendor == TEE_INTEL && !c->bare) {
		X509_EXTENSION *e = id_extension("2.5.29.35", c->signer, true);

		X509_CRL_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	if (c->extension.oid) {
		X509_EXTENSION *e = extension(&c->extension);

		X509_CRL_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	for (size_t i = 0; i < c->n_revoked; i++)
		add_entry(x, c, c->revoked[i]);
	tee_must(X509_CRL_sign_ctx(x, ctx) > 0, "a list's signature");
	len = i2d_X509_CRL(x, &der);
	put(out, der, len, c->break_signature);
	EVP_MD_CTX_free(ctx);
	X509_NAME_free(name);
	X509_CRL_free(x);
}

static void crl_key(struct buf *key, const struct tee_crl *c)
{
	buf_printf(key, "list %d %s %lld %lld %lld %d %d %d ", c->vendor, c->issuer,
		(long long)c->this_update, (long long)c->next_update, (long long)c->number,
		c->signer, c->break_signature, c->bare);
	for (size_t i = 0; i < c->n_revoked; i++)
		buf_printf(key, "%llx ", (unsigned long long)c->revoked[i]);
	put_extension(key, &c->extension);
	buf_putc(key, ' ');
	put_extension(key, &c->entry_extension);
}

void tee_crl_der(const struct tee_crl *c, struct buf *out)
{
	_cleanup_buf_ struct buf key = BUF_INIT(TEE_PEM_MAX), der = BUF_INIT(TEE_DER_MAX);

	crl_key(&key, c);
	if (memo_get(buf_view(&key), out))
		return;
	write_crl(c, &der);
	memo_put(buf_view(&key), buf_view(&der));
	buf_span(out, buf_view(&der));
}
