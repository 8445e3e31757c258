/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/store.h"

#include <errno.h>
#include <stdio.h>

#include "webhook/broker/deny.h"
#include "webhook/broker/keks.h"
#include "webhook/broker/store_cache.h"

#define SORT "keys"

enum { TEXT_MAX = KEY_RECORD_BYTES_MAX + 1024 };

struct key_store {
	struct store_place place;
	struct keks *keks;
	struct store_cache *cache;
	const struct deny *deny;
	void (*changed)(void *ctx);
	void *changed_ctx;
};

static void on_change(void *ctx)
{
	struct key_store *s = ctx;

	store_cache_clear(s->cache);
	if (s->changed)
		s->changed(s->changed_ctx);
}

/* Records came or went. */
static void on_records(void *ctx)
{
	struct key_store *s = ctx;

	keks_look(s->keks);
	on_change(s);
}

static int check_options(const struct key_store_options *o, struct error *err)
{
	bool file = o->kek_file && *o->kek_file;

	if (file && o->insecure_kek_in_secret && !o->kek)
		return error_set(err, -EINVAL,
			"a file with the key-encryption key is named, and insecureKekInSecret is "
			"true: choose one");
	if (!o->kek && !file && (!o->insecure_kek_in_secret || !o->kube))
		return error_set(err, -EINVAL,
			"keys need a key-encryption key: name its file (make one with: openssl "
			"rand "
			"-base64 32)%s",
			o->kube ? ", or for development set insecureKekInSecret: true" : "");
	if (!o->kube && (!o->directory || !*o->directory))
		return error_set(err, -EINVAL, "keys need a folder: name it");
	return 0;
}

int key_store_new(struct key_store **ret_s, const struct key_store_options *o, struct error *err)
{
	_cleanup_(key_store_free_p) struct key_store *s = calloc(1, sizeof(*s));
	struct metric *insecure;
	int r = s ? check_options(o, err) : error_oom(err);

	if (r == 0) {
		s->cache = store_cache_new();
		r = s->cache ? 0 : error_oom(err);
	}
	if (r == 0)
		r = keks_new(&s->keks,
			&(struct keks_options){
				.store = o, .place = &s->place, .changed = on_change, .ctx = s},
			err);
	if (r == 0)
		r = o->kube ? store_secrets_open(
				      &s->place, o->kube, o->namespace_, SORT, on_records, s, err)
			    : store_files_open(&s->place, o->directory, "." SORT, err);
	if (r < 0)
		return r;
	if (o->metrics) {
		insecure = metrics_gauge(o->metrics, "casemate_webhook_insecure_kek",
			"1: the key-encryption key is in a Secret beside the keys "
			"(insecureKekInSecret).",
			NULL);
		metric_set(insecure, o->insecure_kek_in_secret, NULL);
	}
	*ret_s = TAKE_PTR(s);
	return 0;
}

void key_store_free(struct key_store *s)
{
	if (!s)
		return;
	keks_free(s->keks);
	store_cache_free(s->cache);
	if (s->place.free)
		s->place.free(s->place.self);
	free(s);
}

const struct kek_ring *key_store_keks(const struct key_store *s)
{
	return keks_ring(s->keks);
}

const char *key_store_problem(const struct key_store *s)
{
	const char *problem = s->place.problem(s->place.self);

	return *problem ? problem : keks_problem(s->keks);
}

bool key_store_refused(const struct key_store *s)
{
	const struct kek_wrapped *w = keks_wrapped(s->keks);

	return w && kek_wrapped_refused(w);
}

void key_store_deny(struct key_store *s, const struct deny *lists)
{
	s->deny = lists;
}

void key_store_listen(struct key_store *s, void (*changed)(void *ctx), void *ctx)
{
	s->changed = changed;
	s->changed_ctx = ctx;
}

int key_store_reload(struct key_store *s, struct error *err)
{
	store_cache_clear(s->cache);
	return keks_reload(s->keks, err);
}

int key_store_renew_kek(struct key_store *s, key_store_written done, void *ctx, struct error *err)
{
	struct kek_wrapped *w = keks_wrapped(s->keks);

	return w ? kek_wrapped_renew(w, done, ctx, err) : -EINVAL;
}

int key_store_wrapped_keks(const struct key_store *s, struct buf *out)
{
	const struct kek_wrapped *w = keks_wrapped(s->keks);

	return w ? kek_wrapped_text(w, out) : -ENOENT;
}

int key_store_adopt_keks(
	struct key_store *s, struct span text, key_store_written done, void *ctx, struct error *err)
{
	struct kek_wrapped *w = keks_wrapped(s->keks);

	return w ? kek_wrapped_adopt(w, text, done, ctx, err) : -EINVAL;
}

int key_store_read_name(
	struct key_store *s, const char *name, struct key_record *ret, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	const struct kek_ring *keks = key_store_keks(s);
	char revision[KEY_REVISION_MAX] = "";
	int r;

	if (!keks)
		return error_set(err, -EAGAIN, "%s", keks_problem(s->keks));
	r = s->place.read(s->place.self, name, &text, revision, err);
	if (r == 0)
		r = key_record_read(ret, buf_view(&text), keks, err);
	if (r == 0)
		memcpy(ret->revision, revision, sizeof(ret->revision));
	return r < 0 && r != -ENOENT ? error_prefix(err, r, "%s", name) : r;
}

