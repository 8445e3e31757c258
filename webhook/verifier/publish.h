/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes verdicts to the API server: NodeAttestation.status, what it puts on the Node, Events. Each
 * write names the version that it rests on, so that nothing that somebody else wrote meanwhile is
 * lost; what was refused for that is read anew. On the loop's thread. A shell: it logs. */
#pragma once

#include "common/kube/event.h"
#include "webhook/verifier/nodes.h"

struct publisher;

struct publisher_options {
	struct kube_client *kube;
	struct kube_event_recorder *events; /* NULL: none */
	struct nodes *nodes;
	bool taint; /* are nodes tainted that are not attested? */
};

int publisher_new(struct publisher **ret_p, const struct publisher_options *o, struct error *err);
/* Cancels what is under way, without callbacks. Before its nodes and client. */
void publisher_free(struct publisher *p); /* NULL allowed */
DEFINE_CLEANUP(struct publisher *, publisher_free)
unsigned publisher_busy(const struct publisher *p); /* writes under way */

enum publish_outcome {
	PUBLISHED,
	PUBLISH_CONFLICT, /* somebody else wrote, which is known now: judge again */
	PUBLISH_FAILED,   /* message says why */
};
typedef void (*publish_done)(void *ctx, enum publish_outcome outcome, const char *message);

/* Makes the NodeAttestation if there is none and writes r and detail (record_write()). done runs
 * exactly once, unless the publisher goes. -errno: it could not begin, and done does not run. */
int publish_record(struct publisher *p, struct node *node, const struct record *r,
	struct span detail, publish_done done, void *ctx, struct error *err);
/* Writes the end of a verdict (record_write_end()), unless one is being written. */
void publish_end(struct publisher *p, struct node *node, const struct record *r);
/* The same with what else is different now. */
void publish_turn(
	struct publisher *p, struct node *node, const struct record *r, struct span detail);
/* Brings the Node to what its record says, unless that is being done. */
void publish_marks(struct publisher *p, struct node *node, int64_t now_sec);
/* Removes a NodeAttestation whose Node is gone. */
void publish_removal(struct publisher *p, struct node *node);
/* An Event about the node. */
void publish_event(struct publisher *p, const struct node *node, bool warning, const char *reason,
	const char *note);
