/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/base/codec.h"
#include "common/net/http.h"
#include "webhook/collateral/pull.h"

enum { TCB_DIGITS = 16 };

#define API "certification/v4"

/* A plan being made. */
struct planner {
	struct pull_plan *plan;
	const struct pull_options *o;
	size_t max;
	const char *intel; /* base of PCS or PCCS, without a slash at its end */
	int intel_len, kds_len;
};

static struct pull_request *next(struct planner *p, enum pull_kind kind)
{
	struct pull_request *rq = &p->plan->requests[p->plan->n];

	if (p->plan->n == p->max)
		return NULL;
	p->plan->n++;
	rq->kind = kind;
	return rq;
}

int pull_check_url(const char *url, const char *what, struct error *err)
{
	if (strlen(url) > PULL_URL_MAX / 4)
		return error_set(err, -EINVAL, "%s: an address of more than %d bytes", what,
			PULL_URL_MAX / 4);
	if (strncmp(url, "https://", 8) == 0 && url[8])
		return 0;
	if (http_is_loopback(url))
		return 0;
	return error_set(err, -EINVAL,
		"%s: \"%s\" is not https://…; plain http:// is for this machine alone "
		"(http://127.0.0.1)",
		what, url);
}

/* Length of base without slashes and the path that PCCS settings end with. */
static int base_len(const char *base)
{
	static const char *const tails[] = {"/", "/v4", "/certification", "/sgx"};
	size_t n = strlen(base);

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		size_t k = strlen(tails[i]);

		if (n > k && memcmp(base + n - k, tails[i], k) == 0)
			n -= k;
	}
	return (int)n;
}

static const char *update(const struct planner *p, char separator, char out[32])
{
	if (p->o->update[0])
		snprintf(out, 32, "%cupdate=%.16s", separator, p->o->update);
	else
		out[0] = '\0';
	return out;
}

static bool has(const struct strings *s, const char *what)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i], what) == 0)
			return true;
	}
	return false;
}

static int check_words(
	const struct strings *s, const char *flag, const char *const known[2], struct error *err)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t k = 0;

		while (k < 2 && strcmp(s->v[i], known[k]) != 0)
			k++;
		if (k == 2)
			return error_set(err, -EINVAL, "%s: \"%s\" is none of %s, %s", flag,
				s->v[i], known[0], known[1]);
	}
	return 0;
}

static void plan_lists(struct planner *p)
{
	static const char *const cas[] = {"processor", "platform"};
	struct pull_request *rq = next(p, PULL_ROOT_CRL_LIST);

	if (rq) {
		snprintf(rq->name, sizeof(rq->name), "revocation list of Intel's root");
		if (p->o->pccs[0])
			snprintf(rq->url, sizeof(rq->url), "%.*s/sgx/" API "/rootcacrl",
				p->intel_len, p->intel);
		else
			snprintf(rq->url, sizeof(rq->url), "%s", p->o->root_crl);
	}
	for (enum pck_ca ca = 0; ca < PCK_CA_N; ca++) {
		if (!has(&p->o->ca, cas[ca]) || !(rq = next(p, PULL_PCK_CRL)))
			continue;
		rq->ca = ca;
		rq->chain_header = "SGX-PCK-CRL-Issuer-Chain";
		snprintf(rq->name, sizeof(rq->name), "revocation list of %s", pck_ca_name(ca));
		snprintf(rq->url, sizeof(rq->url), "%.*s/sgx/" API "/pckcrl?ca=%s&encoding=der",
			p->intel_len, p->intel, cas[ca]);
	}
}

