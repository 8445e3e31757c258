/* SPDX-License-Identifier: Apache-2.0
 *
 * The pages of the evidence enclave. */
#include <assert.h>
#include <string.h>

#include "nodeagent/enclave/measure.h"

/* In a TCS (Intel SDM volume 3D, 38.8). */
enum { TCS_OSSA = 16, TCS_NSSA = 28, TCS_OENTRY = 32, TCS_FSLIMIT = 64, TCS_GSLIMIT = 68 };
enum { INT3 = 0xcc };

static void put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

void evidence_enclave_make(struct evidence_enclave *ret)
{
	static const struct {
		uint64_t offset, flags;
	} pages[EVIDENCE_PAGES] = {
		{ENCLAVE_CODE, SECINFO_REG | SECINFO_R | SECINFO_X},
		{ENCLAVE_DATA, SECINFO_REG | SECINFO_R | SECINFO_W},
		{ENCLAVE_SSA, SECINFO_REG | SECINFO_R | SECINFO_W},
		{ENCLAVE_TCS, SECINFO_TCS},
	};
	unsigned char *code, *tcs;

	assert(evidence_enclave_code_size <= ENCLAVE_PAGE);
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < EVIDENCE_PAGES; i++) {
		ret->pages[i].offset = pages[i].offset;
		ret->pages[i].flags = pages[i].flags;
		ret->pages[i].measured = true;
	}
	code = ret->pages[0].content;
	memset(code, INT3, ENCLAVE_PAGE);
	memcpy(code, evidence_enclave_code, evidence_enclave_code_size);
	tcs = ret->pages[EVIDENCE_PAGES - 1].content;
	put32(tcs + TCS_OSSA, ENCLAVE_SSA);
	put32(tcs + TCS_NSSA, 1);
	put32(tcs + TCS_OENTRY, ENCLAVE_CODE);
	put32(tcs + TCS_FSLIMIT, UINT32_MAX);
	put32(tcs + TCS_GSLIMIT, UINT32_MAX);
	ret->image = (struct enclave_image){
		.size = 1 << ENCLAVE_SIZE_SHIFT,
		.ssa_frame_pages = 1,
		.pages = ret->pages,
		.n = EVIDENCE_PAGES,
	};
}
