/* SPDX-License-Identifier: Apache-2.0
 *
 * Pods of a scripted API server, limited in a made-up cgroup hierarchy. */
#include "nodeagent/enforce.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/buf.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define META(name)        "'metadata':{'namespace':'ns','name':'" name "','uid':'u-" name "'}"
#define C(name, requests) "{'name':'" name "','resources':{'requests':{" requests "}}}"
#define EPC(n)            "'sgx.intel.com/epc':'" n "'"
#define KEYS              "'casemate.dev/keys':'1'"
#define RUNS(name, id)    "{'name':'" name "','containerID':'containerd://" id "'}"
#define POD(meta, containers, statuses)                                                            \
	"{" meta ",'spec':{'containers':[" containers "]},'status':{'phase':'Running',"            \
	"'containerStatuses':[" statuses "]}}"
#define STATIC                                                                                     \
	"'metadata':{'namespace':'ns','name':'static','uid':'mirror','annotations':{"              \
	"'kubernetes.io/config.hash':'hash'}}"

/* Those that cannot be limited are among those that can. */
static const char *const items[] = {
	POD(META("one"),
		C("a", EPC("64Mi")) "," C("keys", KEYS) "," C("late", EPC("4096")) "," C(
			"b", EPC("8192")),
		RUNS("a", "one-a") "," RUNS("keys", "one-keys") "," RUNS("b", "one-b")),
	POD(META("gone"), C("a", EPC("4096")), RUNS("a", "gone-a")),
	POD(META("off"), C("a", EPC("4096")), RUNS("a", "off-a")),
	POD(META("bad"), C("a", EPC("4096")) "," C("b", EPC("12288")),
		RUNS("a", "bad-a") "," RUNS("b", "bad-b")),
	POD(META("odd"), C("a", EPC("4096")), RUNS("a", "odd.a")),
	POD(META("waits"), C("a", EPC("4096")), ""),
	POD(STATIC, C("a", EPC("16384")), RUNS("a", "static-a")),
};

#define FOLDER(pod, id, used)                                                                      \
	"f /kubepods/pod" pod "/" id "/misc.max sgx_epc max\n",                                    \
		"f /kubepods/pod" pod "/" id "/misc.current sgx_epc " used "\n"

static const char *const hierarchy[] = {"f /misc.capacity sgx_epc 134217728\n",
	FOLDER("u-one", "one-a", "8192"), FOLDER("u-one", "one-keys", "0"),
	FOLDER("u-one", "one-b", "4096"), "d /kubepods/podu-off/off-a",
	"d /kubepods/podu-bad/bad-a/misc.max",
	"f /kubepods/podu-bad/bad-a/misc.current sgx_epc 4096\n", FOLDER("u-bad", "bad-b", "12288"),
	FOLDER("hash", "static-a", "16384"), FOLDER("mirror", "static-a", "7"), NULL};

struct limited {
	struct kube_fix fix;
	struct tree tree;
	struct epc_cgroup *cgroup;
	struct pods *pods;
	struct buf failures; /* a line each */
	unsigned n_failures;
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	(void)ctx;
	(void)request;
	if (n > 0) {
		fake_stream(reply, 200);
		return;
	}
	buf_puts(&text, "{'metadata':{'resourceVersion':'5'},'items':[");
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		buf_printf(&text, "%s%s", i ? "," : "", items[i]);
	buf_puts(&text, "]}");
	for (char *p = text.p; p && *p; p++)
		if (*p == '\'')
			*p = '"';
	fake_respond(reply, 200, NULL, text.p);
}

static bool is_connected(void *ctx)
{
	const struct limited *l = ctx;

	return pods_connected(l->pods);
}

static void end(struct limited *l)
{
	pods_free(l->pods);
	epc_cgroup_free(l->cgroup);
	buf_free(&l->failures);
	tree_free(&l->tree);
	kube_fix_end(&l->fix);
}

static bool begin(struct limited *l)
{
	const struct pods_options o = {.node = "node-1"};
	struct error err = {0};
	int r;

	*l = (struct limited){.failures = BUF_INIT(4096)};
	if (!kube_fix_begin(&l->fix, answer, NULL))
		return false;
	if (!tree_new(&l->tree)) {
		kube_fix_end(&l->fix);
		return false;
	}
	tree_steps(&l->tree, hierarchy);
	r = epc_cgroup_new(&l->cgroup, l->tree.root, &err);
	if (r == 0)
		r = pods_new(&l->pods, l->fix.client, &o, &err);
	if (CHECK_ROW("begin", r == 0, "%d: %s", r, err.message) &&
		CHECK_ROW("begin", kube_fix_wait(&l->fix, is_connected, l), "no list came"))
		return true;
	end(l);
	return false;
}

