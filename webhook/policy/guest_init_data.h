/* SPDX-License-Identifier: Apache-2.0
 *
 * Init-data of Confidential Containers, as Casemate writes it for the confidential VMs of a profile
 * (Kata): a TOML text that the host hands to the guest and whose digest is in the guest's evidence
 * (TDX: MRCONFIGID, SNP: HOST_DATA, Azure: PCR 8). It tells the guest where the broker is and whose
 * certificate to believe, and the policy by which the guest's agent obeys its host. Pure: the same
 * text for the same configuration and profile, wherever it is made. */
#pragma once

#include "common/base/buf.h"
#include "webhook/policy/profile.h"

#define ANNOTATION_INIT_DATA "io.katacontainers.config.hypervisor.cc_init_data"
#define INIT_DATA_CASEMATE   "Casemate" /* an identity's initData: what is written here */

enum {
	INIT_DATA_MAX = 256 * 1024, /* bytes of the text; also of a user's own */
	INIT_DATA_DIGEST = 32,      /* SHA-256: as long as the shortest field, HOST_DATA */
};

/* Does configuration say where guests find the broker? Without, they are given none. */
bool guest_init_data_configured(const struct policy_config *config);

/* Appends the text for a valid profile. 0 or the buffer's error. */
int guest_init_data_write(
	struct buf *out, const struct policy_config *config, const struct profile *p);
/* Its digest. -ENOENT: not configured; -ENOMEM, -E2BIG. */
int guest_init_data_digest(unsigned char ret[INIT_DATA_DIGEST], const struct policy_config *config,
	const struct profile *p);

/* guest_policy.c: appends the policy of the guest's agent, in the language Rego, for use inside a
 * literal string of TOML. */
int guest_policy_write(struct buf *out, const struct profile *p);

/* Does that policy hold to what code runs: every container of spec.workload with its images and its
 * command? */
bool guest_policy_pins_code(struct json_val spec);
