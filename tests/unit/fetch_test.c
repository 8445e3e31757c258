/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/fetch.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "tests/unit/fake_pccs.h"
#include "tests/unit/intel_sign.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"
#include "webhook/trust/fetch_schedule.h"

#define TCB_INFO "/sgx/certification/v4/tcb?fmspc=00a067110000"

enum { PATIENCE_SEC = 60 };

/* A service, and a verifier that asks it. Time stands still unless a test moves it. */
struct fix {
	sd_event *event;
	struct fake_server *server;
	struct fetch *fetch;
	struct pull_options services;
	char url[64];
	unsigned changed, failed;
	char problem[512];
	_Atomic int status;  /* the service answers with this in place of TCB info; 0: with it */
	_Atomic bool silent; /* and says nothing of when to come again */
	/* TCB infos of two days, signed by the tests' root, and which is served; -1: the real one.
	 */
	struct intel_sign sign;
	struct buf dated[2], dated_chain;
	_Atomic int day;
};

static int64_t test_time = FAKE_PCCS_TIME;

static int64_t test_clock(void)
{
	return test_time;
}

static int empty(void *ctx, struct collateral **ret, struct error *err)
{
	struct fix *f = ctx;
	int r = collateral_new(ret, err);

	return r < 0 ? r : roots_add(&(*ret)->roots, buf_view(&f->sign.root.cert_pem), err);
}

static void on_changed(void *ctx)
{
	((struct fix *)ctx)->changed++;
}

static void on_failed(void *ctx, const char *name, const char *problem)
{
	struct fix *f = ctx;

	f->failed++;
	snprintf(f->problem, sizeof(f->problem), "%.200s: %.300s", name, problem);
}

static void serve(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct fix *f = ctx;
	bool info = strstr(request, TCB_INFO);

	(void)n;
	if (info && !f->status && f->day >= 0)
		fake_respond(reply, 200, f->dated_chain.p, f->dated[f->day].p);
	else if ((info && f->status) || !fake_pccs_answer(request, reply))
		fake_respond(reply, f->status ? f->status : 404,
			f->silent ? NULL : "Retry-After: 120\r\n", "no");
}

/* A TCB info as the real one, issued then. */
static void make_dated(struct fix *f, struct buf *answer, int64_t issued)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), first = BUF_INIT(1 << 16);
	char issue[CLOCK_RFC3339_MAX], next[CLOCK_RFC3339_MAX];
	unsigned char signature[64];

	clock_format(issue, issued);
	clock_format(next, issued + 30 * 86400);
	intel_edit(
		&first, intel_set_vector(FAKE_PCCS_SET, "tcb_info"), "2025-06-19T10:56:11Z", issue);
	intel_edit(&text, buf_view(&first), "2025-07-19T10:56:11Z", next);
	intel_sign(signature, &f->sign, buf_view(&text));
	buf_printf(answer, "{\"tcbInfo\":%s,\"signature\":\"", text.p);
	codec_hex(answer, signature, sizeof(signature));
	buf_puts(answer, "\"}");
}

static bool fix_begin(struct fix *f)
{
	struct fetch_options o = {
		.services = &f->services,
		.empty = empty,
		.changed = on_changed,
		.failed = on_failed,
		.clock = test_clock,
		.ctx = f,
	};
	struct error err = {0};

	*f = (struct fix){
		.dated = {BUF_INIT(1 << 16), BUF_INIT(1 << 16)},
		.dated_chain = BUF_INIT(1 << 16),
		.day = -1,
	};
	test_time = FAKE_PCCS_TIME;
	if (!intel_sign_begin(&f->sign))
		return false;
	fake_pccs_header(&f->dated_chain, "TCB-Info-Issuer-Chain", buf_view(&f->sign.chain));
	f->server = fake_server_start(serve, f);
	if (!f->server || sd_event_new(&f->event) < 0)
		return CHECK_ROW("server", false, "none");
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", fake_server_port(f->server));
	f->services = (struct pull_options){
		.pcs = "", .pccs = f->url, .root_crl = "", .kds = f->url, .update = ""};
	o.event = f->event;
	return CHECK_ROW("fetch", fetch_new(&f->fetch, &o, &err) == 0, "%s", err.message);
}

