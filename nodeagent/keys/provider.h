/* SPDX-License-Identifier: Apache-2.0
 *
 * The key provider of this node: containerd's and CRI-O's decoders ask it, over a Unix socket, for
 * what the layers of encrypted images are wrapped with (gRPC, common/kbs/keyprovider.h). The agent
 * proves the node to the broker, which alone has the keys and unwraps, if a pod of the key's
 * profile on this node names the image. A refusal is the message of the pod's Event. On the loop's
 * thread. */
#pragma once

#include "common/base/cleanup.h"
#include "common/observe/metrics.h"
#include "nodeagent/keys/release.h"

struct key_provider;

enum { KEY_PROVIDER_CALLS_MAX = 64 /* layers at once; more are refused */ };

struct key_provider_options {
	sd_event *event;
	const char *socket;                     /* its folder exists; root alone may connect */
	const char *url, *ca_file, *token_file; /* as in key_release_options */
	const struct key_prover *prover;
	struct metrics *metrics; /* casemate_agent_layer_keys_total{result,reason}; NULL: none */
};

/* Strings are copied, all else is borrowed. Errors name the path. */
int key_provider_new(
	struct key_provider **ret, const struct key_provider_options *o, struct error *err);
void key_provider_free(struct key_provider *p); /* NULL allowed */
DEFINE_CLEANUP(struct key_provider *, key_provider_free)
