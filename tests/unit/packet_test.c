/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/packet.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SAMPLE "ocicrypt/sample_kbc_annotation.json"

/* The key that guest-components' sample client has built in. */
static const unsigned char sample_kek[PACKET_KEK] = {217, 155, 119, 5, 176, 186, 122, 22, 130, 149,
	179, 163, 54, 114, 112, 176, 221, 155, 55, 27, 245, 20, 202, 139, 155, 167, 240, 163, 55,
	17, 218, 234};

#define KEK ((struct span){(const char *)sample_kek, PACKET_KEK})

/* What is wrapped in json, or an error. */
static int open_text(struct secret *ret, struct span json, struct span kek)
{
	_cleanup_packet_ struct packet p = {0};
	int r = packet_read(&p, json, NULL);

	return r < 0 ? r : packet_open(ret, &p, kek, NULL);
}

static void test_sample(void)
{
	_cleanup_packet_ struct packet p = {0};
	_cleanup_secret_ struct secret plain = {0};

	CU_ASSERT_EQUAL(packet_read(&p, vector(SAMPLE), NULL), 0);
	CU_ASSERT_STRING_EQUAL(p.kid, "kbs:///default/key/1");
	CU_ASSERT(p.gcm);
	CU_ASSERT_EQUAL(packet_open(&plain, &p, KEK, NULL), 0);
	CU_ASSERT(span_starts(secret_view(&plain), "{\"symkey\":\"1jL2jJV0"));
}

static void test_other_keys(void)
{
	for (unsigned i = 0; i < PACKET_KEK * 8; i++) {
		_cleanup_secret_ struct secret plain = {0};
		char kek[PACKET_KEK];

		memcpy(kek, sample_kek, sizeof(kek));
		kek[i / 8] = (char)(kek[i / 8] ^ 1 << i % 8);
		CU_ASSERT_EQUAL(open_text(&plain, vector(SAMPLE), (struct span){kek, sizeof(kek)}),
			-EBADMSG);
	}
	for (size_t len = 0; len < PACKET_KEK; len++) {
		_cleanup_secret_ struct secret plain = {0};

		CU_ASSERT_EQUAL(
			open_text(&plain, vector(SAMPLE), (struct span){KEK.p, len}), -EINVAL);
	}
}

/* Its own JSON, of which nothing may be missing and no byte of what is wrapped may change. */
static void test_damage(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(PACKET_MAX);
	struct span json;

	CU_ASSERT_EQUAL(packet_seal(&text, "kbs:///shop/payments/image-kek", KEK,
				span_str("{\"symkey\":\"\"}"), NULL),
		0);
	json = buf_view(&text);
	for (size_t len = 0; len < json.len; len++) {
		_cleanup_secret_ struct secret plain = {0};

		CHECK_ROW("truncated", open_text(&plain, (struct span){json.p, len}, KEK) < 0,
			"at %zu", len);
	}
	for (size_t i = 0; i < json.len * 8; i++) {
		_cleanup_secret_ struct secret plain = {0};
		int r;

		text.p[i / 8] = (char)(text.p[i / 8] ^ 1 << i % 8);
		r = open_text(&plain, json, KEK);
		/* The name of the key says which one to ask for; it is not under the tag. */
		CHECK_ROW("bit", r < 0 || memmem(json.p, i / 8, "wrapped_data", 12) == NULL,
			"%zu of byte %zu changes nothing", i % 8, i / 8);
		CU_ASSERT(r < 0 || span_is(secret_view(&plain), "{\"symkey\":\"\"}"));
		text.p[i / 8] = (char)(text.p[i / 8] ^ 1 << i % 8);
	}
}

