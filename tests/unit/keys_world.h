/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys on a node of one loop: a kubelet (device plugins, pod resources), an API server and a key broker
 * in one scripted server, evidence of the simulated TEE, and containers that are threads with
 * casemate-exec's own client. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "nodeagent/exec/exchange.h"
#include "nodeagent/keys/keys.h"
#include "nodeagent/kubelet/plugin.h"
#include "tests/unit/fake_kubelet.h"
#include "tests/unit/kube_fix.h"

#define KEYS_WORLD_UID "11111111-2222-3333-4444-555555555555"
#define KEYS_WORLD_KEK "0123456789abcdef0123456789abcdef"
enum { KEYS_WORLD_ASKERS = 8 };

struct keys_world {
	struct kube_fix kube;
	struct fake_kubelet kubelet;
	struct grpc_server *resources_server;
	struct pod_resources *resources;
	struct plugins *plugins;
	struct keys *keys;
	struct loop_queue *queue;
	struct key_prover prover;
	EVP_PKEY *tee_key;
	char dir[96], state[96], pods[96], plugin_dir[96], program[96];
	int64_t timeout_usec, refresh_usec;

	/* The kubelet's: which container of which pod holds the device. */
	const char *held_id, *held_pod, *held_container;
	/* The broker's. */
	atomic_int status;                /* of a resource; 200: the key */
	_Atomic(const char *) refusal;    /* its body otherwise */
	atomic_uint version;              /* that the key has; 0: it is not said. "s3cret", and
					   * from 2 on "s3cret-VERSION" */
	atomic_bool told_of;              /* who asks for versions is told that one */
	atomic_int polls;                 /* questions for versions */
	atomic_bool bound;                /* the last attestation was bound to what it said */
	_Atomic(const char *) annotation; /* of the pod, escaped; NULL: none */
	char *attested;                   /* the last attestation's body; the server's thread's */
	unsigned char report_data[64];    /* of the last evidence */
	pthread_mutex_t lock;
	/* What was told. */
	unsigned ended;
	char told[1024];
};

/* Starts all; keys are registered with the kubelet. */
bool keys_world_begin(struct keys_world *w);
void keys_world_end(struct keys_world *w);
bool keys_world_renew(struct keys_world *w); /* new ones, as after a restart of the agent */

/* Allocates id; the folder that the container sees in ret. */
void keys_world_allocate(struct keys_world *w, const char *id, char ret[128]);
/* PreStartContainer of id; the answer's message, "" when the container may start. */
const char *keys_world_start(struct keys_world *w, const char *id, struct fake_answer *a);

/* A token of the pod ns/POD with that UID, as text for free(). */
char *keys_world_token(const char *pod, const char *uid);
/* Where the kubelet keeps it for the agent. */
void keys_world_project(struct keys_world *w, const char *token);

/* Asks in the folder with the token, as a container does. */
struct asker {
	pthread_t thread;
	char socket[160], token[160];
	const char *key;
	struct secret keys[1];
	struct exec_answer answer;
	struct error err;
	int r;
	atomic_bool done;
};
void keys_world_ask(struct keys_world *w, struct asker *a, const char *folder, const char *token);
bool keys_world_answered(struct keys_world *w, struct asker *a); /* joins it */
