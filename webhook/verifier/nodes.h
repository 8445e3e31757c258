/* SPDX-License-Identifier: Apache-2.0
 *
 * The cluster's Nodes and NodeAttestations, watched and joined by name, as far as the verifier
 * needs them. On the loop's thread. */
#pragma once

#include <stdbool.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#include "common/base/json.h"
#include "common/kube/client.h"
#include "common/observe/metrics.h"
#include "webhook/verifier/marks.h"
#include "webhook/verifier/record.h"
#include "webhook/verifier/waiver.h"

enum { NODE_NAME_MAX = 254, NODES_MAX = 100000 };

#define NODES_PATH   "/api/v1/nodes"
#define RECORDS_PATH "/apis/casemate.dev/v1alpha1/nodeattestations"

struct node {
	UT_hash_handle hh;
	bool exists;            /* there is a Node */
	struct marks_seen seen; /* if so */

	bool recorded;                                       /* there is a NodeAttestation */
	struct record record;                                /* if so; else zero */
	char version[MARK_VERSION_MAX], uid[RECORD_UID_MAX]; /* of it */
	char owner_uid[RECORD_UID_MAX];                      /* of the Node that owns it */
	struct waiver waiver;

	/* Of those who work with it. */
	bool judging, marking, ending; /* a write is under way */
	int64_t retry_usec;            /* monotonic: a write has failed; not before this another */
	int64_t drift_usec; /* monotonic: since when the Node has not what it should; 0: it has */
	/* What the last review was of: collateral, and NodeAttestation (review.h). */
	uint64_t reviewed_epoch;
	char reviewed_version[MARK_VERSION_MAX];
	int64_t warned_sec;  /* validUntil that an Event has warned of */
	int64_t tokens_usec; /* monotonic: of the limit of requests, see service.c */

	unsigned node_round, record_round; /* the lists that they were last seen in */
	char name[];
};

struct nodes;

struct nodes_options {
	struct kube_client *kube;
	struct metrics *metrics; /* NULL: none */
	/* A Node or NodeAttestation has changed, come or gone; n stays at least until this
	 * returns. */
	void (*changed)(void *ctx, struct node *n);
	void *ctx;
};

int nodes_new(struct nodes **ret_n, const struct nodes_options *o, struct error *err);
void nodes_free(struct nodes *n); /* NULL allowed */
DEFINE_CLEANUP(struct nodes *, nodes_free)

bool nodes_synced(const struct nodes *n);         /* both were listed once */
const char *nodes_problem(const struct nodes *n); /* "" or why they are not known */
void nodes_report(struct nodes *n);               /* brings metrics up to date */

/* Borrowed; valid until the loop goes on. NULL: unknown, or without a Node. */
struct node *nodes_find(struct nodes *n, const char *name);
struct node *nodes_find_any(struct nodes *n, const char *name); /* the NodeAttestation will do */
struct node *nodes_first(struct nodes *n); /* the next is hh.next; none goes meanwhile */

/* Takes up an object that an answer of the API server holds, unless something newer is known. */
void nodes_take_node(struct nodes *n, struct json_val node);
void nodes_take_record(struct nodes *n, struct json_val record);
/* The API server says that there is no such NodeAttestation. */
void nodes_lost_record(struct nodes *n, const char *name);

/* How many other nodes have a verdict that holds on that platform? */
unsigned nodes_sharing(struct nodes *n, const char *but, const unsigned char *platform_id,
	size_t len, int64_t now_sec);
/* The largest leaderEpoch stored. */
int64_t nodes_epoch(struct nodes *n);
