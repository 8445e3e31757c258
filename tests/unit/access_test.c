/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are JSON with ' for ". */
#include "common/base/cleanup.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"

#define RUNNING(annotations) POD(annotations, APPS(APP) ",'runtimeClassName':'casemate-node'")
#define BY(name)             RUNNING("'casemate.dev/profile':'" name "'")
#define ONCALL               "{'groups':['system:authenticated','oncall']}"

static const char *const profiles[] = {
	PROFILE("exec", "'tee':'node','access':{'exec':'Allow'}"),
	PROFILE("attach", "'tee':'node','access':{'attach':'Allow'}"),
	PROFILE("forward", "'tee':'node','access':{'portForward':'Allow'}"),
	PROFILE("debug", "'tee':'node','access':{'ephemeralContainers':'Allow'}"),
	PROFILE("broken", "'tee':'node','access':{'exec':'Allow'},'x':1"),
	NULL,
};

static const struct {
	const char *name, *subresource, *pod, *user;
	enum reason reason;
	const char *refusal; /* NULL: passes */
	bool not_enabled;
} rows[] = {
	{"ordinary", "exec", POD("", APPS(APP)), "{}", REASON_NotConfidential, NULL, false},
	{"an annotation makes nobody confidential", "exec", POD("'casemate.dev/tee':'sgx'", APPS(APP)),
		"{}", REASON_NotConfidential, NULL, false},
	{"exec allowed", "exec", BY("exec"), "{}", REASON_Ok, NULL, false},
	{"exec denied", "exec", BY("attach"), "{}", REASON_AccessDenied,
		"exec is denied: pod \"p\" is confidential; set spec.access.exec: Allow in "
		"EnclaveProfile attach, or act as a member of a break-glass group", false},
	{"attach allowed", "attach", BY("attach"), "{}", REASON_Ok, NULL, false},
	{"attach denied", "attach", BY("exec"), "{}", REASON_AccessDenied, "spec.access.attach: Allow",
		false},
	{"port-forward allowed", "portforward", BY("forward"), "{}", REASON_Ok, NULL, false},
	{"port-forward denied", "portforward", BY("exec"), "{}", REASON_AccessDenied,
		"portforward is denied", false},
	{"proxy counts as port-forward", "proxy", BY("forward"), "{}", REASON_Ok, NULL, false},
	{"proxy denied", "proxy", BY("debug"), "{}", REASON_AccessDenied,
		"spec.access.portForward: Allow", false},
	{"unknown subresource", "teleport", BY("exec"), "{}", REASON_AccessDenied,
		"no profile can allow it", false},
	{"no profile", "exec", RUNNING(""), "{}", REASON_AccessDenied, "the pod has no EnclaveProfile",
		false},
	{"profile gone", "exec", BY("gone"), "{}", REASON_AccessDenied,
		"EnclaveProfile gone is missing or not valid", false},
	{"profile not valid", "exec", BY("broken"), "{}", REASON_AccessDenied,
		"EnclaveProfile broken is missing or not valid", false},
	{"namespace not enabled", "exec", BY("exec"), "{}", REASON_AccessDenied,
		"EnclaveProfile exec is missing or not valid", true},
	{"break-glass", "exec", RUNNING(""), ONCALL, REASON_BreakGlass, NULL, false},
	{"break-glass for anything", "teleport", BY("gone"), ONCALL, REASON_BreakGlass, NULL, false},
	{"another group", "exec", RUNNING(""), "{'groups':['oncal','oncall2',7]}", REASON_AccessDenied,
		"denied", false},
	{"groups of a wrong type", "exec", RUNNING(""), "{'groups':'oncall'}", REASON_AccessDenied,
		"denied", false},
	{"a user of that name", "exec", RUNNING(""), "{'username':'oncall'}", REASON_AccessDenied,
		"denied", false},
};

static void test_access(void)
{
	static const char *const groups[] = {"sre", "oncall"};
	_cleanup_fixture_ struct fixture f;

	fixture_init(&f);
	f.config.break_glass_groups = (struct strings){groups, ARRAY_SIZE(groups)};
	fixture_profiles(&f, profiles);
	f.rq.operation = OP_CONNECT;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_val pod = fixture_quoted(&f, rows[i].pod);
		struct policy_result res;

		f.rq.subresource = span_str(rows[i].subresource);
		f.rq.user = fixture_quoted(&f, rows[i].user);
		f.rq.namespace_enabled = !rows[i].not_enabled;
		CU_ASSERT_EQUAL(policy_access(&f.rq, pod, &f.a, &res), 0);
		CHECK_ROW(rows[i].name, res.reason == rows[i].reason, "%s", reason_name(res.reason));
		CHECK_ROW(rows[i].name, (res.verdict == VERDICT_REFUSED) == (rows[i].refusal != NULL),
			"%d", res.verdict);
		if (res.verdict == VERDICT_REFUSED && rows[i].refusal)
			CHECK_ROW(rows[i].name, strstr(res.message, rows[i].refusal), "%s",
				res.message);
		CHECK_ROW(rows[i].name, res.n_warnings == (rows[i].reason == REASON_BreakGlass),
			"%zu", res.n_warnings);
	}
}

static void test_unknown_pod(void)
{
	_cleanup_fixture_ struct fixture f;
	struct policy_result res;

	fixture_init(&f);
	f.rq.operation = OP_CONNECT;
	f.rq.subresource = SPAN_LIT("exec");
	CU_ASSERT_EQUAL(policy_access(&f.rq, (struct json_val){0}, &f.a, &res), 0);
	CU_ASSERT_EQUAL(res.verdict, VERDICT_REFUSED);
	CU_ASSERT_EQUAL(res.reason, REASON_PodUnknown);
}

/* Neither profiles nor user are known offline. */
static void test_nothing_known(void)
{
	_cleanup_fixture_ struct fixture f;
	struct policy_result res;

	fixture_init(&f);
	f.rq.profiles = NULL;
	f.rq.subresource = SPAN_LIT("exec");
	CU_ASSERT_EQUAL(policy_access(&f.rq, fixture_quoted(&f, BY("exec")), &f.a, &res), 0);
	CU_ASSERT_EQUAL(res.reason, REASON_AccessDenied);
}

CU_TestInfo access_tests[] = {
	{"who may enter", test_access},
	{"an unknown pod", test_unknown_pod},
	{"nothing is known", test_nothing_known},
	CU_TEST_INFO_NULL,
};
