/* SPDX-License-Identifier: Apache-2.0
 *
 * One PATCH is under way at most, and a timer runs only while a write has to wait: a steady Node
 * costs nothing but the watch. What the API server answers to a PATCH is the Node as well, so
 * events are taken in the order of its versions: those from before our own write say nothing new.
 */
#include "nodeagent/node/capacity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/kube/resources.h"
#include "common/kube/watch.h"
#include "nodeagent/node/capacity_plan.h"
#include "nodeagent/node/node_view.h"

enum {
	CAPACITY_OBJECT_MAX = 4 * 1024 * 1024, /* bytes of a Node; etcd takes 1.5 MiB */
	CAPACITY_BODY_MAX = 1024,
	CAPACITY_PROBLEM_MAX = 1024,
	CAPACITY_NOTE_MAX = 320,
	NODE_NAME_MAX = 253,
	TIMER_ACCURACY_USEC = 100 * USEC_PER_MSEC,
};

static const struct json_limits limits = {CAPACITY_OBJECT_MAX, 1 << 18, 64};

static const struct {
	const char *name, *reason;
	const char *off; /* what makes this program leave it to another */
} keys[CAPACITY_KEY_N] = {
	[CAPACITY_EPC] = {RESOURCE_EPC, "EpcRepublished", ", or this agent (epc.publish: false)"},
	[CAPACITY_TDX_KEYS] = {RESOURCE_TDX_SLOT, "CapacityRepublished", ""},
	[CAPACITY_SNP_ESIDS] = {RESOURCE_SNP_SLOT, "CapacityRepublished", ""},
};

struct capacity {
	struct kube_client *kube;
	struct kube_event_recorder *events;
	void (*changed)(void *ctx);
	void (*asked)(void *ctx);
	void *ctx;
	char node[NODE_NAME_MAX + 1];
	char path[NODE_NAME_MAX + 96];
	struct kube_watch *watch;
	struct kube_call *call;
	sd_event_source *timer;
	struct node_view view; /* uid "": there is no Node */
	bool listed;           /* it was in the list that is being handed over */
	struct capacity_plan plans[CAPACITY_KEY_N];
	bool writing[CAPACITY_KEY_N];       /* by the call */
	bool lost;                          /* no answer came to the last one */
	char refusal[CAPACITY_PROBLEM_MAX]; /* what went wrong with it */
	enum capacity_state state;
	char problem[CAPACITY_PROBLEM_MAX];
	struct metric *writes, *connected, *contested;
};

static void act(struct capacity *c);

const char *capacity_key_name(enum capacity_key k)
{
	return keys[k].name;
}

/*
 * What people see
 */

static enum capacity_state find_state(const struct capacity *c)
{
	bool pending = c->call != NULL;

	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++) {
		if (c->plans[k].contested)
			return CAPACITY_CONTESTED;
		pending = pending || capacity_plan_due(&c->plans[k]) != CAPACITY_NEVER;
	}
	if (!c->view.uid[0])
		return CAPACITY_UNKNOWN;
	return pending ? CAPACITY_PENDING : CAPACITY_PUBLISHED;
}

static void amount_text(char *out, size_t size, const struct node_amount *a)
{
	if (a->n >= 0)
		snprintf(out, size, "set it to %" PRId64, a->n);
	else
		snprintf(out, size, a->n == NODE_ABSENT ? "removed it" : "changed it");
}

static const char *publisher(const struct node_amount *a)
{
	return a->other[0] ? a->other : "another program";
}

static void describe_contested(
	const struct capacity *c, enum capacity_key k, char *out, size_t size)
{
	const struct node_amount *seen = &c->plans[k].seen;
	char what[64];

	amount_text(what, sizeof(what), seen);
	snprintf(out, size,
		"%s of Node %s has a second publisher: %s %s, for the second time within ten "
		"minutes; nothing is written any more. One of the two must stop: NFD (delete the "
		"NodeFeatureRule that has %s among its extendedResources, or set "
		"restrictions.disableExtendedResources for nfd-master)%s. Writing goes on when the "
		"capacity has been removed from the Node, or this agent is restarted",
		keys[k].name, c->node, publisher(seen), what, keys[k].name, keys[k].off);
}

