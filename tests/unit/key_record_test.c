/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#define KEK_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define KEK_B "HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4=\n"

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};

static void make(struct key_record *rec, const struct kek_ring *keks)
{
	struct key_entry *e;

	CU_ASSERT_EQUAL(key_record_new(rec, &owner, NULL), 0);
	e = key_record_add(rec, "db");
	CU_ASSERT_EQUAL(
		key_record_add_version(rec, e, KEY_PASSWORD, 5, 100, SPAN_LIT("first"), keks, NULL),
		0);
	CU_ASSERT_EQUAL(key_record_add_version(
				rec, e, KEY_PASSWORD, 6, 200, SPAN_LIT("second"), keks, NULL),
		0);
	e = key_record_add(rec, "image");
	CU_ASSERT_EQUAL(
		key_record_add_version(rec, e, KEY_RAW, 3, 300, SPAN_LIT("\0\n\xff"), keks, NULL),
		0);
	e->removed_sec = 400;
	rec->deleted_sec = 500;
}

static void check_key(const struct key_record *rec, const struct kek_ring *keks, const char *key,
	unsigned version, struct span want)
{
	const struct key_entry *e = key_record_find(rec, key);
	const struct key_version *v = e ? key_entry_version(e, version) : NULL;
	_cleanup_secret_ struct secret got = {0};

	CHECK_ROW(key,
		v && key_record_open(&got, rec, e, v, keks, NULL) == 0 &&
			span_equal(secret_view(&got), want),
		"version %u", version);
}

static void check_all(const struct key_record *rec, const struct kek_ring *keks)
{
	check_key(rec, keks, "db", 0, SPAN_LIT("second"));
	check_key(rec, keks, "db", 1, SPAN_LIT("first"));
	check_key(rec, keks, "image", 1, SPAN_LIT("\0\n\xff"));
}

static void test_round(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536), again = BUF_INIT(65536);
	_cleanup_record_ struct key_record rec = {0}, back = {0};
	_cleanup_keks_ struct kek_ring keks = {0};

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK_A), NULL), 0);
	make(&rec, &keks);
	CU_ASSERT_EQUAL(key_record_write(&text, &rec, &keks, NULL), 0);
	CU_ASSERT_EQUAL(key_record_read(&back, buf_view(&text), &keks, NULL), 0);
	check_all(&back, &keks);
	CU_ASSERT(back.deleted_sec == 500 && key_record_find(&back, "image")->removed_sec == 400);
	CU_ASSERT_EQUAL(key_record_write(&again, &back, &keks, NULL), 0);
	CHECK_STR("the same text", buf_view(&again), text.p);
	CU_ASSERT_PTR_NULL(memmem(text.p, text.len, "second", 6));
}

/* Every truncation and every bit turned. */
static void test_damage(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	_cleanup_record_ struct key_record rec = {0};
	_cleanup_keks_ struct kek_ring keks = {0};

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK_A), NULL), 0);
	make(&rec, &keks);
	CU_ASSERT_EQUAL(key_record_write(&text, &rec, &keks, NULL), 0);
	for (size_t i = 0; i < 8 * text.len; i++) {
		struct key_record got = {0};
		int r;

		text.p[i / 8] = (char)(text.p[i / 8] ^ (1 << i % 8));
		r = key_record_read(&got, buf_view(&text), &keks, NULL);
		if (!CHECK_ROW("bit", r == -EBADMSG || r == -ENOKEY, "%zu: %d", i, r))
			return;
		text.p[i / 8] = (char)(text.p[i / 8] ^ (1 << i % 8));
	}
	for (size_t n = 0; n < text.len; n++) {
		struct key_record got = {0};
		_cleanup_free_ char *cut = malloc(n + 1);

		memcpy(cut, text.p, n);
		CHECK_ROW("cut",
			key_record_read(&got, (struct span){cut, n}, &keks, NULL) == -EBADMSG,
			"%zu", n);
	}
}

