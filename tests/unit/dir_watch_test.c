/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/dir_watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/fake_kubelet.h"
#include "tests/unit/test.h"

struct seen {
	char entries[256]; /* "+a -a " */
	unsigned looks;
};

static void on_entry(void *ctx, const char *name, bool there)
{
	struct seen *s = ctx;
	size_t n = strlen(s->entries);

	snprintf(s->entries + n, sizeof(s->entries) - n, "%c%s ", there ? '+' : '-', name);
}

static void on_look(void *ctx)
{
	struct seen *s = ctx;

	s->looks++;
}

struct fix {
	char root[32], dir[64];
	sd_event *event;
	struct dir_watch *watch;
	struct seen seen;
};

/* Runs a shell command in a folder. */
static void run(const char *folder, const char *what)
{
	char command[160];

	snprintf(command, sizeof(command), "cd %s && %s", folder, what);
	CU_ASSERT_EQUAL(system(command), 0);
}

static bool set_up(struct fix *f, bool make, int64_t poll_usec)
{
	struct dir_watch_options o = {
		.path = f->dir, .entry = on_entry, .look = on_look, .ctx = &f->seen};

	*f = (struct fix){.root = "/tmp/casemate-test-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL(mkdtemp(f->root));
	snprintf(f->dir, sizeof(f->dir), "%s/a/b", f->root);
	if (make)
		run(f->root, "mkdir -p a/b");
	o.poll_usec = poll_usec;
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	CU_ASSERT_EQUAL(dir_watch_new(&f->watch, f->event, &o, NULL), 0);
	return f->watch;
}

static void tear_down(struct fix *f)
{
	dir_watch_free(f->watch);
	sd_event_unref(f->event);
	run(f->root, "rm -rf \"$PWD\"");
}

static bool sees(struct fix *f, const char *entries)
{
	bool ok = FAKE_UNTIL(f->event, strcmp(f->seen.entries, entries) == 0);

	CHECK_STR("entries", span_str(f->seen.entries), entries);
	f->seen.entries[0] = '\0';
	return ok;
}

static void test_entries(void)
{
	struct fix f;

	if (!set_up(&f, true, 0))
		return;
	fake_kubelet_wait(f.event, 20000);
	run(f.dir, ">one; mv one two; rm two; mkdir sub");
	CU_ASSERT(sees(&f, "+one -one +two -two +sub "));
	CU_ASSERT_EQUAL(f.seen.looks, 0);
	run(f.dir, ">sub/one; echo >>sub/one");
	fake_kubelet_wait(f.event, 20000);
	CU_ASSERT_STRING_EQUAL(f.seen.entries, "");
	tear_down(&f);
}

static void test_comes(void)
{
	struct fix f;

	if (!set_up(&f, false, 0))
		return;
	run(f.root, "mkdir other"); /* not on the way */
	fake_kubelet_wait(f.event, 20000);
	CU_ASSERT_EQUAL(f.seen.looks, 0);
	run(f.root, "mkdir a");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks == 1));
	run(f.root, "rmdir a");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks == 2));
	run(f.root, "mkdir -p a/b");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks >= 3));
	fake_kubelet_wait(f.event, 20000);
	CU_ASSERT_STRING_EQUAL(f.seen.entries, "");
	run(f.dir, ">one");
	CU_ASSERT(sees(&f, "+one "));
	tear_down(&f);
}

static void test_replaced(void)
{
	struct fix f;
	unsigned looks;

	if (!set_up(&f, true, 0))
		return;
	run(f.root, "cd a; mv b old; mkdir b");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks == 1));
	run(f.root, "cd a; >old/ignored; >b/one");
	CU_ASSERT(sees(&f, "+one "));
	run(f.root, "rm -r a/b");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks == 2));
	CU_ASSERT(sees(&f, "-one "));
	looks = f.seen.looks;
	run(f.root, "mkdir a/b");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks > looks));
	run(f.dir, ">two");
	CU_ASSERT(sees(&f, "+two "));
	/* With its parent, which is not watched: whoever notices has it watched anew. */
	run(f.root, "mv a old; mkdir -p a/b");
	fake_kubelet_wait(f.event, 20000);
	dir_watch_renew(f.watch);
	looks = f.seen.looks;
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks > looks));
	run(f.dir, ">three");
	CU_ASSERT(sees(&f, "+three "));
	tear_down(&f);
}

static void test_poll(void)
{
	struct fix f;

	if (!set_up(&f, true, 20000))
		return;
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks == 3));
	run(f.dir, ">one");
	CU_ASSERT(FAKE_UNTIL(f.event, f.seen.looks == 5));
	CU_ASSERT_STRING_EQUAL(f.seen.entries, "");
	tear_down(&f);
}

CU_TestInfo dir_watch_tests[] = {
	{"entries", test_entries},
	{"a folder that comes later", test_comes},
	{"a folder that is replaced", test_replaced},
	{"polling", test_poll},
	CU_TEST_INFO_NULL,
};
