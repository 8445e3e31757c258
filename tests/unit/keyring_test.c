/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/replicas/keyring.h"

#include <stdio.h>

#include "tests/unit/test.h"

#define KEY "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

enum { NOW = 1790000000 };

static const struct json_limits limits = {65536, 1000, 10};

static void test_read(void)
{
	static const struct {
		const char *name, *data;
		size_t n;
		uint64_t newest, seal; /* ids */
	} rows[] = {
		{"none", "{}", 0, 0, 0},
		{"no data", "null", 0, 0, 0},
		{"one, just made", "{\"1790000000\":\"" KEY "\"}", 1, 1790000000, 1790000000},
		{"a new one waits", "{\"1789999950\":\"" KEY "\",\"1789000000\":\"" KEY "\"}", 2,
			1789999950, 1789000000},
		{"and has waited", "{\"1789000000\":\"" KEY "\",\"1789999940\":\"" KEY "\"}", 2,
			1789999940, 1789999940},
		{"the newest three",
			"{\"5\":\"" KEY "\",\"9\":\"" KEY "\",\"7\":\"" KEY "\",\"8\":\"" KEY "\"}",
			3, 9, 9},
		{"of the wrong size", "{\"1789000000\":\"YQ==\"}", 0, 0, 0},
		{"no base64", "{\"1789000000\":\"?\"}", 0, 0, 0},
		{"no string", "{\"1789000000\":1}", 0, 0, 0},
		{"names that are none",
			"{\"a\":\"" KEY "\",\"01\":\"" KEY "\",\"-1\":\"" KEY "\",\"\":\"" KEY
			"\",\"1234567890123456789\":\"" KEY "\"}",
			0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		struct sealing_keys keys;
		char text[1024];

		snprintf(text, sizeof(text), "{\"data\":%s}", rows[i].data);
		CU_ASSERT_EQUAL(json_parse(&doc, span_str(text), &limits, NULL), 0);
		keyring_read(&keys, json_root(&doc), NOW);
		CHECK_ROW(rows[i].name, keys.n == rows[i].n, "%zu keys", keys.n);
		if (keys.n != rows[i].n || !keys.n)
			continue;
		CHECK_ROW(rows[i].name,
			keys.v[0].id == rows[i].newest && keys.v[keys.seal].id == rows[i].seal,
			"%llu, seals with %llu", (unsigned long long)keys.v[0].id,
			(unsigned long long)keys.v[keys.seal].id);
		CU_ASSERT_EQUAL(memcmp(keys.v[0].key, "01234567890123456789012345678901", 32), 0);
	}
}

static void test_due(void)
{
	struct sealing_keys keys = {0};

	CU_ASSERT_TRUE(keyring_due(&keys, NOW));
	keys = (struct sealing_keys){.v = {{.id = NOW}}, .n = 1};
	CU_ASSERT_FALSE(keyring_due(&keys, NOW));
	CU_ASSERT_FALSE(keyring_due(&keys, NOW + KEYRING_LIFE_SEC - 1));
	CU_ASSERT_TRUE(keyring_due(&keys, NOW + KEYRING_LIFE_SEC));
}

/* A new key, the two newest stay, what is older goes, what is no key is let be. */
static void test_next(void)
{
	static const char text[] = "{\"data\":{\"10\":\"" KEY "\",\"40\":\"" KEY "\",\"30\":\"" KEY
				   "\",\"20\":\"" KEY "\",\"other\":\"YQ==\"}}";
	_cleanup_json_ struct json doc = {0}, next = {0};
	_cleanup_secret_ struct secret patch = {0};
	struct sealing_keys keys, made;
	_cleanup_buf_ struct buf secret = BUF_INIT(4096);

	CU_ASSERT_EQUAL(json_parse(&doc, span_str(text), &limits, NULL), 0);
	keyring_read(&keys, json_root(&doc), NOW);
	CU_ASSERT_EQUAL(keyring_next(&patch, &keys, json_root(&doc), NOW, NULL), 0);
	buf_puts(&secret, "{\"data\":");
	buf_span(&secret, secret_view(&patch));
	buf_putc(&secret, '}');
	if (json_parse(&next, buf_view(&secret), &limits, NULL) < 0) {
		CU_FAIL("no JSON");
		return;
	}
	CU_ASSERT_EQUAL(json_count(json_get(json_root(&next), "data")), 3);
	CU_ASSERT_EQUAL(json_type(json_find(json_root(&next), "data", "10")), JSON_NULL);
	CU_ASSERT_EQUAL(json_type(json_find(json_root(&next), "data", "20")), JSON_NULL);
	keyring_read(&made, json_root(&next), NOW);
	CU_ASSERT_EQUAL(made.n, 1);
	CU_ASSERT_EQUAL(made.v[0].id, NOW);
	CU_ASSERT_NOT_EQUAL(memcmp(made.v[0].key, keys.v[0].key, SEALING_KEY), 0);
}

CU_TestInfo keyring_tests[] = {
	{"read", test_read},
	{"due", test_due},
	{"next", test_next},
	CU_TEST_INFO_NULL,
};
