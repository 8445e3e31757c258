/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's session with the broker, carried by the client: sealed under keys that the replicas
 * share, as the cookie kbs-session-id and inside the token. First it holds the challenge; after the
 * attestation what was proved, whom the tokens name, and the key that everything is sealed to. Pure
 * but for randomness; time is an argument. */
#pragma once

#include "common/kbs/jwk.h"
#include "common/kbs/rcar.h"
#include "common/tee/reason.h"
#include "webhook/broker/grant.h"
#include "webhook/broker/proven.h"
#include "webhook/replicas/sealing.h"

enum {
	SESSION_SEC = 300,
	SESSION_SKEW_SEC = 60,        /* that replicas' clocks may differ by */
	SESSION_TEXT_MAX = 10 * 1024, /* of the cookie's value */
	SESSION_NAME_MAX = 24,        /* of a register, with NUL */
};

/* Not to be copied by assignment: proven's names point into it. */
struct session {
	int64_t issued_usec, expires_usec; /* Unix */
	char tee[RCAR_TEE_MAX];
	unsigned char nonce[RCAR_NONCE];
	bool attested;                     /* what follows is there */
	unsigned char key[JWK_PUBLIC_MAX]; /* packed: see jwk.h */
	size_t key_len;
	struct proven proven;
	char names[PROVEN_REGISTERS_MAX][SESSION_NAME_MAX];
	struct requester who;
};

/* A new challenge. -EIO: no randomness. */
int session_new(struct session *ret, const char *tee, int64_t now_usec, struct error *err);
/* Takes over what was proved, names included. -E2BIG: a register's name is too long. */
int session_prove(struct session *s, const struct proven *p);

/* Appends its text (base64url). -ENOKEY: there is no key yet; -E2BIG, -ENOMEM, -EIO. */
int session_seal(struct buf *out, const struct sealing_keys *keys, const struct session *s,
	struct error *err);
/* -EACCES with *ret_reason SessionExpired: none of ours, or too old. */
int session_open(struct session *ret, const struct sealing_keys *keys, struct span text,
	int64_t now_usec, enum reason *ret_reason, struct error *err);
