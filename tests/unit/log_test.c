/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

enum { LINE_MAX_ = 8192 };

/* A log that lands in memory, and what came. */
struct capture {
	int fd;
	char text[4 * LINE_MAX_];
};

static void capture_begin(struct capture *c, enum log_format format)
{
	c->fd = memfd_create("log", MFD_CLOEXEC);
	log_setup(&(struct log_options){.format = format, .verbosity = 2, .fd = c->fd});
}

static const char *capture_end(struct capture *c)
{
	ssize_t n = pread(c->fd, c->text, sizeof(c->text) - 1, 0);

	c->text[n < 0 ? 0 : n] = '\0';
	close(c->fd);
	log_setup(&(struct log_options){.format = LOG_TEXT, .verbosity = 2, .fd = STDERR_FILENO});
	return c->text;
}

/* The line from its message on; "" when its head is not as it should be. */
static const char *body(const char *text, const char *head)
{
	const char *p = strstr(text, head);

	return p ? p + strlen(head) : "";
}

static void test_text(void)
{
	struct capture c;
	char severity = 0;
	int month, day, hour, minute, second, usec, thread, line, used = 0;

	capture_begin(&c, LOG_TEXT);
	log_info(2, "Served", LOG_STR("webhook", "mu\"tate"), LOG_INT("count", -3),
		LOG_BOOL("dryRun", true), LOG_SECS("took", 0.25), LOG_SPAN("raw", SPAN_LIT("a\0b")),
		LOG_STR("none", NULL));
	log_info(3, "Dropped");
	log_error("it broke", "Failed to read", LOG_STR("file", "x"));
	log_warn("Odd");
	capture_end(&c);
	CU_ASSERT_EQUAL(
		sscanf(c.text, "%c%2d%2d %2d:%2d:%2d.%6d %d log_test.c:%d] %n", &severity, &month,
			&day, &hour, &minute, &second, &usec, &thread, &line, &used),
		9);
	CU_ASSERT_EQUAL(severity, 'I');
	CU_ASSERT_EQUAL(thread, gettid());
	CHECK_ROW(c.text,
		span_starts(span_str(c.text + used),
			"\"Served\" webhook=\"mu\\\"tate\" count=-3 dryRun=true took=0.25 "
			"raw=\"a\\u0000b\" none=\"\"\nE"),
		"unexpected line");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(c.text, "] \"Failed to read\" err=\"it broke\" file=\"x\"\nW"));
	CU_ASSERT_PTR_NOT_NULL(strstr(c.text, "] \"Odd\"\n"));
	CU_ASSERT_PTR_NULL(strstr(c.text, "Dropped"));
	CU_ASSERT(log_enabled(2) && !log_enabled(3));
}

static void test_json(void)
{
	struct capture c;

	capture_begin(&c, LOG_JSON);
	log_info(1, "Served", LOG_INT("n", 3), LOG_SECS("bad", (double)INFINITY));
	log_error("it\nbroke", "Failed");
	log_error(NULL, "Bare");
	capture_end(&c);
	CHECK_ROW(c.text, span_starts(span_str(c.text), "{\"ts\":1"), "no time stamp");
	CU_ASSERT_PTR_NOT_NULL(strstr(c.text, ",\"caller\":\"log_test.c:"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(c.text, ",\"msg\":\"Served\",\"v\":1,\"n\":3,\"bad\":\"inf\"}\n{"));
	CU_ASSERT_PTR_NOT_NULL(strstr(c.text, ",\"msg\":\"Failed\",\"err\":\"it\\nbroke\"}\n{"));
	CU_ASSERT_PTR_NOT_NULL(strstr(c.text, ",\"msg\":\"Bare\"}\n"));
}

static void test_escapes(void)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{"a\nI0101 forged", "a\\nI0101 forged"},
		{"\r\x1b[2K\x7f", "\\u000d\\u001b[2K\\u007f"},
		{"back\\slash", "back\\\\slash"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xb3",
			"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xb3"},
		{"\xc2\x9b"
		 "0m",
			"\\u009b0m"},
		{"\xe2\x80\xae"
		 "txt",
			"\\u202etxt"},
		{"\xe2\x80\xa8", "\\u2028"},
		{"\xff", "\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xc3", "\xef\xbf\xbd"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capture c;
		char want[200];

		capture_begin(&c, LOG_TEXT);
		log_warn("M", LOG_STR("k", rows[i].in));
		snprintf(want, sizeof(want), "\"%s\"\n", rows[i].want);
		CHECK_STR(rows[i].want, span_str(body(capture_end(&c), "] \"M\" k=")), want);
	}
}

/* However long, a line ends where it should and is still JSON. */
static void test_long(void)
{
	static char big[2 * LINE_MAX_];

	for (size_t n = LINE_MAX_ - 300; n < LINE_MAX_ + 50; n++) {
		struct capture c;
		size_t len;

		memset(big, n % 2 ? 'a' : '\n', n);
		big[n] = '\0';
		capture_begin(&c, LOG_JSON);
		log_warn("M", LOG_STR("a", big), LOG_STR("b", "x"), LOG_INT("n", INT64_MIN));
		len = strlen(capture_end(&c));
		CHECK_ROW("long", len <= LINE_MAX_ && len > 2, "%zu bytes", len);
		CHECK_ROW("long", strcmp(c.text + len - 2, "}\n") == 0, "ends in %s",
			c.text + (len > 40 ? len - 40 : 0));
		CHECK_ROW("long",
			!!strstr(c.text, "-9223372036854775808}\n") !=
				!!strstr(c.text, ",\"truncated\":true}\n"),
			"%zu: %s", n, c.text + (len > 60 ? len - 60 : 0));
	}
}

static void test_errno_survives(void)
{
	log_setup(&(struct log_options){.verbosity = 2, .fd = -1});
	errno = ENOENT;
	log_warn("Nobody reads this");
	CU_ASSERT_EQUAL(errno, ENOENT);
	log_setup(&(struct log_options){.verbosity = 2, .fd = STDERR_FILENO});
}

CU_TestInfo log_tests[] = {
	{"text", test_text},
	{"JSON", test_json},
	{"no value forges a line", test_escapes},
	{"long lines", test_long},
	{"errno survives", test_errno_survives},
	CU_TEST_INFO_NULL,
};
