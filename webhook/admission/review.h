/* SPDX-License-Identifier: Apache-2.0
 *
 * The AdmissionReview envelope (admission.k8s.io/v1): request bytes in, response bytes out. Pure;
 * the same for HTTPS, the command line and the fuzzers. */
#pragma once

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/json.h"
#include "webhook/admission/patch.h"
#include "webhook/policy/policy.h"

enum review_webhook { REVIEW_MUTATE, REVIEW_VALIDATE };

enum {
	REVIEW_BODY_MAX  = 7 * 1024 * 1024, /* an object and an old one of 3 MiB each, and the rest */
	REVIEW_NODES_MAX = 1024 * 1024,
	REVIEW_DEPTH_MAX = 100,
};

/* The limits above, for those who have no reason to choose others. */
extern const struct json_limits review_limits;

/* Working memory, reused from review to review. One review at a time. */
struct review_scratch {
	struct json doc, pod;
	struct arena arena;
	struct patch patch;
	struct buf text;
};
void review_scratch_init(struct review_scratch *s);
/* Forgets the review; gives memory back when it was an unusually large one. */
void review_scratch_reset(struct review_scratch *s);
void review_scratch_free(struct review_scratch *s);

struct review_context {
	const struct policy_config *config;
	const struct profile_set *profiles; /* NULL: none known */
	const struct verdicts *verdicts;    /* NULL: nobody looks at them */
	int64_t now_sec;
	enum review_webhook webhook;
	struct json_limits limits;
	bool namespace_enabled; /* the webhook entry's selector said so */
};

/* How a review ended, for metrics, logs and events. Spans live in the scratch and the body. */
struct review_outcome {
	int status; /* HTTP: 200 with an AdmissionReview, or 400 */
	enum operation operation;
	struct policy_result result;
	size_t patch_bytes;
	struct span namespace_, name, kind, subresource, user;
	struct json_val object;
	bool dry_run;
	/* CONNECT: nothing is decided yet. Look up pod name in namespace_, then call
	 * review_connect(). */
	bool needs_pod;
};

/* Reviews body and appends the answer to out (unless needs_pod). Never fails: out of memory is an
 * outcome with HTTP status 500. */
void review(struct review_scratch *s, const struct review_context *ctx, struct span body,
	struct buf *out, struct review_outcome *ret_o);

/* Finishes a review that needs the pod. pod: its JSON as the API server gave it; empty when it
 * could not be had, with problem saying why (the review is then refused). */
void review_connect(struct review_scratch *s, const struct review_context *ctx, struct span pod,
	const char *problem, struct buf *out, struct review_outcome *o);

/* "mutate", "validate"; "CREATE", …; "passed", "mutated", "refused", "error": metric labels. */
const char *review_webhook_name(enum review_webhook w);
const char *review_operation_name(enum operation op);
const char *review_verdict_name(const struct review_outcome *o);
