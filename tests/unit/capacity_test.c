/* SPDX-License-Identifier: Apache-2.0
 *
 * Against a small API server that knows one Node and applies merge patches of its EPC. */
#include "nodeagent/node/capacity.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

enum { NODE_TEXT_MAX = 1024 };

struct api {
	struct kube_fix fix;
	struct capacity *capacity;
	struct kube_event_recorder *events;
	pthread_mutex_t lock; /* what follows; the server has a thread of its own */
	bool there;           /* the Node */
	char epc[32];         /* as JSON; "": no such capacity */
	char uid[16], manager[32];
	char note[32];  /* annotation; "": none */
	unsigned asked; /* that were told of it */
	unsigned version;
	int refuse; /* status of PATCHes; 0: they are applied, -1: the connection is closed */
	int watch;  /* number of the request that is the watch, -1: none */
	unsigned patches;
	char patch[256];  /* the last one's body */
	unsigned changes; /* that were told */
	bool quiet;       /* own writes do not come on the watch */
};

static void node_text(const struct api *a, char *out)
{
	snprintf(out, NODE_TEXT_MAX,
		"{\"metadata\":{\"name\":\"node-1\",\"uid\":\"%s\",\"resourceVersion\":\"%u\","
		"\"annotations\":{\"%s\":\"%s\"},"
		"\"managedFields\":[{\"manager\":\"%s\",\"fieldsV1\":{\"f:status\":{\"f:capacity\":"
		"{\"f:sgx.intel.com/epc\":{}}}}}]},\"status\":{\"capacity\":{\"cpu\":\"2\"%s%s},"
		"\"allocatable\":{\"sgx.intel.com/epc\":\"5\"}}}",
		a->uid, a->version, a->note[0] ? "casemate.dev/attest" : "other", a->note,
		a->manager, a->epc[0] ? ",\"sgx.intel.com/epc\":" : "", a->epc);
}

/* With the lock held, as all that follows. */
static void push(struct api *a, const char *type)
{
	char node[NODE_TEXT_MAX], line[NODE_TEXT_MAX + 64], chunk[NODE_TEXT_MAX + 128];

	node_text(a, node);
	snprintf(line, sizeof(line), "{\"type\":\"%s\",\"object\":%s}\n", type, node);
	snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(line), line);
	if (a->watch >= 0)
		fake_server_push(a->fix.server, (unsigned)a->watch, chunk, strlen(chunk));
}

static void apply(struct api *a, const char *body, struct fake_reply *reply)
{
	static const char key[] = "\"sgx.intel.com/epc\":";
	const char *at = strstr(body, key);
	char node[NODE_TEXT_MAX];

	a->patches++;
	snprintf(a->patch, sizeof(a->patch), "%s", body);
	if (a->refuse > 0) {
		fake_respond(reply, a->refuse, NULL,
			"{\"message\":\"not you\",\"reason\":\"Forbidden\"}");
		return;
	}
	if (a->refuse < 0) {
		reply->close = true;
		return;
	}
	if (at) {
		at += sizeof(key) - 1;
		snprintf(a->epc, sizeof(a->epc), "%.*s", (int)strcspn(at, ",}"), at);
		if (strcmp(a->epc, "null") == 0)
			a->epc[0] = '\0';
	}
	a->version++;
	snprintf(a->manager, sizeof(a->manager), "casemate-nodeagent");
	if (!a->quiet)
		push(a, "MODIFIED");
	node_text(a, node);
	fake_respond(reply, 200, NULL, node);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	char node[NODE_TEXT_MAX], list[NODE_TEXT_MAX + 128];
	const char *body = strstr(request, "\r\n\r\n");
	struct api *a = ctx;

	pthread_mutex_lock(&a->lock);
	if (strstr(request, "?watch=1")) {
		a->watch = (int)n;
		fake_stream(reply, 200);
	} else if (strncmp(request, "GET", 3) == 0) {
		node_text(a, node);
		snprintf(list, sizeof(list),
			"{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[%s]}", a->version,
			a->there ? node : "");
		fake_respond(reply, 200, NULL, list);
	} else if (strncmp(request, "PATCH", 5) == 0) {
		apply(a, body ? body + 4 : "", reply);
	} else {
		fake_respond(reply, 201, NULL, "{}");
	}
	pthread_mutex_unlock(&a->lock);
}

static void on_change(void *ctx)
{
	((struct api *)ctx)->changes++;
}

