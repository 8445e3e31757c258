/* SPDX-License-Identifier: Apache-2.0
 *
 * Pods that hold older versions of keys: which, and how their owners are restarted. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "webhook/broker/keys_rollout.h"
#include "webhook/broker/keys_status.h"

/* A rotation at 2026-01-01T00:00:00Z. */
#define MADE       1767225600
#define LONG_AGO   "2025-12-31T12:00:00Z"
#define JUST_AFTER "2026-01-01T00:00:29Z"
#define AFTER      "2026-01-01T00:00:31Z"

static const struct json_limits limits = {1 << 20, 100000, 64};

#define POD(meta, spec, status)                                                                    \
	"{\"metadata\":{\"name\":\"p\",\"uid\":\"pu\",\"annotations\":{"                           \
	"\"casemate.dev/profile\":\"pay\"" meta "},\"spec\":{" spec "},\"status\":{" status "}}"
#define KEYS           "\"resources\":{\"limits\":{\"casemate.dev/keys\":\"1\"}}"
#define RUNS(name, at) "{\"name\":\"" name "\",\"state\":{\"running\":{\"startedAt\":\"" at "\"}}}"

static void test_old(void)
{
	static const struct {
		const char *name, *pod;
		bool agent, old;
	} rows[] = {
		{"started long before",
			POD("}", "\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[" RUNS("a", LONG_AGO) "]"),
			true, true},
		{"just after, perhaps",
			POD("}", "\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[" RUNS("a", JUST_AFTER) "]"),
			true, true},
		{"after",
			POD("}", "\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[" RUNS("a", AFTER) "]"),
			true, false},
		{"of a template that was restarted for it",
			POD(",\"casemate.dev/rotated\":\"k=1,key=3\"}",
				"\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[" RUNS("a", JUST_AFTER) "]"),
			true, false},
		{"of one that was restarted for the version before",
			POD(",\"casemate.dev/rotated\":\"key=2,k=9\"}",
				"\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[" RUNS("a", LONG_AGO) "]"),
			true, true},
		{"not running",
			POD("}", "\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[{\"name\":\"a\",\"state\":{\"waiting\":{}}}"
				"]"),
			true, false},
		{"no time",
			POD("}", "\"containers\":[{\"name\":\"a\"," KEYS "}]",
				"\"containerStatuses\":[" RUNS("a", "then") "]"),
			true, false},
		{"another container gets no keys",
			POD("}", "\"containers\":[{\"name\":\"a\"," KEYS "},{\"name\":\"b\"}]",
				"\"containerStatuses\":[" RUNS("a", AFTER) "," RUNS(
					"b", LONG_AGO) "]"),
			true, false},
		{"but where containers fetch theirs themselves",
			POD("}", "\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]",
				"\"containerStatuses\":[" RUNS("a", AFTER) "," RUNS(
					"b", LONG_AGO) "]"),
			false, true},
		{"a sidecar",
			POD("}", "\"initContainers\":[{\"name\":\"s\"," KEYS "}]",
				"\"initContainerStatuses\":[" RUNS("s", LONG_AGO) "]"),
			true, true},
	};
	const struct rollout_key key = {"key", KEY_CHANGE_RESTART, 3, MADE, -1};
	const struct rollout_key first = {"key", KEY_CHANGE_RESTART, 1, MADE, -1};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};

		CHECK_ROW(rows[i].name, json_parse(&doc, span_str(rows[i].pod), &limits, NULL) == 0,
			"no JSON");
		CHECK_ROW(rows[i].name,
			rollout_is_old(json_root(&doc), &key, rows[i].agent) == rows[i].old,
			"should%s be old", rows[i].old ? "" : " not");
		CHECK_ROW(rows[i].name, !rollout_is_old(json_root(&doc), &first, rows[i].agent),
			"of the first version");
	}
}

static void test_of_the_profile(void)
{
	static const struct {
		const char *pod;
		bool is;
	} rows[] = {
		{POD("}", "", "\"phase\":\"Running\""), true},
		{POD("}", "", "\"phase\":\"Pending\""), true},
		{POD("}", "", "\"phase\":\"Succeeded\""), false},
		{POD("}", "", "\"phase\":\"Failed\""), false},
		{POD("},\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", "", ""), false},
		{"{\"metadata\":{\"annotations\":{\"casemate.dev/profile\":\"other\"}}}", false},
		{"{\"metadata\":{}}", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(rows[i].pod), &limits, NULL), 0);
		CHECK_ROW(
			rows[i].pod, rollout_is_of(json_root(&doc), "pay") == rows[i].is, "not so");
	}
}

#define OWNED(by) "{\"metadata\":{\"ownerReferences\":[" by "]}}"

