/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper of keys against an API server that keeps Secrets and a profile. */
#include "webhook/broker/keys_keeper.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/keeper_fix.h"
#include "tests/unit/test.h"

#define POST    "POST secrets\n"
#define PUT     "PUT secrets\n"
#define DELETE  "DELETE secrets\n"
#define STATUS  "PATCH status\n"
#define PROFILE "PATCH profile\n"
#define HOUR    ((int64_t)3600)
#define KEY_A   "{'name':'a','type':'password','size':16}"
#define KEY_B   "{'name':'b','type':'symmetric','size':32}"
#define ROTATED                                                                                    \
	"{'name':'a','type':'password','size':16,'rotation':{'every':'1h','keepVersions':2}}"
#define RAW "{'name':'r','type':'raw'}"

/* --- what is looked for --- */

static bool is_ready(struct keeper_fix *f)
{
	return keys_api_says(&f->api, "\"status\":\"True\"");
}

static bool is_not_ready(struct keeper_fix *f)
{
	return keys_api_says(&f->api, "\"status\":\"False\"");
}

static bool is_gone(struct keeper_fix *f)
{
	unsigned version;
	_cleanup_free_ char *text = keys_api_profile_text(&f->api, &version);

	return !text;
}

static bool is_empty(struct keeper_fix *f)
{
	return keys_api_secrets(&f->api) == 0;
}

static bool is_second(struct keeper_fix *f)
{
	return keeper_fix_version(f, &keeper_fix_owner, "a") == 2;
}

static bool was_posted(struct keeper_fix *f)
{
	return keys_api_count(&f->api, POST) > 0;
}

static bool was_released(struct keeper_fix *f)
{
	return keeper_fix_status_has(f, "\"releases\":2");
}

static bool has_event(struct keeper_fix *f)
{
	bool has;

	pthread_mutex_lock(&f->api.lock);
	has = strstr(f->api.event, "KeyRotated");
	pthread_mutex_unlock(&f->api.lock);
	return has;
}

static bool has_none(struct keeper_fix *f)
{
	return keeper_fix_version(f, &keeper_fix_owner, "a") == 0;
}

static bool exposes(struct keeper_fix *f, const char *sample)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

	metrics_expose(f->api.kube.metrics, METRICS_TEXT, &text);
	buf_putc(&text, '\0');
	return text.p && strstr(text.p, sample);
}

static bool one_is_overdue(struct keeper_fix *f)
{
	return exposes(f, "\ncasemate_webhook_keys_rotation_overdue 1\n");
}

static bool none_is_overdue(struct keeper_fix *f)
{
	return exposes(f, "\ncasemate_webhook_keys_rotation_overdue 0\n");
}

/* --- tests --- */

/* The finalizer, then the Secret, then the status; and then nothing more. */
static void test_made(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin(&f) || !keeper_fix_start(&f, HOUR))
		return;
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "," KEY_B "]");
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s\n%s", f.api.log, f.api.conditions);
	keeper_fix_linger(&f);
	CHECK_STR("requests", span_str(f.api.log), PROFILE POST STATUS);
	CHECK_STR("finalizers", span_str(f.api.finalizers), "[\"casemate.dev/keys\"]");
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "a"), 1);
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "b"), 1);
	CU_ASSERT_TRUE(keeper_fix_status_has(&f, "\"name\":\"b\",\"version\":1"));
	CU_ASSERT_TRUE(keys_api_says(&f.api, "\"reason\":\"Ok\""));
	/* Nor does a look, or a keeper that comes anew, write anything. */
	keeper_fix_forget_log(&f);
	keys_keeper_look(f.keeper);
	keeper_fix_linger(&f);
	keeper_fix_stop(&f);
	if (keeper_fix_start(&f, HOUR))
		keeper_fix_linger(&f);
	CHECK_STR("requests", span_str(f.api.log), "");
	keeper_fix_end(&f);
}

/* A key that the profile names later is made beside the others. */
static void test_added(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin_with(&f, HOUR, HOUR))
		return;
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "," KEY_B "]");
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
	CHECK_STR("requests", span_str(f.api.log), PROFILE PUT STATUS);
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "a"), 1);
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "b"), 1);
	keeper_fix_end(&f);
}

/* Another replica made it, and the watch has not said so yet: what that one made stays, and ours
 * does not make keys over and over. */
