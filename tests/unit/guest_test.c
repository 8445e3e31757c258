/* SPDX-License-Identifier: Apache-2.0
 *
 * What a profile adds to the pods whose TEE is a confidential VM. */
#include "webhook/policy/guest.h"

#include <openssl/sha.h>

#include "common/kbs/init_data.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"
#include "webhook/policy/guest_init_data.h"

/* Sealed secrets for the keys k and l of profile pay in namespace shop, and for one of namespace
 * bank. */
#define SEALED_K                                                                                   \
	"sealed.fakejwsheader.eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidmF1bHQiLCJuYW1lIjoia2JzOi8"     \
	"vL3Nob3AvcGF5L2siLCJwcm92aWRlciI6ImticyIsInByb3ZpZGVyX3NldHRpbmdzIjp7fSwiYW5ub3RhdGl"     \
	"vbnMiOnt9fQ.fakesignature"
#define SEALED_L                                                                                   \
	"sealed.fakejwsheader.eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidmF1bHQiLCJuYW1lIjoia2JzOi8"     \
	"vL3Nob3AvcGF5L2wiLCJwcm92aWRlciI6ImticyIsInByb3ZpZGVyX3NldHRpbmdzIjp7fSwiYW5ub3RhdGl"     \
	"vbnMiOnt9fQ.fakesignature"
#define SEALED_BANK                                                                                \
	"sealed.fakejwsheader.eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidmF1bHQiLCJuYW1lIjoia2JzOi8"     \
	"vL2JhbmsvcGF5L2siLCJwcm92aWRlciI6ImticyIsInByb3ZpZGVyX3NldHRpbmdzIjp7fSwiYW5ub3RhdGl"     \
	"vbnMiOnt9fQ.fakesignature"
#define SIGNED_K                                                                                   \
	"sealed.eyJhbGciOiJFUzI1NiIsImtpZCI6Im1pbmUifQ.eyJ2ZXJzaW9uIjoiMC4xLjAiLCJ0eXBlIjoidm"     \
	"F1bHQiLCJuYW1lIjoia2JzOi8vL3Nob3AvcGF5L2siLCJwcm92aWRlciI6ImticyIsInByb3ZpZGVyX3NldH"     \
	"RpbmdzIjp7fSwiYW5ub3RhdGlvbnMiOnt9fQ.c2lnbmF0dXJl"

#define KEY(name, var) "{'name':'" name "','type':'password','deliver':{'env':'" var "'}}"
#define TDX(more)      PROFILE("pay", "'tee':'tdx','keys':[" KEY("k", "SECRET") "]" more)
#define PAY            "'casemate.dev/profile':'pay'"
#define VAR(name, v)   "{'name':'" name "','value':'" v "'}"
#define ENVS(list)     "'env':[" list "]"
#define OWN(value)     "'" ANNOTATION_INIT_DATA "':'" value "'"
#define BEFORE(rest)   POD(PAY, rest)
#define AFTER(rest)    POD(PAY "," INJECTED, CLASS_TDX "," rest)

/* "algorithm = \"sha384\"\n" by gzip -n; and a text without. */
#define OWN_SHA384 "H4sIAAAAAAACA0vMSc8vyizJyFWwVVAqzkg0tjBR4gIA6huqqRUAAAA="
#define OWN_NONE   "H4sIAAAAAAACAytLLSrOzM9TsFVQMtAz1DNQ4gIA7xmeqhIAAAA="

static const char *const one[] = {TDX(""), NULL};
static const char *const two[] = {
	PROFILE("pay", "'tee':'tdx','keys':[" KEY("k", "SECRET") "," KEY("l", "OTHER") "]"), NULL};
static const char *const files[] = {
	PROFILE("pay",
		"'tee':'tdx','keys':[{'name':'k','type':'password','deliver':{'file':'/a'}}]"),
	NULL};
static const char *const node[] = {
	PROFILE("pay", "'tee':'node','keys':[{'name':'k','type':'password'}]"), NULL};

