/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/tee/evidence.h"
#include "common/tee/verify.h"

int verdict_refuse(struct verdict *v, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->message, sizeof(v->message), fmt, ap);
	va_end(ap);
	/* Names of certificates come from whoever made them; messages go to terminals and JSON. */
	for (char *p = v->message; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	v->reason = reason;
	return -EACCES;
}

int verdict_refuse_oom(struct verdict *v)
{
	return verdict_refuse(v, REASON_Internal, "out of memory: try again");
}

void verdict_until(struct verdict *v, int64_t end)
{
	if (end < v->valid_until)
		v->valid_until = end;
}

int verdict_judge_list(struct verdict *v, const char *issuer, int64_t number, int64_t seen)
{
	if (number >= seen)
		return 0;
	return verdict_refuse(v, REASON_CollateralRolledBack,
		"the revocation list of \"%s\" has the CRLNumber %lld, and %lld was seen: fetch it "
		"anew, and ask who served the old one",
		issuer, (long long)number, (long long)seen);
}

int verdict_advise(struct verdict *v, struct span advisory)
{
	for (size_t i = 0; i < v->n_advisories; i++)
		if (span_equal(v->advisories[i], advisory))
			return 0;
	if (v->n_advisories == VERDICT_ADVISORIES_MAX) {
		verdict_refuse(v, REASON_CollateralInvalid,
			"more than %d advisories apply to this TCB: use other collateral",
			VERDICT_ADVISORIES_MAX);
		return -E2BIG;
	}
	v->advisories[v->n_advisories++] = advisory;
	return 0;
}

static bool advisory_accepted(const struct verify_policy *policy, struct span advisory)
{
	for (size_t i = 0; i < policy->n_accepted_advisories; i++)
		if (span_equal(policy->accepted_advisories[i], advisory))
			return true;
	return false;
}

/* SNP and the simulated TEE need not have a status of Intel's; what has one is judged by it. */
int verdict_judge_tcb(struct verdict *v, const struct verify_input *in)
{
	uint32_t accepted = in->policy->accepted_tcb | 1u << TCB_UpToDate;
	enum tee_type tee = in->evidence->tee;

	if (v->tcb == TCB_STATUS_N) {
		if (tee == TEE_TYPE_SNP || tee == TEE_TYPE_SIMULATED)
			return 0;
		return verdict_refuse(v, REASON_Internal, "the TCB was not judged");
	}
	if (!(accepted >> v->tcb & 1))
		return verdict_refuse(v, tcb_status_reason(v->tcb),
			"the TCB's status is %s (level of %s), which the policy does not accept: "
			"update firmware, microcode and modules%s",
			tcb_status_name(v->tcb), v->tcb_date[0] ? v->tcb_date : "no date",
			v->tcb == TCB_Revoked || v->tcb == TCB_NotSupported
				? ""
				: ", or add it to acceptedTcbStatuses");
	for (size_t i = 0; v->tcb != TCB_UpToDate && i < v->n_advisories; i++)
		if (!advisory_accepted(in->policy, v->advisories[i]))
			return verdict_refuse(v, REASON_AdvisoryNotAccepted,
				"advisory " SPAN_FMT " applies to this TCB (%s): update the "
				"platform, or add it to acceptedAdvisories",
				SPAN_ARG(v->advisories[i]), tcb_status_name(v->tcb));
	return 0;
}

/* What one entry differs in. The first VERDICT_MISMATCHES_MAX are kept, all are counted. */
struct difference {
	struct mismatch at[VERDICT_MISMATCHES_MAX];
	size_t n;
};

static void differ(struct difference *d, const char *name, const unsigned char *want,
	const unsigned char *got, size_t len)
{
	if (d->n < VERDICT_MISMATCHES_MAX) {
		struct mismatch *m = &d->at[d->n];

		*m = (struct mismatch){.name = name, .len = len};
		memcpy(m->want, want, len);
		if (got)
			memcpy(m->got, got, len);
	}
	d->n++;
}

/* Numbers are shown as two bytes, big endian, as people write them. got < 0: the evidence has none.
 */
static void differ_number(struct difference *d, const char *name, int32_t want, int64_t got)
{
	unsigned char w[2] = {(unsigned char)(want >> 8), (unsigned char)want};
	unsigned char g[2] = {(unsigned char)(got >> 8), (unsigned char)got};

	differ(d, name, w, got < 0 ? NULL : g, sizeof(w));
}

