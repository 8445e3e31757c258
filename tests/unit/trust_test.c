/* SPDX-License-Identifier: Apache-2.0
 *
 * Collateral by URL: real evidence is judged by what a service answered at its time. */
#include "webhook/trust/trust.h"

#include "common/base/clock.h"
#include "tests/unit/fake_pccs.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"
#include "tests/unit/trust_fix.h"
#include "tests/unit/vectors.h"

#define QUOTE "dcap-qvl/sgx_quote"
#define POLICY                                                                                     \
	"{\"acceptedTcbStatuses\":[\"UpToDate\",\"ConfigurationAndSWHardeningNeeded\"],"           \
	"\"acceptedAdvisories\":[\"INTEL-SA-00289\",\"INTEL-SA-00615\"],"                          \
	"\"measurements\":[{\"name\":\"any\",\"sgx\":{\"mrenclave\":"                              \
	"\"33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb\"}}]}"

enum { PATIENCE_SEC = 60, QUESTIONS = 4 };

struct fix {
	sd_event *event;
	struct fake_server *server;
	struct trust *trust;
	struct tree tree;
	char url[64];
	struct collateral_sources sources;
	struct examination e;
	_Atomic bool down;
};

static int64_t test_time;

static int64_t test_clock(void)
{
	return test_time;
}

static void serve(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct fix *f = ctx;

	(void)n;
	if (f->down || !fake_pccs_answer(request, reply))
		fake_respond(reply, f->down ? 503 : 404, NULL, "no");
}

static bool fix_begin(struct fix *f)
{
	const struct trust_options o = {.sources = &f->sources,
		.where = "policy",
		.policy = SPAN_LIT(POLICY),
		.clock = test_clock};
	struct trust_options options = o;
	struct error err = {0};

	*f = (struct fix){0};
	test_time = FAKE_PCCS_TIME;
	f->server = fake_server_start(serve, f);
	if (!tree_new(&f->tree) || !f->server || sd_event_new(&f->event) < 0)
		return CHECK_ROW("server", false, "none");
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", fake_server_port(f->server));
	f->sources = sources_none();
	f->sources.pccs = f->url;
	options.event = f->event;
	options.again = "come back";
	return CHECK_ROW("trust", trust_new(&f->trust, &options, &err) == 0, "%s", err.message);
}

static void fix_end(struct fix *f)
{
	examination_free(&f->e);
	trust_free(f->trust);
	fake_server_stop(f->server);
	sd_event_unref(f->event);
	tree_free(&f->tree);
}

/* The quote, whose report data is as wanted. */
static const struct verdict *examine_now(struct fix *f)
{
	struct span quote = vector(QUOTE);

	examination_free(&f->e);
	trust_examine(f->trust, quote, (const unsigned char *)quote.p + 48 + 320, test_time, &f->e);
	return &f->e.verdict;
}

static void check(struct fix *f, const char *row, enum reason want, bool waits)
{
	const struct verdict *v = examine_now(f);

	CHECK_ROW(row, v->reason == want && waits == (f->e.wait_sec > 0), "%s, wait %lld: %s",
		reason_name(v->reason), (long long)f->e.wait_sec, v->message);
}

/* Runs the loop until the collateral is another. */
static void wait_for_epoch(struct fix *f)
{
	uint64_t before = trust_examiner(f->trust).collateral->epoch;
	int64_t end = clock_monotonic_usec() + PATIENCE_SEC * (int64_t)USEC_PER_SEC;

	while (trust_examiner(f->trust).collateral->epoch == before && clock_monotonic_usec() < end)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	CU_ASSERT_NOT_EQUAL(trust_examiner(f->trust).collateral->epoch, before);
}

static void wait_for_questions(struct fix *f, unsigned n)
{
	int64_t end = clock_monotonic_usec() + PATIENCE_SEC * (int64_t)USEC_PER_SEC;

	while (fake_server_requests(f->server) < n && clock_monotonic_usec() < end)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	/* and what came of the last */
	for (int i = 0; i < 20; i++)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	CHECK_ROW("questions", fake_server_requests(f->server) == n, "%u",
		fake_server_requests(f->server));
}

/* A first node waits for a moment; the next ones cost no question. */
static void test_first(void)
{
	struct fix f;

	if (fix_begin(&f)) {
		check(&f, "first", REASON_CollateralMissing, true);
		CU_ASSERT_PTR_NOT_NULL(strstr(f.e.verdict.message, "is being fetched; come back"));
		CU_ASSERT(f.e.wait_sec < 30);
		check(&f, "another", REASON_CollateralMissing, true);
		wait_for_epoch(&f);
		for (int i = 0; i < 3; i++)
			check(&f, "then", REASON_Ok, false);
		wait_for_questions(&f, QUESTIONS);
	}
	fix_end(&f);
}

