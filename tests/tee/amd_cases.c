/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/tee/cases.h"

/* One function for each case, named by its line. */
#define NAME2(line) change_##line
#define NAME(line)  NAME2(line)

#define CASE(text, evidence, why, ...)                                                             \
	static void NAME(__LINE__)(struct tee_amd * w, struct tee_setup * s)                       \
	{                                                                                          \
		(void)w;                                                                           \
		(void)s;                                                                           \
		__VA_ARGS__;                                                                       \
	}
#include "tests/tee/amd_cases.inc"
#undef CASE

#define CASE(text, evidence, why, ...) {text, TEE_BASE_##evidence, REASON_##why, NAME(__LINE__)},
const struct tee_amd_case tee_amd_cases[] = {
#include "tests/tee/amd_cases.inc"
};
#undef CASE

const size_t tee_n_amd_cases = sizeof(tee_amd_cases) / sizeof(tee_amd_cases[0]);

void tee_amd_case(const struct tee_amd_case *c, struct tee_amd *w, struct tee_setup *s)
{
	static const struct {
		enum snp_product product;
		unsigned version;
		bool vlek;
	} bases[] = {
		[TEE_BASE_MILAN2] = {SNP_MILAN, 2, false},
		[TEE_BASE_MILAN3] = {SNP_MILAN, 3, false},
		[TEE_BASE_MILAN_VLEK] = {SNP_MILAN, 2, true},
		[TEE_BASE_GENOA3] = {SNP_GENOA, 3, false},
		[TEE_BASE_GENOA4] = {SNP_GENOA, 4, false},
		[TEE_BASE_GENOA_VLEK] = {SNP_GENOA, 3, true},
		[TEE_BASE_TURIN5] = {SNP_TURIN, 5, false},
		[TEE_BASE_TURIN_VLEK] = {SNP_TURIN, 5, true},
	};

	*s = (struct tee_setup){.time = TEE_NOW};
	tee_amd(w, bases[c->base].product, bases[c->base].version, bases[c->base].vlek);
	c->change(w, s);
}