static void on_asked(void *ctx)
{
	((struct api *)ctx)->asked++;
}

static bool api_begin(struct api *a, const char *epc)
{
	struct capacity_options o = {
		.node = "node-1", .changed = on_change, .asked = on_asked, .ctx = a};
	struct error err = {0};

	*a = (struct api){.there = epc != NULL, .uid = "u-1", .version = 10, .watch = -1};
	pthread_mutex_init(&a->lock, NULL);
	snprintf(a->epc, sizeof(a->epc), "%s", epc ? epc : "");
	if (!kube_fix_begin(&a->fix, answer, a))
		return false;
	CU_ASSERT_EQUAL(
		kube_event_recorder_new(&a->events, a->fix.client, "casemate.dev/test", "node-1"),
		0);
	o.events = a->events;
	o.metrics = a->fix.metrics;
	CHECK_ROW(
		"new", capacity_new(&a->capacity, a->fix.client, &o, &err) == 0, "%s", err.message);
	return a->capacity;
}

static void api_end(struct api *a)
{
	capacity_free(a->capacity);
	kube_event_recorder_free(a->events);
	kube_fix_end(&a->fix);
	pthread_mutex_destroy(&a->lock);
}

/* Somebody writes the Node; epc NULL: something else of it. */
static void api_write(struct api *a, const char *type, const char *epc, const char *manager)
{
	pthread_mutex_lock(&a->lock);
	a->version++;
	if (epc) {
		snprintf(a->epc, sizeof(a->epc), "%s", epc);
		snprintf(a->manager, sizeof(a->manager), "%s", manager);
	}
	push(a, type);
	pthread_mutex_unlock(&a->lock);
}

static void api_refuse(struct api *a, int status)
{
	pthread_mutex_lock(&a->lock);
	a->refuse = status;
	pthread_mutex_unlock(&a->lock);
}

static void api_uid(struct api *a, const char *uid)
{
	pthread_mutex_lock(&a->lock);
	snprintf(a->uid, sizeof(a->uid), "%s", uid);
	pthread_mutex_unlock(&a->lock);
}

static void check_patch(struct api *a, const char *row, const char *want)
{
	pthread_mutex_lock(&a->lock);
	CHECK_STR(row, span_str(a->patch), want);
	pthread_mutex_unlock(&a->lock);
}

/* The watch is too old; a list of that version follows. */
static void api_relist(struct api *a, unsigned version)
{
	static const char error[] =
		"3a\r\n{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"old\"}}\n\r\n";

	pthread_mutex_lock(&a->lock);
	a->version = version;
	fake_server_push(a->fix.server, (unsigned)a->watch, error, sizeof(error) - 1);
	a->watch = -1;
	pthread_mutex_unlock(&a->lock);
}

static unsigned api_patches(struct api *a)
{
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = a->patches;
	pthread_mutex_unlock(&a->lock);
	return n;
}

struct waiting {
	struct api *a;
	unsigned patches;
	enum capacity_state state;
};

static bool is_there(void *ctx)
{
	struct waiting *w = ctx;

	return api_patches(w->a) == w->patches && capacity_state(w->a->capacity) == w->state &&
	       capacity_connected(w->a->capacity);
}

/* So many PATCHes have come by then, that state is reached, and both stay. */
static void settles(struct api *a, const char *row, unsigned patches, enum capacity_state state)
{
	struct waiting w = {a, patches, state};

	kube_fix_wait(&a->fix, is_there, &w);
	kube_fix_linger(&a->fix, 30 * USEC_PER_MSEC);
	CHECK_ROW(row, is_there(&w), "%u patches, state %d, connected %d: %s", api_patches(a),
		capacity_state(a->capacity), capacity_connected(a->capacity),
		capacity_problem(a->capacity));
}

/* One of the requests has both. */
static bool was_asked(struct api *a, const char *what, const char *more)
{
	for (unsigned n = fake_server_requests(a->fix.server); n > 0; n--) {
		_cleanup_free_ char *request = fake_server_request(a->fix.server, n - 1);

		if (request && strstr(request, what) && strstr(request, more))
			return true;
	}
	return false;
}

struct asking {
	struct api *a;
	const char *what, *more;
};

static bool has_come(void *ctx)
{
	const struct asking *w = ctx;

	return was_asked(w->a, w->what, w->more);
}

