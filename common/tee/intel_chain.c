/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel_chain.h"

#include <assert.h>
#include <openssl/sha.h>

#include "common/base/algorithm.h"
#include "common/tee/evidence.h"
#include "common/tee/intel_document.h"

enum {
	CHAIN_CERTS = 3,
	CERT_TYPE_PPID_CLEAR = 1,
	CERT_TYPE_PPID_RSA2048 = 2,
	CERT_TYPE_PPID_RSA3072 = 3,
	CERT_TYPE_PCK_CHAIN = 5,
};

void pck_chain_free(struct pck_chain *c)
{
	cert_unref(c->leaf);
	cert_unref(c->ca);
	cert_unref(c->root_sent);
	cert_unref(c->root);
	crl_unref(c->root_crl);
	crl_unref(c->ca_crl);
	*c = (struct pck_chain){0};
}

static struct pck_chain pck_chain_ref(const struct pck_chain *c)
{
	cert_ref(c->leaf);
	cert_ref(c->ca);
	cert_ref(c->root_sent);
	cert_ref(c->root);
	crl_ref(c->root_crl);
	crl_ref(c->ca_crl);
	return *c;
}

int intel_cert_dates(
	const struct cert *c, const char *what, const struct verify_input *in, struct verdict *v)
{
	char from[CLOCK_RFC3339_MAX], to[CLOCK_RFC3339_MAX];

	if (cert_valid_at(c, in->time)) {
		verdict_until(v, c->not_after);
		return 0;
	}
	clock_format(from, c->not_before);
	clock_format(to, c->not_after);
	return verdict_refuse(v, REASON_CertificateExpired,
		"%s, certificate \"%s\", holds from %s to %s alone: check the clock, or fetch it "
		"anew",
		what, c->subject, from, to);
}

static int crl_dates(const struct crl *c, const struct verify_input *in, struct verdict *v)
{
	char from[CLOCK_RFC3339_MAX], to[CLOCK_RFC3339_MAX];

	if (c->this_update - in->time <= in->policy->skew_sec && in->time <= c->next_update) {
		verdict_until(v, c->next_update);
		return 0;
	}
	clock_format(from, c->this_update);
	clock_format(to, c->next_update);
	return verdict_refuse(v, REASON_CrlExpired,
		"the revocation list of \"%s\" holds from %s to %s alone: check the clock, or "
		"fetch it anew",
		c->issuer, from, to);
}

static int judge_dates(const struct pck_chain *c, const struct verify_input *in, struct verdict *v)
{
	int r = intel_cert_dates(c->leaf, "the quote's chain", in, v);

	if (r == 0)
		r = intel_cert_dates(c->ca, "the quote's chain", in, v);
	if (r == 0)
		r = intel_cert_dates(c->root_sent, "the quote's chain", in, v);
	if (r == 0)
		r = intel_cert_dates(c->root, "the trusted root", in, v);
	if (r == 0)
		r = crl_dates(c->root_crl, in, v);
	if (r == 0)
		r = crl_dates(c->ca_crl, in, v);
	return r;
}

static int chain_invalid(struct verdict *v, int r, const struct error *err)
{
	if (r == -ENOMEM)
		return verdict_refuse_oom(v);
	return verdict_refuse(v, REASON_ChainInvalid,
		"the quote's chain: %s: have the platform fetch its certificates anew",
		err->message);
}

/* What the quote says about the PCK instead of bringing it (types 1 to 3): PPID, CPUSVN, PCESVN,
 * PCE-ID. Types 2 and 3 encrypt the PPID for Intel. */
static int same_platform(const struct quote *q, const struct pck *pck, struct verdict *v)
{
	static const size_t ppid_len[] = {
		[CERT_TYPE_PPID_CLEAR] = 16,
		[CERT_TYPE_PPID_RSA2048] = 256,
		[CERT_TYPE_PPID_RSA3072] = 384,
	};
	size_t n = ppid_len[q->cert_type];
	const unsigned char *p = (const unsigned char *)q->cert_data.p + n;
	unsigned char pcesvn[2] = {(unsigned char)pck->pcesvn, (unsigned char)(pck->pcesvn >> 8)};

	if (q->cert_data.len != n + 20)
		return verdict_refuse(v, REASON_Malformed,
			"certification data of type %u has %zu bytes, not %zu", q->cert_type,
			q->cert_data.len, n + 20);
	if ((q->cert_type == CERT_TYPE_PPID_CLEAR &&
		    memcmp(q->cert_data.p, pck->ppid, sizeof(pck->ppid)) != 0) ||
		memcmp(p, pck->cpusvn, 16) != 0 || memcmp(p + 16, pcesvn, 2) != 0 ||
		memcmp(p + 18, pck->pceid, 2) != 0)
		return verdict_refuse(v, REASON_ChainInvalid,
			"the PCK certificate of the collateral is of another platform or TCB than "
			"the quote's: fetch the one for this PPID, CPUSVN, PCESVN and PCE-ID");
	return 0;
}

