/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/choice.h"

#include "tests/unit/policy_fixture.h"
#include "tests/unit/test.h"

#define AA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
/* A profile with those identities, and two keys that evidence alone gives. */
#define PROFILE(name, identities)                                                                  \
	"{'apiVersion':'casemate.dev/v1alpha1','kind':'EnclaveProfile','metadata':"                \
	"{'namespace':'shop','name':'" name                                                        \
	"','uid':'u'},'spec':{'tee':'sgx','identities':[" identities                               \
	"],'keys':[{'name':'k','type':'raw','grant':{'evidenceOnly':true}},"                       \
	"{'name':'l','type':'raw','grant':{'evidenceOnly':true}}]}}"
#define SGX(name, members) "{'name':'" name "','sgx':{'mrenclave':" members "}}"
#define MINE               "'" AA "'"
#define OTHER              "'" BB "'"

static const struct row {
	const char *name;
	const char *profiles[4];
	enum reason reason;
	const char *says; /* of a refusal; else the key: "profile/key" */
} rows[] = {
	{"its own", {PROFILE("p", SGX("i", MINE ",'gramineKey':'k'"))}, REASON_Ok, "p/k"},
	{"among others",
		{PROFILE("p", SGX("i", OTHER ",'gramineKey':'k'") "," SGX(
				      "j", MINE ",'gramineKey':'l'")),
			PROFILE("q", SGX("i", OTHER ",'gramineKey':'k'"))},
		REASON_Ok, "p/l"},
	{"twice the same",
		{PROFILE("p", SGX("i", MINE ",'gramineKey':'k'") "," SGX(
				      "j", MINE ",'minIsvSvn':1,'gramineKey':'k'"))},
		REASON_Ok, "p/k"},
	{"beside one without a key",
		{PROFILE("p", SGX("i", MINE)), PROFILE("q", SGX("i", MINE ",'gramineKey':'k'"))},
		REASON_Ok, "q/k"},
	{"SVN and product too",
		{PROFILE("p", SGX("i", MINE ",'isvProdId':3,'minIsvSvn':7,'gramineKey':'k'"))},
		REASON_Ok, "p/k"},
	{"two keys of one profile",
		{PROFILE("p",
			SGX("i", MINE ",'gramineKey':'k'") "," SGX("j", MINE ",'gramineKey':'l'"))},
		REASON_IdentityAmbiguous, "key k of EnclaveProfile p"},
	{"two profiles",
		{PROFILE("p", SGX("i", MINE ",'gramineKey':'k'")),
			PROFILE("q", SGX("i", MINE ",'gramineKey':'k'"))},
		REASON_IdentityAmbiguous, "key k of EnclaveProfile q"},
	{"another enclave", {PROFILE("p", SGX("i", OTHER ",'gramineKey':'k'"))},
		REASON_IdentityNotAllowed, "mrenclave " AA},
	{"an old SVN", {PROFILE("p", SGX("i", MINE ",'minIsvSvn':8,'gramineKey':'k'"))},
		REASON_IdentityNotAllowed, "mrenclave " AA},
	{"another product", {PROFILE("p", SGX("i", MINE ",'isvProdId':4,'gramineKey':'k'"))},
		REASON_IdentityNotAllowed, "mrenclave " AA},
	{"no gramineKey", {PROFILE("p", SGX("i", MINE))}, REASON_IdentityNotAllowed,
		"EnclaveProfile p in namespace shop has this enclave"},
	{"a profile that is not valid", {PROFILE("p", SGX("i", MINE ",'gramineKey':'m'"))},
		REASON_IdentityNotAllowed, "no valid EnclaveProfile"},
	{"no SGX",
		{PROFILE("p", "{'name':'i','tdx':{'mrtd':'" AA "00000000000000000000000000000000"
			      "'}}")},
		REASON_IdentityNotAllowed, "no valid EnclaveProfile"},
	{"no profiles", {NULL}, REASON_IdentityNotAllowed, "no valid EnclaveProfile"},
};

static void choose(const struct row *row)
{
	struct proven p = {.tee = TEE_TYPE_SGX, .isv_prod_id = 3, .isv_svn = 7, .n_registers = 1};
	enum reason reason = REASON_N;
	const char *message = NULL;
	struct key_id id = {0};
	char got[400] = "";
	struct fixture f;

	p.registers[0] = (struct measurement){.name = "mrenclave", .len = 32};
	memset(p.registers[0].value, 0xaa, 32);
	fixture_init(&f);
	fixture_profiles(&f, row->profiles);
	CU_ASSERT_EQUAL(choice_make(&id, f.profiles, &p, &f.a, &reason, &message), 0);
	CHECK_ROW(row->name, reason == row->reason, "%s: %s",
		reason < REASON_N ? reason_name(reason) : "none", message ? message : "");
	if (row->reason == REASON_Ok) {
		snprintf(got, sizeof(got), "%s/%s", id.profile, id.key);
		CHECK_STR(row->name, span_str(got), row->says);
		CHECK_STR(row->name, span_str(id.namespace_), "shop");
	} else {
		CHECK_ROW(row->name, message && strstr(message, row->says), "%s", message);
		CHECK_ROW(row->name, !id.key[0], "a key all the same");
	}
	fixture_free(&f);
}

static void test_choice(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		choose(&rows[i]);
}

const CU_TestInfo choice_tests[] = {
	{"choice", test_choice},
	CU_TEST_INFO_NULL,
};
