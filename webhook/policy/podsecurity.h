/* SPDX-License-Identifier: Apache-2.0
 *
 * The Pod Security Standard "baseline" in its newest version (that of Kubernetes 1.37), as
 * k8s.io/pod-security-admission evaluates it, over app, init and ephemeral containers. */
#pragma once

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/tee/reason.h"

struct podsecurity_violation {
	const char *field; /* "spec.containers[1].securityContext.privileged" */
	const char *why;   /* "must not be true" */
	enum reason reason; /* PodSecurityViolated, or HostPathNotAllowed for a hostPath volume */
};

/* Judges pod (an object with metadata and spec). aesm_socket: the volume that Intel's webhook
 * writes, aesmd-socket on the host's /var/run/aesmd, is no violation. A field of a type that
 * Kubernetes does not allow there is one. 0: the pod meets the standard; 1: it does not, and
 * ret_v (strings in a) tells the first field that violates it; -ENOMEM. */
int podsecurity_baseline(struct json_val pod, bool aesm_socket, struct arena *a,
	struct podsecurity_violation *ret_v);
