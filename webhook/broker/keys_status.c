/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_status.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"

enum { PART_MAX = 64 * 1024 };

struct condition {
	bool ready;
	enum reason reason;
	struct buf message;
};

static struct json_val old_key(const struct profile *p, const char *key)
{
	struct json_iter it;

	json_each (it, json_find(p->object, "status", "keys"))
		if (json_str_is(json_get(it.value, "name"), key))
			return it.value;
	return (struct json_val){0};
}

unsigned keys_status_published(const struct profile *p, const char *key)
{
	int64_t n = 0;

	return json_int(json_get(old_key(p, key), "version"), &n) && n > 0 && n <= INT32_MAX
		       ? (unsigned)n
		       : 0;
}

int64_t keys_status_made(const struct profile *p, const char *key)
{
	char when[CLOCK_RFC3339_MAX];
	int64_t usec;

	if (!json_copy(json_get(old_key(p, key), "rotatedAt"), when, sizeof(when)) ||
		clock_parse(span_str(when), &usec) < 0)
		return -1;
	return usec / (int64_t)USEC_PER_SEC;
}

static const struct keys_release *releases_of(const struct keys_report *r, const char *key)
{
	for (size_t i = 0; i < r->n_releases; i++)
		if (strcmp(r->releases[i].key, key) == 0)
			return &r->releases[i];
	return NULL;
}

static void add_time(struct buf *b, const char *name, int64_t sec)
{
	char when[CLOCK_RFC3339_MAX];

	clock_format(when, sec);
	buf_printf(b, ",\"%s\":\"%s\"", name, when);
}

/* Another replica may have released it since. */
static bool is_later(struct json_val old, int64_t sec)
{
	char then[CLOCK_RFC3339_MAX], now[CLOCK_RFC3339_MAX];

	clock_format(now, sec);
	return json_copy(old, then, sizeof(then)) && strlen(then) == strlen(now) &&
	       strcmp(then, now) > 0;
}

/* Pods that hold an older version of key i; -1: not known. What another replica found out stays,
 * until there is another version. */
static int64_t old_pods(const struct keys_report *r, size_t i, const struct key_entry *e)
{
	struct json_val before = old_key(r->profile, r->specs[i].name);
	int64_t n = -1, version = 0;

	if (r->old && r->old[i] >= 0)
		return r->old[i];
	if (!json_int(json_get(before, "version"), &version) || version != e->v[0].version ||
		!json_int(json_get(before, "oldPods"), &n))
		return -1;
	return n;
}

static void add_key(struct buf *b, const struct keys_report *r, size_t i, const struct key_entry *e)
{
	int64_t old_versions = old_pods(r, i, e);
	struct json_val old = old_key(r->profile, e->name);
	struct json_val last = json_get(old, "lastReleasedAt");
	const struct keys_release *fresh = releases_of(r, e->name);
	int64_t releases = 0;

	json_int(json_get(old, "releases"), &releases);
	releases = releases < 0 ? 0 : releases;
	buf_printf(b, "%s{\"name\":\"%s\",\"version\":%u", b->len > 1 ? "," : "", e->name,
		e->v[0].version);
	add_time(b, "rotatedAt", e->v[0].made_sec);
	if (old_versions >= 0)
		buf_printf(b, ",\"oldPods\":%" PRId64, old_versions);
	if (fresh && fresh->n && !is_later(last, fresh->last_sec))
		add_time(b, "lastReleasedAt", fresh->last_sec);
	else if (json_is_string(last))
		buf_printf(b, ",\"lastReleasedAt\":" SPAN_FMT, SPAN_ARG(json_raw(last)));
	buf_printf(b, ",\"releases\":%" PRIu64 "}", (uint64_t)releases + (fresh ? fresh->n : 0));
}

/* What cannot be read is said as it was. */
static void write_keys(struct buf *b, const struct keys_report *r)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < r->n; i++) {
		const struct key_entry *e =
			r->rec ? key_record_find(r->rec, r->specs[i].name) : NULL;
		struct json_val old = old_key(r->profile, r->specs[i].name);

		if (e && e->n && r->states[i] == KEY_STATE_READY)
			add_key(b, r, i, e);
		else if (json_exists(old))
			buf_printf(
				b, "%s" SPAN_FMT, b->len > 1 ? "," : "", SPAN_ARG(json_raw(old)));
	}
	buf_putc(b, ']');
}

static void name_those(struct buf *b, const struct keys_report *r, enum key_state state)
{
	const char *separator = "";

	for (size_t i = 0; i < r->n; i++) {
		if (r->states[i] != state)
			continue;
		buf_printf(b, "%s%s", separator, r->specs[i].name);
		separator = ", ";
	}
}

static bool any(const struct keys_report *r, enum key_state state)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->states[i] == state)
			return true;
	return false;
}

/* What rotation did not reach yet, or never will. */
static void name_old(struct buf *b, const struct keys_report *r)
{
	const char *before = "running pods hold older versions: ";

	for (size_t i = 0; r->rec && i < r->n; i++) {
		const struct key_entry *e = key_record_find(r->rec, r->specs[i].name);
		int64_t n = e && e->n ? old_pods(r, i, e) : 0;
		bool restart = r->specs[i].on_change == KEY_CHANGE_RESTART;

		if (n <= 0)
			continue;
		buf_printf(b, "%s%s (%" PRId64 " pod%s, rotation.onChange: %s)", before,
			r->specs[i].name, n, n == 1 ? "" : "s",
			restart ? "Restart" : "None, until they are restarted");
		before = ", ";
	}
}

