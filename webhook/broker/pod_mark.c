/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/pod_mark.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/kbs/delivery.h"
#include "webhook/policy/resource.h"
#include "webhook/policy/result.h"

enum {
	ITEMS_MAX = 1024, /* container:profile/key */
	FILES_MAX = 64 << 10,
	FILES_NODES = 512,
};

#define PENDING  "KeysPending"
#define RELEASED "KeysReleased"
#define WAITING  "waiting for "
#define BETWEEN  ", "
#define PROOF    "the node's proof"
#define ALL      "all keys that the pod's containers are promised were released to it"

/* What is waited for: "container:profile/key" each. */
struct items {
	struct arena *a;
	const char *v[ITEMS_MAX];
	size_t n;
};

static int add(struct items *t, struct span container, struct span key)
{
	const char *text =
		arena_printf(t->a, SPAN_FMT ":" SPAN_FMT, SPAN_ARG(container), SPAN_ARG(key));

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i], text) == 0)
			return 0;
	if (t->n == ITEMS_MAX)
		return -E2BIG;
	t->v[t->n++] = text;
	return 0;
}

static void drop(struct items *t, const char *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i], text) != 0)
			t->v[kept++] = t->v[i];
	t->n = kept;
}

static bool has(const struct items *t, struct span text)
{
	for (size_t i = 0; i < t->n; i++)
		if (span_is(text, t->v[i]))
			return true;
	return false;
}

/*
 * What the pod's containers are promised, as admission wrote it into the pod
 */

