/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts share: keys.c keeps allocations and their sockets, serve.c the clients, job.c what
 * a request comes to, start.c PreStartContainer. */
#pragma once

#include <sys/queue.h>

#include "nodeagent/keys/folders.h"
#include "nodeagent/keys/held.h"
#include "nodeagent/keys/keys.h"
#include "nodeagent/keys/promise.h"

enum {
	KEYS_BACKLOG = 8,
	KEYS_CLIENTS_MAX = 4, /* of one allocation; beyond: wait to be accepted */
	KEYS_ACTIVE_MAX = 8,  /* requests under way; others wait for their turn */
	/* Requests of one allocation, at once and then a second; beyond: wait for their turn. The
	 * broker takes 20 attestations a second of a node, of which the other pods shall have the
	 * most. */
	KEYS_BURST = 20,
	KEYS_RATE = 1,
	KEYS_ACCEPT_PAUSE_USEC = 1000000,
	KEYS_STEP_USEC = 10 * 1000000,
	KEYS_SOCKET_USEC = 50 * 1000000, /* of a request; casemate-exec asks again for 60 s */
	KEYS_START_USEC = 25 * 1000000,  /* the kubelet waits 30 s */
	KEYS_PROBLEM_MAX = 1024,
};

struct key_client;
TAILQ_HEAD(key_clients, key_client);
struct key_job;
TAILQ_HEAD(key_jobs, key_job);

/* An allocation. */
struct key_slot {
	struct keys *k;
	char id[DEVICE_ID_MAX + 1], folder[KEY_FOLDER_NAME];
	char owner[KEY_OWNER_MAX]; /* UID of the pod that it belongs to; "": not known yet */
	sd_event_source
		*listener; /* owns its socket; off while there are as many clients as may be */
	struct key_clients clients;
	unsigned n_clients, n_active; /* jobs under way */
	int64_t rate;                 /* of its requests: rate_take() */
	struct key_held *held;        /* what its promised files are; NULL: it has none */
	bool refreshing;              /* they are being replaced */
	TAILQ_ENTRY(key_slot) link;
};
TAILQ_HEAD(key_slots, key_slot);

struct keys {
	struct keys_options o;
	char *url, *ca_file, *token_file, *pods_dir;
	char program[KEY_FOLDER_PATH_MAX + 32];
	char allocated[KEY_FOLDER_PATH_MAX + KEY_FOLDER_NAME + 8]; /* the last answer's folder */
	struct key_folders folders;
	struct key_slots slots;
	sd_event_source *accept_again, *soon, *later;
	struct key_jobs jobs; /* all, in the order in which they came */
	unsigned n_jobs, n_active;
	bool listing; /* the kubelet was asked which container holds what */
	struct metric *requests;
	struct key_refresh *refresh; /* NULL: files stay as they were at the start */
	struct keys_view view;
	char problem[KEYS_PROBLEM_MAX];
};

/* --- serve.c --- */
/* A client connected: fd is taken over. Clients beyond memory are closed. */
void key_client_new(struct key_slot *slot, int fd);
void key_clients_close(struct key_slot *slot); /* all of the slot's, and what they asked for */

/* --- job.c --- */
struct key_job_options {
	bool files; /* what the pod was promised, with the token that the kubelet has for it; else:
		     */
	struct secret *token;         /* is taken over */
	const struct key_names *keys; /* copied; with files: those of them alone, NULL: all */
	/* Once, unless cancelled; the job is free then. keys (during the call): one for each name;
	 * NULL: why not. */
	void (*done)(void *ctx, const struct secret *keys, const struct key_promise *what,
		const struct key_refusal *why);
	void *ctx;
};
int key_jobs_start(struct keys *k, struct error *err); /* makes k->soon, k->later */
void key_jobs_soon(struct keys *k);                    /* those whose turn it is begin */
/* Nothing runs before this returns. */
int key_job_new(struct key_job **ret, struct key_slot *slot, const struct key_job_options *o,
	struct error *err);
void key_job_cancel(struct key_job *job); /* NULL allowed */
/* Ends what is left of the slot's. */
void key_jobs_end(struct key_slot *slot);
/* Labels of metrics come from a list of ours, whatever a broker says. */
const char *key_reason_label(const char *reason);

/* --- start.c --- */
void key_pre_start(void *ctx, const char *const *ids, size_t n, struct resource_request *rq);

void key_slot_note(const struct key_slot *slot); /* after a change of slot->held */

/* --- refresh.c --- */
/* Makes k->refresh, where files are replaced at all; freed after all slots. */
int key_refresh_new(struct keys *k, struct error *err);
void key_refresh_free(struct key_refresh *r); /* NULL allowed */

struct key_slot *key_slot_find(struct keys *k, const char *id);
