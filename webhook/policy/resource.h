/* SPDX-License-Identifier: Apache-2.0
 *
 * The extended resources that policy knows, and what a container requests of each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"

enum resource {
	RES_EPC,
	RES_ENCLAVE,
	RES_PROVISION,
	RES_AESM,
	RES_KEYS,
	RES_TDX_SLOT,
	RES_SNP_SLOT,
	RES_AKS_EPC, /* in MiB, as the next */
	RES_ALI_EPC,
	RES_GOOGLE_CC, /* these three mean a confidential node and are left as they are */
	RES_AMD_SNP,
	RES_INTEL_TDX,
	RES_N,
};

/* "sgx.intel.com/epc", … */
const char *resource_name(enum resource r);

struct amount {
	struct json_val limit, request; /* as received */
	bool present;                   /* in one of the two */
	int64_t n;                      /* after amount_read */
};

/* One a resource. */
struct amounts {
	struct amount v[RES_N];
};

/* Finds the known resources of a container (one pass over limits and requests); reads no value. */
void amounts_find(struct amounts *ret, struct json_val container);

/* Reads the value of one that is present into am->n. -EINVAL: not a whole non-negative number;
 * -EDOM: limit and request differ. The message names container and field. */
int amount_read(struct amount *am, struct span container, const char *resource, struct error *err);
