/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/folders.h"

#include <string.h>
#include <sys/stat.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

struct fix {
	struct tree t;
	char dir[80], state[80];
	struct key_folders f;
};

static bool set_up(struct fix *f)
{
	struct error err = {0};

	if (!tree_new(&f->t))
		return false;
	snprintf(f->dir, sizeof(f->dir), "%s/run", f->t.root);
	snprintf(f->state, sizeof(f->state), "%s/state", f->t.root);
	return CHECK_ROW(
		"init", key_folders_init(&f->f, f->dir, f->state, &err) == 0, "%s", err.message);
}

static bool there(const struct fix *f, const char *name, const char *entry)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s%s", f->dir, name, entry);
	return stat(path, &st) == 0;
}

static void test_ids(void)
{
	static const char *const good[] = {"key-0", "key-7", "key-4095"};
	static const char *const bad[] = {"key-", "key-07", "key-4096", "key-1x", "key-1/..",
		"ke-1", "", "key--1", ".", "key-99999"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_ROW(good[i], key_id_valid(good[i]), "refused");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_ROW(bad[i], !key_id_valid(bad[i]), "accepted");
}

static void test_renewed(void)
{
	struct fix f = {0};
	char first[KEY_FOLDER_NAME], second[KEY_FOLDER_NAME], other[KEY_FOLDER_NAME];

	if (!set_up(&f))
		return;
	CU_ASSERT_EQUAL(key_folders_renew(&f.f, "key-0", first, NULL), 0);
	CU_ASSERT_EQUAL(strspn(first, "0123456789abcdef"), 32);
	CU_ASSERT(there(&f, first, "/files") && there(&f, first, "/token") &&
		  there(&f, first, "/casemate-exec"));
	CU_ASSERT_EQUAL(key_folders_put(&f.f, first, "db.pem", SPAN_LIT("secret"), NULL), 0);
	CU_ASSERT(there(&f, first, "/files/db.pem"));
	CU_ASSERT_EQUAL(key_folders_renew(&f.f, "key-1", other, NULL), 0);
	CU_ASSERT_EQUAL(key_folders_renew(&f.f, "key-0", second, NULL), 0);
	CU_ASSERT(strcmp(first, second) != 0);
	CU_ASSERT_FALSE(there(&f, first, ""));
	CU_ASSERT(there(&f, second, "") && there(&f, other, ""));
	key_folders_forget(&f.f, "key-0", second);
	CU_ASSERT_FALSE(there(&f, second, ""));
	CU_ASSERT(there(&f, other, ""));
	tree_free(&f.t);
}

static void test_files(void)
{
	struct fix f = {0};
	char name[KEY_FOLDER_NAME], owner[KEY_OWNER_MAX], path[200];

	if (!set_up(&f))
		return;
	CU_ASSERT_EQUAL(key_folders_renew(&f.f, "key-0", name, NULL), 0);
	CU_ASSERT_EQUAL(key_folders_put(&f.f, name, "a", SPAN_LIT("one"), NULL), 0);
	CU_ASSERT_EQUAL(key_folders_put(&f.f, name, "a", SPAN_LIT("another"), NULL), 0);
	CU_ASSERT_EQUAL(key_folders_put(&f.f, name, "b", SPAN_LIT(""), NULL), 0);
	snprintf(path, sizeof(path), "/run/%s/files/a", name);
	CHECK_STR("replaced", span_str(tree_text(&f.t, path)), "another");
	key_folders_owner(&f.f, name, owner);
	CU_ASSERT_STRING_EQUAL(owner, "");
	CU_ASSERT_EQUAL(key_folders_own(&f.f, name, "1-2-3", NULL), 0);
	key_folders_owner(&f.f, name, owner);
	CU_ASSERT_STRING_EQUAL(owner, "1-2-3");
	key_folders_empty(&f.f, name);
	CU_ASSERT_FALSE(there(&f, name, "/files/a"));
	CU_ASSERT_FALSE(there(&f, name, "/files/b"));
	CU_ASSERT(there(&f, name, "/files"));
	tree_free(&f.t);
}

struct seen {
	unsigned n;
	char id[8], name[KEY_FOLDER_NAME];
};

static int see(void *ctx, const char *id, const char *name, struct error *err)
{
	struct seen *s = ctx;

	(void)err;
	s->n++;
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->name, sizeof(s->name), "%s", name);
	return 0;
}