static int add_variables(struct items *t, struct span name, struct json_val container)
{
	struct json_iter it;
	int r = 0;

	json_each (it, json_get(container, "env")) {
		struct span value = json_str(json_get(it.value, "value"), t->a);
		struct span key = span_after(value, DELIVERY_URL);

		if (key.p && delivery_key_name(key))
			r = add(t, name, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_files(struct items *t, struct span name, struct json_val annotations)
{
	static const struct json_limits limits = {FILES_MAX, FILES_NODES, 4};
	_cleanup_json_ struct json doc = {0};
	const char *member = arena_printf(t->a, DELIVERY_FILES_PREFIX SPAN_FMT, SPAN_ARG(name));
	struct json_iter it;
	struct span text;
	int r = 0;

	if (!member)
		return -ENOMEM;
	text = json_str(json_get(annotations, member), t->a);
	if (!text.p || json_parse(&doc, text, &limits, NULL) < 0)
		return 0;
	json_each (it, json_root(&doc)) {
		struct span key = json_str(it.value, t->a);

		if (key.p && delivery_key_name(key))
			r = add(t, name, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int promised(struct items *t, struct json_val pod)
{
	static const char *const lists[] = {"initContainers", "containers"};
	struct json_val annotations = json_find(pod, "metadata", "annotations");
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;

		json_each (it, json_find(pod, "spec", lists[i])) {
			struct span name = json_str(json_get(it.value, "name"), t->a);
			struct amounts am;

			amounts_find(&am, it.value);
			if (!name.len || !am.v[RES_KEYS].present)
				continue;
			r = add_variables(t, name, it.value);
			if (r == 0)
				r = add_files(t, name, annotations);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/*
 * What the condition says
 */

struct mark {
	struct span status, reason, message;
	struct span why;  /* the message's part before what is waited for; empty: none */
	struct span item; /* that it is about */
	bool changed_status;
};

static struct json_val condition_of(struct json_val pod)
{
	struct json_iter it;

	json_each (it, json_find(pod, "status", "conditions"))
		if (json_str_is(json_get(it.value, "type"), POD_MARK_CONDITION))
			return it.value;
	return (struct json_val){0};
}

/* Where the last such text begins; NULL: nowhere. */
static const char *find_last(struct span s, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = s.len; i >= n; i--)
		if (memcmp(s.p + i - n, text, n) == 0)
			return s.p + i - n;
	return NULL;
}

static bool is_waited_for(struct span list, const char *item)
{
	size_t n = strlen(item), gap = strlen(BETWEEN);

	while (list.len >= n) {
		const char *end = memmem(list.p, list.len, BETWEEN, gap);
		size_t len = end ? (size_t)(end - list.p) : list.len;

		if (span_is((struct span){list.p, len}, item))
			return true;
		if (!end)
			return false;
		list = (struct span){end + gap, list.len - len - gap};
	}
	return false;
}

/* Takes out of t what an earlier mark waits for no more. */
static void read_mark(struct mark *m, struct items *t, struct json_val condition)
{
	const char *waiting, *colon;
	struct span list;
	size_t kept = 0;

	m->status = json_str(json_get(condition, "status"), t->a);
	m->reason = json_str(json_get(condition, "reason"), t->a);
	m->message = json_str(json_get(condition, "message"), t->a);
	waiting = find_last(m->message, WAITING);
	if (!waiting) /* nobody of ours wrote it */
		return;
	list = (struct span){waiting + strlen(WAITING),
		m->message.len - (size_t)(waiting - m->message.p) - strlen(WAITING)};
	for (size_t i = 0; i < t->n; i++)
		if (is_waited_for(list, t->v[i]))
			t->v[kept++] = t->v[i];
	t->n = kept;
	if (waiting == m->message.p)
		return;
	m->why = (struct span){m->message.p, (size_t)(waiting - m->message.p)};
	colon = memmem(m->why.p, m->why.len, ": ", 2);
	m->item = (struct span){m->why.p, colon ? (size_t)(colon - m->why.p) : 0};
}

static const char *item_of(const struct pod_news *news, struct arena *a)
{
	return arena_printf(a, "%s:%s/%s", news->container, news->profile, news->key);
}

/* One thing that became known. */
static int take(struct mark *m, struct items *t, const struct pod_news *news)
{
	const char *item = *news->key ? item_of(news, t->a) : PROOF;
	char *why;

	if (!item)
		return -ENOMEM;
	if (news->reason == REASON_Ok) {
		drop(t, item);
		return 0;
	}
	if (*news->key && !has(t, span_str(item)))
		return 0; /* not promised, or released before */
	why = arena_printf(t->a, "%s: %s; ", item, news->message);
	if (!why)
		return -ENOMEM;
	m->why = span_str(why);
	m->item = span_str(item);
	m->reason = span_str(reason_name(news->reason));
	return 0;
}

static void write_message(struct buf *out, const struct mark *m, const struct items *t)
{
	if (t->n == 0) {
		buf_puts(out, ALL);
		return;
	}
	buf_span(out, m->why);
	buf_puts(out, WAITING);
	for (size_t i = 0; i < t->n; i++)
		buf_printf(out, "%s%s", i ? BETWEEN : "", t->v[i]);
}

/* A refusal is of interest for as long as that key is waited for; of the node's proof, until any is
 * released. */
static void settle(struct mark *m, const struct items *t, bool released)
{
	bool proof = span_is(m->item, PROOF);

	if (m->why.len && (proof ? !released : has(t, m->item)))
		return;
	m->why = SPAN_NONE;
	m->reason = span_str(t->n ? PENDING : RELEASED);
}

static int write_patch(struct buf *out, struct json_val pod, const struct mark *m, bool all,
	struct span message, int64_t now_sec)
{
	struct json_val metadata = json_get(pod, "metadata");
	char time[CLOCK_RFC3339_MAX];

	clock_format(time, now_sec);
	buf_printf(out,
		"{\"metadata\":{\"uid\":" SPAN_FMT ",\"resourceVersion\":" SPAN_FMT
		"},\"status\":{\"conditions\":[{\"type\":\"" POD_MARK_CONDITION
		"\",\"status\":\"%s\",\"reason\":",
		SPAN_ARG(json_raw(json_get(metadata, "uid"))),
		SPAN_ARG(json_raw(json_get(metadata, "resourceVersion"))), all ? "True" : "False");
	buf_json_string(out, m->reason);
	buf_puts(out, ",\"message\":");
	buf_json_string(out, message);
	if (m->changed_status)
		buf_printf(out, ",\"lastTransitionTime\":\"%s\"", time);
	buf_puts(out, "}]}}");
	return out->err;
}

int pod_mark_patch(struct buf *ret, struct json_val pod, const struct pod_news *news, size_t n,
	int64_t now_sec, struct arena *a)
{
	_cleanup_buf_ struct buf message = BUF_INIT(POD_MARK_PATCH_MAX / 2);
	struct json_val condition = condition_of(pod);
	struct items t = {.a = a};
	struct mark m = {0}, before;
	bool released = false;
	int r = promised(&t, pod);

	if (r < 0 || t.n == 0 || json_str_is(json_get(condition, "status"), "True"))
		return r;
	read_mark(&m, &t, condition);
	before = m;
	for (size_t i = 0; i < n && r == 0; i++) {
		released = released || news[i].reason == REASON_Ok;
		r = take(&m, &t, &news[i]);
	}
	if (r < 0)
		return r;
	settle(&m, &t, released);
	write_message(&message, &m, &t);
	if (message.err)
		return message.err;
	m.changed_status = !span_is(before.status, t.n ? "False" : "True");
	if (!m.changed_status && span_equal(before.reason, m.reason) &&
		span_equal(before.message, buf_view(&message)))
		return 0;
	r = write_patch(ret, pod, &m, t.n == 0, buf_view(&message), now_sec);
	return r < 0 ? r : 1;
}
