/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the API server who a bearer token belongs to (TokenReview, authentication.k8s.io/v1), for
 * one audience of ours: a token made for anybody else, the API server included, is not accepted.
 * Verdicts are kept for a while under the token's SHA-256, questions about the same token are
 * joined, and the API server is asked at most TOKEN_REVIEW_RATE times a second. On the loop's
 * thread. Needs create on tokenreviews.authentication.k8s.io (ClusterRole system:auth-delegator has
 * it). */
#pragma once

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/kube/client.h"
#include "common/net/caller.h"

enum {
	TOKEN_REVIEW_TOKEN_MAX = 8192, /* bytes */
	TOKEN_REVIEW_KEPT_MAX = 64,    /* verdicts and open questions */
	TOKEN_REVIEW_GROUPS_MAX = 64,  /* of a user; more are ignored */
	TOKEN_REVIEW_RATE = 20,
	TOKEN_REVIEW_GOOD_SEC = 60, /* how long a verdict is kept */
	TOKEN_REVIEW_BAD_SEC = 10,
};

struct token_review;

struct token_review_options {
	const char *audience;       /* "casemate-metrics"; copied */
	/* 0: as above. */
	int64_t good_usec, bad_usec;
	unsigned rate, kept;
};

int token_review_new(struct token_review **ret_t, struct kube_client *kube,
	const struct token_review_options *o, struct error *err);
/* Whoever asked must have cancelled, or have no use for an answer: no callback runs. Before the
 * client goes. */
void token_review_free(struct token_review *t); /* NULL allowed */
DEFINE_CLEANUP(struct token_review *, token_review_free)

/* The way to ask. Statuses as in struct caller; a 200 is of the audience. t is borrowed. */
struct caller_judge token_review_judge(struct token_review *t);
