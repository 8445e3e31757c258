/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/key_session.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "webhook/api_get.h"
#include "webhook/profile_files.h"

enum {
	ARENA_MAX = 64 << 20,
	TRIES = 5,
	NAME_MAX_BYTES = 320,
	OBJECT_MAX = 4 << 20,
};

#define TURN_USEC (200 * (uint64_t)USEC_PER_MSEC)

static const struct json_limits limits = {OBJECT_MAX, 262144, 64};

static bool is_known(void *ctx)
{
	const struct key_session *s = ctx;

	return *key_store_problem(s->store) == '\0';
}

static bool is_settled(void *ctx)
{
	const struct key_session *s = ctx;

	return is_known(ctx) || key_store_refused(s->store);
}

static int wait_known(struct key_session *s, struct error *err)
{
	if (api_wait(s->event, is_settled, s) < 0 || !is_known(s))
		return error_set(err, -ETIMEDOUT, "the store cannot be read: %s",
			key_store_problem(s->store));
	return 0;
}

static int check_options(struct key_session_options *o, struct error *err)
{
	bool cluster = *o->kubeconfig || *o->namespace_;

	if (*o->keys && cluster)
		return error_set(err, -EINVAL,
			"--keys is a folder, --kubeconfig and --namespace are of a cluster: "
			"choose");
	if (!*o->keys && !cluster)
		return error_set(err, -EINVAL,
			"name the store: --keys DIR, or --kubeconfig FILE (with --namespace) for a "
			"cluster's; in a pod of the broker --namespace is enough");
	if (o->insecure_kek_in_secret && !cluster)
		return error_set(err, -EINVAL, "--insecure-kek-in-secret is for a cluster");
	return kek_settings_finish(
		&o->kek, *o->kek_file, o->insecure_kek_in_secret, "kek", "--kek-file", err);
}

int key_session_open(struct key_session *s, struct key_session_options *o, struct error *err)
{
	struct key_store_options store = {.directory = o->keys,
		.kek_file = o->kek_file,
		.insecure_kek_in_secret = o->insecure_kek_in_secret,
		.kek = &o->kek};
	int r = check_options(o, err);

	s->o = o;
	s->arena = ARENA_INIT(ARENA_MAX);
	if (r < 0)
		return r;
	r = sd_event_new(&s->event);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	store.event = s->event;
	if (!*o->keys) {
		r = kube_client_new(&s->kube, s->event,
			&(struct kube_client_options){
				.kubeconfig = o->kubeconfig, .user_agent = "casemate-webhook-key"},
			err);
		if (r < 0)
			return r;
		store.kube = s->kube;
		store.namespace_ = *o->namespace_ ? o->namespace_ : kube_client_namespace(s->kube);
	}
	r = key_store_new(&s->store, &store, err);
	if (r < 0)
		return r;
	r = wait_known(s, err);
	return r < 0 && o->restores && key_store_refused(s->store) ? 0 : r;
}

void key_session_close(struct key_session *s)
{
	key_store_free(s->store);
	kube_client_free(s->kube);
	sd_event_unref(s->event);
	json_free(&s->profile_keys);
	arena_free(&s->arena);
	*s = (struct key_session){0};
}

static const char *copy_of(struct key_session *s, struct json_val v)
{
	struct span text = json_str(v, &s->arena);

	return text.p ? arena_strdup(&s->arena, text) : "";
}

/* spec.keys as a document of its own. */
static int take_profile(struct key_session *s, struct json_val profile, struct key_owner *ret,
	struct json_val *ret_keys, struct error *err)
{
	struct span text = arena_dup(&s->arena, json_raw(json_find(profile, "spec", "keys")));

	ret->profile_uid = copy_of(s, json_find(profile, "metadata", "uid"));
	*ret_keys = (struct json_val){0};
	if (!ret->profile_uid)
		return error_oom(err);
	if (!text.len)
		return 0;
	if (json_parse(&s->profile_keys, text, &limits, err) < 0)
		return err->code;
	*ret_keys = json_root(&s->profile_keys);
	return 0;
}

static int ask_cluster(
	struct key_session *s, struct key_owner *ret, struct json_val *ret_keys, struct error *err)
{
	_cleanup_json_ struct json space = {0}, profile = {0};
	char path[700], what[400];
	int r;

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s", ret->namespace_);
	snprintf(what, sizeof(what), "namespace %s", ret->namespace_);
	r = api_get(s->kube, path, what, &s->arena, &space, err);
	if (r < 0)
		return r;
	ret->namespace_uid = copy_of(s, json_find(json_root(&space), "metadata", "uid"));
	snprintf(path, sizeof(path), "/apis/casemate.dev/v1alpha1/namespaces/%s/enclaveprofiles/%s",
		ret->namespace_, ret->profile);
	snprintf(what, sizeof(what), "EnclaveProfile %s/%s", ret->namespace_, ret->profile);
	r = api_get(s->kube, path, what, &s->arena, &profile, err);
	return r < 0 ? r : take_profile(s, json_root(&profile), ret, ret_keys, err);
}

/* Without a folder of profiles a name is taken as it is. */
static int ask_files(
	struct key_session *s, struct key_owner *ret, struct json_val *ret_keys, struct error *err)
{
	struct profile_files *files = arena_new(&s->arena, struct profile_files);
	int r;