static void judge(struct condition *c, const struct keys_report *r)
{
	if (*r->problem) {
		c->reason = REASON_StoreUnavailable;
		buf_puts(&c->message, r->problem);
		return;
	}
	c->reason = REASON_KeyNotFound;
	if (any(r, KEY_STATE_LOST)) {
		buf_puts(&c->message, "no longer stored: ");
		name_those(&c->message, r, KEY_STATE_LOST);
		buf_puts(&c->message, "; restore a backup (casemate-webhook key restore), or have "
				      "them made anew (key rotate)");
		return;
	}
	if (any(r, KEY_STATE_NOT_IMPORTED)) {
		buf_puts(&c->message, "to be imported (casemate-webhook key import): ");
		name_those(&c->message, r, KEY_STATE_NOT_IMPORTED);
		return;
	}
	c->ready = true;
	c->reason = REASON_Ok;
	name_old(&c->message, r);
}

static struct json_val old_condition(const struct profile *p)
{
	struct json_iter it;

	json_each (it, json_find(p->object, "status", "conditions"))
		if (json_str_is(json_get(it.value, "type"), "KeysReady"))
			return it.value;
	return (struct json_val){0};
}

static bool condition_is_current(
	const struct keys_report *r, const struct condition *c, const char *status)
{
	struct json_val old = old_condition(r->profile);
	int64_t observed = 0;

	json_int(json_get(old, "observedGeneration"), &observed);
	return observed == r->profile->generation && json_str_is(json_get(old, "status"), status) &&
	       json_str_is(json_get(old, "reason"), reason_name(c->reason)) &&
	       json_str_is(json_get(old, "message"), c->message.p ? c->message.p : "");
}

static void write_conditions(struct buf *b, const struct keys_report *r, const struct condition *c,
	const char *status, int64_t now_sec)
{
	struct json_val old = old_condition(r->profile);
	struct json_iter it;

	buf_printf(b,
		"[{\"type\":\"KeysReady\",\"status\":\"%s\",\"observedGeneration\":%" PRId64
		",\"reason\":\"%s\",\"message\":",
		status, r->profile->generation, reason_name(c->reason));
	buf_json_string(b, buf_view(&c->message));
	if (json_str_is(json_get(old, "status"), status) &&
		json_is_string(json_get(old, "lastTransitionTime")))
		buf_printf(b, ",\"lastTransitionTime\":" SPAN_FMT,
			SPAN_ARG(json_raw(json_get(old, "lastTransitionTime"))));
	else
		add_time(b, "lastTransitionTime", now_sec);
	buf_putc(b, '}');
	/* A merge patch replaces the list: the conditions that others write stay in it. */
	json_each (it, json_find(r->profile->object, "status", "conditions"))
		if (!json_str_is(json_get(it.value, "type"), "KeysReady"))
			buf_printf(b, "," SPAN_FMT, SPAN_ARG(json_raw(it.value)));
	buf_putc(b, ']');
}

/* Are the lists equal as JSON? */
static bool keys_are_current(const struct keys_report *r, struct span keys)
{
	static const struct json_limits limits = {PART_MAX, 4096, 8};
	_cleanup_json_ struct json doc = {0};
	struct json_val old = json_find(r->profile->object, "status", "keys");

	if (json_parse(&doc, keys, &limits, NULL) < 0)
		return false;
	return json_equal(old, json_root(&doc)) ||
	       (json_count(json_root(&doc)) == 0 && json_count(old) == 0);
}

static struct span version_of(const struct profile *p)
{
	return json_raw(json_find(p->object, "metadata", "resourceVersion"));
}

int keys_status_patch(struct buf *out, const struct keys_report *r, int64_t now_sec)
{
	_cleanup_buf_ struct buf keys = BUF_INIT(PART_MAX);
	struct condition c = {.message = BUF_INIT(2048)};
	const char *status;
	int ret = 0;

	judge(&c, r);
	status = c.ready ? "True" : "False";
	write_keys(&keys, r);
	if (!keys.err &&
		!(keys_are_current(r, buf_view(&keys)) && condition_is_current(r, &c, status))) {
		buf_printf(out,
			"{\"metadata\":{\"resourceVersion\":" SPAN_FMT
			"},\"status\":{\"keys\":" SPAN_FMT ",\"conditions\":",
			SPAN_ARG(version_of(r->profile)), SPAN_ARG(buf_view(&keys)));
		write_conditions(out, r, &c, status, now_sec);
		ret = buf_puts(out, "}}") < 0 ? out->err : 1;
	}
	buf_free(&c.message);
	return keys.err ? keys.err : ret;
}

bool keys_has_finalizer(const struct profile *p)
{
	struct json_iter it;

	json_each (it, json_find(p->object, "metadata", "finalizers"))
		if (json_str_is(it.value, KEYS_FINALIZER))
			return true;
	return false;
}

bool keys_being_deleted(const struct profile *p)
{
	return json_is_string(json_find(p->object, "metadata", "deletionTimestamp"));
}

int keys_finalizer_patch(struct buf *out, const struct profile *p, bool add)
{
	const char *separator = "";
	struct json_iter it;

	buf_printf(out, "{\"metadata\":{\"resourceVersion\":" SPAN_FMT ",\"finalizers\":[",
		SPAN_ARG(version_of(p)));
	json_each (it, json_find(p->object, "metadata", "finalizers")) {
		if (json_str_is(it.value, KEYS_FINALIZER))
			continue;
		buf_printf(out, "%s" SPAN_FMT, separator, SPAN_ARG(json_raw(it.value)));
		separator = ",";
	}
	if (add)
		buf_printf(out, "%s\"" KEYS_FINALIZER "\"", separator);
	return buf_puts(out, "]}}");
}