static void test_conflict(void)
{
	_cleanup_free_ char *data = NULL;
	char name[KEY_RECORD_NAME_MAX];
	struct keeper_fix f;

	if (!keeper_fix_begin(&f))
		return;
	keeper_fix_seed(&f, HOUR, 0);
	key_record_name(name, &keeper_fix_owner);
	data = keys_api_data(&f.api, name);
	keys_api_remove(&f.api, name);
	if (!keeper_fix_wait(&f, has_none) || !keeper_fix_start(&f, HOUR))
		return;
	pthread_mutex_lock(&f.api.lock);
	f.api.deaf = true;
	pthread_mutex_unlock(&f.api.lock);
	keys_api_put(&f.api, name, data, true);
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "]");
	CU_ASSERT_TRUE(keeper_fix_wait(&f, was_posted));
	keeper_fix_linger(&f);
	keeper_fix_linger(&f);
	CHECK_ROW("tries", keys_api_count(&f.api, POST) <= 2, "%s", f.api.log);
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "a"), 0);
	pthread_mutex_lock(&f.api.lock);
	f.api.deaf = false;
	pthread_mutex_unlock(&f.api.lock);
	keys_api_put(&f.api, name, data, true);
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
	CU_ASSERT_EQUAL(keys_api_count(&f.api, PUT), 0);
	CU_ASSERT_TRUE(keeper_fix_status_has(&f, "\"version\":1"));
	keeper_fix_end(&f);
}

/* Due, it is rotated once, and said; not due, nothing is written. */
static void test_rotated(void)
{
	static const struct {
		const char *name;
		int64_t age_sec;
		unsigned want;
		const char *log;
	} rows[] = {
		{"due", 2 * HOUR, 2, PROFILE PUT},
		{"not yet", HOUR / 2, 1, PROFILE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct keeper_fix f;

		if (!keeper_fix_begin_with(&f, rows[i].age_sec, HOUR))
			return;
		keys_api_profile(&f.api, "uid-1", "[" ROTATED "]");
		CHECK_ROW(rows[i].name, keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
		if (rows[i].want == 2)
			CHECK_ROW(rows[i].name, keeper_fix_wait(&f, has_event), "%s", f.api.log);
		keeper_fix_linger(&f);
		CHECK_ROW(rows[i].name,
			keeper_fix_version(&f, &keeper_fix_owner, "a") == rows[i].want, "%u",
			keeper_fix_version(&f, &keeper_fix_owner, "a"));
		CHECK_ROW(rows[i].name, strncmp(f.api.log, rows[i].log, strlen(rows[i].log)) == 0,
			"%s", f.api.log);
		CHECK_ROW(rows[i].name, keys_api_count(&f.api, PUT) == rows[i].want - 1, "%s",
			f.api.log);
		CU_ASSERT_EQUAL(keys_api_count(&f.api, STATUS), 1);
		keeper_fix_end(&f);
	}
}

/* Releases are counted into the status, at most once a minute. */
static void test_released(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin_with(&f, HOUR, HOUR))
		return;
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "]");
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
	keeper_fix_linger(&f);
	keeper_fix_forget_log(&f);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000000);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000001);
	keys_keeper_look(f.keeper);
	CHECK_ROW("counted", keeper_fix_wait(&f, was_released), "%s", f.api.keys);
	CU_ASSERT_TRUE(keeper_fix_status_has(&f, "\"lastReleasedAt\":\"2027-01-15T08:00:01Z\""));
	keeper_fix_linger(&f);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000002);
	keys_keeper_look(f.keeper);
	keeper_fix_linger(&f);
	CHECK_STR("requests", span_str(f.api.log), STATUS);
	CU_ASSERT_TRUE(was_released(&f));
	keeper_fix_end(&f);
}

/* Another replica released it later, and more than we did. */
static void test_released_elsewhere(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin_with(&f, HOUR, HOUR))
		return;
	pthread_mutex_lock(&f.api.lock);
	strcpy(f.api.keys, "[{\"name\":\"a\",\"version\":1,\"releases\":1,"
			   "\"lastReleasedAt\":\"2027-01-15T08:00:05Z\"}]");
	pthread_mutex_unlock(&f.api.lock);
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "]");
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000001);
	keys_keeper_look(f.keeper);
	CHECK_ROW("counted", keeper_fix_wait(&f, was_released), "%s", f.api.keys);
	CHECK_ROW("later", keeper_fix_status_has(&f, "\"lastReleasedAt\":\"2027-01-15T08:00:05Z\""),
		"%s", f.api.keys);
	keeper_fix_end(&f);
}

