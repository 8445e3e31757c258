/* SPDX-License-Identifier: Apache-2.0
 *
 * What verified evidence proved about who asks for a key: the registers that a profile's identities
 * name, and what its `attestation` block narrows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/tee/evidence.h"
#include "common/tee/verify.h"

enum {
	PROVEN_REGISTERS_MAX = 12,
	PROVEN_ADVISORIES_MAX = VERDICT_ADVISORIES_MAX,
	PROVEN_ADVISORY_MAX = 32, /* bytes with the NUL: "INTEL-SA-00615" */
	PROVEN_INIT_DATA_PCR = 8, /* of a vTPM: extended once, with the digest of init-data */
};

#define PROVEN_PCR8 "pcr8" /* that register's name */

struct proven {
	enum tee_type tee;
	bool sample; /* CoCo's sample evidence, which proves nothing: no register counts */
	struct measurement registers[PROVEN_REGISTERS_MAX]; /* names as policies' measurements */
	size_t n_registers;
	int32_t isv_prod_id, isv_svn; /* SGX; else -1 */
	int32_t guest_svn;            /* SNP; else -1 */
	bool debug;
	enum tcb_status tcb; /* TCB_STATUS_N: the platform has none of Intel's */
	char advisories[PROVEN_ADVISORIES_MAX][PROVEN_ADVISORY_MAX];
	size_t n_advisories;
	unsigned char platform_id[PLATFORM_ID_MAX];
	size_t platform_id_len;
};

/* Fills ret from evidence and its verdict. Of the simulated TEE the registers' names point into e.
 * -EACCES: v accepts nothing, so nothing is proven; -E2BIG: an advisory's name is too long. ret is
 * untouched then. */
int proven_from(struct proven *ret, const struct evidence *e, const struct verdict *v);

/* The register of this name; NULL: the evidence has none. */
const struct measurement *proven_register(const struct proven *p, const char *name);