static bool is_seen(void *ctx, const char *name)
{
	return strcmp(((struct seen *)ctx)->name, name) == 0;
}

/* A tmpfs is empty after a reboot; the names are the same, since the kubelet mounts those. */
static void test_after_a_reboot(void)
{
	struct fix f = {0};
	struct seen s = {0};
	char name[KEY_FOLDER_NAME];

	if (!set_up(&f))
		return;
	CU_ASSERT_EQUAL(key_folders_renew(&f.f, "key-3", name, NULL), 0);
	tree_step(&f.t, "- /run");
	tree_step(&f.t, "l /state/key-4 ../../etc");
	tree_step(&f.t, "f /state/key-5 x");
	tree_step(&f.t, "l /state/other 00000000000000000000000000000000");
	CU_ASSERT_EQUAL(key_folders_init(&f.f, f.dir, f.state, NULL), 0);
	tree_step(&f.t, "f /run/00000000000000000000000000000000/files/old x");
	tree_step(&f.t, "f /run/kept x");
	CU_ASSERT_EQUAL(key_folders_each(&f.f, see, &s, NULL), 0);
	CU_ASSERT_EQUAL(s.n, 1);
	CU_ASSERT_STRING_EQUAL(s.id, "key-3");
	CU_ASSERT_STRING_EQUAL(s.name, name);
	CU_ASSERT(there(&f, name, "/files") && there(&f, name, "/token"));
	CU_ASSERT_EQUAL(key_folders_sweep(&f.f, is_seen, &s, NULL), 0);
	CU_ASSERT_FALSE(there(&f, "00000000000000000000000000000000", ""));
	CU_ASSERT(there(&f, name, "") && there(&f, "kept", ""));
	tree_free(&f.t);
}

static void test_problems(void)
{
	struct fix f = {0};
	struct error err = {0};
	char name[KEY_FOLDER_NAME], path[KEY_FOLDER_PATH_MAX + 32];

	if (!set_up(&f))
		return;
	CU_ASSERT_EQUAL(key_folders_init(&f.f, "/nowhere/at/all", f.state, &err), -ENOENT);
	CHECK_ROW("path", strstr(err.message, "/nowhere/at/all"), "%s", err.message);
	CU_ASSERT_EQUAL(key_folders_init(&f.f,
				"/0123456789012345678901234567890123456789"
				"01234567890123456789012345678901",
				f.state, &err),
		-ENAMETOOLONG);
	CU_ASSERT_EQUAL(key_folders_init(&f.f, f.dir, f.state, NULL), 0);
	CU_ASSERT_EQUAL(key_folders_program(&f.f, "/nowhere", path, &err), -ENOENT);
	tree_step(&f.t, "f /program text");
	tree_step(&f.t, "- /run");
	CU_ASSERT(key_folders_renew(&f.f, "key-0", name, &err) < 0);
	CHECK_ROW("path", strstr(err.message, f.dir), "%s", err.message);
	tree_free(&f.t);
}

static void test_the_program(void)
{
	struct fix f = {0};
	char from[100], path[KEY_FOLDER_PATH_MAX + 32];
	struct stat st;

	if (!set_up(&f))
		return;
	snprintf(from, sizeof(from), "%s/program", f.t.root);
	for (int i = 0; i < 2; i++) {
		tree_step(&f.t, i ? "f /program newer" : "f /program old");
		CU_ASSERT_EQUAL(key_folders_program(&f.f, from, path, NULL), 0);
		CHECK_STR("content", span_str(tree_text(&f.t, "/state/casemate-exec")),
			i ? "newer" : "old");
		CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0555);
	}
	tree_free(&f.t);
}

const CU_TestInfo key_folders_tests[] = {
	{"device ids", test_ids},
	{"an id given again has a new folder", test_renewed},
	{"promised files", test_files},
	{"after a reboot", test_after_a_reboot},
	{"what cannot be made", test_problems},
	{"the program is replaced as a whole", test_the_program},
	CU_TEST_INFO_NULL,
};
