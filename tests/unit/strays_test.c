/* SPDX-License-Identifier: Apache-2.0
 *
 * Pods are JSON with ' for ", on an API server that knows one node, its NodeAttestation and a
 * Lease. */
#include "webhook/verifier/strays.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/test.h"
#include "webhook/verifier/stray.h"

#define L LABEL_PREFIX

/*
 * One pod
 */

static void test_who_is_one(void)
{
	static const struct {
		const char *name, *pod; /* what follows the metadata */
		struct marks node;
		bool is, evictable;
	} rows[] = {
		{"no verdict",
			"'spec':{'runtimeClassName':'casemate-sgx','nodeSelector':{'" L
			"attested':'true','" L "tee':'sgx'}}",
			{.taint = false}, true, true},
		{"as it asks",
			"'spec':{'runtimeClassName':'casemate-sgx','nodeSelector':{'" L
			"attested':'true','" L "tee':'sgx'}}",
			{.label = {[MARK_ATTESTED] = "true", [MARK_TEE] = "sgx"}}, false, false},
		{"another TEE",
			"'spec':{'runtimeClassName':'casemate-sgx','nodeSelector':{'" L
			"attested':'true','" L "tee':'sgx'}}",
			{.label = {[MARK_ATTESTED] = "true", [MARK_TEE] = "tdx"}}, true, true},
		{"simulated is not real",
			"'spec':{'runtimeClassName':'casemate-sgx',"
			"'nodeSelector':{'" L "attested':'true'}}",
			{.label = {[MARK_ATTESTED] = "simulated"}}, true, true},
		{"a host of VMs",
			"'spec':{'runtimeClassName':'casemate-tdx','nodeSelector':{'" L
			"cvm-host':'tdx'}}",
			{.label = {[MARK_CVM_HOST] = "tdx"}}, false, false},
		{"a host of others",
			"'spec':{'runtimeClassName':'casemate-tdx','nodeSelector':{'" L
			"cvm-host':'tdx'}}",
			{.label = {[MARK_CVM_HOST] = "snp"}}, true, true},
		{"asks for none, there is none", "'spec':{'runtimeClassName':'casemate-sgx'}",
			{.taint = false}, true, true},
		{"asks for none, there is one", "'spec':{'runtimeClassName':'casemate-sgx'}",
			{.label = {[MARK_ATTESTED] = "true"}}, false, false},
		{"by its resources",
			"'spec':{'containers':[{'resources':{'limits':{'sgx.intel.com/"
			"epc':'1Mi'}}}]}",
			{.taint = false}, true, true},
		{"an ordinary one", "'spec':{'nodeSelector':{'a':'b'}}", {.taint = false}, false,
			false},
		{"has ended",
			"'spec':{'runtimeClassName':'casemate-sgx'},'status':{'phase':'Failed'}",
			{.taint = false}, false, false},
		{"has come to its end",
			"'spec':{'runtimeClassName':'casemate-sgx'},'status':{'phase':'Succeeded'}",
			{.taint = false}, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_fixture_ struct fixture f;
		struct stray got = {0};
		char text[1024];
		bool is;

		fixture_init(&f);
		snprintf(text, sizeof(text),
			"{'metadata':{'namespace':'shop','name':'p','uid':'1'},%s}", rows[i].pod);
		is = stray_find(&got, &f.config, fixture_quoted(&f, text), &rows[i].node);
		CHECK_ROW(rows[i].name, is == rows[i].is && got.evictable == rows[i].evictable,
			"%d %d", is, got.evictable);
	}
}

static void test_who_is_left_alone(void)
{
	static const struct {
		const char *metadata;
		bool is, evictable;
	} rows[] = {
		{"'namespace':'shop','name':'p','uid':'1'", true, true},
		{"'namespace':'kube-system','name':'p','uid':'1'", true, false},
		{"'namespace':'shop','name':'p','uid':'1','deletionTimestamp':'2026-01-01T00:00:"
		 "00Z'",
			true, false},
		{"'namespace':'shop','name':'p','uid':'1',"
		 "'annotations':{'kubernetes.io/config.mirror':'x'}",
			true, false},
		{"'name':'p','uid':'1'", false, false},
		{"'namespace':'shop','uid':'1'", false, false},
		{"'namespace':'shop','name':'p'", false, false},
		{"'namespace':5,'name':'p','uid':'1'", false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct marks none = {.taint = false};
		_cleanup_fixture_ struct fixture f;
		struct stray got = {0};
		char text[1024];
		bool is;

		fixture_init(&f);
		snprintf(text, sizeof(text),
			"{'metadata':{%s},'spec':{'runtimeClassName':'casemate-sgx'}}",
			rows[i].metadata);
		is = stray_find(&got, &f.config, fixture_quoted(&f, text), &none);
		CHECK_ROW(rows[i].metadata, is == rows[i].is && got.evictable == rows[i].evictable,
			"%d %d", is, got.evictable);
	}
}

/*
 * The leader
 */

#define POD(namespace, name, more)                                                                 \
	"{\"metadata\":{\"namespace\":\"" namespace "\",\"name\":\"" name "\",\"uid\":\"uid-" name \
						    "\"},\"spec\":{" more "}}"
#define SECRET "\"runtimeClassName\":\"casemate-sgx\""

enum { PODS_MAX = 4096, RECORD_TEXT_MAX = 1024 };

struct api {
	pthread_mutex_t lock;
	char record[RECORD_TEXT_MAX]; /* "": none */
	bool marked;                  /* the Node has the condition of a verdict */
	const char *holder;           /* of the Lease; NULL: it is free */
	char pods[PODS_MAX];
	int evict; /* what evictions are answered with */
	unsigned looks, evictions, events;
	char evicted[512], event[2048]; /* the last one's path and body */
};

static void answer_post(struct api *a, const char *request, const char *path, const char *body,
	struct fake_reply *reply)
{
	if (strstr(path, "/eviction")) {
		a->evictions++;
		snprintf(a->evicted, sizeof(a->evicted), "%s %s", path, body);
		fake_respond(reply, a->evict, NULL, "{\"message\":\"budget\"}");
	} else if (strstr(path, "/events")) {
		a->events++;
		snprintf(a->event, sizeof(a->event), "%s %s", path, body);
		fake_respond(reply, 201, NULL, "{}");
	} else if (strncmp(request, "POST", 4) == 0 || strncmp(request, "PUT", 3) == 0) {
		fake_respond(reply, 201, NULL, body); /* the Lease */
	}
}

static void answer_list(struct api *a, const char *path, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf b = BUF_INIT(16384);

	buf_puts(&b, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[");
	if (strstr(path, "/pods?fieldSelector=spec.nodeName%3Dn1&")) {
		a->looks++;
		buf_puts(&b, a->pods);
	} else if (strstr(path, "nodeattestations")) {
		buf_puts(&b, a->record);
	} else if (strstr(path, "/nodes")) {
		buf_puts(&b, "{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":"
			     "\"5\"}");
		if (a->marked)
			buf_puts(&b, ",\"status\":{\"conditions\":[{\"type\":"
				     "\"ConfidentialAttested\",\"status\":\"True\",\"reason\":"
				     "\"Ok\",\"message\":\"\"}]}");
		buf_putc(&b, '}');
	}
	buf_puts(&b, "]}");
	fake_respond(reply, 200, NULL, b.p);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	char path[256] = "", lease[256];
	struct api *a = ctx;

	(void)n;
	sscanf(request, "%*s %255s", path);
	pthread_mutex_lock(&a->lock);
	if (strncmp(request, "GET", 3) != 0) {
		answer_post(a, request, path, body ? body + 4 : "", reply);
	} else if (strstr(path, "watch=")) {
		fake_stream(reply, 200);
	} else if (strstr(path, "/leases/")) {
		snprintf(lease, sizeof(lease),
			"{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"holderIdentity\":\"%"
			"s\","
			"\"leaseDurationSeconds\":3600,\"leaseTransitions\":1}}",
			a->holder ? a->holder : "");
		fake_respond(reply, a->holder ? 200 : 404, NULL, a->holder ? lease : "{}");
	} else {
		answer_list(a, path, reply);
	}
	pthread_mutex_unlock(&a->lock);
}

struct fix {
	struct api api;
	struct kube_fix kube;
	struct fixture policy;
	struct verifier_config config;
	struct kube_event_recorder *events;
	struct nodes *nodes;
	struct kube_lease *lease;
	struct strays *strays;
	unsigned *counter, want; /* waited for */
};

static void changed(void *ctx, struct node *n)
{
	(void)ctx;
	(void)n;
}

/* since: seconds ago. */
static void record_text(char *out, const char *verdict, int64_t since, int64_t valid)
{
	int64_t now = clock_unix_usec() / USEC_PER_SEC;
	char at[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX];

	clock_format(at, now - since);
	clock_format(until, now + valid);
	snprintf(out, RECORD_TEXT_MAX,
		"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r1\",\"resourceVersion\":\"6\"},"
		"\"status\":{"
		"\"nodeUID\":\"u1\",\"platform\":\"sgx\",\"verdict\":\"%s\",\"reason\":\"Ok\","
		"\"validUntil\":\"%s\",\"conditions\":[{\"type\":\"Attested\","
		"\"lastTransitionTime\":\"%s\"}]}}",
		verdict, until, at);
}

static bool begin(struct fix *f, const char *verdict, int64_t since, int64_t valid, bool evict)
{
	struct error err = {0};

	*f = (struct fix){.api = {.lock = PTHREAD_MUTEX_INITIALIZER, .evict = 201}};
	f->config = (struct verifier_config){.evict = evict, .evict_after_usec = USEC_PER_MSEC};
	if (*verdict)
		record_text(f->api.record, verdict, since, valid);
	snprintf(f->api.pods, PODS_MAX, "%s,%s,%s", POD("shop", "secret", SECRET),
		POD("shop", "plain", ""), POD("kube-system", "system", SECRET));
	fixture_init(&f->policy);
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
	return true;
}

/* Strays begin to be looked for. */
static bool start(struct fix *f)
{
	const struct kube_lease_options lease = {.kube = f->kube.client,
		.namespace_ = "ns",
		.name = "l",
		.identity = "me",
		.retry_usec = 50 * USEC_PER_MSEC};
	struct error err = {0};

	CHECK_ROW("lease", kube_lease_new(&f->lease, &lease, &err) == 0, "%s", err.message);
	CHECK_ROW("strays",
		strays_new(&f->strays,
			&(struct strays_options){.event = f->kube.event,
				.kube = f->kube.client,
				.events = f->events,
				.lease = f->lease,
				.nodes = f->nodes,
				.config = &f->config,
				.policy = &f->policy.config,
				.metrics = f->kube.metrics,
				.tick_usec = 10 * USEC_PER_MSEC},
			&err) == 0,
		"%s", err.message);
	return f->lease && f->strays;
}

static void end(struct fix *f)
{
	strays_free(f->strays);
	kube_lease_free(f->lease);
	nodes_free(f->nodes);
	kube_event_recorder_free(f->events);
	kube_fix_end(&f->kube);
	fixture_free(&f->policy);
}

static bool is_counted(void *ctx)
{
	struct fix *f = ctx;
	bool is;

	pthread_mutex_lock(&f->api.lock);
	is = *f->counter >= f->want;
	pthread_mutex_unlock(&f->api.lock);
	return is;
}

static void expect(struct fix *f, const char *row, unsigned *counter, unsigned want)
{
	f->counter = counter;
	f->want = want;
	CHECK_ROW(row, kube_fix_wait(&f->kube, is_counted, f), "%u of %u", *counter, want);
}

static void metric_is(struct fix *f, const char *row, const char *line)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	strays_report(f->strays);
	metrics_expose(f->kube.metrics, METRICS_TEXT, &b);
	CHECK_ROW(row, b.p && strstr(b.p, line), "%s is not in %s", line, b.p ? b.p : "");
}

#define PODS_METRIC(verdict, n)                                                                    \
	"\ncasemate_webhook_pods_on_untrusted_nodes{verdict=\"" verdict "\"} " n "\n"

static void test_told(void)
{
	static const struct {
		const char *name, *verdict;
		int64_t since, valid;
		unsigned looks, events; /* of each, or none */
		bool marked;
	} rows[] = {
		{"refused", "Refused", 5, 3600, 1, 2, false},
		{"refused, as the leader before said", "Refused", 3600, 3600, 1, 0, false},
		{"its time is over, which nobody wrote down", "Attested", 3600, -5, 1, 2, false},
		{"a host that nothing was to run on", "Unproven", 5, 3600, 1, 0, false},
		{"trusted", "Attested", 5, 3600, 0, 0, false},
		{"waived", "Waived", 5, 3600, 0, 0, false},
		{"never judged", "", 0, 0, 0, 0, false},
		{"deleted", "", 0, 0, 1, 2, true},
		{"trusted, and so is its Node", "Attested", 5, 3600, 0, 0, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (!begin(&f, rows[i].verdict, rows[i].since, rows[i].valid, false))
			return;
		f.api.marked = rows[i].marked;
		if (!start(&f))
			return;
		expect(&f, rows[i].name, &f.api.looks, rows[i].looks);
		expect(&f, rows[i].name, &f.api.events, rows[i].events);
		kube_fix_linger(&f.kube, 200 * USEC_PER_MSEC);
		pthread_mutex_lock(&f.api.lock);
		CHECK_ROW(rows[i].name,
			f.api.looks == rows[i].looks && f.api.events == rows[i].events &&
				f.api.evictions == 0,
			"%u looks, %u events, %u evictions", f.api.looks, f.api.events,
			f.api.evictions);
		if (rows[i].events)
			CHECK_ROW(rows[i].name,
				strstr(f.api.event, "PodOnUntrustedNode") &&
					strstr(f.api.event, "\"kind\":\"Pod\""),
				"%s", f.api.event);
		pthread_mutex_unlock(&f.api.lock);
		end(&f);
	}
}

/* Its record as somebody writes it now. */
static void judge_anew(struct fix *f, const char *verdict)
{
	static const struct json_limits limits = {4096, 200, 16};
	_cleanup_json_ struct json doc = {0};
	char text[RECORD_TEXT_MAX];

	record_text(text, verdict, 0, 3600);
	CU_ASSERT_EQUAL(json_parse(&doc, span_str(text), &limits, NULL), 0);
	nodes_take_record(f->nodes, json_root(&doc));
}

static void test_counted(void)
{
	struct fix f;

	if (!begin(&f, "Expired", 5, -5, false) || !start(&f))
		return;
	expect(&f, "events", &f.api.events, 2);
	metric_is(&f, "expired", PODS_METRIC("Expired", "2"));
	metric_is(&f, "expired", PODS_METRIC("Refused", "0"));
	judge_anew(&f, "Attested");
	kube_fix_linger(&f.kube, 100 * USEC_PER_MSEC);
	metric_is(&f, "trusted again", PODS_METRIC("Expired", "0"));
	judge_anew(&f, "Refused");
	expect(&f, "told again", &f.api.looks, 2);
	kube_fix_linger(&f.kube, 100 * USEC_PER_MSEC);
	metric_is(&f, "refused", PODS_METRIC("Refused", "2"));
	end(&f);
}

/* Somebody deletes the NodeAttestation of a node that is trusted. */
static void test_deleted(void)
{
	struct fix f;

	if (!begin(&f, "Attested", 5, 3600, false))
		return;
	f.api.marked = true;
	if (!start(&f))
		return;
	kube_fix_linger(&f.kube, 100 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(f.api.looks, 0);
	nodes_lost_record(f.nodes, "n1");
	expect(&f, "they are told of", &f.api.events, 2);
	pthread_mutex_lock(&f.api.lock);
	CHECK_ROW(
		"event", strstr(f.api.event, "not trusted (any more): Deleted"), "%s", f.api.event);
	pthread_mutex_unlock(&f.api.lock);
	metric_is(&f, "deleted", PODS_METRIC("Deleted", "2"));
	judge_anew(&f, "Attested");
	kube_fix_linger(&f.kube, 100 * USEC_PER_MSEC);
	metric_is(&f, "trusted again", PODS_METRIC("Deleted", "0"));
	end(&f);
}

static void test_who_does_not_lead(void)
{
	struct fix f;

	if (!begin(&f, "Refused", 5, 3600, true))
		return;
	f.api.holder = "another";
	if (!start(&f))
		return;
	kube_fix_linger(&f.kube, 300 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(f.api.looks, 0);
	metric_is(&f, "nothing", PODS_METRIC("Refused", "0"));
	end(&f);
}

static bool counts(struct fix *f, const char *result)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	char none[128];

	snprintf(none, sizeof(none), "casemate_webhook_evictions_total{result=\"%s\"} 0\n", result);
	metrics_expose(f->kube.metrics, METRICS_TEXT, &b);
	return b.p && !strstr(b.p, none);
}

static void test_evicted(void)
{
	static const char *const results[] = {"evicted", "blocked", "failed"};
	static const struct {
		const char *name;
		int status;
		unsigned evictions; /* tried at least */
		const char *result; /* that is counted; NULL: none */
	} rows[] = {
		{"goes", 201, 1, "evicted"},
		{"is gone", 404, 2, NULL},
		{"a budget holds it", 429, 2, "blocked"},
		{"no right to", 403, 2, "failed"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (!begin(&f, "Refused", 5, 3600, true))
			return;
		f.api.evict = rows[i].status;
		if (!start(&f))
			return;
		expect(&f, rows[i].name, &f.api.evictions, rows[i].evictions);
		kube_fix_linger(&f.kube, 30 * USEC_PER_MSEC);
		for (size_t k = 0; k < ARRAY_SIZE(results); k++)
			CHECK_ROW(rows[i].name,
				counts(&f, results[k]) ==
					(rows[i].result && strcmp(rows[i].result, results[k]) == 0),
				"%s", results[k]);
		pthread_mutex_lock(&f.api.lock);
		CHECK_STR(rows[i].name, span_str(f.api.evicted),
			"/api/v1/namespaces/shop/pods/secret/eviction "
			"{\"apiVersion\":\"policy/"
			"v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":"
			"\"secret\",\"namespace\":\"shop\"},\"deleteOptions\":{\"preconditions\":"
			"{\"uid\":\"uid-secret\"}}}");
		pthread_mutex_unlock(&f.api.lock);
		end(&f);
	}
}

const CU_TestInfo strays_tests[] = {
	{"who is one", test_who_is_one},
	{"who is left alone", test_who_is_left_alone},
	{"they are told of once", test_told},
	{"they are counted", test_counted},
	{"their node's NodeAttestation is deleted", test_deleted},
	{"who does not lead keeps still", test_who_does_not_lead},
	{"they are asked to go", test_evicted},
	CU_TEST_INFO_NULL,
};
