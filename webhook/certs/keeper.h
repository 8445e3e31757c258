/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the bundle of authorities in both webhook configurations (injector.h), for self.c and
 * files.c, and knows whether the API server trusts what is to be served. A shell: it logs. */
#pragma once

#include "webhook/certs/bundle.h"
#include "webhook/certs/certs.h"
#include "webhook/certs/serving.h"

struct keeper;

enum { KEEPER_GRACE_SEC = 2 }; /* for every API server to know what was stored */

/* Whose caBundle: o's configurations. changed: keeper_step is due. serving is borrowed; registers
 * the check "ca-bundle". */
int keeper_new(struct keeper **ret_k, struct kube_client *kube, const struct certs_options *o,
	struct serving *serving, void (*changed)(void *ctx), void *ctx, struct error *err);
void keeper_free(struct keeper *k); /* NULL allowed */
DEFINE_CLEANUP(struct keeper *, keeper_free)

/* What every entry shall have; empty: nothing is asserted. */
void keeper_want(struct keeper *k, const struct bundle *wanted);
/* Nothing uses these any more: they leave at once, unless they are wanted. */
void keeper_give_up(struct keeper *k, const struct bundle *gone);

/* Does what is due; returns when to be called again at the latest (monotonic). */
int64_t keeper_step(struct keeper *k, int64_t now_usec, int64_t now_sec);

/* As of the last step: since when every entry has had, as far as can be seen, all that is wanted
 * (monotonic); 0: not so. */
int64_t keeper_since(const struct keeper *k);
/* And has it been so for the grace period, or was it when we came? */
bool keeper_settled(const struct keeper *k, int64_t now_usec);

/* Says in health whether every entry trusts what is served. needed: the authorities that takes;
 * empty: nothing is served. Returns when to be called again (monotonic). */
int64_t keeper_check(struct keeper *k, const struct bundle *needed, int64_t now_usec);
