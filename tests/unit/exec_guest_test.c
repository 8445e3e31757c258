/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/guest.h"

#include <string.h>

#include "tests/unit/test.h"

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
	{"nothing", "", -EBADMSG, 0, 0},
};

static void test_heads(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exec_guest_head h = {.status = 1};
		struct error err = {0};
		int r = exec_guest_head_read(&h, span_str(rows[i].head), &err);

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
			struct exec_guest_head h;
			int r = exec_guest_head_read(&h, (struct span){cut, n}, NULL);

			/* only what had too much behind may be good when cut */
			CHECK_ROW(rows[i].name, r == -EBADMSG || n == strlen(rows[i].head) - 1,
				"%zu: %d", n, r);
		}
}

const CU_TestInfo exec_guest_tests[] = {
	{"heads", test_heads},
	{"heads cut short", test_truncated_heads},
	CU_TEST_INFO_NULL,
};
