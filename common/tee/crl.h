/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate revocation lists (RFC 5280, section 5) of Intel and AMD. Parsed without trust; only a
 * list whose signature crl_check_issued() accepted may be asked. */
#pragma once

#include "common/tee/cert.h"

enum { CRL_DER_MAX = 1 << 20 };

struct crl_serial {
	unsigned char len, bytes[CERT_SERIAL_MAX]; /* as struct cert's */
};

struct crl {
	unsigned refs; /* atomic */
	X509_CRL *x509;
	unsigned char digest[CERT_DIGEST]; /* SHA-256 of the DER */
	char issuer[CERT_NAME_MAX];
	int64_t this_update, next_update; /* Unix seconds; next_update always exists */
	int64_t number;                   /* CRLNumber; -1: none */
	struct crl_serial *revoked;       /* sorted */
	size_t n_revoked;

	/* private to crl.c */
	struct x509_frame frame;
	size_t der_len;
	unsigned char der[];
};

/* DER, or one PEM block X509 CRL. -EBADMSG: also without nextUpdate, as a delta or for a part of
 * the certificates, or with a critical extension that is not understood; -E2BIG; -ENOMEM. */
int crl_parse(struct crl **ret_c, struct span der_or_pem, struct error *err);
struct crl *crl_ref(struct crl *c);
void crl_unref(struct crl *c); /* NULL allowed */
DEFINE_CLEANUP(struct crl *, crl_unref)
/* The DER, borrowed. */
static inline struct span crl_der(const struct crl *c)
{
	return (struct span){(const char *)c->der, c->der_len};
}

/* As cert_check_issued(); issuer may sign revocation lists. */
int crl_check_issued(const struct crl *c, struct cert *issuer, struct error *err);
/* this_update <= time <= next_update. */
static inline bool crl_valid_at(const struct crl *c, int64_t time)
{
	return c->this_update <= time && time <= c->next_update;
}
/* Its number; 0: it has none. */
static inline int64_t crl_number(const struct crl *c)
{
	return c->number > 0 ? c->number : 0;
}
/* Is a certificate of the list's issuer on it, for whatever reason or date? */
bool crl_revokes(const struct crl *c, const struct cert *cert);
/* The same of a serial as struct cert's. */
bool crl_revokes_serial(const struct crl *c, const unsigned char *serial, size_t len);
