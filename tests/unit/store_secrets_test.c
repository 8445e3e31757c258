/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in Secrets, and the key-encryption key in one, against an API server that keeps them. */
#include "webhook/broker/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/keys_api.h"
#include "tests/unit/test.h"

#define KEK_SECRET "casemate-insecure-kek"
/* Lines of a key-encryption key, and these in base64 once more. */
#define KEK_A    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEK_B    "HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4="
#define KEK_C    "HhAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4="
#define POSTS    "POST secrets\n"
#define PUTS     "PUT secrets\n"
#define LONG_AGO 1000

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};

enum { REPLICAS = 2 };

struct fix {
	struct keys_api api;
	struct key_store *stores[REPLICAS];
	unsigned changes[REPLICAS];
	char name[KEY_RECORD_NAME_MAX]; /* of the record */
};

static void on_change(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static bool open_store(struct fix *f, size_t i, bool kek_in_secret)
{
	const struct key_store_options o = {.kube = f->api.kube.client,
		.namespace_ = "casemate",
		.kek_file = kek_in_secret ? "" : f->api.kek,
		.insecure_kek_in_secret = kek_in_secret};
	struct error err = {0};

	if (!CHECK_ROW("open", key_store_new(&f->stores[i], &o, &err) == 0, "%s", err.message))
		return false;
	key_store_listen(f->stores[i], on_change, &f->changes[i]);
	return true;
}

static bool are_known(void *ctx)
{
	struct fix *f = ctx;

	for (size_t i = 0; i < REPLICAS; i++)
		if (f->stores[i] && *key_store_problem(f->stores[i]))
			return false;
	return true;
}

/* Two replicas that know what is stored. */
static bool begin(struct fix *f, bool kek_in_secret)
{
	*f = (struct fix){0};
	if (!keys_api_begin(&f->api))
		return false;
	for (size_t i = 0; i < REPLICAS; i++)
		if (!open_store(f, i, kek_in_secret))
			return false;
	return CHECK_ROW("known", kube_fix_wait(&f->api.kube, are_known, f), "%s",
		key_store_problem(f->stores[0]));
}

static void end(struct fix *f)
{
	for (size_t i = 0; i < REPLICAS; i++)
		key_store_free(f->stores[i]);
	keys_api_end(&f->api);
}

static bool wait_for(struct fix *f, bool (*until)(void *ctx))
{
	return kube_fix_wait(&f->api.kube, until, f);
}

struct outcome {
	bool done;
	int r;
	char message[512];
};

static void on_written(void *ctx, int r, const struct error *err)
{
	struct outcome *o = ctx;

	o->done = true;
	o->r = r;
	snprintf(o->message, sizeof(o->message), "%s", r < 0 ? err->message : "");
}

static bool is_done(void *ctx)
{
	return ((struct outcome *)ctx)->done;
}

static struct outcome write_record(
	struct fix *f, size_t i, const struct key_record *rec, bool remove)
{
	struct outcome o = {0};
	struct error err = {0};
	int r = remove ? key_store_remove(f->stores[i], rec, on_written, &o, &err)
		       : key_store_write(f->stores[i], rec, on_written, &o, &err);

	if (CHECK_ROW("write", r == 0, "%s", err.message))
		CHECK_ROW("write", kube_fix_wait(&f->api.kube, is_done, &o), "no answer");
	return o;
}

/* Reads the record, or begins one. */
static bool read_record(struct fix *f, size_t i, struct key_record *rec)
{
	struct error err = {0};
	int r = key_store_read(f->stores[i], &owner, rec, &err);

	if (r == -ENOENT)
		r = key_record_new(rec, &owner, &err);
	return CHECK_ROW("read", r == 0, "%s", err.message);
}

static bool add_version(struct fix *f, size_t i, struct key_record *rec, const char *value)
{
	struct key_entry *e = key_record_find(rec, "db");
	struct error err = {0};

	if (!e)
		e = key_record_add(rec, "db");
	return CHECK_ROW(value,
		key_record_add_version(rec, e, KEY_PASSWORD, 8, LONG_AGO, span_str(value),
			key_store_keks(f->stores[i]), &err) == 0,
		"%s", err.message);
}

/* Adds a version through one of the replicas. */
static struct outcome put(struct fix *f, size_t i, const char *value)
{
	_cleanup_record_ struct key_record rec = {0};
	struct outcome o = {.r = 1};

	if (read_record(f, i, &rec) && add_version(f, i, &rec, value))
		o = write_record(f, i, &rec, false);
	return o;
}

struct fetched {
	enum reason reason;
	unsigned version;
	char key[64], message[512];
};

static void on_fetched(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *err)
{
	struct fetched *got = ctx;

	got->reason = reason;
	got->version = version;
	snprintf(got->key, sizeof(got->key), "%s", key ? key->p : "");
	snprintf(got->message, sizeof(got->message), "%s", err->message);
}

static struct fetched fetch(struct fix *f, size_t i)
{
	struct fetched got = {0};

	CU_ASSERT_EQUAL(key_store_fetch(f->stores[i], &owner, "db", 0, on_fetched, &got, NULL), 0);
	return got;
}

static bool other_has_second(void *ctx)
{
	return fetch(ctx, 1).version == 2;
}

static bool other_has_none(void *ctx)
{
	return fetch(ctx, 1).reason == REASON_KeyNotFound;
}

/* What one replica stores the other serves. */
static void test_shared(void)
{
	_cleanup_record_ struct key_record rec = {0};
	struct outcome o;
	struct fix f;

	if (!begin(&f, false))
		return;
	CU_ASSERT_EQUAL(fetch(&f, 0).reason, REASON_KeyNotFound);
	CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
	CHECK_STR("at once", span_str(fetch(&f, 0).key), "first");
	CU_ASSERT_EQUAL(put(&f, 0, "second").r, 0);
	CU_ASSERT_TRUE(wait_for(&f, other_has_second));
	CHECK_STR("the other", span_str(fetch(&f, 1).key), "second");
	CU_ASSERT_TRUE(f.changes[1] >= 2);
	CU_ASSERT_EQUAL(keys_api_count(&f.api, POSTS), 1);
	CU_ASSERT_EQUAL(keys_api_count(&f.api, PUTS), 1);
	if (read_record(&f, 0, &rec)) {
		o = write_record(&f, 0, &rec, true);
		CHECK_ROW("removed", o.r == 0, "%s", o.message);
	}
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 0);
	CU_ASSERT_TRUE(wait_for(&f, other_has_none));
	end(&f);
}