static void find_problem(const struct capacity *c, char *out, size_t size)
{
	out[0] = '\0';
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N && !out[0]; k++)
		if (c->plans[k].contested)
			describe_contested(c, k, out, size);
	if (out[0])
		return;
	if (c->refusal[0])
		snprintf(out, size, "%s", c->refusal);
	else if (c->view.uid[0])
		return;
	else if (!kube_watch_synced(c->watch))
		snprintf(out, size, "Node %s cannot be read: %s", c->node,
			kube_watch_problem(c->watch));
	else
		snprintf(out, size,
			"there is no Node %s: the kubelet has not registered, or nodeName is not "
			"its name",
			c->node);
}

/* After anything that may have changed what people see. */
static void refresh(struct capacity *c, bool tell)
{
	enum capacity_state state = find_state(c);
	char problem[CAPACITY_PROBLEM_MAX];

	find_problem(c, problem, sizeof(problem));
	tell = tell || state != c->state || strcmp(problem, c->problem) != 0;
	c->state = state;
	memcpy(c->problem, problem, sizeof(problem));
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		metric_set(c->contested, c->plans[k].contested, METRIC_VALUES(keys[k].name));
	if (tell && c->changed)
		c->changed(c->ctx);
}

static void send_event(struct capacity *c, const char *type, const char *reason, const char *note)
{
	struct kube_object_ref node = {"v1", "Node", "", c->node, c->view.uid};

	if (c->events)
		kube_event(c->events, &node, type, reason, "Publish", note);
}

static void tell_restored(struct capacity *c, enum capacity_key k)
{
	const struct capacity_plan *p = &c->plans[k];
	char note[CAPACITY_NOTE_MAX], what[64];

	amount_text(what, sizeof(what), &p->lost_to);
	switch (p->restored) {
	case LOSS_NODE:
		snprintf(what, sizeof(what), "the Node had been made anew");
		break;
	case LOSS_ZEROED:
		snprintf(what, sizeof(what), "the kubelet had registered anew and set it to 0");
		break;
	case LOSS_OLD_VALUE:
		snprintf(what, sizeof(what), "an older value had come back");
		break;
	default:
		break;
	}
	if (p->restored == LOSS_REMOVED || p->restored == LOSS_OVERWRITTEN)
		snprintf(note, sizeof(note), "%s is %" PRId64 " again: %s had %s", keys[k].name,
			p->want, publisher(&p->lost_to), what);
	else
		snprintf(note, sizeof(note), "%s is %" PRId64 " again: %s", keys[k].name, p->want,
			what);
	send_event(c, "Normal", keys[k].reason, note);
}

/*
 * What the Node says
 */

static void forget_node(struct capacity *c)
{
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		capacity_plan_gone(&c->plans[k]);
	c->view = (struct node_view){.version = c->view.version};
}

/* True: the Node has another identity than before. */
static bool take_view(struct capacity *c, const struct node_view *v)
{
	bool other = strcmp(v->uid, c->view.uid) != 0;
	/* What it said before this agent came is answered by its first round. */
	bool asked = !other && v->asked[0] && strcmp(v->asked, c->view.asked) != 0;
	int64_t now = clock_monotonic_usec();
	char text[CAPACITY_PROBLEM_MAX];

	if (other)
		forget_node(c);
	c->view = *v;
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++) {
		switch (capacity_plan_see(&c->plans[k], &v->capacity[k], now)) {
		case NEWS_RESTORED:
			tell_restored(c, k);
			break;
		case NEWS_CONTESTED:
			describe_contested(c, k, text, sizeof(text));
			send_event(c, "Warning", "CapacityContested", text);
			break;
		case NEWS_NONE:
			break;
		}
	}
	if (asked && c->asked)
		c->asked(c->ctx);
	return other;
}

static bool is_older(const struct capacity *c, const struct node_view *v)
{
	return v->version && v->version < c->view.version;
}

static void on_list_begin(void *ctx)
{
	struct capacity *c = ctx;

	c->listed = false;
	c->view.version = 0; /* versions fall when etcd was restored */
}

static bool is_our_node(const struct capacity *c, struct json_val object)
{
	return json_str_is(json_find(object, "metadata", "name"), c->node);
}

static void on_upsert(void *ctx, struct json_val object)
{
	struct capacity *c = ctx;
	struct node_view v;
	bool other;

	if (!is_our_node(c, object) || node_view_read(&v, object) < 0)
		return;
	c->listed = true;
	if (is_older(c, &v))
		return;
	other = take_view(c, &v);
	act(c);
	refresh(c, other);
}