static int plan_intel(struct planner *p, struct error *err)
{
	static const char *const tees[] = {"sgx", "tdx"};
	char tail[32];

	plan_lists(p);
	for (size_t t = 0; t < ARRAY_SIZE(tees); t++) {
		struct pull_request *rq;

		if (!has(&p->o->tee, tees[t]) || !(rq = next(p, PULL_QE_IDENTITY)))
			continue;
		rq->tdx = t == 1;
		rq->chain_header = "SGX-Enclave-Identity-Issuer-Chain";
		snprintf(rq->name, sizeof(rq->name), "QE identity for %s", tees[t]);
		snprintf(rq->url, sizeof(rq->url), "%.*s/%s/" API "/qe/identity%s", p->intel_len,
			p->intel, tees[t], update(p, '?', tail));
	}
	for (size_t i = 0; i < p->o->fmspc.n; i++) {
		const char *fmspc = p->o->fmspc.v[i];
		unsigned char raw[6];

		if (codec_hex_exact(raw, sizeof(raw), span_str(fmspc)) < 0)
			return error_set(err, -EINVAL,
				"--fmspc: \"%s\" is not 12 hexadecimal digits", fmspc);
		for (size_t t = 0; t < ARRAY_SIZE(tees); t++) {
			struct pull_request *rq;

			if (!has(&p->o->tee, tees[t]) || !(rq = next(p, PULL_TCB_INFO)))
				continue;
			rq->tdx = t == 1;
			memcpy(rq->fmspc, raw, sizeof(raw));
			rq->chain_header = "TCB-Info-Issuer-Chain";
			rq->old_chain_header = "SGX-TCB-Info-Issuer-Chain";
			snprintf(rq->name, sizeof(rq->name), "TCB info of FMSPC %s for %s", fmspc,
				tees[t]);
			snprintf(rq->url, sizeof(rq->url), "%.*s/%s/" API "/tcb?fmspc=%s%s",
				p->intel_len, p->intel, tees[t], fmspc, update(p, '&', tail));
		}
	}
	return 0;
}

/* What stands for all chips of a product, once. */
static void plan_product(struct planner *p, enum snp_product product)
{
	static const char *const kinds[] = {"vcek", "vlek"};
	const char *name = snp_product_name(product);
	struct pull_request *rq;

	for (size_t i = 0; i < p->plan->n; i++) {
		rq = &p->plan->requests[i];
		if (rq->kind == PULL_ARK_CHAIN && rq->product == product)
			return;
	}
	for (size_t k = 0; k < ARRAY_SIZE(kinds) && (rq = next(p, PULL_ARK_CHAIN)); k++) {
		rq->product = product;
		rq->vlek = k == 1;
		snprintf(rq->name, sizeof(rq->name), "%s of %s", k ? "ASVK" : "ASK", name);
		snprintf(rq->url, sizeof(rq->url), "%.*s/%s/v1/%s/cert_chain", p->kds_len,
			p->o->kds, kinds[k], name);
	}
	rq = next(p, PULL_ARK_CRL);
	if (rq) {
		rq->product = product;
		snprintf(rq->name, sizeof(rq->name), "revocation list of ARK-%s", name);
		snprintf(rq->url, sizeof(rq->url), "%.*s/vcek/v1/%s/crl", p->kds_len, p->o->kds,
			name);
	}
}

