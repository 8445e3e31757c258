/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/pods.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 20, 1 << 16, 64};

#define META(uid) "'metadata':{'namespace':'ns','name':'p','uid':'" uid "'}"
#define C(name, requests)                                                                          \
	"{'name':'" name "','resources':{'requests':{" requests "},'limits':{" requests "}}}"
#define EPC(n) "'sgx.intel.com/epc':'" n "'"
#define SIDECAR(name, requests)                                                                    \
	"{'name':'" name "','restartPolicy':'Always','resources':{'requests':{" requests "}}}"

static const char *const device_names[POD_DEVICE_N] = {
	[POD_ENCLAVE] = "sgx.intel.com/enclave",
	[POD_PROVISION] = "sgx.intel.com/provision",
	[POD_AESM] = "casemate.dev/aesm",
	[POD_KEYS] = "casemate.dev/keys",
	[POD_TDX_SLOT] = "tdx.intel.com/keys",
	[POD_SNP_SLOT] = "sev-snp.amd.com/esids",
};

static void add_pod(struct buf *b, const struct node_pod *p)
{
	buf_printf(b, "%s/%s %s", p->namespace_, p->name, p->uid);
	if (strcmp(p->uid, p->cgroup_uid) != 0)
		buf_printf(b, "(%s)", p->cgroup_uid);
	buf_printf(b, " %s %" PRId64, p->running ? "runs" : "waits", p->epc);
	for (size_t i = 0; i < p->n; i++) {
		const struct pod_container *c = &p->containers[i];

		buf_printf(b, " [%s", c->name);
		if (c->id[0])
			buf_printf(b, "=%s", c->id);
		buf_printf(b, " %" PRId64, c->epc);
		for (enum pod_device d = 0; d < POD_DEVICE_N; d++)
			if (c->devices[d])
				buf_printf(b, " %s:%u", device_names[d], c->devices[d]);
		buf_puts(b, "]");
	}
}

static void quotes(char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			*text = '"';
}

static int read_pod(struct node_pod **p, const char *text)
{
	_cleanup_json_ struct json doc = {0};
	_cleanup_free_ char *copy = strdup(text);

	quotes(copy);
	CHECK_ROW(text, json_parse(&doc, span_str(copy), &limits, NULL) == 0, "not JSON");
	return node_pod_read(p, json_root(&doc));
}

