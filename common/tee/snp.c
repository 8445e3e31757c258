/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of checks is that of verify.h: shape, chain, revocation, dates, what binds certificate
 * and report, the report's signature, TCB, policy. */
#include "common/tee/snp.h"

#include "common/base/buf.h"
#include "common/base/codec.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/signature.h"
#include "common/tee/snp_chain.h"

enum {
	TRIES_MAX = 64, /* leaves of the collateral that are tried for one report */
	VMPL_MAX = 3,
};

enum stage { STAGE_CHAIN, STAGE_DATES, STAGE_FIT, STAGE_SIGNATURE, STAGE_DONE };

#define TCB_FMT    "FMC %u, bootloader %u, TEE %u, SNP %u, microcode %u"
#define TCB_ARG(t) (t).fmc, (t).bootloader, (t).tee, (t).snp, (t).microcode

static int judge_shape(const struct snp_report *r, struct verdict *v)
{
	enum snp_product product;

	if (r->signing_key == SNP_KEY_NONE)
		return verdict_refuse(v, REASON_QuoteSignatureInvalid,
			"the report is not signed (SIGNING_KEY 7): the host's firmware is "
			"configured "
			"so");
	if (r->signing_key != SNP_KEY_VCEK && r->signing_key != SNP_KEY_VLEK)
		return verdict_refuse(v, REASON_UnsupportedVersion,
			"the report is signed by a key of kind %u, which is neither VCEK (0) nor "
			"VLEK (1): update Casemate",
			r->signing_key);
	if (r->version >= 3 && !snp_report_product(r, &product))
		return verdict_refuse(v, REASON_UnsupportedVersion,
			"the report is of a processor of family 0x%x, model 0x%x, which Casemate "
			"does not know: update Casemate",
			r->family, r->model);
	if (r->signing_key == SNP_KEY_VCEK && (r->mask_chip_key || snp_chip_id_masked(r)))
		return verdict_refuse(v, REASON_ChipMismatch,
			"the host hides its chip (MASK_CHIP_KEY %d, chip id %s), so that no VCEK "
			"can "
			"be its: configure the host not to, or to sign with a VLEK",
			r->mask_chip_key, snp_chip_id_masked(r) ? "zero" : "given");
	return 0;
}

/* Is the chain of this chip, product and TCB? */
static int judge_fit(const struct snp_report *r, const struct snp_chain *c, struct verdict *v)
{
	const struct vcek *leaf = &c->vcek;
	const char *kind = leaf->vlek ? "VLEK" : "VCEK";
	struct snp_tcb tcb = snp_tcb_read(r->reported_tcb, leaf->product);
	enum snp_product product = leaf->product;

	snp_report_product(r, &product);
	if (product != leaf->product)
		return verdict_refuse(v, REASON_ChipMismatch,
			"the report is of %s (family 0x%x, model 0x%x), and the %s of %s",
			snp_product_name(product), r->family, r->model, kind,
			snp_product_name(leaf->product));
	if (!leaf->vlek && memcmp(leaf->hwid, r->chip_id, SNP_CHIP_ID) != 0)
		return verdict_refuse(v, REASON_ChipMismatch,
			"the VCEK is of another chip than the report: fetch that of this chip");
	if (!snp_tcb_equal(leaf->tcb, tcb))
		return verdict_refuse(v, REASON_ChipMismatch,
			"the %s is for the TCB (" TCB_FMT
			") and the report's reported TCB is (" TCB_FMT "): fetch that of this TCB",
			kind, TCB_ARG(leaf->tcb), TCB_ARG(tcb));
	return 0;
}

static int check_signature(const struct snp_report *r, const struct snp_chain *c, struct verdict *v)
{
	EVP_PKEY *key = cert_key(c->leaf);
	int ret = key ? signature_p384(key, r->signature, r->signed_part) : -EKEYREJECTED;

	if (ret == 0)
		return 0;
	if (ret == -ENOMEM)
		return verdict_refuse_oom(v);
	return verdict_refuse(v, REASON_QuoteSignatureInvalid,
		"the report's signature is not by the key of its %s: it was changed, or made by "
		"somebody else",
		c->vcek.vlek ? "VLEK" : "VCEK");
}

/* One leaf (NULL: the evidence's): does the report stand on it? */
static int try_leaf(const struct verify_input *in, const struct amd_leaf *leaf,
	struct verify_cache *cache, struct verdict *v, enum stage *ret_stage)
{
	_cleanup_(snp_chain_unref_p) struct snp_chain *c = NULL;
	const struct snp_report *report = &in->evidence->snp;
	int r = snp_chain_get(&c, in, leaf, cache, v);

