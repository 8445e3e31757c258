/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of the audit log, and the chain that lines make. Pure.
 *
 *	{"audit":1,"chain":"…","seq":7,"time":"…",…,"prev":"HEX","hash":"HEX"}
 *
 * hash is SHA-256 over the 32 bytes of prev and the line's text up to ,"hash". prev is the hash of
 * the line before, of the first one zeros; chain is 16 hexadecimal digits, random. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/tee/reason.h"

enum {
	AUDIT_HASH = 32,
	AUDIT_CHAIN_MAX = 17,
	AUDIT_LINE_MAX = 16384, /* bytes, with the newline */
};

struct key_id;
struct requester;

/* One decision. Pointers may be NULL and spans empty: what is not known is not written. */
struct audit_entry {
	int64_t time_usec;
	const char *protocol; /* "rcar", … */
	const struct requester *who;
	struct span tee;
	struct span measurement_hex;
	const char *platform_hex;
	const struct key_id *key;
	unsigned version;   /* 0: none */
	enum reason reason; /* Ok: released */
	const char *message;
};

/* A chain's last line. */
struct audit_head {
	char chain[AUDIT_CHAIN_MAX];
	uint64_t seq; /* from 1; 0: there is no line yet */
	unsigned char hash[AUDIT_HASH];
};

/* Appends a line, newline included, and moves head on. Texts are cut so that it fits. 0, -ENOMEM,
 * -E2BIG; then head is as it was. */
int audit_line_write(
	struct buf *out, struct audit_head *head, const char *replica, const struct audit_entry *e);
/* The same for what happened to the log itself. */
int audit_line_note(struct buf *out, struct audit_head *head, const char *replica,
	int64_t time_usec, const char *note);

struct audit_line {
	struct audit_head head; /* what it is the last line of */
	unsigned char prev[AUDIT_HASH];
};
/* Reads a line (without its newline) and checks its own hash. -EBADMSG says what is wrong. */
int audit_line_read(struct audit_line *ret, struct span line, struct error *err);
/* Does line follow head? If not, why. */
bool audit_line_follows(
	const struct audit_head *head, const struct audit_line *line, struct error *err);
