/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel_policy.h"

#include "common/tee/evidence.h"

/* Intel TDX Module ABI, TDATTRIBUTES; Linux's asm/shared/tdx.h. */
#define TD_ATTRIBUTES_TUD    0xffull /* of a TD under debug: whoever may read it */
#define TD_ATTRIBUTE_ICSSD   (1ull << 16)
#define TD_ATTRIBUTE_LASS    (1ull << 27)
#define TD_ATTRIBUTE_PKS     (1ull << 30)
#define TD_ATTRIBUTE_TPA     (1ull << 62)
#define TD_ATTRIBUTE_PERFMON (1ull << 63)
#define TD_ATTRIBUTES_DEFAULT                                                                      \
	(TD_ATTRIBUTE_SEPT_VE_DISABLE | TD_ATTRIBUTE_PKS | TD_ATTRIBUTE_PERFMON |                  \
		TD_ATTRIBUTE_LASS | TD_ATTRIBUTE_ICSSD | TD_ATTRIBUTE_TPA)

/* x87 and SSE, which every TD has; what the TDX module can virtualise. */
#define XFAM_FIXED   0x3ull
#define XFAM_DEFAULT 0x0006dbe7ull

static int debug(struct verdict *v, const char *what)
{
	return verdict_refuse(v, REASON_DebugNotAllowed,
		"%s runs in debug mode, and its host can read it: build and run it without", what);
}

static int judge_td_attributes(struct verdict *v, const struct verify_input *in)
{
	const struct verify_policy *policy = in->policy;
	uint64_t got = in->evidence->quote.td.td_attributes,
		 allowed = policy->td_attributes_allowed;

	if (got & TD_ATTRIBUTE_DEBUG && !policy->allow_debug)
		return debug(v, "the TD");
	if (!allowed)
		allowed = TD_ATTRIBUTES_DEFAULT;
	allowed &= ~(TD_ATTRIBUTES_TUD | TD_ATTRIBUTE_MIGRATABLE);
	if (policy->allow_debug)
		allowed |= TD_ATTRIBUTE_DEBUG;
	if (policy->allow_migration)
		allowed |= TD_ATTRIBUTE_MIGRATABLE;
	if (got & ~allowed)
		return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
			"TD attributes %#llx are set, which the policy does not allow: start the "
			"TD "
			"without, or allow them",
			(unsigned long long)(got & ~allowed));
	if (!(got & TD_ATTRIBUTE_SEPT_VE_DISABLE) && !policy->allow_sept_ve)
		return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
			"SEPT_VE_DISABLE is not set, so the host can inject exceptions: start the "
			"TD "
			"with it, or set requireSeptVeDisable to false");
	return 0;
}

static int judge_td(struct verdict *v, const struct verify_input *in)
{
	static const unsigned char none[48];
	const struct verify_policy *policy = in->policy;
	const struct td_report *td = &in->evidence->quote.td;
	uint64_t xfam = policy->xfam_allowed ? policy->xfam_allowed : XFAM_DEFAULT;
	int r = judge_td_attributes(v, in);

	if (r < 0)
		return r;
	if (td->xfam & ~xfam || (td->xfam & XFAM_FIXED) != XFAM_FIXED)
		return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
			"XFAM is %#llx, which must have bits %#llx and no others than %#llx: start "
			"the "
			"TD with other features, or set allowedXfam",
			(unsigned long long)td->xfam, XFAM_FIXED, (unsigned long long)xfam);
	if (td->mrservicetd && memcmp(td->mrservicetd, none, sizeof(none)) != 0 &&
		!policy->allow_migration)
		return verdict_refuse(v, REASON_PolicyBitsNotAllowed,
			"a service TD is bound to the TD, and may migrate it: start it without, or "
			"set allowMigration");
	return 0;
}

static void measure(
	struct measurement *m, size_t *n, const char *name, const unsigned char *p, size_t len)
{
	m[*n] = (struct measurement){.name = name, .len = len};
	memcpy(m[(*n)++].value, p, len);
}

static size_t measure_sgx(struct measurement *m, const struct sgx_report *r)
{
	size_t n = 0;

	measure(m, &n, "mrenclave", r->mrenclave, 32);
	measure(m, &n, "mrsigner", r->mrsigner, 32);
	return n;
}

static size_t measure_td(struct measurement *m, const struct td_report *r)
{
	static const char *const rtmr[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
	size_t n = 0;

	measure(m, &n, "mrtd", r->mrtd, 48);
	for (size_t i = 0; i < ARRAY_SIZE(rtmr); i++)
		measure(m, &n, rtmr[i], r->rtmr[i], 48);
	measure(m, &n, "mrseam", r->mrseam, 48);
	measure(m, &n, "mrconfigid", r->mrconfigid, 48);
	measure(m, &n, "mrowner", r->mrowner, 48);
	measure(m, &n, "mrownerconfig", r->mrownerconfig, 48);
	return n;
}

int intel_policy_judge(struct verdict *v, const struct verify_input *in)
{
	const struct quote *q = &in->evidence->quote;
	struct measurement m[9];
	size_t n;
	int r = 0;

	if (q->tdx)
		r = judge_td(v, in);
	else if (q->sgx.flags & SGX_FLAG_DEBUG && !in->policy->allow_debug)
		r = debug(v, "the enclave");
	if (r < 0)
		return r;
	n = q->tdx ? measure_td(m, &q->td) : measure_sgx(m, &q->sgx);
	return verdict_judge(v, in, m, n);
}