/* Who is slower learns it, whether the Secret is new or not, and changes nothing. */
static void test_faster(void)
{
	_cleanup_record_ struct key_record fresh = {0}, stale = {0};
	struct outcome o;
	struct fix f;

	if (!begin(&f, false))
		return;
	if (read_record(&f, 1, &fresh) && add_version(&f, 1, &fresh, "slow") &&
		put(&f, 0, "first").r == 0) {
		o = write_record(&f, 1, &fresh, false);
		CHECK_ROW("new", o.r == -EEXIST, "%d: %s", o.r, o.message);
	}
	if (read_record(&f, 0, &stale) && add_version(&f, 0, &stale, "slow") &&
		put(&f, 0, "second").r == 0) {
		o = write_record(&f, 0, &stale, false);
		CHECK_ROW("changed", o.r == -EEXIST, "%d: %s", o.r, o.message);
		o = write_record(&f, 0, &stale, true);
		CHECK_ROW("removed", o.r == -EEXIST, "%d: %s", o.r, o.message);
	}
	CU_ASSERT_TRUE(wait_for(&f, other_has_second));
	CHECK_STR("stays", span_str(fetch(&f, 1).key), "second");
	end(&f);
}

/* A write that is refused says why, and what was known stays known. */
static void test_refused(void)
{
	static const struct {
		unsigned status;
		int want;
		const char *message;
	} rows[] = {
		{403, -EACCES, "not today"},
		{409, -EEXIST, "try again"},
		{422, -EIO, "not today"},
		{500, -EIO, "not today"},
	};
	struct fix f;

	if (!begin(&f, false))
		return;
	CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o;

		pthread_mutex_lock(&f.api.lock);
		f.api.refusal = rows[i].status;
		pthread_mutex_unlock(&f.api.lock);
		o = put(&f, 0, "second");
		CHECK_ROW(rows[i].message,
			o.r == rows[i].want && strstr(o.message, rows[i].message), "%u: %d: %s",
			rows[i].status, o.r, o.message);
		CHECK_STR("stays", span_str(fetch(&f, 0).key), "first");
	}
	end(&f);
}

