/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as Secrets of Casemate's namespace, watched, so that every replica serves what one wrote.
 * A write names the version that it was made from: the API server refuses it when another was
 * faster. */
#include <errno.h>
/* The default one falls through switch labels, which clang warns of. */
#define HASH_FUNCTION HASH_FNV
#include <stdio.h>
#include <uthash.h>

#include "common/base/codec.h"
#include "common/base/log.h"
#include "common/kube/watch.h"
#include "webhook/broker/store_private.h"

#define LABEL "casemate.dev/store"

enum {
	OBJECT_MAX = 2 * 1024 * 1024,
	SECRETS_MAX = 100000,
	PATH_MAX_BYTES = 700,
};

static const struct json_limits limits = {OBJECT_MAX, 8192, 64};

struct secret_text {
	UT_hash_handle hh;
	char *text;
	size_t len;
	char revision[KEY_REVISION_MAX];
	unsigned round; /* the list that it was last seen in */
	char name[];
};

struct writing {
	struct writing *next;
	struct secrets *owner;
	struct kube_call *call;
	key_store_written written;
	void *ctx;
	char name[KEY_RECORD_NAME_MAX];
	bool remove;
};

struct secrets {
	struct kube_client *kube;
	char namespace_[64], collection[200], sort[16];
	struct kube_watch *watch;
	struct secret_text *table;
	struct writing *writings;
	unsigned round;
	void (*changed)(void *ctx);
	void *ctx;
};

static void forget(struct secrets *s, struct secret_text *t)
{
	HASH_DEL(s->table, t);
	free(t->text);
	free(t);
}

static struct secret_text *find(struct secrets *s, const char *name)
{
	struct secret_text *t = NULL;

	HASH_FIND_STR(s->table, name, t);
	return t;
}

static struct secret_text *find_or_add(struct secrets *s, const char *name)
{
	struct secret_text *t = find(s, name);

	if (t)
		return t;
	t = HASH_COUNT(s->table) < SECRETS_MAX ? calloc(1, sizeof(*t) + strlen(name) + 1) : NULL;
	if (!t) {
		log_error("out of memory, or too many", "Dropped a Secret with keys",
			LOG_STR("secret", name));
		return NULL;
	}
	strcpy(t->name, name);
	HASH_ADD_STR(s->table, name, t);
	return t;
}

/* What is no base64 is kept as no text: the record's seal then does not hold, and says so. */
static void on_upsert(void *ctx, struct json_val object)
{
	_cleanup_buf_ struct buf text = BUF_INIT(OBJECT_MAX);
	_cleanup_arena_ struct arena a = ARENA_INIT(OBJECT_MAX);
	struct json_val metadata = json_get(object, "metadata");
	struct secrets *s = ctx;
	char name[KEY_RECORD_NAME_MAX];
	struct secret_text *t;

	if (!json_copy(json_get(metadata, "name"), name, sizeof(name)))
		return;
	if (codec_unbase64(&text, CODEC_BASE64, json_str(json_find(object, "data", "record"), &a)) <
		0)
		buf_reset(&text);
	t = find_or_add(s, name);
	if (!t)
		return;
	free(t->text);
	t->len = text.len;
	t->text = TAKE_PTR(text.p);
	t->round = s->round;
	json_copy(json_get(metadata, "resourceVersion"), t->revision, sizeof(t->revision));
	if (kube_watch_synced(s->watch))
		s->changed(s->ctx);
}

static void on_removed(void *ctx, struct json_val object)
{
	struct secrets *s = ctx;
	char name[KEY_RECORD_NAME_MAX] = "";
	struct secret_text *t;

	json_copy(json_find(object, "metadata", "name"), name, sizeof(name));
	t = find(s, name);
	if (!t)
		return;
	forget(s, t);
	s->changed(s->ctx);
}

static void on_list_begin(void *ctx)
{
	((struct secrets *)ctx)->round++;
}

static void on_synced(void *ctx)
{
	struct secrets *s = ctx;
	struct secret_text *t, *next;

	HASH_ITER(hh, s->table, t, next)
	if (t->round != s->round)
		forget(s, t);
	s->changed(s->ctx);
}

static int secrets_read(void *self, const char *name, struct buf *text,
	char revision[KEY_REVISION_MAX], struct error *err)
{
	struct secrets *s = self;
	const struct secret_text *t = find(s, name);

	if (!t && !kube_watch_synced(s->watch))
		return error_set(err, -EAGAIN, "the Secrets with keys are not known yet%s%s",
			*kube_watch_problem(s->watch) ? ": " : "", kube_watch_problem(s->watch));
	if (!t)
		return error_set(err, -ENOENT, "there is no Secret %s", name);
	memcpy(revision, t->revision, KEY_REVISION_MAX);
	return buf_add(text, t->text, t->len) < 0 ? error_set(err, -EBADMSG, "too large") : 0;
}

static bool secrets_stamp(void *self, const char *name, struct store_stamp *ret)
{
	const struct secret_text *t = find(self, name);

	if (!t)
		return false;
	*ret = (struct store_stamp){0};
	memcpy(ret->bytes, t->revision, KEY_REVISION_MAX);
	return true;
}

static int secrets_each(
	void *self, int (*fn)(void *ctx, const char *name), void *ctx, struct error *err)
{
	struct secrets *s = self;
	struct secret_text *t, *next;

	if (!kube_watch_synced(s->watch))
		return error_set(err, -EAGAIN, "the Secrets with keys are not known yet");
	HASH_ITER(hh, s->table, t, next)
	{
		int r = fn(ctx, t->name);

		if (r != 0)
			return r;
	}
	return 0;
}

