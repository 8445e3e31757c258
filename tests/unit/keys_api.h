/* SPDX-License-Identifier: Apache-2.0
 *
 * An API server that keeps Secrets, with their watches, and one EnclaveProfile, shop/payments, with
 * its status: what the broker's keys are kept by. */
#pragma once

#include <pthread.h>

#include "tests/unit/kube_fix.h"

enum { KEYS_API_SECRETS = 4, KEYS_API_TEXT = 8192, KEYS_API_WATCHES = 32 };

struct keys_api_secret {
	char name[254];
	unsigned version;
	char *body; /* the object as it was sent; NULL: this one is free */
	bool labelled;
};

struct keys_api_watch {
	unsigned request;
	char name[254]; /* metadata.name; "": those with the label of keys */
};

struct keys_api {
	struct kube_fix kube;
	char kek[96]; /* a file with a key-encryption key */

	pthread_mutex_t lock; /* what follows */
	struct fake_server *server;
	unsigned version; /* of whatever was written last */
	unsigned changed; /* of the Secret that was written last */
	struct keys_api_secret secrets[KEYS_API_SECRETS];
	struct keys_api_watch watches[KEYS_API_WATCHES];
	size_t n_watches;
	char uid[32], spec[KEYS_API_TEXT]; /* of the profile; uid "": it is not there */
	unsigned profile_version;
	bool deleted;
	char finalizers[256], keys[KEYS_API_TEXT], conditions[KEYS_API_TEXT]; /* JSON arrays */
	unsigned refusal;        /* the status of all writes; 0: none is refused */
	bool deaf;               /* watches bring nothing */
	bool away;               /* nobody answers */
	char log[KEYS_API_TEXT]; /* "METHOD secrets\n", "PATCH status\n", … of writes */
	char event[2048];        /* the last Event */
};

bool keys_api_begin(struct keys_api *a); /* fails the test itself */
void keys_api_end(struct keys_api *a);

/* Somebody else writes or removes a Secret; data is a JSON object. Watches bring it. */
void keys_api_put(struct keys_api *a, const char *name, const char *data, bool labelled);
void keys_api_remove(struct keys_api *a, const char *name);
/* The profile is written, under a UID, with spec.keys ("'" for '"'). */
void keys_api_profile(struct keys_api *a, const char *uid, const char *keys);
/* The profile as it is, for free(), and its version; NULL: it is not there. */
char *keys_api_profile_text(struct keys_api *a, unsigned *ret_version);
/* The API server goes away, or comes back. */
void keys_api_away(struct keys_api *a, bool away);

/* The data of a Secret, for free(); NULL: it is not there. */
char *keys_api_data(struct keys_api *a, const char *name);
size_t keys_api_secrets(struct keys_api *a);                 /* how many there are */
size_t keys_api_count(struct keys_api *a, const char *line); /* in the log */
bool keys_api_says(struct keys_api *a, const char *text);    /* do the conditions? */
