/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of pods that run when a key of their profile has a new version. Counts those that
 * still hold an older one, for the status; where the key says rotation.onChange: Restart, has their
 * owner roll (Deployment, StatefulSet, DaemonSet: an annotation on the template, as `kubectl
 * rollout restart` does), once for a version, and one owner a second. Others' pods are told what to
 * do by an Event. The leader's; what it knows begins anew with it. On the loop's thread. A shell:
 * it logs. */
#pragma once

#include "common/kube/event.h"
#include "webhook/broker/record.h"
#include "webhook/broker/rollout_pods.h"
#include "webhook/policy/profile.h"

struct keys_rollout;

struct keys_rollout_options {
	sd_event *event;
	struct kube_client *kube;
	struct kube_event_recorder *events; /* NULL: none */
	bool restart;                       /* owners may be rolled; else Events say what to do */
	struct metrics *metrics; /* casemate_webhook_key_restarts_total{kind,result}; NULL: none */
	int64_t step_usec;       /* of waiting: between owners, for one; 0: a second */
	void (*changed)(void *ctx); /* keys_rollout_old() says something else now */
	void *ctx;
};

int keys_rollout_new(
	struct keys_rollout **ret_r, const struct keys_rollout_options *o, struct error *err);
void keys_rollout_free(struct keys_rollout *r); /* NULL allowed; before kube and events */
DEFINE_CLEANUP(struct keys_rollout *, keys_rollout_free)

/* A profile's keys as they are stored; to be called again and again. */
void keys_rollout_see(struct keys_rollout *r, const struct profile *p, const struct key_spec *specs,
	size_t n, const struct key_record *rec);
/* Forgets the profiles that were not seen since this was called last. */
void keys_rollout_sweep(struct keys_rollout *r);
/* How many pods of the profile hold an older version of the key; -1: not known, or not asked: files
 * are replaced. */
int keys_rollout_old(const struct keys_rollout *r, const struct profile *p, const char *key);