/* Profiles that came and went leave room for those that are there. */
static void test_many_released(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin_with(&f, HOUR, HOUR))
		return;
	for (int i = 0; i < 10000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "gone-%d", i);
		keys_keeper_released(f.keeper, "shop", name, "a", 1800000000);
	}
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "]");
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000000);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000001);
	keys_keeper_look(f.keeper);
	CHECK_ROW("counted", keeper_fix_wait(&f, was_released), "%s", f.api.keys);
	keeper_fix_end(&f);
}

/* A record with 11 imported keys that fill it but for some bytes. */
static void seed_full(struct keeper_fix *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
	_cleanup_free_ char *bytes = calloc(1, 48000);
	_cleanup_record_ struct key_record rec = {0};
	struct error err = {0};
	size_t left;
	int r = key_record_new(&rec, &keeper_fix_owner, &err);

	for (int i = 0; i < 11 && r == 0; i++) {
		char name[8];

		snprintf(name, sizeof(name), "r%d", i);
		r = key_record_add_version(&rec, key_record_add(&rec, name), KEY_RAW, 48000, 1,
			(struct span){bytes, 48000}, key_store_keks(f->store), &err);
	}
	if (r == 0)
		r = key_record_write(&text, &rec, key_store_keks(f->store), &err);
	/* Of 200 bytes its own description takes most, and another key's more than what is left. */
	left = KEY_RECORD_BYTES_MAX - strlen(text.p ? strchr(text.p, '\n') : "") - 200;
	if (r == 0)
		r = key_record_add_version(&rec, key_record_add(&rec, "last"), KEY_RAW,
			(unsigned)(left / 4 * 3 - WRAP_TAG), 1,
			(struct span){bytes, left / 4 * 3 - WRAP_TAG}, key_store_keks(f->store),
			&err);
	if (CHECK_ROW("full", r == 0, "%s", err.message))
		keeper_fix_store(f, &rec);
}

/* What cannot be stored is said, and what is stored stays. */
static void test_too_large(void)
{
	struct keeper_fix f;
	char keys[2048] = "[{'name':'a','type':'password','size':16},{'name':'last','type':'raw'}";

	if (!keeper_fix_begin(&f))
		return;
	seed_full(&f);
	if (!keeper_fix_start(&f, HOUR))
		return;
	for (int i = 0; i < 11; i++)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys),
			",{'name':'r%d','type':'raw'}", i);
	strcat(keys, "]");
	keys_api_profile(&f.api, "uid-1", keys);
	CHECK_ROW("too large", keeper_fix_wait(&f, is_not_ready), "%s", f.api.log);
	CHECK_ROW(
		"too large", keys_api_says(&f.api, "keep fewer versions"), "%s", f.api.conditions);
	CHECK_STR("requests", span_str(f.api.log), PROFILE STATUS);
	keeper_fix_end(&f);
}

