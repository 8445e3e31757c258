/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/verify.h"

#include "common/tee/evidence.h"
#include "common/tee/intel.h"
#include "common/tee/simulated.h"
#include "common/tee/snp.h"

static int dispatch(const struct verify_input *in, struct verify_cache *cache, struct verdict *v)
{
	switch (in->evidence->tee) {
	case TEE_TYPE_SGX:
	case TEE_TYPE_TDX:
		return intel_verify(in, cache, v);
	case TEE_TYPE_SNP:
		return snp_verify(in, cache, v);
	case TEE_TYPE_SIMULATED:
		return simulated_verify(in, v);
	default:
		return verdict_refuse(v, REASON_UnsupportedVersion, "unknown kind of evidence");
	}
}

void verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *ret)
{
	int r;

	*ret = verdict_none();
	if (in->time < VERIFY_TIME_MIN || in->time >= VERIFY_TIME_END) {
		verdict_refuse(ret, REASON_CertificateExpired,
			"the time of verification, %lld, lies before 2023 or beyond 9999: set the "
			"clock",
			(long long)in->time);
		return;
	}
	r = dispatch(in, cache, ret);
	/* A part that fails says why, and one that says nothing accepts nothing. */
	if (r == 0)
		ret->reason =
			in->evidence->tee == TEE_TYPE_SIMULATED ? REASON_Simulated : REASON_Ok;
	else if (verdict_accepted(ret) || ret->message[0] == '\0')
		verdict_refuse(ret, REASON_Internal, "the verification failed: try again");
}
