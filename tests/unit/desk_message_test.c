/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/desk_message.h"

#include <errno.h>
#include <stdlib.h>

#include "common/tee/protocol.h"
#include "tests/unit/test.h"

#define HEAD "\"protocol\":1,"
#define KEY  "\"publicKey\":\"a2V5\""
#define ALL  "{" HEAD KEY ",\"challenge\":\"YWJj\",\"platform\":\"sgx\",\"evidence\":\"cXVvdGU=\""

static const struct row {
	const char *name;
	enum desk_message_kind kind;
	const char *body;
	int want;
	enum reason reason;
	const char *message; /* part of it */
} rows[] = {
	{"challenge", MESSAGE_CHALLENGE, "{\"protocol\":1}", 0, 0, ""},
	{"members nobody knows", MESSAGE_CHALLENGE, "{\"protocol\":1,\"more\":[1,{}]}", 0, 0, ""},
	{"no JSON", MESSAGE_CHALLENGE, "{\"protocol\":1", -EBADMSG, REASON_Malformed, "the request"},
	{"no object", MESSAGE_CHALLENGE, "[1]", -EBADMSG, REASON_Malformed, "JSON object"},
	{"twice", MESSAGE_CHALLENGE, "{\"protocol\":1,\"protocol\":1}", -EBADMSG, REASON_Malformed,
		""},
	{"no version", MESSAGE_CHALLENGE, "{}", -EBADMSG, REASON_Malformed, "protocol"},
	{"a version as text", MESSAGE_CHALLENGE, "{\"protocol\":\"1\"}", -EBADMSG, REASON_Malformed,
		"protocol"},
	{"a version too new", MESSAGE_CHALLENGE, "{\"protocol\":2}", -EBADMSG,
		REASON_UnsupportedVersion, "version 2"},
	{"a version too old", MESSAGE_CHALLENGE, "{\"protocol\":0}", -EBADMSG,
		REASON_UnsupportedVersion, "version 0"},
	{"simulated", MESSAGE_SIMULATED, "{" HEAD KEY "}", 0, 0, ""},
	{"no key", MESSAGE_SIMULATED, "{\"protocol\":1}", -EBADMSG, REASON_Malformed, "publicKey"},
	{"an empty key", MESSAGE_SIMULATED, "{" HEAD "\"publicKey\":\"\"}", -EBADMSG,
		REASON_Malformed, "publicKey must be not empty"},
	{"no base64", MESSAGE_SIMULATED, "{" HEAD "\"publicKey\":\"a2V5 \"}", -EBADMSG,
		REASON_Malformed, "base64"},
	{"no padding", MESSAGE_SIMULATED, "{" HEAD "\"publicKey\":\"YQ\"}", -EBADMSG,
		REASON_Malformed, "base64"},
	{"bits left over", MESSAGE_SIMULATED, "{" HEAD "\"publicKey\":\"YR==\"}", -EBADMSG,
		REASON_Malformed, "base64"},
	{"evidence", MESSAGE_EVIDENCE, ALL "}", 0, 0, ""},
	{"with capacity", MESSAGE_EVIDENCE,
		ALL ",\"capacity\":{\"epcBytes\":65536,\"cvmSlots\":null}}", 0, 0, ""},
	{"capacity is no object", MESSAGE_EVIDENCE, ALL ",\"capacity\":1}", -EBADMSG,
		REASON_Malformed, "capacity"},
	{"negative capacity", MESSAGE_EVIDENCE, ALL ",\"capacity\":{\"epcBytes\":-1}}", -EBADMSG,
		REASON_Malformed, "epcBytes"},
	{"capacity with a fraction", MESSAGE_EVIDENCE, ALL ",\"capacity\":{\"cvmSlots\":1.5}}",
		-EBADMSG, REASON_Malformed, "cvmSlots"},
	{"no platform", MESSAGE_EVIDENCE,
		"{" HEAD KEY ",\"challenge\":\"YWJj\",\"evidence\":\"YQ==\"}", -EBADMSG,
		REASON_Malformed, "platform"},
	{"an unknown platform", MESSAGE_EVIDENCE,
		"{" HEAD KEY ",\"challenge\":\"YWJj\",\"platform\":\"SGX\",\"evidence\":\"YQ==\"}",
		-EBADMSG, REASON_Malformed, "platform"},
	{"no evidence", MESSAGE_EVIDENCE,
		"{" HEAD KEY ",\"challenge\":\"YWJj\",\"platform\":\"tdx\",\"evidence\":\"\"}",
		-EBADMSG, REASON_Malformed, "evidence must be not empty"},
	{"a host", MESSAGE_EVIDENCE,
		"{" HEAD KEY ",\"challenge\":\"YWJj\",\"platform\":\"tdx-host\",\"evidence\":\"\"}",
		0, 0, ""},
	{"a host with evidence", MESSAGE_EVIDENCE,
		"{" HEAD KEY ",\"challenge\":\"YWJj\",\"platform\":\"snp-host\",\"evidence\":\"YQ==\"}",
		-EBADMSG, REASON_Malformed, "empty on this platform"},
};