static const struct measurement *find(
	const struct measurement *got, size_t n, const struct measurement *want)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(got[i].name, want->name) == 0 && got[i].len == want->len)
			return &got[i];
	return NULL;
}

static void compare(struct difference *d, const struct accepted *a, const struct evidence *e,
	const struct measurement *got, size_t n)
{
	int64_t prod = e->tee == TEE_TYPE_SGX ? e->quote.sgx.isvprodid : -1;
	int64_t svn = e->tee == TEE_TYPE_SGX ? e->quote.sgx.isvsvn : -1;
	int64_t guest = e->tee == TEE_TYPE_SNP ? (int64_t)e->snp.guest_svn : -1;

	d->n = 0;
	for (size_t i = 0; i < a->n_measurements; i++) {
		const struct measurement *want = &a->measurements[i], *have = find(got, n, want);

		if (!have || CRYPTO_memcmp(have->value, want->value, want->len) != 0)
			differ(d, want->name, want->value, have ? have->value : NULL, want->len);
	}
	if (a->isv_prod_id >= 0 && prod != a->isv_prod_id)
		differ_number(d, "isvProdId", a->isv_prod_id, prod);
	if (a->min_isv_svn > 0 && svn < a->min_isv_svn)
		differ_number(d, "isvSvn", a->min_isv_svn, svn);
	if (a->min_guest_svn > 0 && guest < a->min_guest_svn)
		differ_number(d, "guestSvn", a->min_guest_svn, guest);
}

/* How many entries there are to match. What is simulated measures nothing, so that only entries of
 * its own bind it; of a real TEE, whose entries are missing among those of others, nothing may run.
 */
static size_t count_accepted(const struct verify_policy *policy, enum tee_type tee)
{
	size_t n = 0;

	if (tee != TEE_TYPE_SIMULATED)
		return policy->n_accepted;
	for (size_t i = 0; i < policy->n_accepted; i++)
		n += policy->accepted[i].tees >> tee & 1;
	return n;
}

static int judge_measurements(
	struct verdict *v, const struct verify_input *in, const struct measurement *got, size_t n)
{
	const struct verify_policy *policy = in->policy;
	const struct accepted *closest = NULL;
	struct difference d, best = {.n = SIZE_MAX};
	size_t n_accepted = count_accepted(policy, in->evidence->tee);

	if (n_accepted == 0 && policy->measurements_required)
		return verdict_refuse(v, REASON_MeasurementNotAllowed,
			"no measurements are configured, and this kind of node needs them: list "
			"what may run (verify --propose prints what runs)");
	if (n_accepted == 0)
		return 0;
	for (size_t i = 0; i < policy->n_accepted; i++) {
		const struct accepted *a = &policy->accepted[i];

		if (!(a->tees >> in->evidence->tee & 1))
			continue;
		compare(&d, a, in->evidence, got, n);
		if (d.n == 0)
			return 0;
		if (d.n < best.n) {
			best = d;
			closest = a;
		}
	}
	if (!closest)
		return verdict_refuse(v, REASON_MeasurementNotAllowed,
			"none of the %zu entries of measurements is for %s: list what may run "
			"(verify --propose prints what runs)",
			policy->n_accepted, tee_type_name(in->evidence->tee));
	v->n_mismatches = best.n < VERDICT_MISMATCHES_MAX ? best.n : VERDICT_MISMATCHES_MAX;
	memcpy(v->mismatches, best.at, v->n_mismatches * sizeof(best.at[0]));
	return verdict_refuse(v, REASON_MeasurementNotAllowed,
		"no entry of measurements matches; %s, the closest, differs in %s%s: run what is "
		"listed, or list what runs",
		closest->name ? closest->name : "one without a name", best.at[0].name,
		best.n > 1 ? " and others" : "");
}

static int judge_report_data(struct verdict *v, const struct verify_input *in)
{
	const unsigned char *want = in->policy->report_data;

	if (!want || CRYPTO_memcmp(want, evidence_report_data(in->evidence), 64) == 0)
		return 0;
	return verdict_refuse(v, REASON_ReportDataMismatch,
		"the evidence's report data is not what was asked for: make new evidence for this "
		"challenge, node and key");
}

int verdict_judge(
	struct verdict *v, const struct verify_input *in, const struct measurement *got, size_t n)
{
	int r = verdict_judge_tcb(v, in);

	if (r == 0)
		r = judge_measurements(v, in, got, n);
	if (r == 0)
		r = judge_report_data(v, in);
	return r;
}