/* Such a request comes, or has come. */
static void is_asked(struct api *a, const char *what, const char *more)
{
	struct asking w = {a, what, more};

	CHECK_ROW(what, kube_fix_wait(&a->fix, has_come, &w), "no such request with %s", more);
}

static bool metrics_have(struct api *a, const char *line)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	metrics_expose(a->fix.metrics, METRICS_TEXT, &b);
	return b.p && strstr(b.p, line);
}

#define EPC(n) "{\"status\":{\"capacity\":{\"sgx.intel.com/epc\":" n "}}}"

static void test_publishes(void)
{
	static const struct {
		const char *epc;
		int64_t want;
		unsigned patches;
		const char *patch;
	} rows[] = {
		{"", 134217728, 1, EPC("\"134217728\"")}, {"\"134217728\"", 134217728, 0, ""},
		{"\"128Mi\"", 134217728, 0, ""}, {"134217728", 134217728, 0, ""},
		{"\"64Mi\"", 134217728, 1, EPC("\"134217728\"")},
		{"\"0\"", 134217728, 1, EPC("\"134217728\"")}, {"", 0, 1, EPC("\"0\"")},
		{"", -1, 0, ""}, {"\"64Mi\"", -1, 0, ""}, /* a stranger's */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct api a;

		if (!api_begin(&a, rows[i].epc))
			return;
		CU_ASSERT_EQUAL(capacity_state(a.capacity), CAPACITY_UNKNOWN);
		CU_ASSERT_STRING_EQUAL(capacity_node_uid(a.capacity), "");
		CU_ASSERT_EQUAL(capacity_allocatable(a.capacity, CAPACITY_EPC), -1);
		if (i % 2 == 0)
			capacity_set(a.capacity, CAPACITY_EPC, rows[i].want);
		settles(&a, rows[i].epc, i % 2 == 0 ? rows[i].patches : 0, CAPACITY_PUBLISHED);
		capacity_set(a.capacity, CAPACITY_EPC, rows[i].want);
		settles(&a, rows[i].epc, rows[i].patches, CAPACITY_PUBLISHED);
		check_patch(&a, rows[i].epc, rows[i].patch);
		CHECK_STR(rows[i].epc, span_str(capacity_problem(a.capacity)), "");
		is_asked(&a, "GET /api/v1/nodes?limit=500&fieldSelector=metadata.name%3Dnode-1 ",
			"");
		CU_ASSERT_STRING_EQUAL(capacity_node_uid(a.capacity), "u-1");
		CU_ASSERT_EQUAL(capacity_allocatable(a.capacity, CAPACITY_EPC), 5);
		CU_ASSERT_EQUAL(capacity_allocatable(a.capacity, CAPACITY_TDX_KEYS), -1);
		CHECK_ROW(rows[i].epc, !was_asked(&a, "POST", "EpcRepublished"), "an event");
		if (rows[i].patches)
			is_asked(&a,
				"PATCH /api/v1/nodes/node-1/status?fieldManager=casemate-nodeagent "
				"HTTP",
				"application/merge-patch+json");
		CHECK_ROW(rows[i].epc,
			!rows[i].patches ||
				metrics_have(&a, "casemate_agent_capacity_writes_total{key=\"sgx."
						 "intel.com/epc\",result=\"ok\"} 1\n"),
			"metric");
		CU_ASSERT(metrics_have(&a, "casemate_agent_api_connected 1\n"));
		api_end(&a);
	}
}

static void test_several(void)
{
	struct api a;

	if (!api_begin(&a, ""))
		return;
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++)
		capacity_set(a.capacity, k, 10 + (int64_t)k);
	kube_fix_linger(&a.fix, 100 * USEC_PER_MSEC);
	/* The Node of this test takes EPC alone; what it lacks is tried again, not too often. */
	CHECK_ROW("several", api_patches(&a) == 1, "%u", api_patches(&a));
	check_patch(&a, "several",
		"{\"status\":{\"capacity\":{\"sgx.intel.com/epc\":\"10\",\"tdx.intel.com/"
		"keys\":\"11\","
		"\"sev-snp.amd.com/esids\":\"12\"}}}");
	capacity_set(a.capacity, CAPACITY_TDX_KEYS, -1);
	capacity_set(a.capacity, CAPACITY_SNP_ESIDS, -1);
	settles(&a, "several", 1, CAPACITY_PUBLISHED);
	api_end(&a);
}

