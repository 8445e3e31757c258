/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keks.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/log.h"

#define KEK_IN_SECRET "casemate-insecure-kek"

struct keks {
	const struct store_place *place;
	void (*changed)(void *ctx);
	void *ctx;
	struct arena arena;
	enum kek_kind use;
	struct kek_settings settings; /* a copy, of the arena */
	char *path;                   /* of the file; NULL: there is none */
	struct kek_ring file;
	struct store_kek *secret;
	struct kek_wrapped *wrapped;
	struct kek_ring ring; /* all of them */
};

static const struct kek_ring *ring_of(const struct keks *k, enum kek_kind kind)
{
	switch (kind) {
	case KEK_FILE:
		return k->path ? &k->file : NULL;
	case KEK_SECRET:
		return k->secret ? store_kek_ring(k->secret) : NULL;
	case KEK_VAULT: /* it knows which of these two wraps */
		return k->wrapped ? kek_wrapped_ring(k->wrapped) : NULL;
	default:
		return NULL;
	}
}

static enum kek_kind first_kind(const struct keks *k)
{
	return k->use == KEK_PKCS11 ? KEK_VAULT : k->use;
}

static void on_change(void *ctx)
{
	struct keks *k = ctx;
	const enum kek_kind order[] = {first_kind(k), KEK_FILE, KEK_SECRET, KEK_VAULT};
	struct kek_ring fresh = {0};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct kek_ring *ring = ring_of(k, order[i]);

		if (ring && kek_ring_join(&fresh, ring) < 0)
			log_error("out of memory", "Lost a key-encryption key");
	}
	kek_ring_free(&k->ring);
	k->ring = fresh;
	k->changed(k->ctx);
}

/*
 * Which records are under which
 */

struct search {
	const struct keks *k;
	const char *id; /* under this one; NULL: under none that is known */
	char name[KEY_RECORD_NAME_MAX];
	int r;
};

static int search_one(void *ctx, const char *name)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEY_RECORD_BYTES_MAX + 1024);
	char revision[KEY_REVISION_MAX], id[KEK_ID_MAX] = "";
	struct search *s = ctx;
	int r = s->k->place->read(s->k->place->self, name, &text, revision, NULL);
	bool found;

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = key_record_kek(id, buf_view(&text));
	/* Of one that is damaged it is not known: it counts, whatever is looked for. */
	found = r < 0 || (s->id ? strcmp(id, s->id) == 0 : !kek_ring_find(&s->k->ring, id));
	if (found)
		snprintf(s->name, sizeof(s->name), "%s", name);
	return found;
}

static int any_lost(void *ctx, char name[KEY_RECORD_NAME_MAX])
{
	const struct keks *k = ctx;
	struct search s = {.k = k};
	int r = k->place->each(k->place->self, search_one, &s, NULL);

	if (r > 0)
		memcpy(name, s.name, sizeof(s.name));
	return r;
}

static int is_used(void *ctx, const char *id)
{
	const struct keks *k = ctx;
	struct search s = {.k = k, .id = id};

	return k->place->each(k->place->self, search_one, &s, NULL);
}

/*
 * Setup
 */

static int copy_settings(
	struct keks *k, const struct kek_settings *from, bool file, bool secret, struct error *err)
{
	const char **texts[] = {&k->settings.vault.address, &k->settings.vault.mount,
		&k->settings.vault.key, &k->settings.vault.ca_file, &k->settings.vault.token_file,
		&k->settings.vault.role, &k->settings.vault.auth_mount,
		&k->settings.vault.account_token, &k->settings.pkcs11.module,
		&k->settings.pkcs11.token, &k->settings.pkcs11.key, &k->settings.pkcs11.pin_file};

