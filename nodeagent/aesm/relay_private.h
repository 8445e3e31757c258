/* SPDX-License-Identifier: Apache-2.0
 *
 * What the halves of the relay share: relay.c keeps folders and their sockets, serve.c the clients
 * and whose turn it is. */
#pragma once

#include <sys/queue.h>
#include <sys/un.h>

#include "nodeagent/aesm/frame.h"
#include "nodeagent/aesm/relay.h"

enum {
	AESM_BACKLOG = 32,                                           /* of a socket; AESM's own */
	AESM_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path), /* bytes, with the NUL */
	AESM_ACCEPT_PAUSE_USEC = 1000000, /* when there are no descriptors left */
};

struct aesm_client;
TAILQ_HEAD(aesm_clients, aesm_client);

/* An allocation: a folder with a socket. */
struct aesm_slot {
	struct aesm_relay *relay;
	sd_event_source
		*listener; /* owns its socket; off while there are as many clients as may be */
	struct aesm_clients clients, waiting;
	unsigned n_clients, n_waiting;
	bool queued; /* in the relay's queue, which is so when a client waits and none is served */
	TAILQ_ENTRY(aesm_slot) link, turn;
	char id[];
};
TAILQ_HEAD(aesm_slots, aesm_slot);

struct aesm_relay {
	sd_event *event;
	char *dir, *socket;
	uint64_t timeout_usec;
	unsigned max_connections, max_waiting;
	struct metric *requests;
	struct aesm_slots slots;
	sd_event_source *accept_again;
	char allocated[AESM_PATH_MAX]; /* the folder that the last allocate() answered */

	struct aesm_slots queue;    /* those whose clients wait, the next one first */
	struct aesm_client *served; /* whose request is with AESM */
	sd_event_source *upstream;  /* owns the connection to AESM */
	struct aesm_frame answer;
};

/* Every result is counted from 0, so that the first one is an increase. */
void aesm_count_from_zero(struct metric *requests);
/* A client connected: fd is taken over. Clients beyond memory are closed. */
void aesm_client_new(struct aesm_slot *slot, int fd);
/* Closes all of the slot's. The one whose request is with AESM keeps its turn until AESM answered,
 * or else its allocation could fill AESM's queue by asking and leaving. */
void aesm_slot_disconnect(struct aesm_slot *slot);
/* Frees all clients and the connection to AESM: the relay ends. */
void aesm_serve_stop(struct aesm_relay *r);
