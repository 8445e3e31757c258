/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"
#include "tests/unit/tree.h"

enum { LARGE = 300 * 1000, MAX = 10 };

/* More than a pipe holds, so that writing and reading wait for each other. */
static void *write_large(void *arg)
{
	_cleanup_close_ int fd = *(int *)arg;
	_cleanup_free_ char *bytes = malloc(LARGE);

	for (size_t i = 0; bytes && i < LARGE; i++)
		bytes[i] = (char)(i % 251);
	CU_ASSERT_EQUAL(io_write(fd, (struct span){bytes, bytes ? LARGE : 0}), 0);
	return NULL;
}

static bool is_large(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != (char)(i % 251))
			return false;
	return s.len == LARGE;
}

static void test_pipe(void)
{
	for (int as_secret = 0; as_secret < 2; as_secret++) {
		_cleanup_secret_ struct secret secret = {0};
		_cleanup_buf_ struct buf text = BUF_INIT(LARGE);
		pthread_t thread;
		int ends[2], r;

		if (pipe(ends) < 0 || pthread_create(&thread, NULL, write_large, &ends[1]) != 0) {
			CHECK_ROW("pipe", false, "%m");
			return;
		}
		r = as_secret ? io_read_secret(ends[0], LARGE, &secret) : io_read(ends[0], &text);
		pthread_join(thread, NULL);
		close(ends[0]);
		CHECK_ROW("read", r == 0, "%d", r);
		CU_ASSERT_TRUE(is_large(as_secret ? secret_view(&secret) : buf_view(&text)));
	}
}

static void test_bounds(void)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {{"", 0}, {"1", 0}, {"123456789", 0}, {"1234567890", 0}, {"12345678901", -E2BIG},
		{"123456789012", -E2BIG}};
	struct tree t;

	if (!tree_new(&t))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *row = rows[i].text;
		_cleanup_secret_ struct secret secret = {0};
		_cleanup_buf_ struct buf text = BUF_INIT(MAX);
		char step[64], path[128];
		int r, fd;

		snprintf(step, sizeof(step), "f /file %s", row);
		snprintf(path, sizeof(path), "%s/file", t.root);
		tree_step(&t, step);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = io_read(fd, &text);
		CHECK_ROW(row, r == rows[i].want, "%d", r);
		if (r == 0)
			CHECK_STR(row, buf_view(&text), row);
		lseek(fd, 0, SEEK_SET);
		r = io_read_secret(fd, MAX, &secret);
		CHECK_ROW(row, r == rows[i].want, "%d", r);
		if (r == 0)
			CHECK_STR(row, secret_view(&secret), row);
		else
			CHECK_ROW(row, !secret.p, "something was returned");
		close(fd);
	}
	tree_free(&t);
}

static void test_failures(void)
{
	_cleanup_close_ int folder = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	_cleanup_secret_ struct secret secret = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(MAX);

	CU_ASSERT_EQUAL(io_read(-1, &text), -EBADF);
	CU_ASSERT_EQUAL(io_read(folder, &text), -EISDIR);
	CU_ASSERT_EQUAL(io_read_secret(folder, MAX, &secret), -EISDIR);
	CU_ASSERT_PTR_NULL(secret.p);
	CU_ASSERT_EQUAL(io_write(folder, SPAN_LIT("x")), -EBADF);
	CU_ASSERT_EQUAL(io_write(full, SPAN_LIT("x")), -ENOSPC);
	CU_ASSERT_EQUAL(io_write(-1, SPAN_NONE), 0);
}

static void test_replace(void)
{
	static const struct {
		const char *name, *before, *after;
		mode_t mode;
	} rows[] = {
		{"a new one", NULL, "text", 0600},
		{"over another", "f /file before", "text", 0644},
		{"with nothing", "f /file before", "", 0600},
		{"a killed writer's remains", "f /file.new half", "text", 0600},
		{"not where a link leads", "l /file.new /nowhere/else", "text", 0600},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *row = rows[i].name;
		struct error err = {0};
		struct stat st = {0};
		struct tree t;
		char path[128], rest[136];

		if (!tree_new(&t))
			return;
		if (rows[i].before)
			tree_step(&t, rows[i].before);
		snprintf(path, sizeof(path), "%s/file", t.root);
		snprintf(rest, sizeof(rest), "%s.new", path);
		CHECK_ROW(row, io_replace(path, rows[i].mode, span_str(rows[i].after), &err) == 0,
			"%s", err.message);
		CHECK_STR(row, span_str(tree_text(&t, "/file")), rows[i].after);
		CHECK_ROW(row, stat(path, &st) == 0 && (st.st_mode & 07777) == rows[i].mode, "%o",
			st.st_mode);
		CHECK_ROW(row, lstat(rest, &st) < 0 && errno == ENOENT, "something is left");
		tree_free(&t);
	}
}

/* What cannot be replaced stays, and nothing is left beside it. */
static void test_not_replaced(void)
{
	struct error err = {0};
	struct stat st;
	struct tree t;
	char path[128], rest[136];

	if (!tree_new(&t))
		return;
	tree_step(&t, "f /file/below it");
	snprintf(path, sizeof(path), "%s/file", t.root);
	snprintf(rest, sizeof(rest), "%s.new", path);
	CU_ASSERT_EQUAL(io_replace(path, 0600, SPAN_LIT("text"), &err), -EISDIR);
	CHECK_ROW("names it", strstr(err.message, path), "%s", err.message);
	CHECK_STR("stays", span_str(tree_text(&t, "/file/below")), "it");
	CU_ASSERT_TRUE(lstat(rest, &st) < 0 && errno == ENOENT);
	snprintf(path, sizeof(path), "%s/none/file", t.root);
	CU_ASSERT_EQUAL(io_replace(path, 0600, SPAN_LIT("text"), &err), -ENOENT);
	tree_free(&t);
}

CU_TestInfo io_tests[] = {
	{"through a pipe", test_pipe},
	{"as much as may be", test_bounds},
	{"failures", test_failures},
	{"a file is replaced", test_replace},
	{"or stays", test_not_replaced},
	CU_TEST_INFO_NULL,
};
