/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "webhook/broker/deny.h"

#define KEK_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define KEK_B "HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4=\n"

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};

struct fix {
	char dir[64], kek[80], keys[80];
	struct key_store *store;
};

static void open_store(struct fix *f)
{
	struct error err = {0};

	CHECK_ROW("open",
		key_store_new(&f->store,
			&(struct key_store_options){.directory = f->keys, .kek_file = f->kek},
			&err) == 0,
		"%s", err.message);
}

static void write_kek(struct fix *f, const char *text)
{
	write_text(f->kek, text);
	chmod(f->kek, 0600);
}

static bool begin(struct fix *f)
{
	*f = (struct fix){.dir = "/tmp/key-store-XXXXXX"};
	if (!mkdtemp(f->dir))
		return false;
	snprintf(f->kek, sizeof(f->kek), "%s/kek", f->dir);
	snprintf(f->keys, sizeof(f->keys), "%s/keys", f->dir);
	write_kek(f, KEK_A);
	open_store(f);
	return f->store != NULL;
}

static void end(struct fix *f)
{
	char command[128];

	key_store_free(f->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	CU_ASSERT_EQUAL(system(command), 0);
}

struct outcome {
	unsigned calls, version;
	enum reason reason;
	char key[128], message[480];
};

static void on_fetched(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *err)
{
	struct outcome *o = ctx;

	o->calls++;
	o->version = version;
	o->reason = reason;
	snprintf(o->key, sizeof(o->key), "%s", key ? key->p : "");
	snprintf(o->message, sizeof(o->message), "%s", err->message);
}

static struct outcome fetch_of(
	struct fix *f, const struct key_owner *o, const char *key, unsigned version)
{
	struct outcome out = {0};

	CU_ASSERT_EQUAL(key_store_fetch(f->store, o, key, version, on_fetched, &out, NULL), 0);
	CU_ASSERT_EQUAL(out.calls, 1);
	return out;
}

static struct outcome fetch(struct fix *f, const char *key, unsigned version)
{
	return fetch_of(f, &owner, key, version);
}

static void on_written(void *ctx, int r, const struct error *err)
{
	(void)err;
	*(int *)ctx = r;
}

/* Adds a version of a key to what is stored. */
static int put(struct fix *f, const char *key, const char *value)
{
	_cleanup_record_ struct key_record rec = {0};
	struct error err = {0};
	struct key_entry *e;
	int written = 1, r = key_store_read(f->store, &owner, &rec, &err);

	if (r == -ENOENT)
		r = key_record_new(&rec, &owner, &err);
	if (r < 0)
		return r;
	e = key_record_find(&rec, key);
	if (!e)
		e = key_record_add(&rec, key);
	r = key_record_add_version(
		&rec, e, KEY_PASSWORD, 8, 1000, span_str(value), key_store_keks(f->store), &err);
	if (r == 0)
		r = key_store_write(f->store, &rec, on_written, &written, &err);
	CHECK_ROW(key, r == 0, "%s", err.message);
	return r < 0 ? r : written;
}

static void test_round(void)
{
	struct fix f;
	struct outcome o;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(fetch(&f, "db", 0).reason, REASON_KeyNotFound);
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	CU_ASSERT_EQUAL(put(&f, "db", "second"), 0);
	CU_ASSERT_EQUAL(put(&f, "other", "third"), 0);
	o = fetch(&f, "db", 0);
	CHECK_STR("newest", span_str(o.key), "second");
	CU_ASSERT_EQUAL(o.version, 2);
	o = fetch(&f, "db", 1);
	CHECK_STR("by version", span_str(o.key), "first");
	CU_ASSERT_EQUAL(fetch(&f, "db", 3).reason, REASON_KeyNotFound);
	CU_ASSERT_EQUAL(fetch(&f, "none", 0).reason, REASON_KeyNotFound);
	key_store_free(f.store);
	open_store(&f);
	CHECK_STR("after a restart", span_str(fetch(&f, "other", 0).key), "third");
	end(&f);
}

/* Namespace or profile made anew under the old name. */
static void test_owner(void)
{
	const struct key_owner others[] = {
		{"shop", "ns-uid", "payments", "another"},
		{"shop", "another", "payments", "profile-uid"},
		{"shop-payments", "ns-uid", "x", "profile-uid"},
		{"shop", "", "payments", ""},
	};
	struct fix f;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "mine"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CU_ASSERT_EQUAL(fetch_of(&f, &others[i], "db", 0).reason, REASON_KeyNotFound);
	end(&f);
}

/* The record under another owner's name is none of his. */
static void test_moved(void)
{
	const struct key_owner thief = {"shop", "ns-uid", "payments", "another"};
	char from[KEY_RECORD_NAME_MAX], to[KEY_RECORD_NAME_MAX], command[1024];
	struct fix f;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "mine"), 0);
	key_record_name(from, &owner);
	key_record_name(to, &thief);
	snprintf(command, sizeof(command), "cp %s/%s.keys %s/%s.keys", f.keys, from, f.keys, to);
	CU_ASSERT_EQUAL(system(command), 0);
	CU_ASSERT_EQUAL(fetch_of(&f, &thief, "db", 0).reason, REASON_StoreUnavailable);
	end(&f);
}