	k->arena = ARENA_INIT(65536);
	if (from)
		k->settings = *from;
	else
		k->settings.use = file ? KEK_FILE : KEK_SECRET;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = arena_strdup(&k->arena, span_str(*texts[i]));
		if (!*texts[i])
			return error_oom(err);
	}
	k->use = (enum kek_kind)k->settings.use;
	if ((k->use == KEK_FILE && !file) || (k->use == KEK_SECRET && !secret) ||
		k->use == KEK_AUTO)
		return error_set(err, -EINVAL,
			"keys need a key-encryption key: name its file (make one with: openssl "
			"rand -base64 32)");
	return 0;
}

static int setup_wrapped(struct keks *k, const struct keks_options *o,
	const struct store_kek_hooks *hooks, struct error *err)
{
	const struct key_store_options *store = o->store;

	if (!*k->settings.vault.address && !*k->settings.pkcs11.module)
		return 0;
	return kek_wrapped_new(&k->wrapped,
		&(struct kek_wrapped_options){.event = store->event,
			.settings = &k->settings,
			.kube = store->kube,
			.namespace_ = store->namespace_,
			.directory = store->directory,
			.hooks = *hooks},
		err);
}

static int setup(struct keks *k, const struct keks_options *o, struct error *err)
{
	const struct store_kek_hooks hooks = {
		.records = any_lost, .used = is_used, .changed = on_change, .ctx = k};
	const struct key_store_options *store = o->store;
	bool file = store->kek_file && *store->kek_file;
	int r = copy_settings(k, store->kek, file, store->insecure_kek_in_secret, err);

	if (r == 0 && file) {
		k->path = strdup(store->kek_file);
		r = k->path ? kek_ring_load(&k->file, k->path, err) : error_oom(err);
		if (r == 0)
			r = kek_ring_join(&k->ring, &k->file);
	}
	if (r == 0 && store->insecure_kek_in_secret)
		r = store_kek_new(&k->secret, store->kube, store->namespace_,
			store->kek_secret ? store->kek_secret : KEK_IN_SECRET, k->use == KEK_SECRET,
			&hooks, err);
	return r < 0 ? r : setup_wrapped(k, o, &hooks, err);
}

int keks_new(struct keks **ret_k, const struct keks_options *o, struct error *err)
{
	struct keks *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_oom(err);
	k->place = o->place;
	k->changed = o->changed;
	k->ctx = o->ctx;
	r = setup(k, o, err);
	if (r < 0) {
		keks_free(k);
		return r;
	}
	*ret_k = k;
	return 0;
}

void keks_free(struct keks *k)
{
	if (!k)
		return;
	kek_wrapped_free(k->wrapped);
	store_kek_free(k->secret);
	kek_ring_free(&k->file);
	kek_ring_free(&k->ring);
	free(k->path);
	arena_free(&k->arena);
	free(k);
}

const struct kek_ring *keks_ring(const struct keks *k)
{
	const struct kek_ring *first = ring_of(k, first_kind(k));

	if (!first || !first->n)
		return NULL;
	/* Of Vault and the token the other one's may be known alone. */
	return first_kind(k) == KEK_VAULT && *kek_wrapped_problem(k->wrapped) ? NULL : &k->ring;
}

const char *keks_problem(const struct keks *k)
{
	const char *problem = k->secret ? store_kek_problem(k->secret) : "";

	return *problem || !k->wrapped ? problem : kek_wrapped_problem(k->wrapped);
}

void keks_look(struct keks *k)
{
	if (k->secret)
		store_kek_look(k->secret);
	if (k->wrapped)
		kek_wrapped_look(k->wrapped);
}

int keks_reload(struct keks *k, struct error *err)
{
	struct kek_ring fresh = {0};
	int r = k->path ? kek_ring_load(&fresh, k->path, err) : 0;

	if (r < 0)
		return r;
	if (k->path) {
		kek_ring_free(&k->file);
		k->file = fresh;
		on_change(k);
	}
	if (k->wrapped)
		kek_wrapped_reload(k->wrapped);
	return 0;
}

struct kek_wrapped *keks_wrapped(const struct keks *k)
{
	return k->wrapped;
}