static bool begin_published(struct api *a)
{
	if (!api_begin(a, ""))
		return false;
	capacity_set(a->capacity, CAPACITY_EPC, 128);
	settles(a, "published", 1, CAPACITY_PUBLISHED);
	kube_fix_linger(&a->fix, 450 * USEC_PER_MSEC); /* what follows comes at once */
	return true;
}

static void test_reasserts(void)
{
	static const struct {
		const char *epc, *event;
	} rows[] = {
		{"\"0\"", "sgx.intel.com/epc is 128 again: the kubelet had registered anew and set "
			  "it to 0"},
		{"\"7\"", "sgx.intel.com/epc is 128 again: kubectl-edit had set it to 7"},
		{"", "sgx.intel.com/epc is 128 again: kubectl-edit had removed it"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct api a;
		unsigned changes;

		if (!begin_published(&a))
			return;
		changes = a.changes;
		api_write(&a, "MODIFIED", NULL, NULL); /* a heartbeat */
		settles(&a, rows[i].epc, 1, CAPACITY_PUBLISHED);
		CHECK_ROW(
			rows[i].epc, a.changes == changes, "told %u changes", a.changes - changes);
		api_write(&a, "MODIFIED", rows[i].epc, "kubectl-edit");
		settles(&a, rows[i].epc, 2, CAPACITY_PUBLISHED);
		CHECK_ROW(rows[i].epc, a.changes > changes, "told nothing");
		is_asked(&a, "EpcRepublished", rows[i].event);
		is_asked(&a,
			"\"regarding\":{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"name\":\"node-"
			"1\",\"uid\":\"u-1\"}",
			"");
		api_end(&a);
	}
}

/* What the watch brings late, or again after it had to be opened anew. */
struct asks {
	struct api *a;
	unsigned want;
};

static bool was_told(void *ctx)
{
	const struct asks *w = ctx;

	return w->a->asked == w->want;
}

/* A new value is told once, whatever it is; an old one never again. */
static void test_asked(void)
{
	static const struct {
		const char *note, *uid;
		unsigned asked;
	} rows[] = {
		{"a", "u-1", 1},
		{"a", "u-1", 1},
		{"a b", "u-1", 2},
		{"a c", "u-1", 3},
		{"", "u-1", 3},
		{"a c", "u-1", 4},
		{"d", "u-2", 4},
		{"e", "u-2", 5},
	};
	struct api a;

	if (!begin_published(&a))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asks w = {&a, rows[i].asked};

		pthread_mutex_lock(&a.lock);
		snprintf(a.note, sizeof(a.note), "%s", rows[i].note);
		snprintf(a.uid, sizeof(a.uid), "%s", rows[i].uid);
		pthread_mutex_unlock(&a.lock);
		api_write(&a, "MODIFIED", NULL, NULL);
		kube_fix_wait(&a.fix, was_told, &w);
		kube_fix_linger(&a.fix, 30 * USEC_PER_MSEC);
		CHECK_ROW(rows[i].note, a.asked == rows[i].asked, "row %zu: %u", i, a.asked);
	}
	api_end(&a);
}

static void test_old_news(void)
{
	struct api a;

	if (!api_begin(&a, ""))
		return;
	pthread_mutex_lock(&a.lock);
	a.quiet = true;
	pthread_mutex_unlock(&a.lock);
	capacity_set(a.capacity, CAPACITY_EPC, 128);
	settles(&a, "the answer alone says so", 1, CAPACITY_PUBLISHED);
	kube_fix_linger(&a.fix, 450 * USEC_PER_MSEC); /* what follows would come at once */
	pthread_mutex_lock(&a.lock);
	a.version--;
	snprintf(a.epc, sizeof(a.epc), "\"7\"");
	push(&a, "MODIFIED"); /* from before our write */
	pthread_mutex_unlock(&a.lock);
	settles(&a, "old news", 1, CAPACITY_PUBLISHED);
	/* A list that is older still is new: etcd was restored, and watches end then. */
	api_relist(&a, 5);
	settles(&a, "restored", 2, CAPACITY_PUBLISHED);
	api_end(&a);
}

