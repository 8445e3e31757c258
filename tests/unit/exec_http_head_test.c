/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/http_head.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

enum { LENGTH_MAX = 32768 };

static const struct {
	const char *name, *head;
	int want, status;
	size_t length;
} rows[] = {
	{"as the guest components answer",
		"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: "
		"32\r\n"
		"date: Sat, 28 Nov 2026 12:00:00 GMT\r\n\r\n",
		0, 200, 32},
	{"HTTP/1.0", "HTTP/1.0 404\r\nContent-Length:0 \r\n\r\n", 0, 404, 0},
	{"the longest", "HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 32768\r\n\r\n", 0, 200, 32768},
	{"too long", "HTTP/1.1 200 OK\r\ncontent-length: 32769\r\n\r\n", -EBADMSG, 0, 0},
	{"beyond a number", "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551617\r\n\r\n",
		-EBADMSG, 0, 0},
	{"negative", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", -EBADMSG, 0, 0},
	{"no length", "HTTP/1.1 200 OK\r\n\r\n", -EBADMSG, 0, 0},
	{"an empty length", "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n", -EBADMSG, 0, 0},
	{"two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
		-EBADMSG, 0, 0},
	{"chunks", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
		-EBADMSG, 0, 0},
	{"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", -EBADMSG, 0, 0},
	{"HTTP/2", "HTTP/2.0 200 OK\r\ncontent-length: 1\r\n\r\n", -EBADMSG, 0, 0},
	{"a status of letters", "HTTP/1.1 2x0 OK\r\ncontent-length: 1\r\n\r\n", -EBADMSG, 0, 0},
	{"a long status", "HTTP/1.1 2000 OK\r\ncontent-length: 1\r\n\r\n", -EBADMSG, 0, 0},
	{"more behind", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", -EBADMSG, 0, 0},
	{"a cookie that would be a header of its own",
		"HTTP/1.1 200 OK\r\nset-cookie: a=b\nX: y\r\ncontent-length: 1\r\n\r\n", -EBADMSG,
		0, 0},
	{"a cookie without a value",
		"HTTP/1.1 200 OK\r\nset-cookie: ;x\r\ncontent-length: 1\r\n\r\n", -EBADMSG, 0, 0},
	{"nothing", "", -EBADMSG, 0, 0},
};

static void test_heads(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exec_http_head h = {.status = 1};
		struct error err = {0};
		int r = exec_http_head_read(&h, span_str(rows[i].head), LENGTH_MAX, &err);

		if (!CHECK_ROW(rows[i].name, r == rows[i].want, "%d: %s", r, err.message))
			continue;
		CHECK_ROW(rows[i].name,
			r < 0 ? h.status == 1 && *err.message
			      : h.status == rows[i].status && h.length == rows[i].length,
			"%d %zu", h.status, h.length);
	}
}

static void test_truncated_heads(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t n = 0; n < strlen(rows[i].head); n++) {
			_cleanup_free_ char *cut = strndup(rows[i].head, n);
			struct exec_http_head h;
			int r = exec_http_head_read(&h, (struct span){cut, n}, LENGTH_MAX, NULL);

			/* only what had too much behind may be good when cut */
			CHECK_ROW(rows[i].name, r == -EBADMSG || n == strlen(rows[i].head) - 1,
				"%zu: %d", n, r);
		}
}

static void test_cookies(void)
{
	static const struct {
		const char *name, *fields, *want;
	} cookies[] = {
		{"none", "", NULL},
		{"with attributes", "Set-Cookie: kbs-session-id=a.b-_; Expires=now; HttpOnly\r\n",
			"kbs-session-id=a.b-_"},
		{"alone", "set-cookie:kbs-session-id=a\r\n", "kbs-session-id=a"},
		{"the last one counts", "set-cookie: a=b\r\nset-cookie: c=d\r\n", "c=d"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cookies); i++) {
		struct exec_http_head h = {0};
		char head[256];

		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%scontent-length: 0\r\n\r\n",
			cookies[i].fields);
		CU_ASSERT_EQUAL(exec_http_head_read(&h, span_str(head), LENGTH_MAX, NULL), 0);
		CHECK_STR(cookies[i].name, h.cookie, cookies[i].want);
	}
}

const CU_TestInfo exec_http_head_tests[] = {
	{"cookies", test_cookies},
	{"heads", test_heads},
	{"heads cut short", test_truncated_heads},
	CU_TEST_INFO_NULL,
};
