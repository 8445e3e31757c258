/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's audit log: one JSON line a decision, each with the SHA-256 over the hash before it
 * and its own text, so that a line that was changed, removed or moved shows
 * (webhook/broker/audit_line.h; `casemate-webhook audit verify`). A chain is one replica's: of a
 * file it goes on over restarts and rotation, of standard output it begins with the process. What a
 * chain's end was is said by signed checkpoints (webhook/broker/audit_check.h). No line holds a
 * secret. On the loop's thread. */
#pragma once

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/reason.h"
#include "webhook/broker/audit_line.h"

struct audit;

struct audit_options {
	const char *path;     /* "" : standard output */
	const char *replica;  /* of the lines: the pod's or host's name */
	int64_t rotate_bytes; /* a file that would pass this becomes PATH.1; 0: never */
	unsigned keep;        /* files besides the newest; at least 1 */
	bool journal;         /* lines go to the journal as well */
};

/* Goes on with the chain that is there: a last line that a crash cut short is cut off, and a line
 * says so. -EBADMSG: the file's end is no audit log; it is left as it is. */
int audit_new(struct audit **ret_a, const struct audit_options *o, struct error *err);
void audit_free(struct audit *a); /* NULL allowed */
DEFINE_CLEANUP(struct audit *, audit_free)

/* Returns when the line is durable (of standard output: written). A release without its line is no
 * release: on an error nothing may be released. What failed is tried again with the next line. */
int audit_write(struct audit *a, const struct audit_entry *e, struct error *err);

/* Where the chain is now; head->seq is 0 before the first line. */
void audit_where(const struct audit *a, struct audit_head *head);
