/* SPDX-License-Identifier: Apache-2.0
 *
 * A verification policy as people write it: a profile's `attestation` block, plus what only files of
 * an operator may say. One parser for `verify --policy`, the verifier's configuration and profiles. */
#pragma once

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/tee/roots.h"
#include "common/tee/verify.h"

struct policy_document {
	struct verify_policy policy; /* points into arena */
	struct span *trusted_roots;  /* PEM */
	size_t n_trusted_roots;
	int64_t time;                /* -1: not said */
	unsigned char report_data[64];
	struct arena arena;          /* owns everything; set .max before */
};

/* Members: acceptedTcbStatuses, acceptedAdvisories, allowDebug, allowSimulated, requireCrl,
 * minTcbEvaluationDataNumber, tdx {requireSeptVeDisable, allowedAttributes, allowedXfam,
 * allowMigration}, snp {vmpl, minTcb {fmc, bootloader, tee, snp, microcode}, requiredPolicy,
 * forbiddenPolicy, requiredPlatformInfo, allowProvisional (default: true)}, measurements [{name,
 * sgx {mrenclave, mrsigner, isvProdId, minIsvSvn}, tdx {mrtd, rtmrs {"0": …}, mrseam, mrconfigid, mrowner,
 * mrownerconfig}, snp {measurement, hostData, idKeyDigest, authorKeyDigest}, simulated {…}}],
 * trustedRoots [PEM], reportData (hex of up to 64 bytes, zeros behind), time (Unix seconds or RFC
 * 3339). An unknown member, a wrong type, or hex of the wrong length is -EINVAL with its path. */
int policy_document_read(
	struct policy_document *ret, struct json_val v, const char *where, struct error *err);
/* The same from YAML or JSON text; a document whose only member is `attestation` (or a whole
 * EnclaveProfile) is read from there. */
int policy_document_parse(
	struct policy_document *ret, struct span text, const char *name, struct error *err);
void policy_document_free(struct policy_document *d);