/* Another replica's node costs nobody a wait here, even where the service is gone by then. */
static void test_foreseen(void)
{
	struct basis b = {0};
	struct fix f;

	if (fix_begin(&f)) {
		check(&f, "there", REASON_CollateralMissing, true);
		wait_for_epoch(&f);
		check(&f, "there", REASON_Ok, false);
		basis_of(&b, &f.e.verdict, &f.e.evidence);
	}
	fix_end(&f);
	if (fix_begin(&f)) {
		trust_foresee(f.trust, &(struct basis){0});
		wait_for_questions(&f, 0);
		trust_foresee(f.trust, &b);
		trust_foresee(f.trust, &b);
		wait_for_epoch(&f);
		wait_for_questions(&f, QUESTIONS);
		f.down = true;
		trust_foresee(f.trust, &b);
		check(&f, "here", REASON_Ok, false);
		wait_for_questions(&f, QUESTIONS);
	}
	fix_end(&f);
}

/* What was changed on its way makes nobody ask. */
static void test_unproven(void)
{
	static char changed[8192];
	struct span quote = vector(QUOTE);
	struct fix f;

	memcpy(changed, quote.p, quote.len);
	/* the platform certificate's PEM */
	changed[436 + 64 + 64 + 384 + 64 + 2 + 32 + 6 + 600] ^= 1;
	if (fix_begin(&f)) {
		trust_examine(f.trust, (struct span){changed, quote.len},
			(const unsigned char *)quote.p, test_time, &f.e);
		CHECK_ROW("chain", f.e.verdict.reason == REASON_ChainInvalid, "%s",
			reason_name(f.e.verdict.reason));
		for (int i = 0; i < 20; i++)
			sd_event_run(f.event, 5 * USEC_PER_MSEC);
		CU_ASSERT_EQUAL(fake_server_requests(f.server), 0);
	}
	fix_end(&f);
}

/* A service that is down takes nothing away that holds, and the wait says what is wrong. */
static void test_down(void)
{
	struct fix f;

	if (fix_begin(&f)) {
		f.down = true;
		check(&f, "down", REASON_CollateralMissing, true);
		wait_for_questions(&f, QUESTIONS);
		check(&f, "still", REASON_CollateralMissing, true);
		CHECK_ROW("why", strstr(f.e.verdict.message, "cannot be fetched yet"), "%s",
			f.e.verdict.message);
		CU_ASSERT(f.e.wait_sec < 120);
		f.down = false;
		test_time += 120;
		/* any new wish looks at the clock */
		f.sources.update = "standard";
		CU_ASSERT_EQUAL(trust_configure(f.trust, &f.sources, NULL), 0);
		check(&f, "again", REASON_CollateralMissing, true);
		wait_for_epoch(&f);
		check(&f, "up", REASON_Ok, false);
		f.down = true;
		check(&f, "down again", REASON_Ok, false);
	}
	fix_end(&f);
}

/* Whoever saw newer collateral, this verifier before it was restarted or another replica. */
static void test_rolled_back(void)
{
	struct basis seen = {.known = true,
		.pck = {.fmspc = {0x00, 0xa0, 0x67, 0x11, 0x00, 0x00}},
		.evaluation_number = 18};
	struct fix f;

	if (fix_begin(&f)) {
		/* of another kind of platform */
		seen.pck.fmspc[0] = 1;
		trust_seen(f.trust, &seen);
		check(&f, "first", REASON_CollateralMissing, true);
		wait_for_epoch(&f);
		check(&f, "then", REASON_Ok, false);
		seen.pck.fmspc[0] = 0;
		seen.evaluation_number = 17; /* as that of the collateral */
		trust_seen(f.trust, &seen);
		check(&f, "as high", REASON_Ok, false);
		seen.evaluation_number = 18;
		trust_seen(f.trust, &seen);
		check(&f, "higher", REASON_CollateralRolledBack, true);
		seen.evaluation_number = 16;
		trust_seen(f.trust, &seen);
		check(&f, "still", REASON_CollateralRolledBack, true);
		/* and the service is asked whether it has what was seen */
		test_time += 61;
		check(&f, "again", REASON_CollateralRolledBack, true);
		wait_for_questions(&f, 2 * QUESTIONS);
	}
	fix_end(&f);
}

