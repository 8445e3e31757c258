/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/lease.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

enum {
	SPEC_MAX = 1024,
	/* Of Leases that nobody loses, on a busy machine neither; and where one is to be lost. */
	LONG_USEC = 4 * USEC_PER_SEC,
	SHORT_USEC = 1 * USEC_PER_SEC,
	/* Between two tries, where one try must do: longer than a test waits. */
	NEVER_USEC = 3 * KUBE_FIX_PATIENCE_USEC,
};

/* An API server with one Lease. */
struct api {
	pthread_mutex_t lock;
	unsigned version; /* 0: there is no Lease */
	char spec[SPEC_MAX];
	int down;    /* the status that it answers, or 0 */
	bool spoilt; /* what it answers is no Lease */
	unsigned writes;
};

static void respond_lease(const struct api *a, struct fake_reply *reply, int status)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	buf_printf(
		&b, "{\"metadata\":{\"resourceVersion\":\"%u\"},\"spec\":%s}", a->version, a->spec);
	fake_respond(reply, status, NULL, b.p);
}

/* The version that a PUT names is the newest. */
static bool is_newest(const struct api *a, struct json_val lease)
{
	char version[16];

	snprintf(version, sizeof(version), "%u", a->version);
	return json_str_is(json_find(lease, "metadata", "resourceVersion"), version);
}

static void store(struct api *a, struct json_val lease, struct fake_reply *reply, int status)
{
	struct span spec = json_raw(json_get(lease, "spec"));

	snprintf(a->spec, sizeof(a->spec), SPAN_FMT, SPAN_ARG(spec));
	a->version++;
	a->writes++;
	respond_lease(a, reply, status);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	static const struct json_limits limits = {4096, 100, 10};
	const char *body = strstr(request, "\r\n\r\n");
	_cleanup_json_ struct json doc = {0};
	struct api *a = ctx;

	(void)n;
	if (body)
		json_parse(&doc, span_str(body + 4), &limits, NULL);
	pthread_mutex_lock(&a->lock);
	if (a->down)
		fake_respond(reply, a->down, NULL, "{}");
	else if (a->spoilt)
		fake_respond(reply, 200, NULL, "[");
	else if (span_starts(span_str(request), "GET"))
		a->version ? respond_lease(a, reply, 200) : fake_respond(reply, 404, NULL, "{}");
	else if (span_starts(span_str(request), "POST"))
		a->version ? fake_respond(reply, 409, NULL, "{}")
			   : store(a, json_root(&doc), reply, 201);
	else if (is_newest(a, json_root(&doc)))
		store(a, json_root(&doc), reply, 200);
	else
		fake_respond(reply, 409, NULL, "{}");
	pthread_mutex_unlock(&a->lock);
}

struct fix {
	struct api api;
	struct kube_fix kube;
	struct kube_lease *lease[2];
	unsigned changes, troubles;
	char cause[256];
	int64_t floor;
};

static void changed(void *ctx)
{
	((struct fix *)ctx)->changes++;
}

static void troubled(void *ctx, const char *cause)
{
	struct fix *f = ctx;

	f->troubles++;
	snprintf(f->cause, sizeof(f->cause), "%s", cause);
}

static int64_t floor_of(void *ctx)
{
	return ((struct fix *)ctx)->floor;
}

/* One whose looks are as far apart as is said; nobody is told of anything. */
static void start_slow(struct fix *f, int i, int64_t retry_usec)
{
	CU_ASSERT_EQUAL(kube_lease_new(&f->lease[i],
				&(struct kube_lease_options){.kube = f->kube.client,
					.namespace_ = "ns",
					.name = "leader",
					.identity = i ? "second" : "first",
					.duration_usec = 4 * retry_usec,
					.deadline_usec = 3 * retry_usec,
					.retry_usec = retry_usec},
				NULL),
		0);
}

static void start(struct fix *f, int i, int64_t duration_usec)
{
	struct error err = {0};

	CHECK_ROW("new",
		kube_lease_new(&f->lease[i],
			&(struct kube_lease_options){.kube = f->kube.client,
				.namespace_ = "ns",
				.name = "leader",
				.identity = i ? "second" : "first",
				.duration_usec = duration_usec,
				.deadline_usec = duration_usec * 3 / 5,
				.retry_usec = 60 * USEC_PER_MSEC,
				.floor = floor_of,
				.changed = changed,
				.troubled = troubled,
				.ctx = f},
			&err) == 0,
		"%s", err.message);
}