static void on_removed(void *ctx, struct json_val object)
{
	struct capacity *c = ctx;

	if (!is_our_node(c, object))
		return;
	forget_node(c);
	act(c);
	refresh(c, true);
}

static void on_synced(void *ctx)
{
	struct capacity *c = ctx;
	bool gone = !c->listed && c->view.uid[0];

	if (gone)
		forget_node(c);
	act(c);
	refresh(c, gone);
}

static void on_connection(void *ctx)
{
	struct capacity *c = ctx;
	bool connected = kube_watch_connected(c->watch);

	metric_set(c->connected, connected, NULL);
	if (connected && c->lost) {
		c->lost = false;
		for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
			capacity_plan_reconnected(&c->plans[k]);
	}
	act(c);
	refresh(c, true);
}

/*
 * Writing
 */

static void count_writes(struct capacity *c, const char *result)
{
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		if (c->writing[k])
			metric_add(c->writes, 1, METRIC_VALUES(keys[k].name, result));
}

static void take_answer(struct capacity *c, struct span body)
{
	_cleanup_json_ struct json doc = {0};
	struct node_view v;

	if (json_parse(&doc, body, &limits, NULL) < 0 || node_view_read(&v, json_root(&doc)) < 0)
		return; /* the watch will tell */
	/* Another Node's, or one that is gone: the watch is further. */
	if (strcmp(v.uid, c->view.uid) == 0 && !is_older(c, &v))
		take_view(c, &v);
}

static void describe_refusal(struct capacity *c, const char *why)
{
	snprintf(c->refusal, sizeof(c->refusal),
		"capacities of Node %s cannot be written, it is tried again: %s", c->node, why);
}

static void on_written(void *ctx, const struct kube_result *res)
{
	struct capacity *c = ctx;
	bool ok = !res->code && res->status >= 200 && res->status < 300;

	c->call = NULL;
	c->lost = res->status == 0;
	count_writes(c, ok ? "ok" : res->status / 100 == 4 ? "refused" : "error");
	c->refusal[0] = '\0';
	if (ok)
		take_answer(c, res->body);
	else if (res->status != 404) /* the Node went; the watch will tell */
		describe_refusal(c, res->message);
	act(c);
	refresh(c, false);
}

static int write_body(struct capacity *c, struct buf *b, int64_t now)
{
	const char *comma = "";

	buf_puts(b, "{\"status\":{\"capacity\":{");
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++) {
		struct capacity_plan *p = &c->plans[k];

		c->writing[k] = capacity_plan_due(p) <= now;
		if (!c->writing[k])
			continue;
		buf_printf(b, "%s\"%s\":", comma, keys[k].name);
		if (p->want < 0)
			buf_puts(b, "null");
		else
			buf_printf(b, "\"%" PRId64 "\"", p->want);
		comma = ",";
	}
	return buf_puts(b, "}}}");
}

static void start_write(struct capacity *c, int64_t now)
{
	_cleanup_buf_ struct buf body = BUF_INIT(CAPACITY_BODY_MAX);
	struct kube_request req = {.method = "PATCH",
		.path = c->path,
		.patch = KUBE_PATCH_MERGE,
		.max_response = CAPACITY_OBJECT_MAX};
	struct error err = {0};
	int r = write_body(c, &body, now);

	req.body = buf_view(&body);
	if (r == 0)
		r = kube_call(c->kube, &req, on_written, c, &c->call, &err);
	else
		error_oom(&err);
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		if (c->writing[k])
			capacity_plan_begin(&c->plans[k], now, backoff_chance());
	if (r < 0) {
		count_writes(c, "error");
		describe_refusal(c, err.message);
	}
}

static int64_t next_due(const struct capacity *c)
{
	int64_t due = CAPACITY_NEVER;

	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		if (capacity_plan_due(&c->plans[k]) < due)
			due = capacity_plan_due(&c->plans[k]);
	return due;
}

/* Does what is due, or sees to it that the timer does. Without a watch what is known may be old,
 * and a write would not come through anyway: the connection calls again. */
static void act(struct capacity *c)
{
	int64_t now = clock_monotonic_usec(), due = next_due(c);

	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (due == CAPACITY_NEVER)
		c->refusal[0] = '\0';
	if (c->call || due == CAPACITY_NEVER || !kube_watch_connected(c->watch))
		return;
	if (due <= now) {
		start_write(c, now);
		due = next_due(c);
	}
	if (c->call || due == CAPACITY_NEVER)
		return;
	sd_event_source_set_time(c->timer, (uint64_t)due);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	act(userdata);
	refresh(userdata, false);
	return 0;
}

