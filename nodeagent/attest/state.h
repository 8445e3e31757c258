/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cluster's verifier holds of this node, and what the agent does about it. */
#pragma once

#include <stdint.h>

/* Verdicts are those of a NodeAttestation. */
#define ATTEST_STATES(X)                                                                           \
	X(NOT_CONFIGURED, "NotConfigured") /* no verifier: nothing is proved */                    \
	X(PENDING, "Pending")              /* no verdict yet */                                    \
	X(ATTESTED, "Attested")                                                                    \
	X(SIMULATED, "Simulated")                                                                  \
	X(UNPROVEN, "Unproven")                                                                    \
	X(REFUSED, "Refused")                                                                      \
	X(EXPIRED, "Expired")                                                                      \
	X(WAIVED, "Waived")
enum attest_state {
#define X(name, text) ATTEST_##name,
	ATTEST_STATES(X)
#undef X
		ATTEST_STATE_N
};
const char *attest_state_name(enum attest_state s);
/* Of a verdict's name; ATTEST_PENDING: it is none. */
enum attest_state attest_state_of(const char *verdict);

#define ATTEST_PHASES(X)                                                                           \
	X(RESTING, "Resting")         /* until the next round is due */                            \
	X(CHALLENGING, "Challenging") /* asks for a challenge */                                   \
	X(CERTIFYING, "Certifying")   /* asks for the simulated TEE's certificate */               \
	X(PROVING, "Proving")         /* makes evidence */                                         \
	X(JUDGING, "Judging")         /* waits for the verdict */
enum attest_phase {
#define X(name, text) ATTEST_PHASE_##name,
	ATTEST_PHASES(X)
#undef X
		ATTEST_PHASE_N
};
const char *attest_phase_name(enum attest_phase p);

struct attest_view {
	enum attest_state state;
	enum attest_phase phase;
	const char *reason;   /* of common/tee/reason.h; "" */
	const char *message;  /* the verifier's, for people; "" */
	const char *problem;  /* "" or why the last round came to no verdict */
	int64_t valid_until;  /* Unix seconds; 0: no verdict */
	/* What the node proves itself to be, as in a NodeAttestation ("tdx", "tdx-host"; "": there
	 * is nothing), and where its evidence comes from ("tsm", "aesm", "simulator"; "none"). */
	const char *platform, *source;
};
/* Of a node that nobody asks. */
#define ATTEST_VIEW_NONE                                                                           \
	((struct attest_view){                                                                     \
		.reason = "", .message = "", .problem = "", .platform = "", .source = "none"})
