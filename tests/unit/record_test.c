/* SPDX-License-Identifier: Apache-2.0
 *
 * NodeAttestation's status, written and read, and what it puts on a Node. */
#include "webhook/verifier/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"
#include "webhook/verifier/detail.h"
#include "webhook/verifier/marks.h"
#include "webhook/verifier/waiver.h"

enum { NOW = 1790000000 };

static const struct json_limits limits = {65536, 4000, 20};

static const struct record whole = {.node_uid = "uid-1",
	.platform = RECORD_SNP,
	.platform_id = {0xab, 0xcd},
	.platform_id_len = 2,
	.standing = RECORD_REFUSED,
	.reason = REASON_TcbOutOfDate,
	.message = "update \"it\"",
	.has_digest = true,
	.evidence_digest = {1, 2, 3},
	.thumbprint = "sha256:abc",
	.challenged_usec = NOW * (int64_t)USEC_PER_SEC + 123456,
	.judged_sec = NOW + 1,
	.valid_until_sec = NOW + 2,
	.since_sec = NOW - 5,
	.epoch = 7};

static bool read_back(struct record *ret, const struct buf *status)
{
	_cleanup_buf_ struct buf object = BUF_INIT(65536);
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};

	buf_puts(&object, "{\"status\":");
	buf_span(&object, buf_view(status));
	buf_putc(&object, '}');
	if (!CHECK_ROW("parse", json_parse(&doc, buf_view(&object), &limits, &err) == 0, "%s: %s",
		    err.message, object.p))
		return false;
	record_read(ret, json_root(&doc));
	return true;
}

static void test_round(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	struct record r;

	CU_ASSERT_EQUAL(record_write(&out, &whole, SPAN_LIT(",\"crl\":\"absent\"")), 0);
	if (!read_back(&r, &out))
		return;
	CU_ASSERT_STRING_EQUAL(r.node_uid, whole.node_uid);
	CU_ASSERT_EQUAL(r.platform, whole.platform);
	CU_ASSERT_EQUAL(r.platform_id_len, 2);
	CU_ASSERT_EQUAL(memcmp(r.platform_id, whole.platform_id, 2), 0);
	CU_ASSERT_EQUAL(r.standing, whole.standing);
	CU_ASSERT_EQUAL(r.reason, whole.reason);
	CU_ASSERT_STRING_EQUAL(r.message, whole.message);
	CU_ASSERT_TRUE(r.has_digest);
	CU_ASSERT_EQUAL(memcmp(r.evidence_digest, whole.evidence_digest, RECORD_DIGEST), 0);
	CU_ASSERT_STRING_EQUAL(r.thumbprint, whole.thumbprint);
	CU_ASSERT_EQUAL(r.challenged_usec, whole.challenged_usec);
	CU_ASSERT_EQUAL(r.judged_sec, whole.judged_sec);
	CU_ASSERT_EQUAL(r.valid_until_sec, whole.valid_until_sec);
	CU_ASSERT_EQUAL(r.since_sec, whole.since_sec);
	CU_ASSERT_EQUAL(r.epoch, 7);
	CU_ASSERT_FALSE(r.starts_vms);
	buf_reset(&out);
	record_write(&out, &whole, SPAN_LIT(",\"capacity\":{\"epcBytes\":1,\"cvmSlots\":0}"));
	CU_ASSERT_TRUE(read_back(&r, &out) && r.starts_vms);
	buf_reset(&out);
	CU_ASSERT_EQUAL(record_write_end(&out, &whole, SPAN_NONE), 0);
	CHECK_STR("end", buf_view(&out),
		"{\"verdict\":\"Refused\",\"reason\":\"TcbOutOfDate\",\"message\":\"update "
		"\\\"it\\\"\",\"leaderEpoch\":7,\"conditions\":[{\"type\":\"Attested\",\"status\":"
		"\"False\",\"reason\":\"TcbOutOfDate\",\"lastTransitionTime\":"
		"\"2026-09-21T14:13:15Z\",\"message\":\"update \\\"it\\\"\"}]}");
}