static void fix_end(struct fix *f)
{
	fetch_free(f->fetch);
	fake_server_stop(f->server);
	sd_event_unref(f->event);
	intel_sign_end(&f->sign);
	buf_free(&f->dated[0]);
	buf_free(&f->dated[1]);
	buf_free(&f->dated_chain);
}

/* Runs the loop until the service was asked n times and all that is known. */
static void fix_wait(struct fix *f, unsigned n, unsigned changed, unsigned failed)
{
	int64_t end = clock_monotonic_usec() + PATIENCE_SEC * (int64_t)USEC_PER_SEC;

	while ((fake_server_requests(f->server) < n || f->changed < changed ||
		       f->failed < failed) &&
		clock_monotonic_usec() < end)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	CHECK_ROW("wait",
		fake_server_requests(f->server) == n && f->changed == changed &&
			f->failed == failed,
		"asked %u, changed %u, failed %u: %s", fake_server_requests(f->server), f->changed,
		f->failed, f->problem);
}

static const struct pck platform = {
	.fmspc = {0x00, 0xa0, 0x67, 0x11, 0x00, 0x00}, .ca = PCK_CA_PROCESSOR};

static bool has_all(struct fix *f)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	const struct tcb_info *t;

	if (empty(f, &c, NULL) < 0 || fetch_add_to(f->fetch, c, NULL) < 0)
		return false;
	t = intel_tcb_info(&c->intel, false, platform.fmspc);
	return t && t->problem == REASON_Ok && c->intel.qe[QE_SGX] && c->intel.root_crl &&
	       c->intel.pck_crl[PCK_CA_PROCESSOR];
}

/* Any new wish looks at the clock: this one is for nothing, four times. */
static void wish(struct fix *f)
{
	CU_ASSERT_EQUAL(fetch_want_snp(f->fetch, SNP_MILAN, (unsigned char[64]){1},
				(unsigned char[8]){0}, NULL),
		0);
}

/* Four questions for a platform, whoever wants it and however often. */
static void test_platform(void)
{
	struct fix f;

	if (fix_begin(&f)) {
		for (int i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &platform, false, NULL), 0);
		fix_wait(&f, 4, 1, 0);
		CU_ASSERT(has_all(&f));
		CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &platform, false, NULL), 0);
		/* a day later all of it is asked for again, and is nothing new */
		test_time += FETCH_REFRESH_SEC + 1;
		wish(&f);
		fix_wait(&f, 12, 1, 4);
		CU_ASSERT(has_all(&f));
	}
	fix_end(&f);
}

/* What the service does not have is not asked for again and again. */
static void test_absent(void)
{
	struct pck other = platform;
	struct fix f;

	other.fmspc[5] = 1;
	if (fix_begin(&f)) {
		CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &other, false, NULL), 0);
		fix_wait(&f, 4, 1, 1);
		CHECK_ROW("absent",
			span_starts(span_str(f.problem),
				"TCB info of FMSPC 00a067110001 for sgx: it has nothing"),
			"%s", f.problem);
		for (int i = 0; i < 20; i++) {
			CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &other, false, NULL), 0);
			sd_event_run(f.event, 5 * USEC_PER_MSEC);
		}
		fix_wait(&f, 4, 1, 1);
	}
	fix_end(&f);
}

/* A service that fails is asked later, and then gives. */
static void test_failing(void)
{
	struct fix f;

	if (fix_begin(&f)) {
		f.status = 503;
		CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &platform, false, NULL), 0);
		fix_wait(&f, 4, 1, 1);
		CU_ASSERT(!has_all(&f));
		f.status = 0;
		test_time += 120; /* as it said */
		wish(&f);
		fix_wait(&f, 9, 2, 5);
		CU_ASSERT(has_all(&f));
	}
	fix_end(&f);
}

/* Who is waited for is asked again soon where the service may only be late, as when a cluster
 * begins. */
static void test_asked_again(void)
{
	static const struct {
		const char *name;
		int status;
		bool silent;
		int64_t least, most; /* until it may be there, in seconds */
	} rows[] = {
		{"it is not ready", 503, true, FETCH_FAILED_SEC, 20},
		{"it says when", 503, false, 120, 140},
		{"it refuses", 403, true, FETCH_REFUSED_SEC, 50},
		{"it has too much to do", 429, true, FETCH_REFUSED_SEC, 50},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;
		int64_t wait;

		if (fix_begin(&f)) {
			f.silent = rows[i].silent;
			f.status = rows[i].status;
			CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &platform, false, NULL), 0);
			fix_wait(&f, 4, 1, 1);
			wait = fetch_wait_intel(f.fetch, &platform, false);
			CHECK_ROW(rows[i].name, wait >= rows[i].least && wait <= rows[i].most,
				"%lld s", (long long)wait);
		}
		fix_end(&f);
	}
}

