/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/sync.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

#define WORKLOAD "/apis/apps/v1/namespaces/x/deployments/y"

struct api {
	int status;        /* of DELETE and PATCH */
	atomic_int stays;  /* GETs that still find the workload */
	const char *first; /* page of the list */
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct api *a = ctx;

	(void)n;
	if (strncmp(request, "GET " WORKLOAD " ", sizeof("GET " WORKLOAD)) == 0)
		fake_respond(reply, atomic_fetch_sub(&a->stays, 1) > 0 ? 200 : 404, NULL, "{}");
	else if (strncmp(request, "GET /things?limit=100 ", 22) == 0)
		fake_respond(reply, 200, NULL, a->first);
	else if (strncmp(request, "GET /things?limit=100&continue=next ", 36) == 0)
		fake_respond(reply, 200, NULL, "{\"metadata\":{},\"items\":[\"c\"]}");
	else
		fake_respond(reply, a->status, NULL, "{\"message\":\"so it is\"}");
}

static bool begin(struct kube_fix *f, struct kube_sync *c, struct api *a)
{
	struct error err = {0};

	if (!kube_fix_begin(f, answer, a))
		return false;
	return CHECK_ROW("open",
		kube_sync_open(c, &(struct kube_client_options){.kubeconfig = f->config}, &err) ==
			0,
		"%s", err.message);
}

static void test_a_workload_ends(void)
{
	static const struct {
		const char *name;
		int status, stays;
		int64_t timeout_usec;
		int want;
		const char *message;
	} rows[] = {
		{"at once", 200, 0, USEC_PER_SEC, 0, NULL},
		{"after a while", 200, 1, 60 * USEC_PER_SEC, 0, NULL},
		{"is not there", 404, 0, USEC_PER_SEC, 0, NULL},
		{"is not ours", 403, 0, USEC_PER_SEC, -EIO, "DELETE " WORKLOAD ": so it is"},
		{"does not", 200, 1000, 1, -ETIMEDOUT, "has not ended"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct api a = {.status = rows[i].status, .stays = rows[i].stays};
		_cleanup_kube_sync_ struct kube_sync c = {0};
		struct error err = {0};
		struct kube_fix f;
		int r;

		if (!begin(&f, &c, &a))
			return;
		r = kube_sync_end(&c, WORKLOAD, rows[i].timeout_usec, &err);
		CHECK_ROW(rows[i].name, r == rows[i].want, "got %d: %s", r, err.message);
		if (rows[i].message)
			CHECK_ROW(rows[i].name, strstr(err.message, rows[i].message), "got %s",
				err.message);
		kube_sync_close(&c);
		kube_fix_end(&f);
	}
}

struct seen {
	char names[16];
	bool fail; /* at "b" */
};

static int take(void *ctx, struct kube_sync *c, struct json_val item, struct error *err)
{
	const struct kube_request rq = {.method = "PATCH", .path = "/one"};
	struct seen *s = ctx;
	char name[4];
	int r = kube_sync_call(c, &rq, err); /* which leaves the page alone */

	CU_ASSERT_EQUAL(r, 200);
	CU_ASSERT_TRUE(json_copy(item, name, sizeof(name)));
	strcat(s->names, name);
	return s->fail && strcmp(name, "b") == 0 ? kube_sync_refused(c, &rq, err) : 0;
}

static void test_pages(void)
{
	static const struct {
		const char *name, *first, *names;
		bool fail;
		int want;
	} rows[] = {
		{"one", "{\"metadata\":{},\"items\":[\"a\",\"b\"]}", "ab", false, 0},
		{"two", "{\"metadata\":{\"continue\":\"next\"},\"items\":[\"a\",\"b\"]}", "abc",
			false, 0},
		{"none", "{\"items\":[]}", "", false, 0},
		{"one fails", "{\"metadata\":{\"continue\":\"next\"},\"items\":[\"a\",\"b\"]}",
			"ab", true, -EIO},
		{"no JSON", "{", "", false, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct api a = {.status = 200, .first = rows[i].first};
		struct seen seen = {.fail = rows[i].fail};
		_cleanup_kube_sync_ struct kube_sync c = {0};
		struct error err = {0};
		struct kube_fix f;
		int r;

		if (!begin(&f, &c, &a))
			return;
		r = kube_sync_each(&c, "/things", take, &seen, &err);
		CHECK_ROW(rows[i].name, r == rows[i].want, "got %d: %s", r, err.message);
		CHECK_STR(rows[i].name, span_str(seen.names), rows[i].names);
		kube_sync_close(&c);
		kube_fix_end(&f);
	}
}

const CU_TestInfo sync_tests[] = {
	{"a workload ends", test_a_workload_ends},
	{"lists come in pages", test_pages},
	CU_TEST_INFO_NULL,
};