static void test_owner(void)
{
	static const struct {
		const char *object, *kind, *name;
	} rows[] = {
		{OWNED("{\"apiVersion\":\"apps/"
		       "v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-1\",\"uid\":"
		       "\"u\",\"controller\":true}"),
			"ReplicaSet", "web-1"},
		{OWNED("{\"apiVersion\":\"v1\",\"kind\":\"X\",\"name\":\"x\",\"uid\":\"x\"},"
		       "{\"apiVersion\":\"apps/"
		       "v1\",\"kind\":\"StatefulSet\",\"name\":\"db\",\"uid\":"
		       "\"u\",\"controller\":true}"),
			"StatefulSet", "db"},
		{OWNED("{\"apiVersion\":\"evil/"
		       "v1\",\"kind\":\"Deployment\",\"name\":\"web\",\"uid\":"
		       "\"u\",\"controller\":true}"),
			"other", "web"},
		{OWNED("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"../"
		       "x\",\"uid\":"
		       "\"u\",\"controller\":true}"),
			"", NULL},
		{OWNED("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"web\","
		       "\"controller\":true}"),
			"", NULL},
		{OWNED(""), "", NULL},
		{"{}", "", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		struct rollout_owner o = {0};

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(rows[i].object), &limits, NULL), 0);
		rollout_owner_of(&o, json_root(&doc));
		CHECK_STR(rows[i].object, span_str(o.kind), rows[i].kind);
		if (rows[i].name)
			CHECK_STR(rows[i].object, span_str(o.name), rows[i].name);
	}
}

static void test_patch(void)
{
	static const struct rollout_key keys[] = {{"a", KEY_CHANGE_RESTART, 3, MADE, -1},
		{"b", KEY_CHANGE_NONE, 2, MADE, -1}, {"c", KEY_CHANGE_RESTART, 2, MADE, -1}};
	_cleanup_buf_ struct buf value = BUF_INIT(ROLLOUT_TEXT_MAX), patch = BUF_INIT(4096);

	CU_ASSERT_EQUAL(rollout_value(&value, keys, ARRAY_SIZE(keys)), 0);
	CU_ASSERT_STRING_EQUAL(value.p, "a=3,c=2");
	CU_ASSERT_EQUAL(rollout_patch(&patch, "u-1", buf_view(&value)), 0);
	CU_ASSERT_STRING_EQUAL(patch.p,
		"{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"template\":{\"metadata\":{"
		"\"annotations\":{\"casemate.dev/rotated\":\"a=3,c=2\"}}}}}");
}

/* --- what the status says --- */

static void test_status(void)
{
	static const struct {
		const char *name, *status;
		enum key_on_change on_change;
		int old;
		const char *want, *never;
	} rows[] = {
		{"some", "{}", KEY_CHANGE_NONE, 2,
			"\"oldPods\":2,\"releases\":0}],\"conditions\":[{\"type\":\"KeysReady\","
			"\"status\":\"True\"",
			"\"message\":\"\""},
		{"said of None", "{}", KEY_CHANGE_NONE, 2,
			"running pods hold older versions: key (2 pods, rotation.onChange: None, "
			"until they are restarted)",
			NULL},
		{"said of Restart", "{}", KEY_CHANGE_RESTART, 1,
			"key (1 pod, rotation.onChange: Restart)", NULL},
		{"none", "{}", KEY_CHANGE_RESTART, 0, "\"oldPods\":0", "older versions"},
		{"not known", "{}", KEY_CHANGE_NONE, -1, "\"version\":3", "oldPods"},
		{"known by another replica",
			"{\"keys\":[{\"name\":\"key\",\"version\":3,\"oldPods\":4}]}",
			KEY_CHANGE_RESTART, -1, "key (4 pods", NULL},
		{"of another version",
			"{\"keys\":[{\"name\":\"key\",\"version\":2,\"oldPods\":4}]}",
			KEY_CHANGE_RESTART, -1, "\"version\":3", "oldPods"},
	};
	static const struct key_owner owner = {"shop", "n", "pay", "u"};
	const enum key_state state = KEY_STATE_READY;
	_cleanup_record_ struct key_record rec = {0};
	struct key_entry *e;

	CU_ASSERT_EQUAL(key_record_new(&rec, &owner, NULL), 0);
	e = key_record_add(&rec, "key");
	e->n = 1;
	e->v[0] = (struct key_version){.version = 3, .made_sec = MADE};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(4096), out = BUF_INIT(1 << 16);
		_cleanup_json_ struct json doc = {0};
		const struct key_spec spec = {.name = "key", .on_change = rows[i].on_change};
		struct profile p = {.namespace_ = "shop", .name = "pay", .valid = true};

		buf_printf(&text, "{\"metadata\":{\"resourceVersion\":\"1\"},\"status\":%s}",
			rows[i].status);
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
		p.object = json_root(&doc);
		CU_ASSERT_EQUAL(keys_status_patch(&out,
					&(struct keys_report){.profile = &p,
						.specs = &spec,
						.states = &state,
						.n = 1,
						.rec = &rec,
						.problem = "",
						.old = &rows[i].old},
					MADE),
			1);
		CHECK_ROW(rows[i].name, strstr(out.p, rows[i].want), "%s", out.p);
		if (rows[i].never)
			CHECK_ROW(rows[i].name, !strstr(out.p, rows[i].never), "%s", out.p);
	}
}

