/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/gzip.h"

#include <string.h>

#include "tests/unit/test.h"

enum { TEXT_MAX = 100 * 1000 };

/* "some content", by gzip -n9. */
static const unsigned char sample[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
	0x2b, 0xce, 0xcf, 0x4d, 0x55, 0x48, 0xce, 0xcf, 0x2b, 0x49, 0xcd, 0x2b, 0x01, 0x00, 0x3f,
	0x31, 0x1f, 0x43, 0x0c, 0x00, 0x00, 0x00};
#define SAMPLE ((struct span){(const char *)sample, sizeof(sample)})

static void test_there_and_back(void)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);

	for (size_t n = 0; text && n < TEXT_MAX; n = n * 3 + 1) {
		_cleanup_buf_ struct buf a = BUF_INIT(TEXT_MAX * 2), b = BUF_INIT(TEXT_MAX * 2);
		_cleanup_buf_ struct buf back = BUF_INIT(TEXT_MAX);

		for (size_t i = 0; i < n; i++)
			text[i] = (char)(i * i >> 3);
		CU_ASSERT_EQUAL(gzip_write(&a, (struct span){text, n}), 0);
		CU_ASSERT_EQUAL(gzip_write(&b, (struct span){text, n}), 0);
		CU_ASSERT_TRUE(span_equal(buf_view(&a), buf_view(&b)));
		CU_ASSERT_EQUAL(gzip_read(&back, buf_view(&a)), 0);
		CHECK_ROW("back", span_equal(buf_view(&back), (struct span){text, n}), "%zu", n);
	}
}

static void test_of_another(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(64);

	CU_ASSERT_EQUAL(gzip_read(&out, SAMPLE), 0);
	CHECK_STR("sample", buf_view(&out), "some content");
}

static void test_broken(void)
{
	unsigned char bytes[sizeof(sample) + 1];

	for (size_t n = 0; n < sizeof(sample); n++) {
		_cleanup_buf_ struct buf out = BUF_INIT(64);

		CHECK_ROW("cut", gzip_read(&out, (struct span){SAMPLE.p, n}) == -EBADMSG, "%zu", n);
		CU_ASSERT_EQUAL(out.len, 0);
	}
	memcpy(bytes, sample, sizeof(sample));
	bytes[sizeof(sample)] = 0;
	for (size_t i = 0; i < 2; i++) { /* a byte behind it; a wrong checksum */
		_cleanup_buf_ struct buf out = BUF_INIT(64);

		CU_ASSERT_EQUAL(
			gzip_read(&out, (struct span){(char *)bytes, sizeof(bytes) - i}), -EBADMSG);
		bytes[sizeof(sample) - 8] ^= 1;
	}
}

/* What little text can become is bounded by who asks. */
static void test_bomb(void)
{
	_cleanup_buf_ struct buf in = BUF_INIT(TEXT_MAX), out = BUF_INIT(TEXT_MAX - 1);
	_cleanup_free_ char *text = calloc(1, TEXT_MAX);

	CU_ASSERT_EQUAL(gzip_write(&in, (struct span){text, TEXT_MAX}), 0);
	CHECK_ROW("small", in.len < TEXT_MAX / 100, "%zu", in.len);
	CU_ASSERT_EQUAL(gzip_read(&out, buf_view(&in)), -E2BIG);
}

const CU_TestInfo gzip_tests[] = {
	{"there and back", test_there_and_back},
	{"of another program", test_of_another},
	{"broken", test_broken},
	{"too much", test_bomb},
	CU_TEST_INFO_NULL,
};
