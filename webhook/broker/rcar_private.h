/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to rcar: a visit is one request, from the server's thread until it is answered. */
#pragma once

#include <sys/queue.h>

#include "common/base/secret.h"
#include "common/kbs/packet.h"
#include "webhook/broker/kbs_metrics.h"
#include "webhook/broker/nonces.h"
#include "webhook/broker/rates.h"
#include "webhook/broker/rcar.h"
#include "webhook/broker/rcar_request.h"
#include "webhook/broker/token.h"

struct visit {
	LIST_ENTRY(visit) link; /* the desk's */
	struct rcar_desk *desk;
	struct http_exchange *exchange;
	const struct http_request *request;
	struct http_response *response;
	enum rcar_kind kind;
	int64_t begun_usec; /* monotonic */
	bool judged;        /* evidence or tokens were looked at */
	struct key_id key;
	struct span cookie, bearer; /* as they came; of the handler's time alone */
	struct rcar_attest attest;
	struct session session;
	struct witness_call *asked;
	/* of a release */
	struct packet packet; /* of RCAR_UNWRAP */
	struct buf jwe;
	unsigned version;
};

struct rcar_desk {
	struct rcar_options o;
	LIST_HEAD(visits, visit) visits;
	unsigned n;
	struct token_signer signer;
	struct nonces *nonces;
	struct rates *rates;
	struct metric *requests;
	struct kbs_metrics kbs;
};

/* The response is written: sends it. v is no more. */
void visit_leave(struct visit *v);
void visit_refuse(struct visit *v, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* An Event on the Pod whose token it is; none where nobody's is. */
void visit_tell(struct visit *v, const char *type, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Whoever keeps the pods' condition is told what became of its request. */
void visit_decided(struct visit *v, enum reason reason, const char *message);
/* Of a request for a key. */
void visit_resource(struct visit *v);
/* Of a layer's packet, which the key that it names unwraps. */
void visit_unwrap(struct visit *v);
/* The same, when the node's verdict holds. */
void visit_look_for_image(struct visit *v);
/* Of an agent that has delivered files: which keys have newer versions. */
void visit_versions(struct visit *v);

/* The agent's node has not asked too often; else the visit is refused. */
bool visit_node_may(struct visit *v);

/* rcar_release.c: what both have in common. */
/* The session has attested, and nothing in it is denied; else the visit is refused. */
bool visit_ready(struct visit *v);
/* The verdict of the agent's node must hold now, and be of the platform that the session proved:
 * then the live Pod, or Pods, are asked for, and else the visit is refused. */
void visit_look(struct visit *v);
/* What grant_decide() says of the key, for that pod and image (missing, SPAN_NONE: none), in a. */
int visit_judge(struct visit *v, struct json_val pod, struct span image, struct arena *a,
	enum reason *ret_reason, const char **ret_message);
/* A decision against: it is in the audit log too, unless who asks is refused too often. */
void visit_deny(struct visit *v, enum reason reason, const char *message);
/* The key was granted: fetched, and it or what it unwraps goes to who asked, unless the namespace's
 * keys are asked for too often. */
void visit_fetch(struct visit *v);

enum { MESSAGES_MAX = 1024 * 1024 /* of the arena that visit_judge() takes */ };
