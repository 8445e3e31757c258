/* SPDX-License-Identifier: Apache-2.0
 *
 * A spot is a node that is looked at. It is found by name each time an answer comes: its node may
 * be trusted again, or gone, by then. */
#include "webhook/verifier/strays.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/backoff.h"
#include "webhook/verifier/stray.h"

enum {
	TICK_USEC = 2 * USEC_PER_SEC,
	LOOKS_MAX = 4, /* lists of pods under way */
	EVICTIONS_MAX = 4,
	EVENTS_MAX = 8,        /* a tick; the recorder has no more under way than twice that */
	PODS_MAX = 2000,       /* a node; what is more is not told of one by one */
	KNOWN_BEFORE_SEC = 60, /* then the leader before has told of it */
};

/* Where somebody was found, and where nobody was: nothing confidential comes there any more. */
#define LOOK_USEC       (20 * (int64_t)USEC_PER_SEC)
#define LOOK_EMPTY_USEC (300 * (int64_t)USEC_PER_SEC)
#define GOING_USEC      (60 * (int64_t)USEC_PER_SEC) /* for who was asked to go */

static const struct json_limits limits = {KUBE_RESPONSE_MAX, 1 << 22, 64};

struct pod {
	struct pod *next;
	struct strays *s;
	struct stray is;
	bool found; /* by the look that is being read */
	bool told;
	int64_t since_usec, again_usec; /* monotonic: found first; to be asked to go */
	struct backoff backoff;
	struct kube_call *call; /* that asks it to go */
};

struct spot {
	UT_hash_handle hh;
	struct strays *s;
	struct kube_call *call;
	int64_t look_usec; /* monotonic: the next look */
	struct pod *pods;
	unsigned n;
	enum record_standing standing; /* of its node at the last look; NONE: it was deleted */
	bool known; /* who is found at the first look was told of by the leader before */
	char name[];
};

struct strays {
	struct strays_options o;
	sd_event_source *timer;
	struct spot *spots;
	bool leading;
	int64_t led_sec; /* Unix: since then */
	unsigned looks, evicting, to_tell;
	struct metric *pods, *evictions;
};

static void pod_free(struct pod *p)
{
	if (p->call) {
		kube_cancel(p->call);
		p->s->evicting--;
	}
	p->s->to_tell -= !p->told;
	free(p);
}

static void spot_free(struct spot *spot)
{
	struct strays *s = spot->s;

	if (spot->call) {
		kube_cancel(spot->call);
		s->looks--;
	}
	for (struct pod *p = spot->pods, *next; p; p = next) {
		next = p->next;
		pod_free(p);
	}
	HASH_DEL(s->spots, spot);
	free(spot);
}

static void forget(struct strays *s)
{
	for (struct spot *spot = s->spots, *next; spot; spot = next) {
		next = spot->hh.next;
		spot_free(spot);
	}
}

/*
 * What a node is to its pods
 */

/* The condition stays where the NodeAttestation was deleted (marks.h). */
static bool judged(const struct node *n)
{
	return n && n->exists && (n->record.standing != RECORD_STANDING_NONE || n->seen.status[0]);
}

/* False: it is trusted, or was never judged: then no pod ever had its word. */
static bool is_suspect(const struct node *n, struct marks *ret, int64_t now_sec)
{
	if (!judged(n))
		return false;
	marks_of(ret, &n->record, &n->seen, now_sec, false);
	return !ret->label[MARK_ATTESTED];
}

static enum record_standing standing_of(const struct node *n, int64_t now_sec)
{
	if (n->record.standing == RECORD_STANDING_NONE)
		return RECORD_STANDING_NONE;
	return record_holds(&n->record, n->seen.uid, now_sec) ? n->record.standing : RECORD_EXPIRED;
}

static const char *name_of(enum record_standing s)
{
	return s == RECORD_STANDING_NONE ? "Deleted" : record_standing_name(s);
}

/*
 * Telling
 */