/* A service that falls back behind what it gave before is not followed. */
static void test_rolled_back(void)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	const struct tcb_info *t;
	struct fix f;

	if (fix_begin(&f)) {
		/* The tests' signer lives for an hour around now, where what is real is over. */
		test_time = clock_unix_usec() / USEC_PER_SEC;
		make_dated(&f, &f.dated[0], test_time - 2);
		make_dated(&f, &f.dated[1], test_time - 1);
		f.day = 1;
		CU_ASSERT_EQUAL(fetch_want_intel(f.fetch, &platform, false, NULL), 0);
		fix_wait(&f, 4, 1, 3);
		f.day = 0;
		test_time += 1800;
		wish(&f);
		fix_wait(&f, 12, 1, 11);
		CU_ASSERT(empty(&f, &c, NULL) == 0 && fetch_add_to(f.fetch, c, NULL) == 0);
		t = c ? intel_tcb_info(&c->intel, false, platform.fmspc) : NULL;
		CU_ASSERT(t && t->problem == REASON_Ok && t->issue_date == test_time - 1801);
	}
	fix_end(&f);
}

static void test_schedule(void)
{
	struct fetch_piece p = {.backoff = {.first_usec = FETCH_FAILED_SEC * (int64_t)USEC_PER_SEC,
					.max_usec = FETCH_FAILED_MAX_SEC * (int64_t)USEC_PER_SEC}};
	const int64_t now = 1000000;

	/* a day, less up to a fifth */
	p.until = now + 30 * 86400;
	fetch_piece_good(&p, now, 0);
	CU_ASSERT_EQUAL(p.due, now + 86400);
	fetch_piece_good(&p, now, UINT32_MAX);
	CU_ASSERT_EQUAL(p.due, now + 86400 * 4 / 5);
	/* half of what is left when that is less, but never at once */
	p.until = now + 7200;
	fetch_piece_good(&p, now, 0);
	CU_ASSERT_EQUAL(p.due, now + 3600);
	p.until = now;
	fetch_piece_good(&p, now, 0);
	CU_ASSERT_EQUAL(p.due, now + FETCH_LEAST_SEC);
	/* a chip's certificate is good for years */
	p.rq.kind = PULL_VCEK;
	p.until = now + 1000 * 86400;
	fetch_piece_good(&p, now, 0);
	CU_ASSERT_EQUAL(p.due, now + 500 * 86400);

	fetch_piece_absent(&p, now, 0);
	CU_ASSERT_EQUAL(p.due, now + FETCH_ABSENT_SEC);
	fetch_piece_failed(&p, now, -1, 0);
	CU_ASSERT_EQUAL(p.due, now + FETCH_FAILED_SEC);
	fetch_piece_failed(&p, now, -1, 0);
	CU_ASSERT_EQUAL(p.due, now + 2 * FETCH_FAILED_SEC);
	fetch_piece_failed(&p, now, 600, 0);
	CU_ASSERT_EQUAL(p.due, now + 600);
	fetch_piece_failed(&p, now, INT64_MAX, 0);
	CU_ASSERT_EQUAL(p.due, now + FETCH_REFRESH_SEC);
	for (int i = 0; i < 20; i++)
		fetch_piece_failed(&p, now, -1, 0);
	CU_ASSERT_EQUAL(p.due, now + FETCH_FAILED_MAX_SEC);
	/* what went well is forgiven */
	fetch_piece_good(&p, now, 0);
	fetch_piece_failed(&p, now, -1, 0);
	CU_ASSERT_EQUAL(p.due, now + FETCH_FAILED_SEC);
}

CU_TestInfo fetch_tests[] = {
	{"schedule", test_schedule},
	{"a platform", test_platform},
	{"absent", test_absent},
	{"failing", test_failing},
	{"asked again", test_asked_again},
	{"rolled back", test_rolled_back},
	CU_TEST_INFO_NULL,
};
