/* SPDX-License-Identifier: Apache-2.0
 *
 * Is an audit log whole? Takes lines in the order of their files and says what is wrong with them;
 * then compares with checkpoints, which say how far a chain had come. Pure.
 *
 * A checkpoint is a JWS (RFC 7515, compact, ES256) over {"chain","seq","hash","time"}. */
#pragma once

#include <openssl/evp.h>

#include "webhook/broker/audit_line.h"

struct audit_check;

enum { AUDIT_CHECKPOINT_MAX = 2048 /* bytes of a JWS */ };

struct audit_check *audit_check_new(void);
void audit_check_free(struct audit_check *c); /* NULL allowed */
DEFINE_CLEANUP(struct audit_check *, audit_check_free)

/* The next line, without its newline; name and number are for messages. mixed: other lines (a
 * container's log) are passed over. Each chain may begin anywhere, since old files go; from then on
 * nothing may be missing. 0; 1: something is wrong, and err says what; -ENOMEM. */
int audit_check_line(struct audit_check *c, struct span line, bool mixed, const char *name,
	size_t number, struct error *err);
/* A checkpoint, signed with key. 0; 1: it is not genuine, or the log does not reach it or says
 * something else there; -ENOMEM. After the lines. */
int audit_check_point(struct audit_check *c, struct span jws, EVP_PKEY *key, struct error *err);

struct audit_totals {
	size_t chains, lines, checkpoints;
	bool from_start;  /* every chain is there from its first line */
	size_t unchecked; /* lines behind their chain's last checkpoint */
};
void audit_check_totals(const struct audit_check *c, struct audit_totals *ret);

/* A checkpoint of a chain's head. -EIO, -ENOMEM. */
int audit_point_sign(struct buf *out, const struct audit_head *head, int64_t now_sec, EVP_PKEY *key,
	struct error *err);
