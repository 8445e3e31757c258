/* SPDX-License-Identifier: Apache-2.0
 *
 * Which profile a pod gets. Objects are JSON with ' for ". */
#include "webhook/policy/profile.h"

#include <pthread.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/test.h"

#define PROFILE(ns, name, selector)                                                                \
	"{'metadata':{'name':'" name "','namespace':'" ns "'},'spec':{'tee':'sgx'" selector "}}"
#define LABELS(inside) ",'podSelector':{'matchLabels':{" inside "}}"
#define EXPR(inside)   ",'podSelector':{'matchExpressions':[{" inside "}]}"

static const char *const objects[] = {
	PROFILE("shop", "pay", LABELS("'app':'pay'")),
	PROFILE("shop", "silent", ""),
	PROFILE("shop", "broken", LABELS("'app':'broken'") ",'zzz':1"),
	PROFILE("shop", "both", LABELS("'app':'pay','tier':'db'")),
	PROFILE("shop", "in", EXPR("'key':'env','operator':'In','values':['prod','test']")),
	PROFILE("shop", "off", LABELS("'env':{}")),
	PROFILE("all", "all", ",'podSelector':{}"),
	PROFILE("not", "not", EXPR("'key':'env','operator':'NotIn','values':['prod']")),
	PROFILE("has", "has", EXPR("'key':'env','operator':'Exists'")),
	PROFILE("lacks", "lacks", EXPR("'key':'env','operator':'DoesNotExist'")),
	PROFILE("other", "pay", LABELS("'app':'pay'")),
	"{'metadata':{'name':",
};

/* The set; NULL when it is refused. It keeps nothing that it was given. */
static struct profile_set *set_of(
	const char *const *texts, size_t n, bool all, struct error *err)
{
	static const struct span enabled[] = {{"shop", 4}, {"all", 3}, {"not", 3}, {"has", 3},
		{"lacks", 5}, {"empty", 5}};
	_cleanup_fixture_ struct fixture f;
	struct profile_set *s = NULL;
	struct span *spans;

	fixture_init(&f);
	spans = arena_array(&f.a, struct span, n);
	for (size_t i = 0; i < n; i++)
		spans[i] = fixture_text(&f, texts[i]);
	profile_set_new(
		&s, spans, n, enabled, all ? 0 : ARRAY_SIZE(enabled), all, &f.config, err);
	return s;
}

