/* SPDX-License-Identifier: Apache-2.0
 *
 * Guests that ask by themselves: which init-data they were started with. */
#include <openssl/sha.h>

#include "common/kbs/key_id.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"
#include "webhook/broker/grant.h"
#include "webhook/broker/init_data.h"
#include "webhook/policy/guest_init_data.h"

#define HEX16     "11111111111111111111111111111111"
#define HEX48     HEX16 HEX16 HEX16
#define OWN       "2222222222222222222222222222222222222222222222222222222222222222"
#define TDX(init) "'tdx':{'mrtd':'" HEX48 "','rtmrs':{'1':'" HEX48 "','2':'" HEX48 "'}" init "}"
#define SNP(init) "'snp':{'measurement':'" HEX48 "'" init "}"
#define KEY(name, of)                                                                              \
	"{'name':'" name "','type':'password','grant':{'evidenceOnly':true},'identities':['" of    \
	"']}"

static const char *const profiles[] = {
	PROFILE("pay",
		"'tee':'tdx','workload':{'containers':[{'name':'app','imageDigests':['sha256:" HEX16
			HEX16 "'],'command':['app']}]},'identities':["
		"{'name':'tdx'," TDX(
			",'initData':'Casemate'") "},"
						  "{'name':'snp'," SNP(
							  ",'initData':'Casemate'") "},"
										    "{'name':'own'"
										    "," TDX(",'"
											    "initDa"
											    "ta':'"
											    "sha256"
											    ":" OWN
											    "'") "}"
												 "]"
												 ","
												 "'"
												 "k"
												 "e"
												 "y"
												 "s"
												 "'"
												 ":"
												 "[" KEY("ours",
													 "tdx") "," KEY("amd",
													 "snp") "," KEY("own",
													 "own") "]"),
	NULL};

static void configure(struct policy_config *c, const char *url)
{
	c->guests.kbs_url = url;
	c->guests.kbs_ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
}

static void add(struct proven *p, const char *name, const unsigned char *v, size_t n, size_t len)
{
	struct measurement *m = &p->registers[p->n_registers++];

	*m = (struct measurement){.name = name, .len = len};
	memcpy(m->value, v, n < len ? n : len);
}

enum where { IN_FIELD, IN_PCR8, IN_NEITHER };

/* A guest whose registers are as the profile has them, started with this digest. */
static struct proven guest(enum tee_type tee, enum where where, const unsigned char *digest)
{
	static const char *const registers[] = {"mrtd", "rtmr1", "rtmr2", "measurement"};
	unsigned char ones[48], pcr[64] = {0}, none[32] = {0};
	struct proven p = {
		.tee = tee, .tcb = TCB_STATUS_N, .isv_prod_id = -1, .isv_svn = -1, .guest_svn = -1};

	memset(ones, 0x11, sizeof(ones));
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		add(&p, registers[i], ones, sizeof(ones), sizeof(ones));
	add(&p, "mrconfigid", where == IN_FIELD ? digest : none, 32, 48);
	add(&p, "hostData", where == IN_FIELD ? digest : none, 32, 32);
	if (where != IN_PCR8)
		return p;
	memcpy(pcr + 32, digest, 32);
	SHA256(pcr, sizeof(pcr), pcr);
	add(&p, PROVEN_PCR8, pcr, 32, 32);
	return p;
}

