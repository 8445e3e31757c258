/* SPDX-License-Identifier: Apache-2.0
 *
 * A verification policy as people write it: a profile's `attestation` block, plus what only files
 * of an operator may say. One parser for `verify --policy`, the verifier's configuration and
 * profiles. */
#pragma once

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/tee/roots.h"
#include "common/tee/verify.h"

enum {
	POLICY_FILE_MAX = 1 << 20,   /* bytes of a document */
	POLICY_MEMORY_MAX = 4 << 20, /* enough for one */
	POLICY_ACCEPTED_MAX = 256,   /* entries of measurements */
	POLICY_ADVISORIES_MAX = 256,
};

struct policy_document {
	struct verify_policy policy; /* points into arena */
	struct span *trusted_roots;  /* PEM */
	size_t n_trusted_roots;
	int64_t time;       /* Unix seconds; -1: not said */
	struct arena arena; /* owns everything */
};

/* A policy that says nothing: the defaults. */
#define POLICY_DOCUMENT_INIT                                                                       \
	((struct policy_document){.time = -1, .arena = ARENA_INIT(POLICY_MEMORY_MAX)})

/* Reads YAML or JSON text into ret, which was POLICY_DOCUMENT_INIT; a document whose only member is
 * `attestation` (or a whole EnclaveProfile) is read from there. Members: acceptedTcbStatuses,
 * acceptedAdvisories, allowDebug, allowSimulated, allowMigration, requireCrl, requireMeasurements,
 * minTcbEvaluationDataNumber, tdx {requireSeptVeDisable, allowedAttributes, allowedXfam}, snp
 * {vmpl, minTcb {fmc, bootloader, tee, snp, microcode}, requiredPolicy, forbiddenPolicy,
 * requiredPlatformInfo, allowProvisional (default: true)}, measurements [{name, sgx {mrenclave,
 * mrsigner, isvProdId, minIsvSvn}, tdx {mrtd, rtmrs {"0": hex}, mrseam, mrconfigid, mrowner,
 * mrownerconfig}, snp {measurement, hostData, idKeyDigest, authorKeyDigest, minGuestSvn}, simulated
 * {register: hex}}], trustedRoots [PEM], reportData (hex of up to 64 bytes, zeros behind), time
 * (Unix seconds or RFC 3339). Sets of bits are numbers or "0x" and digits. An unknown member, a
 * wrong type, a status that nobody accepts, or hex of the wrong length is -EINVAL with name (the
 * file's), place and path; also -ENOMEM and the errors of yaml_read(). On failure ret is still to
 * be freed. text need not live on. */
int policy_document_parse(
	struct policy_document *ret, struct span text, const char *name, struct error *err);
void policy_document_free(struct policy_document *d);
#define _cleanup_policy_document_ _cleanup_(policy_document_free)
