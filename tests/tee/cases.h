/* SPDX-License-Identifier: Apache-2.0
 *
 * What may be wrong with evidence and collateral, each as one change to a synthetic world, with the
 * reason that a verifier must give. */
#pragma once

#include "common/tee/verify.h"
#include "tests/tee/amd_world.h"

/* What a world is judged with. */
struct tee_setup {
	int64_t time;
	struct verify_policy policy;
	unsigned char report_data[64]; /* for policy.report_data */
	const char *advisory;          /* accepted; NULL: none */
	bool forget_root;              /* the synthetic root is not trusted */
	/* Intel: in place of the world's own collateral that of the other TEE */
	bool tdx_collateral, sgx_collateral;
	bool right_collateral; /* that of the world as it was before the change */
	bool not_taken_up;     /* such collateral is refused as a whole */
	bool pck_chain;        /* the collateral has the PCK certificate */
	bool other_pck_chain;  /* that of another TCB */
	bool no_crl;           /* AMD: no revocation list */
};

enum tee_base {
	TEE_BASE_SGX3,
	TEE_BASE_SGX4,
	TEE_BASE_SGX5,
	TEE_BASE_TDX4,
	TEE_BASE_TDX5,
	TEE_BASE_TDX15
};

struct tee_intel_case {
	const char *name;
	enum tee_base base;
	enum reason reason;
	void (*change)(struct tee_intel *w, struct tee_setup *s);
};
extern const struct tee_intel_case tee_intel_cases[];
extern const size_t tee_n_intel_cases;

/* The world and setup of a case. */
void tee_intel_case(const struct tee_intel_case *c, struct tee_intel *w, struct tee_setup *s);
/* Its collateral: as tee_intel_collateral(), with what s changes. */
void tee_intel_case_collateral(
	const struct tee_intel *w, const struct tee_setup *s, struct buf *out);

enum tee_amd_base {
	TEE_BASE_MILAN2,
	TEE_BASE_MILAN3,
	TEE_BASE_MILAN_VLEK,
	TEE_BASE_GENOA3,
	TEE_BASE_GENOA4,
	TEE_BASE_GENOA_VLEK,
	TEE_BASE_TURIN5,
	TEE_BASE_TURIN_VLEK,
};

struct tee_amd_case {
	const char *name;
	enum tee_amd_base base;
	enum reason reason; /* where certificates come with the report */
	void (*change)(struct tee_amd *w, struct tee_setup *s);
};
extern const struct tee_amd_case tee_amd_cases[];
extern const size_t tee_n_amd_cases;

void tee_amd_case(const struct tee_amd_case *c, struct tee_amd *w, struct tee_setup *s);