static bool begin(struct fix *f)
{
	*f = (struct fix){.api.lock = PTHREAD_MUTEX_INITIALIZER, .floor = 1};
	return kube_fix_begin(&f->kube, answer, &f->api);
}

static void end(struct fix *f)
{
	kube_lease_free(f->lease[0]);
	kube_lease_free(f->lease[1]);
	kube_fix_end(&f->kube);
}

static bool first_leads(void *ctx)
{
	return kube_lease_leading(((struct fix *)ctx)->lease[0]);
}

static bool second_leads(void *ctx)
{
	return kube_lease_leading(((struct fix *)ctx)->lease[1]);
}

static bool nobody_leads(void *ctx)
{
	return !first_leads(ctx) && !second_leads(ctx);
}

static void set_down(struct fix *f, int status, bool spoilt)
{
	pthread_mutex_lock(&f->api.lock);
	f->api.down = status;
	f->api.spoilt = spoilt;
	pthread_mutex_unlock(&f->api.lock);
}

/* Never both at the same moment. */
static bool both_or_second(void *ctx)
{
	CU_ASSERT_FALSE(first_leads(ctx) && second_leads(ctx));
	return second_leads(ctx);
}

static void test_one(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	start(&f, 0, LONG_USEC);
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 0);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 1);
	start(&f, 1, LONG_USEC);
	kube_fix_linger(&f.kube, 500 * USEC_PER_MSEC);
	CU_ASSERT_TRUE(first_leads(&f));
	CU_ASSERT_FALSE(second_leads(&f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[1]), 1);
	CU_ASSERT_EQUAL(f.changes, 1);
	CU_ASSERT_EQUAL(f.troubles, 0);
	/* The first ends without a word: the second takes over, in a new term. */
	kube_lease_free(f.lease[0]);
	f.lease[0] = f.lease[1];
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 2);
	f.lease[1] = NULL;
	end(&f);
}

static void test_released(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	start(&f, 0, SHORT_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	start(&f, 1, SHORT_USEC);
	kube_fix_linger(&f.kube, 200 * USEC_PER_MSEC);
	kube_lease_release(f.lease[0]);
	CU_ASSERT_FALSE(first_leads(&f));
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, second_leads, &f));
	kube_lease_free(TAKE_PTR(f.lease[1]));
	/* Nobody else is there, and still it stays given up. */
	kube_fix_linger(&f.kube, 300 * USEC_PER_MSEC);
	CU_ASSERT_FALSE(first_leads(&f));
	start(&f, 1, SHORT_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, second_leads, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[1]), 2);
	end(&f);
}

/* A leader that cannot renew leads no more, before another may. */
static void test_cut_off(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	start(&f, 0, SHORT_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	start(&f, 1, SHORT_USEC);
	set_down(&f, 500, false);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, nobody_leads, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 1); /* as last seen */
	kube_lease_release(f.lease[0]);                  /* of one that leads nothing */
	set_down(&f, 0, false);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, both_or_second, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[1]), 2);
	end(&f);
}

static bool is_told(void *ctx)
{
	return ((struct fix *)ctx)->troubles > 0;
}