static void test_made_anew(void)
{
	struct api a;

	if (!begin_published(&a))
		return;
	api_write(&a, "DELETED", NULL, NULL);
	settles(&a, "gone", 1, CAPACITY_UNKNOWN);
	CHECK_ROW("gone", strstr(capacity_problem(a.capacity), "there is no Node node-1"), "%s",
		capacity_problem(a.capacity));
	CU_ASSERT_STRING_EQUAL(capacity_node_uid(a.capacity), "");
	api_uid(&a, "u-2");
	api_write(&a, "ADDED", "", "kubelet");
	settles(&a, "made anew", 2, CAPACITY_PUBLISHED);
	CU_ASSERT_STRING_EQUAL(capacity_node_uid(a.capacity), "u-2");
	is_asked(&a, "EpcRepublished", "the Node had been made anew");
	/* Without the deletion having been seen. */
	api_uid(&a, "u-3");
	api_write(&a, "MODIFIED", "", "kubelet");
	settles(&a, "another", 3, CAPACITY_PUBLISHED);
	CU_ASSERT_STRING_EQUAL(capacity_node_uid(a.capacity), "u-3");
	is_asked(&a, "the Node had been made anew", "u-3");
	api_end(&a);
}

static void test_contested(void)
{
	static const char *const want[] = {"second publisher: nfd-master set it to 7",
		"NodeFeatureRule", "restrictions.disableExtendedResources", "epc.publish: false"};
	struct api a;

	if (!begin_published(&a))
		return;
	api_write(&a, "MODIFIED", "\"7\"", "nfd-master");
	settles(&a, "first", 2, CAPACITY_PUBLISHED);
	CU_ASSERT(metrics_have(
		&a, "casemate_agent_capacity_contested{key=\"sgx.intel.com/epc\"} 0\n"));
	api_write(&a, "MODIFIED", "\"7\"", "nfd-master");
	settles(&a, "second", 2, CAPACITY_CONTESTED);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		CHECK_ROW(want[i], strstr(capacity_problem(a.capacity), want[i]), "%s",
			capacity_problem(a.capacity));
	is_asked(&a, "CapacityContested", "second publisher");
	CU_ASSERT(metrics_have(
		&a, "casemate_agent_capacity_contested{key=\"sgx.intel.com/epc\"} 1\n"));
	api_write(&a, "MODIFIED", "\"8\"", "nfd-master");
	settles(&a, "nothing more", 2, CAPACITY_CONTESTED);
	/* Another value is wanted: once more. */
	capacity_set(a.capacity, CAPACITY_EPC, 64);
	settles(&a, "another value", 3, CAPACITY_PUBLISHED);
	CHECK_STR("another value", span_str(capacity_problem(a.capacity)), "");
	/* Ours is taken away, also by the name of who wrote it. */
	capacity_set(a.capacity, CAPACITY_EPC, -1);
	settles(&a, "removed", 4, CAPACITY_PUBLISHED);
	check_patch(&a, "removed", EPC("null"));
	api_end(&a);
}

static void test_earlier_run(void)
{
	struct api a;

	if (!api_begin(&a, "\"7\""))
		return;
	pthread_mutex_lock(&a.lock);
	snprintf(a.manager, sizeof(a.manager), "casemate-nodeagent");
	pthread_mutex_unlock(&a.lock);
	settles(&a, "not decided yet", 0, CAPACITY_PUBLISHED);
	capacity_set(a.capacity, CAPACITY_EPC, -1);
	settles(&a, "of an earlier run", 1, CAPACITY_PUBLISHED);
	check_patch(&a, "of an earlier run", EPC("null"));
	api_end(&a);
}

static bool tried_again(void *ctx)
{
	return api_patches(ctx) >= 2;
}