int key_store_read(
	struct key_store *s, const struct key_owner *o, struct key_record *ret, struct error *err)
{
	_cleanup_record_ struct key_record rec = {0};
	char name[KEY_RECORD_NAME_MAX];
	int r;

	key_record_name(name, o);
	r = key_store_read_name(s, name, &rec, err);
	if (r == -ENOENT)
		return error_set(
			err, r, "there are no keys of profile %s/%s", o->namespace_, o->profile);
	if (r < 0)
		return r;
	if (!key_owner_same(&rec.owner, o))
		return error_set(err, -EBADMSG,
			"%s: the record is of another profile or namespace; restore the right one",
			name);
	*ret = rec;
	rec = (struct key_record){0};
	return 0;
}

int key_store_revision(struct key_store *s, const struct key_owner *o, char ret[KEY_REVISION_MAX],
	struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(4 * TEXT_MAX);
	char name[KEY_RECORD_NAME_MAX];

	key_record_name(name, o);
	return s->place.read(s->place.self, name, &text, ret, err);
}

int key_store_each(
	struct key_store *s, int (*fn)(void *ctx, const char *name), void *ctx, struct error *err)
{
	return s->place.each(s->place.self, fn, ctx, err);
}

int key_store_write(struct key_store *s, const struct key_record *rec, key_store_written written,
	void *ctx, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	const struct kek_ring *keks = key_store_keks(s);
	char name[KEY_RECORD_NAME_MAX];
	int r;

	/* What is under a KEK that nobody keeps is lost with the last who knows it. */
	if (*keks_problem(s->keks))
		return error_set(err, keks ? -ENOKEY : -EAGAIN, "%s", keks_problem(s->keks));
	r = key_record_write(&text, rec, keks, err);
	if (r < 0)
		return r;
	key_record_name(name, &rec->owner);
	return s->place.write(s->place.self, name, rec->revision, buf_view(&text), &rec->owner,
		written, ctx, err);
}

int key_store_remove(struct key_store *s, const struct key_record *rec, key_store_written written,
	void *ctx, struct error *err)
{
	char name[KEY_RECORD_NAME_MAX];

	key_record_name(name, &rec->owner);
	return s->place.write(
		s->place.self, name, rec->revision, SPAN_NONE, &rec->owner, written, ctx, err);
}

/* The key and its version out of the record; or why not. */
static enum reason take_key(struct key_store *s, const struct key_record *rec, const char *key,
	unsigned *version, struct secret *ret, struct error *err)
{
	const struct key_entry *e = key_record_find(rec, key);
	const struct key_version *v = e ? key_entry_version(e, *version) : NULL;

	if (!v || e->removed_sec || rec->deleted_sec) {
		error_set(err, -ENOENT, "%s: profile %s/%s has no such key%s", key,
			rec->owner.namespace_, rec->owner.profile,
			e && !v ? " of that version" : "");
		return REASON_KeyNotFound;
	}
	*version = v->version;
	if (deny_has_key(s->deny, rec->owner.namespace_, rec->owner.profile, key, v->version)) {
		error_set(err, -EACCES, "%s, version %u, is on the deny-list: rotate it", key,
			v->version);
		return REASON_KeyRevoked;
	}
	if (key_record_open(ret, rec, e, v, key_store_keks(s), err) < 0)
		return REASON_StoreUnavailable;
	return REASON_Ok;
}

/* Reads the record into ret, and keeps it if it can be told when it changes. */
static int read_to_keep(
	struct key_store *s, const struct key_owner *o, struct key_record *ret, struct error *err)
{
	char name[KEY_RECORD_NAME_MAX];
	struct store_stamp stamp;
	bool keep;
	int r;

	key_record_name(name, o);
	/* Before it is read: a change in between shows the next time. */
	keep = s->place.stamp(s->place.self, name, &stamp);
	r = key_store_read(s, o, ret, err);
	if (r == 0 && keep)
		store_cache_put(s->cache, name, &stamp, ret);
	return r;
}

int key_store_fetch(struct key_store *s, const struct key_owner *o, const char *key,
	unsigned version, key_store_done done, void *ctx, struct error *err)
{
	const struct key_record *rec =
		key_store_keks(s) ? store_cache_find(s->cache, &s->place, o) : NULL;
	_cleanup_record_ struct key_record read = {0};
	_cleanup_secret_ struct secret bytes = {0};
	enum reason reason = REASON_StoreUnavailable;
	struct error why = {0};
	int r = rec ? 0 : read_to_keep(s, o, &read, &why);

	if (r == -ENOMEM)
		return error_oom(err);
	if (r == 0)
		reason = take_key(s, rec ? rec : &read, key, &version, &bytes, &why);
	else if (r == -ENOENT)
		reason = REASON_KeyNotFound;
	done(ctx, reason == REASON_Ok ? &bytes : NULL, version, reason, &why);
	return 0;
}
