/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel_tcb.h"

#include "common/tee/le.h"

/* Of tee_tcb_svn and of a level's TDX components. */
enum { TDX_MODULE_SVN = 0, TDX_MODULE_VERSION = 1, TDX_LATE_MICROCODE = 2 };

static int advise(struct verdict *v, const struct span *advisories, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (verdict_advise(v, advisories[i]) < 0)
			return -EACCES;
	return 0;
}

static int no_module(struct verdict *v, unsigned version)
{
	return verdict_refuse(v, REASON_TdxModuleMismatch,
		"the TCB info knows no TDX module of version %u: update it, or the module",
		version);
}

/* Is the module that ran at launch Intel's? Attributes that the mask leaves open must be 0 all the
 * same: what they mean is not known. */
static int check_module(struct verdict *v, const struct tdx_module *m, const struct td_report *td)
{
	uint64_t want = le64(m->attributes) & le64(m->attributes_mask);

	if (memcmp(td->mrsignerseam, m->mrsigner, sizeof(m->mrsigner)) != 0)
		return verdict_refuse(v, REASON_TdxModuleMismatch,
			"the TDX module's signer (MRSIGNERSEAM) is not the TCB info's: use Intel's "
			"module");
	if (td->seam_attributes != want)
		return verdict_refuse(v, REASON_TdxModuleMismatch,
			"the TDX module's attributes are %#llx, not %#llx: use Intel's module",
			(unsigned long long)td->seam_attributes, (unsigned long long)want);
	return 0;
}

/* Modules of version 0 have no levels of their own: the platform's components say all. */
static int judge_module(struct verdict *v, const struct tcb_info *t, const struct td_report *td)
{
	unsigned version = td->tee_tcb_svn[TDX_MODULE_VERSION];
	const struct tdx_module *m = tcb_info_module(t, version);
	const struct isv_level *l;
	int r;

	if (!m)
		return no_module(v, version);
	r = check_module(v, m, td);
	if (r < 0 || version == 0)
		return r;
	l = isv_level_match(m->levels, m->n_levels, td->tee_tcb_svn[TDX_MODULE_SVN]);
	v->module_tcb = l ? l->status : TCB_NotSupported;
	return l ? advise(v, l->advisories, l->n_advisories) : 0;
}

static bool needs_configuration(enum tcb_status s)
{
	return s == TCB_ConfigurationNeeded || s == TCB_ConfigurationAndSWHardeningNeeded ||
	       s == TCB_OutOfDateConfigurationNeeded;
}

/* Were module and microcode that run now (tee_tcb_svn2) brought up to the newest level, so that the
 * TD alone is old? */
static int updated_since(
	struct verdict *v, const struct tcb_info *t, const struct td_report *td, bool *ret)
{
	const unsigned char *now = td->tee_tcb_svn2;
	const struct tcb_level *newest = &t->levels[0];
	const struct tdx_module *m;
	unsigned svn = newest->tdx[TDX_MODULE_SVN];

	if (now[TDX_MODULE_VERSION] != 0) {
		m = tcb_info_module(t, now[TDX_MODULE_VERSION]);
		if (!m || m->n_levels == 0)
			return no_module(v, now[TDX_MODULE_VERSION]);
		svn = m->levels[0].isvsvn;
	}
	*ret = now[TDX_MODULE_SVN] >= svn &&
	       now[TDX_LATE_MICROCODE] >= newest->tdx[TDX_LATE_MICROCODE];
	return 0;
}

/* sgx: the status of the platform without its TDX part; *tdx: with it and the module's. */
static int judge_relaunch(struct verdict *v, const struct tcb_info *t, const struct td_report *td,
	enum tcb_status sgx, enum tcb_status *tdx)
{
	bool sgx_holds = sgx == TCB_UpToDate || sgx == TCB_SWHardeningNeeded ||
			 sgx == TCB_ConfigurationNeeded ||
			 sgx == TCB_ConfigurationAndSWHardeningNeeded;
	bool tdx_old = *tdx == TCB_OutOfDate || *tdx == TCB_OutOfDateConfigurationNeeded;
	bool updated = false;
	int r;

	if (!td->tee_tcb_svn2 || v->qe_tcb != TCB_UpToDate || !sgx_holds || !tdx_old ||
		v->module_tcb != TCB_OutOfDate)
		return 0;
	r = updated_since(v, t, td, &updated);
	if (r < 0 || !updated)
		return r;
	*tdx = needs_configuration(sgx) || needs_configuration(*tdx)
		       ? TCB_TDRelaunchAdvisedConfigurationNeeded
		       : TCB_TDRelaunchAdvised;
	return 0;
}

static int judge_qe(struct verdict *v, const struct qe_identity *qe, uint16_t svn)
{
	const struct isv_level *l = isv_level_match(qe->levels, qe->n_levels, svn);

	v->qe_svn = svn;
	v->qe_tcb = l ? l->status : TCB_NotSupported;
	return l ? advise(v, l->advisories, l->n_advisories) : 0;
}

static int judge_platform(struct verdict *v, const struct tcb_info *t, const struct pck *pck,
	const struct td_report *td)
{
	const struct tcb_level *l = tcb_info_match(t, pck, td ? td->tee_tcb_svn : NULL);

	v->platform_tcb = l ? l->status : TCB_NotSupported;
	if (!l)
		return 0;
	memcpy(v->tcb_date, l->date, sizeof(v->tcb_date));
	return advise(v, l->advisories, l->n_advisories);
}

static int judge_td(struct verdict *v, const struct tcb_info *t, const struct pck *pck,
	const struct td_report *td)
{
	/* No level asks for more: what then matches is the platform's level without its TDX part.
	 */
	static const unsigned char highest[16] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	const struct tcb_level *sgx = tcb_info_match(t, pck, highest);
	int r = judge_module(v, t, td);

	if (r < 0)
		return r;
	if (v->module_tcb != TCB_STATUS_N)
		v->tcb = tcb_status_merge(v->tcb, v->module_tcb);
	return judge_relaunch(v, t, td, sgx ? sgx->status : TCB_NotSupported, &v->tcb);
}

int intel_tcb_judge(struct verdict *v, const struct tcb_info *tcb, const struct qe_identity *qe,
	const struct pck *pck, uint16_t qe_svn, const struct td_report *td)
{
	int r = judge_platform(v, tcb, pck, td);

	if (r == 0)
		r = judge_qe(v, qe, qe_svn);
	if (r < 0)
		return r;
	v->tcb = v->platform_tcb;
	if (td) {
		r = judge_td(v, tcb, pck, td);
		if (r < 0)
			return r;
	}
	v->tcb = tcb_status_merge(v->tcb, v->qe_tcb);
	return 0;
}