static bool other_is_refused(void *ctx)
{
	return fetch(ctx, 1).reason == REASON_StoreUnavailable;
}

/* A Secret that is not what was written is a refusal, and nobody writes over it as if it were
 * none. */
static void test_corrupt(void)
{
	static const char *const rows[] = {
		"{\"record\":\"%%%\"}",
		"{\"record\":\"\"}",
		"{\"record\":\"AAAA\"}",
		"{\"record\":7}",
		"{\"other\":\"AAAA\"}",
		"{}",
		"null",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_record_ struct key_record rec = {0};
		char name[KEY_RECORD_NAME_MAX];
		struct error err = {0};
		struct fix f;
		int r;

		if (!begin(&f, false))
			return;
		key_record_name(name, &owner);
		CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
		keys_api_put(&f.api, name, rows[i], true);
		CHECK_ROW(rows[i], wait_for(&f, other_is_refused), "%s", fetch(&f, 1).message);
		CHECK_ROW(rows[i], strstr(fetch(&f, 1).message, name), "%s", fetch(&f, 1).message);
		r = key_store_read(f.stores[1], &owner, &rec, &err);
		CHECK_ROW(rows[i], r == -EBADMSG, "%d: %s", r, err.message);
		end(&f);
	}
}

/* Nothing is known before the first list; what is known stays while the API server is away, and
 * what changed meanwhile is found. */
static void test_away(void)
{
	_cleanup_record_ struct key_record rec = {0};
	struct fix f = {0};
	struct outcome o;
	char name[KEY_RECORD_NAME_MAX];
	int r;

	if (!keys_api_begin(&f.api))
		return;
	keys_api_away(&f.api, true);
	if (!open_store(&f, 0, false) || !open_store(&f, 1, false))
		return;
	CU_ASSERT_TRUE(*key_store_problem(f.stores[0]));
	r = key_store_read(f.stores[0], &owner, &rec, NULL);
	CHECK_ROW("not known", r == -EAGAIN, "%d", r);
	CU_ASSERT_EQUAL(key_store_each(f.stores[0], NULL, NULL, NULL), -EAGAIN);
	CU_ASSERT_EQUAL(fetch(&f, 0).reason, REASON_StoreUnavailable);
	keys_api_away(&f.api, false);
	CHECK_ROW("back", wait_for(&f, are_known), "%s", key_store_problem(f.stores[0]));
	CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
	CU_ASSERT_EQUAL(put(&f, 0, "second").r, 0);
	CU_ASSERT_TRUE(wait_for(&f, other_has_second));
	keys_api_away(&f.api, true);
	o = put(&f, 0, "third");
	CHECK_ROW("away", o.r == -EIO, "%d: %s", o.r, o.message);
	CHECK_STR("away", span_str(fetch(&f, 1).key), "second");
	key_record_name(name, &owner);
	keys_api_remove(&f.api, name);
	keys_api_away(&f.api, false);
	CHECK_ROW("removed meanwhile", wait_for(&f, other_has_none), "%s", fetch(&f, 1).key);
	end(&f);
}

/* --- the key-encryption key --- */