static void test_read(void)
{
	static const struct {
		const char *name, *pod;
		int code;
		const char *want;
	} rows[] = {
		{"nothing of ours",
			"{" META("u") ",'spec':{'containers':[" C("a", "'cpu':'1'") "]}}", 0, ""},
		{"none at all", "{" META("u") ",'spec':{}}", 0, ""},
		{"0 is nothing", "{" META("u") ",'spec':{'containers':[" C("a", EPC("0")) "]}}", 0,
			""},
		{"one of two",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("64Mi") ",'sgx.intel.com/enclave':'1'") "," C("b",
				"'cpu':'1'") "]},'status':{'phase':'Running','containerStatuses':["
					     "{'name':'b','containerID':'containerd://"
					     "bb'},{'name':'a','containerID':'containerd://aa'}]}}",
			1, "ns/p u runs 67108864 [a=aa 67108864 sgx.intel.com/enclave:1]"},
		{"not started",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("1")) "]},'status':{'phase':'Pending',"
					       "'containerStatuses':[{'name':'a'}]}}",
			1, "ns/p u waits 1 [a 1]"},
		{"devices without EPC",
			"{" META("u") ",'spec':{'containers':[" C("a",
				"'casemate.dev/aesm':1,'casemate.dev/keys':'1',"
				"'sgx.intel.com/provision':'1','tdx.intel.com/"
				"keys':'2','sev-snp.amd.com/esids':'3'") "]}}",
			1,
			"ns/p u waits 0 [a 0 sgx.intel.com/provision:1 casemate.dev/aesm:1 "
			"casemate.dev/keys:1 "
			"tdx.intel.com/keys:2 sev-snp.amd.com/esids:3]"},
		{"init containers, sidecars and overhead",
			"{" META("u") ",'spec':{'containers':[" C("a", EPC("10")) "," C(
				"b", EPC("20")) "],'initContainers':[" C("i",
				EPC("100")) "," SIDECAR("s", EPC("5")) "," C("j",
				EPC("98")) "],'overhead':{" EPC("1000") "}},'status':{'phase':'"
									"Running','"
									"initContainerStatuses':["
									"{'name':'s','containerID':"
									"'cri-o://ss'}]}}",
			1, "ns/p u runs 1103 [a 10] [b 20] [i 100] [s=ss 5] [j 98]"},
		{"beyond all measure",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("9223372036854775807")) "," C("b", EPC("1")) "]}}",
			1, "ns/p u waits 9223372036854775807 [a 9223372036854775807] [b 1]"},
		{"nonsense counts as nothing",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("x") ",'sgx.intel.com/enclave':'1'") "]}}",
			1, "ns/p u waits 0 [a 0 sgx.intel.com/enclave:1]"},
		{"very many devices",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", "'sgx.intel.com/enclave':'5G'") "]}}",
			1, "ns/p u waits 0 [a 0 sgx.intel.com/enclave:4294967295]"},
		{"a static pod",
			"{'metadata':{'namespace':'ns','name':'p','uid':'u','annotations':{"
			"'kubernetes.io/config.hash':'h'}},'spec':{'containers':[" C(
				"a", EPC("1")) "]}}",
			1, "ns/p u(h) waits 1 [a 1]"},
		{"an id without a scheme",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("1")) "]},'status':{'containerStatuses':["
					       "{'name':'a','containerID':'aa'}]}}",
			1, "ns/p u waits 1 [a=aa 1]"},
		{"succeeded",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("1")) "]},'status':{'phase':'Succeeded'}}",
			0, ""},
		{"failed",
			"{" META("u") ",'spec':{'containers':[" C(
				"a", EPC("1")) "]},'status':{'phase':'Failed'}}",
			0, ""},
		{"no uid",
			"{'metadata':{'namespace':'ns','name':'p'},'spec':{'containers':[" C(
				"a", EPC("1")) "]}}",
			-EBADMSG, ""},
		{"no pod", "[]", -EBADMSG, ""},
		{"odd shapes",
			"{" META("u") ",'spec':{'containers':{'a':[]},'initContainers':[7,null," C(
				"i", EPC("2")) "],'overhead':[]},'status':[]}",
			1, "ns/p u waits 2 [i 2]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(node_pod_free_p) struct node_pod *p = NULL, *same = NULL;
		_cleanup_buf_ struct buf text = BUF_INIT(4096);
		int r = read_pod(&p, rows[i].pod);

		CHECK_ROW(rows[i].name, r == rows[i].code && (r > 0) == (p != NULL), "got %d", r);
		if (!p)
			continue;
		add_pod(&text, p);
		CHECK_STR(rows[i].name, buf_view(&text), rows[i].want);
		CU_ASSERT_EQUAL(read_pod(&same, rows[i].pod), 1);
		CU_ASSERT(same && node_pod_equal(p, same));
	}
}

static void test_equal(void)
{
	static const char *const rows[] = {
		"{" META("u") ",'spec':{'containers':[" C("a", EPC("1")) "]}}",
		"{" META("v") ",'spec':{'containers':[" C("a", EPC("1")) "]}}",
		"{" META("u") ",'spec':{'containers':[" C("b", EPC("1")) "]}}",
		"{" META("u") ",'spec':{'containers':[" C("a", EPC("2")) "]}}",
		"{" META("u") ",'spec':{'containers':[" C("a", EPC("1")) "],'overhead':{" EPC(
			"1") "}}}",
		"{" META("u") ",'spec':{'containers':[" C(
			"a", EPC("1") ",'casemate.dev/keys':1") "]}}",
		"{" META("u") ",'spec':{'containers':[" C("a", EPC("1")) "," C(
			"b", "'casemate.dev/keys':1") "]}}",
		"{" META("u") ",'spec':{'containers':[" C(
			"a", EPC("1")) "]},'status':{'phase':'Running'}}",
		"{" META("u") ",'spec':{'containers':[" C(
			"a", EPC("1")) "]},'status':{'containerStatuses':["
				       "{'name':'a','containerID':'x'}]}}",
		"{'metadata':{'namespace':'ns','name':'q','uid':'u'},'spec':{'containers':[" C(
			"a", EPC("1")) "]}}",
		"{'metadata':{'namespace':'nt','name':'p','uid':'u'},'spec':{'containers':[" C(
			"a", EPC("1")) "]}}",
	};
	struct node_pod *p[ARRAY_SIZE(rows)] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i], read_pod(&p[i], rows[i]) == 1, "not read");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			CHECK_ROW(rows[i], node_pod_equal(p[i], p[k]) == (i == k), "against %s",
				rows[k]);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		node_pod_free(p[i]);
}

