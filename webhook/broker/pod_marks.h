/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the condition casemate.dev/KeysReleased of Pods (webhook/broker/pod_mark.h): gathers what
 * becomes of a pod's requests for a moment, reads the Pod and patches its status, again while
 * another replica was faster or the API server is away. Releases wait for none of it. On the loop's
 * thread. A shell: it logs. */
#pragma once

#include "common/kube/client.h"
#include "common/observe/metrics.h"
#include "webhook/broker/grant.h"

struct pod_marks;

enum { POD_MARKS_MAX = 1024 /* pods at once; more are not marked, and counted */ };

struct pod_marks_options {
	struct kube_client *kube;
	struct metrics *metrics; /* NULL: none */
	int64_t gather_usec;     /* 0: half a second */
};

int pod_marks_new(struct pod_marks **ret_m, const struct pod_marks_options *o, struct error *err);
void pod_marks_free(struct pod_marks *m); /* NULL allowed; before its client */
DEFINE_CLEANUP(struct pod_marks *, pod_marks_free)

/* What became of a request of the pod that who names, for id (key "": before any was asked for).
 * message: unless reason is Ok. Copies. */
void pod_marks_note(struct pod_marks *m, const struct requester *who, const struct key_id *id,
	enum reason reason, const char *message);
/* What is gathered is written now: the process is ending. */
void pod_marks_hurry(struct pod_marks *m);
