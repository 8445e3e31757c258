/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vectors.h"

#include <openssl/evp.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

enum { DIGEST = 32, LINE_MIN = 2 * DIGEST + 2 };

/* What other tests rest on is what its origin published. */
static void test_sums(void)
{
	struct span sums = vector("SHA256SUMS");
	size_t n = 0;

	while (sums.len > LINE_MIN) {
		const char *end = memchr(sums.p, '\n', sums.len);
		struct span line = {sums.p, (size_t)(end - sums.p)};
		struct span name = {line.p + LINE_MIN, line.len - LINE_MIN};
		unsigned char digest[DIGEST];
		char path[200], hex[2 * DIGEST + 1];
		struct span bytes;

		snprintf(path, sizeof(path), SPAN_FMT, SPAN_ARG(name));
		bytes = vector(path);
		EVP_Digest(bytes.p, bytes.len, digest, NULL, EVP_sha256(), NULL);
		for (size_t i = 0; i < DIGEST; i++)
			snprintf(hex + 2 * i, 3, "%02x", digest[i]);
		CHECK_ROW(path, memcmp(hex, line.p, 2 * (size_t)DIGEST) == 0, "it was changed");
		sums = (struct span){end + 1, sums.len - line.len - 1};
		n++;
	}
	CHECK_ROW("SHA256SUMS", n >= 90 && sums.len == 0, "%zu files", n);
}

static void test_hex(void)
{
	struct span report = vector_hex("virtee-sev/report_milan.hex");

	CHECK_ROW("report_milan.hex", report.len == 1184 && report.p[0] == 2, "%zu bytes",
		report.len);
	CHECK_ROW("report_milan.hex", vector_hex("virtee-sev/report_milan.hex").p == report.p,
		"read twice");
}

CU_TestInfo vectors_tests[] = {
	{"sums", test_sums},
	{"hex", test_hex},
	CU_TEST_INFO_NULL,
};