static void test_match(void)
{
	static const struct {
		const char *namespace_, *labels, *want, *other;
	} table[] = {
		{"shop", "{'app':'pay'}", "pay", NULL},
		{"shop", "{'app':'pay','x':'y'}", "pay", NULL},
		{"shop", "{'app':'p\\u0061y'}", "pay", NULL},
		{"shop", "{'app':'pay','tier':'db'}", "both", "pay"},
		{"shop", "{'app':'broken'}", "broken", NULL},
		{"shop", "{'app':'other'}", NULL, NULL},
		{"shop", "{'env':'prod'}", "in", NULL},
		{"shop", "{'env':'dev'}", NULL, NULL},
		{"shop", "{}", NULL, NULL},
		{"shop", "[]", NULL, NULL},
		{"all", "{}", "all", NULL},
		{"all", "{'a':'b'}", "all", NULL},
		{"not", "{}", "not", NULL},
		{"not", "{'env':'dev'}", "not", NULL},
		{"not", "{'env':'prod'}", NULL, NULL},
		{"has", "{'env':''}", "has", NULL},
		{"has", "{'e':'env'}", NULL, NULL},
		{"lacks", "{'e':'env'}", "lacks", NULL},
		{"lacks", "{'env':'x'}", NULL, NULL},
		{"other", "{'app':'pay'}", NULL, NULL},
		{"nowhere", "{'app':'pay'}", NULL, NULL},
	};
	struct profile_set *s = set_of(objects, ARRAY_SIZE(objects), false, NULL);
	_cleanup_fixture_ struct fixture f;

	fixture_init(&f);
	if (!CHECK_ROW("set", s, "none"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *labels = table[i].labels;
		const struct profile *other = NULL, *p;

		p = profile_match(s, span_str(table[i].namespace_), fixture_quoted(&f, labels),
			&other);
		CHECK_STR(labels, span_str(p ? p->name : ""), table[i].want ? table[i].want : "");
		CHECK_STR(labels, span_str(other ? other->name : ""),
			table[i].other ? table[i].other : "");
	}
	CU_ASSERT_PTR_NULL(profile_match(
		s, span_str("has"), (struct json_val){0}, &(const struct profile *){NULL}));
	profile_set_unref(s);
}

static void test_set(void)
{
	struct profile_set *s = set_of(objects, ARRAY_SIZE(objects), false, NULL);
	const struct profile *p;
	size_t unreadable = 0;

	if (!CHECK_ROW("set", s, "none"))
		return;
	CU_ASSERT_EQUAL(profile_set_count(s), ARRAY_SIZE(objects));
	for (size_t i = 0; i < profile_set_count(s); i++) {
		p = profile_set_at(s, i);
		if (p->name[0] == '\0') {
			unreadable++;
			CU_ASSERT_EQUAL(p->reason, REASON_Malformed);
			continue;
		}
		CU_ASSERT_PTR_EQUAL(
			profile_find(s, span_str(p->namespace_), span_str(p->name)), p);
	}
	CU_ASSERT_EQUAL(unreadable, 1);
	CU_ASSERT_PTR_NULL(profile_find(s, span_str("shop"), span_str("all")));
	CU_ASSERT_PTR_NULL(profile_find(s, SPAN_NONE, SPAN_NONE));
	p = profile_find(s, span_str("other"), span_str("pay"));
	CU_ASSERT_FALSE(p->valid);
	CU_ASSERT_EQUAL(p->reason, REASON_NamespaceNotEnabled);
	CU_ASSERT_TRUE(profile_set_namespace_enabled(s, span_str("empty")));
	CU_ASSERT_FALSE(profile_set_namespace_enabled(s, span_str("other")));
	profile_set_unref(s);
	profile_set_unref(NULL);
}

static void test_standalone(void)
{
	struct profile_set *s = set_of(objects, ARRAY_SIZE(objects), true, NULL);

	if (!CHECK_ROW("set", s, "none"))
		return;
	CU_ASSERT_TRUE(profile_find(s, span_str("other"), span_str("pay"))->valid);
	CU_ASSERT_TRUE(profile_set_namespace_enabled(s, span_str("other")));
	CU_ASSERT_FALSE(profile_set_namespace_enabled(s, span_str("empty")));
	profile_set_unref(s);
}

static void test_twice(void)
{
	static const char *const same[] = {PROFILE("a", "b", ""), PROFILE("a", "c", ""),
		PROFILE("a", "b", "")};
	struct error err = {0};
	struct profile_set *s = set_of(same, 2, true, &err);

	CU_ASSERT_PTR_NOT_NULL(s);
	profile_set_unref(s);
	s = set_of(same, 3, true, &err);
	CU_ASSERT_PTR_NULL(s);
	CU_ASSERT_STRING_EQUAL(err.message, "profile a/b is there twice");
	s = set_of(NULL, 0, false, &err);
	CU_ASSERT_PTR_NOT_NULL(s);
	profile_set_unref(s);
}

static void *hold(void *s)
{
	for (int i = 0; i < 1000; i++) {
		struct profile_set *mine = profile_set_ref(s);

		if (!profile_find(mine, span_str("shop"), span_str("pay")))
			return s;
		profile_set_unref(mine);
	}
	profile_set_unref(s);
	return NULL;
}

static void test_threads(void)
{
	struct profile_set *s = set_of(objects, ARRAY_SIZE(objects), false, NULL);
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, hold, profile_set_ref(s)), 0);
	profile_set_unref(s);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *failed = NULL;

		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
}

CU_TestInfo profile_set_tests[] = {
	{"match", test_match},
	{"set", test_set},
	{"standalone", test_standalone},
	{"two of one name", test_twice},
	{"threads", test_threads},
	CU_TEST_INFO_NULL,
};
