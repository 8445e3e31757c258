/* SPDX-License-Identifier: Apache-2.0
 *
 * How the agent and the verifier talk: JSON over HTTPS, each request with the agent's projected
 * token (audience PROTOCOL_AUDIENCE, bound to its pod's node) as bearer. Version PROTOCOL_VERSION;
 * a verifier understands its own and the one before, and refuses others with UnsupportedVersion.
 * Members that one side does not know are passed over.
 *
 *	POST /v1/challenge	{"protocol": 1}
 *		{"protocol": 1, "challenge": BASE64, "expires": RFC3339}
 *	POST /v1/evidence	{"protocol": 1, "challenge": BASE64, "publicKey": BASE64 (DER
 *				SubjectPublicKeyInfo), "platform": NAME, "evidence": BASE64,
 *				"capacity": {"epcBytes": N, "cvmSlots": N}}
 *		{"protocol": 1, "verdict", "reason", "message", "validUntil": RFC3339,
 *		 "again": SECONDS until the next round}
 *	POST /v1/simulated/certificate	{"protocol": 1, "publicKey": BASE64}
 *		{"protocol": 1, "certificate": PEM}
 *
 * platform is what the agent can prove itself to be: sgx, tdx, snp (evidence of it), tdx-host,
 * snp-host (evidence is empty) or simulated. An SGX host that also starts confidential VMs is sgx,
 *and has cvmSlots in its capacity (0: how many is not known), as no other has. Judged evidence is
 *answered with 200, refused or not; a request that cannot be judged with 400 (Malformed,
 *UnsupportedVersion), 401 (TokenInvalid), 403 (ChallengeInvalid, ChallengeExpired,
 *ChallengeReplayed, SimulatedNotAllowed), 429 (RateLimited, with Retry-After) or 503 (the API
 *server cannot be asked), and {"protocol", "reason", "message"}. */
#pragma once

enum {
	PROTOCOL_VERSION = 1,
	PROTOCOL_REQUEST_MAX = 400 << 10, /* bytes */
	PROTOCOL_ANSWER_MAX = 64 << 10,
	PROTOCOL_CHALLENGE_MAX = 512,     /* bytes, decoded */
	PROTOCOL_KEY_MAX = 1024,          /* of a public key */
	PROTOCOL_CHALLENGE_SEC = 300,     /* how long one can be answered */
};

#define PROTOCOL_AUDIENCE       "casemate.dev"
#define PROTOCOL_PATH_CHALLENGE "/v1/challenge"
#define PROTOCOL_PATH_EVIDENCE  "/v1/evidence"
#define PROTOCOL_PATH_SIMULATED "/v1/simulated/certificate"