static void writing_free(struct writing *w)
{
	struct writing **at = &w->owner->writings;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	kube_cancel(w->call);
	free(w);
}

/* What was stored is known at once: the next change is made from it. */
static void take_answer(struct secrets *s, const struct writing *w, const struct kube_result *res)
{
	_cleanup_json_ struct json doc = {0};

	if (w->remove) {
		struct secret_text *t = find(s, w->name);

		if (t)
			forget(s, t);
	} else if (json_parse(&doc, res->body, &limits, NULL) == 0)
		on_upsert(s, json_root(&doc));
}

static void on_written(void *ctx, const struct kube_result *res)
{
	struct writing *w = ctx;
	struct secrets *s = w->owner;
	key_store_written written = w->written;
	void *written_ctx = w->ctx;
	struct error why = {0};
	int r = 0;

	w->call = NULL;
	if (res->status == 200 || res->status == 201)
		take_answer(s, w, res);
	else if (res->status == 409 || (res->status == 404 && find(s, w->name)))
		r = error_set(&why, -EEXIST, "Secret %s was changed meanwhile: try again", w->name);
	else
		r = error_set(&why, res->status == 403 ? -EACCES : -EIO,
			"Secret %s cannot be written: %s", w->name, res->message);
	writing_free(w);
	written(written_ctx, r, &why);
}

static int write_object(struct buf *b, const struct secrets *s, const char *name,
	const char *revision, struct span text, const struct key_owner *owner)
{
	buf_printf(b,
		"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"casemate.dev/keys\","
		"\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",",
		name, s->namespace_);
	if (*revision) {
		buf_puts(b, "\"resourceVersion\":");
		buf_json_string(b, span_str(revision));
		buf_putc(b, ',');
	}
	buf_printf(b,
		"\"labels\":{\"app.kubernetes.io/part-of\":\"casemate\",\"" LABEL "\":\"%s\"}",
		s->sort);
	if (owner)
		buf_printf(b, ",\"annotations\":{\"casemate.dev/profile\":\"%s/%s\"}",
			owner->namespace_, owner->profile);
	buf_puts(b, "},\"data\":{\"record\":\"");
	buf_base64(b, text.p, text.len);
	return buf_puts(b, "\"}}");
}

static int send(struct secrets *s, struct writing *w, const char *revision, struct span text,
	const struct key_owner *owner, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(OBJECT_MAX);
	char path[PATH_MAX_BYTES];
	struct kube_request req = {.path = path, .max_response = OBJECT_MAX};

	snprintf(path, sizeof(path), "%s/%s", s->collection, w->name);
	if (w->remove) {
		req.method = "DELETE";
		buf_puts(&body, "{\"preconditions\":{\"resourceVersion\":");
		buf_json_string(&body, span_str(revision));
		buf_puts(&body, "}}");
	} else {
		req.method = *revision ? "PUT" : "POST";
		if (!*revision)
			req.path = s->collection;
		write_object(&body, s, w->name, revision, text, owner);
	}
	if (body.err)
		return error_set(err, body.err, "Secret %s: too large", w->name);
	req.body = buf_view(&body);
	return kube_call(s->kube, &req, on_written, w, &w->call, err);
}

static int secrets_write(void *self, const char *name, const char *revision, struct span text,
	const struct key_owner *owner, key_store_written written, void *ctx, struct error *err)
{
	struct secrets *s = self;
	struct writing *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_oom(err);
	*w = (struct writing){
		.next = s->writings, .owner = s, .written = written, .ctx = ctx, .remove = !text.p};
	s->writings = w;
	snprintf(w->name, sizeof(w->name), "%s", name);
	r = send(s, w, revision, text, owner, err);
	if (r < 0) {
		w->call = NULL;
		writing_free(w);
	}
	return r;
}

static const char *secrets_problem(void *self)
{
	const struct secrets *s = self;
	const char *problem = kube_watch_problem(s->watch);

	if (kube_watch_synced(s->watch))
		return "";
	return *problem ? problem : "the Secrets with keys are not known yet";
}

static void secrets_free(void *self)
{
	struct secrets *s = self;

	if (!s)
		return;
	while (s->writings)
		writing_free(s->writings);
	kube_watch_free(s->watch);
	while (s->table)
		forget(s, s->table);
	free(s);
}

int store_secrets_open(struct store_place *ret, struct kube_client *kube, const char *namespace_,
	const char *sort, void (*changed)(void *ctx), void *ctx, struct error *err)
{
	struct secrets *s = calloc(1, sizeof(*s));
	const struct kube_watch_handler h = {
		.list_begin = on_list_begin,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = on_synced,
		.ctx = s,
	};
	char selector[64];
	struct kube_watch_options w = {.label_selector = selector};
	int r;

	if (!s)
		return error_oom(err);
	*s = (struct secrets){.kube = kube, .changed = changed, .ctx = ctx};
	snprintf(s->namespace_, sizeof(s->namespace_), "%s", namespace_);
	snprintf(s->sort, sizeof(s->sort), "%s", sort);
	snprintf(selector, sizeof(selector), LABEL "=%s", sort);
	snprintf(s->collection, sizeof(s->collection), "/api/v1/namespaces/%s/secrets", namespace_);
	w.path = s->collection;
	r = kube_watch_new(&s->watch, kube, &w, &h, err);
	if (r < 0) {
		secrets_free(s);
		return r;
	}
	*ret = (struct store_place){.self = s,
		.read = secrets_read,
		.stamp = secrets_stamp,
		.each = secrets_each,
		.write = secrets_write,
		.problem = secrets_problem,
		.free = secrets_free};
	return 0;
}