/* What is missing is named; nothing is made in its place. */
static void test_missing(void)
{
	static const struct {
		const char *name, *keys, *status, *reason, *message;
	} rows[] = {
		{"not imported", "[" RAW "]", "[]", "KeyNotFound",
			"to be imported (casemate-webhook key import): r"},
		{"lost", "[" KEY_A "]",
			"[{\"name\":\"a\",\"version\":3,\"rotatedAt\":\"2026-01-01T00:00:00Z\","
			"\"releases\":7}]",
			"KeyNotFound", "no longer stored: a; restore a backup"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct keeper_fix f;

		if (!keeper_fix_begin(&f) || !keeper_fix_start(&f, HOUR))
			return;
		pthread_mutex_lock(&f.api.lock);
		snprintf(f.api.keys, sizeof(f.api.keys), "%s", rows[i].status);
		pthread_mutex_unlock(&f.api.lock);
		keys_api_profile(&f.api, "uid-1", rows[i].keys);
		CHECK_ROW(rows[i].name, keeper_fix_wait(&f, is_not_ready), "%s", f.api.conditions);
		keeper_fix_linger(&f);
		CHECK_ROW(rows[i].name,
			keys_api_says(&f.api, rows[i].reason) &&
				keys_api_says(&f.api, rows[i].message),
			"%s", f.api.conditions);
		CHECK_STR(rows[i].name, span_str(f.api.log), PROFILE STATUS);
		CHECK_STR(rows[i].name, span_str(f.api.keys), rows[i].status);
		keeper_fix_end(&f);
	}
}

static bool is_corrupt(struct keeper_fix *f)
{
	_cleanup_record_ struct key_record rec = {0};

	return key_store_read(f->store, &keeper_fix_owner, &rec, NULL) == -EBADMSG;
}

/* A Secret that is not what was written is said to be so, and stays. */
static void test_corrupt(void)
{
	static const char *const rows[] = {"{\"record\":\"AAAA\"}", "{\"record\":\"%\"}", "{}"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[KEY_RECORD_NAME_MAX];
		struct keeper_fix f;

		if (!keeper_fix_begin(&f))
			return;
		key_record_name(name, &keeper_fix_owner);
		keys_api_put(&f.api, name, rows[i], true);
		if (!keeper_fix_wait(&f, is_corrupt) || !keeper_fix_start(&f, 0))
			return;
		keys_api_profile(&f.api, "uid-1", "[" ROTATED "," KEY_B "]");
		CHECK_ROW(rows[i], keeper_fix_wait(&f, is_not_ready), "%s", f.api.conditions);
		keeper_fix_linger(&f);
		CHECK_ROW(rows[i],
			keys_api_says(&f.api, "StoreUnavailable") && keys_api_says(&f.api, name),
			"%s", f.api.conditions);
		CHECK_STR(rows[i], span_str(f.api.log), STATUS);
		CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 1);
		keeper_fix_end(&f);
	}
}

static const struct key_owner heir = {"shop", "ns-uid", "payments", "uid-2"};

static bool heir_has_one(struct keeper_fix *f)
{
	return keeper_fix_version(f, &heir, "a") == 1;
}

static bool is_put_aside(struct keeper_fix *f)
{
	_cleanup_record_ struct key_record rec = {0};

	return key_store_read(f->store, &keeper_fix_owner, &rec, NULL) == 0 && rec.deleted_sec;
}

/* A profile of the same name that is another one has keys of its own; the old ones are put aside,
 * for nobody. */
static void test_recreated(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin_with(&f, HOUR, HOUR))
		return;
	keys_api_profile(&f.api, "uid-2", "[" KEY_A "]");
	CHECK_ROW("made", keeper_fix_wait(&f, heir_has_one), "%s", f.api.log);
	CHECK_ROW("aside", keeper_fix_wait(&f, is_put_aside), "%s", f.api.log);
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s", f.api.conditions);
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 2);
	keeper_fix_linger(&f);
	CU_ASSERT_EQUAL(keys_api_count(&f.api, DELETE), 0);
	keeper_fix_end(&f);
}

/* A deleted profile goes once its keys are put aside, or at once removed. */
static void test_deleted(void)
{
	static const struct {
		const char *name;
		int64_t retention_sec;
		const char *log;
		size_t left;
	} rows[] = {
		{"kept for a time", HOUR, PUT PROFILE, 1},
		{"kept for none", 0, DELETE PROFILE, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct keeper_fix f;

		if (!keeper_fix_begin_with(&f, HOUR, rows[i].retention_sec))
			return;
		pthread_mutex_lock(&f.api.lock);
		f.api.deleted = true;
		strcpy(f.api.finalizers, "[\"casemate.dev/keys\"]");
		pthread_mutex_unlock(&f.api.lock);
		keys_api_profile(&f.api, "uid-1", "[" ROTATED "]");
		CHECK_ROW(rows[i].name, keeper_fix_wait(&f, is_gone), "%s", f.api.log);
		keeper_fix_linger(&f);
		CHECK_STR(rows[i].name, span_str(f.api.log), rows[i].log);
		CHECK_ROW(rows[i].name, keys_api_secrets(&f.api) == rows[i].left, "%zu",
			keys_api_secrets(&f.api));
		keeper_fix_end(&f);
	}
}

/* What no profile names is put aside, and removed when its time is over. */
static void test_orphan(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin(&f))
		return;
	keeper_fix_seed(&f, 3 * HOUR, 2 * HOUR);
	if (!keeper_fix_start(&f, 3 * HOUR))
		return;
	/* A watch whose list was empty. */
	f.seen = UINT_MAX;
	keeper_fix_refresh(&f);
	keeper_fix_linger(&f);
	CHECK_STR("not yet", span_str(f.api.log), "");
	keys_keeper_retention(f.keeper, HOUR * (int64_t)USEC_PER_SEC);
	CHECK_ROW("over", keeper_fix_wait(&f, is_empty), "%s", f.api.log);
	CHECK_STR("over", span_str(f.api.log), DELETE);
	keeper_fix_end(&f);
}

