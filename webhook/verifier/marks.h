/* SPDX-License-Identifier: Apache-2.0
 *
 * What a verdict puts on a Node: labels, the condition ConfidentialAttested, the taint. Compares
 * that with what is there and makes the patches. Pure. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "webhook/verifier/record.h"

enum mark_label { MARK_ATTESTED, MARK_TEE, MARK_NODE, MARK_CVM_HOST, MARK_LABEL_N };

/* The label's key. */
const char *marks_label(enum mark_label l);

enum { MARK_VALUE_MAX = 64, MARK_VERSION_MAX = 32 };

/* What a Node has of them. */
struct marks_seen {
	char uid[RECORD_UID_MAX];
	char version[MARK_VERSION_MAX]; /* resourceVersion */
	bool has_label[MARK_LABEL_N];
	char label[MARK_LABEL_N][MARK_VALUE_MAX];
	char status[8], reason[MARK_VALUE_MAX],
		message[RECORD_MESSAGE_MAX]; /* condition; "" : none */
	bool has_taints;
	int taint; /* index of ours in spec.taints; -1: it is not there */
};
/* -EBADMSG: no uid or resourceVersion. */
int marks_read(struct marks_seen *ret, struct json_val node);

/* What it should have; strings are literals or of the record. */
struct marks {
	const char *label[MARK_LABEL_N];       /* NULL: none */
	const char *status, *reason, *message; /* condition; status NULL: none */
	bool taint;
};
/* r may say nothing yet: then a Node that has the condition lost its NodeAttestation, and the
 * condition goes on saying so. taint: does configuration want nodes tainted that are not attested?
 */
void marks_of(struct marks *ret, const struct record *r, const struct marks_seen *seen,
	int64_t now_sec, bool taint);

/* Has the Node of labels and condition, of taints, what it should have? */
bool marks_in_place(const struct marks_seen *seen, const struct marks *want);
bool marks_taint_in_place(const struct marks_seen *seen, const struct marks *want);

/* A strategic merge patch of nodes/NAME/status for labels and condition, and a JSON Patch of
 * nodes/NAME for the taint. The API server refuses either when the Node has changed: 409, 422. 0 or
 * the buffer's error. */
int marks_patch(
	struct buf *out, const struct marks_seen *seen, const struct marks *want, int64_t now_sec);
int marks_taint_patch(struct buf *out, const struct marks_seen *seen, const struct marks *want);
