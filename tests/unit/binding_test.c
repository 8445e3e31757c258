/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/binding.h"

#include <errno.h>
#include <stdint.h>

#include "common/base/codec.h"
#include "tests/unit/test.h"

/* A P-256 key: its coordinates are 0, 1, 2, … (nobody asks whether that is on the curve). */
static const unsigned char head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00, 0x04};
static char key[sizeof(head) + 64];
static char counted[32]; /* 0, 1, 2, … */

static void fill(void)
{
	memcpy(key, head, sizeof(head));
	for (size_t i = 0; i < 64; i++)
		key[sizeof(head) + i] = (char)i;
	memcpy(counted, key + sizeof(head), sizeof(counted));
}

/* Expected values: Python's hashlib, from the description alone. */
static void test_report_data(void)
{
	static const struct {
		const char *name;
		struct node_binding b;
		const char *want;
	} rows[] = {
		{"all there",
			{{counted, 32}, SPAN_LIT("node-1"),
				SPAN_LIT("4b0ee3bd-8a1f-4c6b-9f3e-0d6a3a7a2d11"),
				{key, sizeof(key)}, SPAN_LIT("header.payload.signature")},
			"e2a07f868acfa7466548235cd3eaa790ac74ee048b10c94512e1e03e7a8008ad"
			"3e639301325c7fd28fb467607ebfc3a771db3db3c74aecdc31eb5dbd0b6f9fad"},
		{"nothing there", {.node = SPAN_NONE},
			"e86db48b30d7f3cc9673f3ea9a4fc3a1c27b67f9049dc2bfc63e5ac24a07599f"
			"f0dcae08e63a07fed4de262dc7b381a91919f4f9fd1bc448bfc060fa5f60a290"},
		{"ab, c",
			{SPAN_LIT("\0\0\0"), SPAN_LIT("ab"), SPAN_LIT("c"), SPAN_LIT("\xff"),
				SPAN_LIT("x")},
			"f2db623b133beff74f95a34e0edf01340f0130c47c085959382715b12ff39a57"
			"67a002c4ea469726e65f5061e077de2bc5f0dff5683dee39baca4817821f0f83"},
		{"a, bc",
			{SPAN_LIT("\0\0\0"), SPAN_LIT("a"), SPAN_LIT("bc"), SPAN_LIT("\xff"),
				SPAN_LIT("x")},
			"3d081a1234b7243002a5ff527a122a2ea18056787994949ae677390391dbb3e2"
			"f6224a50c37f98eb2f3cc5e141995deb365ed4b8d9b9bcde029fd1f0b6cb77c0"},
	};

	fill();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf hex = BUF_INIT(200);
		unsigned char got[64];

		if (!CHECK_ROW(
			    rows[i].name, node_binding_report_data(got, &rows[i].b) == 0, "failed"))
			return;
		codec_hex(&hex, got, sizeof(got));
		CHECK_STR(rows[i].name, buf_view(&hex), rows[i].want);
	}
}

/* Each part counts, alone and in its place. */
static void test_each_part(void)
{
	struct node_binding b = {
		SPAN_LIT("c"), SPAN_LIT("n"), SPAN_LIT("u"), SPAN_LIT("k"), SPAN_LIT("t")};
	struct span *parts[] = {&b.challenge, &b.node, &b.node_uid, &b.public_key, &b.token};
	unsigned char before[64], after[64] = {0};

	CU_ASSERT(node_binding_report_data(before, &b) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct span kept = *parts[i];

		*parts[i] = SPAN_LIT("x");
		CU_ASSERT(node_binding_report_data(after, &b) == 0);
		CHECK_ROW("another part", memcmp(before, after, 64) != 0, "part %zu", i);
		*parts[i] = SPAN_NONE;
		CU_ASSERT(node_binding_report_data(after, &b) == 0);
		CHECK_ROW("a part less", memcmp(before, after, 64) != 0, "part %zu", i);
		*parts[i] = kept;
	}
}

static void test_too_long(void)
{
	unsigned char got[64] = {1};
	struct node_binding b = {.node = {"", (size_t)UINT32_MAX + 1}};

	CU_ASSERT(node_binding_report_data(got, &b) == -EINVAL);
	CU_ASSERT(got[0] == 1);
}

static void test_thumbprint(void)
{
	static const struct {
		const char *name;
		struct span key;
		const char *want;
	} rows[] = {
		{"a key", {key, sizeof(key)}, "sha256:ATHdqWVP74bVeBK5lg8mBSPCekDDoY-o7McwNRDnjCI"},
		{"empty", SPAN_NONE, "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},
		{"both special characters", SPAN_LIT("\2"),
			"sha256:28G0yQD_5I1XW12lxjgEASX2XbD-PiRJS3bqmGRX2YY"},
	};
	char got[THUMBPRINT_MAX];

	fill();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CU_ASSERT(node_binding_thumbprint(got, rows[i].key) == 0);
		CHECK_STR(rows[i].name, span_str(got), rows[i].want);
	}
}

CU_TestInfo binding_tests[] = {
	{"report data", test_report_data},
	{"each part", test_each_part},
	{"too long", test_too_long},
	{"thumbprint", test_thumbprint},
	CU_TEST_INFO_NULL,
};
