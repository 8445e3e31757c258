/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/pod_resources.h"

#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/fake_kubelet.h"
#include "tests/unit/test.h"

/* A kubelet's pod-resources server that refuses the first few calls and holds the others. */
struct fix {
	sd_event *event;
	char root[32], path[64];
	struct grpc_server *server;
	struct pod_resources *resources;
	unsigned refuse, calls, answers, failures;
	size_t holdings;
	char last[512]; /* error or pod's name */
	struct grpc_call *held;
	bool again; /* asks once more from within an answer */
};

static const char *const prefixes[] = {"casemate.dev/", NULL};

static void closed(void *ctx)
{
	struct fix *f = ctx;

	f->held = NULL;
}

static void list(void *ctx, struct grpc_call *call, struct span message)
{
	struct fix *f = ctx;

	CU_ASSERT_EQUAL(message.len, 0);
	f->calls++;
	if (f->refuse) {
		f->refuse--;
		grpc_finish(call, GRPC_RESOURCE_EXHAUSTED, "rejected by rate limit");
		return;
	}
	f->held = call;
	grpc_call_on_closed(call, closed, f);
}

static bool set_up(struct fix *f)
{
	static const struct grpc_method methods[] = {{"/v1.PodResourcesLister/List", list}};
	struct grpc_server_options o = {.methods = methods, .n_methods = 1, .ctx = f};

	*f = (struct fix){.root = "/tmp/casemate-test-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL(mkdtemp(f->root));
	snprintf(f->path, sizeof(f->path), "%s/kubelet.sock", f->root);
	o.path = f->path;
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	CU_ASSERT_EQUAL(grpc_server_start(&f->server, f->event, &o, NULL), 0);
	CU_ASSERT_EQUAL(pod_resources_new(&f->resources, f->event, f->path, prefixes, NULL), 0);
	return f->server && f->resources;
}

static void tear_down(struct fix *f)
{
	pod_resources_free(f->resources);
	grpc_server_stop(f->server);
	sd_event_unref(f->event);
	rmdir(f->root);
}

static void done(void *ctx, const struct holdings *h, const struct error *err)
{
	struct fix *f = ctx;

	f->answers++;
	CU_ASSERT(!h == !!err);
	if (!h || err) {
		f->failures++;
		snprintf(f->last, sizeof(f->last), "%s", err ? err->message : "");
		return;
	}
	f->holdings = h->n;
	snprintf(f->last, sizeof(f->last), "%s", h->n ? h->v[0].pod : "");
	if (f->again) {
		f->again = false;
		CU_ASSERT_EQUAL(pod_resources_list(f->resources, done, f, NULL), 0);
	}
}

static void ask(struct fix *f)
{
	unsigned answers = f->answers;

	CU_ASSERT_EQUAL(pod_resources_list(f->resources, done, f, NULL), 0);
	CU_ASSERT_EQUAL(f->answers, answers);
}

/* Answers the held call with a pod of this name that holds key-1. */
static void answer(struct fix *f, const char *pod)
{
	_cleanup_buf_ struct buf b = BUF_INIT(256);

	buf_printf(&b,
		"\n%c\n%c%s\x12\x01n\x1a%c\n\x01"
		"c\x12%c\n\x11"
		"casemate.dev/keys\x12\x05key-1",
		(int)strlen(pod) + 38, (int)strlen(pod), pod, 31, 26);
	CU_ASSERT_EQUAL(grpc_reply(f->held, buf_view(&b)), 0);
	grpc_finish(f->held, GRPC_OK, NULL);
	f->held = NULL;
}

static void test_joined(void)
{
	struct fix f;

	if (!set_up(&f))
		return;
	ask(&f);
	ask(&f);
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	/* What these see was not asked for before they came: the next call is theirs. */
	ask(&f);
	ask(&f);
	fake_kubelet_wait(f.event, 20000);
	CU_ASSERT_EQUAL(f.calls, 1);
	f.again = true;
	answer(&f, "old");
	CU_ASSERT(FAKE_UNTIL(f.event, f.answers == 2));
	CU_ASSERT(f.holdings == 1 && strcmp(f.last, "old") == 0);
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	answer(&f, "new");
	CU_ASSERT(FAKE_UNTIL(f.event, f.answers == 5));
	CU_ASSERT_STRING_EQUAL(f.last, "new");
	CU_ASSERT_EQUAL(f.calls, 2);
	/* A kubelet that refuses for its rate is asked again. */
	f.refuse = 2;
	ask(&f);
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	CU_ASSERT_EQUAL(f.calls, 5);
	ask(&f); /* left unanswered by pod_resources_free() */
	tear_down(&f);
	CU_ASSERT_EQUAL(f.answers, 5);
}

static void test_failures(void)
{
	struct fix f;
	char want[128];

	if (!set_up(&f))
		return;
	f.refuse = 9;
	ask(&f);
	CU_ASSERT(FAKE_UNTIL(f.event, f.failures == 1));
	CU_ASSERT_EQUAL(f.calls, 4);
	snprintf(want, sizeof(want), "pod resources: %s: rejected by rate limit", f.path);
	CHECK_STR("rate", span_str(f.last), want);
	f.refuse = 0;
	ask(&f);
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	grpc_reply(f.held, SPAN_LIT("\n\x05\n"));
	grpc_finish(f.held, GRPC_OK, NULL);
	CU_ASSERT(FAKE_UNTIL(f.event, f.failures == 2));
	CHECK_STR("broken", span_str(f.last),
		"pod resources: ListPodResourcesResponse of 3 bytes is no valid protobuf message");
	ask(&f);
	f.held = NULL;
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	grpc_finish(f.held, GRPC_OK, NULL); /* no message: as an empty one */
	CU_ASSERT(FAKE_UNTIL(f.event, f.answers == 3));
	grpc_server_stop(f.server);
	f.server = NULL;
	ask(&f);
	CU_ASSERT(FAKE_UNTIL(f.event, f.answers == 4));
	snprintf(want, sizeof(want), "pod resources: %s: connect: No such file or directory",
		f.path);
	CHECK_STR("gone", span_str(f.last), want);
	for (unsigned i = 0; i < POD_RESOURCES_ASKS_MAX; i++)
		ask(&f);
	CU_ASSERT_EQUAL(pod_resources_list(f.resources, done, &f, NULL), -ENOBUFS);
	CU_ASSERT(FAKE_UNTIL(f.event, f.answers == 4 + POD_RESOURCES_ASKS_MAX));
	tear_down(&f);
}

CU_TestInfo pod_resources_tests[] = {
	{"asks are joined", test_joined},
	{"failures", test_failures},
	CU_TEST_INFO_NULL,
};
