/* SPDX-License-Identifier: Apache-2.0
 *
 * Deny lists from a ConfigMap, with a stand-in for the API server. */
#include "webhook/replicas/deny_map.h"

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

struct world {
	struct kube_fix kube;
	struct deny_map *map;
	const char *data;  /* of the ConfigMap; NULL: there is none */
	const char *event; /* what the next watch tells; NULL: nothing */
	unsigned changes, want;
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct world *w = ctx;
	char body[4096];

	(void)n;
	if (!strstr(request, "GET /api/v1/namespaces/casemate-system/configmaps?") ||
		!strstr(request, "fieldSelector=metadata.name%3Dcasemate-denied")) {
		fake_respond(reply, 404, NULL, "{}");
	} else if (strstr(request, "watch=")) {
		fake_respond(reply, 200, NULL, w->event ? w->event : "");
		w->event = NULL;
	} else if (w->data) {
		snprintf(body, sizeof(body),
			"{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[{\"metadata\":{"
			"\"name\":\"casemate-denied\",\"resourceVersion\":\"4\"},\"data\":%s}]}",
			w->data);
		fake_respond(reply, 200, NULL, body);
	} else {
		fake_respond(reply, 200, NULL,
			"{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}");
	}
}

static void on_changed(void *ctx)
{
	struct world *w = ctx;

	w->changes++;
}

static bool is_changed(void *ctx)
{
	struct world *w = ctx;

	return w->changes >= w->want;
}

static bool begin(struct world *w)
{
	if (!kube_fix_begin(&w->kube, answer, w))
		return false;
	return deny_map_new(&w->map,
		       &(struct deny_map_options){.kube = w->kube.client,
			       .namespace_ = "casemate-system",
			       .changed = on_changed,
			       .ctx = w},
		       NULL) == 0;
}

static void end(struct world *w)
{
	deny_map_free(w->map);
	kube_fix_end(&w->kube);
}

static void join(struct world *w, enum deny_kind kind, struct buf *out)
{
	struct strings s = deny_map_list(w->map, kind);

	buf_reset(out);
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out, "%s%s", i ? "," : "", s.v[i]);
}

static void test_lists(void)
{
	static const struct {
		const char *name, *data, *want[DENY_KINDS];
	} rows[] = {
		{"none", NULL, {"", "", "", ""}},
		{"empty", "{}", {"", "", "", ""}},
		{"null", "null", {"", "", "", ""}},
		{"each kind",
			"{\"platforms\":\"00ff\\n\",\"measurements\":\"aa\\nbb\",\"nodes\":\"n1\","
			"\"keys\":\"shop/pay/*\\nkbs:///a/b/c\"}",
			{"00ff", "aa,bb", "n1", "shop/pay/*,kbs:///a/b/c"}},
		{"comments and blanks", "{\"nodes\":\"# why\\n\\n  n1 \\r\\n\\tn2\\n\"}",
			{"", "", "n1,n2", ""}},
		{"what nobody can read", "{\"platforms\":\"00f\\nxx\\n00ff\",\"keys\":\"a/b\"}",
			{"00ff", "", "", ""}},
		{"another member", "{\"chips\":\"00ff\",\"nodes\":\"n1\"}", {"", "", "n1", ""}},
		{"no text", "{\"nodes\":[\"n1\"]}", {"", "", "", ""}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = {.data = rows[i].data, .want = 1};

		if (!begin(&w)) {
			CU_FAIL("world");
			return;
		}
		CU_ASSERT_FALSE(deny_map_known(w.map));
		CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_changed, &w));
		CU_ASSERT_TRUE(deny_map_known(w.map));
		for (int k = 0; k < DENY_KINDS; k++) {
			_cleanup_buf_ struct buf got = BUF_INIT(4096);

			join(&w, (enum deny_kind)k, &got);
			CHECK_STR(rows[i].name, buf_view(&got), rows[i].want[k]);
		}
		end(&w);
	}
	CU_ASSERT(deny_map_known(NULL) && deny_map_list(NULL, DENY_KEYS).n == 0);
}

#define EVENT(type, version, data)                                                                 \
	"{\"type\":\"" type "\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\","         \
	"\"metadata\":{\"name\":\"casemate-denied\",\"resourceVersion\":\"" version                \
	"\"},\"data\":" data "}}\n"

/* It is told of as soon as the watch tells. */
static void test_changes(void)
{
	static const struct {
		const char *name, *event, *want;
	} rows[] = {
		{"changed", EVENT("MODIFIED", "6", "{\"nodes\":\"n2\"}"), "n2"},
		{"removed", EVENT("DELETED", "7", "{\"nodes\":\"n2\"}"), ""},
		{"made", EVENT("ADDED", "8", "{\"nodes\":\"n3\"}"), "n3"},
	};
	struct world w = {.data = "{\"nodes\":\"n1\"}", .want = 1};

	if (begin(&w)) {
		CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_changed, &w));
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			_cleanup_buf_ struct buf got = BUF_INIT(4096);
			int64_t began = clock_monotonic_usec();

			w.want = w.changes + 1;
			w.event = rows[i].event;
			CU_ASSERT_TRUE(kube_fix_wait(&w.kube, is_changed, &w));
			CHECK_ROW(rows[i].name,
				clock_monotonic_usec() - began < 60 * (int64_t)USEC_PER_SEC,
				"after a minute");
			join(&w, DENY_NODES, &got);
			CHECK_STR(rows[i].name, buf_view(&got), rows[i].want);
		}
	}
	end(&w);
}

const CU_TestInfo deny_map_tests[] = {
	{"what it says", test_lists},
	{"when it changes", test_changes},
	CU_TEST_INFO_NULL,
};
