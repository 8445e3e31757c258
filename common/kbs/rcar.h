/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of Confidential Containers' key broker protocol, version 0.4.0: request, challenge,
 * attestation, response; both sides. What Casemate adds to them is the member "casemate" of an
 * attestation, "reason" in a refusal, and POST of a layer's packet (common/kbs/packet.h) to
 * RCAR_PATH_UNWRAP, which is answered like a resource with what the packet wraps. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/secret.h"
#include "common/base/span.h"

#define RCAR_VERSION       "0.4.0"
#define RCAR_PATH_AUTH     "/kbs/v0/auth"
#define RCAR_PATH_ATTEST   "/kbs/v0/attest"
#define RCAR_PATH_RESOURCE "/kbs/v0/resource/" /* NAMESPACE/PROFILE/KEY follows */
#define RCAR_PATH_UNWRAP   "/kbs/v0/unwrap/"   /* the same; Casemate's own */
#define RCAR_COOKIE        "kbs-session-id"
#define RCAR_ERROR_TYPE    "https://github.com/confidential-containers/kbs/errors/"

enum {
	RCAR_NONCE = 32,            /* bytes */
	RCAR_NONCE_TEXT = 45,       /* of its base64, with NUL */
	RCAR_REPORT_DATA = 48,      /* SHA-384 */
	RCAR_TEE_MAX = 32,          /* a tee's name, with NUL */
	RCAR_CONTAINER_MAX = 256,   /* a container's name, with NUL */
	RCAR_TOKEN_MAX = 16 * 1024, /* a Kubernetes token */
	RCAR_REQUEST_MAX = 1024 * 1024,
	RCAR_DETAIL_MAX = 1024, /* of a refusal */
};

/*
 * Request and challenge
 */

/* Appends the request for a challenge. */
int rcar_auth_write(struct buf *out, const char *tee);
/* The tee that asks. -EPROTO: of another version of the protocol than 0.4.x; -EBADMSG. */
int rcar_auth_read(char ret_tee[RCAR_TEE_MAX], struct span body, struct error *err);

int rcar_challenge_write(struct buf *out, const unsigned char nonce[RCAR_NONCE]);
/* The nonce as base64. -EBADMSG: also when the hash chosen is not SHA-384. */
int rcar_challenge_read(char ret_nonce[RCAR_NONCE_TEXT], struct span body, struct error *err);

/*
 * Attestation
 */

/* What goes with evidence beyond the protocol: tokens of Kubernetes that say for whom. All may be
 * SPAN_NONE. */
struct rcar_requester {
	struct span node_token, pod_token;
	struct span container;
};

/* Appends the additional_evidence that binds r to the evidence: compact JSON with the tokens'
 * SHA-256 in hex; nothing when r has nothing. container is a plain name, without
 * characters that JSON escapes (-EINVAL). */
int rcar_additional_write(struct buf *out, const struct rcar_requester *r);

/* The 48 bytes that primary evidence's report data begins with: SHA-384 of the JCS form of nonce,
 * tee-pubkey and additional_evidence. 0, -ENOMEM, or -EBADMSG for a tee_pubkey that has no such
 * form. */
int rcar_report_data(unsigned char ret[RCAR_REPORT_DATA], struct span nonce_b64,
	struct json_val tee_pubkey, struct span additional_evidence);

/* Appends primary evidence as the protocol has it: a quote (sgx, tdx) as {"cc_eventlog": null,
 * "quote"}, anything else as {"evidence"}, base64 both. */
int rcar_primary_write(struct buf *out, const char *tee, struct span evidence);

struct rcar_attest_out {
	struct span nonce;      /* base64, as received */
	struct span tee_pubkey; /* JSON */
	struct span primary;    /* JSON */
	struct span additional; /* text, "" when there is none */
	struct rcar_requester who;
};
/* The whole request, tokens and all. -ENOBUFS: longer than RCAR_REQUEST_MAX; -ENOMEM. */
int rcar_attest_write(struct secret *ret, const struct rcar_attest_out *o);

/* A request read: all point into it, or into body. */
struct rcar_attest {
	struct json doc;
	struct arena arena;
	struct span nonce;
	struct json_val tee_pubkey, primary; /* objects */
	struct span additional;              /* decoded; .p is set */
	struct span init_data;               /* decoded TOML; SPAN_NONE: none */
	struct rcar_requester who;
};
/* -EBADMSG, -ENOMEM. body outlives ret. rcar_attest_free() in any case. */
int rcar_attest_read(struct rcar_attest *ret, struct span body, struct error *err);
void rcar_attest_free(struct rcar_attest *a);
#define _cleanup_rcar_attest_ _cleanup_(rcar_attest_free)

int rcar_token_write(struct buf *out, struct span token);

/*
 * Refusals
 */

/* Appends the body: variant is one of Trustee's ("TokenNotFound"), reason one of Casemate's, or
 * NULL. */
int rcar_error_write(struct buf *out, const char *variant, const char *detail, const char *reason);

struct rcar_error {
	char variant[64];             /* "" when type is no URL of Trustee's */
	char detail[RCAR_DETAIL_MAX]; /* cut */
	char reason[64];              /* "" from others than Casemate */
};
/* -EBADMSG: no such body. */
int rcar_error_read(struct rcar_error *ret, struct span body, struct error *err);
/* May the same request be answered otherwise in a while? A session that has ended is begun anew; a
 * node is judged again by itself; the broker fetches collateral when it first meets a platform. */
bool rcar_error_passes(int status, const char *reason);