/* Bodies that no record has: what a bug of ours might write. */
static void test_bodies(void)
{
#define OWNER "\"namespace\":\"a\",\"namespaceUID\":\"b\",\"profile\":\"c\",\"profileUID\":\"d\","
#define VERSION(n, more)                                                                           \
	"{\"version\":" n                                                                          \
	",\"type\":\"raw\",\"size\":1,\"made\":1,\"nonce\":\"AAAAAAAAAAAAAAAA\","                  \
	"\"wrapped\":\"AAAAAAAAAAAAAAAAAAAAAAA=\"" more "}"
	static const struct {
		const char *name, *body;
		int want;
	} rows[] = {
		{"empty", "{" OWNER "\"deleted\":0,\"keys\":[]}", 0},
		{"one key",
			"{" OWNER "\"deleted\":0,\"keys\":[{\"name\":\"k\",\"removed\":0,"
				  "\"versions\":[" VERSION("1", "") "]}]}",
			0},
		{"no keys", "{" OWNER "\"deleted\":0}", -EBADMSG},
		{"one more member", "{" OWNER "\"deleted\":0,\"keys\":[],\"x\":1}", -EBADMSG},
		{"negative time", "{" OWNER "\"deleted\":-1,\"keys\":[]}", -EBADMSG},
		{"no owner", "{\"deleted\":0,\"keys\":[],\"a\":1,\"b\":1,\"c\":1,\"d\":1}",
			-EBADMSG},
		{"no versions",
			"{" OWNER "\"deleted\":0,\"keys\":[{\"name\":\"k\",\"removed\":0,"
			"\"versions\":[]}]}",
			-EBADMSG},
		{"version 0",
			"{" OWNER "\"deleted\":0,\"keys\":[{\"name\":\"k\",\"removed\":0,"
				  "\"versions\":[" VERSION("0", "") "]}]}",
			-EBADMSG},
		{"ascending",
			"{" OWNER "\"deleted\":0,\"keys\":[{\"name\":\"k\",\"removed\":0,"
				  "\"versions\":[" VERSION("1", "") "," VERSION("2", "") "]}]}",
			-EBADMSG},
		{"twice",
			"{" OWNER
			"\"deleted\":0,\"keys\":[{\"name\":\"k\",\"removed\":0,\"versions\":"
			"[" VERSION("1",
				"") "]},{\"name\":\"k\",\"removed\":0,\"versions\":[" VERSION("1",
				"") "]}]}",
			-EBADMSG},
		{"unknown member",
			"{" OWNER "\"deleted\":0,\"keys\":[{\"name\":\"k\",\"removed\":0,"
			"\"versions\":[" VERSION("1", ",\"x\":1") "]}]}",
			-EBADMSG},
		{"bad name",
			"{" OWNER "\"deleted\":0,\"keys\":[{\"name\":\"../k\",\"removed\":0,"
			"\"versions\":[" VERSION("1", "") "]}]}",
			-EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_record_ struct key_record rec = {0};
		int r = key_record_read_body(&rec, span_str(rows[i].body), NULL);

		CHECK_ROW(rows[i].name, r == rows[i].want, "%d", r);
	}
}

/* A wrapped key put in another one's place opens nowhere. */
static void test_places(void)
{
	_cleanup_record_ struct key_record rec = {0};
	_cleanup_keks_ struct kek_ring keks = {0};
	_cleanup_secret_ struct secret got = {0};
	struct key_entry *db;
	struct key_version v;

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK_A), NULL), 0);
	make(&rec, &keks);
	db = key_record_find(&rec, "db");
	v = db->v[1];
	v.version = 2;
	CU_ASSERT_EQUAL(key_record_open(&got, &rec, db, &v, &keks, NULL), -EBADMSG);
	v = db->v[0];
	v.type = KEY_RAW;
	CU_ASSERT_EQUAL(key_record_open(&got, &rec, db, &v, &keks, NULL), -EBADMSG);
	CU_ASSERT_EQUAL(
		key_record_open(&got, &rec, key_record_find(&rec, "image"), &db->v[0], &keks, NULL),
		-EBADMSG);
	rec.owner.profile_uid = "another";
	CU_ASSERT_EQUAL(key_record_open(&got, &rec, db, &db->v[0], &keks, NULL), -EBADMSG);
}

