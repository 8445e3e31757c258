/* SPDX-License-Identifier: Apache-2.0
 *
 * One leader among replicas, by a Lease (coordination.k8s.io/v1), as client-go's leaderelection:
 * who holds it renews it; another takes it once it has not changed for its duration, by his own
 * clock. Nobody trusts another's. On the loop's thread. Needs create, get and update on the Lease.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/kube/client.h"

struct kube_lease;

struct kube_lease_options {
	struct kube_client *kube;
	const char *namespace_, *name;
	const char *identity; /* of this replica, no two have the same; copied */
	/* 0: 10 s, 7 s, 2 s. A leader that could not renew for deadline_usec leads no more; others
	 * take over after duration_usec, so the former is below the latter. The leader renews each
	 * retry_usec; others look each half of it. */
	int64_t duration_usec, deadline_usec, retry_usec;
	/* A new term's number is at least this, one more than the highest that was seen; NULL: 1. For
	 * who has seen numbers of terms whose Lease somebody deleted: a leader whose own number is
	 * lower than one of them begins another term as well. */
	int64_t (*floor)(void *ctx);
	void (*changed)(void *ctx); /* leading began or ended; NULL allowed */
	/* For deadline_usec it could not be read or written, and why: once, until it could. NULL allowed. */
	void (*troubled)(void *ctx, const char *cause);
	void *ctx;
};

/* -EINVAL: times that make no sense. */
int kube_lease_new(
	struct kube_lease **ret_l, const struct kube_lease_options *o, struct error *err);
/* Are we the leader at this moment? False as soon as the deadline is over, whether the loop has
 * turned since or not. */
bool kube_lease_leading(const struct kube_lease *l);
/* The number of the present term, as last seen: leaseTransitions + 1. It grows with each new leader,
 * and stays what it is while the Lease cannot be read. 0: it was not read yet, or is not there. */
int64_t kube_lease_term(const struct kube_lease *l);
/* Gives the lead up, if it is ours, so that another may take it at once; nothing waits for that,
 * but the client must go on for a moment. */
void kube_lease_release(struct kube_lease *l);
void kube_lease_free(struct kube_lease *l); /* NULL allowed; before its client */
DEFINE_CLEANUP(struct kube_lease *, kube_lease_free)