static void tell(struct spot *spot, struct pod *p)
{
	const struct kube_object_ref ref = {
		.api_version = "v1",
		.kind = "Pod",
		.namespace_ = p->is.namespace_,
		.name = p->is.name,
		.uid = p->is.uid,
	};
	char note[512];

	p->told = true;
	spot->s->to_tell--;
	snprintf(note, sizeof(note),
		"the pod is confidential and runs on node %s, which is not trusted (any more): %s; "
		"see "
		"kubectl describe nodeattestation %s",
		spot->name, name_of(spot->standing), spot->name);
	log_warn("A confidential pod runs on a node that is not trusted",
		LOG_STR("node", spot->name), LOG_STR("namespace", p->is.namespace_),
		LOG_STR("pod", p->is.name));
	if (spot->s->o.events)
		kube_event(
			spot->s->o.events, &ref, "Warning", "PodOnUntrustedNode", "Attest", note);
}

static void tell_all(struct strays *s)
{
	unsigned n = 0;

	for (struct spot *spot = s->spots; spot && s->to_tell; spot = spot->hh.next)
		for (struct pod *p = spot->pods; p; p = p->next) {
			if (p->told)
				continue;
			if (n++ == EVENTS_MAX)
				return;
			tell(spot, p);
		}
}

/*
 * Looking
 */

static struct pod *pod_find(struct spot *spot, const char *uid)
{
	for (struct pod *p = spot->pods; p; p = p->next)
		if (strcmp(p->is.uid, uid) == 0)
			return p;
	return NULL;
}

static void take_pod(struct spot *spot, const struct stray *is)
{
	struct pod *p = pod_find(spot, is->uid);

	if (!p) {
		p = spot->n < PODS_MAX ? calloc(1, sizeof(*p)) : NULL;
		if (!p)
			return; /* the next look finds it again */
		p->s = spot->s;
		p->since_usec = clock_monotonic_usec();
		p->backoff = (struct backoff){
			.first_usec = 5 * p->s->o.tick_usec, .max_usec = 150 * p->s->o.tick_usec};
		p->told = spot->known;
		spot->s->to_tell += !p->told;
		p->next = spot->pods;
		spot->pods = p;
		spot->n++;
	}
	p->is = *is;
	p->found = true;
}

static void drop_missing(struct spot *spot)
{
	for (struct pod **at = &spot->pods, *p; (p = *at);) {
		if (p->found) {
			p->found = false;
			at = &p->next;
			continue;
		}
		*at = p->next;
		spot->n--;
		pod_free(p);
	}
}

static void read_pods(struct spot *spot, struct json_val list, const struct marks *marks)
{
	struct json_iter it;
	struct stray is;

	json_each (it, json_get(list, "items"))
		if (stray_find(&is, spot->s->o.policy, it.value, marks))
			take_pod(spot, &is);
	drop_missing(spot);
	spot->known = false;
}

static void on_pods(void *ctx, const struct kube_result *res)
{
	struct spot *spot = ctx;
	struct strays *s = spot->s;
	const struct node *n = nodes_find(s->o.nodes, spot->name);
	int64_t now_sec = clock_unix_usec() / USEC_PER_SEC;
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};
	struct marks marks;

	spot->call = NULL;
	s->looks--;
	if (!is_suspect(n, &marks, now_sec))
		return; /* the next tick drops the spot */
	spot->look_usec = clock_monotonic_usec() + LOOK_USEC;
	if (res->code != 0 || res->status != 200)
		error_set(&err, -EIO, "%s", res->message);
	else
		json_parse(&doc, res->body, &limits, &err);
	if (err.code) {
		log_warn("Could not look for pods on a node that is not trusted",
			LOG_STR("node", spot->name), LOG_STR("message", err.message));
		return;
	}
	spot->standing = standing_of(n, now_sec);
	read_pods(spot, json_root(&doc), &marks);
	if (!spot->pods)
		spot->look_usec += LOOK_EMPTY_USEC - LOOK_USEC;
}

