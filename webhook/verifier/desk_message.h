/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's side of common/tee/protocol.h: requests in, answers out. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/span.h"
#include "common/tee/reason.h"
#include "webhook/verifier/record.h"

enum desk_message_kind { MESSAGE_CHALLENGE, MESSAGE_EVIDENCE, MESSAGE_SIMULATED, MESSAGE_KIND_N };

/* Zero-initialise. Only the fields of its kind are set. */
struct desk_message {
	struct buf challenge;  /* decoded, at most PROTOCOL_CHALLENGE_MAX bytes */
	struct buf public_key; /* DER, at most PROTOCOL_KEY_MAX bytes, not looked into */
	struct buf evidence;   /* empty for hosts, and for nobody else */
	enum record_platform platform;
	int64_t epc_bytes, cvm_slots; /* -1: not said */
};

/* Reads the body of a request. 0; -EBADMSG with *ret_reason (Malformed, UnsupportedVersion) and
 * what is wrong; -ENOMEM. */
int desk_message_read(struct desk_message *ret, enum desk_message_kind kind, struct span body,
	enum reason *ret_reason, struct error *err);
void desk_message_free(struct desk_message *m);
#define _cleanup_desk_message_ _cleanup_(desk_message_free)

/* The answers; 0 or the buffer's error. */
int desk_message_challenge(struct buf *out, struct span challenge, int64_t expires_sec);
int desk_message_verdict(struct buf *out, const struct record *r, int64_t again_sec);
int desk_message_certificate(struct buf *out, struct span pem);
int desk_message_refusal(struct buf *out, enum reason reason, const char *message);