static const struct {
	const char *name, *key;
	enum tee_type tee;
	enum where where;
	int of; /* 0: Casemate's; 1: that of another configuration; 2: the user's own; 3: a bit off
		 */
	const char *says; /* NULL: granted */
} rows[] = {
	{"MRCONFIGID", "ours", TEE_TYPE_TDX, IN_FIELD, 0, NULL},
	{"HOST_DATA", "amd", TEE_TYPE_SNP, IN_FIELD, 0, NULL},
	{"PCR 8 beside TDX", "ours", TEE_TYPE_TDX, IN_PCR8, 0, NULL},
	{"PCR 8 beside SNP", "amd", TEE_TYPE_SNP, IN_PCR8, 0, NULL},
	{"the user's own", "own", TEE_TYPE_TDX, IN_FIELD, 2, NULL},
	{"the user's own in PCR 8", "own", TEE_TYPE_TDX, IN_PCR8, 2, NULL},
	{"none", "ours", TEE_TYPE_TDX, IN_NEITHER, 0,
		"spec.identities[0].tdx.initData is Casemate's for this profile now"},
	{"none on SNP", "amd", TEE_TYPE_SNP, IN_NEITHER, 0, "spec.identities[1].snp.initData"},
	{"another configuration's", "ours", TEE_TYPE_TDX, IN_FIELD, 1, "tdx.initData"},
	{"another configuration's in PCR 8", "amd", TEE_TYPE_SNP, IN_PCR8, 1, "snp.initData"},
	{"the user's own for Casemate's", "ours", TEE_TYPE_TDX, IN_FIELD, 2, "tdx.initData"},
	{"Casemate's for the user's own", "own", TEE_TYPE_TDX, IN_FIELD, 0,
		"spec.identities[2].tdx.initData is 222222222222…"},
	{"a bit off", "ours", TEE_TYPE_TDX, IN_FIELD, 3, "tdx.initData"},
	{"a bit off in PCR 8", "ours", TEE_TYPE_TDX, IN_PCR8, 3, "tdx.initData"},
};

static void test_decisions(void)
{
	unsigned char digests[4][INIT_DATA_DIGEST];
	_cleanup_fixture_ struct fixture f;
	const struct profile *p;

	fixture_init(&f);
	configure(&f.config, "https://broker.example");
	fixture_profiles(&f, profiles);
	p = profile_set_at(f.profiles, 0);
	if (!CHECK_ROW("profile", p->valid, "%s", p->message))
		return;
	CU_ASSERT_EQUAL(guest_init_data_digest(digests[0], &f.config, p), 0);
	memcpy(digests[3], digests[0], INIT_DATA_DIGEST);
	digests[3][INIT_DATA_DIGEST - 1] ^= 1;
	configure(&f.config, "https://elsewhere.example");
	CU_ASSERT_EQUAL(guest_init_data_digest(digests[1], &f.config, p), 0);
	memset(digests[2], 0x22, INIT_DATA_DIGEST);
	configure(&f.config, "https://broker.example");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct proven proven = guest(rows[i].tee, rows[i].where, digests[rows[i].of]);
		struct requester who = {0};
		struct key_id id = {"shop", "pay", ""};
		struct grant_request q = {.config = &f.config,
			.profiles = f.profiles,
			.id = &id,
			.proven = &proven,
			.who = &who};
		enum reason reason;
		const char *message;

		strcpy(id.key, rows[i].key);
		CU_ASSERT_EQUAL(grant_decide(&q, &f.a, &reason, &message), 0);
		CHECK_ROW(rows[i].name,
			reason == (rows[i].says ? REASON_IdentityNotAllowed : REASON_Ok), "%s: %s",
			reason_name(reason), message);
		if (rows[i].says)
			CHECK_ROW(rows[i].name, strstr(message, rows[i].says), "%s", message);
	}
}

/* Enclaves and simulated TEEs have no init-data here, whatever their registers are called. */
static void test_of_no_guest(void)
{
	static const enum tee_type others[] = {TEE_TYPE_SGX, TEE_TYPE_SIMULATED};
	unsigned char digest[INIT_DATA_DIGEST] = {1};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct proven p = guest(others[i], IN_FIELD, digest);

		CU_ASSERT_FALSE(init_data_proven(&p, digest, sizeof(digest)));
	}
	for (size_t n = 0; n < sizeof(digest); n++) { /* a shorter digest is another */
		struct proven p = guest(TEE_TYPE_TDX, IN_PCR8, digest);

		CU_ASSERT_FALSE(init_data_proven(&p, digest, n));
	}
}