	*ret_stage = STAGE_CHAIN;
	if (r < 0)
		return r;
	v->has_snp = true;
	v->product = c->vcek.product;
	v->vlek = c->vcek.vlek;
	v->reported_tcb = snp_tcb_read(report->reported_tcb, c->vcek.product);
	v->leaf_serial_len = c->leaf->serial_len;
	memcpy(v->leaf_serial, c->leaf->serial, c->leaf->serial_len);
	v->issuer_serial_len = c->intermediate->serial_len;
	memcpy(v->issuer_serial, c->intermediate->serial, c->intermediate->serial_len);
	*ret_stage = STAGE_DATES;
	r = snp_chain_judge(c, in, v);
	if (r < 0)
		return r;
	*ret_stage = STAGE_FIT;
	r = judge_fit(report, c, v);
	if (r < 0)
		return r;
	*ret_stage = STAGE_SIGNATURE;
	r = check_signature(report, c, v);
	if (r == 0)
		*ret_stage = STAGE_DONE;
	return r;
}

static int no_leaf(const struct snp_report *r, struct verdict *v)
{
	_cleanup_buf_ struct buf chip = BUF_INIT(2 * SNP_CHIP_ID), tcb = BUF_INIT(16);

	codec_hex(&chip, r->chip_id, SNP_CHIP_ID);
	codec_hex(&tcb, r->reported_tcb, 8);
	if (r->signing_key == SNP_KEY_VLEK)
		return verdict_refuse(v, REASON_CollateralMissing,
			"no VLEK for the reported TCB (bytes " SPAN_FMT
			") is in the evidence or the "
			"collateral: add the one of the cloud's that owns the host",
			SPAN_ARG(buf_view(&tcb)));
	return verdict_refuse(v, REASON_CollateralMissing,
		"no VCEK of chip " SPAN_FMT " for the reported TCB (bytes " SPAN_FMT
		") is in the evidence or the collateral: configure a source that has it",
		SPAN_ARG(buf_view(&chip)), SPAN_ARG(buf_view(&tcb)));
}

/* The evidence's leaf first: then those of the collateral, since hosts hand out certificates of
 * before an update. Of several refusals the one that came furthest is the verdict. */
static int check_chain(const struct verify_input *in, struct verify_cache *cache, struct verdict *v)
{
	const struct amd_collateral *amd = &in->collateral->amd;
	const struct snp_report *report = &in->evidence->snp;
	const struct amd_leaf *leaf = NULL;
	struct verdict before = *v, best = *v;
	enum stage stage, best_stage = STAGE_CHAIN;
	bool tried = false;

	for (size_t n = snp_evidence_leaf(in).p ? 0 : 1; n <= TRIES_MAX; n++) {
		if (n > 0)
			leaf = amd_leaf_next(amd, report, leaf);
		if (n > 0 && !leaf)
			break;
		*v = before;
		if (try_leaf(in, leaf, cache, v, &stage) == 0)
			return 0;
		if (!tried || stage > best_stage) {
			best = *v;
			best_stage = stage;
		}
		tried = true;
	}
	if (!tried)
		return no_leaf(report, v);
	*v = best;
	return -EACCES;
}

static void tell_platform(const struct snp_report *r, struct verdict *v)
{
	if (snp_chip_id_masked(r))
		return;
	v->platform_id_len = snp_chip_id_len(v->product);
	memcpy(v->platform_id, r->chip_id, v->platform_id_len);
}

int snp_judge_minimum(
	const struct verify_input *in, const char *name, struct snp_tcb tcb, struct verdict *v)
{
	struct snp_tcb min = in->policy->min_tcb;

	if (v->product != SNP_TURIN)
		min.fmc = 0;
	if (snp_tcb_at_least(tcb, min))
		return 0;
	v->tcb = TCB_OutOfDate;
	return verdict_refuse(v, REASON_TcbBelowMinimum,
		"the %s TCB (" TCB_FMT ") is below the policy's minimum (" TCB_FMT
		"): update the host's firmware%s",
		name, TCB_ARG(tcb), TCB_ARG(min),
		strcmp(name, "launch") == 0 ? " and start the guest anew" : "");
}

static int judge_tcb(const struct verify_input *in, struct verdict *v)
{
	const struct snp_report *r = &in->evidence->snp;
	const struct {
		const char *name;
		const unsigned char *raw;
	} all[] = {{"reported", r->reported_tcb}, {"committed", r->committed_tcb},
		{"launch", r->launch_tcb}, {"current", r->current_tcb}};
	struct snp_tcb current = snp_tcb_read(r->current_tcb, v->product);
	int ret;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!snp_tcb_reserved_zero(all[i].raw, v->product))
			return verdict_refuse(v, REASON_Malformed,
				"bytes of the report's %s TCB that mean nothing on %s are not zero",
				all[i].name, snp_product_name(v->product));
	for (size_t i = 0; i < 2; i++) {
		struct snp_tcb tcb = snp_tcb_read(all[i].raw, v->product);

		if (!snp_tcb_at_least(current, tcb))
			return verdict_refuse(v, REASON_Malformed,
				"the report contradicts itself: its %s TCB (" TCB_FMT
				") is above its current TCB (" TCB_FMT ")",
				all[i].name, TCB_ARG(tcb), TCB_ARG(current));
	}
	ret = snp_judge_minimum(in, "reported", v->reported_tcb, v);
	if (ret == 0)
		ret = snp_judge_minimum(in, "launch", snp_tcb_read(r->launch_tcb, v->product), v);
	if (ret == 0)
		v->tcb = TCB_UpToDate;
	return ret;
}

