/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence and collateral in files, judged offline by the functions that judge nodes: what the
 * commands `verify` and `key explain` have in common. */
#pragma once

#include "common/base/settings.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/policy.h"
#include "common/tee/verify.h"

struct evidence_file_options {
	const char *evidence;
	struct strings collateral;
	const char *time, *policy; /* "": now, the strictest */
};

/* The settings; offsets are relative to the struct. */
extern const struct setting evidence_file_settings[];
extern const size_t n_evidence_file_settings;

/* Zero-initialise but for policy (POLICY_DOCUMENT_INIT) and arena. */
struct evidence_file {
	struct arena arena;
	struct policy_document policy;
	struct verify_policy used; /* what it was judged by */
	struct collateral *collateral;
	int64_t time; /* at which it was judged, Unix */
	bool opened;  /* the evidence could be read */
	struct evidence evidence;
	struct verdict verdict; /* of evidence that cannot be read, too */
};
#define EVIDENCE_FILE_INIT                                                                         \
	{                                                                                          \
		.arena = ARENA_INIT(8 << 20), .policy = POLICY_DOCUMENT_INIT                       \
	}

/* any: whatever runs is accepted, if it is genuine; who asks judges it. -EINVAL: an option is
 * wrong; other errors: a file. */
int evidence_file_judge(struct evidence_file *f, const struct evidence_file_options *o, bool any,
	struct error *err);
void evidence_file_free(struct evidence_file *f); /* also after a failure */
