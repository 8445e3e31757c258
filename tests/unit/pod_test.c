/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/pod.h"

#include <errno.h>

#include "tests/unit/test.h"
#include "webhook/policy/resource.h"
#include "webhook/policy/result.h"
#include "webhook/policy/tee.h"

static const struct json_limits limits = {
	.max_bytes = 1 << 20, .max_nodes = 10000, .max_depth = 32};

/* Parses text (' for ") into doc and views it. */
static int view(
	struct pod *p, struct json *doc, const char *text, struct arena *a, struct error *err)
{
	char *copy = arena_strdup(a, span_str(text));

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	if (json_parse(doc, span_str(copy), &limits, err) < 0)
		return -EIO;
	return pod_view(p, json_root(doc), a, err);
}

static void test_view(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	static const enum container_kind kinds[] = {
		CONTAINER_APP, CONTAINER_APP, CONTAINER_INIT, CONTAINER_SIDECAR};
	struct error err = {0};
	struct pod p;

	CU_ASSERT_EQUAL(
		view(&p, &doc,
			"{'spec':{'initContainers':[{'name':'i','restartPolicy':null},"
			"{'restartPolicy':'Always','name':'\\u0073'}],'containers':[{'name':'a'},"
			"{'name':'b','resources':null,'env':null}],'runtimeClassName':'kata'},"
			"'metadata':{'generateName':'web-','annotations':{'n':null}}}",
			&a, &err),
		0);
	CHECK_STR("name", p.name, "web-");
	CHECK_STR("class", p.runtime_class, "kata");
	CU_ASSERT_EQUAL(p.n, 4);
	for (size_t i = 0; i < p.n && i < ARRAY_SIZE(kinds); i++)
		CHECK_ROW(
			p.containers[i].list, p.containers[i].kind == kinds[i], "container %zu", i);
	CHECK_STR("decoded", p.containers[3].name, "s");
	CU_ASSERT_EQUAL(p.containers[3].index, 1);
	CU_ASSERT_STRING_EQUAL(p.containers[3].list, "initContainers");
	CU_ASSERT_EQUAL(view(&p, &doc, "{'spec':{}}", &a, &err), 0);
	CU_ASSERT_EQUAL(p.n, 0);
	CHECK_STR("no class", p.runtime_class, "");
}