static void test_conflict(void)
{
	_cleanup_record_ struct key_record rec = {0};
	struct fix f;
	int written = 1;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	CU_ASSERT_EQUAL(key_store_read(f.store, &owner, &rec, NULL), 0);
	CU_ASSERT_EQUAL(put(&f, "db", "second"), 0);
	CU_ASSERT_EQUAL(key_store_write(f.store, &rec, on_written, &written, NULL), 0);
	CU_ASSERT_EQUAL(written, -EEXIST);
	written = 1;
	CU_ASSERT_EQUAL(key_store_remove(f.store, &rec, on_written, &written, NULL), 0);
	CU_ASSERT_EQUAL(written, -EEXIST);
	CHECK_STR("kept", span_str(fetch(&f, "db", 0).key), "second");
	key_record_free(&rec);
	CU_ASSERT_EQUAL(key_store_read(f.store, &owner, &rec, NULL), 0);
	CU_ASSERT_EQUAL(key_store_remove(f.store, &rec, on_written, &written, NULL), 0);
	CU_ASSERT_EQUAL(written, 0);
	CU_ASSERT_EQUAL(fetch(&f, "db", 0).reason, REASON_KeyNotFound);
	end(&f);
}

/* A damaged record is refused, and neither read nor written over. */
static void test_damaged(void)
{
	char name[KEY_RECORD_NAME_MAX], path[400];
	_cleanup_record_ struct key_record fresh = {0};
	struct outcome o;
	struct fix f;
	int written = 1;
	FILE *file;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	key_record_name(name, &owner);
	snprintf(path, sizeof(path), "%s/%s.keys", f.keys, name);
	file = fopen(path, "r+");
	fseek(file, 200, SEEK_SET);
	fputc('~', file);
	fclose(file);
	o = fetch(&f, "db", 0);
	CU_ASSERT_EQUAL(o.reason, REASON_StoreUnavailable);
	CHECK_ROW("damaged", strstr(o.message, "backup") != NULL, "%s", o.message);
	CU_ASSERT_EQUAL(key_store_read(f.store, &owner, &fresh, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(key_record_new(&fresh, &owner, NULL), 0);
	CU_ASSERT_EQUAL(key_record_rewrap(&fresh, key_store_keks(f.store), NULL), 0);
	CU_ASSERT_EQUAL(key_store_write(f.store, &fresh, on_written, &written, NULL), 0);
	CU_ASSERT_EQUAL(written, -EEXIST);
	CU_ASSERT_EQUAL(truncate(path, 0), 0);
	CU_ASSERT_EQUAL(fetch(&f, "db", 0).reason, REASON_StoreUnavailable);
	end(&f);
}

/* What a writer left that lost its power does not count, nor stand in the way. */
static void test_power_cut(void)
{
	char name[KEY_RECORD_NAME_MAX], path[400];
	struct fix f;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	key_record_name(name, &owner);
	snprintf(path, sizeof(path), "%s/%s.new", f.keys, name);
	write_text(path, "casemate-keys/1 00");
	CHECK_STR("old", span_str(fetch(&f, "db", 0).key), "first");
	CU_ASSERT_EQUAL(put(&f, "db", "second"), 0);
	CHECK_STR("new", span_str(fetch(&f, "db", 0).key), "second");
	end(&f);
}

static void test_kek(void)
{
	struct error err = {0};
	struct outcome o;
	struct fix f;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	write_kek(&f, KEK_B);
	CU_ASSERT_EQUAL(key_store_reload(f.store, &err), 0);
	o = fetch(&f, "db", 0);
	CU_ASSERT_EQUAL(o.reason, REASON_StoreUnavailable);
	CHECK_ROW("other KEK", strstr(o.message, "not known") != NULL, "%s", o.message);
	write_kek(&f, KEK_B KEK_A);
	CU_ASSERT_EQUAL(key_store_reload(f.store, &err), 0);
	CHECK_STR("old KEK", span_str(fetch(&f, "db", 0).key), "first");
	CU_ASSERT_EQUAL(put(&f, "db", "second"), 0);
	write_kek(&f, KEK_B);
	CU_ASSERT_EQUAL(key_store_reload(f.store, &err), 0);
	CHECK_STR("wrapped anew", span_str(fetch(&f, "db", 1).key), "first");
	write_kek(&f, "rubbish");
	CU_ASSERT_EQUAL(key_store_reload(f.store, &err), -EBADMSG);
	CHECK_STR("the old one stays", span_str(fetch(&f, "db", 2).key), "second");
	write_kek(&f, KEK_B);
	chmod(f.kek, 0644);
	CU_ASSERT_EQUAL(key_store_reload(f.store, &err), -EACCES);
	end(&f);
}

static void test_deny(void)
{
	struct deny *d = deny_new();
	struct fix f;

	if (!d || !begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	CU_ASSERT_EQUAL(put(&f, "db", "second"), 0);
	CU_ASSERT_EQUAL(deny_add(d, DENY_KEYS, SPAN_LIT("kbs:///shop/payments/db@2"), NULL), 0);
	key_store_deny(f.store, d);
	CU_ASSERT_EQUAL(fetch(&f, "db", 0).reason, REASON_KeyRevoked);
	CU_ASSERT_EQUAL(fetch(&f, "db", 1).reason, REASON_Ok);
	end(&f);
	deny_free(d);
}

static int count(void *ctx, const char *name)
{
	char want[KEY_RECORD_NAME_MAX];

	key_record_name(want, &owner);
	CU_ASSERT_STRING_EQUAL(name, want);
	return ++*(int *)ctx, 0;
}

static void test_each(void)
{
	struct fix f;
	int n = 0;

	if (!begin(&f))
		return;
	CU_ASSERT_EQUAL(put(&f, "db", "first"), 0);
	CU_ASSERT_EQUAL(key_store_each(f.store, count, &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 1);
	end(&f);
}

static void test_options(void)
{
	static const struct {
		const char *name;
		struct key_store_options o;
	} rows[] = {
		{"no KEK", {.directory = "/tmp"}},
		{"in a Secret without an API server",
			{.directory = "/tmp", .insecure_kek_in_secret = true}},
		{"both", {.kek_file = "/x", .insecure_kek_in_secret = true}},
		{"no folder", {.kek_file = "/x"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct key_store *s = NULL;
		struct error err = {0};

		CHECK_ROW(rows[i].name, key_store_new(&s, &rows[i].o, &err) == -EINVAL, "%s",
			err.message);
	}
}

const CU_TestInfo key_store_tests[] = {
	{"stored and fetched", test_round},
	{"made anew under an old name", test_owner},
	{"moved to another's name", test_moved},
	{"two writers", test_conflict},
	{"damaged", test_damaged},
	{"a power cut", test_power_cut},
	{"another KEK", test_kek},
	{"denied", test_deny},
	{"each record", test_each},
	{"options", test_options},
	CU_TEST_INFO_NULL,
};