static const char *first_kek(struct fix *f, size_t i)
{
	const struct kek_ring *keks = key_store_keks(f->stores[i]);

	return keks && keks->n ? keks->v[0].id : "";
}

/* Made once, and both have it, whoever is first. */
static void test_kek_made(void)
{
	struct fix f;

	if (!begin(&f, true))
		return;
	CU_ASSERT_TRUE(*first_kek(&f, 0));
	CHECK_STR("the other's", span_str(first_kek(&f, 0)), first_kek(&f, 1));
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 1);
	CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
	CU_ASSERT_EQUAL(put(&f, 0, "second").r, 0);
	CU_ASSERT_TRUE(wait_for(&f, other_has_second));
	/* One that comes later makes none. */
	key_store_free(f.stores[1]);
	f.stores[1] = NULL;
	pthread_mutex_lock(&f.api.lock);
	f.api.log[0] = '\0';
	pthread_mutex_unlock(&f.api.lock);
	if (open_store(&f, 1, true) && wait_for(&f, are_known))
		CHECK_STR("later", span_str(first_kek(&f, 0)), first_kek(&f, 1));
	CHECK_STR("later", span_str(f.api.log), "");
	end(&f);
}

/* {"kek": base64 of lines}, for free(). */
static char *kek_data(const char *lines)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1024);

	buf_puts(&b, "{\"kek\":\"");
	buf_base64(&b, lines, strlen(lines));
	buf_puts(&b, "\"}");
	return TAKE_PTR(b.p);
}

static void put_kek(struct fix *f, const char *lines)
{
	_cleanup_free_ char *data = kek_data(lines);

	keys_api_put(&f->api, KEK_SECRET, data, false);
}

struct waiting {
	struct fix *f;
	size_t n;
	char last[KEK_ID_MAX];
};

static bool has_keks(void *ctx)
{
	const struct waiting *w = ctx;
	const struct kek_ring *keks = key_store_keks(w->f->stores[0]);

	return keks && keks->n == w->n && strcmp(keks->v[keks->n - 1].id, w->last) == 0;
}

/* Whatever line of it changes is taken up. */
static void test_kek_replaced(void)
{
	static const struct {
		const char *name, *lines, *last;
		size_t n;
	} rows[] = {
		{"the first", KEK_A "\n", KEK_A, 1},
		{"one in front", KEK_B "\n" KEK_A "\n", KEK_A, 2},
		{"another behind", KEK_B "\n" KEK_C "\n", KEK_C, 2},
		{"the old one gone", KEK_B "\n", KEK_B, 1},
	};
	struct fix f = {0};

	if (!keys_api_begin(&f.api))
		return;
	put_kek(&f, rows[0].lines);
	if (!open_store(&f, 0, true))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_keks_ struct kek_ring last = {0};
		struct waiting w = {.f = &f, .n = rows[i].n};

		CU_ASSERT_EQUAL(kek_ring_parse(&last, span_str(rows[i].last), NULL), 0);
		snprintf(w.last, sizeof(w.last), "%s", last.v[0].id);
		put_kek(&f, rows[i].lines);
		CHECK_ROW(rows[i].name, kube_fix_wait(&f.api.kube, has_keks, &w), "%s",
			key_store_problem(f.stores[0]));
	}
	CHECK_STR("written by us", span_str(f.api.log), "");
	end(&f);
}

static bool has_problem(void *ctx)
{
	return *key_store_problem(((struct fix *)ctx)->stores[0]);
}

static bool is_gone(void *ctx)
{
	return strstr(key_store_problem(((struct fix *)ctx)->stores[0]), "is gone");
}

/* Damaged, it is said and stays as it is; what was known goes on. Nor is it made anew when it is
 * deleted. */
