/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as Intel signs them, under a root of the tests' own; and those of tests/vectors. */
#pragma once

#include "common/tee/intel_collateral.h"
#include "tests/unit/peer.h"

struct intel_sign {
	struct peer_cert root, signer;
	struct roots roots; /* those compiled in and this one */
	struct buf chain;   /* PEM of signer and root */
};
bool intel_sign_begin(struct intel_sign *s);
void intel_sign_end(struct intel_sign *s);
#define _cleanup_intel_sign_ _cleanup_(intel_sign_end)
void intel_sign(unsigned char ret[64], const struct intel_sign *s, struct span body);

/* A document signed anew, and what became of it. NULL: the suite has failed. */
struct tcb_info *intel_sign_tcb_info(const struct intel_sign *s, struct span body);
struct qe_identity *intel_sign_qe_identity(const struct intel_sign *s, struct span body);

/* text with its first find replaced. What is not there fails the suite. */
void intel_edit(struct buf *out, struct span text, const char *find, const char *put);

/* The document of a PCS answer below tests/vectors; signature may be NULL. */
struct span intel_vector(const char *path, const char *name, unsigned char ret_signature[64]);
/* A string of one of the JSON sets (dcap-qvl), decoded. Kept until the process ends. */
struct span intel_set_vector(const char *path, const char *member);