static void test_many_containers(void)
{
	_cleanup_(node_pod_free_p) struct node_pod *p = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

	buf_puts(&text, "{" META("u") ",'spec':{'containers':[");
	for (unsigned i = 0; i < NODE_POD_CONTAINERS_MAX + 10; i++)
		buf_printf(&text, "%s{'name':'c%u','resources':{'requests':{" EPC("1") "}}}",
			i ? "," : "", i);
	buf_puts(&text, "]}}");
	CU_ASSERT_EQUAL(read_pod(&p, text.p), 1);
	CU_ASSERT(p && p->n == NODE_POD_CONTAINERS_MAX && p->epc == NODE_POD_CONTAINERS_MAX + 10);
}

/*
 * The watch
 */

struct step {
	const char *body; /* of a list or a stream that stays open; NULL: nothing more */
	bool stream;
};

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const struct step *s = (const struct step *)ctx + n;
	_cleanup_free_ char *text = s->body ? strdup(s->body) : NULL;

	(void)request;
	if (!text)
		return;
	quotes(text);
	if (!s->stream) {
		fake_respond(reply, 200, NULL, text);
		return;
	}
	fake_stream(reply, 200);
	if (text[0])
		fake_chunk(reply, text);
}

struct watched {
	struct kube_fix fix;
	struct pods *pods;
	unsigned changes;
	const char *until;
};

static void on_change(void *ctx)
{
	((struct watched *)ctx)->changes++;
}

static void describe(const struct pods *p, struct buf *b)
{
	buf_printf(b, "%" PRId64 ":", pods_epc(p));
	for (size_t i = 0; i < pods_count(p); i++)
		buf_printf(b, " %s", pods_at(p, i)->uid);
	if (pods_cut(p))
		buf_puts(b, " cut");
	if (!pods_connected(p))
		buf_puts(b, " old");
}

static bool is_so(void *ctx)
{
	struct watched *w = ctx;
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 16);

	describe(w->pods, &b);
	return strcmp(b.p, w->until) == 0;
}

static bool is_connected(void *ctx)
{
	const struct watched *w = ctx;

	return pods_connected(w->pods);
}

static void becomes(struct watched *w, const char *row, const char *until)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 16);

	w->until = until;
	kube_fix_wait(&w->fix, is_so, w);
	kube_fix_linger(&w->fix, 10 * USEC_PER_MSEC);
	describe(w->pods, &b);
	CHECK_STR(row, buf_view(&b), until);
}

static bool watched_begin(struct watched *w, const struct step *steps)
{
	const struct pods_options o = {.node = "node-1", .changed = on_change, .ctx = w};
	struct error err = {0};

	*w = (struct watched){0};
	if (!kube_fix_begin(&w->fix, answer, (void *)steps))
		return false;
	CHECK_ROW("new", pods_new(&w->pods, w->fix.client, &o, &err) == 0, "%s", err.message);
	return w->pods;
}

static void watched_end(struct watched *w)
{
	pods_free(w->pods);
	kube_fix_end(&w->fix);
}

#define LIST(rv, items) "{'metadata':{'resourceVersion':'" rv "'},'items':[" items "]}"
#define P(uid, epc)                                                                                \
	"{'metadata':{'namespace':'ns','name':'" uid "','uid':'" uid "','resourceVersion':'9'},"   \
	"'spec':{'containers':[" C("a", EPC(epc)) "," C("b", "'casemate.dev/keys':1") "]}}"
#define EVENT(type, object) "{'type':'" type "','object':" object "}\n"
#define ENDED                                                                                      \
	"{'metadata':{'namespace':'ns','name':'b','uid':'b','resourceVersion':'9'},"               \
	"'spec':{'containers':[" C("a", EPC("2")) "]},'status':{'phase':'Failed'}}"
#define PLAIN "{'metadata':{'namespace':'ns','name':'x','uid':'x','resourceVersion':'9'},'spec':{}}"

static void push(struct watched *w, unsigned n, const char *event)
{
	char text[2048], chunk[2100];

	snprintf(text, sizeof(text), "%s", event);
	quotes(text);
	snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(text), text);
	fake_server_push(w->fix.server, n, chunk, strlen(chunk));
}

