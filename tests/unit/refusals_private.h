/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to refusals_*.c: the broker of one row, and who asks it. */
#pragma once

#include <openssl/evp.h>
#include <pthread.h>

#include "common/net/http.h"
#include "common/net/server.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/refusals_world.h"
#include "tests/unit/tree.h"
#include "webhook/broker/ledger.h"
#include "webhook/broker/rcar.h"
#include "webhook/broker/store.h"
#include "webhook/trust/trust.h"

enum { REFUSALS_ANSWER_MAX = 256 * 1024, COOKIE_MAX = 16 * 1024 };

struct refusals {
	const struct attack *a;
	struct kube_fix kube;
	pthread_mutex_t lock; /* of what the API server's thread reads */
	char *pod, *record;
	struct tree tree;
	struct fixture policy;
	struct json_val plain_pod; /* before patches that come later */
	struct trust *trust;
	struct collateral_sources sources;
	const char *path;
	char folder[128], kek[128], audit_path[128];
	struct simulated_fix simulated;
	struct token_review *reviews;
	struct witness *witness;
	struct key_store *store;
	struct audit *audit;
	struct ledger *ledger;
	struct deny *deny;
	const struct deny *denied;
	struct sealing_keys keys;
	EVP_PKEY *token_key, *own, *other;
	struct rcar_world world;
	const char *namespace_uid;
	struct rcar_desk *desk;
	struct server *server;
	struct http_client *client;
	char url[64];
	/* the last answer */
	bool done;
	int status;
	char cookie[COOKIE_MAX], answer[REFUSALS_ANSWER_MAX];
	size_t answer_len;
};

/* Somebody who gets the key. */
void refusals_init(struct attack *a);
/* Fails the test itself. refusals_end() in any case. */
bool refusals_begin(struct refusals *w, const struct attack *a);
void refusals_end(struct refusals *w);
/* Appends the token of that name; one that nobody made is no token to the API server. */
void refusals_token(struct buf *out, const char *name);
/* Handshake and attestation, by w->a. False: it was refused, by what w has. */
bool refusals_attest(struct refusals *w);
/* Asks the broker; its answer is in w. cookie, bearer: NULL or "": none. */
void refusals_ask(struct refusals *w, const char *method, const char *path, const char *cookie,
	const char *bearer, struct span body);
