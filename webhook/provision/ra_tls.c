/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/ra_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "common/tee/cert.h"
#include "webhook/provision/dice.h"

#define OID_DICE  "2.23.133.5.4.9"
#define OID_QUOTE "1.2.840.113741.1337.6"

struct reading {
	struct ra_tls *c;
	enum reason *reason;
	struct error *err;
};

static int refuse(struct reading *rd, enum reason reason, const char *message)
{
	*rd->reason = reason;
	return error_set(rd->err, -EACCES, "%s", message);
}

static int malformed(struct reading *rd, int r)
{
	*rd->reason = r == -ENOMEM ? REASON_Internal : REASON_Malformed;
	return r;
}

#define ECDSA_SHA256 "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ECDSA_SHA384 "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"

/* Whole AlgorithmIdentifiers. Parameters of NULL are wrong (RFC 5758, section 3.2), but written by
 * mbedTLS 2.28, and Gramine's library is built on mbedTLS. It signs with SHA-256 by whatever key.
 */
static const EVP_MD *digest_of(struct span algorithm)
{
	if (span_equal(algorithm, SPAN_LIT("\x30\x0a" ECDSA_SHA256)) ||
		span_equal(algorithm, SPAN_LIT("\x30\x0c" ECDSA_SHA256 "\x05\x00")))
		return EVP_sha256();
	if (span_equal(algorithm, SPAN_LIT("\x30\x0a" ECDSA_SHA384)) ||
		span_equal(algorithm, SPAN_LIT("\x30\x0c" ECDSA_SHA384 "\x05\x00")))
		return EVP_sha384();
	return NULL;
}

/* 1: right; 0: wrong; -ENOMEM. */
static int signature_right(const struct x509_frame *f, const EVP_MD *md, EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = -ENOMEM;

	ERR_set_mark();
	if (ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1)
		r = EVP_DigestVerify(ctx, (const unsigned char *)f->signature.p, f->signature.len,
			    (const unsigned char *)f->tbs.p, f->tbs.len) == 1;
	ERR_pop_to_mark();
	EVP_MD_CTX_free(ctx);
	return r;
}

static int check_self_signed(struct reading *rd)
{
	struct cert *c = rd->c->cert;
	const EVP_MD *md = digest_of(c->frame.algorithm);
	EVP_PKEY *key;
	int r;

	if (c->key_kind != X509_KEY_P256 && c->key_kind != X509_KEY_P384)
		return refuse(rd, REASON_UnsupportedVersion,
			"the client's certificate has no key on P-256 or P-384, as RA-TLS has");
	if (!md)
		return refuse(rd, REASON_UnsupportedVersion,
			"the client's certificate is signed by neither ECDSA with SHA-256 nor with "
			"SHA-384");
	key = cert_key(c);
	if (!key)
		return refuse(rd, REASON_Malformed, "the client's certificate has no such key");
	if (X509_NAME_cmp(X509_get_subject_name(c->x509), X509_get_issuer_name(c->x509)) != 0)
		return refuse(rd, REASON_Malformed,
			"the client's certificate is not self-signed: RA-TLS knows no authorities");
	r = signature_right(&c->frame, md, key);
	if (r < 0)
		return malformed(rd, error_oom(rd->err));
	return r ? 0
		 : refuse(rd, REASON_Malformed,
			   "the client's certificate is not signed by its own key");
}

/* IANA's numbers of the hashes that DICE claims may have. */
static const EVP_MD *hash_of(uint64_t algorithm)
{
	switch (algorithm) {
	case 1:
		return EVP_sha256();
	case 7:
		return EVP_sha384();
	case 8:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static int read_dice(struct reading *rd, struct span value, struct span key)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = sizeof(hash);
	const EVP_MD *md;
	struct dice d;
	int r = dice_read(&d, value, rd->err);

	if (r < 0)
		return malformed(rd, error_prefix(rd->err, r, "extension " OID_DICE));
	md = hash_of(d.algorithm);
	if (!md)
		return refuse(rd, REASON_UnsupportedVersion,
			"extension " OID_DICE
			": the claim pubkey-hash is by a hash that is neither "
			"SHA-256 nor SHA-384 nor SHA-512");
	if (EVP_Digest(key.p, key.len, hash, &n, md, NULL) != 1 ||
		!SHA256((const unsigned char *)d.claims.p, d.claims.len, rd->c->report_data))
		return malformed(rd, error_oom(rd->err));
	if (!span_equal(d.hash, (struct span){(const char *)hash, n}))
		return refuse(rd, REASON_ReportDataMismatch,
			"extension " OID_DICE ": its claims are about another key than the "
			"certificate's");
	rd->c->quote = d.evidence;
	return 0;
}

static int read_evidence(struct reading *rd)
{
	struct cert *c = rd->c->cert;
	struct span dice = cert_extension(c, OID_DICE), quote = cert_extension(c, OID_QUOTE);
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &der);
	int r = 0;

	if (n <= 0)
		return malformed(rd, error_oom(rd->err));
	if (dice.p) {
		r = read_dice(rd, dice, (struct span){(const char *)der, (size_t)n});
	} else if (!quote.p) {
		r = refuse(rd, REASON_Malformed,
			"the client's certificate has no evidence in it: neither "
			"extension " OID_DICE " nor " OID_QUOTE);
	} else {
		rd->c->quote = quote;
		if (!SHA256(der, (size_t)n, rd->c->report_data))
			r = malformed(rd, error_oom(rd->err));
	}
	OPENSSL_free(der);
	return r;
}

int ra_tls_read(struct ra_tls *ret, struct span der, int64_t now_sec, enum reason *ret_reason,
	struct error *err)
{
	_cleanup_ra_tls_ struct ra_tls c = {0};
	struct reading rd = {&c, ret_reason, err};
	int r = cert_parse_der_max(&c.cert, RA_TLS_DER_MAX, der, err);

	if (r < 0)
		return malformed(&rd, r == -E2BIG ? -EBADMSG : r);
	r = check_self_signed(&rd);
	if (r == 0 && !cert_valid_at(c.cert, now_sec))
		r = refuse(&rd, REASON_CertificateExpired,
			"the client's certificate is not valid at this time");
	if (r == 0)
		r = read_evidence(&rd);
	if (r < 0)
		return r;
	*ret = c;
	c.cert = NULL;
	return 0;
}

void ra_tls_free(struct ra_tls *c)
{
	cert_unref(c->cert);
	c->cert = NULL;
}