/* Nothing that cannot be read may count as a verdict. */
static void test_unreadable(void)
{
	static const char *const objects[] = {
		"{}",
		"[]",
		"{\"status\":null}",
		"{\"status\":[]}",
		"{\"status\":{}}",
		"{\"status\":{\"nodeUID\":\"uid\",\"verdict\":\"attested\",\"validUntil\":"
		"\"2030-01-01T00:00:00Z\"}}",
		"{\"status\":{\"nodeUID\":\"uid\",\"verdict\":\"Attested\"}}",
		"{\"status\":{\"nodeUID\":\"uid\",\"verdict\":\"Attested\",\"validUntil\":"
		"\"soon\"}}",
		"{\"status\":{\"verdict\":\"Attested\",\"validUntil\":\"2030-01-01T00:00:00Z\"}}",
		"{\"status\":{\"nodeUID\":7,\"verdict\":\"Attested\",\"validUntil\":"
		"\"2030-01-01T00:00:00Z\",\"leaderEpoch\":-4,\"platformID\":\"abc\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		_cleanup_json_ struct json doc = {0};
		struct record r;

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(objects[i]), &limits, NULL), 0);
		record_read(&r, json_root(&doc));
		CHECK_ROW(objects[i], !record_holds(&r, "uid", NOW), "holds");
		CHECK_ROW(objects[i], r.epoch == 0 && !r.platform_id_len && !r.has_digest, "");
	}
}

/* The largest detail still leaves an object below 16 KiB. */
static void test_detail(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(DETAIL_MAX);
	struct evidence e = {.tee = TEE_TYPE_SIMULATED};
	struct verdict v = {.reason = REASON_MeasurementNotAllowed,
		.tcb = TCB_OutOfDate,
		.tcb_date = "2024-03-13T00:00:00Z",
		.evaluation_number = 18,
		.n_advisories = VERDICT_ADVISORIES_MAX,
		.n_mismatches = VERDICT_MISMATCHES_MAX};
	struct record r;
	_cleanup_buf_ struct buf status = BUF_INIT(16384);

	for (size_t i = 0; i < VERDICT_ADVISORIES_MAX; i++)
		v.advisories[i] =
			SPAN_LIT("INTEL-SA-0000000000000000000000000000000000000000000000000"
				 "00000000000000000000000000000000000000000000000");
	for (size_t i = 0; i < VERDICT_MISMATCHES_MAX; i++)
		v.mismatches[i] = (struct mismatch){.name = "rtmr2", .len = 64};
	e.simulated.n_measurements = SIMULATED_MEASUREMENTS_MAX;
	for (size_t i = 0; i < SIMULATED_MEASUREMENTS_MAX; i++) {
		snprintf(e.simulated.measurements[i].name, 24, "measurement-number-%zu", i);
		e.simulated.measurements[i].len = 48;
	}
	CU_ASSERT_EQUAL(detail_write(&out, &v, &e), 0);
	CU_ASSERT_EQUAL(detail_capacity(&out, INT64_MAX, 16), 0);
	CU_ASSERT_EQUAL(record_write(&status, &whole, buf_view(&out)), 0);
	CU_ASSERT_TRUE(read_back(&r, &status));
	CHECK_ROW("size", status.len < 14 * 1024, "%zu", status.len);
}

static bool read_node(struct marks_seen *ret, const char *text)
{
	_cleanup_json_ struct json doc = {0};

	return CHECK_ROW(text,
		json_parse(&doc, span_str(text), &limits, NULL) == 0 &&
			marks_read(ret, json_root(&doc)) == 0,
		"not read");
}

#define META(labels)                                                                               \
	"\"metadata\":{\"uid\":\"uid\",\"resourceVersion\":\"9\",\"labels\":" labels "}"
#define LABEL(name, value) "\"casemate.dev.node-restriction.kubernetes.io/" name "\":\"" value "\""
#define COND(status, reason, message)                                                              \
	"\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":"          \
	"\"ConfidentialAttested\",\"status\":\"" status "\",\"reason\":\"" reason                  \
	"\",\"message\":\"" message "\"}]}"

#define GONE                                                                                       \
	"the node's NodeAttestation is gone and no evidence has come since; see the node agent's " \
	"log and status"

