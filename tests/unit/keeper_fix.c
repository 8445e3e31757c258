/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/keeper_fix.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

/* Longer than the keeper waits before it looks. */
#define LINGER_USEC (500 * (int64_t)USEC_PER_MSEC)

const struct key_owner keeper_fix_owner = {"shop", "ns-uid", "payments", "uid-1"};

static const char *namespace_uid(void *ctx, const char *namespace_)
{
	(void)ctx;
	return strcmp(namespace_, "shop") == 0 ? "ns-uid" : "";
}

void keeper_fix_refresh(struct keeper_fix *f)
{
	static const struct span space = SPAN_LIT("shop");
	struct profile_set *fresh = NULL;
	struct error err = {0};
	unsigned version = 0;
	_cleanup_free_ char *text = keys_api_profile_text(&f->api, &version);
	const struct span object = span_str(text ? text : "");

	if (version == f->seen || !f->keeper)
		return;
	f->seen = version;
	if (!CHECK_ROW("profiles",
		    profile_set_new(
			    &fresh, &object, text ? 1 : 0, &space, 1, false, &f->config, &err) == 0,
		    "%s", err.message))
		return;
	profile_set_unref(f->profiles);
	f->profiles = fresh;
	keys_keeper_profiles(f->keeper, fresh);
	if (text)
		CHECK_ROW("profile", profile_set_at(fresh, 0)->valid, "%s",
			profile_set_at(fresh, 0)->message);
}

struct until {
	struct keeper_fix *f;
	bool (*holds)(struct keeper_fix *f);
};

static bool is_so(void *ctx)
{
	const struct until *u = ctx;

	keeper_fix_refresh(u->f);
	return u->holds(u->f);
}

bool keeper_fix_wait(struct keeper_fix *f, bool (*holds)(struct keeper_fix *f))
{
	struct until u = {f, holds};

	return kube_fix_wait(&f->api.kube, is_so, &u);
}

void keeper_fix_linger(struct keeper_fix *f)
{
	for (int i = 0; i < 10; i++) {
		keeper_fix_refresh(f);
		kube_fix_linger(&f->api.kube, LINGER_USEC / 10);
	}
}

void keeper_fix_forget_log(struct keeper_fix *f)
{
	pthread_mutex_lock(&f->api.lock);
	f->api.log[0] = '\0';
	pthread_mutex_unlock(&f->api.lock);
}

static bool is_known(struct keeper_fix *f)
{
	return *key_store_problem(f->store) == '\0';
}

bool keeper_fix_start(struct keeper_fix *f, int64_t retention_sec)
{
	const struct keys_keeper_options o = {
		.event = f->api.kube.event,
		.store = f->store,
		.kube = f->api.kube.client,
		.events = f->events,
		.lease = f->lease,
		.namespace_uid = namespace_uid,
		.retention_usec = retention_sec * USEC_PER_SEC,
		.metrics = f->api.kube.metrics,
	};
	struct error err = {0};

	f->seen = 0;
	return CHECK_ROW("keeper", keys_keeper_new(&f->keeper, &o, &err) == 0, "%s", err.message);
}

bool keeper_fix_begin(struct keeper_fix *f)
{
	struct error err = {0};

	*f = (struct keeper_fix){.arena = ARENA_INIT(1 << 20)};
	CU_ASSERT_EQUAL(policy_config_default(&f->config, &f->arena, NULL), 0);
	if (!keys_api_begin(&f->api))
		return false;
	CU_ASSERT_EQUAL(kube_event_recorder_new(
				&f->events, f->api.kube.client, "casemate.dev/webhook", "here"),
		0);
	if (!CHECK_ROW("store",
		    key_store_new(&f->store,
			    &(struct key_store_options){.kube = f->api.kube.client,
				    .namespace_ = "casemate",
				    .kek_file = f->api.kek},
			    &err) == 0,
		    "%s", err.message))
		return false;
	return CHECK_ROW("store", keeper_fix_wait(f, is_known), "%s", key_store_problem(f->store));
}

void keeper_fix_stop(struct keeper_fix *f)
{
	keys_keeper_free(f->keeper);
	f->keeper = NULL;
}

void keeper_fix_end(struct keeper_fix *f)
{
	keeper_fix_stop(f);
	kube_lease_free(f->lease);
	key_store_free(f->store);
	kube_event_recorder_free(f->events);
	profile_set_unref(f->profiles);
	keys_api_end(&f->api);
	arena_free(&f->arena);
}

unsigned keeper_fix_version(struct keeper_fix *f, const struct key_owner *o, const char *key)
{
	_cleanup_record_ struct key_record rec = {0};
	const struct key_entry *e;

	if (key_store_read(f->store, o, &rec, NULL) < 0)
		return 0;
	e = key_record_find(&rec, key);
	return e && e->n ? e->v[0].version : 0;
}

bool keeper_fix_status_has(struct keeper_fix *f, const char *text)
{
	bool has;

	pthread_mutex_lock(&f->api.lock);
	has = strstr(f->api.keys, text);
	pthread_mutex_unlock(&f->api.lock);
	return has;
}

static void on_written(void *ctx, int r, const struct error *err)
{
	CHECK_ROW("store", r == 0, "%s", err->message);
	*(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
	return *(bool *)ctx;
}

void keeper_fix_store(struct keeper_fix *f, const struct key_record *rec)
{
	struct error err = {0};
	bool done = false;

	if (CHECK_ROW("store", key_store_write(f->store, rec, on_written, &done, &err) == 0, "%s",
		    err.message))
		CU_ASSERT_TRUE(kube_fix_wait(&f->api.kube, is_set, &done));
	keeper_fix_forget_log(f);
}

void keeper_fix_seed(struct keeper_fix *f, int64_t age_sec, int64_t deleted_ago_sec)
{
	_cleanup_record_ struct key_record rec = {0};
	int64_t now = clock_unix_usec() / USEC_PER_SEC;
	struct error err = {0};

	if (key_record_new(&rec, &keeper_fix_owner, &err) < 0 ||
		key_record_add_version(&rec, key_record_add(&rec, "a"), KEY_PASSWORD, 16,
			now - age_sec, SPAN_LIT("0123456789abcdef"), key_store_keks(f->store),
			&err) < 0) {
		CHECK_ROW("seed", false, "%s", err.message);
		return;
	}
	rec.deleted_sec = deleted_ago_sec ? now - deleted_ago_sec : 0;
	keeper_fix_store(f, &rec);
}

bool keeper_fix_begin_with(struct keeper_fix *f, int64_t key_age_sec, int64_t retention_sec)
{
	if (!keeper_fix_begin(f))
		return false;
	keeper_fix_seed(f, key_age_sec, 0);
	return keeper_fix_start(f, retention_sec);
}