static void test_kek_damaged(void)
{
	static const char *const rows[] = {
		"{\"kek\":\"%%%\"}", "{\"kek\":\"\"}", "{\"kek\":\"AAAA\"}", "{\"kek\":7}"};
	_cleanup_record_ struct key_record rec = {0};
	struct error err = {0};
	char id[KEK_ID_MAX];
	struct fix f;
	int r;

	if (!begin(&f, true))
		return;
	CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
	snprintf(id, sizeof(id), "%s", first_kek(&f, 0));
	pthread_mutex_lock(&f.api.lock);
	f.api.log[0] = '\0';
	pthread_mutex_unlock(&f.api.lock);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		keys_api_put(&f.api, KEK_SECRET, rows[i], false);
		CHECK_ROW(rows[i], wait_for(&f, has_problem), "no problem");
		CHECK_STR(rows[i], span_str(first_kek(&f, 0)), id);
		CHECK_STR(rows[i], span_str(fetch(&f, 0).key), "first");
	}
	keys_api_remove(&f.api, KEK_SECRET);
	CHECK_ROW("deleted", wait_for(&f, is_gone), "%s", key_store_problem(f.stores[0]));
	CHECK_STR("deleted", span_str(first_kek(&f, 0)), id);
	CHECK_STR("deleted", span_str(fetch(&f, 0).key), "first");
	/* What would be under it would be lost with the last broker that knows it. */
	if (read_record(&f, 0, &rec) && add_version(&f, 0, &rec, "second")) {
		r = key_store_write(f.stores[0], &rec, on_written, NULL, &err);
		CHECK_ROW("write", r == -ENOKEY, "%d: %s", r, err.message);
	}
	CHECK_STR("written", span_str(f.api.log), "");
	end(&f);
}

static void reopen(struct fix *f)
{
	for (size_t i = 0; i < REPLICAS; i++) {
		key_store_free(f->stores[i]);
		f->stores[i] = NULL;
		open_store(f, i, true);
	}
}

/* Deleted while keys are under it, none is made in its place: it is said what to do, and when it is
 * restored the keys are there. */
static void test_kek_lost(void)
{
	_cleanup_free_ char *kept = NULL;
	struct fetched got;
	struct fix f;

	if (!begin(&f, true))
		return;
	CU_ASSERT_EQUAL(put(&f, 0, "first").r, 0);
	kept = keys_api_data(&f.api, KEK_SECRET);
	keys_api_remove(&f.api, KEK_SECRET);
	reopen(&f);
	CHECK_ROW("gone", wait_for(&f, is_gone), "%s", key_store_problem(f.stores[0]));
	got = fetch(&f, 0);
	CHECK_ROW("refused",
		got.reason == REASON_StoreUnavailable && strstr(got.message, "restore it"), "%d %s",
		got.reason, got.message);
	CU_ASSERT_PTR_NULL(key_store_keks(f.stores[0]));
	kube_fix_linger(&f.api.kube, USEC_PER_SEC);
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 1);
	keys_api_put(&f.api, KEK_SECRET, kept, false);
	CHECK_ROW("restored", wait_for(&f, are_known), "%s", key_store_problem(f.stores[0]));
	CHECK_STR("restored", span_str(fetch(&f, 0).key), "first");
	/* Without keys it may be made. */
	keys_api_remove(&f.api, KEK_SECRET);
	reopen(&f);
	CHECK_ROW("gone again", wait_for(&f, is_gone), "%s", key_store_problem(f.stores[0]));
	key_record_name(f.name, &owner);
	keys_api_remove(&f.api, f.name);
	CHECK_ROW("nothing is lost", wait_for(&f, are_known), "%s", key_store_problem(f.stores[0]));
	end(&f);
}

CU_TestInfo store_secrets_tests[] = {
	{"replicas share", test_shared},
	{"another was faster", test_faster},
	{"refused", test_refused},
	{"corrupt", test_corrupt},
	{"the API server is away", test_away},
	{"key-encryption key: made", test_kek_made},
	{"key-encryption key: replaced", test_kek_replaced},
	{"key-encryption key: damaged", test_kek_damaged},
	{"key-encryption key: lost", test_kek_lost},
	CU_TEST_INFO_NULL,
};