static void test_marks(void)
{
	static const struct {
		const char *name;
		enum record_standing standing;
		enum record_platform platform;
		const char *uid;
		int64_t until;
		const char *want[MARK_LABEL_N], *status, *reason;
		bool taint, starts_vms;
	} rows[] = {
		{"nothing known", 0, 0, "", 0, {NULL}, NULL, NULL, true, false},
		{"sgx", RECORD_ATTESTED, RECORD_SGX, "uid", NOW, {"true", "sgx"}, "True", "Ok",
			false, false},
		{"tdx", RECORD_ATTESTED, RECORD_TDX, "uid", NOW, {"true", "tdx", "confidential"},
			"True", "Ok", false, false},
		{"snp", RECORD_ATTESTED, RECORD_SNP, "uid", NOW, {"true", "snp", "confidential"},
			"True", "Ok", false, false},
		{"simulated", RECORD_STANDING_SIMULATED, RECORD_SIMULATED, "uid", NOW,
			{"simulated"}, "True", "Ok", false, false},
		{"host", RECORD_UNPROVEN, RECORD_SNP_HOST, "uid", NOW, {NULL, NULL, NULL, "snp"},
			"False", "Ok", false, false},
		{"refused", RECORD_REFUSED, RECORD_SGX, "uid", NOW, {NULL}, "False", "Ok", true,
			false},
		{"over", RECORD_ATTESTED, RECORD_SGX, "uid", NOW - 1, {NULL}, "Unknown",
			"VerdictExpired", true, false},
		{"a host's is over", RECORD_UNPROVEN, RECORD_TDX_HOST, "uid", NOW - 1, {NULL},
			"Unknown", "VerdictExpired", true, false},
		{"expired", RECORD_EXPIRED, RECORD_SGX, "uid", NOW + 9, {NULL}, "Unknown",
			"VerdictExpired", true, false},
		{"of another node", RECORD_ATTESTED, RECORD_SGX, "old", NOW, {NULL}, NULL, NULL,
			true, false},
		{"waived", RECORD_WAIVED, RECORD_SGX, "uid", NOW, {"true", "sgx"}, "True", "Ok",
			false, false},
		{"attested of no platform", RECORD_ATTESTED, RECORD_PLATFORM_NONE, "uid", NOW,
			{"true"}, "True", "Ok", false, false},
		{"sgx that starts VMs", RECORD_ATTESTED, RECORD_SGX, "uid", NOW,
			{"true", "sgx", NULL, "tdx"}, "True", "Ok", false, true},
		{"waived sgx that starts VMs", RECORD_WAIVED, RECORD_SGX, "uid", NOW,
			{"true", "sgx", NULL, "tdx"}, "True", "Ok", false, true},
		{"refused sgx that starts VMs", RECORD_REFUSED, RECORD_SGX, "uid", NOW, {NULL},
			"False", "Ok", true, true},
		{"its end", RECORD_ATTESTED, RECORD_SGX, "uid", NOW - 1, {NULL}, "Unknown",
			"VerdictExpired", true, true},
		{"snp that starts VMs", RECORD_ATTESTED, RECORD_SNP, "uid", NOW,
			{"true", "snp", "confidential"}, "True", "Ok", false, true},
		{"simulated that starts VMs", RECORD_STANDING_SIMULATED, RECORD_SIMULATED, "uid",
			NOW, {"simulated"}, "True", "Ok", false, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct record r = {.standing = rows[i].standing,
			.platform = rows[i].platform,
			.valid_until_sec = rows[i].until,
			.starts_vms = rows[i].starts_vms};
		const struct marks_seen seen = {.uid = "uid"};
		struct marks m;

		snprintf(r.node_uid, sizeof(r.node_uid), "%s", rows[i].uid);
		marks_of(&m, &r, &seen, NOW, true);
		for (size_t l = 0; l < MARK_LABEL_N; l++)
			CHECK_ROW(rows[i].name,
				!m.label[l] == !rows[i].want[l] &&
					(!m.label[l] || strcmp(m.label[l], rows[i].want[l]) == 0),
				"label %zu: %s", l, m.label[l] ? m.label[l] : "none");
		CHECK_STR(rows[i].name, span_str(m.status ? m.status : "none"),
			rows[i].status ? rows[i].status : "none");
		CHECK_STR(rows[i].name, span_str(m.reason ? m.reason : "none"),
			rows[i].reason ? rows[i].reason : "none");
		/* A person learns what to do. */
		if (rows[i].reason && strcmp(rows[i].reason, "VerdictExpired") == 0)
			CHECK_STR(rows[i].name, span_str(m.message),
				"the last verdict is too old; see the node agent's log and status");
		CHECK_ROW(rows[i].name, m.taint == rows[i].taint, "taint");
		marks_of(&m, &r, &seen, NOW, false);
		CU_ASSERT_FALSE(m.taint);
	}
}

static void test_patches(void)
{
	static const struct {
		const char *name, *node;
		enum record_standing standing;
		bool in_place;
		const char *want;
	} rows[] = {
		{"new", "{" META("{\"a\":\"b\"}") "}", RECORD_ATTESTED, false,
			"{\"metadata\":{\"resourceVersion\":\"9\",\"uid\":\"uid\",\"labels\":"
			"{" LABEL("attested", "true") "," LABEL(
				"tee", "sgx") "}},\"status\":{"
					      "\"conditions\":[{\"type\":\"ConfidentialAttested\","
					      "\"status\":\"True\","
					      "\"reason\":\"Ok\",\"lastHeartbeatTime\":\"2026-09-"
					      "21T14:13:20Z\","
					      "\"lastTransitionTime\":\"2026-09-21T14:13:20Z\","
					      "\"message\":\"why\"}]}}"},
		{"as it is",
			"{" META("{" LABEL("attested", "true") "," LABEL(
				"tee", "sgx") "}") "," COND("True", "Ok", "why") "}",
			RECORD_ATTESTED, true, NULL},
		{"a label drifted",
			"{" META("{" LABEL("attested", "simulated") "," LABEL(
				"tee", "sgx") "}") "," COND("True", "Ok", "why") "}",
			RECORD_ATTESTED, false,
			"{\"metadata\":{\"resourceVersion\":\"9\",\"uid\":\"uid\",\"labels\":"
			"{" LABEL("attested", "true") "}}}"},
		{"labels of somebody",
			"{" META("{" LABEL("attested", "true") "," LABEL("cvm-host", "") "}") "}",
			RECORD_STANDING_NONE, false,
			"{\"metadata\":{\"resourceVersion\":\"9\",\"uid\":\"uid\",\"labels\":{"
			"\"casemate.dev.node-restriction.kubernetes.io/attested\":null,"
			"\"casemate.dev.node-restriction.kubernetes.io/cvm-host\":null}}}"},
		{"a condition whose NodeAttestation is gone",
			"{" META("{}") "," COND("True", "Ok", "why") "}", RECORD_STANDING_NONE,
			false,
			"{\"metadata\":{\"resourceVersion\":\"9\",\"uid\":\"uid\",\"labels\":{}},"
			"\"status\":{\"conditions\":[{\"type\":\"ConfidentialAttested\",\"status\":"
			"\"Unknown\",\"reason\":\"NotAttested\",\"lastHeartbeatTime\":\"2026-09-"
			"21T14:13:20Z\",\"lastTransitionTime\":\"2026-09-21T14:13:20Z\","
			"\"message\":\"" GONE "\"}]}}"},
		{"as it says then", "{" META("{}") "," COND("Unknown", "NotAttested", GONE) "}",
			RECORD_STANDING_NONE, true, NULL},
		{"another reason", "{" META("{}") "," COND("False", "Malformed", "why") "}",
			RECORD_REFUSED, false,
			"{\"metadata\":{\"resourceVersion\":\"9\",\"uid\":\"uid\",\"labels\":{}},"
			"\"status\":{\"conditions\":[{\"type\":\"ConfidentialAttested\",\"status\":"
			"\"False\",\"reason\":\"Ok\",\"lastHeartbeatTime\":\"2026-09-21T14:13:"
			"20Z\","
			"\"message\":\"why\"}]}}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct record r = {.standing = rows[i].standing,
			.platform = RECORD_SGX,
			.node_uid = "uid",
			.message = "why",
			.valid_until_sec = NOW};
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		struct marks_seen seen;
		struct marks m;

		if (!read_node(&seen, rows[i].node))
			continue;
		marks_of(&m, &r, &seen, NOW, false);
		CHECK_ROW(rows[i].name, marks_in_place(&seen, &m) == rows[i].in_place, "");
		if (!rows[i].want)
			continue;
		CU_ASSERT_EQUAL(marks_patch(&out, &seen, &m, NOW), 0);
		CHECK_STR(rows[i].name, buf_view(&out), rows[i].want);
	}
}

/* What an uninstall wants of a Node: nothing. */
static void test_taken(void)
{
	static const struct marks none = {.taint = false};
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	struct marks_seen seen;

	if (!read_node(&seen,
		    "{" META("{" LABEL("attested", "true") "}") "," COND("True", "Ok", "why") "}"))
		return;
	CU_ASSERT_FALSE(marks_in_place(&seen, &none));
	CU_ASSERT_EQUAL(marks_patch(&out, &seen, &none, NOW), 0);
	CHECK_STR("taken", buf_view(&out),
		"{\"metadata\":{\"resourceVersion\":\"9\",\"uid\":\"uid\",\"labels\":"
		"{\"casemate.dev.node-restriction.kubernetes.io/attested\":null}},"
		"\"status\":{\"conditions\":[{\"type\":\"ConfidentialAttested\","
		"\"$patch\":\"delete\"}]}}");
}

#define TAINTED(list) "{" META("{}") ",\"spec\":{\"taints\":" list "}}"
#define OURS          "{\"key\":\"casemate.dev/unattested\",\"effect\":\"NoSchedule\"}"

static void test_taint(void)
{
	static const struct {
		const char *name, *node;
		bool want_taint;
		const char *want; /* NULL: in place */
	} rows[] = {
		{"none, none wanted", "{" META("{}") "}", false, NULL},
		{"the first", "{" META("{}") "}", true,
			"},{\"op\":\"add\",\"path\":\"/spec/taints\",\"value\":[" OURS "]}]"},
		{"one more", TAINTED("[{\"key\":\"a\",\"effect\":\"NoExecute\"}]"), true,
			"},{\"op\":\"add\",\"path\":\"/spec/taints/-\",\"value\":" OURS "}]"},
		{"there", TAINTED("[" OURS "]"), true, NULL},
		{"another effect is another taint",
			TAINTED("[{\"key\":\"casemate.dev/unattested\",\"effect\":\"NoExecute\"}]"),
			false, NULL},
		{"goes", TAINTED("[{\"key\":\"a\",\"effect\":\"NoExecute\"}," OURS "]"), false,
			"},{\"op\":\"remove\",\"path\":\"/spec/taints/1\"}]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct marks want = {.taint = rows[i].want_taint};
		_cleanup_buf_ struct buf out = BUF_INIT(4096), text = BUF_INIT(4096);
		struct marks_seen seen;

		if (!read_node(&seen, rows[i].node))
			continue;
		CHECK_ROW(rows[i].name, marks_taint_in_place(&seen, &want) == !rows[i].want, "");
		if (!rows[i].want)
			continue;
		buf_printf(&text,
			"[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\","
			"\"value\":\"9\"%s",
			rows[i].want);
		CU_ASSERT_EQUAL(marks_taint_patch(&out, &seen, &want), 0);
		CHECK_STR(rows[i].name, buf_view(&out), text.p);
	}
}

#define ANNOTATED(list) "{\"metadata\":{\"annotations\":{" list "}}}"
#define UNTIL           "\"casemate.dev/waiver-until\":\"2026-09-21T14:13:20Z\""
#define BY              "\"casemate.dev/waiver-by\":\"eve\""
#define WHY             "\"casemate.dev/waiver-why\":\"ticket 7\""

static void test_waiver_read(void)
{
	static const struct {
		const char *name, *object;
		int64_t until;
	} rows[] = {
		{"none", "{}", 0},
		{"whole", ANNOTATED(UNTIL "," BY "," WHY), NOW},
		{"by nobody", ANNOTATED(UNTIL "," WHY), 0},
		{"without a reason", ANNOTATED(UNTIL "," BY ",\"casemate.dev/waiver-why\":\"\""),
			0},
		{"for ever", ANNOTATED(BY "," WHY), 0},
		{"until some time",
			ANNOTATED("\"casemate.dev/waiver-until\":\"later\"," BY "," WHY), 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		struct waiver w;

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(rows[i].object), &limits, NULL), 0);
		waiver_read(&w, json_root(&doc));
		CHECK_ROW(
			rows[i].name, w.until_sec == rows[i].until, "%lld", (long long)w.until_sec);
		CHECK_ROW(rows[i].name, waiver_holds(&w, NOW) == (rows[i].until != 0), "holds");
		CU_ASSERT_FALSE(waiver_holds(&w, NOW + 1));
	}
}

static void test_waiver(void)
{
	static const struct {
		const char *name;
		enum record_standing standing;
		int64_t until;
		bool wanted;
	} rows[] = {
		{"nothing known", RECORD_STANDING_NONE, 0, true},
		{"refused", RECORD_REFUSED, NOW, true},
		{"a host", RECORD_UNPROVEN, NOW, true},
		{"attested", RECORD_ATTESTED, NOW, false},
		{"simulated", RECORD_STANDING_SIMULATED, NOW, false},
		{"its verdict is over", RECORD_ATTESTED, NOW - 20, true},
		{"expired", RECORD_EXPIRED, NOW, true},
		{"waived", RECORD_WAIVED, NOW, false},
		{"waived for less", RECORD_WAIVED, NOW - 5, true},
	};
	const struct waiver w = {.until_sec = NOW, .by = "eve", .why = "ticket 7"};
	const struct waiver none = {.until_sec = 0};
	_cleanup_buf_ struct buf out = BUF_INIT(1024);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct record r = {.node_uid = "uid",
			.standing = rows[i].standing,
			.reason = REASON_TcbOutOfDate,
			.valid_until_sec = rows[i].until,
			.epoch = 4};

		CHECK_ROW(rows[i].name, waiver_wanted(&r, &w, "uid", NOW - 10) == rows[i].wanted,
			"wanted");
		CU_ASSERT_FALSE(waiver_wanted(&r, &w, "uid", NOW + 1));
		CU_ASSERT_FALSE(waiver_wanted(&r, &none, "uid", NOW));
		waiver_apply(&r, &w, "uid", 3, NOW - 10);
		CHECK_ROW(rows[i].name,
			r.standing == RECORD_WAIVED && r.valid_until_sec == NOW && r.epoch == 4 &&
				record_holds(&r, "uid", NOW),
			"not waived");
		CHECK_ROW(rows[i].name,
			strstr(r.message, "eve vouches") &&
				!strstr(r.message, "TcbOutOfDate") ==
					(rows[i].standing != RECORD_REFUSED),
			"%s", r.message);
		CU_ASSERT_FALSE(waiver_wanted(&r, &w, "uid", NOW - 10));
		CU_ASSERT_TRUE(waiver_over(&r, &none, NOW - 10));
		CU_ASSERT_FALSE(waiver_over(&r, &w, NOW - 10));
	}
	CU_ASSERT_FALSE(waiver_wanted(&(struct record){.node_uid = "uid",
					      .standing = RECORD_REFUSED,
					      .reason = REASON_NodeDenied,
					      .valid_until_sec = NOW},
		&w, "uid", NOW - 10));
	waiver_write(&out, &w);
	CHECK_STR("status", buf_view(&out),
		",\"waiver\":{\"by\":\"eve\",\"why\":\"ticket 7\","
		"\"until\":\"2026-09-21T14:13:20Z\"}");
}

CU_TestInfo record_tests[] = {
	{"round", test_round},
	{"unreadable", test_unreadable},
	{"detail", test_detail},
	{"marks", test_marks},
	{"patches", test_patches},
	{"taken", test_taken},
	{"taint", test_taint},
	{"waiver read", test_waiver_read},
	{"waiver", test_waiver},
	CU_TEST_INFO_NULL,
};
