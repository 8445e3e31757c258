/* SPDX-License-Identifier: Apache-2.0
 *
 * One release: the agent proves its node to the key broker for one container of one pod, and gets
 * the keys that it asks for (the CoCo KBS protocol's RCAR, common/kbs/rcar.h). Each has an
 * ephemeral key of its own, which the evidence binds together with both tokens and the container.
 * On the loop's thread. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/http.h"
#include "nodeagent/evidence/job.h"
#include "nodeagent/keys/message.h"

struct key_release;

/* Where evidence comes from. */
struct key_prover {
	/* The protocol's name of what this node proves itself to be: "tdx", "snp", "simulated"; "":
	 * it can prove nothing that keys are given for. */
	const char *(*tee)(void *ctx);
	/* As evidence_start(). -EAGAIN: not now. */
	int (*start)(void *ctx, const unsigned char report_data[64], struct evidence_job **ret,
		evidence_done done, void *done_ctx, struct error *err);
	void *ctx;
};

/* Why there are no keys. */
struct key_refusal {
	bool again; /* nothing was judged; asking later may help */
	char reason[64], message[480];
	size_t key; /* the one it is about; SIZE_MAX: all of them */
};

struct key_release_options {
	sd_event *event;
	const char *url;        /* of the broker, without a slash at its end */
	const char *ca_file;    /* PEM: who signs its certificate; nothing else is trusted */
	const char *token_file; /* the agent's own */
	const struct key_prover *prover;
	/* For whom. */
	const char *namespace_, *container;
	struct span pod_token;
	const struct key_names *keys;
	unsigned *ret_versions; /* of keys, before done; 0: it was not said. NULL: nobody asks */
	/* Instead of keys: a layer's packet (common/kbs/packet.h), wrapped under the key
	 * "PROFILE/KEY" of the namespace. What it wraps is the only one of done's keys. There is no
	 * token of a pod: images come before pods start. */
	struct span layer;
	const char *layer_key;
	/* The end, once, unless cancelled; the release is free then. keys (valid during the call):
	 * one for each asked for, or NULL and why not. */
	void (*done)(void *ctx, const struct secret *keys, const struct key_refusal *why);
	void *ctx;
};

/* All of o is borrowed until the end. No callback runs before this returns. */
int key_release_start(
	struct key_release **ret, const struct key_release_options *o, struct error *err);
void key_release_cancel(struct key_release *r); /* NULL allowed; no callback after this */

/* A client that trusts no other broker, and the agent's token. ret_token is empty before. Errors
 * name the file. */
int key_broker_open(struct http_client **ret, struct secret *ret_token, sd_event *event,
	const char *ca_file, const char *token_file, struct error *err);

/* Pure. What an answer of the broker without a key means. */
void key_refusal_read(struct key_refusal *ret, int status, struct span body);