/* --- with an API server --- */

#define BY(kind, name, uid)                                                                        \
	",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"" kind "\",\"name\":\"" name \
	"\",\"uid\":\"" uid "\",\"controller\":true}]"
#define LISTED(owner, at)                                                                          \
	POD("}" owner, "\"containers\":[{\"name\":\"a\"," KEYS "}]",                               \
		"\"containerStatuses\":[" RUNS("a", at) "]")

struct world {
	struct kube_fix kube;
	struct kube_event_recorder *events;
	struct keys_rollout *rollout;
	pthread_mutex_t lock; /* of what follows */
	char log[8192], event[2048];
	bool rolled; /* pods are new now */
	struct json doc;
	struct profile profile;
	struct key_record rec;
	struct key_entry *key;
};

static void list(struct world *w, const char *path, struct fake_reply *reply)
{
	if (w->rolled)
		fake_respond(reply, 200, NULL,
			"{\"items\":[" LISTED(BY("ReplicaSet", "web-2", "r2"), AFTER) "]}");
	else if (!strstr(path, "continue="))
		fake_respond(reply, 200, NULL,
			"{\"metadata\":{\"continue\":\"bmV4dA\"},\"items\":[" LISTED(
				BY("ReplicaSet", "web-1", "r1"),
				LONG_AGO) "," LISTED(BY("ReplicaSet", "web-1", "r1"),
				LONG_AGO) "]}");
	else
		fake_respond(reply, 200, NULL,
			"{\"items\":[" LISTED(BY("StatefulSet", "db", "s1"), LONG_AGO) "," LISTED(
				BY("Job", "once", "j1"), LONG_AGO) "," LISTED("",
				LONG_AGO) "," LISTED(BY("DaemonSet", "new", "d1"), AFTER) "]}");
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	struct world *w = ctx;
	char method[16] = "", path[1024] = "";
	size_t used;

	(void)n;
	sscanf(request, "%15s %1023s", method, path);
	pthread_mutex_lock(&w->lock);
	used = strlen(w->log);
	snprintf(w->log + used, sizeof(w->log) - used, "%s %s %s\n", method, path,
		strcmp(method, "PATCH") == 0 && body ? body + 4 : "");
	if (strstr(path, "/events")) {
		snprintf(w->event, sizeof(w->event), "%s", body ? body + 4 : "");
		fake_respond(reply, 201, NULL, "{}");
	} else if (strstr(path, "/namespaces/shop/pods?")) {
		list(w, path, reply);
	} else if (strstr(path, "/replicasets/web-1")) {
		fake_respond(reply, 200, NULL,
			"{\"metadata\":{\"name\":\"web-1\",\"uid\":\"r1\"" BY(
				"Deployment", "web", "d1") "}}");
	} else {
		w->rolled = w->rolled || strstr(path, "/deployments/web");
		fake_respond(reply, strcmp(method, "PATCH") == 0 ? 200 : 404, NULL, "{}");
	}
	pthread_mutex_unlock(&w->lock);
}

static bool begin(struct world *w, bool restart)
{
	static const char text[] = "{\"tee\":\"node\"}";
	static const struct key_owner owner = {"shop", "n", "pay", "u"};
	struct error err = {0};

	pthread_mutex_init(&w->lock, NULL);
	if (!kube_fix_begin(&w->kube, answer, w))
		return false;
	CU_ASSERT_EQUAL(json_parse(&w->doc, span_str(text), &limits, NULL), 0);
	w->profile = (struct profile){.namespace_ = "shop",
		.name = "pay",
		.uid = "u",
		.spec = json_root(&w->doc),
		.valid = true};
	CU_ASSERT_EQUAL(key_record_new(&w->rec, &owner, NULL), 0);
	w->key = key_record_add(&w->rec, "key");
	w->key->n = 1;
	w->key->v[0] = (struct key_version){.version = 3, .made_sec = MADE};
	CU_ASSERT_EQUAL(
		kube_event_recorder_new(&w->events, w->kube.client, "casemate.dev/webhook", "test"),
		0);
	return CHECK_ROW("rollout",
		keys_rollout_new(&w->rollout,
			&(struct keys_rollout_options){.event = w->kube.event,
				.kube = w->kube.client,
				.events = w->events,
				.restart = restart,
				.metrics = w->kube.metrics,
				.step_usec = 5000},
			&err) == 0,
		"%s", err.message);
}

