/* SPDX-License-Identifier: Apache-2.0
 *
 * A store's key-encryption keys (KEKs), from wherever they are: a file, a Secret beside the
 * records, Vault, a PKCS#11 token. One place wraps, all of them open, so that records move from one
 * to another without being lost. On the loop's thread. */
#pragma once

#include "webhook/broker/kek_wrapped.h"

struct keks;

struct keks_options {
	const struct key_store_options *store; /* borrowed during keks_new() */
	const struct store_place *place;       /* of the records; open when the loop runs */
	void (*changed)(void *ctx);            /* others are known */
	void *ctx;
};

int keks_new(struct keks **ret_k, const struct keks_options *o, struct error *err);
void keks_free(struct keks *k); /* NULL allowed */

/* All that are known, the one that wraps first; NULL: that one is not known (keks_problem()). */
const struct kek_ring *keks_ring(const struct keks *k);
/* "", or why that one is not known, or why nothing may be written under it. */
const char *keks_problem(const struct keks *k);
void keks_look(struct keks *k); /* the records are others now */
int keks_reload(struct keks *k, struct error *err);
/* NULL: nothing is wrapped by Vault or a token. */
struct kek_wrapped *keks_wrapped(const struct keks *k);