static void look(struct spot *spot)
{
	char path[512];
	/* From the API server's memory, which finds a node's pods by an index. */
	const struct kube_request req = {.method = "GET", .path = path};

	snprintf(path, sizeof(path),
		"/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&resourceVersion=0", spot->name);
	spot->look_usec = clock_monotonic_usec() + LOOK_USEC;
	if (kube_call(spot->s->o.kube, &req, on_pods, spot, &spot->call, NULL) == 0)
		spot->s->looks++;
}

static struct spot *spot_obtain(struct strays *s, const struct node *n)
{
	struct spot *spot;

	HASH_FIND_STR(s->spots, n->name, spot);
	if (spot)
		return spot;
	spot = calloc(1, sizeof(*spot) + strlen(n->name) + 1);
	if (!spot)
		return NULL;
	strcpy(spot->name, n->name);
	spot->s = s;
	/* A verdict whose time is over is one that nobody has written down yet. */
	spot->known = n->record.standing != RECORD_STANDING_NONE &&
		      strcmp(record_condition(n->record.standing), "True") != 0 &&
		      n->record.since_sec < s->led_sec - KNOWN_BEFORE_SEC;
	/* Of a node that another replica judged first, the condition may be heard of first. */
	if (n->record.standing == RECORD_STANDING_NONE)
		spot->look_usec = clock_monotonic_usec() + 2 * s->o.tick_usec;
	HASH_ADD_STR(s->spots, name, spot);
	return spot;
}

/* Those that are trusted again, or gone, are forgotten; the others have their turn. */
static void look_around(struct strays *s)
{
	int64_t now = clock_monotonic_usec(), now_sec = clock_unix_usec() / USEC_PER_SEC;
	struct marks marks;
	struct spot *spot;

	for (struct spot *old = s->spots, *next; old; old = next) {
		next = old->hh.next;
		if (!is_suspect(nodes_find(s->o.nodes, old->name), &marks, now_sec))
			spot_free(old);
	}
	for (struct node *n = nodes_first(s->o.nodes); n; n = n->hh.next) {
		if (s->looks >= LOOKS_MAX)
			return;
		spot = is_suspect(n, &marks, now_sec) ? spot_obtain(s, n) : NULL;
		if (spot && !spot->call && spot->look_usec <= now)
			look(spot);
	}
}

/*
 * Asking to go
 */

static void count_eviction(struct strays *s, const char *result)
{
	if (s->evictions)
		metric_add(s->evictions, 1, METRIC_VALUES(result));
}

static void on_evicted(void *ctx, const struct kube_result *res)
{
	struct pod *p = ctx;
	int64_t now = clock_monotonic_usec();
	bool gone = res->status == 404 || res->status == 409; /* or another has its name */

	p->call = NULL;
	p->s->evicting--;
	if (res->code == 0 && (res->status == 200 || res->status == 201)) {
		count_eviction(p->s, "evicted");
		log_info(1, "Evicted a confidential pod from a node that is not trusted",
			LOG_STR("namespace", p->is.namespace_), LOG_STR("pod", p->is.name));
		p->again_usec = now + GOING_USEC;
		return;
	}
	p->again_usec = now + backoff_delay(&p->backoff, now, backoff_chance());
	if (gone)
		return;
	/* A PodDisruptionBudget wants it to stay for now. */
	count_eviction(p->s, res->status == 429 ? "blocked" : "failed");
	log_warn("Could not evict a confidential pod; it is tried again",
		LOG_STR("namespace", p->is.namespace_), LOG_STR("pod", p->is.name),
		LOG_STR("message", res->message));
}

static void evict(struct pod *p)
{
	_cleanup_buf_ struct buf body = BUF_INIT(4096);
	char path[512];
	struct kube_request req = {.method = "POST", .path = path, .timeout_usec = USEC_PER_SEC};

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s/eviction", p->is.namespace_,
		p->is.name);
	buf_puts(&body,
		"{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":");
	buf_json_string(&body, span_str(p->is.name));
	buf_puts(&body, ",\"namespace\":");
	buf_json_string(&body, span_str(p->is.namespace_));
	buf_puts(&body, "},\"deleteOptions\":{\"preconditions\":{\"uid\":");
	buf_json_string(&body, span_str(p->is.uid));
	buf_puts(&body, "}}}");
	if (body.err)
		return;
	req.body = buf_view(&body);
	if (kube_call(p->s->o.kube, &req, on_evicted, p, &p->call, NULL) == 0)
		p->s->evicting++;
}

