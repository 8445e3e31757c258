/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/event.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 20, 1000, 20};

struct fix {
	struct kube_fix kube;
	struct kube_event_recorder *recorder;
	unsigned want;
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	(void)n;
	if (!strstr(request, "Hang"))
		fake_respond(reply, *(const int *)ctx, NULL, "{}");
}

static bool fix_begin(struct fix *f, const int *status)
{
	*f = (struct fix){0};
	if (!kube_fix_begin(&f->kube, answer, (void *)status))
		return false;
	CU_ASSERT_EQUAL(
		kube_event_recorder_new(&f->recorder, f->kube.client, "casemate.dev/test", "pod-1"),
		0);
	return f->recorder;
}

static void fix_end(struct fix *f)
{
	kube_event_recorder_free(f->recorder);
	kube_fix_end(&f->kube);
}

static bool all_came(void *ctx)
{
	struct fix *f = ctx;

	return fake_server_requests(f->kube.server) >= f->want;
}

/* Waits for n events; then a little for more. */
static void expect_events(struct fix *f, unsigned n)
{
	f->want = n;
	CU_ASSERT_TRUE(kube_fix_wait(&f->kube, all_came, f));
	kube_fix_linger(&f->kube, 30 * USEC_PER_MSEC);
	CU_ASSERT_EQUAL(fake_server_requests(f->kube.server), n);
}

/* value at key or, for "a/b", at b of a. */
static void check_field(const char *row, struct json_val root, const char *path, const char *want)
{
	struct arena a = ARENA_INIT(1 << 16);
	_cleanup_free_ char *keys = strdup(path);
	char *save = NULL;

	for (char *k = strtok_r(keys, "/", &save); k; k = strtok_r(NULL, "/", &save))
		root = json_get(root, k);
	if (want)
		CHECK_STR(row, json_str(root, &a), want);
	else
		CHECK_ROW(row, !json_exists(root), "%s is there", path);
	arena_free(&a);
}

static void test_body(void)
{
	static char long_name[254], long_note[2000];
	static const struct kube_object_ref pod = {"v1", "Pod", "ns1", "web-0", "u-1"},
					    node = {"v1", "Node", "", "Node-1", "u-2"},
					    unnamed = {"apps/v1", "ReplicaSet", "ns1", "", ""},
					    cut = {"v1", "Pod", "ns1", long_name, "u-3"};
	static const struct {
		const struct kube_object_ref *ref;
		const char *note, *path, *fields[16]; /* pairs of key and value */
	} rows[] = {
		{&pod, "said \"no\"",
			"POST /apis/events.k8s.io/v1/namespaces/ns1/events HTTP/1.1\r\n",
			{"apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata/namespace",
				"ns1", "note", "said \"no\"", "regarding/uid", "u-1",
				"regarding/namespace", "ns1", "regarding/name", "web-0"}},
		{&node, "n", "POST /apis/events.k8s.io/v1/namespaces/default/events HTTP/1.1\r\n",
			{"metadata/namespace", "default", "regarding/kind", "Node",
				"regarding/apiVersion", "v1", "regarding/namespace", NULL, "type",
				"Warning", "reason", "Refused", "action", "Admit",
				"reportingController", "casemate.dev/test"}},
		{&unnamed, "n", "POST /apis/events.k8s.io/v1/namespaces/ns1/events HTTP/1.1\r\n",
			{"regarding/apiVersion", "apps/v1", "regarding/uid", NULL, "regarding/name",
				"", "reportingInstance", "pod-1"}},
		{&cut, long_note, "POST ", {"regarding/name", long_name}},
	};
	int status = 201;
	struct fix f;

	/* A cut inside the name falls behind a dot, one inside the note into a character. */
	memset(long_name, 'a', 253);
	long_name[235] = '.';
	memset(long_note, 'x', sizeof(long_note) - 1);
	memcpy(long_note + 1023, "\xc3\xa9", 2);
	if (!fix_begin(&f, &status))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *request = NULL;
		struct json json = {0};
		struct json_val root;
		struct error err = {0};
		struct arena a = ARENA_INIT(1 << 16);
		struct span name, text;
		int64_t usec;

		kube_event(f.recorder, rows[i].ref, "Warning", "Refused", "Admit", rows[i].note);
		expect_events(&f, i + 1);
		request = fake_server_request(f.kube.server, i);
		if (!CHECK_ROW(rows[i].path,
			    request && span_starts(span_str(request), rows[i].path), "%s", request))
			continue;
		text = span_str(strstr(request, "\r\n\r\n") + 4);
		if (!CHECK_ROW(rows[i].path, json_parse(&json, text, &limits, &err) == 0, "%s",
			    err.message))
			continue;
		root = json_root(&json);
		for (unsigned n = 0; n < 16 && rows[i].fields[n]; n += 2)
			check_field(rows[i].path, root, rows[i].fields[n], rows[i].fields[n + 1]);
		CU_ASSERT_EQUAL(clock_parse(json_str(json_get(root, "eventTime"), &a), &usec), 0);
		CU_ASSERT_TRUE(llabs(usec - clock_unix_usec()) < 60 * (int64_t)USEC_PER_SEC);
		name = json_str(json_find(root, "metadata", "name"), &a);
		CHECK_ROW(rows[i].path,
			name.len <= 253 && name.len > 10 && !memmem(name.p, name.len, "..", 2),
			SPAN_FMT, SPAN_ARG(name));
		if (rows[i].ref == &node)
			CHECK_ROW("name", span_starts(name, "node-1."), SPAN_FMT, SPAN_ARG(name));
		if (rows[i].ref == &unnamed)
			CHECK_ROW(
				"name", span_starts(name, "replicaset."), SPAN_FMT, SPAN_ARG(name));
		if (rows[i].ref == &cut)
			CU_ASSERT_EQUAL(json_str(json_get(root, "note"), &a).len, 1023);
		json_free(&json);
		arena_free(&a);
	}
	fix_end(&f);
}

static void test_repeated(void)
{
	static const struct kube_object_ref a = {"v1", "Pod", "ns1", "a", "1"},
					    b = {"v1", "Pod", "ns1", "a", "2"};
	int status = 201;
	struct fix f;

	if (!fix_begin(&f, &status))
		return;
	for (unsigned i = 0; i < 3; i++) {
		kube_event(f.recorder, &a, "Warning", "R", "A", "note");
		kube_event(f.recorder, &a, "Warning", "R", "B", "note"); /* the action is no part */
		kube_event(f.recorder, &b, "Warning", "R", "A", "note");
		kube_event(f.recorder, &a, "Warning", "S", "A", "note");
		kube_event(f.recorder, &a, "Warning", "R", "A", "another");
	}
	expect_events(&f, 4);
	fix_end(&f);
}

static void test_lost(void)
{
	static const struct kube_object_ref ref = {"v1", "Pod", "ns1", "a", "1"};
	int status = 403;
	char note[16];
	struct fix f;

	if (!fix_begin(&f, &status))
		return;
	kube_event(f.recorder, &ref, "Normal", "R", "A", "forbidden");
	expect_events(&f, 1);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(note, sizeof(note), "Hang %u", i);
		kube_event(f.recorder, &ref, "Normal", "R", "A", note);
	}
	expect_events(&f, 17);
	fix_end(&f);
}

CU_TestInfo event_tests[] = {
	{"bodies", test_body},
	{"repetitions are dropped", test_repeated},
	{"one that is lost keeps no place", test_lost},
	CU_TEST_INFO_NULL,
};