/* The same of revocation lists, whose numbers are 1 here. */
static void test_old_lists(void)
{
	static const struct {
		const char *name, *message; /* "": good */
		struct crl_numbers seen;
		enum pck_ca ca;
	} rows[] = {
		{"as high", "", {1, 1}, PCK_CA_PROCESSOR},
		{"of the other CA", "", {1, 2}, PCK_CA_PLATFORM},
		{"of the root",
			"the revocation list of \"Intel SGX Root CA\" has the CRLNumber 1, and 2 "
			"was seen: fetch it anew, and ask who served the old one",
			{2, 1}, PCK_CA_PROCESSOR},
		{"of the CA",
			"the revocation list of \"Intel SGX PCK Processor CA\" has the CRLNumber "
			"1, "
			"and 3 was seen: fetch it anew, and ask who served the old one",
			{1, 3}, PCK_CA_PROCESSOR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct basis seen = {
			.known = true, .pck.ca = rows[i].ca, .lists = rows[i].seen};
		bool good = !*rows[i].message;
		struct fix f;

		if (fix_begin(&f)) {
			check(&f, rows[i].name, REASON_CollateralMissing, true);
			wait_for_epoch(&f);
			trust_seen(f.trust, &seen);
			for (int k = 0; k < 2; k++)
				check(&f, rows[i].name,
					good ? REASON_Ok : REASON_CollateralRolledBack, !good);
			CHECK_STR(rows[i].name, span_str(f.e.verdict.message), rows[i].message);
		}
		fix_end(&f);
	}
}

/* Files come first: with them nobody is asked. */
static void test_files(void)
{
	const char *paths[1];
	char path[128], from[256];
	struct span text = vector(FAKE_PCCS_SET);
	struct fix f;
	FILE *file;

	if (fix_begin(&f)) {
		snprintf(path, sizeof(path), "%s/collateral", f.tree.root);
		tree_step(&f.tree, "d /collateral");
		paths[0] = path;
		f.sources.paths = (struct strings){paths, 1};
		CU_ASSERT_EQUAL(trust_configure(f.trust, &f.sources, NULL), 0);
		snprintf(from, sizeof(from), "%s/sgx.json", path);
		file = fopen(from, "we");
		CU_ASSERT(file && fwrite(text.p, 1, text.len, file) == text.len);
		CU_ASSERT(file && fclose(file) == 0);
		wait_for_epoch(&f);
		check(&f, "files", REASON_Ok, false);
		CU_ASSERT_EQUAL(fake_server_requests(f.server), 0);
	}
	fix_end(&f);
}

static void test_sources(void)
{
	static const struct {
		const char *name;
		struct collateral_sources s;
		const char *want; /* in the message; NULL: good */
	} rows[] = {
		{"none", {.pccs = ""}, NULL},
		{"pccs", {.pccs = "http://127.0.0.1:8081/sgx/certification/v4/"}, NULL},
		{"plain", {.pccs = "http://pccs:8081"}, "verifier.collateralSource.pccs"},
		{"no ca", {.pcs = "https://pcs"}, "caFile"},
		{"ca", {.pcs = "https://pcs", .ca_file = "/ca"}, NULL},
		{"both", {.pcs = "https://pcs", .pccs = "https://pccs", .ca_file = "/ca"},
			"the one or the others"},
		{"root alone", {.root_crl = "https://pcs", .ca_file = "/ca"}, "goes with pcs"},
		{"update", {.update = "later"}, "neither early"},
		{"proxy", {.proxy = "socks://x"}, "http://"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct collateral_sources s = rows[i].s;
		const char **texts[] = {&s.pccs, &s.pcs, &s.root_crl, &s.kds, &s.update, &s.ca_file,
			&s.proxy, &s.vcek_store};
		struct error err = {0};
		int r;

		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			*texts[k] = *texts[k] ? *texts[k] : "";
		r = collateral_sources_finish(&s, "verifier", &err);
		CHECK_ROW(rows[i].name,
			rows[i].want ? r == -EINVAL && strstr(err.message, rows[i].want) : r == 0,
			"%d %s", r, err.message);
	}
}

CU_TestInfo trust_tests[] = {
	{"sources", test_sources},
	{"first", test_first},
	{"foreseen", test_foreseen},
	{"unproven", test_unproven},
	{"down", test_down},
	{"rolled back", test_rolled_back},
	{"old lists", test_old_lists},
	{"files", test_files},
	CU_TEST_INFO_NULL,
};
