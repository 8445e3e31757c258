/* SPDX-License-Identifier: Apache-2.0
 *
 * Where guests, enclaves and agents come for keys: Confidential Containers' key broker protocol
 * over HTTPS (common/kbs/rcar.h), all on the loop's thread. Nothing is remembered between the
 * steps but used nonces: any replica serves any step. */
#pragma once

#include "common/kube/event.h"
#include "common/net/server.h"
#include "common/observe/metrics.h"
#include "webhook/broker/attestation.h"
#include "webhook/broker/deny.h"
#include "webhook/broker/ledger.h"
#include "webhook/broker/store.h"
#include "webhook/broker/witness.h"

struct rcar_desk;

enum {
	RCAR_VISITS_MAX = 512, /* at once; more are answered 429 */
};

/* What keys are granted by; changes with configuration and profiles. */
struct rcar_world {
	const struct policy_config *policy;
	struct profile_set *profiles; /* NULL: not known yet */
	/* The UID of an enabled namespace; "" when there are none. */
	const char *(*namespace_uid)(void *ctx, const char *namespace_);
	void *ctx;
};

struct rcar_options {
	struct attestation_rules rules;
	const struct sealing_keys *keys; /* borrowed, as what follows */
	EVP_PKEY *const *token_key;      /* points to NULL: there is none yet */
	const struct rcar_world *world;
	struct key_store *store;
	void (*released)(void *ctx, const struct key_id *key, int64_t now_sec); /* NULL allowed */
	/* What became of a request that came through the agent of a pod's node; id->key "": before
	 * any key was asked for. message: "" when reason is Ok. NULL allowed. */
	void (*decided)(void *ctx, const struct requester *who, const struct key_id *id,
		enum reason reason, const char *message);
	void *ctx;
	struct ledger *ledger;
	const struct deny *const *deny; /* points to NULL: not known yet, and nothing is released */
	struct witness *witness;        /* NULL: no tokens are taken */
	int64_t max_rate;               /* handshakes and attestations a second */
	bool rsa_oaep_sha1;             /* see struct jwk */
	struct kube_event_recorder *events; /* KeyReleased, KeyRefused on Pods; NULL: none */
	struct metrics *metrics;
	const char *version; /* of Casemate */
};

int rcar_desk_new(struct rcar_desk **ret_d, const struct rcar_options *o, struct error *err);
/* The server has stopped: what is still here is answered 503. NULL allowed. */
void rcar_desk_free(struct rcar_desk *d);
DEFINE_CLEANUP(struct rcar_desk *, rcar_desk_free)

/* The handler of a server on the loop; ctx: the desk. */
enum http_verdict rcar_handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res);