static void test_refused(void)
{
	static const struct {
		const char *name;
		int refuse;
		const char *problem, *metric;
	} rows[] = {
		{"forbidden", 403, "cannot be written, it is tried again: not you",
			"result=\"refused\"} "},
		{"broken", 500, "not you", "result=\"error\"} "},
		{"lost", -1, "it is tried again: ", "result=\"error\"} "},
		{"gone", 404, "", "result=\"refused\"} "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct api a;

		if (!api_begin(&a, ""))
			return;
		api_refuse(&a, rows[i].refuse);
		capacity_set(a.capacity, CAPACITY_EPC, 128);
		settles(&a, rows[i].name, 1, CAPACITY_PENDING);
		CHECK_ROW(rows[i].name,
			strstr(capacity_problem(a.capacity), rows[i].problem) &&
				!capacity_problem(a.capacity)[0] == !rows[i].problem[0],
			"%s", capacity_problem(a.capacity));
		CU_ASSERT(metrics_have(&a, rows[i].metric));
		CHECK_ROW(rows[i].name, kube_fix_wait(&a.fix, tried_again, &a), "%u patches",
			api_patches(&a));
		if (i == 0) {
			api_refuse(&a, 404); /* what was said before has no meaning any more */
			settles(&a, rows[i].name, 3, CAPACITY_PENDING);
			CHECK_STR(rows[i].name, span_str(capacity_problem(a.capacity)), "");
		}
		/* What is not wanted any more is no problem. */
		capacity_set(a.capacity, CAPACITY_EPC, -1);
		CHECK_STR(rows[i].name, span_str(capacity_problem(a.capacity)), "");
		capacity_set(a.capacity, CAPACITY_EPC, 128);
		pthread_mutex_lock(&a.lock);
		a.refuse = 0;
		a.patches = 0;
		pthread_mutex_unlock(&a.lock);
		settles(&a, rows[i].name, 1, CAPACITY_PUBLISHED);
		CHECK_STR(rows[i].name, span_str(capacity_problem(a.capacity)), "");
		api_end(&a);
	}
}

static bool is_unconnected(void *ctx)
{
	struct api *a = ctx;

	return !capacity_connected(a->capacity);
}

/* What failed without an answer is tried at once when the API server is back. */
static void test_back(void)
{
	struct waiting w = {.patches = 5, .state = CAPACITY_PENDING};
	int64_t began;
	struct api a;

	if (!api_begin(&a, ""))
		return;
	w.a = &a;
	api_refuse(&a, -1);
	capacity_set(a.capacity, CAPACITY_EPC, 128);
	CU_ASSERT(kube_fix_wait(&a.fix, is_there, &w));
	api_write(&a, "MODIFIED", NULL, NULL); /* so the watch did not end at once */
	kube_fix_linger(&a.fix, 20 * USEC_PER_MSEC);
	pthread_mutex_lock(&a.lock);
	a.refuse = 0;
	fake_server_push(a.fix.server, (unsigned)a.watch, "0\r\n\r\n", 5);
	pthread_mutex_unlock(&a.lock);
	began = clock_monotonic_usec();
	w = (struct waiting){&a, 6, CAPACITY_PUBLISHED};
	CU_ASSERT(kube_fix_wait(&a.fix, is_there, &w));
	/* By itself it came after 3.2 to 6.4 s. */
	CHECK_ROW("back", clock_monotonic_usec() - began < 3 * USEC_PER_SEC, "after %lld us",
		(long long)(clock_monotonic_usec() - began));
	api_end(&a);
}

static void answer_nothing(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)ctx;
	(void)n;
	(void)request;
	reply->close = true;
}

