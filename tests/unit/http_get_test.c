/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/http_get.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/fake_server.h"
#include "tests/unit/test.h"

static void reply(void *ctx, unsigned n, const char *request, struct fake_reply *r)
{
	(void)ctx;
	(void)n;
	if (strstr(request, "GET /lost "))
		r->close = true;
	else if (strstr(request, "GET /cut ")) {
		fake_respond(r, 200, NULL, "0123456789");
		r->data.len -= 5;
		r->close = true;
	} else
		fake_respond(r, strstr(request, "GET /bad ") ? 503 : 200, NULL, "0123456789");
}

static int get(const struct fake_server *s, const char *path, struct buf *body, struct error *err)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", fake_server_port(s), path);
	return http_get(url, "test/1", body, err);
}

static void test_answers(void)
{
	static const struct {
		const char *name, *path;
		size_t max;
		int want;
		const char *body;
	} rows[] = {
		{"good", "/", 100, 200, "had:0123456789"},
		{"bad", "/bad", 100, 503, "had:0123456789"},
		{"as large as may be", "/", 14, 200, "had:0123456789"},
		{"too large", "/", 13, -E2BIG, "had:"},
		{"cut", "/cut", 100, -EIO, "had:"},
		{"lost", "/lost", 100, -EIO, "had:"},
	};
	struct fake_server *s = fake_server_start(reply, NULL);

	CU_ASSERT_PTR_NOT_NULL(s);
	for (size_t i = 0; s && i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf body = BUF_INIT(rows[i].max);
		struct error err = {0};
		int r;

		buf_puts(&body, "had:");
		r = get(s, rows[i].path, &body, &err);
		CHECK_ROW(rows[i].name, r == rows[i].want, "got %d, want %d", r, rows[i].want);
		CHECK_STR(rows[i].name, buf_view(&body), rows[i].body);
		CHECK_ROW(rows[i].name, (*err.message != '\0') == (r < 0), "%s", err.message);
	}
	if (s)
		fake_server_stop(s);
}

static void test_request(void)
{
	_cleanup_buf_ struct buf body = BUF_INIT(100);
	struct fake_server *s = fake_server_start(reply, NULL);
	_cleanup_free_ char *request = NULL;

	CU_ASSERT_PTR_NOT_NULL(s);
	if (!s)
		return;
	CU_ASSERT_EQUAL(get(s, "/a?b", &body, NULL), 200);
	request = fake_server_request(s, 0);
	CHECK_ROW("request",
		request && strstr(request, "GET /a?b HTTP/1.1\r\n") &&
			strstr(request, "\r\nUser-Agent: test/1\r\n") &&
			strstr(request, "\r\nAccept: */*\r\n"),
		"%s", request ? request : "none");
	fake_server_stop(s);
}

static void test_errors(void)
{
	_cleanup_buf_ struct buf body = BUF_INIT(100);
	struct fake_server *s = fake_server_start(reply, NULL);
	struct error err = {0};
	char url[64];

	CU_ASSERT_PTR_NOT_NULL(s);
	if (!s)
		return;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", fake_server_port(s));
	fake_server_stop(s);
	CU_ASSERT_EQUAL(http_get(url, "test/1", &body, &err), -EIO);
	CU_ASSERT(*err.message != '\0');
	CU_ASSERT(http_get("no URL", "test/1", &body, &err) < 0);
	CU_ASSERT(http_get("file:///etc/passwd", "test/1", &body, NULL) < 0);
	CU_ASSERT_EQUAL(body.len, 0);
}

CU_TestInfo http_get_tests[] = {
	{"answers", test_answers},
	{"the request", test_request},
	{"nobody there, no URL", test_errors},
	CU_TEST_INFO_NULL,
};
