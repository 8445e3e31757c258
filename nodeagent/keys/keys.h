/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys for the containers of this node: the resource casemate.dev/keys. Each allocation has a folder
 * with a socket (common/kbs/delivery.h); who asks there is told by the kubelet's pod-resources API,
 * and must show the token of that very pod; the broker judges. Promised files are fetched before the
 * container starts. On the loop's thread.
 *
 * What is held against whom: a container has no way to a folder that is not its own; a token of
 * another pod is refused here and by the broker, to which the evidence binds it; an id given back has
 * a new folder, and its old socket is closed. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/kube/client.h"
#include "common/observe/metrics.h"
#include "nodeagent/keys/release.h"
#include "nodeagent/kubelet/pod_resources.h"
#include "nodeagent/kubelet/resource.h"

struct keys;

/* A request has ended. */
struct keys_event {
	const char *namespace_, *pod, *container; /* "" until they are known */
	bool files;                               /* promised ones; else by the socket */
	bool again;                               /* to replace them in a container that runs */
	size_t n;                                 /* keys asked for */
	const struct key_refusal *why;            /* NULL: delivered */
	const char *key;                          /* that was refused; "" */
};

struct keys_options {
	sd_event *event;
	const char *dir;     /* of the folders: DELIVERY_HOST_DIR, its parent exists */
	const char *state;   /* which id has which, on a disk; its parent exists */
	const char *program; /* casemate-exec */
	bool disk_allowed;   /* promised files may be written to what is no tmpfs */
	const char *url, *ca_file, *token_file; /* as in key_release_options */
	const char *pods_dir; /* the kubelet's, "/var/lib/kubelet/pods", with the pods' tokens */
	const struct key_prover *prover;
	struct pod_resources *pod_resources;
	struct kube_client *kube;
	struct metrics *metrics; /* casemate_agent_key_requests_total{result,reason}; NULL: none */
	void (*ended)(void *ctx, const struct keys_event *e); /* NULL allowed */
	void *ctx;
	/* How often the broker is asked for newer versions of promised files; 0: never. Metric
	 * casemate_agent_key_refreshes_total{result,reason}. */
	int64_t refresh_usec;
	int64_t timeout_usec; /* of a request to arrive, and of an answer to be taken; 0: 10 s */
};

/* Strings are copied, all else is borrowed. Takes over what an earlier run allocated: kubelet and
 * containers still use it. Errors name the path. */
int keys_new(struct keys **ret, const struct keys_options *o, struct error *err);
void keys_free(struct keys *k); /* after pod_resources; leaves folders for the next run */
DEFINE_CLEANUP(struct keys *, keys_free)

/* casemate.dev/keys. */
struct resource keys_resource(struct keys *k);

/* Removes what belongs to pods that have ended: alive says of which UID a pod is still there. */
void keys_tidy(struct keys *k, bool (*alive)(void *ctx, const char *uid), void *ctx);

struct keys_view {
	unsigned folders, waiting; /* allocations; requests under way */
	uint64_t delivered, refused, failed; /* requests, since the agent started */
	const char *problem; /* the last one that was not delivered, for people; "" */
};
struct keys_view keys_view(const struct keys *k); /* valid until the loop runs again */
