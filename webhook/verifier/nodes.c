/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/nodes.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/kube/watch.h"

struct nodes {
	struct nodes_options o;
	struct node *table;
	struct kube_watch *nodes, *records;
	unsigned node_round, record_round;
	struct metric *connected;
};

static bool name_of(char out[NODE_NAME_MAX], struct json_val object)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(2048);
	struct span name = json_str(json_find(object, "metadata", "name"), &a);

	if (name.len == 0 || name.len >= NODE_NAME_MAX || memchr(name.p, '\0', name.len))
		return false;
	snprintf(out, NODE_NAME_MAX, SPAN_FMT, SPAN_ARG(name));
	return true;
}

static void text_of(char *out, size_t size, struct json_val v)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(2048);
	struct span s = json_str(v, &a);

	snprintf(out, size, SPAN_FMT, SPAN_ARG(s));
}

/* Resource versions of one resource grow. */
static bool is_older(const char *version, const char *than)
{
	return strtoull(version, NULL, 10) < strtoull(than, NULL, 10);
}

struct node *nodes_find_any(struct nodes *n, const char *name)
{
	struct node *node;

	HASH_FIND_STR(n->table, name, node);
	return node;
}

struct node *nodes_find(struct nodes *n, const char *name)
{
	struct node *node = nodes_find_any(n, name);

	return node && node->exists ? node : NULL;
}

struct node *nodes_first(struct nodes *n)
{
	return n->table;
}

static struct node *obtain(struct nodes *n, const char *name)
{
	struct node *node = nodes_find_any(n, name);

	if (node)
		return node;
	node = HASH_COUNT(n->table) < NODES_MAX ? calloc(1, sizeof(*node) + strlen(name) + 1)
						: NULL;
	if (!node) {
		log_error("out of memory, or too many", "Dropped a node", LOG_STR("node", name));
		return NULL;
	}
	strcpy(node->name, name);
	HASH_ADD_STR(n->table, name, node);
	return node;
}

/* Tells of a change; what nobody needs any more goes. */
static void changed(struct nodes *n, struct node *node)
{
	n->o.changed(n->o.ctx, node);
	if (node->exists || node->recorded)
		return;
	assert(n->table); /* which the node is in */
	HASH_DEL(n->table, node);
	free(node);
}

void nodes_take_node(struct nodes *n, struct json_val object)
{
	struct marks_seen seen;
	char name[NODE_NAME_MAX];
	struct node *node;

	if (!name_of(name, object) || marks_read(&seen, object) < 0)
		return;
	node = obtain(n, name);
	if (!node)
		return;
	node->node_round = n->node_round;
	if (node->exists && strcmp(node->seen.uid, seen.uid) == 0 &&
		is_older(seen.version, node->seen.version))
		return;
	node->seen = seen;
	node->exists = true;
	changed(n, node);
}

static void owner_of(char out[RECORD_UID_MAX], struct json_val object)
{
	struct json_iter it;

	out[0] = '\0';
	json_each (it, json_find(object, "metadata", "ownerReferences"))
		if (json_str_is(json_get(it.value, "kind"), "Node"))
			text_of(out, RECORD_UID_MAX, json_get(it.value, "uid"));
}

void nodes_take_record(struct nodes *n, struct json_val object)
{
	struct json_val metadata = json_get(object, "metadata");
	char name[NODE_NAME_MAX], version[MARK_VERSION_MAX];
	struct node *node;

	if (!name_of(name, object))
		return;
	node = obtain(n, name);
	if (!node)
		return;
	text_of(version, sizeof(version), json_get(metadata, "resourceVersion"));
	node->record_round = n->record_round;
	if (node->recorded && is_older(version, node->version))
		return;
	memcpy(node->version, version, sizeof(version));
	text_of(node->uid, sizeof(node->uid), json_get(metadata, "uid"));
	owner_of(node->owner_uid, object);
	record_read(&node->record, object);
	waiver_read(&node->waiver, object);
	node->recorded = true;
	changed(n, node);
}

static void lose_record(struct nodes *n, struct node *node)
{
	node->recorded = false;
	node->record = (struct record){0};
	node->waiver = (struct waiver){0};
	node->version[0] = node->uid[0] = node->owner_uid[0] = '\0';
	changed(n, node);
}

void nodes_lost_record(struct nodes *n, const char *name)
{
	struct node *node = nodes_find_any(n, name);

	if (node && node->recorded)
		lose_record(n, node);
}

static void lose_node(struct nodes *n, struct node *node)
{
	node->exists = false;
	node->seen = (struct marks_seen){0};
	node->drift_usec = 0;
	changed(n, node);
}

/*
 * The watches
 */

