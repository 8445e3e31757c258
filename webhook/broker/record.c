/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/record.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "common/base/algorithm.h"

enum {
	ARENA_MAX = 16 * 1024 * 1024,
	OWNER_BYTES_MAX = 1024,
	HASH_SHOWN = 8,   /* bytes of it in a record's name */
	PART_SHOWN = 100, /* characters of namespace and profile */
};

/* Lower-case letters, digits, '-' and '.', as names of namespaces and profiles are. */
static bool is_plain(const char *name, size_t max)
{
	size_t n = strlen(name);

	return n > 0 && n < max && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n &&
	       name[0] != '.' && name[0] != '-';
}

void key_record_name(char ret[KEY_RECORD_NAME_MAX], const struct key_owner *o)
{
	const char *const parts[] = {o->namespace_, o->namespace_uid, o->profile, o->profile_uid};
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int n;

	/* Each with its NUL, so that none runs into the next. */
	if (ctx && EVP_DigestInit_ex(ctx, algorithm_sha256(), NULL) == 1) {
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + 1);
		EVP_DigestFinal_ex(ctx, digest, NULL);
	}
	EVP_MD_CTX_free(ctx);
	n = snprintf(ret, KEY_RECORD_NAME_MAX, "casemate-keys-%.*s-%.*s-", PART_SHOWN,
		o->namespace_, PART_SHOWN, o->profile);
	for (size_t i = 0; i < HASH_SHOWN && n > 0; i++)
		n += snprintf(ret + n, (size_t)(KEY_RECORD_NAME_MAX - n), "%02x", digest[i]);
}

bool key_owner_same(const struct key_owner *a, const struct key_owner *b)
{
	return a->namespace_ && strcmp(a->namespace_, b->namespace_) == 0 &&
	       strcmp(a->namespace_uid, b->namespace_uid) == 0 &&
	       strcmp(a->profile, b->profile) == 0 && strcmp(a->profile_uid, b->profile_uid) == 0;
}

static int set_owner(struct key_record *rec, const struct key_owner *o, struct error *err)
{
	struct key_owner copy = {
		.namespace_ = arena_strdup(&rec->arena, span_str(o->namespace_)),
		.namespace_uid = arena_strdup(&rec->arena, span_str(o->namespace_uid)),
		.profile = arena_strdup(&rec->arena, span_str(o->profile)),
		.profile_uid = arena_strdup(&rec->arena, span_str(o->profile_uid)),
	};

	if (!copy.namespace_ || !copy.namespace_uid || !copy.profile || !copy.profile_uid)
		return error_oom(err);
	if (!is_plain(copy.namespace_, KEY_NAME_MAX) || !is_plain(copy.profile, 254))
		return error_set(err, -EINVAL, "\"%.64s/%.64s\" names no profile", copy.namespace_,
			copy.profile);
	if (strlen(copy.namespace_uid) >= KEY_UID_MAX || strlen(copy.profile_uid) >= KEY_UID_MAX)
		return error_set(err, -EINVAL, "a UID is too long");
	rec->owner = copy;
	return 0;
}

int key_record_new(struct key_record *rec, const struct key_owner *o, struct error *err)
{
	struct key_record fresh = {.arena = ARENA_INIT(ARENA_MAX)};
	int r;

	fresh.keys = arena_array(&fresh.arena, struct key_entry, KEY_RECORD_KEYS_MAX);
	r = fresh.keys ? set_owner(&fresh, o, err) : error_oom(err);
	if (r < 0) {
		arena_free(&fresh.arena);
		return r;
	}
	*rec = fresh;
	return 0;
}

void key_record_free(struct key_record *rec)
{
	arena_free(&rec->arena);
	*rec = (struct key_record){0};
}

static int copy_wrapped(struct key_record *rec)
{
	for (size_t i = 0; i < rec->n; i++)
		for (size_t j = 0; j < rec->keys[i].n; j++) {
			struct key_version *v = &rec->keys[i].v[j];

			v->wrapped = arena_dup(&rec->arena, v->wrapped);
			if (!v->wrapped.p)
				return -ENOMEM;
		}
	return 0;
}

int key_record_copy(struct key_record *ret, const struct key_record *from, size_t max)
{
	_cleanup_record_ struct key_record copy = *from;
	struct error none = {0};
	size_t size = from->n * sizeof(*from->keys);
	int r;

	copy.arena = ARENA_INIT(max);
	for (size_t i = 0; i < from->n; i++)
		for (size_t j = 0; j < from->keys[i].n; j++)
			size += from->keys[i].v[j].wrapped.len + 64;
	if (size + OWNER_BYTES_MAX > max)
		return -E2BIG;
	copy.keys = arena_array(&copy.arena, struct key_entry, from->n);
	if (!copy.keys)
		return -ENOMEM;
	memcpy(copy.keys, from->keys, from->n * sizeof(*from->keys));
	r = set_owner(&copy, &from->owner, &none);
	if (r == 0)
		r = copy_wrapped(&copy);
	if (r < 0)
		return r;
	*ret = copy;
	copy = (struct key_record){0};
	return 0;
}

struct key_entry *key_record_find(const struct key_record *rec, const char *key)
{
	for (size_t i = 0; i < rec->n; i++)
		if (strcmp(rec->keys[i].name, key) == 0)
			return &rec->keys[i];
	return NULL;
}

