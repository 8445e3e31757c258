/* SPDX-License-Identifier: Apache-2.0
 *
 * Replicas against an API server that holds one Secret and two webhook configurations. */
#pragma once

#include <pthread.h>

#include "tests/unit/kube_fix.h"
#include "webhook/certs/certs.h"
#include "webhook/certs/store.h"

enum { SECRET, MUTATING, VALIDATING, OBJECTS };
enum { REPLICAS = 2, WATCHES = 4, ENTRIES = 2, BUNDLE_TEXT_MAX = 32768 };

struct api {
	pthread_mutex_t lock;
	struct fake_server *server;
	unsigned rv, object_rv[OBJECTS];
	char *data; /* of the Secret: a JSON object; NULL: there is no Secret */
	char *bundle[OBJECTS][ENTRIES];
	unsigned watches[OBJECTS][WATCHES], n_watches[OBJECTS];
	unsigned created, patched[OBJECTS], conflicts;
	bool deaf;      /* watches of the Secret hear nothing */
	int refuse;     /* status of the next write of the Secret; 0: accepted */
	bool forbidden; /* every write of the Secret */
	bool fixed;     /* the configurations cannot be written */
};

struct world {
	struct api api;
	struct kube_fix fix;
	struct tls_identity *tls[REPLICAS];
	struct health *health[REPLICAS];
	struct certs *certs[REPLICAS];
	const struct bundle *wanted; /* for world_has_exactly */
};

/* Of a self-made certificate. */
extern const struct certs_options world_options;

/* The API server alone; a replica, of which the first has the metrics. */
bool world_begin(struct world *w);
void world_start(struct world *w, int replica, const struct certs_options *o);
void world_stop(struct world *w, int replica);
void world_end(struct world *w);

/* Tells the watches of an object that it has changed; the lock is held. */
void world_tell(struct api *a, int object, const char *type);
void world_set_text(char **to, struct span text);
/* Changes the Secret's data; NULL: it is deleted. */
void world_set_secret(struct world *w, const char *data, const char *type);
/* What the Secret holds, as a replica reads it; it must be sound. */
void world_take_store(struct world *w, struct store *s);

/* Does every entry have all of want? exactly: and nothing else? */
bool world_all_have(struct world *w, const struct bundle *want, bool exactly);
bool world_has_exactly(void *w); /* the same, exactly, of w->wanted */
/* Of a struct world: a sound Secret, its bundle in every entry, every replica that was started ready.
 */
bool world_is_settled(void *w);