static const char ca[] = "-----BEGIN CERTIFICATE-----\n"
			 "MIIBmzCCAUGgAwIBAgIUJ/8VAqp19bbST7u4lLh1pTGfpxQwCgYIKoZIzj0EAwIw\n"
			 "IjEgMB4GA1UEAwwXY2FzZW1hdGUtdGVzdC1icm9rZXItY2EwIBcNMjYxMTI4MjAy\n"
			 "MTMxWhgPMjEyNjExMDQyMDIxMzFaMCIxIDAeBgNVBAMMF2Nhc2VtYXRlLXRlc3Qt\n"
			 "YnJva2VyLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6J/4oj97xpn1qQG+\n"
			 "Fe0TmCl/31O53gs5zzklVV0PDTHQlLShgd3vBTJVeggjeMfzhDFyZ19lqckC+jQZ\n"
			 "iQR1+qNTMFEwHQYDVR0OBBYEFBR7Ao4+2StR/GAj6HPfe2C1r5YlMB8GA1UdIwQY\n"
			 "MBaAFBR7Ao4+2StR/GAj6HPfe2C1r5YlMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI\n"
			 "zj0EAwIDSAAwRQIgIuGrJTYs+I2pVf8256QkEaC/cD6DwOc5Iowl/qr0XBYCIQD7\n"
			 "eqkGFodb6oq2AB83dyYWhw6pQ+A7IeKqNUeZe26arg==\n"
			 "-----END CERTIFICATE-----\n";

static void guests(struct policy_config *c)
{
	c->guests.kbs_url = "https://broker.example:8445";
	c->guests.kbs_ca = ca;
}