static void on_failure(void *ctx, const struct error *err)
{
	struct limited *l = ctx;

	l->n_failures++;
	buf_printf(&l->failures, "%s\n", err->message);
}

static void check_limits(const struct limited *l)
{
	static const struct {
		const char *name, *file, *want;
	} rows[] = {
		{"as requested", "/kubepods/podu-one/one-a/misc.max", "sgx_epc 67108864\n"},
		{"the other one of the pod", "/kubepods/podu-one/one-b/misc.max", "sgx_epc 8192\n"},
		{"no EPC requested", "/kubepods/podu-one/one-keys/misc.max", "sgx_epc max\n"},
		{"after one that failed", "/kubepods/podu-bad/bad-b/misc.max", "sgx_epc 12288\n"},
		{"a static pod", "/kubepods/podhash/static-a/misc.max", "sgx_epc 16384\n"},
		{"not by its mirror", "/kubepods/podmirror/static-a/misc.max", "sgx_epc max\n"},
		{"misc is off", "/kubepods/podu-off/off-a/misc.max", ""},
		{"gone", "/kubepods/podu-gone/gone-a/misc.max", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_STR(rows[i].name, span_str(tree_text(&l->tree, rows[i].file)), rows[i].want);
}

/* Two failures, in the order of the pods, which is any: named each, and no others. */
static void check_failures(const struct limited *l)
{
	static const char *const rows[] = {"container a of pod ns/bad: ",
		"/kubepods/podu-bad/bad-a/misc.max: Invalid", "container a of pod ns/odd: "};

	CHECK_ROW("failures", l->n_failures == ARRAY_SIZE(rows) - 1, "%u:\n%s", l->n_failures,
		l->failures.p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i], l->failures.p && strstr(l->failures.p, rows[i]), "%s",
			l->failures.p);
}

static void test_limit(void)
{
	struct limited l;
	unsigned n;

	if (!begin(&l))
		return;
	CU_ASSERT_EQUAL(pods_count(l.pods), ARRAY_SIZE(items));
	/* The second time nothing is new: what is so stays, what failed fails again. */
	for (unsigned i = 0; i < 2; i++) {
		buf_reset(&l.failures);
		l.n_failures = 0;
		n = enforce_epc(l.cgroup, l.pods, on_failure, &l);
		CHECK_ROW("limited", n == 4, "%u", n);
		check_limits(&l);
		check_failures(&l);
	}
	/* A folder that comes back is limited then. */
	tree_step(&l.tree, "f /kubepods/podu-gone/gone-a/misc.max sgx_epc max\n");
	n = enforce_epc(l.cgroup, l.pods, on_failure, &l);
	CHECK_ROW("came", n == 5, "%u", n);
	CHECK_STR("came", span_str(tree_text(&l.tree, "/kubepods/podu-gone/gone-a/misc.max")),
		"sgx_epc 4096\n");
	end(&l);
}

static void test_used(void)
{
	static const struct {
		const char *name, *namespace_, *pod, *container;
		int64_t want;
	} rows[] = {
		{"one", "ns", "one", "a", 8192},
		{"the other", "ns", "one", "b", 4096},
		{"none requested", "ns", "one", "keys", 0},
		{"a static pod", "ns", "static", "a", 16384},
		{"not started", "ns", "one", "late", -1},
		{"no such container", "ns", "one", "c", -1},
		{"no such pod", "ns", "two", "a", -1},
		{"another namespace", "other", "one", "a", -1},
		{"its folder is gone", "ns", "gone", "a", -1},
		{"misc is off", "ns", "off", "a", -1},
		{"an odd id", "ns", "odd", "a", -1},
		{"nothing", "", "", "", -1},
	};
	struct limited l;

	if (!begin(&l))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got = enforce_used(
			l.cgroup, l.pods, rows[i].namespace_, rows[i].pod, rows[i].container);

		CHECK_ROW(rows[i].name, got == rows[i].want, "%" PRId64, got);
	}
	/* Read each time, not remembered. */
	tree_step(&l.tree, "f /kubepods/podu-one/one-a/misc.current sgx_epc 20480\n");
	CU_ASSERT_EQUAL(enforce_used(l.cgroup, l.pods, "ns", "one", "a"), 20480);
	end(&l);
}

CU_TestInfo enforce_tests[] = {
	{"limit", test_limit},
	{"used", test_used},
	CU_TEST_INFO_NULL,
};