static void evict_all(struct strays *s)
{
	int64_t now = clock_monotonic_usec();

	for (struct spot *spot = s->spots; spot; spot = spot->hh.next)
		for (struct pod *p = spot->pods; p; p = p->next) {
			if (s->evicting >= EVICTIONS_MAX)
				return;
			if (p->is.evictable && p->told && !p->call && p->again_usec <= now &&
				now - p->since_usec >= s->o.config->evict_after_usec)
				evict(p);
		}
}

/*
 * Life
 */

static void tick(struct strays *s)
{
	bool leading = kube_lease_leading(s->o.lease) && nodes_synced(s->o.nodes);

	if (!leading)
		forget(s);
	else if (!s->leading)
		s->led_sec = clock_unix_usec() / USEC_PER_SEC;
	s->leading = leading;
	if (!leading)
		return;
	look_around(s);
	tell_all(s);
	if (s->o.config->evict)
		evict_all(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct strays *s = ctx;

	(void)usec;
	tick(s);
	sd_event_source_set_time_relative(source, (uint64_t)s->o.tick_usec);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void strays_configure(
	struct strays *s, const struct verifier_config *config, const struct policy_config *policy)
{
	s->o.config = config;
	s->o.policy = policy;
}

void strays_report(struct strays *s)
{
	unsigned counts[RECORD_STANDING_N] = {0};

	for (struct spot *spot = s->spots; spot; spot = spot->hh.next)
		counts[spot->standing] += spot->n;
	metric_set(s->pods, counts[RECORD_STANDING_NONE],
		METRIC_VALUES(name_of(RECORD_STANDING_NONE)));
	for (unsigned i = RECORD_UNPROVEN; i <= RECORD_EXPIRED; i++)
		metric_set(s->pods, counts[i], METRIC_VALUES(name_of((enum record_standing)i)));
}

static int register_metrics(struct strays *s, struct error *err)
{
	static const char *const by_verdict[] = {"verdict", NULL};
	static const char *const by_result[] = {"result", NULL};
	static const char *const results[] = {"evicted", "blocked", "failed"};

	if (!s->o.metrics)
		return 0;
	s->pods = metrics_gauge(s->o.metrics, "casemate_webhook_pods_on_untrusted_nodes",
		"Confidential pods that run on nodes without a verdict for them, by the node's "
		"verdict (Deleted: its NodeAttestation was); told by the leader alone.",
		by_verdict);
	s->evictions = metrics_counter(s->o.metrics, "casemate_webhook_evictions_total",
		"Evictions of such pods: evicted, blocked by a PodDisruptionBudget, or failed.",
		by_result);
	if (!s->pods || !s->evictions)
		return error_oom(err);
	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		metric_add(s->evictions, 0, METRIC_VALUES(results[i]));
	return 0;
}

int strays_new(struct strays **ret_s, const struct strays_options *o, struct error *err)
{
	_cleanup_(strays_free_p) struct strays *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_oom(err);
	s->o = *o;
	if (!s->o.tick_usec)
		s->o.tick_usec = TICK_USEC;
	r = register_metrics(s, err);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(
		o->event, &s->timer, CLOCK_MONOTONIC, (uint64_t)s->o.tick_usec, 0, on_timer, s);
	if (r < 0)
		return error_set(err, r, "a timer of the verifier: %s", strerror(-r));
	*ret_s = TAKE_PTR(s);
	return 0;
}

void strays_free(struct strays *s)
{
	if (!s)
		return;
	forget(s);
	sd_event_source_disable_unref(s->timer);
	free(s);
}