static void end(struct world *w)
{
	keys_rollout_free(w->rollout);
	kube_event_recorder_free(w->events);
	key_record_free(&w->rec);
	json_free(&w->doc);
	kube_fix_end(&w->kube);
	pthread_mutex_destroy(&w->lock);
}

static void see(struct world *w, enum key_on_change on_change)
{
	const struct key_spec spec = {.name = "key", .on_change = on_change, .keep_versions = 2};

	keys_rollout_see(w->rollout, &w->profile, &spec, 1, &w->rec);
}

static size_t count(struct world *w, const char *line)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	for (const char *p = w->log; (p = strstr(p, line)); p += strlen(line))
		n++;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static int old(const struct world *w)
{
	return keys_rollout_old(w->rollout, &w->profile, "key");
}

static bool none_is_old(void *ctx)
{
	return old(ctx) == 0;
}

static bool five_are_old(void *ctx)
{
	return old(ctx) == 5;
}

static bool was_told(void *ctx)
{
	struct world *w = ctx;
	bool told;

	pthread_mutex_lock(&w->lock);
	told = strstr(w->event, "RestartNeeded");
	pthread_mutex_unlock(&w->lock);
	return told;
}

static void test_restarted(void)
{
	struct world w = {0};

	if (begin(&w, true)) {
		CU_ASSERT_EQUAL(old(&w), -1);
		see(&w, KEY_CHANGE_RESTART);
		CU_ASSERT(kube_fix_wait(&w.kube, five_are_old, &w));
		CHECK_ROW("deployment",
			count(&w, "PATCH /apis/apps/v1/namespaces/shop/deployments/web "
				  "{\"metadata\":{\"uid\":\"d1\"},\"spec\":{\"template\":{"
				  "\"metadata\":{\"annotations\":{\"casemate.dev/"
				  "rotated\":\"key=3\"}}}}}") == 1,
			"%s", w.log);
		CHECK_ROW("stateful set",
			count(&w, "PATCH /apis/apps/v1/namespaces/shop/statefulsets/db ") == 1,
			"%s", w.log);
		CU_ASSERT_EQUAL(count(&w, "PATCH "), 2);
		/* The look after it finds new pods, and is the last one. */
		CU_ASSERT(kube_fix_wait(&w.kube, none_is_old, &w));
		see(&w, KEY_CHANGE_RESTART);
		kube_fix_linger(&w.kube, 500000);
		CU_ASSERT_EQUAL(count(&w, "/pods?"), 3);
		CU_ASSERT_EQUAL(count(&w, "PATCH "), 2);
		CU_ASSERT_EQUAL(old(&w), 0);
	}
	end(&w);
}

/* Where it may not, or is not to. */
static void test_not_restarted(void)
{
	struct world w = {0};

	if (begin(&w, false)) {
		see(&w, KEY_CHANGE_RESTART);
		CU_ASSERT(kube_fix_wait(&w.kube, five_are_old, &w));
		CU_ASSERT(kube_fix_wait(&w.kube, was_told, &w));
		CU_ASSERT_EQUAL(count(&w, "PATCH "), 0);
	}
	end(&w);
}

static void test_left_alone(void)
{
	struct world w = {0};

	if (begin(&w, true)) {
		see(&w, KEY_CHANGE_NONE);
		CU_ASSERT(kube_fix_wait(&w.kube, five_are_old, &w));
		kube_fix_linger(&w.kube, 100000);
		CU_ASSERT_EQUAL(count(&w, "PATCH "), 0);
		CU_ASSERT_EQUAL(count(&w, "/events"), 0);
		/* A profile that is gone is forgotten. */
		keys_rollout_sweep(w.rollout);
		CU_ASSERT_EQUAL(old(&w), 5);
		keys_rollout_sweep(w.rollout);
		CU_ASSERT_EQUAL(old(&w), -1);
		/* Files are the agents'; a first version is nobody's old one. */
		see(&w, KEY_CHANGE_FILE);
		w.key->v[0].version = 1;
		see(&w, KEY_CHANGE_RESTART);
		kube_fix_linger(&w.kube, 100000);
		CU_ASSERT_EQUAL(count(&w, "/pods?"), 2);
	}
	end(&w);
}

const CU_TestInfo rollout_tests[] = {
	{"older versions", test_old},
	{"pods of a profile", test_of_the_profile},
	{"owners", test_owner},
	{"the patch", test_patch},
	{"what the status says", test_status},
	{"owners are restarted, once", test_restarted},
	{"or told what to do", test_not_restarted},
	{"or left alone", test_left_alone},
	CU_TEST_INFO_NULL,
};
