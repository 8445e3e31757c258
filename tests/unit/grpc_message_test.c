/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc_message.h"

#include <errno.h>

#include "tests/unit/test.h"

enum { MAX = 1000 };

#define BYTES(s)                                                                                   \
	{                                                                                          \
		"" s, sizeof(s) - 1                                                                \
	}

static void test_first_message(void)
{
	static const struct {
		const char *name;
		struct span in;
		int want;
		size_t left;
		const char *message;
	} rows[] = {
		{"nothing", BYTES(""), 0, 0, ""},
		{"empty", BYTES("\0\0\0\0\0"), 1, 0, ""},
		{"one", BYTES("\0\0\0\0\2hi"), 1, 0, "hi"},
		{"one and more", BYTES("\0\0\0\0\2hi\0\0"), 1, 2, "hi"},
		{"empty and more", BYTES("\0\0\0\0\0\0"), 1, 1, ""},
		{"compressed", BYTES("\1\0\0\0\2hi"), -EOPNOTSUPP, 2, ""},
		{"neither", BYTES("\2\0\0\0\2hi"), -EBADMSG, 2, ""},
		{"too long", BYTES("\0\0\0\3\xe9"), -EMSGSIZE, 0, ""},
		{"longest", BYTES("\0\0\0\3\xe8"), 0, 0, ""},
		{"4 GiB", BYTES("\0\xff\xff\xff\xff"), -EMSGSIZE, 0, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct grpc_message m = {.max = MAX};
		struct span in = rows[i].in;
		int r = grpc_message_feed(&m, &in);

		CHECK_ROW(rows[i].name, r == rows[i].want && in.len == rows[i].left, "%d, %zu left",
			r, in.len);
		CHECK_STR(rows[i].name, scrub_view(&m.body), rows[i].message);
		/* What was announced is not what was allocated. */
		CHECK_ROW(rows[i].name, m.body.cap <= 1024, "%zu", m.body.cap);
		grpc_message_free(&m);
	}
}

/* However the bytes are cut, the messages are the same; each truncation has those that fit. */
static void test_pieces(void)
{
	static const char bytes[] = "\0\0\0\0\5first\0\0\0\0\0\0\0\0\0\3end";
	static const char *const want[] = {"first", "", "end"};
	static const size_t ends[] = {10, 15, 23};

	for (size_t piece = 1; piece < sizeof(bytes); piece++) {
		for (size_t len = 0; len < sizeof(bytes); len++) {
			struct grpc_message m = {.max = MAX};
			size_t n = 0;

			for (size_t at = 0; at < len; at += piece) {
				struct span in = {bytes + at, len - at < piece ? len - at : piece};

				while (in.len && grpc_message_feed(&m, &in) == 1) {
					struct scrub body = grpc_message_take(&m);

					if (n < ARRAY_SIZE(want))
						CHECK_STR("piece", scrub_view(&body), want[n]);
					n++;
					scrub_free(&body);
				}
			}
			CHECK_ROW("truncated",
				n == (len >= ends[0]) + (size_t)(len >= ends[1]) + (len >= ends[2]),
				"%zu of %zu bytes", n, len);
			CU_ASSERT_EQUAL(grpc_message_begun(&m),
				len != 0 && len != ends[0] && len != ends[1] && len != ends[2]);
			grpc_message_free(&m);
		}
	}
}

static void test_prefix(void)
{
	unsigned char got[GRPC_PREFIX_LEN];

	grpc_message_prefix(got, 0x01020304);
	CU_ASSERT_EQUAL(memcmp(got, "\0\1\2\3\4", sizeof(got)), 0);
}

CU_TestInfo grpc_message_tests[] = {
	{"first message", test_first_message},
	{"pieces", test_pieces},
	{"prefix", test_prefix},
	CU_TEST_INFO_NULL,
};