static bool product_named(struct span name, enum snp_product *ret)
{
	for (enum snp_product i = 0; i < SNP_PRODUCT_N; i++) {
		if (span_is(name, snp_product_name(i))) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* "Milan:CHIPID:TCB" */
static int read_vcek(struct pull_request *rq, const char *text, size_t *ret_len, struct error *err)
{
	const char *chip = strchr(text, ':'), *tcb = chip ? strchr(chip + 1, ':') : NULL;
	unsigned char raw[TCB_DIGITS / 2];

	if (!tcb || !product_named((struct span){text, (size_t)(chip - text)}, &rq->product))
		return error_set(err, -EINVAL,
			"--vcek: \"%.80s\" is not PRODUCT:CHIPID:TCB with the product Milan, Genoa "
			"or Turin",
			text);
	*ret_len = snp_chip_id_len(rq->product);
	/* A report has 64 bytes of chip id, of which Turin uses 8. */
	if (codec_hex_exact(
		    rq->chip_id, *ret_len, (struct span){chip + 1, (size_t)(tcb - chip - 1)}) < 0 &&
		codec_hex_exact(rq->chip_id, sizeof(rq->chip_id),
			(struct span){chip + 1, (size_t)(tcb - chip - 1)}) < 0)
		return error_set(err, -EINVAL, "--vcek: the chip id of a %s is %zu digits",
			snp_product_name(rq->product), 2 * *ret_len);
	if (codec_hex_exact(raw, sizeof(raw), span_str(tcb + 1)) < 0)
		return error_set(err, -EINVAL,
			"--vcek: \"%.40s\" is not a TCB version: %d digits, as a report has it",
			tcb + 1, TCB_DIGITS);
	rq->tcb = snp_tcb_read(raw, rq->product);
	return 0;
}

static int plan_vcek(struct planner *p, const char *text, struct error *err)
{
	_cleanup_buf_ struct buf chip = BUF_INIT(2 * SNP_CHIP_ID + 1);
	struct pull_request want = {.kind = PULL_VCEK}, *rq;
	const struct snp_tcb *t = &want.tcb;
	char fmc[32] = "";
	size_t len = 0;
	int r = read_vcek(&want, text, &len, err);

	if (r < 0)
		return r;
	if (codec_hex(&chip, want.chip_id, len) < 0)
		return error_oom(err);
	plan_product(p, want.product);
	rq = next(p, PULL_VCEK);
	if (!rq)
		return 0;
	*rq = want;
	if (want.product == SNP_TURIN)
		snprintf(fmc, sizeof(fmc), "fmcSPL=%02u&", t->fmc);
	snprintf(rq->name, sizeof(rq->name), "VCEK of %s chip %.16s…",
		snp_product_name(want.product), chip.p);
	snprintf(rq->url, sizeof(rq->url),
		"%.*s/vcek/v1/%s/%s?%sblSPL=%02u&teeSPL=%02u&snpSPL=%02u&ucodeSPL=%02u", p->kds_len,
		p->o->kds, snp_product_name(want.product), chip.p, fmc, t->bootloader, t->tee,
		t->snp, t->microcode);
	return 0;
}

static int plan_amd(struct planner *p, struct error *err)
{
	for (size_t i = 0; i < p->o->snp.n; i++) {
		enum snp_product product;

		if (!product_named(span_str(p->o->snp.v[i]), &product))
			return error_set(err, -EINVAL,
				"--snp: \"%s\" is none of Milan, Genoa, Turin", p->o->snp.v[i]);
		plan_product(p, product);
	}
	for (size_t i = 0; i < p->o->vcek.n; i++) {
		int r = plan_vcek(p, p->o->vcek.v[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_options(const struct pull_options *o, struct error *err)
{
	static const char *const tees[] = {"sgx", "tdx"}, *const cas[] = {"processor", "platform"};
	static const char *const updates[] = {"early", "standard"};
	const char *intel = o->pccs[0] ? o->pccs : o->pcs;
	int r = check_words(&o->tee, "--tee", tees, err);

	if (r == 0)
		r = check_words(&o->ca, "--ca", cas, err);
	if (r == 0 && (o->fmspc.n || intel[0]))
		r = pull_check_url(intel, o->pccs[0] ? "--pccs" : "--pcs", err);
	if (r == 0 && !o->pccs[0] && (o->fmspc.n || o->root_crl[0]))
		r = pull_check_url(o->root_crl, "--root-crl", err);
	if (r == 0 && (o->snp.n || o->vcek.n || o->kds[0]))
		r = pull_check_url(o->kds, "--kds", err);
	if (r == 0 && o->update[0])
		r = check_words(&(struct strings){&o->update, 1}, "--update", updates, err);
	if (r == 0 && o->fmspc.n == 0 && o->snp.n == 0 && o->vcek.n == 0)
		r = error_set(err, -EINVAL,
			"nothing is asked for: name platforms with --fmspc, --snp or --vcek");
	return r;
}

int pull_plan_make(struct pull_plan *ret, const struct pull_options *o, struct error *err)
{
	struct planner p = {.plan = ret, .o = o, .max = PULL_REQUESTS_MAX};
	int r = check_options(o, err);

	*ret = (struct pull_plan){0};
	if (r < 0)
		return r;
	p.intel = o->pccs[0] ? o->pccs : o->pcs;
	p.intel_len = base_len(p.intel);
	p.kds_len = base_len(o->kds);
	ret->requests = calloc(p.max, sizeof(*ret->requests));
	if (!ret->requests)
		return error_oom(err);
	if (o->fmspc.n)
		r = plan_intel(&p, err);
	if (r == 0)
		r = plan_amd(&p, err);
	if (r == 0 && ret->n == p.max)
		r = error_set(err, -E2BIG, "more than %d questions at once", PULL_REQUESTS_MAX - 1);
	if (r < 0)
		pull_plan_free(ret);
	return r;
}

void pull_plan_free(struct pull_plan *p)
{
	free(p->requests);
	*p = (struct pull_plan){0};
}