const struct key_version *key_entry_version(const struct key_entry *e, unsigned version)
{
	for (size_t i = 0; i < e->n; i++)
		if (version == 0 || e->v[i].version == version)
			return &e->v[i];
	return NULL;
}

struct key_entry *key_record_add(struct key_record *rec, const char *key)
{
	struct key_entry *e = &rec->keys[rec->n];

	if (rec->n == KEY_RECORD_KEYS_MAX || !is_plain(key, KEY_NAME_MAX))
		return NULL;
	*e = (struct key_entry){0};
	snprintf(e->name, sizeof(e->name), "%s", key);
	rec->n++;
	return e;
}

void key_record_drop(struct key_record *rec, struct key_entry *e)
{
	size_t i = (size_t)(e - rec->keys);

	rec->n--;
	memmove(e, e + 1, (rec->n - i) * sizeof(*e));
}

static struct wrap_context context_of(
	const struct key_record *rec, const struct key_entry *e, const struct key_version *v)
{
	return (struct wrap_context){
		.namespace_uid = rec->owner.namespace_uid,
		.profile_uid = rec->owner.profile_uid,
		.key = e->name,
		.type = key_type_name(v->type),
		.version = v->version,
	};
}

/* The wrapped bytes come from the record's arena. */
static int seal_version(struct key_record *rec, const struct key_entry *e, struct key_version *v,
	struct span key, const struct kek_ring *keks, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(KEY_BYTES_MAX + WRAP_TAG);
	struct wrap_context c = context_of(rec, e, v);
	int r = wrap_seal(&out, v->nonce, &keks->v[0], &c, key, err);

	if (r < 0)
		return r;
	v->wrapped = arena_dup(&rec->arena, buf_view(&out));
	return v->wrapped.p ? 0 : error_oom(err);
}

int key_record_open(struct secret *ret, const struct key_record *rec, const struct key_entry *e,
	const struct key_version *v, const struct kek_ring *keks, struct error *err)
{
	const struct kek *kek = kek_ring_find(keks, rec->kek);
	struct wrap_context c = context_of(rec, e, v);

	if (!kek)
		return error_set(err, -ENOKEY, "key-encryption key %s is not there", rec->kek);
	return wrap_open(ret, kek, &c, v->nonce, v->wrapped, err);
}

/* Wraps every key anew, for another KEK or owner: all of them, or the record stays as it was. */
static int reseal(struct key_record *rec, const struct key_owner *to, const struct kek_ring *keks,
	struct error *err)
{
	struct key_record next = *rec;
	int r = 0;

	next.keys = arena_array(&next.arena, struct key_entry, KEY_RECORD_KEYS_MAX);
	if (!next.keys)
		r = error_oom(err);
	else
		memcpy(next.keys, rec->keys, rec->n * sizeof(*rec->keys));
	if (r == 0)
		r = set_owner(&next, to, err);
	for (size_t i = 0; r == 0 && i < next.n; i++) {
		struct key_entry *e = &next.keys[i];

		for (size_t j = 0; r == 0 && j < e->n; j++) {
			_cleanup_secret_ struct secret key = {0};

			r = key_record_open(
				&key, rec, &rec->keys[i], &rec->keys[i].v[j], keks, err);
			if (r == 0)
				r = seal_version(&next, e, &e->v[j], secret_view(&key), keks, err);
		}
	}
	rec->arena = next.arena;
	if (r < 0)
		return r;
	snprintf(next.kek, sizeof(next.kek), "%s", keks->v[0].id);
	*rec = next;
	return 0;
}

int key_record_rewrap(struct key_record *rec, const struct kek_ring *keks, struct error *err)
{
	if (strcmp(rec->kek, keks->v[0].id) == 0)
		return 0;
	if (rec->kek[0] == '\0') {
		snprintf(rec->kek, sizeof(rec->kek), "%s", keks->v[0].id);
		return 0;
	}
	return reseal(rec, &rec->owner, keks, err);
}

int key_record_give(struct key_record *rec, const struct key_owner *to, const struct kek_ring *keks,
	struct error *err)
{
	return reseal(rec, to, keks, err);
}

int key_record_add_version(struct key_record *rec, struct key_entry *e, enum key_type type,
	unsigned size, int64_t now_sec, struct span key, const struct kek_ring *keks,
	struct error *err)
{
	struct key_version v = {.version = e->n ? e->v[0].version + 1 : 1,
		.type = type,
		.size = size,
		.made_sec = now_sec};
	size_t at = (size_t)(e - rec->keys);
	int r;

	if (key.len == 0 || key.len > KEY_BYTES_MAX)
		return error_set(err, -E2BIG, "a key has 1 to %d bytes, this one has %zu",
			KEY_BYTES_MAX, key.len);
	r = key_record_rewrap(rec, keks, err);
	e = &rec->keys[at];
	if (r == 0)
		r = seal_version(rec, e, &v, key, keks, err);
	if (r < 0)
		return r;
	if (e->n == KEY_VERSIONS_MAX)
		e->n--;
	memmove(&e->v[1], &e->v[0], e->n * sizeof(e->v[0]));
	e->v[0] = v;
	e->n++;
	return 0;
}