/* Nothing is written while the API server is away, what is known stays known. */
static void test_away(void)
{
	struct api a;
	struct kube_fix away;

	if (!begin_published(&a))
		return;
	pthread_mutex_lock(&a.lock);
	fake_server_push(a.fix.server, (unsigned)a.watch, "0\r\n\r\n", 5);
	a.there = false;
	pthread_mutex_unlock(&a.lock);
	CU_ASSERT(kube_fix_wait(&a.fix, is_unconnected, &a));
	CHECK_STR("away", span_str(capacity_problem(a.capacity)), "");
	capacity_set(a.capacity, CAPACITY_EPC, 64);
	CU_ASSERT_EQUAL(capacity_state(a.capacity), CAPACITY_PENDING);
	CU_ASSERT_EQUAL(api_patches(&a), 1);
	CU_ASSERT_STRING_EQUAL(capacity_node_uid(a.capacity), "u-1");
	settles(&a, "back", 2, CAPACITY_PUBLISHED);
	api_end(&a);

	if (!kube_fix_begin(&away, answer_nothing, NULL))
		return;
	CU_ASSERT_EQUAL(capacity_new(&a.capacity, away.client,
				&(struct capacity_options){.node = "node-1"}, NULL),
		0);
	capacity_set(a.capacity, CAPACITY_EPC, 64);
	kube_fix_linger(&away, 20 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(capacity_state(a.capacity), CAPACITY_UNKNOWN);
	CHECK_ROW("away", strstr(capacity_problem(a.capacity), "Node node-1 cannot be read: "),
		"%s", capacity_problem(a.capacity));
	CU_ASSERT_STRING_EQUAL(capacity_connection_problem(a.capacity), "not listed yet");
	capacity_free(a.capacity);
	kube_fix_end(&away);
}

static void test_no_node(void)
{
	struct api a;

	if (!api_begin(&a, NULL))
		return;
	capacity_set(a.capacity, CAPACITY_EPC, 128);
	settles(&a, "no Node", 0, CAPACITY_UNKNOWN);
	CHECK_ROW("no Node", strstr(capacity_problem(a.capacity), "nodeName is not its name"), "%s",
		capacity_problem(a.capacity));
	api_write(&a, "ADDED", NULL, NULL);
	settles(&a, "a Node", 1, CAPACITY_PUBLISHED);
	pthread_mutex_lock(&a.lock);
	a.there = false;
	pthread_mutex_unlock(&a.lock);
	api_relist(&a, 30);
	settles(&a, "not in the next list", 1, CAPACITY_UNKNOWN);
	api_end(&a);
}

static void test_names(void)
{
	static const char *const rows[] = {"", "a/b", "Node", "a b", "a%2f", "a?b"};
	struct kube_fix f;

	if (!kube_fix_begin(&f, answer_nothing, NULL))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capacity *c = NULL;
		struct error err = {0};
		int r = capacity_new(
			&c, f.client, &(struct capacity_options){.node = rows[i]}, &err);

		CHECK_ROW(rows[i], r == -EINVAL && !c && strstr(err.message, "nodeName"), "%d: %s",
			r, err.message);
	}
	CU_ASSERT_STRING_EQUAL(capacity_key_name(CAPACITY_SNP_ESIDS), "sev-snp.amd.com/esids");
	kube_fix_end(&f);
}

/* At any moment. */
static void test_free(void)
{
	for (unsigned n = 0; n < 12; n++) {
		struct api a;

		if (!api_begin(&a, ""))
			return;
		api_refuse(&a, n % 2 ? 403 : 0);
		capacity_set(a.capacity, CAPACITY_EPC, 128);
		for (unsigned i = 0; i < n; i++)
			sd_event_run(a.fix.event, 2 * USEC_PER_MSEC);
		capacity_free(TAKE_PTR(a.capacity));
		kube_fix_linger(&a.fix, 10 * USEC_PER_MSEC);
		api_end(&a);
	}
}

static void test_no_memory_at_start(void)
{
	struct oom o = {0};
	struct api a;

	if (!api_begin(&a, NULL))
		return;
	while (oom_next(&o)) {
		const struct capacity_options options = {.node = "node-1"};
		struct capacity *c = NULL;
		struct error err = {0};
		int r;

		oom_begin(&o);
		r = capacity_new(&c, a.fix.client, &options, &err);
		oom_end(&o);
		CHECK_ROW(o.row, r == (o.failed ? -ENOMEM : 0) && !c == (r < 0), "%d: %s", r,
			err.message);
		capacity_free(c);
	}
	api_end(&a);
}

/* A write that could not begin is said, and tried again. */
static void test_no_memory_to_write(void)
{
	struct oom o = {0};

	while (oom_next(&o)) {
		struct api a;

		if (!api_begin(&a, ""))
			return;
		settles(&a, o.row, 0, CAPACITY_PUBLISHED);
		oom_begin(&o);
		capacity_set(a.capacity, CAPACITY_EPC, 128);
		oom_end(&o);
		CHECK_ROW(o.row, !o.failed == !capacity_problem(a.capacity)[0], "%s",
			capacity_problem(a.capacity));
		settles(&a, o.row, 1, CAPACITY_PUBLISHED);
		check_patch(&a, o.row, EPC("\"128\""));
		api_end(&a);
	}
}

CU_TestInfo capacity_tests[] = {
	{"published where it differs", test_publishes},
	{"several at once", test_several},
	{"written again", test_reasserts},
	{"a person asks", test_asked},
	{"old news", test_old_news},
	{"a Node made anew", test_made_anew},
	{"a second publisher", test_contested},
	{"of an earlier run", test_earlier_run},
	{"refused and tried again", test_refused},
	{"API server away", test_away},
	{"API server back", test_back},
	{"no Node", test_no_node},
	{"names", test_names},
	{"freed at any time", test_free},
	{"no memory at the start", test_no_memory_at_start},
	{"no memory to write", test_no_memory_to_write},
	CU_TEST_INFO_NULL,
};