static void touch(struct keeper_fix *f, int64_t until)
{
	while (!is_ready(f) && clock_monotonic_usec() < until) {
		keeper_fix_refresh(f);
		keys_keeper_look(f->keeper);
		kube_fix_linger(&f->api.kube, 5 * USEC_PER_MSEC);
	}
}

/* Something that changes all the time keeps nobody from having keys. */
static void test_restless(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin(&f) || !keeper_fix_start(&f, HOUR))
		return;
	keys_api_profile(&f.api, "uid-1", "[" KEY_A "]");
	touch(&f, clock_monotonic_usec() + 30 * USEC_PER_SEC);
	CHECK_ROW("ready", is_ready(&f), "%s", f.api.log);
	keeper_fix_end(&f);
}

/* While nobody answers nothing is lost, and afterwards what is due is done. */
static void test_away(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin_with(&f, 2 * HOUR, HOUR))
		return;
	keys_api_profile(&f.api, "uid-1", "[" ROTATED "]");
	keys_api_away(&f.api, true);
	keeper_fix_linger(&f);
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "a"), 1);
	CHECK_ROW("overdue", keeper_fix_wait(&f, one_is_overdue), "%s", f.api.log);
	keys_api_away(&f.api, false);
	keys_keeper_look(f.keeper); /* as the minute would */
	CHECK_ROW("ready", keeper_fix_wait(&f, is_ready), "%s\n%s", f.api.log, f.api.conditions);
	CU_ASSERT_TRUE(is_second(&f));
	CU_ASSERT_EQUAL(keys_api_count(&f.api, PUT), 1);
	CHECK_ROW("no more", keeper_fix_wait(&f, none_is_overdue), "%s", f.api.log);
	CU_ASSERT_TRUE(
		exposes(&f, "\nkbs_resource_writes_total{resource_path=\"shop/payments/a\"} 1\n"));
	keeper_fix_end(&f);
}

/* Who does not lead makes, rotates and removes nothing, but counts what it released. */
static void test_follower(void)
{
	struct keeper_fix f;

	if (!keeper_fix_begin(&f))
		return;
	keeper_fix_seed(&f, 2 * HOUR, 0);
	/* There is no Lease that could be had. */
	CU_ASSERT_EQUAL(kube_lease_new(&f.lease,
				&(struct kube_lease_options){.kube = f.api.kube.client,
					.namespace_ = "casemate",
					.name = "casemate-broker",
					.identity = "here",
					.retry_usec = 5 * USEC_PER_SEC},
				NULL),
		0);
	if (!keeper_fix_start(&f, 0))
		return;
	keys_api_profile(&f.api, "uid-1", "[" ROTATED "," KEY_B "]");
	keeper_fix_linger(&f);
	CU_ASSERT_EQUAL(keys_api_count(&f.api, "secrets"), 0);
	CU_ASSERT_EQUAL(keys_api_count(&f.api, "PATCH"), 0);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000000);
	keys_keeper_released(f.keeper, "shop", "payments", "a", 1800000001);
	keys_keeper_look(f.keeper);
	CHECK_ROW("counted", keeper_fix_wait(&f, was_released), "%s", f.api.log);
	CU_ASSERT_EQUAL(keeper_fix_version(&f, &keeper_fix_owner, "a"), 1);
	keeper_fix_end(&f);
}

CU_TestInfo keys_keeper_tests[] = {
	{"made", test_made},
	{"added", test_added},
	{"another replica made it", test_conflict},
	{"rotated", test_rotated},
	{"released", test_released},
	{"released by another replica later", test_released_elsewhere},
	{"released by many", test_many_released},
	{"too large", test_too_large},
	{"missing", test_missing},
	{"corrupt", test_corrupt},
	{"the profile is another one", test_recreated},
	{"the profile is deleted", test_deleted},
	{"no profile", test_orphan},
	{"changes all the time", test_restless},
	{"the API server is away", test_away},
	{"a follower", test_follower},
	CU_TEST_INFO_NULL,
};
