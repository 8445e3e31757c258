/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/event.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "common/base/algorithm.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"

/* The API's limits, and ours. */
enum {
	EVENT_NOTE_MAX = 1024,
	EVENT_INSTANCE_MAX = 128,
	EVENT_NAME_MAX = 253,
	EVENT_SUFFIX_MAX = 17, /* '.' and 16 hex digits */
	EVENT_BODY_MAX = 32 * 1024,
	EVENT_UNDER_WAY_MAX = 16,
	EVENT_REMEMBERED = 256,
};
#define EVENT_REPEAT_USEC (600 * (int64_t)USEC_PER_SEC)

struct remembered { /* an event that was sent; zero: none */
	unsigned char digest[SHA256_DIGEST_LENGTH];
	int64_t usec; /* monotonic */
};

struct kube_event_recorder {
	struct kube_client *client;
	char *controller, *instance;
	struct kube_call *under_way[EVENT_UNDER_WAY_MAX]; /* NULL: free */
	struct remembered sent[EVENT_REMEMBERED];
	int64_t last_usec; /* Unix; names must differ */
};

int kube_event_recorder_new(struct kube_event_recorder **ret_r, struct kube_client *c,
	const char *controller, const char *instance)
{
	struct kube_event_recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->client = c;
	r->controller = strdup(controller);
	r->instance = strndup(instance, EVENT_INSTANCE_MAX);
	if (!r->controller || !r->instance) {
		kube_event_recorder_free(r);
		return -ENOMEM;
	}
	*ret_r = r;
	return 0;
}

void kube_event_recorder_free(struct kube_event_recorder *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < EVENT_UNDER_WAY_MAX; i++)
		kube_cancel(r->under_way[i]);
	free(r->controller);
	free(r->instance);
	free(r);
}

/* Where to remember the event, or NULL: it was sent within the last ten minutes. */
static struct remembered *find_slot(
	struct kube_event_recorder *r, const unsigned char *digest, int64_t now_usec)
{
	struct remembered *oldest = &r->sent[0];

	for (size_t i = 0; i < EVENT_REMEMBERED; i++) {
		struct remembered *s = &r->sent[i];

		if (s->usec && memcmp(s->digest, digest, sizeof(s->digest)) == 0)
			return now_usec - s->usec < EVENT_REPEAT_USEC ? NULL : s;
		if (s->usec < oldest->usec)
			oldest = s;
	}
	return oldest;
}

/* "<name>.<hex>", a DNS subdomain as long as name begins with one. */
static void add_name(struct buf *b, const struct kube_object_ref *o, int64_t unix_usec)
{
	size_t max = EVENT_NAME_MAX - EVENT_SUFFIX_MAX;
	char name[EVENT_NAME_MAX + 1];
	size_t n;

	snprintf(name, max + 1, "%s", o->name[0] ? o->name : o->kind);
	for (n = 0; name[n]; n++)
		name[n] = (char)tolower((unsigned char)name[n]);
	while (n && strchr(".-", name[n - 1])) /* where it was cut */
		n--;
	buf_printf(b, "\"%.*s.%llx\"", (int)n, name, (long long)unix_usec);
}

static void add_member(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, ",\"%s\":", key);
	buf_json_string(b, span_str(value));
}

static int event_body(struct buf *b, const struct kube_event_recorder *r,
	const struct kube_object_ref *o, const char *type, const char *reason, const char *action,
	struct span note, int64_t unix_usec)
{
	char time[CLOCK_RFC3339_MAX];

	clock_format_micro(time, unix_usec);
	buf_puts(b,
		"{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":");
	add_name(b, o, unix_usec);
	add_member(b, "namespace", o->namespace_[0] ? o->namespace_ : "default");
	buf_printf(b, "},\"eventTime\":\"%s\"", time);
	add_member(b, "type", type);
	add_member(b, "reason", reason);
	add_member(b, "action", action);
	add_member(b, "reportingController", r->controller);
	add_member(b, "reportingInstance", r->instance);
	buf_puts(b, ",\"note\":");
	buf_json_string(b, note);
	buf_puts(b, ",\"regarding\":{\"kind\":");
	buf_json_string(b, span_str(o->kind));
	add_member(b, "apiVersion", o->api_version);
	add_member(b, "name", o->name);
	if (o->namespace_[0])
		add_member(b, "namespace", o->namespace_);
	if (o->uid[0])
		add_member(b, "uid", o->uid);
	return buf_puts(b, "}}");
}

static void event_done(void *ctx, const struct kube_result *res)
{
	struct kube_call **slot = ctx;

	(void)res; /* an Event is a help, and nothing hangs on it */
	*slot = NULL;
}

static void event_send(struct kube_event_recorder *r, const char *namespace_, struct span body)
{
	struct kube_request req = {.method = "POST", .body = body};
	char path[512];

	snprintf(path, sizeof(path), "/apis/events.k8s.io/v1/namespaces/%s/events",
		namespace_[0] ? namespace_ : "default");
	req.path = path;
	for (size_t i = 0; i < EVENT_UNDER_WAY_MAX; i++) {
		if (r->under_way[i])
			continue;
		kube_call(r->client, &req, event_done, &r->under_way[i], &r->under_way[i], NULL);
		return;
	}
}

void kube_event(struct kube_event_recorder *r, const struct kube_object_ref *regarding,
	const char *type, const char *reason, const char *action, const char *note)
{
	_cleanup_buf_ struct buf body = BUF_INIT(EVENT_BODY_MAX), same = BUF_INIT(EVENT_BODY_MAX);
	struct span cut = utf8_cut(span_str(note), EVENT_NOTE_MAX);
	int64_t now = clock_monotonic_usec(), unix_usec = clock_unix_usec();
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct remembered *slot;

	buf_printf(&same, "%s\n%s\n%s\n%s\n%s\n" SPAN_FMT, regarding->uid, regarding->kind,
		regarding->namespace_, regarding->name, reason, SPAN_ARG(cut));
	if (same.err || !algorithm_hash(same.p, same.len, digest))
		return;
	slot = find_slot(r, digest, now);
	if (!slot)
		return;
	memcpy(slot->digest, digest, sizeof(digest));
	slot->usec = now;
	if (unix_usec <= r->last_usec)
		unix_usec = r->last_usec + 1;
	r->last_usec = unix_usec;
	if (event_body(&body, r, regarding, type, reason, action, cut, unix_usec) == 0)
		event_send(r, regarding->namespace_, buf_view(&body));
}