static void test_read(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_desk_message_ struct desk_message m = {0};
		enum reason reason = REASON_Ok;
		struct error err = {0};
		int r = desk_message_read(&m, rows[i].kind, span_str(rows[i].body), &reason, &err);

		CHECK_ROW(rows[i].name, r == rows[i].want, "%d: %s", r, err.message);
		CHECK_ROW(rows[i].name, r == 0 || reason == rows[i].reason, "%s",
			reason_name(reason));
		CHECK_ROW(rows[i].name, strstr(err.message, rows[i].message), "%s", err.message);
	}
}

static void test_fields(void)
{
	_cleanup_desk_message_ struct desk_message m = {0};
	enum reason reason;

	if (desk_message_read(&m, MESSAGE_EVIDENCE,
		    SPAN_LIT(ALL ",\"capacity\":{\"epcBytes\":65536}}"), &reason, NULL) < 0) {
		CU_FAIL("not read");
		return;
	}
	CHECK_STR("key", buf_view(&m.public_key), "key");
	CHECK_STR("challenge", buf_view(&m.challenge), "abc");
	CHECK_STR("evidence", buf_view(&m.evidence), "quote");
	CU_ASSERT_EQUAL(m.platform, RECORD_SGX);
	CU_ASSERT_EQUAL(m.epc_bytes, 65536);
	CU_ASSERT_EQUAL(m.cvm_slots, -1);
}

/* Each on its own, so that a sanitizer sees a byte read beyond its end. */
static void test_truncated(void)
{
	static const char whole[] = ALL "}";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		_cleanup_desk_message_ struct desk_message m = {0};
		_cleanup_free_ char *copy = malloc(n + 1);
		enum reason reason = REASON_Ok;

		if (!copy)
			return;
		memcpy(copy, whole, n);
		CHECK_ROW("truncated", desk_message_read(&m, MESSAGE_EVIDENCE, (struct span){copy, n},
				&reason, NULL) == -EBADMSG && reason == REASON_Malformed, "%zu", n);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *name;
		size_t key; /* bytes of base64 */
		int want;
	} sizes[] = {
		{"as large as may be", 1364, 0},
		{"larger", 1372, -EBADMSG},
		{"much larger", PROTOCOL_REQUEST_MAX, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_buf_ struct buf body = BUF_INIT(1 << 20);
		_cleanup_desk_message_ struct desk_message m = {0};
		enum reason reason;
		int r;

		buf_puts(&body, "{" HEAD "\"publicKey\":\"");
		for (size_t k = 0; k < sizes[i].key; k++)
			buf_putc(&body, 'A');
		buf_puts(&body, "\"}");
		r = desk_message_read(&m, MESSAGE_SIMULATED, buf_view(&body), &reason, NULL);
		CHECK_ROW(sizes[i].name, r == sizes[i].want, "%d", r);
	}
}

static void test_answers(void)
{
	const struct record r = {.standing = RECORD_REFUSED,
		.reason = REASON_TcbOutOfDate,
		.message = "says \"why\"",
		.valid_until_sec = 1790000000};
	_cleanup_buf_ struct buf out = BUF_INIT(4096);

	desk_message_challenge(&out, SPAN_LIT("abc"), 1790000000);
	CHECK_STR("challenge", buf_view(&out),
		"{\"protocol\":1,\"challenge\":\"YWJj\",\"expires\":\"2026-09-21T14:13:20Z\"}\n");
	buf_reset(&out);
	desk_message_verdict(&out, &r, 60);
	CHECK_STR("verdict", buf_view(&out),
		"{\"protocol\":1,\"verdict\":\"Refused\",\"reason\":\"TcbOutOfDate\","
		"\"message\":\"says \\\"why\\\"\",\"validUntil\":\"2026-09-21T14:13:20Z\","
		"\"again\":60}\n");
	buf_reset(&out);
	desk_message_certificate(&out, SPAN_LIT("a\nb"));
	CHECK_STR("certificate", buf_view(&out), "{\"protocol\":1,\"certificate\":\"a\\nb\"}\n");
	buf_reset(&out);
	desk_message_refusal(&out, REASON_ChallengeReplayed, "why");
	CHECK_STR("refusal", buf_view(&out),
		"{\"protocol\":1,\"reason\":\"ChallengeReplayed\",\"message\":\"why\"}\n");
}

CU_TestInfo desk_message_tests[] = {
	{"read", test_read},
	{"fields", test_fields},
	{"truncated", test_truncated},
	{"sizes", test_sizes},
	{"answers", test_answers},
	CU_TEST_INFO_NULL,
};
