/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition of Pods, kept at a stand-in for the API server: gathered, tried again, given up. */
#include "webhook/broker/pod_marks.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/kbs/key_id.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

static const struct requester who = {"shop", "app", "p", "u1", "app", "n1", "nu1"};

struct world {
	struct kube_fix kube;
	struct pod_marks *marks;
	const char *uid;    /* of the pod; NULL: there is none */
	unsigned conflicts; /* writes that another is faster than */
	unsigned reads, writes, want;
	char body[2048]; /* of the last write */
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct world *w = ctx;
	const char *body = strstr(request, "\r\n\r\n");
	char pod[1024];

	(void)n;
	if (strstr(request, "PATCH /api/v1/namespaces/shop/pods/p/status ")) {
		w->writes++;
		snprintf(w->body, sizeof(w->body), "%s", body ? body + 4 : "");
		if (w->conflicts && w->conflicts--)
			fake_respond(reply, 409, NULL,
				"{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":"
				"\"again\"}");
		else
			fake_respond(reply, 200, NULL, "{}");
	} else if (strstr(request, "GET /api/v1/namespaces/shop/pods/p ") && w->uid) {
		w->reads++;
		snprintf(pod, sizeof(pod),
			"{\"metadata\":{\"uid\":\"%s\",\"resourceVersion\":\"%u\"},\"spec\":{"
			"\"containers\":[{\"name\":\"app\",\"env\":[{\"name\":\"A\",\"value\":"
			"\"casemate://pay/one\"},{\"name\":\"B\",\"value\":\"casemate://pay/two\"}]"
			",\"resources\":{\"limits\":{\"casemate.dev/keys\":\"1\"}}}]}}",
			w->uid, w->reads);
		fake_respond(reply, 200, NULL, pod);
	} else {
		w->reads++;
		fake_respond(reply, 404, NULL, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	}
}

static bool begin(struct world *w)
{
	const struct pod_marks_options o = {.gather_usec = 20 * (int64_t)USEC_PER_MSEC};
	struct pod_marks_options with = o;

	if (!kube_fix_begin(&w->kube, answer, w))
		return false;
	with.kube = w->kube.client;
	return pod_marks_new(&w->marks, &with, NULL) == 0;
}

static void end(struct world *w)
{
	pod_marks_free(w->marks);
	kube_fix_end(&w->kube);
}

static void note(struct world *w, const char *key)
{
	struct key_id id = {.namespace_ = "shop", .profile = "pay"};

	snprintf(id.key, sizeof(id.key), "%s", key);
	pod_marks_note(w->marks, &who, &id, REASON_Ok, "");
}

static bool is_written(void *ctx)
{
	struct world *w = ctx;

	return w->writes >= w->want;
}

static bool is_read(void *ctx)
{
	struct world *w = ctx;

	return w->reads >= w->want;
}

static void test_gathered(void)
{
	struct world w = {.uid = "u1", .want = 1};

	if (begin(&w)) {
		note(&w, "one");
		note(&w, "two");
		CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_written, &w));
		CHECK_ROW("both", strstr(w.body, "\"status\":\"True\"") != NULL, "%s", w.body);
		kube_fix_linger(&w.kube, 100000);
		CU_ASSERT_EQUAL(w.writes, 1);
		CU_ASSERT_EQUAL(w.reads, 1);
	}
	end(&w);
}

/* What another wrote meanwhile is read before it is written again. */
static void test_conflict(void)
{
	struct world w = {.uid = "u1", .want = 3, .conflicts = 2};

	if (begin(&w)) {
		note(&w, "one");
		CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_written, &w));
		CHECK_ROW("of the newest", strstr(w.body, "\"resourceVersion\":\"3\"") != NULL,
			"%s", w.body);
		CHECK_ROW("one is waited for", strstr(w.body, "waiting for app:pay/two") != NULL,
			"%s", w.body);
	}
	end(&w);
}

static void test_gone(void)
{
	static const char *const uids[] = {NULL, "u2"};

	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		struct world w = {.uid = uids[i], .want = 1};

		if (begin(&w)) {
			note(&w, "one");
			CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_read, &w));
			kube_fix_linger(&w.kube, 100000);
			CU_ASSERT_EQUAL(w.writes, 0);
			CU_ASSERT_EQUAL(w.reads, 1);
		}
		end(&w);
	}
}

/* It ends while something is gathered, asked, or written. */
static void test_hurry(void)
{
	struct world w = {.uid = "u1", .want = 1};

	if (begin(&w)) {
		note(&w, "one");
		pod_marks_hurry(w.marks);
		CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_written, &w));
		note(&w, "two");
	}
	end(&w);
}

const CU_TestInfo pod_marks_tests[] = {
	{"gathered", test_gathered},
	{"another was faster", test_conflict},
	{"the pod is gone", test_gone},
	{"ending", test_hurry},
	CU_TEST_INFO_NULL,
};