static void test_variables(void)
{
	static const struct mutate_row rows[] = {
		{.name = "a variable",
			.profiles = one,
			.pod = BEFORE(APPS(NAMED("a", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = AFTER(
				APPS(NAMED("a", "'image':'i'," ENVS(VAR("SECRET", SEALED_K)))))},
		{.name = "beside others",
			.profiles = two,
			.pod = BEFORE(APPS(NAMED("a", ENVS(VAR("X", "1"))))),
			.reason = REASON_Injected,
			.want = AFTER(
				APPS(NAMED("a", ENVS(VAR("X", "1") "," VAR("SECRET",
							SEALED_K) "," VAR("OTHER", SEALED_L)))))},
		{.name = "in listed containers",
			.profiles = one,
			.pod = POD(PAY ",'casemate.dev/containers':'b,i'",
				APPS(NAMED("a", "'image':'i'") "," NAMED(
					"b", "'image':'i'")) "," INITS(NAMED("i", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = POD(PAY ",'casemate.dev/containers':'b,i'," INJECTED,
				CLASS_TDX "," APPS(NAMED("a", "'image':'i'") "," NAMED(
					"b", "'image':'i'," ENVS(
						     VAR("SECRET", SEALED_K)))) "," INITS(NAMED("i",
					"'image':'i'," ENVS(VAR("SECRET", SEALED_K)))))},
		{.name = "in the one that has it",
			.profiles = one,
			.pod = BEFORE(APPS(NAMED("a", "'image':'i'") "," NAMED(
				"b", ENVS(VAR("SECRET", SEALED_K))))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", "'image':'i'") "," NAMED(
				"b", ENVS(VAR("SECRET", SEALED_K)))))},
		{.name = "files are said to be no files",
			.profiles = files,
			.pod = BEFORE(APPS(NAMED("a", "'image':'i'"))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", "'image':'i'"))),
			.warns = "casemate-webhook seal"},
		{.name = "a cloud's sealed secret",
			.profiles = one,
			.pod = BEFORE(APPS(NAMED("a", ENVS(VAR("SECRET", SEALED_K))))),
			.reason = REASON_Injected,
			.want = AFTER(APPS(NAMED("a", ENVS(VAR("SECRET", SEALED_K)))))},
		{.name = "resources of elsewhere with the user's own init-data",
			.profiles = one,
			.pod = POD(PAY "," OWN(OWN_SHA384),
				APPS(NAMED("a",
					ENVS(VAR("SECRET", SIGNED_K) "," VAR("B", SEALED_BANK))))),
			.reason = REASON_Injected,
			.want = POD(PAY "," INJECTED "," OWN(OWN_SHA384),
				CLASS_TDX "," APPS(NAMED("a",
					ENVS(VAR("SECRET", SIGNED_K) "," VAR("B", SEALED_BANK)))))},
	};

	RUN(rows);
}

static void test_refused(void)
{
#define REFUSED(title, tweak_, p, pod_, why, text)                                                 \
	{                                                                                          \
		.name = title, .tweak = tweak_, .profiles = p, .pod = pod_, .refused = true,       \
		.reason = why, .want = text                                                        \
	}
#define HAS(vars) BEFORE(APPS(NAMED("a", ENVS(vars))))
	static const char *const demands[] = {
		TDX(",'identities':[{'name':'i','tdx':{'mrtd':'"
		    "111111111111111111111111111111111111111111111111111111111111111111111111111111"
		    "111111111111111111','initData':'Casemate'}}]"),
		NULL};
	static const struct mutate_row rows[] = {
		REFUSED("the variable is taken", NULL, one, HAS(VAR("SECRET", "x")),
			REASON_KeyDeliveryConflict, "variable SECRET"),
		REFUSED("signed, without init-data of one's own", NULL, one,
			HAS(VAR("SECRET", SIGNED_K)), REASON_KeyDeliveryConflict,
			"variable SECRET"),
		REFUSED("another key", NULL, one, HAS(VAR("SECRET", SEALED_L)),
			REASON_KeyDeliveryConflict, "variable SECRET"),
		REFUSED("another namespace", NULL, one, HAS(VAR("B", SEALED_BANK)),
			REASON_NamespaceNotAllowed,
			"env B: a sealed secret names a key of namespace bank"),
		REFUSED("no sealed secret", NULL, one, HAS(VAR("B", "sealed.x")),
			REASON_KeyDeliveryConflict, "env B: a sealed secret"),
		REFUSED("no gzip", NULL, one, POD(PAY "," OWN("YWJj"), APPS(APP)),
			REASON_AnnotationInvalid, "cc_init_data is not base64 of gzip"),
		REFUSED("no algorithm", guests, one, POD(PAY "," OWN(OWN_NONE), APPS(APP)),
			REASON_AnnotationInvalid, "cc_init_data has no algorithm"),
		REFUSED("identities demand Casemate's", guests, demands,
			POD(PAY "," OWN(OWN_SHA384), APPS(APP)), REASON_AnnotationInvalid,
			"initData: Casemate"),
	};
#undef REFUSED
#undef HAS

	RUN(rows);
}

/* The pod after a mutation; missing: refused. */
static struct json_val mutated(struct fixture *f, const char *pod)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(INIT_DATA_MAX);
	struct policy_result res;

	f->rq.object = fixture_quoted(f, pod);
	CU_ASSERT_EQUAL(policy_mutate(&f->rq, "", &f->a, &patch, &res), 0);
	if (!CHECK_ROW(pod, res.verdict == VERDICT_MUTATED, "%s", res.message))
		return (struct json_val){0};
	return fixture_apply(f, f->rq.object, &patch);
}

static void test_init_data(void)
{
	_cleanup_patch_ struct patch again = PATCH_INIT(INIT_DATA_MAX);
	_cleanup_buf_ struct buf text = BUF_INIT(INIT_DATA_MAX);
	_cleanup_fixture_ struct fixture f;
	unsigned char digest[INIT_DATA_DIGEST_MAX], want[INIT_DATA_DIGEST];
	struct policy_result res;
	struct json_val pod;
	struct span value;

	fixture_init(&f);
	guests(&f.config);
	fixture_profiles(&f, one);
	pod = mutated(&f, BEFORE(APPS(APP)));
	value = json_str(json_find(pod, "metadata", "annotations", ANNOTATION_INIT_DATA), &f.a);
	CU_ASSERT_EQUAL(init_data_unpack(&text, value), 0);
	CU_ASSERT_EQUAL(init_data_digest(digest, buf_view(&text), NULL), INIT_DATA_DIGEST);
	CU_ASSERT_EQUAL(guest_init_data_digest(want, &f.config, profile_set_at(f.profiles, 0)), 0);
	CU_ASSERT(memcmp(digest, want, sizeof(want)) == 0);
	/* Once more: nothing to do. Under another CA it is somebody's own, which stays. */
	f.rq.object = pod;
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(policy_mutate(&f.rq, "", &f.a, &again, &res), 0);
		CHECK_ROW("again", res.verdict == VERDICT_PASSED, "%d %s", res.verdict,
			res.message ? res.message : "");
		f.config.guests.kbs_url = "https://elsewhere.example";
	}
	/* Other pods have none. */
	fixture_profiles(&f, node);
	pod = mutated(&f, BEFORE(APPS(APP)));
	CU_ASSERT_FALSE(
		json_exists(json_find(pod, "metadata", "annotations", ANNOTATION_INIT_DATA)));
}

/* A sandbox that is made anew would be started with it. */
static void test_fixed(void)
{
	static const struct {
		const char *name, *before, *after;
		bool refused;
	} rows[] = {
		{"kept", OWN(OWN_SHA384), OWN(OWN_SHA384), false},
		{"changed", OWN(OWN_SHA384), OWN(OWN_NONE), true},
		{"added", "", OWN(OWN_SHA384), true},
		{"removed", OWN(OWN_SHA384), "", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_fixture_ struct fixture f;
		struct policy_result res;
		char text[2][1024];

		fixture_init(&f);
		snprintf(text[0], sizeof(text[0]), POD("%s", CLASS_TDX "," APPS(APP)),
			rows[i].before);
		snprintf(text[1], sizeof(text[1]), POD("%s", CLASS_TDX "," APPS(APP)),
			rows[i].after);
		f.rq.operation = OP_UPDATE;
		f.rq.old_object = fixture_quoted(&f, text[0]);
		f.rq.object = fixture_quoted(&f, text[1]);
		CU_ASSERT_EQUAL(policy_validate(&f.rq, &f.a, &res), 0);
		CHECK_ROW(rows[i].name, (res.verdict == VERDICT_REFUSED) == rows[i].refused, "%s",
			res.message ? res.message : "passed");
	}
}

/* Byte for byte: what changes here changes what guests measure. */
static void test_texts(void)
{
	static const struct {
		const char *name, *profile, *vector;
	} rows[] = {
		{"anything may run", TDX(""), "synthetic/guest-open.toml"},
		{"a workload",
			TDX(",'access':{'exec':'Allow'},'workload':{'containers':[{'name':'app',"
			    "'imageDigests':['sha256:"
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],"
			    "'command':['python3','-c','print(\\u0027\\u0027\\u0027\\u007f\\n)'],"
			    "'env':['LANG','APP_*'],'mounts':['/data']},{'name':'side',"
			    "'imageDigests':['sha256:"
			    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb']}]"
			    "}"),
			"synthetic/guest-workload.toml"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(INIT_DATA_MAX);
		const char *const profiles[] = {rows[i].profile, NULL};
		_cleanup_fixture_ struct fixture f;

		fixture_init(&f);
		guests(&f.config);
		fixture_profiles(&f, profiles);
		CU_ASSERT_EQUAL(
			guest_init_data_write(&text, &f.config, profile_set_at(f.profiles, 0)), 0);
		CHECK_STR(rows[i].name, buf_view(&text), vector(rows[i].vector).p);
	}
}

static void test_without_configuration(void)
{
	unsigned char digest[INIT_DATA_DIGEST];
	_cleanup_fixture_ struct fixture f;

	fixture_init(&f);
	fixture_profiles(&f, one);
	CU_ASSERT_FALSE(guest_init_data_configured(&f.config));
	CU_ASSERT_EQUAL(
		guest_init_data_digest(digest, &f.config, profile_set_at(f.profiles, 0)), -ENOENT);
}

const CU_TestInfo guest_tests[] = {
	{"variables", test_variables},
	{"what is refused", test_refused},
	{"init-data", test_init_data},
	{"an update keeps it", test_fixed},
	{"the text of init-data", test_texts},
	{"without configuration", test_without_configuration},
	CU_TEST_INFO_NULL,
};