static void on_node(void *ctx, struct json_val object)
{
	nodes_take_node(ctx, object);
}

static void on_record(void *ctx, struct json_val object)
{
	nodes_take_record(ctx, object);
}

static void on_node_removed(void *ctx, struct json_val object)
{
	char name[NODE_NAME_MAX];
	struct node *node = name_of(name, object) ? nodes_find(ctx, name) : NULL;

	if (node)
		lose_node(ctx, node);
}

static void on_record_removed(void *ctx, struct json_val object)
{
	char name[NODE_NAME_MAX], uid[RECORD_UID_MAX];
	struct node *node = name_of(name, object) ? nodes_find_any(ctx, name) : NULL;

	text_of(uid, sizeof(uid), json_find(object, "metadata", "uid"));
	/* We may know of the next one of that name already. */
	if (node && node->recorded && strcmp(node->uid, uid) == 0)
		lose_record(ctx, node);
}

static void on_nodes_begin(void *ctx)
{
	((struct nodes *)ctx)->node_round++;
}

static void on_records_begin(void *ctx)
{
	((struct nodes *)ctx)->record_round++;
}

static void on_nodes_synced(void *ctx)
{
	struct nodes *n = ctx;
	struct node *node, *next;

	HASH_ITER(hh, n->table, node, next)
	if (node->exists && node->node_round != n->node_round)
		lose_node(n, node);
}

static void on_records_synced(void *ctx)
{
	struct nodes *n = ctx;
	struct node *node, *next;

	HASH_ITER(hh, n->table, node, next)
	if (node->recorded && node->record_round != n->record_round)
		lose_record(n, node);
}

bool nodes_synced(const struct nodes *n)
{
	return kube_watch_synced(n->nodes) && kube_watch_synced(n->records);
}

const char *nodes_problem(const struct nodes *n)
{
	const char *problem = kube_watch_problem(n->nodes);

	return *problem ? problem : kube_watch_problem(n->records);
}

void nodes_report(struct nodes *n)
{
	metric_set(n->connected, kube_watch_connected(n->nodes), METRIC_VALUES("nodes"));
	metric_set(
		n->connected, kube_watch_connected(n->records), METRIC_VALUES("nodeattestations"));
}

static int open_watches(struct nodes *n, struct error *err)
{
	const struct kube_watch_options nodes = {.path = NODES_PATH};
	const struct kube_watch_options records = {.path = RECORDS_PATH};
	const struct kube_watch_handler on_nodes = {.list_begin = on_nodes_begin,
		.upsert = on_node,
		.removed = on_node_removed,
		.synced = on_nodes_synced,
		.ctx = n};
	const struct kube_watch_handler on_records = {.list_begin = on_records_begin,
		.upsert = on_record,
		.removed = on_record_removed,
		.synced = on_records_synced,
		.ctx = n};
	int r = kube_watch_new(&n->nodes, n->o.kube, &nodes, &on_nodes, err);

	return r < 0 ? r : kube_watch_new(&n->records, n->o.kube, &records, &on_records, err);
}

int nodes_new(struct nodes **ret_n, const struct nodes_options *o, struct error *err)
{
	static const char *const labels[] = {"resource", NULL};
	_cleanup_(nodes_free_p) struct nodes *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return error_oom(err);
	n->o = *o;
	if (o->metrics)
		n->connected = metrics_gauge(o->metrics, "casemate_webhook_watch_connected",
			"Is a watch of the API server open (1) or being retried (0).", labels);
	r = open_watches(n, err);
	if (r < 0)
		return r;
	*ret_n = TAKE_PTR(n);
	return 0;
}

void nodes_free(struct nodes *n)
{
	struct node *node, *next;

	if (!n)
		return;
	kube_watch_free(n->nodes);
	kube_watch_free(n->records);
	HASH_ITER(hh, n->table, node, next)
	{
		HASH_DEL(n->table, node);
		free(node);
	}
	free(n);
}

unsigned nodes_sharing(struct nodes *n, const char *but, const unsigned char *platform_id,
	size_t len, int64_t now_sec)
{
	unsigned count = 0;

	for (struct node *node = n->table; node; node = node->hh.next) {
		const struct record *r = &node->record;

		if (node->exists && r->standing == RECORD_ATTESTED && r->platform_id_len == len &&
			memcmp(r->platform_id, platform_id, len) == 0 &&
			record_holds(r, node->seen.uid, now_sec) && strcmp(node->name, but) != 0)
			count++;
	}
	return count;
}

int64_t nodes_epoch(struct nodes *n)
{
	int64_t epoch = 0;

	for (struct node *node = n->table; node; node = node->hh.next)
		if (node->record.epoch > epoch)
			epoch = node->record.epoch;
	return epoch;
}