/* Why it cannot be had is told once, and again when it could be had meanwhile. */
static void test_troubled(void)
{
	static const struct {
		const char *name;
		int status;
		bool spoilt;
		const char *cause;
	} rows[] = {
		{"an error", 500, false, "reading the Lease: the API server answered HTTP 500"},
		{"a right that is missing", 403, false, "reading the Lease: the API server answered HTTP 403"},
		{"no Lease", 0, true, "reading the Lease: the answer is no Lease"},
	};
	struct fix f;

	if (!begin(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start(&f, 0, SHORT_USEC);
		CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
		f.troubles = 0;
		set_down(&f, rows[i].status, rows[i].spoilt);
		CHECK_ROW(rows[i].name, kube_fix_wait(&f.kube, is_told, &f), "told nothing");
		kube_fix_linger(&f.kube, SHORT_USEC);
		CHECK_ROW(rows[i].name, f.troubles == 1, "told %u times", f.troubles);
		CHECK_ROW(rows[i].name, strstr(f.cause, rows[i].cause), "%s", f.cause);
		set_down(&f, 0, false);
		CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
		kube_lease_free(TAKE_PTR(f.lease[0]));
	}
	end(&f);
}

/* The Lease of one that is gone is taken when it ends, however long it is between two tries. */
static void test_taken_in_time(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	f.api.version = 1;
	snprintf(f.api.spec, sizeof(f.api.spec),
		"{\"holderIdentity\":\"gone\",\"leaseDurationSeconds\":1,\"leaseTransitions\":3}");
	start_slow(&f, 0, NEVER_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 5);
	end(&f);
}

static bool first_knows(void *ctx)
{
	struct fix *f = ctx;

	return kube_lease_term(f->lease[0]) == 4;
}

/* Who waits sees what becomes of the Lease within half of the time between two renewals. */
static void test_seen_in_time(void)
{
	enum { RETRY_USEC = 12 * USEC_PER_SEC };
	int64_t began = clock_monotonic_usec();
	struct fix f;

	if (!begin(&f))
		return;
	f.api.version = 1;
	snprintf(f.api.spec, sizeof(f.api.spec),
		"{\"holderIdentity\":\"other\",\"leaseDurationSeconds\":600,\"leaseTransitions\":3}");
	start_slow(&f, 0, RETRY_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_knows, &f));
	pthread_mutex_lock(&f.api.lock);
	f.api.version++;
	snprintf(f.api.spec, sizeof(f.api.spec), "{\"holderIdentity\":\"\",\"leaseTransitions\":3}");
	pthread_mutex_unlock(&f.api.lock);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	CU_ASSERT(clock_monotonic_usec() - began < RETRY_USEC * 3 / 4);
	end(&f);
}

static bool both_know(void *ctx)
{
	struct fix *f = ctx;

	return kube_lease_term(f->lease[0]) == 5 && kube_lease_term(f->lease[1]) == 5;
}

/* Of two that want the Lease of one that is gone, who is too late knows the new term at once. */
static void test_too_late(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	f.api.version = 1;
	snprintf(f.api.spec, sizeof(f.api.spec),
		"{\"holderIdentity\":\"gone\",\"leaseDurationSeconds\":1,\"leaseTransitions\":3}");
	for (int i = 0; i < 2; i++)
		start_slow(&f, i, NEVER_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, both_know, &f));
	CU_ASSERT(first_leads(&f) != second_leads(&f));
	end(&f);
}

static bool is_later_term(void *ctx)
{
	return kube_lease_term(((struct fix *)ctx)->lease[0]) > 41;
}

/* Whoever deletes the Lease does not set its terms back. A term is its leader's as long as he
 * leads, whatever he has written in it; where a later one was seen, another begins. */
static void test_floor(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	f.floor = 41;
	start(&f, 0, LONG_USEC);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, first_leads, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 41);
	f.floor = 42;
	kube_fix_linger(&f.kube, 300 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 41);
	f.floor = 50;
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_later_term, &f));
	CU_ASSERT_EQUAL(kube_lease_term(f.lease[0]), 50);
	CU_ASSERT_TRUE(first_leads(&f));
	end(&f);
}

static void test_options(void)
{
	static const struct {
		const char *name;
		int64_t duration, deadline, retry;
	} rows[] = {
		{"deadline after the end", 2 * USEC_PER_SEC, 2 * USEC_PER_SEC, USEC_PER_SEC},
		{"no second try", 3 * USEC_PER_SEC, USEC_PER_SEC, USEC_PER_SEC},
		{"too short", USEC_PER_MSEC, 10, 1},
	};
	struct fix f;

	if (!begin(&f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i].name,
			kube_lease_new(&f.lease[0],
				&(struct kube_lease_options){.kube = f.kube.client,
					.namespace_ = "ns",
					.name = "l",
					.identity = "i",
					.duration_usec = rows[i].duration,
					.deadline_usec = rows[i].deadline,
					.retry_usec = rows[i].retry},
				NULL) == -EINVAL,
			"accepted");
	end(&f);
}

CU_TestInfo lease_tests[] = {
	{"one", test_one},
	{"released", test_released},
	{"cut off", test_cut_off},
	{"troubled", test_troubled},
	{"taken in time", test_taken_in_time},
	{"seen in time", test_seen_in_time},
	{"too late", test_too_late},
	{"floor", test_floor},
	{"options", test_options},
	CU_TEST_INFO_NULL,
};