static void test_rewrap(void)
{
	const struct key_owner to = {"shop2", "ns2", "payments", "p2"};
	_cleanup_keks_ struct kek_ring a = {0}, both = {0}, b = {0};
	_cleanup_record_ struct key_record rec = {0};

	CU_ASSERT_EQUAL(kek_ring_parse(&a, SPAN_LIT(KEK_A), NULL), 0);
	CU_ASSERT_EQUAL(kek_ring_parse(&both, SPAN_LIT("# new\n" KEK_B "\n" KEK_A), NULL), 0);
	CU_ASSERT_EQUAL(kek_ring_parse(&b, SPAN_LIT(KEK_B), NULL), 0);
	make(&rec, &a);
	CU_ASSERT_EQUAL(key_record_rewrap(&rec, &b, NULL), -ENOKEY);
	check_all(&rec, &a);
	CU_ASSERT_EQUAL(key_record_rewrap(&rec, &both, NULL), 0);
	check_all(&rec, &b);
	CU_ASSERT_EQUAL(key_record_give(&rec, &to, &b, NULL), 0);
	check_all(&rec, &b);
	CU_ASSERT_STRING_EQUAL(rec.owner.profile_uid, "p2");
}

static void test_versions(void)
{
	_cleanup_record_ struct key_record rec = {0};
	_cleanup_keks_ struct kek_ring keks = {0};
	struct key_entry *e;

	CU_ASSERT_EQUAL(kek_ring_parse(&keks, SPAN_LIT(KEK_A), NULL), 0);
	CU_ASSERT_EQUAL(key_record_new(&rec, &owner, NULL), 0);
	e = key_record_add(&rec, "k");
	for (unsigned i = 0; i < KEY_VERSIONS_MAX + 3; i++)
		CU_ASSERT_EQUAL(
			key_record_add_version(&rec, e, KEY_RAW, 1, i, SPAN_LIT("x"), &keks, NULL),
			0);
	CU_ASSERT(e->n == KEY_VERSIONS_MAX && e->v[0].version == KEY_VERSIONS_MAX + 3);
	CU_ASSERT_PTR_NULL(key_entry_version(e, 1));
	CU_ASSERT_PTR_NOT_NULL(key_entry_version(e, 4));
}

static void test_keks(void)
{
	static const struct {
		const char *name;
		struct span text;
		int want;
	} rows[] = {
		{"raw", SPAN_LIT("0123456789abcdef0123456789abcdef"), 0},
		{"base64", SPAN_LIT(KEK_A), 0},
		{"without a newline", SPAN_LIT("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), 0},
		{"two", SPAN_LIT(KEK_A KEK_B), 0},
		{"empty", SPAN_LIT(""), -EBADMSG},
		{"a comment", SPAN_LIT("# nothing\n"), -EBADMSG},
		{"twice", SPAN_LIT(KEK_A KEK_A), -EBADMSG},
		{"16 bytes", SPAN_LIT("AAECAwQFBgcICQoLDA0ODw==\n"), -EBADMSG},
		{"rubbish", SPAN_LIT("hunter2"), -EBADMSG},
		{"good, then rubbish", SPAN_LIT(KEK_A "x\n"), -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_keks_ struct kek_ring keks = {0};
		int r = kek_ring_parse(&keks, rows[i].text, NULL);

		CHECK_ROW(rows[i].name, r == rows[i].want, "%d", r);
	}
}

static void test_names(void)
{
	char a[KEY_RECORD_NAME_MAX], b[KEY_RECORD_NAME_MAX], profile[254];
	struct key_owner o = {"a-b", "", "c", ""};

	key_record_name(a, &o);
	o = (struct key_owner){"a", "", "b-c", ""};
	key_record_name(b, &o);
	CHECK_ROW("names", strcmp(a, b) != 0, "%s", a);
	memset(profile, 'p', sizeof(profile) - 1);
	profile[sizeof(profile) - 1] = '\0';
	o.profile = profile;
	key_record_name(a, &o);
	CU_ASSERT(strlen(a) < 253);
}

const CU_TestInfo key_record_tests[] = {
	{"written and read", test_round},
	{"every truncation, every bit", test_damage},
	{"bodies", test_bodies},
	{"a key in another's place", test_places},
	{"wrapped anew", test_rewrap},
	{"many versions", test_versions},
	{"key-encryption keys", test_keks},
	{"names", test_names},
	CU_TEST_INFO_NULL,
};
