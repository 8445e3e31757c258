/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps stored keys as profiles say: makes what is missing, rotates what is due, puts aside and
 * drops what no profile names; writes status.keys and the condition KeysReady, the finalizer, and
 * Events. Of several replicas the leader does so; each of them counts its own releases into the
 * status, at most once a minute. Level-triggered: each look begins from what is stored and known
 * now, so that a crash or a lost write costs another look and nothing else. On the loop's thread. A
 * shell: it logs. */
#pragma once

#include "common/kube/event.h"
#include "common/kube/lease.h"
#include "webhook/broker/store.h"
#include "webhook/policy/profile.h"

struct keys_keeper;

struct keys_keeper_options {
	sd_event *event;
	struct key_store *store;
	struct kube_client *kube; /* NULL: a folder of profiles; no status, finalizers and Events */
	struct kube_event_recorder *events;
	struct kube_lease *lease; /* NULL: there is one replica */
	/* The UID of a profile's namespace; "": it is not known. */
	const char *(*namespace_uid)(void *ctx, const char *namespace_);
	void *ctx;
	int64_t retention_usec; /* of keys without a profile */
	bool restart_owners;    /* see webhook/broker/keys_rollout.h */
	struct metrics *metrics;
};

int keys_keeper_new(
	struct keys_keeper **ret_k, const struct keys_keeper_options *o, struct error *err);
void keys_keeper_free(struct keys_keeper *k); /* NULL allowed; before store, lease and kube */
DEFINE_CLEANUP(struct keys_keeper *, keys_keeper_free)

/* The profiles from now on; refs them. */
void keys_keeper_profiles(struct keys_keeper *k, struct profile_set *set);
/* Something changed: leading began, the store, the retention. Looks soon. */
void keys_keeper_look(struct keys_keeper *k);
void keys_keeper_retention(struct keys_keeper *k, int64_t retention_usec);
/* A key was released. */
void keys_keeper_released(struct keys_keeper *k, const char *namespace_, const char *profile,
	const char *key, int64_t now_sec);