static int judge_bits(const struct verify_input *in, struct verdict *v)
{
	const struct verify_policy *p = in->policy;
	const struct snp_report *r = &in->evidence->snp;
	const struct {
		uint64_t wrong; /* not zero: refused, for these bits */
		const char *name, *why;
	} rules[] = {
		{~r->policy & SNP_POLICY_RESERVED_ONE, "guest policy", "must be set and is not"},
		{r->policy & ~(SNP_POLICY_KNOWN | p->snp_required), "guest policy",
			"means something that Casemate does not know (requiredPolicy can name it)"},
		{p->allow_migration ? 0 : r->policy & SNP_POLICY_MIGRATE_MA, "guest policy",
			"lets a migration agent move the guest, which allowMigration does not "
			"allow"},
		{p->snp_required & ~r->policy, "guest policy",
			"is not set, and requiredPolicy asks for it"},
		{p->snp_forbidden & r->policy, "guest policy",
			"is set, and forbiddenPolicy names it"},
		{r->platform_info & ~(SNP_PLATFORM_KNOWN | p->platform_required), "platform info",
			"means something that Casemate does not know (requiredPlatformInfo can "
			"name "
			"it)"},
		{p->platform_required & ~r->platform_info, "platform info",
			"is not set, and requiredPlatformInfo asks for it"},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].wrong)
			return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
				"%s 0x%llx: bit %d %s", rules[i].name,
				(unsigned long long)(rules[i].name[0] == 'g' ? r->policy
									     : r->platform_info),
				__builtin_ctzll(rules[i].wrong), rules[i].why);
	return 0;
}

/* All ones (or nothing at all) where there is none. */
static bool has_migration_agent(const struct snp_report *r)
{
	bool ones = true, zeros = true;

	for (size_t i = 0; i < 32; i++) {
		ones = ones && r->report_id_ma[i] == 0xff;
		zeros = zeros && r->report_id_ma[i] == 0;
	}
	return !ones && !zeros;
}

static int judge_policy(const struct verify_input *in, struct verdict *v)
{
	const struct verify_policy *p = in->policy;
	const struct snp_report *r = &in->evidence->snp;
	int ret;

	if ((r->policy & SNP_POLICY_DEBUG) && !p->allow_debug)
		return verdict_refuse(v, REASON_DebugNotAllowed,
			"the guest's policy 0x%llx allows its host to debug it: start it without "
			"bit "
			"19",
			(unsigned long long)r->policy);
	ret = judge_bits(in, v);
	if (ret < 0)
		return ret;
	if (has_migration_agent(r) && !p->allow_migration)
		return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
			"the guest has a migration agent (REPORT_ID_MA), which allowMigration does "
			"not allow");
	if (p->refuse_provisional && memcmp(r->committed_tcb, r->current_tcb, 8) != 0)
		return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
			"the host's firmware is provisional (its committed TCB is below the "
			"current "
			"one) and could be rolled back: have the host commit it");
	if (r->vmpl > VMPL_MAX || r->vmpl != p->vmpl)
		return verdict_refuse(v, REASON_VmplNotAllowed,
			"the report is of VMPL %u%s, and the policy wants %u: report from that "
			"level, "
			"or change snp.vmpl",
			r->vmpl, r->vmpl == UINT32_MAX ? " (asked for by the host)" : "", p->vmpl);
	return 0;
}

static void measure(
	struct measurement *to, const char *name, const unsigned char *value, size_t len)
{
	*to = (struct measurement){.name = name, .len = len};
	memcpy(to->value, value, len);
}

int snp_verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *v)
{
	const struct snp_report *report = &in->evidence->snp;
	struct measurement got[4];
	int r = judge_shape(report, v);

	if (r == 0)
		r = check_chain(in, cache, v);
	if (r < 0)
		return r;
	tell_platform(report, v);
	r = judge_tcb(in, v);
	if (r == 0)
		r = judge_policy(in, v);
	if (r < 0)
		return r;
	measure(&got[0], "measurement", report->measurement, 48);
	measure(&got[1], "hostData", report->host_data, 32);
	measure(&got[2], "idKeyDigest", report->id_key_digest, 48);
	measure(&got[3], "authorKeyDigest", report->author_key_digest, 48);
	return verdict_judge(v, in, got, sizeof(got) / sizeof(got[0]));
}