/* The three certificates, in order: those of the quote, else the collateral's. Each is referenced.
 */
static int take_certs(
	struct cert *ret[CHAIN_CERTS], const struct verify_input *in, struct verdict *v)
{
	const struct quote *q = &in->evidence->quote;
	const struct intel_collateral *known = &in->collateral->intel;
	struct cert *parsed[INTEL_KNOWN];
	struct error err = {0};
	int n;

	if (q->cert_type != CERT_TYPE_PCK_CHAIN) {
		for (size_t i = 0; i < CHAIN_CERTS; i++)
			ret[i] = cert_ref(known->pck_chain[i]);
		return 0;
	}
	intel_known(parsed, known, &in->collateral->roots);
	n = cert_parse_pem_known(ret, CHAIN_CERTS, q->cert_data, parsed, INTEL_KNOWN, &err);
	if (n < 0)
		return chain_invalid(v, n, &err);
	if (n != CHAIN_CERTS) {
		for (int i = 0; i < n; i++)
			cert_unref(ret[i]);
		error_set(&err, -EBADMSG, "it has %d certificates, not PCK, CA and root", n);
		return chain_invalid(v, -EBADMSG, &err);
	}
	return 0;
}

/* Roles are said by names, which the signatures vouch for. */
static int check_roles(struct pck_chain *c, struct verdict *v)
{
	struct error err = {0};
	EVP_PKEY *key;
	int r = pck_read(&c->pck, c->leaf, &err);

	if (r == 0 && (strcmp(c->ca->subject, pck_ca_name(c->pck.ca)) != 0 ||
			      strcmp(c->ca->issuer, INTEL_ROOT_NAME) != 0))
		r = error_set(&err, -EBADMSG, "\"%s\", issued by \"%s\", stands where \"%s\" must",
			c->ca->subject, c->ca->issuer, pck_ca_name(c->pck.ca));
	if (r == 0 && strcmp(c->root_sent->subject, INTEL_ROOT_NAME) != 0)
		r = error_set(&err, -EBADMSG, "\"%s\" stands where \"" INTEL_ROOT_NAME "\" must",
			c->root_sent->subject);
	if (r < 0)
		return chain_invalid(v, r, &err);
	key = cert_key(c->leaf);
	if (key && EVP_PKEY_get_bits(key) == 256)
		return 0;
	error_set(&err, -EBADMSG, "the PCK certificate's key is none of P-256");
	return chain_invalid(v, -EBADMSG, &err);
}

static int check_signatures(struct pck_chain *c, const struct verify_input *in, struct verdict *v)
{
	struct cert *root = roots_find_intel(&in->collateral->roots, c->root_sent);
	struct error err = {0};
	int r = 0;

	if (!root)
		return verdict_refuse(v, REASON_UnknownRoot,
			"the quote's chain ends with a certificate \"%s\" that is not trusted: use "
			"a genuine platform, or add the root to trustedRoots",
			c->root_sent->subject);
	c->root = cert_ref(root);
	/* An older certificate of the same root. */
	if (!cert_same(c->root_sent, root))
		r = cert_check_issued(c->root_sent, root, &err);
	if (r == 0)
		r = cert_check_issued(c->ca, root, &err);
	if (r == 0)
		r = cert_check_issued(c->leaf, c->ca, &err);
	return r == 0 ? 0 : chain_invalid(v, r, &err);
}

static int take_crl(struct crl **ret, struct crl *crl, struct cert *issuer, struct verdict *v)
{
	struct error err = {0};
	int r;

	if (!crl)
		return verdict_refuse(v, REASON_CrlMissing,
			"there is no revocation list of \"%s\": add it to the collateral",
			issuer->subject);
	r = crl_check_issued(crl, issuer, &err);
	if (r == -ENOMEM)
		return verdict_refuse_oom(v);
	if (r < 0)
		return verdict_refuse(v, REASON_CollateralSignatureInvalid,
			"%s: fetch it anew, and ask who changed it", err.message);
	*ret = crl_ref(crl);
	return 0;
}

static int check_revocation(struct pck_chain *c, const struct verify_input *in, struct verdict *v)
{
	const struct intel_collateral *known = &in->collateral->intel;
	const struct cert *revoked = NULL;
	int r = take_crl(&c->root_crl, known->root_crl, c->root, v);

	if (r == 0)
		r = take_crl(&c->ca_crl, known->pck_crl[c->pck.ca], c->ca, v);
	if (r < 0)
		return r;
	if (crl_revokes(c->root_crl, c->ca))
		revoked = c->ca;
	else if (crl_revokes(c->ca_crl, c->leaf))
		revoked = c->leaf;
	if (!revoked)
		return 0;
	return verdict_refuse(v, REASON_CertificateRevoked,
		"\"%s\" revoked certificate \"%s\" of the quote's chain: take the platform out of "
		"service",
		revoked->issuer, revoked->subject);
}