	*ret_keys = (struct json_val){0};
	if (!*s->o->profiles_dir)
		return 0;
	r = files ? profile_files_read(files, s->o->profiles_dir, &s->arena, err) : error_oom(err);
	for (size_t i = 0; r == 0 && i < files->n; i++) {
		_cleanup_json_ struct json doc = {0};
		struct json_val metadata;

		if (json_parse(&doc, files->objects[i], &limits, err) < 0)
			return err->code;
		metadata = json_get(json_root(&doc), "metadata");
		if (json_str_is(json_get(metadata, "name"), ret->profile) &&
			json_str_is(json_get(metadata, "namespace"), ret->namespace_))
			return take_profile(s, json_root(&doc), ret, ret_keys, err);
	}
	return r < 0 ? r
		     : error_set(err, -ENOENT, "there is no profile %s/%s in %s", ret->namespace_,
			       ret->profile, s->o->profiles_dir);
}

int key_session_owner(struct key_session *s, const char *name, struct key_owner *ret,
	struct json_val *ret_keys, struct error *err)
{
	const char *slash = strchr(name, '/');
	struct key_owner o = {.namespace_uid = "", .profile_uid = ""};
	int r;

	if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/') ||
		strlen(name) >= NAME_MAX_BYTES)
		return error_set(err, -EINVAL, "\"%.100s\" is not NAMESPACE/PROFILE", name);
	o.namespace_ = arena_strdup(&s->arena, (struct span){name, (size_t)(slash - name)});
	o.profile = arena_strdup(&s->arena, span_str(slash + 1));
	if (!o.namespace_ || !o.profile)
		return error_oom(err);
	r = s->kube ? ask_cluster(s, &o, ret_keys, err) : ask_files(s, &o, ret_keys, err);
	if (r == 0)
		*ret = o;
	return r;
}

int key_session_spec(
	struct json_val keys, const char *name, struct key_spec *ret, struct error *err)
{
	_cleanup_buf_ struct buf names = BUF_INIT(300);
	struct json_iter it;

	json_each (it, keys) {
		if (json_str_is(json_get(it.value, "name"), name)) {
			key_spec_read(ret, it.value);
			return 0;
		}
		buf_printf(&names, "%s" SPAN_FMT, names.len ? ", " : "",
			SPAN_ARG(json_raw(json_get(it.value, "name"))));
	}
	return error_set(err, -ENOENT, "the profile has no key \"%.64s\"; it has: %s", name,
		names.len ? names.p : "none");
}

struct writing {
	bool done;
	int r;
	struct error err;
};

static void on_written(void *ctx, int r, const struct error *err)
{
	*(struct writing *)ctx = (struct writing){true, r, *err};
}

static bool is_written(void *ctx)
{
	return ((struct writing *)ctx)->done;
}

/* r: what began it. */
static int wait_written(struct key_session *s, struct writing *w, int r, struct error *err)
{
	if (r < 0)
		return r;
	if (api_wait(s->event, is_written, w) < 0) {
		/* It must not call back into what is gone. */
		key_store_free(s->store);
		s->store = NULL;
		return error_set(err, -ETIMEDOUT,
			"no answer; look whether it was stored (casemate-webhook key list)");
	}
	if (w->r < 0)
		*err = w->err;
	return w->r;
}

int key_session_renew_kek(struct key_session *s, struct error *err)
{
	struct writing w = {0};
	int kind = s->o->kek.use;

	return kind == KEK_VAULT || kind == KEK_PKCS11
		       ? wait_written(
				 s, &w, key_store_renew_kek(s->store, on_written, &w, err), err)
		       : 0;
}

int key_session_adopt_keks(struct key_session *s, struct span text, struct error *err)
{
	struct writing w = {0};
	int r;

	if (!text.len)
		return wait_known(s, err);
	r = key_store_adopt_keks(s->store, text, on_written, &w, err);
	if (r == -EINVAL)
		return error_set(err, -ENOKEY,
			"its keys are under key-encryption keys that Vault or a token wraps: say "
			"how to reach them (--kek-vault-…, --kek-pkcs11-…)");
	r = wait_written(s, &w, r, err);
	return r < 0 ? r : wait_known(s, err);
}

int key_session_write(struct key_session *s, const struct key_record *rec, struct error *err)
{
	struct writing w = {0};

	return wait_written(s, &w, key_store_write(s->store, rec, on_written, &w, err), err);
}

static int update_once(struct key_session *s, const struct key_owner *o, bool create,
	int (*change)(
		void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err),
	void *ctx, struct error *err)
{
	_cleanup_record_ struct key_record rec = {0};
	int r = key_store_read(s->store, o, &rec, err);

	if (r == -ENOENT && create)
		r = key_record_new(&rec, o, err);
	if (r == 0)
		r = change(ctx, &rec, key_store_keks(s->store), err);
	return r < 0 ? r : key_session_write(s, &rec, err);
}

int key_session_update(struct key_session *s, const struct key_owner *o, bool create,
	int (*change)(
		void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err),
	void *ctx, struct error *err)
{
	int r = -EEXIST;

	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		if (i)
			sd_event_run(s->event, TURN_USEC); /* what the other wrote arrives */
		r = update_once(s, o, create, change, ctx, err);
	}
	return r;
}
