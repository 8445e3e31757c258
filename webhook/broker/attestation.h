/* SPDX-License-Identifier: Apache-2.0
 *
 * An attestation judged: evidence, what it is bound to, and the key that it brings. Pure but for
 * what examine() keeps; time is an argument. */
#pragma once

#include "common/kbs/rcar.h"
#include "webhook/broker/session.h"
#include "webhook/trust/examine.h"
#include "webhook/verifier/record.h"

struct attestation_rules {
	bool allow_sample;
	/* As trust_examine(). */
	void (*examine)(void *ctx, struct span text, const unsigned char report_data[64],
		int64_t now_sec, struct examination *ret);
	void *ctx;
};

enum { INIT_DATA_HEX_MAX = 2 * 64 + 1 };

struct attestation_proof {
	unsigned char report_data[RCAR_REPORT_DATA];
	char init_data[INIT_DATA_HEX_MAX]; /* the digest that the evidence holds; "": none came */
	int64_t wait_sec; /* refused for what is being fetched, and may be there then; else 0 */
};

/* Does this broker know a TEE of that name? */
bool attestation_knows(const char *tee);

/* Judges a against the challenge in s, and completes s with what was proved and the key; whom the
 * tokens name is not looked at, but that the evidence binds them. 0, or with *ret_reason: -EBADMSG
 * (no such request), -EACCES (refused); -ENOMEM. */
int attestation_judge(const struct attestation_rules *rules, const struct rcar_attest *a,
	struct session *s, int64_t now_sec, struct attestation_proof *ret, enum reason *ret_reason,
	struct error *err);

/* Is what s proved the platform that the agent's node was judged on? False with *ret_reason. */
bool attestation_fits_node(const struct session *s, const struct record *node,
	enum reason *ret_reason, struct error *err);