/* What is refused as a profile. */
static void test_profiles(void)
{
	static const struct {
		const char *name, *text, *says;
		bool configured;
	} cases[] = {
		{"not configured",
			PROFILE("p", "'tee':'tdx','identities':[{'name':'i'," TDX(
					     ",'initData':'Casemate'") "}]"),
			"spec.identities[0].tdx.initData: Casemate needs configuration", false},
		{"another word",
			PROFILE("p", "'tee':'tdx','identities':[{'name':'i'," TDX(
					     ",'initData':'casemate'") "}]"),
			"spec.identities[0].tdx.initData: \"casemate\" is no digest", true},
		{"capitals",
			PROFILE("p", "'tee':'tdx','identities':[{'name':'i'," TDX(
					     ",'initData':'sha256:AA" HEX16 HEX16 "'") "}]"),
			"is no digest", true},
		{"alone",
			PROFILE("p", "'tee':'tdx','identities':[{'name':'i','tdx':{'initData':"
				     "'Casemate'}}]"),
			"needs mrtd or rtmrs", true},
		{"with hostData",
			PROFILE("p", "'tee':'snp','identities':[{'name':'i'," SNP(
					     ",'initData':'Casemate','hostData':'" OWN "'") "}]"),
			"has both initData and hostData", true},
		{"code that is not pinned",
			PROFILE("p",
				"'tee':'snp','identities':[{'name':'i'," SNP(
					",'initData':'Casemate'") "}],'keys':[" KEY("k", "i") "]"),
			"does not pin the code", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const texts[] = {cases[i].text, NULL};
		_cleanup_fixture_ struct fixture f;
		const struct profile *p;

		fixture_init(&f);
		if (cases[i].configured)
			configure(&f.config, "https://broker.example");
		fixture_profiles(&f, texts);
		p = profile_set_at(f.profiles, 0);
		CHECK_ROW(cases[i].name, !p->valid && strstr(p->message, cases[i].says), "%s",
			p->message);
	}
}

/* The setting's text, or one that is refused. */
static void test_configuration(void)
{
	struct span open = vector("synthetic/guest-open.toml");
	const char *begin = strstr(open.p, "-----BEGIN"), *end = strstr(open.p, "-----END");
	_cleanup_free_ char *ca = strndup(begin, (size_t)(end + 26 - begin));
	const struct {
		const char *name, *url, *ca, *says; /* says NULL: accepted */
	} cases[] = {
		{"both", "https://broker.example:8445", ca, NULL},
		{"none", "", "", NULL},
		{"no certificate", "https://broker.example", "", "guests.kbsCa: needed"},
		{"no PEM", "https://broker.example", "abc", "guests.kbsCa"},
		{"no TLS", "http://broker.example", ca, "guests.kbsUrl"},
		{"no host", "https://", ca, "guests.kbsUrl"},
		{"a quote", "https://a'''\nx", ca, "guests.kbsUrl"},
		{"a backslash", "https://a\\u0000", ca, "guests.kbsUrl"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
		struct policy_config c;
		struct error err = {0};
		int r;

		policy_config_default(&c, &a, NULL);
		c.guests.kbs_url = cases[i].url;
		c.guests.kbs_ca = cases[i].ca;
		r = policy_config_finish(&c, &a, &err);
		CHECK_ROW(
			cases[i].name, r == (cases[i].says ? -EINVAL : 0), "%d %s", r, err.message);
		if (cases[i].says)
			CHECK_ROW(cases[i].name, strstr(err.message, cases[i].says), "%s",
				err.message);
		else if (*cases[i].ca)
			CU_ASSERT_STRING_EQUAL(c.guests.kbs_ca, ca);
	}
}

const CU_TestInfo guest_grant_tests[] = {
	{"decisions", test_decisions},
	{"what is no guest", test_of_no_guest},
	{"profiles", test_profiles},
	{"configuration", test_configuration},
	CU_TEST_INFO_NULL,
};