static void describe(struct verdict *v, const struct pck_chain *c)
{
	const struct pck *pck = &c->pck;

	assert(c->leaf); /* for analyzers, which do not follow a chain so far */
	v->has_pck = true;
	v->pck = *pck;
	memcpy(v->leaf_serial, c->leaf->serial, sizeof(v->leaf_serial));
	v->leaf_serial_len = c->leaf->serial_len;
	memcpy(v->issuer_serial, c->ca->serial, sizeof(v->issuer_serial));
	v->issuer_serial_len = c->ca->serial_len;
	v->platform_id_len = sizeof(pck->ppid);
	memcpy(v->platform_id,
		pck->has_platform_instance_id ? pck->platform_instance_id : pck->ppid,
		sizeof(pck->ppid));
}

static int verify_all(struct pck_chain *c, const struct verify_input *in, struct verdict *v)
{
	struct cert *certs[CHAIN_CERTS] = {NULL};
	int r = take_certs(certs, in, v);

	if (r < 0)
		return r;
	c->leaf = certs[0];
	c->ca = certs[1];
	c->root_sent = certs[2];
	r = check_roles(c, v);
	if (r == 0)
		r = check_signatures(c, in, v);
	/* A genuine platform, though perhaps not the quote's yet: its collateral may be asked for.
	 */
	if (r == 0 && in->evidence->quote.cert_type == CERT_TYPE_PCK_CHAIN)
		describe(v, c);
	if (r == 0)
		r = check_revocation(c, in, v);
	return r;
}

/* Which certificates: by their bytes. */
static int chain_key(
	unsigned char ret[PCK_CHAIN_KEY], const struct verify_input *in, struct verdict *v)
{
	const struct quote *q = &in->evidence->quote;
	const struct intel_collateral *known = &in->collateral->intel;
	unsigned char digests[CHAIN_CERTS][CERT_DIGEST];

	if (q->cert_type == CERT_TYPE_PCK_CHAIN)
		return algorithm_hash((const unsigned char *)q->cert_data.p, q->cert_data.len, ret)
			       ? 0
			       : verdict_refuse_oom(v);
	if (q->cert_type > CERT_TYPE_PPID_RSA3072)
		return verdict_refuse(v, REASON_UnsupportedVersion,
			"certification data of type %u brings no chain: use type 5", q->cert_type);
	if (known->n_pck_chain != CHAIN_CERTS)
		return verdict_refuse(v, REASON_CollateralMissing,
			"the quote brings no PCK certificate (certification data of type %u), and "
			"the collateral has none: add the platform's chain",
			q->cert_type);
	for (size_t i = 0; i < CHAIN_CERTS; i++)
		memcpy(digests[i], known->pck_chain[i]->digest, CERT_DIGEST);
	if (!algorithm_hash(digests[0], sizeof(digests), ret))
		return verdict_refuse_oom(v);
	ret[0] ^= 1; /* a quote that brings these digests as its chain has another key */
	return 0;
}

/* An entry holds on to what it was judged by, so that the same pointers are the same objects. */
static bool still_holds(const struct pck_chain *c, const struct verify_input *in)
{
	const struct intel_collateral *known = &in->collateral->intel;

	return c->root_crl == known->root_crl && c->ca_crl == known->pck_crl[c->pck.ca] &&
	       c->root == roots_find_intel(&in->collateral->roots, c->root_sent);
}

static void free_entry(void *value)
{
	pck_chain_free(value);
	free(value);
}

static void remember(struct verify_cache *cache, const struct pck_chain *c)
{
	struct pck_chain *entry = cache ? malloc(sizeof(*entry)) : NULL;

	if (!entry)
		return;
	*entry = pck_chain_ref(c);
	verify_cache_put(cache, VERIFY_CACHED_PCK_CHAIN, c->key, 0, entry, free_entry);
}

int pck_chain_verify(struct pck_chain *ret, const struct verify_input *in,
	struct verify_cache *cache, struct verdict *v)
{
	_cleanup_pck_chain_ struct pck_chain c = {0};
	const struct pck_chain *known;
	int r = chain_key(c.key, in, v);

	if (r < 0)
		return r;
	known = verify_cache_get(cache, VERIFY_CACHED_PCK_CHAIN, c.key, 0);
	if (known && still_holds(known, in)) {
		c = pck_chain_ref(known);
	} else {
		r = verify_all(&c, in, v);
		if (r == 0)
			remember(cache, &c);
	}
	if (r == 0 && in->evidence->quote.cert_type != CERT_TYPE_PCK_CHAIN)
		r = same_platform(&in->evidence->quote, &c.pck, v);
	if (r < 0)
		return r;
	describe(v, &c);
	r = judge_dates(&c, in, v);
	if (r < 0)
		return r;
	v->crl = CRL_CHECKED;
	v->lists = (struct crl_numbers){crl_number(c.root_crl), crl_number(c.ca_crl)};
	*ret = c;
	c = (struct pck_chain){0};
	return 0;
}
