/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/environment.h"

#include <string.h>

#include "tests/unit/test.h"

static void test_what_names_keys(void)
{
	static const struct {
		const char *name;
		const char *env[4];
		int want;
		size_t n, n_keys;
		const char *message; /* part of it */
	} rows[] = {
		{"nothing", {NULL}, 0, 0, 0, NULL},
		{"no keys", {"A=b", "PATH=/bin", NULL}, 0, 0, 0, NULL},
		{"one", {"A=casemate://p/k", NULL}, 0, 1, 1, NULL},
		{"one key twice", {"A=casemate://p/k", "B=casemate://p/k", NULL}, 0, 2, 1, NULL},
		{"two keys", {"A=casemate://p/k", "X=1", "B=casemate://p/l"}, 0, 2, 2, NULL},
		{"within a text", {"A=x casemate://p/k", NULL}, 0, 0, 0, NULL},
		{"without a value", {"casemate://p/k", NULL}, 0, 0, 0, NULL},
		{"an equals sign in it", {"A=casemate://p/k=", NULL}, -EINVAL, 0, 0, "variable A"},
		{"no key", {"SECRET_KEY=casemate://p", NULL}, -EINVAL, 0, 0, "variable SECRET_KEY"},
		{"a namespace", {"A=casemate://n/p/k", NULL}, -EINVAL, 0, 0, "PROFILE/KEY"},
		{"nothing behind it", {"A=casemate://", NULL}, -EINVAL, 0, 0, "variable A"},
		{"a quote", {"A=casemate://p/k\"", NULL}, -EINVAL, 0, 0, "variable A"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_exec_environment_ struct exec_environment e = {0};
		struct error err = {0};
		int r = exec_environment_read(&e, (char *const *)rows[i].env, &err);

		CHECK_ROW(rows[i].name, r == rows[i].want, "got %d, want %d", r, rows[i].want);
		if (r < 0) {
			CHECK_ROW(rows[i].name, strstr(err.message, rows[i].message), "%s",
				err.message);
			continue;
		}
		CHECK_ROW(rows[i].name, e.n == rows[i].n && e.n_keys == rows[i].n_keys, "%zu %zu",
			e.n, e.n_keys);
	}
}

/* In a confidential VM keys of any namespace can be named. */
static void test_resources(void)
{
	static const struct {
		const char *name, *value;
		int want;
		const char *key; /* NULL: it names none */
	} rows[] = {
		{"a resource", "kbs:///shop/payments/k", 0, "shop/payments/k"},
		{"a key of the pod's namespace", "casemate://payments/k", 0, "payments/k"},
		{"two parts", "kbs:///payments/k", -EINVAL, NULL},
		{"four parts", "kbs:///a/b/c/d", -EINVAL, NULL},
		{"no namespace's name", "kbs:///a_b/c/d", -EINVAL, NULL},
		{"a host", "kbs://host/a/b/c", 0, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		_cleanup_exec_environment_ struct exec_environment e = {.resources = i % 2};
		const char *key = rows[i / 2].key, *name = rows[i / 2].name;
		bool plain = !e.resources && strncmp(rows[i / 2].value, "kbs:", 4) == 0;
		char text[64], *env[] = {text, NULL};
		struct error err = {0};
		int r;

		snprintf(text, sizeof(text), "A=%s", rows[i / 2].value);
		r = exec_environment_read(&e, env, &err);
		CHECK_ROW(name, r == (plain ? 0 : rows[i / 2].want), "%d", r);
		CHECK_ROW(name, r == 0 || strstr(err.message, "variable A: "), "%s", err.message);
		if (r == 0 && key && !plain)
			CHECK_STR(name, e.keys[0], key);
		else
			CHECK_ROW(name, e.n == 0, "%zu", e.n);
	}
}

/* NAMEi=casemate://p/k<i % keys>, n of them. */
static int read_many(size_t n, size_t keys, struct error *err)
{
	_cleanup_exec_environment_ struct exec_environment e = {0};
	char text[EXEC_VARIABLES_MAX + 1][64], *env[EXEC_VARIABLES_MAX + 2] = {0};

	for (size_t i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "NAME%zu=casemate://p/k%zu", i, i % keys);
		env[i] = text[i];
	}
	return exec_environment_read(&e, env, err);
}

static void test_too_many(void)
{
	struct error err = {0};

	CU_ASSERT_EQUAL(read_many(EXEC_VARIABLES_MAX, DELIVERY_KEYS_MAX, &err), 0);
	CU_ASSERT_EQUAL(read_many(EXEC_VARIABLES_MAX + 1, 1, &err), -E2BIG);
	CHECK_ROW("variables", strstr(err.message, "NAME64"), "%s", err.message);
	CU_ASSERT_EQUAL(read_many(DELIVERY_KEYS_MAX + 1, DELIVERY_KEYS_MAX + 1, &err), -E2BIG);
	CHECK_ROW("keys", strstr(err.message, "NAME32"), "%s", err.message);
}

static void test_keys_take_their_place(void)
{
	_cleanup_exec_environment_ struct exec_environment e = {0};
	const char *env[] = {
		"A=casemate://p/k", "X=1", "B=casemate://p/l", "C=casemate://p/k", NULL};
	struct secret keys[2] = {0};

	CU_ASSERT_EQUAL(exec_environment_read(&e, (char *const *)env, NULL), 0);
	CHECK_STR("first variable", exec_environment_variable(&e, 0), "A");
	CHECK_STR("second", exec_environment_variable(&e, 1), "B");
	CHECK_STR("none", exec_environment_variable(&e, 2), "");
	CU_ASSERT_EQUAL(secret_copy(&keys[0], SPAN_LIT("s3cr=t")), 0);
	CU_ASSERT_EQUAL(secret_copy(&keys[1], SPAN_LIT("")), 0);
	CU_ASSERT_EQUAL(exec_environment_fill(&e, (char **)env, keys, NULL), 0);
	CU_ASSERT_STRING_EQUAL(env[0], "A=s3cr=t");
	CU_ASSERT_STRING_EQUAL(env[1], "X=1");
	CU_ASSERT_STRING_EQUAL(env[2], "B=");
	CU_ASSERT_STRING_EQUAL(env[3], "C=s3cr=t");
	secret_free(&keys[0]);
	secret_free(&keys[1]);
}

static void test_a_key_with_a_zero(void)
{
	_cleanup_exec_environment_ struct exec_environment e = {0};
	const char *env[] = {"A=casemate://p/k", NULL};
	struct secret key = {0};
	struct error err = {0};

	CU_ASSERT_EQUAL(exec_environment_read(&e, (char *const *)env, NULL), 0);
	CU_ASSERT_EQUAL(secret_copy(&key, (struct span){"xyz\0w", 5}), 0);
	CU_ASSERT_EQUAL(exec_environment_fill(&e, (char **)env, &key, &err), -EILSEQ);
	CU_ASSERT_STRING_EQUAL(env[0], "A=casemate://p/k");
	CHECK_ROW("message", strstr(err.message, "variable A: key p/k"), "%s", err.message);
	CHECK_ROW("no key in it", !strstr(err.message, "xyz"), "%s", err.message);
	secret_free(&key);
}

const CU_TestInfo exec_environment_tests[] = {
	{"resources", test_resources},
	{"what names keys, and what only seems to", test_what_names_keys},
	{"too many", test_too_many},
	{"keys take their place", test_keys_take_their_place},
	{"a key that no variable can hold", test_a_key_with_a_zero},
	CU_TEST_INFO_NULL,
};