static void test_wrong_types(void)
{
	static const struct {
		const char *pod, *want;
	} rows[] = {
		{"[]", "spec must be an object"},
		{"{}", "spec must be an object"},
		{"{'spec':null}", "spec must be an object"},
		{"{'spec':{},'metadata':1}", "metadata must be an object"},
		{"{'spec':{},'metadata':{'annotations':[]}}",
			"metadata.annotations must be an object of strings"},
		{"{'spec':{},'metadata':{'annotations':{'a/b':1}}}",
			"metadata.annotations[\"a/b\"] must be a string"},
		{"{'spec':{},'metadata':{'labels':{'a':true}}}",
			"metadata.labels[\"a\"] must be a string"},
		{"{'spec':{'nodeSelector':{'a':{}}}}", "spec.nodeSelector[\"a\"] must be a string"},
		{"{'spec':{'runtimeClassName':1}}", "spec.runtimeClassName must be a string"},
		{"{'spec':{'overhead':[]}}", "spec.overhead must be an object"},
		{"{'spec':{'volumes':{}}}", "spec.volumes must be an array"},
		{"{'spec':{'volumes':[1]}}", "spec.volumes[0] must be an object"},
		{"{'spec':{'containers':{}}}", "spec.containers must be an array"},
		{"{'spec':{'initContainers':''}}", "spec.initContainers must be an array"},
		{"{'spec':{'containers':[{'name':'a'},1]}}",
			"spec.containers[1]: a container must be an object"},
		{"{'spec':{'containers':[{}]}}", "spec.containers[0]: name must be a string"},
		{"{'spec':{'initContainers':[{'name':'a','resources':1}]}}",
			"spec.initContainers[0]: resources must be an object"},
		{"{'spec':{'containers':[{'name':'a','resources':{'limits':1}}]}}",
			"spec.containers[0]: resources.limits must be an object"},
		{"{'spec':{'containers':[{'name':'a','resources':{'requests':[]}}]}}",
			"spec.containers[0]: resources.requests must be an object"},
		{"{'spec':{'containers':[{'name':'a','env':{}}]}}",
			"spec.containers[0]: env must be an array"},
		{"{'spec':{'containers':[{'name':'a','env':['A=1']}]}}",
			"spec.containers[0]: env[0] must be an object"},
		{"{'spec':{'containers':[{'name':'a','volumeMounts':1}]}}",
			"spec.containers[0]: volumeMounts must be an array"},
		{"{'spec':{'initContainers':[{'name':'a','restartPolicy':1}]}}",
			"spec.initContainers[0]: restartPolicy must be a string"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
		_cleanup_json_ struct json doc = {0};
		struct error err = {0};
		struct pod p;
		int r = view(&p, &doc, rows[i].pod, &a, &err);

		CHECK_ROW(rows[i].pod, r == -EBADMSG, "returned %d", r);
		CHECK_STR(rows[i].pod, span_str(err.message), rows[i].want);
	}
}

static void test_container_maximum(void)
{
	for (int n = POD_CONTAINERS_MAX; n <= POD_CONTAINERS_MAX + 1; n++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
		_cleanup_json_ struct json doc = {0};
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
		struct error err = {0};
		struct pod p;

		buf_puts(&text,
			"{'spec':{'initContainers':[{'name':'i'}],'containers':[{'name':'a'}");
		for (int i = 2; i < n; i++)
			buf_puts(&text, ",{'name':'a'}");
		buf_puts(&text, "]}}");
		CU_ASSERT_EQUAL(view(&p, &doc, text.p, &a, &err), 0);
		CU_ASSERT_EQUAL(p.crowded, n > POD_CONTAINERS_MAX);
		CU_ASSERT_EQUAL(p.n, n > POD_CONTAINERS_MAX ? 0 : (size_t)n);
	}
}

/* Every allocation may fail. */
static void test_no_memory(void)
{
	for (size_t max = 0, r = 1; r; max += 16) {
		_cleanup_arena_ struct arena text = ARENA_INIT(1 << 20);
		_cleanup_arena_ struct arena a = ARENA_INIT(max);
		_cleanup_json_ struct json doc = {0};
		struct error err = {0};
		struct pod p;

		view(&p, &doc,
			"{'spec':{'containers':[{'name':'\\u0061'}],'runtimeClassName':'\\u006b'},"
			"'metadata':{'name':'\\u006e'}}",
			&text, &err);
		r = pod_view(&p, json_root(&doc), &a, &err) < 0;
		if (r)
			CU_ASSERT_EQUAL(err.code, -ENOMEM);
	}
}

static void test_resource(void)
{
#define RESOURCES(limits, requests)                                                                \
	"{'spec':{'containers':[{'name':'a','resources':{'limits':" limits ",'requests':" requests \
	"}}]}}"
	static const struct {
		const char *pod;
		int code;
		int64_t n;
		const char *want; /* NULL: there is none */
	} rows[] = {
		{RESOURCES("{'sgx.intel.com/epc':'1Mi'}", "{'sgx.intel.com/epc':1048576}"), 0,
			1048576, ""},
		{RESOURCES("{'sgx.intel.com/epc':1e6}", "{'sgx.intel.com/epc':'1M'}"), 0, 1000000,
			""},
		{RESOURCES("{'sgx.intel.com/epc':'128Ti'}", "{'sgx.intel.com/epc':'128Ti'}"), 0,
			(int64_t)128 << 40, ""},
		{RESOURCES("{'sgx.intel.com/epc':'1000m'}", "null"), 0, 1, ""},
		{RESOURCES("{}", "{'sgx.intel.com/epc':0}"), 0, 0, ""},
		{RESOURCES("{'sgx.intel.com\\u002fepc':3}", "{}"), 0, 3, ""},
		{RESOURCES("{'cpu':1}", "{'sgx.intel.com/epcs':1}"), 0, 0, NULL},
		{"{'spec':{'containers':[{'name':'a'}]}}", 0, 0, NULL},
		{RESOURCES("{'sgx.intel.com/epc':'1Mi'}", "{'sgx.intel.com/epc':'1M'}"), -EDOM, 0,
			"container \"a\": limits and requests of sgx.intel.com/epc must be equal"},
		{RESOURCES("{'sgx.intel.com/epc':'0.5'}", "{}"), -EINVAL, 0,
			"container \"a\": resources.limits[\"sgx.intel.com/epc\"]: must be a whole "
			"number"},
		{RESOURCES("{}", "{'sgx.intel.com/epc':'1100m'}"), -EINVAL, 0,
			"container \"a\": resources.requests[\"sgx.intel.com/epc\"]: must be a "
			"whole"},
		{RESOURCES("{'sgx.intel.com/epc':-1}", "{}"), -EINVAL, 0, "not negative"},
		{RESOURCES("{'sgx.intel.com/epc':'8Ei'}", "{}"), -EINVAL, 0, "out of range"},
		{RESOURCES("{'sgx.intel.com/epc':'much'}", "{}"), -EINVAL, 0, "is not a quantity"},
		{RESOURCES("{'sgx.intel.com/epc':null}", "{}"), -EINVAL, 0, "expected a quantity"},
		{RESOURCES("{'sgx.intel.com/epc':{}}", "{}"), -EINVAL, 0, "expected a quantity"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
		_cleanup_json_ struct json doc = {0};
		struct error err = {0};
		struct amounts am;
		struct amount *epc = &am.v[RES_EPC];
		struct pod p;
		int r;

		if (view(&p, &doc, rows[i].pod, &a, &err) < 0) {
			CHECK_ROW(rows[i].pod, false, "%s", err.message);
			continue;
		}
		amounts_find(&am, p.containers[0].v);
		CU_ASSERT_FALSE(am.v[RES_ENCLAVE].present);
		CHECK_ROW(rows[i].pod, epc->present == (rows[i].want != NULL), "present: %d",
			epc->present);
		if (!rows[i].want)
			continue;
		r = amount_read(epc, p.containers[0].name, RESOURCE_EPC, &err);
		CHECK_ROW(rows[i].pod, r == rows[i].code, "returned %d", r);
		CHECK_ROW(rows[i].pod, r < 0 || epc->n == rows[i].n, "got %lld", (long long)epc->n);
		CHECK_ROW(rows[i].pod, strstr(err.message, rows[i].want), "got %s", err.message);
	}
}

/* What the scheduler charges (k8s.io/component-helpers/resource). */
static void test_effective(void)
{
	static const char overhead[] = "'overhead':{'sgx.intel.com/epc':'4','cpu':'250m'},";
	enum { A = CONTAINER_APP, S = CONTAINER_SIDECAR, I = CONTAINER_INIT, END = -1 };
	static const struct {
		const char *name;
		const char *overhead;
		int kinds[5];
		int64_t amounts[4];
		int code;
		int64_t want;
	} rows[] = {
		{"nothing", "", {END}, {0}, 0, 0},
		{"apps add up", "", {A, A, END}, {10, 20}, 0, 30},
		{"a small init container hides behind the apps", "", {A, A, I, END}, {10, 20, 25},
			0, 30},
		{"a large init container counts alone", "", {A, A, I, END}, {10, 20, 45}, 0, 45},
		{"init containers do not add up", "", {A, I, I, END}, {10, 8, 9}, 0, 10},
		{"a sidecar runs beside the apps", "", {A, S, END}, {10, 20}, 0, 30},
		{"a sidecar runs beside later init containers", "", {A, S, I, END}, {1, 20, 15}, 0,
			35},
		{"but not beside earlier ones", "", {A, I, S, END}, {1, 15, 20}, 0, 21},
		{"two sidecars, the init container between", "", {A, S, I, S, END}, {1, 20, 15, 30},
			0, 51},
		{"overhead", overhead, {A, S, I, END}, {1, 20, 15}, 0, 39},
		{"the largest", "", {A, A, END}, {INT64_MAX - 1, 1}, 0, INT64_MAX},
		{"apps overflow", "", {A, A, END}, {INT64_MAX, 1}, -ERANGE, 0},
		{"sidecars overflow", "", {S, S, END}, {INT64_MAX, 1}, -ERANGE, 0},
		{"both overflow", "", {A, S, END}, {INT64_MAX, 1}, -ERANGE, 0},
		{"init overflows", "", {S, I, END}, {INT64_MAX, 1}, -ERANGE, 0},
		{"overhead overflows", overhead, {A, END}, {INT64_MAX - 3}, -ERANGE, 0},
		{"overhead of another kind", "'overhead':{'cpu':'1'},", {A, END}, {3}, 0, 3},
		{"overhead null", "'overhead':{'sgx.intel.com/epc':null},", {A, END}, {3}, 0, 3},
		{"overhead in halves", "'overhead':{'sgx.intel.com/epc':0.5},", {A, END}, {3},
			-EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
		_cleanup_json_ struct json doc = {0};
		struct error err = {0};
		struct container containers[4];
		int64_t n = 0;
		struct pod p;
		int r;

		view(&p, &doc, arena_printf(&a, "{'spec':{%s'containers':[]}}", rows[i].overhead),
			&a, &err);
		p.containers = containers;
		for (p.n = 0; rows[i].kinds[p.n] != END; p.n++)
			containers[p.n] =
				(struct container){.kind = (enum container_kind)rows[i].kinds[p.n]};
		r = pod_effective(&p, rows[i].amounts, RESOURCE_EPC, &n, &err);
		CHECK_ROW(rows[i].name, r == rows[i].code, "returned %d: %s", r, err.message);
		CHECK_ROW(rows[i].name, n == rows[i].want, "got %lld", (long long)n);
		if (rows[i].overhead == overhead && r == 0) {
			CU_ASSERT_EQUAL(pod_effective(&p, rows[i].amounts, NULL, &n, &err), 0);
			CHECK_ROW(
				rows[i].name, n == rows[i].want - 4, "without: %lld", (long long)n);
		}
	}
}

static void test_tee_names(void)
{
	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++)
		CU_ASSERT_EQUAL(tee_parse(span_str(tee_name(t))), t);
	CU_ASSERT_STRING_EQUAL(tee_name(TEE_NONE), "none");
	CU_ASSERT_EQUAL(tee_parse(SPAN_LIT("none")), TEE_NONE);
	CU_ASSERT_EQUAL(tee_parse(SPAN_LIT("")), TEE_NONE);
	CU_ASSERT_EQUAL(tee_parse(SPAN_LIT("SGX")), TEE_NONE);
	CU_ASSERT_EQUAL(tee_parse(SPAN_LIT("sgx ")), TEE_NONE);
}

static void test_messages(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_arena_ struct arena full = ARENA_INIT(0);
	struct policy_result res = {0};

	CHECK_STR("short", utf8_cut(SPAN_LIT("abc"), 3), "abc");
	CHECK_STR("cut", utf8_cut(SPAN_LIT("abcd"), 3), "abc");
	CHECK_STR("between characters", utf8_cut(SPAN_LIT("ab\xe2\x82\xac"), 4), "ab");
	CHECK_STR("a whole character",
		utf8_cut(SPAN_LIT("ab\xe2\x82\xac"
				  "c"),
			5),
		"ab\xe2\x82\xac");
	for (int i = 0; i < 2; i++)
		policy_warn(&res, &a, "same %d", 1);
	CU_ASSERT_EQUAL(res.n_warnings, 1);
	policy_warn(&res, &a, "%0300d", 1);
	CU_ASSERT_EQUAL(strlen(res.warnings[1]), 256);
	for (int i = 0; i < 50; i++)
		policy_warn(&res, &a, "%d", i);
	CU_ASSERT_EQUAL(res.n_warnings, POLICY_WARNINGS_MAX);
	CU_ASSERT_EQUAL(policy_refuse(&res, &a, REASON_EpcMissing, "%s: no", "x"), 0);
	CU_ASSERT_EQUAL(res.verdict, VERDICT_REFUSED);
	CU_ASSERT_EQUAL(res.reason, REASON_EpcMissing);
	CU_ASSERT_STRING_EQUAL(res.message, "x: no");
	res.n_warnings = 0;
	policy_refuse(&res, &full, REASON_EpcMissing, "%s: no", "x");
	CU_ASSERT_STRING_EQUAL(res.message, reason_explanation(REASON_EpcMissing));
	policy_warn(&res, &full, "lost");
	CU_ASSERT_EQUAL(res.n_warnings, 0);
}

CU_TestInfo pod_tests[] = {
	{"view", test_view},
	{"wrong types", test_wrong_types},
	{"container maximum", test_container_maximum},
	{"no memory", test_no_memory},
	{"resource", test_resource},
	{"effective", test_effective},
	{"TEE names", test_tee_names},
	{"messages", test_messages},
	CU_TEST_INFO_NULL,
};
