/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges that need no memory: sealed (AES-256-GCM, NIST SP 800-38D) under keys that the
 * replicas share, so that any of them opens what another gave out. That each is used once is seen
 * to by what is stored about the node (judge.h). Pure but for randomness; time is an argument. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/reason.h"
#include "webhook/replicas/sealing.h"

enum {
	CHALLENGE_NONCE = 16,
	CHALLENGE_UID_MAX = 64,  /* bytes of a Node's UID, with NUL */
	CHALLENGE_SKEW_SEC = 60, /* that replicas' clocks may differ by */
};

struct challenge {
	unsigned char nonce[CHALLENGE_NONCE];
	char node_uid[CHALLENGE_UID_MAX];
	int64_t issued_usec, expires_usec; /* Unix */
};

/* A new one for a node. -EIO: no randomness. */
int challenge_new(struct challenge *ret, const char *node_uid, int64_t now_usec,
	int64_t lifetime_usec, struct error *err);

/* Appends the sealed challenge, at most PROTOCOL_CHALLENGE_MAX bytes. -ENOKEY: there is no key yet;
 * -EIO: OpenSSL refused. */
int challenge_seal(struct buf *out, const struct sealing_keys *keys, const struct challenge *c,
	struct error *err);

/* Opens what came back from the node of that UID. 0; -EACCES with *ret_reason (ChallengeInvalid,
 * NodeMismatch, ChallengeExpired) and the message. */
int challenge_open(struct challenge *ret, struct span sealed, const struct sealing_keys *keys,
	const char *node_uid, int64_t now_usec, enum reason *ret_reason, struct error *err);
