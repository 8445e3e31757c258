/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/file_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/test.h"

static void count(void *ctx)
{
	++*(int *)ctx;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL(f);
	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

/* Turns the loop until n calls came, or 10 s have passed. */
static bool await(sd_event *event, const int *calls, int n)
{
	for (int i = 0; i < 100 && *calls < n; i++)
		sd_event_run(event, 100000);
	return *calls >= n;
}

/* What a Secret or ConfigMap volume does: a new folder, then ..data renamed over. */
static void swap_data(const char *dir, const char *target)
{
	char temp[512], data[512];

	snprintf(temp, sizeof(temp), "%s/..data_tmp", dir);
	snprintf(data, sizeof(data), "%s/..data", dir);
	CU_ASSERT_EQUAL(symlink(target, temp), 0);
	CU_ASSERT_EQUAL(rename(temp, data), 0);
}

static void remove_tree(const char *dir)
{
	static const char *const names[] = {"a.yaml", "new", "..data", NULL};
	char path[512];

	for (size_t i = 0; names[i]; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void test_changes(void)
{
	char dir[] = "/tmp/casemate-test-XXXXXX", path[512];
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct file_watch *w = NULL;
	const char *paths[] = {path, NULL};
	struct error err = {0};
	int calls = 0;

	CU_ASSERT_PTR_NOT_NULL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.yaml", dir);
	write_file(dir, "a.yaml", "1");
	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(file_watch_new(&w, event, paths, count, &calls, &err), 0);
	if (!w)
		return;
	write_file(dir, "a.yaml", "2");
	write_file(dir, "a.yaml", "3");
	CU_ASSERT(await(event, &calls, 1));
	CU_ASSERT_EQUAL(calls, 1); /* a burst is one change */
	write_file(dir, "new", "4");
	CU_ASSERT_EQUAL(rename(path, path), 0);
	CU_ASSERT(await(event, &calls, 2));
	swap_data(dir, "somewhere");
	CU_ASSERT(await(event, &calls, 3));
	file_watch_free(w);
	remove_tree(dir);
}

static void test_missing_folder(void)
{
	const char *paths[] = {"/nonexistent-folder/file", NULL};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct file_watch *w = NULL;
	struct error err = {0};

	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(file_watch_new(&w, event, paths, count, NULL, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/nonexistent-folder"));
}

CU_TestInfo file_watch_tests[] = {
	{"changes are noticed once a burst", test_changes},
	{"a missing folder is named", test_missing_folder},
	CU_TEST_INFO_NULL,
};