static const struct {
	const char *row, *json;
	bool good;
} shapes[] = {
	{"version 1, CTR",
		"{\"kid\":\"kbs:///a/b/c\",\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A256CTR\","
		"\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		true},
	{"0.1.0",
		"{\"version\":\"0.1.0\",\"provider\":\"kbs\",\"provider_settings\":{},"
		"\"annotations\":{},\"kid\":\"kbs:///a/b/c\",\"wrapped_data\":\"AAAA\","
		"\"wrap_type\":\"A256CTR\",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		true},
	{"another version",
		"{\"version\":\"0.2.0\",\"provider\":\"kbs\",\"kid\":\"kbs:///a/b/c\","
		"\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A256CTR\","
		"\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		false},
	{"another service",
		"{\"version\":\"0.1.0\",\"provider\":\"aliyun\",\"kid\":\"kbs:///a/b/c\","
		"\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A256CTR\","
		"\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		false},
	{"12 bytes of IV for CTR",
		"{\"kid\":\"kbs:///a/b/c\",\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A256CTR\","
		"\"iv\":\"AAAAAAAAAAAAAAAA\"}",
		false},
	{"16 bytes of IV for GCM",
		"{\"kid\":\"kbs:///a/b/c\",\"wrapped_data\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
		"\"wrap_type\":\"A256GCM\",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		false},
	{"nothing but a tag",
		"{\"kid\":\"kbs:///a/b/c\",\"wrapped_data\":\"AAAAAAAAAAAAAAAAAAAAAA==\","
		"\"wrap_type\":\"A256GCM\",\"iv\":\"AAAAAAAAAAAAAAAA\"}",
		false},
	{"another wrapping",
		"{\"kid\":\"kbs:///a/b/c\",\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A128GCM\","
		"\"iv\":\"AAAAAAAAAAAAAAAA\"}",
		false},
	{"no kid",
		"{\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A256CTR\","
		"\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		false},
	{"blank in kid",
		"{\"kid\":\"kbs:///a b\",\"wrapped_data\":\"AAAA\",\"wrap_type\":\"A256CTR\","
		"\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
		false},
	{"a list", "[]", false},
};

static void test_shapes(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		_cleanup_packet_ struct packet p = {0};
		struct error err = {0};
		int r = packet_read(&p, span_str(shapes[i].json), &err);

		CHECK_ROW(shapes[i].row, r == (shapes[i].good ? 0 : -EBADMSG), "%d: %s", r,
			err.message);
	}
}

static void test_limits(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(2 * PACKET_MAX);
	char *plain = calloc(1, PACKET_WRAPPED_MAX + 1), kid[PACKET_KID_MAX + 1];
	_cleanup_secret_ struct secret got = {0};

	memset(kid, 'k', PACKET_KID_MAX);
	kid[PACKET_KID_MAX] = '\0';
	CU_ASSERT_EQUAL(packet_seal(&text, kid, KEK, span_str("x"), NULL), -EINVAL);
	CU_ASSERT_EQUAL(packet_seal(&text, "", KEK, span_str("x"), NULL), -EINVAL);
	CU_ASSERT_EQUAL(packet_seal(&text, "k", KEK, span_str(""), NULL), -EINVAL);
	CU_ASSERT_EQUAL(
		packet_seal(&text, "k", KEK, (struct span){plain, PACKET_WRAPPED_MAX - 15}, NULL),
		-EINVAL);
	CU_ASSERT_EQUAL(text.len, 0);
	CU_ASSERT_EQUAL(
		packet_seal(&text, "k", KEK, (struct span){plain, PACKET_WRAPPED_MAX - 16}, NULL),
		0);
	CU_ASSERT_EQUAL(open_text(&got, buf_view(&text), KEK), 0);
	CU_ASSERT_EQUAL(got.len, PACKET_WRAPPED_MAX - 16);
	free(plain);
}

const CU_TestInfo packet_tests[] = {
	{"CoCo's sample", test_sample},
	{"other keys", test_other_keys},
	{"damage", test_damage},
	{"shapes", test_shapes},
	{"limits", test_limits},
	CU_TEST_INFO_NULL,
};
