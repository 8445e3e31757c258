/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's side of common/tee/protocol.h as text: requests written, answers read. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/tee/protocol.h"

int attest_challenge(struct buf *out);
/* public_key: DER SubjectPublicKeyInfo. */
int attest_certify(struct buf *out, struct span public_key);

struct attest_evidence {
	struct span challenge; /* decoded */
	struct span public_key;
	const char *platform;
	struct span evidence;
	int64_t epc_bytes, cvm_slots; /* below 0: none */
};
int attest_evidence(struct buf *out, const struct attest_evidence *m);

/* An answer with status 200. Each is -EBADMSG with what is wrong with it. Nothing is left in buf on
 * failure. */
int attest_read_challenge(struct buf *ret_challenge, struct span answer, struct error *err);
int attest_read_certificate(struct buf *ret_pem, struct span answer, struct error *err);

struct attest_verdict {
	char verdict[16], reason[64], message[512];
	int64_t valid_until; /* Unix seconds; 0: none */
	int64_t again;       /* seconds until the next round is due; 0: not said */
};
int attest_read_verdict(struct attest_verdict *ret, struct span answer, struct error *err);

/* Any other answer: what it says, for people, into err with code -EPROTO. */
void attest_read_problem(struct error *err, int status, struct span answer);
