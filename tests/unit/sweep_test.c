/* SPDX-License-Identifier: Apache-2.0
 *
 * What the leader tells of a verdict that nears its end, on an API server that knows one Node, its
 * NodeAttestation and a Lease. */
#include "webhook/verifier/sweep.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

enum { VALIDITY_SEC = 3600, FEW_SEC = 600, TEXT_MAX = 1024, EVENTS_MAX = 8192 };

struct api {
	pthread_mutex_t lock;
	const char *holder; /* of the Lease; NULL: it is free */
	char record[TEXT_MAX];
	char events[EVENTS_MAX]; /* their bodies, a line each */
};

static void answer_get(struct api *a, const char *path, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4 * TEXT_MAX);

	if (strstr(path, "/leases/")) {
		buf_printf(&b,
			"{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":"
			"\"%s\",\"leaseDurationSeconds\":3600,\"leaseTransitions\":1}}",
			a->holder ? a->holder : "");
		fake_respond(reply, a->holder ? 200 : 404, NULL, a->holder ? b.p : "{}");
		return;
	}
	buf_puts(&b, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[");
	if (strstr(path, "nodeattestations"))
		buf_puts(&b, a->record);
	else
		buf_puts(&b, "{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":"
			     "\"5\"}}");
	buf_puts(&b, "]}");
	fake_respond(reply, 200, NULL, b.p);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	struct api *a = ctx;
	char path[256] = "";

	(void)n;
	sscanf(request, "%*s %255s", path);
	pthread_mutex_lock(&a->lock);
	if (strstr(path, "watch=")) {
		fake_stream(reply, 200);
	} else if (strncmp(request, "GET", 3) == 0) {
		answer_get(a, path, reply);
	} else if (strstr(path, "/events")) {
		size_t len = strlen(a->events);

		snprintf(a->events + len, EVENTS_MAX - len, "%s\n", body ? body + 4 : "");
		fake_respond(reply, 201, NULL, "{}");
	} else if (strstr(path, "/leases")) {
		fake_respond(reply, 201, NULL, body ? body + 4 : "");
	} else {
		fake_respond(reply, 500, NULL, "{}"); /* what is put on the Node */
	}
	pthread_mutex_unlock(&a->lock);
}

struct fix {
	struct api api;
	struct kube_fix kube;
	struct judge_rules rules;
	struct kube_event_recorder *events;
	struct nodes *nodes;
	struct publisher *publisher;
	struct kube_lease *lease;
	struct sweeper *sweeper;
	const char *reason; /* of Events that are waited for, */
	unsigned want;      /* and how many */
};

static void changed(void *ctx, struct node *n)
{
	(void)ctx;
	(void)n;
}

static void record_text(char *out, const char *uid, const char *verdict, int64_t valid_sec)
{
	char until[CLOCK_RFC3339_MAX];

	clock_format(until, clock_unix_usec() / USEC_PER_SEC + valid_sec);
	snprintf(out, TEXT_MAX,
		"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r1\",\"resourceVersion\":\"6\"},"
		"\"status\":{\"nodeUID\":\"%s\",\"platform\":\"sgx\",\"verdict\":\"%s\","
		"\"reason\":\"Ok\",\"validUntil\":\"%s\"}}",
		uid, verdict, until);
}

static bool begin(struct fix *f, const char *uid, const char *verdict, int64_t valid_sec)
{
	struct error err = {0};

	*f = (struct fix){.api = {.lock = PTHREAD_MUTEX_INITIALIZER},
		.rules = {.interval_sec = VALIDITY_SEC / 2, .validity_sec = VALIDITY_SEC}};
	record_text(f->api.record, uid, verdict, valid_sec);
	if (!kube_fix_begin(&f->kube, answer, &f->api))
		return false;
	CU_ASSERT_EQUAL(
		kube_event_recorder_new(&f->events, f->kube.client, "casemate.dev/test", "test"),
		0);
	CHECK_ROW("nodes",
		nodes_new(&f->nodes,
			&(struct nodes_options){.kube = f->kube.client, .changed = changed},
			&err) == 0,
		"%s", err.message);
	CHECK_ROW("publisher",
		publisher_new(&f->publisher,
			&(struct publisher_options){
				.kube = f->kube.client, .events = f->events, .nodes = f->nodes},
			&err) == 0,
		"%s", err.message);
	return f->events && f->nodes && f->publisher;
}

static bool start(struct fix *f)
{
	const struct kube_lease_options lease = {.kube = f->kube.client,
		.namespace_ = "ns",
		.name = "l",
		.identity = "me",
		.retry_usec = 50 * USEC_PER_MSEC};
	struct error err = {0};

	CHECK_ROW("lease", kube_lease_new(&f->lease, &lease, &err) == 0, "%s", err.message);
	CHECK_ROW("sweeper",
		sweeper_new(&f->sweeper,
			&(struct sweeper_options){.event = f->kube.event,
				.lease = f->lease,
				.nodes = f->nodes,
				.publisher = f->publisher,
				.rules = &f->rules},
			&err) == 0,
		"%s", err.message);
	return f->lease && f->sweeper;
}

static void end(struct fix *f)
{
	sweeper_free(f->sweeper);
	kube_lease_free(f->lease);
	publisher_free(f->publisher);
	nodes_free(f->nodes);
	kube_event_recorder_free(f->events);
	kube_fix_end(&f->kube);
}

static bool has_begun(void *ctx)
{
	struct fix *f = ctx;

	return nodes_synced(f->nodes) && (f->api.holder || kube_lease_leading(f->lease));
}

static unsigned count(struct fix *f, const char *reason)
{
	_cleanup_buf_ struct buf want = BUF_INIT(128);
	unsigned n = 0;

	buf_printf(&want, "\"reason\":\"%s\"", reason);
	pthread_mutex_lock(&f->api.lock);
	for (const char *p = f->api.events; (p = strstr(p, want.p)); p++)
		n++;
	pthread_mutex_unlock(&f->api.lock);
	return n;
}

static bool is_told(void *ctx)
{
	struct fix *f = ctx;

	return count(f, f->reason) >= f->want;
}

static void expect(struct fix *f, const char *row, const char *reason, unsigned want)
{
	f->reason = reason;
	f->want = want;
	CHECK_ROW(row, kube_fix_wait(&f->kube, is_told, f), "%u of %u %s in %s", count(f, reason),
		want, reason, f->api.events);
}

/* Several times over, as time goes by. */
static void sweep(struct fix *f)
{
	for (int i = 0; i < 3; i++) {
		sweeper_begin(f->sweeper);
		kube_fix_linger(&f->kube, 50 * USEC_PER_MSEC);
	}
}

static void test_nears_its_end(void)
{
	static const struct {
		const char *name, *uid, *verdict;
		int64_t valid_sec;
		const char *holder; /* another leads */
		unsigned expiring, expired;
	} rows[] = {
		{"its time is not near", "u1", "Attested", VALIDITY_SEC - FEW_SEC, NULL, 0, 0},
		{"near", "u1", "Attested", FEW_SEC, NULL, 1, 0},
		{"near, simulated", "u1", "Simulated", FEW_SEC, NULL, 1, 0},
		{"over", "u1", "Attested", -5, NULL, 0, 1},
		{"near, and nobody was to rely on it", "u1", "Refused", FEW_SEC, NULL, 0, 0},
		{"near, of a host", "u1", "Unproven", FEW_SEC, NULL, 0, 0},
		{"near, of the Node before", "u0", "Attested", FEW_SEC, NULL, 0, 0},
		{"near, and another leads", "u1", "Attested", FEW_SEC, "another", 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (!begin(&f, rows[i].uid, rows[i].verdict, rows[i].valid_sec))
			return;
		f.api.holder = rows[i].holder;
		if (!start(&f))
			return;
		CHECK_ROW(rows[i].name, kube_fix_wait(&f.kube, has_begun, &f), "does not begin");
		sweep(&f);
		expect(&f, rows[i].name, "NodeAttestationExpiring", rows[i].expiring);
		expect(&f, rows[i].name, "NodeAttestationExpired", rows[i].expired);
		sweep(&f);
		CHECK_ROW(rows[i].name,
			count(&f, "NodeAttestationExpiring") == rows[i].expiring &&
				count(&f, "NodeAttestationExpired") == rows[i].expired,
			"%s", f.api.events);
		end(&f);
	}
}

/* The node is judged anew, and then is late once more. */
static void test_again(void)
{
	static const struct json_limits limits = {TEXT_MAX, 200, 16};
	_cleanup_json_ struct json doc = {0};
	char text[TEXT_MAX];
	struct fix f;

	if (!begin(&f, "u1", "Attested", FEW_SEC) || !start(&f))
		return;
	CU_ASSERT(kube_fix_wait(&f.kube, has_begun, &f));
	sweep(&f);
	expect(&f, "first", "NodeAttestationExpiring", 1);
	CHECK_ROW("of the Node, as a warning",
		strstr(f.api.events, "\"type\":\"Warning\"") &&
			strstr(f.api.events, "\"kind\":\"Node\"") &&
			strstr(f.api.events, "the verdict ends at ") &&
			strstr(f.api.events, "see the node agent's log"),
		"%s", f.api.events);
	record_text(text, "u1", "Attested", FEW_SEC + 60);
	CU_ASSERT_EQUAL(json_parse(&doc, span_str(text), &limits, NULL), 0);
	nodes_take_record(f.nodes, json_root(&doc));
	sweep(&f);
	expect(&f, "of the next verdict", "NodeAttestationExpiring", 2);
	end(&f);
}

const CU_TestInfo sweep_tests[] = {
	{"a verdict nears its end", test_nears_its_end},
	{"and the next one too", test_again},
	CU_TEST_INFO_NULL,
};