static void test_follows(void)
{
	static const struct step steps[] = {
		{LIST("5", P("a", "1") "," P("b", "2") "," PLAIN), false},
		{"", true},
		{LIST("20", P("d", "16") "," P("c", "4")), false},
		{"", true},
		{0},
	};
	static const struct {
		const char *name, *event, *until;
		bool told;
	} rows[] = {
		{"a pod of somebody else", EVENT("ADDED", PLAIN), "3: a b", false},
		{"no news", EVENT("MODIFIED", P("a", "1")), "3: a b", false},
		{"another request", EVENT("MODIFIED", P("a", "8")), "10: a b", true},
		{"a further pod", EVENT("ADDED", P("d", "16")), "26: a b d", true},
		{"ended", EVENT("MODIFIED", ENDED), "24: a d", true},
		{"gone", EVENT("DELETED", P("a", "8")), "16: d", true},
		{"gone again", EVENT("DELETED", P("a", "8")), "16: d", false},
	};
	_cleanup_free_ char *request = NULL;
	struct watched w;

	if (!watched_begin(&w, steps))
		return;
	CU_ASSERT_EQUAL(pods_epc(w.pods), -1);
	CU_ASSERT_FALSE(pods_connected(w.pods));
	becomes(&w, "list", "3: a b");
	CU_ASSERT(pods_connected(w.pods));
	CHECK_ROW("list", w.changes == 2, "told %u times of list and connection", w.changes);
	request = fake_server_request(w.fix.server, 0);
	CHECK_ROW("list",
		request && strstr(request,
				   "GET /api/v1/pods?limit=500&fieldSelector=spec.nodeName%3Dnode-1"
				   "%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&"
				   "resourceVersion=0 "),
		"%s", request);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned changes = w.changes;

		push(&w, 1, rows[i].event);
		becomes(&w, rows[i].name, rows[i].until);
		CHECK_ROW(rows[i].name, w.changes == changes + rows[i].told, "told %u times",
			w.changes - changes);
	}
	CU_ASSERT_EQUAL(pods_container_epc(w.pods, "ns", "d", "a"), 16);
	CU_ASSERT_EQUAL(pods_container_epc(w.pods, "ns", "d", "b"), -1);
	CU_ASSERT_EQUAL(pods_container_epc(w.pods, "ns", "d", "c"), -1);
	CU_ASSERT_EQUAL(pods_container_epc(w.pods, "nt", "d", "a"), -1);
	CU_ASSERT_EQUAL(pods_container_epc(w.pods, "ns", "e", "a"), -1);
	/* A new list: what it lacks is gone. Meanwhile the old knowledge stays. */
	push(&w, 1, EVENT("ERROR", "{'code':410,'message':'old'}"));
	becomes(&w, "disconnected", "16: d old");
	becomes(&w, "new list", "20: d c");
	watched_end(&w);
}

static void test_none(void)
{
	static const struct step steps[] = {{LIST("5", ""), false}, {"", true}, {0}};
	struct watched w;

	if (!watched_begin(&w, steps))
		return;
	becomes(&w, "none", "0:");
	CHECK_ROW("none", w.changes == 2, "told %u times", w.changes);
	watched_end(&w);
}

static void test_bounded(void)
{
	_cleanup_buf_ struct buf list = BUF_INIT(1 << 20);
	struct step steps[] = {{NULL, false}, {"", true}, {0}};
	struct watched w;

	buf_puts(&list, "{'metadata':{'resourceVersion':'5'},'items':[");
	for (unsigned i = 0; i < PODS_MAX + 3; i++)
		buf_printf(&list,
			"%s{'metadata':{'namespace':'n','name':'p','uid':'u%u'},'spec':{'"
			"containers':[" C("a", EPC("9223372036854775")) "]}}",
			i ? "," : "", i);
	buf_puts(&list, "]}");
	steps[0].body = list.p;
	if (!watched_begin(&w, steps))
		return;
	kube_fix_wait(&w.fix, is_connected, &w);
	CU_ASSERT(pods_cut(w.pods));
	CU_ASSERT_EQUAL(pods_count(w.pods), PODS_MAX);
	CU_ASSERT_EQUAL(pods_epc(w.pods), INT64_MAX);
	watched_end(&w);
}

static void test_free(void)
{
	static const struct step steps[] = {
		{LIST("5", P("a", "1")), false}, {EVENT("ADDED", P("b", "1")), true}, {0}};

	for (unsigned n = 0; n < 8; n++) {
		struct watched w;

		if (!watched_begin(&w, steps))
			return;
		for (unsigned i = 0; i < n; i++)
			sd_event_run(w.fix.event, 2 * USEC_PER_MSEC);
		watched_end(&w);
	}
}

CU_TestInfo pods_tests[] = {
	{"read", test_read},
	{"equal", test_equal},
	{"many containers", test_many_containers},
	{"followed", test_follows},
	{"none", test_none},
	{"bounded", test_bounded},
	{"freed at any time", test_free},
	CU_TEST_INFO_NULL,
};