/*
 * Life
 */

static void register_metrics(struct capacity *c, struct metrics *m)
{
	static const char *const write_labels[] = {"key", "result", NULL};
	static const char *const key_labels[] = {"key", NULL};

	if (!m)
		return;
	c->writes = metrics_counter(m, "casemate_agent_capacity_writes_total",
		"Writes of the Node's capacities: ok, refused by the API server, or failed.",
		write_labels);
	c->contested = metrics_gauge(m, "casemate_agent_capacity_contested",
		"Does a second publisher write this capacity (1), so that it is left alone.",
		key_labels);
	c->connected = metrics_gauge(m, "casemate_agent_api_connected",
		"Is the watch of the Node open (1) or being retried (0).", NULL);
	metric_set(c->connected, 0, NULL);
	/* A node without any writes shows that it has none. */
	for (size_t k = 0; k < CAPACITY_KEY_N; k++)
		metric_add(c->writes, 0, METRIC_VALUES(keys[k].name, "ok"));
}

static int open_watch(struct capacity *c, struct error *err)
{
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.connection = on_connection,
		.ctx = c,
	};
	char selector[NODE_NAME_MAX + 32];

	snprintf(selector, sizeof(selector), "metadata.name=%s", c->node);
	return kube_watch_new(&c->watch, c->kube,
		&(struct kube_watch_options){
			.path = "/api/v1/nodes",
			.field_selector = selector,
			.max_object = CAPACITY_OBJECT_MAX,
		},
		&h, err);
}

int capacity_new(struct capacity **ret_c, struct kube_client *kube,
	const struct capacity_options *o, struct error *err)
{
	_cleanup_(capacity_free_p) struct capacity *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_oom(err);
	c->kube = kube;
	c->events = o->events;
	c->changed = o->changed;
	c->asked = o->asked;
	c->ctx = o->ctx;
	/* It goes into a URL. */
	if (!*o->node || strlen(o->node) > NODE_NAME_MAX ||
		o->node[strspn(o->node, "abcdefghijklmnopqrstuvwxyz0123456789-.")])
		return error_set(err, -EINVAL,
			"nodeName: \"%.64s\" is no name of a Node: up to %d of a-z, 0-9, - and .",
			o->node, NODE_NAME_MAX);
	snprintf(c->node, sizeof(c->node), "%s", o->node);
	snprintf(c->path, sizeof(c->path),
		"/api/v1/nodes/%s/status?fieldManager=" NODE_FIELD_MANAGER, c->node);
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		capacity_plan_init(&c->plans[k]);
	r = sd_event_add_time(kube_client_event(kube), &c->timer, CLOCK_MONOTONIC, 0,
		TIMER_ACCURACY_USEC, on_timer, c);
	if (r < 0)
		return error_set(err, r, "cannot set up a timer: %s", strerror(-r));
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	register_metrics(c, o->metrics);
	r = open_watch(c, err);
	if (r < 0)
		return r;
	find_problem(c, c->problem, sizeof(c->problem));
	*ret_c = TAKE_PTR(c);
	return 0;
}

void capacity_free(struct capacity *c)
{
	if (!c)
		return;
	kube_watch_free(c->watch);
	kube_cancel(c->call);
	sd_event_source_disable_unref(c->timer);
	free(c);
}

void capacity_set(struct capacity *c, enum capacity_key k, int64_t value)
{
	capacity_plan_want(&c->plans[k], value);
	act(c);
	refresh(c, false);
}

enum capacity_state capacity_state(const struct capacity *c)
{
	return c->state;
}

const char *capacity_problem(const struct capacity *c)
{
	return c->problem;
}

bool capacity_connected(const struct capacity *c)
{
	return kube_watch_connected(c->watch);
}

const char *capacity_connection_problem(const struct capacity *c)
{
	return kube_watch_problem(c->watch);
}

const char *capacity_node_uid(const struct capacity *c)
{
	return c->view.uid;
}

int64_t capacity_allocatable(const struct capacity *c, enum capacity_key k)
{
	int64_t n = c->view.uid[0] ? c->view.allocatable[k] : NODE_ABSENT;

	return n >= 0 ? n : -1;
}
