/* SPDX-License-Identifier: Apache-2.0
 *
 * The live Pod against spec.workload, as somebody would have to fool it who may write pods and not
 * the profile. Every container of the pod is one that the profile lists, since each shares the
 * network, and may share volumes, with the one that holds the keys; and each runs what its entry
 * says: an image pinned by one of the digests, the command with its arguments, no environment and
 * no mounts but those listed, no probes or hooks beyond those allowed, and nothing else by which
 * what runs could be changed (working directory, shared process namespace, ephemeral containers).
 * What Casemate itself writes into a pod is seen through. */
#pragma once

#include "webhook/broker/grant_private.h"

/* 0, GRANT_REFUSED, -ENOMEM. For an image (d->q->image) one of the containers must name it. */
int workload_match(struct decision *d);

/* Private to it: one container of the pod and its entry in the profile. */
struct running {
	struct decision *d;
	struct json_val v;      /* of the pod's spec */
	struct json_val status; /* of the pod's status; missing before the kubelet wrote it */
	struct json_val want;   /* of spec.workload.containers */
	const char *at;         /* "spec.workload.containers[0] (app)" */
	const char *name;
};

/* workload_run.c: image; command, arguments and working directory; environment; probes and hooks.
 */
int running_image(const struct running *c);
int running_command(const struct running *c);
int running_env(const struct running *c);
int running_hooks(const struct running *c);
/* workload_mount.c */
int running_mounts(const struct running *c);
