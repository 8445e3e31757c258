/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/tee/cases.h"

/* One function for each case, named by its line. */
#define NAME2(line) change_##line
#define NAME(line)  NAME2(line)

#define CASE(text, evidence, why, ...)                                                             \
	static void NAME(__LINE__)(struct tee_intel * w, struct tee_setup * s)                     \
	{                                                                                          \
		(void)w;                                                                           \
		(void)s;                                                                           \
		__VA_ARGS__;                                                                       \
	}
#include "tests/tee/intel_cases.inc"
#undef CASE

#define CASE(text, evidence, why, ...) {text, TEE_BASE_##evidence, REASON_##why, NAME(__LINE__)},
const struct tee_intel_case tee_intel_cases[] = {
#include "tests/tee/intel_cases.inc"
};
#undef CASE

const size_t tee_n_intel_cases = sizeof(tee_intel_cases) / sizeof(tee_intel_cases[0]);

static void make_base(struct tee_intel *w, enum tee_base base)
{
	switch (base) {
	case TEE_BASE_TDX4:
		tee_intel_tdx(w, 4, false);
		break;
	case TEE_BASE_TDX5:
		tee_intel_tdx(w, 5, false);
		break;
	case TEE_BASE_TDX15:
		tee_intel_tdx(w, 5, true);
		break;
	default:
		tee_intel_sgx_version(w, 3 + (unsigned)(base - TEE_BASE_SGX3));
	}
}

void tee_intel_case(const struct tee_intel_case *c, struct tee_intel *w, struct tee_setup *s)
{
	*s = (struct tee_setup){.time = TEE_NOW};
	make_base(w, c->base);
	c->change(w, s);
}

void tee_intel_case_collateral(
	const struct tee_intel *w, const struct tee_setup *s, struct buf *out)
{
	struct tee_intel other;

	if (!s->tdx_collateral && !s->sgx_collateral && !s->right_collateral) {
		tee_intel_collateral(w, out);
		return;
	}
	make_base(&other, s->tdx_collateral || (w->quote.tee_type && s->right_collateral)
				  ? TEE_BASE_TDX4
				  : TEE_BASE_SGX3);
	tee_intel_issued_by(&other, w->pck.ca);
	tee_intel_collateral(&other, out);
}
