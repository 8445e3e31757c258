/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/keyprovider.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/test.h"

/* "kbs:///shop/payments/image-kek"; "keypath=/k::keyid=kbs:///r/t/g::algorithm=A256GCM";
 * {"symkey":"AA=="} */
#define KEY   "a2JzOi8vL3Nob3AvcGF5bWVudHMvaW1hZ2Uta2Vr"
#define COCO  "a2V5cGF0aD0vazo6a2V5aWQ9a2JzOi8vL3IvdC9nOjphbGdvcml0aG09QTI1NkdDTQ=="
#define PLAIN "eyJzeW1rZXkiOiJBQT09In0="

#define WRAP(parameters, options)                                                                  \
	"{\"op\":\"keywrap\",\"keywrapparams\":{\"ec\":{\"Parameters\":" parameters                \
	",\"DecryptConfig\":{\"Parameters\":{}}},\"optsdata\":" options                            \
	"},\"keyunwrapparams\":{\"dc\":null,\"annotation\":null}}"
#define UNWRAP(annotation)                                                                         \
	"{\"op\":\"keyunwrap\",\"keywrapparams\":{\"ec\":null,\"optsdata\":null},"                 \
	"\"keyunwrapparams\":{\"dc\":{\"Parameters\":{}},\"annotation\":" annotation "}}"

static const struct {
	const char *row, *json;
	const char *recipient, *options; /* wrap */
	const char *annotation;          /* unwrap; all NULL: -EBADMSG */
} requests[] = {
	{"ocicrypt", WRAP("{\"casemate\":[\"" KEY "\"]}", "\"" PLAIN "\""),
		"kbs:///shop/payments/image-kek", "{\"symkey\":\"AA==\"}", NULL},
	{"ocicrypt-rs", WRAP("{\"casemate\":[\"" KEY "\"]}", "\"{\\\"symkey\\\":\\\"AA==\\\"}\""),
		"kbs:///shop/payments/image-kek", "{\"symkey\":\"AA==\"}", NULL},
	{"CoCo's parameters", WRAP("{\"attestation-agent\":[\"" COCO "\"]}", "\"" PLAIN "\""),
		"kbs:///r/t/g", "{\"symkey\":\"AA==\"}", NULL},
	{"unwrap", UNWRAP("\"e30=\""), NULL, NULL, "{}"},
	{"another provider", WRAP("{\"vault\":[\"" KEY "\"]}", "\"" PLAIN "\""), NULL, NULL, NULL},
	{"two recipients", WRAP("{\"casemate\":[\"" KEY "\",\"" KEY "\"]}", "\"" PLAIN "\""), NULL,
		NULL, NULL},
	{"no recipient", WRAP("{\"casemate\":[]}", "\"" PLAIN "\""), NULL, NULL, NULL},
	{"recipient in clear", WRAP("{\"casemate\":[\"kbs:///a/b/c\"]}", "\"" PLAIN "\""), NULL,
		NULL, NULL},
	{"empty recipient", WRAP("{\"casemate\":[\"\"]}", "\"" PLAIN "\""), NULL, NULL, NULL},
	{"NUL in recipient", WRAP("{\"casemate\":[\"YQBi\"]}", "\"" PLAIN "\""), NULL, NULL, NULL},
	{"no options", WRAP("{\"casemate\":[\"" KEY "\"]}", "null"), NULL, NULL, NULL},
	{"empty options", WRAP("{\"casemate\":[\"" KEY "\"]}", "\"\""), NULL, NULL, NULL},
	{"other escapes", WRAP("{\"casemate\":[\"" KEY "\"]}", "\"{\\u0041}\""), NULL, NULL, NULL},
	{"no annotation", UNWRAP("null"), NULL, NULL, NULL},
	{"empty annotation", UNWRAP("\"\""), NULL, NULL, NULL},
	{"annotation in clear", UNWRAP("\"{}\""), NULL, NULL, NULL},
	{"another op", "{\"op\":\"keyexport\"}", NULL, NULL, NULL},
	{"no JSON", "{\"op\":\"keywrap\"", NULL, NULL, NULL},
	{"a list", "[]", NULL, NULL, NULL},
};

static void test_requests(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_keyprovider_request_ struct keyprovider_request q = {0};
		bool good = requests[i].options || requests[i].annotation;
		struct error err = {0};
		int r = keyprovider_read(&q, span_str(requests[i].json), &err);

		CHECK_ROW(requests[i].row, r == (good ? 0 : -EBADMSG), "%d: %s", r, err.message);
		if (requests[i].options) {
			CHECK_STR(requests[i].row, span_str(q.recipient), requests[i].recipient);
			CHECK_STR(requests[i].row, secret_view(&q.options), requests[i].options);
		}
		if (requests[i].annotation)
			CHECK_STR(requests[i].row, buf_view(&q.annotation), requests[i].annotation);
	}
}

static void test_answers(void)
{
	_cleanup_secret_ struct secret wrapped = {0}, unwrapped = {0}, none = {0};

	CU_ASSERT_EQUAL(keyprovider_wrapped(&wrapped, (struct span){"\0{\xff", 3}), 0);
	CHECK_STR("wrapped", secret_view(&wrapped),
		"{\"keywrapresults\":{\"annotation\":[0,123,255]}}");
	CU_ASSERT_EQUAL(keyprovider_unwrapped(&unwrapped, span_str("A")), 0);
	CHECK_STR(
		"unwrapped", secret_view(&unwrapped), "{\"keyunwrapresults\":{\"optsdata\":[65]}}");
	CU_ASSERT_EQUAL(keyprovider_unwrapped(&none, SPAN_NONE), 0);
	CHECK_STR("nothing", secret_view(&none), "{\"keyunwrapresults\":{\"optsdata\":[]}}");
}

/* Around the lengths at which the length's own changes. */
static void test_frames(void)
{
	static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 65000};
	char *text = malloc(65000);

	memset(text, 'x', 65000);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_secret_ struct secret frame = {0};
		struct span got = SPAN_NONE;

		CU_ASSERT_EQUAL(keyprovider_frame(&frame, (struct span){text, lengths[i]}), 0);
		CU_ASSERT_EQUAL(keyprovider_unframe(&got, secret_view(&frame), NULL), 0);
		CU_ASSERT(span_equal(got, (struct span){text, lengths[i]}));
		for (size_t len = 0; len < frame.len && len < 300; len++)
			CU_ASSERT_EQUAL(
				keyprovider_unframe(&got, (struct span){frame.p, len}, NULL),
				-EBADMSG);
	}
	free(text);
}

static void test_bad_frames(void)
{
	static const struct {
		const char *row, *bytes;
		size_t len;
	} rows[] = {
		{"another field", "\x12\x01x", 3},
		{"another type", "\x08\x01", 2},
		{"something behind", "\x0a\x01xy", 4},
		{"a length without end", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
		{"nothing", "", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span got = SPAN_NONE;

		CHECK_ROW(rows[i].row,
			keyprovider_unframe(
				&got, (struct span){rows[i].bytes, rows[i].len}, NULL) == -EBADMSG,
			"taken");
	}
}

const CU_TestInfo keyprovider_tests[] = {
	{"requests", test_requests},
	{"answers", test_answers},
	{"frames", test_frames},
	{"bad frames", test_bad_frames},
	CU_TEST_INFO_NULL,
};
