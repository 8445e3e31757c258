/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes and NodeAttestations as they are watched and written, on an API server that keeps one of
 * each. */
#include "webhook/verifier/publish.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"

enum { TEXT_MAX = 4096, LOG_MAX = 8192 };

static const struct json_limits limits = {65536, 4000, 32};

/* What it keeps, and how it is made to misbehave. */
struct api {
	pthread_mutex_t lock;
	unsigned version;             /* of whatever was written last */
	bool has_record;
	unsigned record_version;
	char owner[16], status[TEXT_MAX]; /* of the NodeAttestation */
	unsigned node_version;
	char labels[TEXT_MAX];        /* a JSON object */
	unsigned conflicts;           /* writes that are refused with 409 from now on */
	bool broken;                  /* all writes: 500 */
	char log[LOG_MAX];            /* "METHOD PATH\n" of all but watches and lists */
};

static void respond_record(const struct api *a, struct fake_reply *reply, int status)
{
	_cleanup_buf_ struct buf b = BUF_INIT(16384);

	buf_printf(&b,
		"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r1\",\"resourceVersion\":\"%u\","
		"\"ownerReferences\":[{\"kind\":\"Node\",\"uid\":\"%s\"}]},\"status\":%s}",
		a->record_version, a->owner, a->status);
	fake_respond(reply, status, NULL, b.p);
}

static void respond_node(const struct api *a, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf b = BUF_INIT(16384);

	buf_printf(&b,
		"{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":\"%u\","
		"\"labels\":%s},\"status\":{\"conditions\":[{\"type\":\"ConfidentialAttested\","
		"\"status\":\"True\",\"reason\":\"Ok\",\"message\":\"nothing to object\"}]}}",
		a->node_version, a->labels);
	fake_respond(reply, 200, NULL, b.p);
}

static void respond_list(const struct api *a, struct fake_reply *reply, bool nodes)
{
	_cleanup_buf_ struct buf b = BUF_INIT(16384);

	buf_printf(&b, "{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[", a->version);
	if (nodes)
		buf_printf(&b,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":\"%u\","
			"\"labels\":%s}}",
			a->node_version, a->labels);
	else if (a->has_record)
		buf_printf(&b,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r1\",\"resourceVersion\":\"%u\","
			"\"ownerReferences\":[{\"kind\":\"Node\",\"uid\":\"%s\"}]},\"status\":%s}",
			a->record_version, a->owner, a->status);
	buf_puts(&b, "]}");
	fake_respond(reply, 200, NULL, b.p);
}

static void keep(char *to, struct json_val v)
{
	struct span s = json_raw(v);

	snprintf(to, TEXT_MAX, SPAN_FMT, SPAN_ARG(s));
}

/* Is the version that a write names that of what is kept? */
static bool is_current(struct json_val body, unsigned version)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", version);
	return json_str_is(json_find(body, "metadata", "resourceVersion"), text);
}

static void write_record(struct api *a, const char *method, struct json_val body,
	struct fake_reply *reply)
{
	if (strcmp(method, "POST") == 0 && !a->has_record) {
		a->has_record = true;
		strcpy(a->status, "{}");
		strcpy(a->owner, "u1");
	} else if (strcmp(method, "DELETE") == 0) {
		a->has_record = false;
		fake_respond(reply, 200, NULL, "{}");
		return;
	} else if (!a->has_record || !is_current(body, a->record_version)) {
		fake_respond(reply, a->has_record ? 409 : 404, NULL, "{}");
		return;
	} else {
		keep(a->status, json_get(body, "status"));
	}
	a->record_version = ++a->version;
	respond_record(a, reply, 200);
}

static void write_node(struct api *a, struct json_val body, struct fake_reply *reply)
{
	if (!is_current(body, a->node_version)) {
		fake_respond(reply, 409, NULL, "{}");
		return;
	}
	keep(a->labels, json_find(body, "metadata", "labels"));
	a->node_version = ++a->version;
	respond_node(a, reply);
}

static void answer_write(struct api *a, const char *method, const char *path, const char *body,
	struct fake_reply *reply)
{
	_cleanup_json_ struct json doc = {0};

	json_parse(&doc, span_str(body), &limits, NULL);
	if (a->broken) {
		fake_respond(reply, 500, NULL, "{}");
	} else if (a->conflicts) {
		a->conflicts--;
		/* Somebody else has written. */
		a->record_version = a->node_version = ++a->version;
		fake_respond(reply, 409, NULL, "{}");
	} else if (strstr(path, "nodeattestations")) {
		write_record(a, method, json_root(&doc), reply);
	} else {
		write_node(a, json_root(&doc), reply);
	}
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	char method[16] = "", path[256] = "";
	struct api *a = ctx;
	bool one;

	(void)n;
	sscanf(request, "%15s %255s", method, path);
	one = strstr(path, "/n1") || strcmp(method, "GET") != 0;
	pthread_mutex_lock(&a->lock);
	if (one)
		snprintf(a->log + strlen(a->log), LOG_MAX - strlen(a->log), "%s %s\n", method, path);
	if (strcmp(method, "GET") != 0)
		answer_write(a, method, path, body ? body + 4 : "", reply);
	else if (one && strstr(path, "nodeattestations"))
		a->has_record ? respond_record(a, reply, 200) : fake_respond(reply, 404, NULL, "{}");
	else if (one)
		respond_node(a, reply);
	else if (strstr(path, "watch="))
		fake_stream(reply, 200);
	else
		respond_list(a, reply, !strstr(path, "nodeattestations"));
	pthread_mutex_unlock(&a->lock);
}

struct fix {
	struct api api;
	struct kube_fix kube;
	struct nodes *nodes;
	struct publisher *publisher;
	unsigned changes, done;
	enum publish_outcome outcome;
};

static void changed(void *ctx, struct node *n)
{
	(void)n;
	((struct fix *)ctx)->changes++;
}

static void on_done(void *ctx, enum publish_outcome outcome, const char *message)
{
	struct fix *f = ctx;

	(void)message;
	f->done++;
	f->outcome = outcome;
}

static bool is_synced(void *ctx)
{
	return nodes_synced(((struct fix *)ctx)->nodes);
}

static bool is_done(void *ctx)
{
	return ((struct fix *)ctx)->done;
}

static bool is_idle(void *ctx)
{
	return publisher_busy(((struct fix *)ctx)->publisher) == 0;
}

static bool begin(struct fix *f, const char *status, const char *labels)
{
	struct error err = {0};

	*f = (struct fix){.api = {.lock = PTHREAD_MUTEX_INITIALIZER, .version = 9,
		.node_version = 5, .record_version = 6, .has_record = status != NULL}};
	snprintf(f->api.status, TEXT_MAX, "%s", status ? status : "{}");
	snprintf(f->api.labels, TEXT_MAX, "%s", labels);
	strcpy(f->api.owner, "u1");
	if (!kube_fix_begin(&f->kube, answer, &f->api))
		return false;
	CHECK_ROW("nodes", nodes_new(&f->nodes, &(struct nodes_options){.kube = f->kube.client,
			.changed = changed, .ctx = f}, &err) == 0, "%s", err.message);
	CHECK_ROW("publisher", publisher_new(&f->publisher,
			&(struct publisher_options){.kube = f->kube.client, .nodes = f->nodes},
			&err) == 0, "%s", err.message);
	return CHECK_ROW("synced", kube_fix_wait(&f->kube, is_synced, f), "%s",
		nodes_problem(f->nodes));
}

static void end(struct fix *f)
{
	publisher_free(f->publisher);
	nodes_free(f->nodes);
	kube_fix_end(&f->kube);
}

static const struct record good = {.node_uid = "u1",
	.platform = RECORD_SGX,
	.standing = RECORD_ATTESTED,
	.reason = REASON_Ok,
	.valid_until_sec = 4000000000,
	.epoch = 3};

#define RECORDS "/apis/casemate.dev/v1alpha1/nodeattestations"
#define STATUS                                                                                     \
	"{\"nodeUID\":\"u1\",\"platform\":\"sgx\",\"verdict\":\"Attested\",\"reason\":\"Ok\","     \
	"\"validUntil\":\"2096-10-02T07:06:40Z\",\"leaderEpoch\":2}"

static void publish(struct fix *f)
{
	struct node *n = nodes_find(f->nodes, "n1");
	struct error err = {0};

	if (!n) {
		CU_FAIL("no node");
		return;
	}
	CHECK_ROW("publish", publish_record(f->publisher, n, &good, SPAN_LIT(",\"crl\":\"absent\""),
			on_done, f, &err) == 0, "%s", err.message);
	CU_ASSERT_TRUE(n->judging);
	CU_ASSERT_TRUE(kube_fix_wait(&f->kube, is_done, f));
	n = nodes_find(f->nodes, "n1");
	CU_ASSERT_TRUE(n && !n->judging);
}

static void test_watched(void)
{
	struct fix f;
	const struct node *n;

	if (!begin(&f, STATUS, "{}"))
		return;
	n = nodes_find(f.nodes, "n1");
	CU_ASSERT_PTR_NULL(nodes_find(f.nodes, "n2"));
	if (CHECK_ROW("node", n && n->recorded, "not known")) {
		CU_ASSERT_STRING_EQUAL(n->seen.uid, "u1");
		CU_ASSERT_STRING_EQUAL(n->owner_uid, "u1");
		CU_ASSERT_EQUAL(n->record.standing, RECORD_ATTESTED);
	}
	CU_ASSERT_EQUAL(nodes_epoch(f.nodes), 2);
	CU_ASSERT_EQUAL(f.changes, 2);
	nodes_lost_record(f.nodes, "n1");
	CU_ASSERT_FALSE(nodes_find(f.nodes, "n1")->recorded);
	end(&f);
}

/* What, from the first to the last request, and how it ends. */
static void test_published(void)
{
	static const struct {
		const char *name, *status;
		unsigned conflicts;
		const char *owner;
		bool broken;
		enum publish_outcome want;
		const char *log;
	} rows[] = {
		{"the first", NULL, 0, "u1", false, PUBLISHED,
			"POST " RECORDS "\nPUT " RECORDS "/n1/status\n"},
		{"the next", STATUS, 0, "u1", false, PUBLISHED, "PUT " RECORDS "/n1/status\n"},
		{"somebody was quicker", STATUS, 1, "u1", false, PUBLISH_CONFLICT,
			"PUT " RECORDS "/n1/status\nGET " RECORDS "/n1\n"},
		{"of the node before", STATUS, 0, "u0", false, PUBLISH_CONFLICT,
			"DELETE " RECORDS "/n1\n"},
		{"nobody there", STATUS, 0, "u1", true, PUBLISH_FAILED,
			"PUT " RECORDS "/n1/status\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (!begin(&f, rows[i].status, "{}"))
			return;
		pthread_mutex_lock(&f.api.lock);
		f.api.conflicts = rows[i].conflicts;
		f.api.broken = rows[i].broken;
		pthread_mutex_unlock(&f.api.lock);
		snprintf(nodes_find(f.nodes, "n1")->owner_uid, RECORD_UID_MAX, "%s", rows[i].owner);
		publish(&f);
		CHECK_ROW(rows[i].name, f.outcome == rows[i].want && f.done == 1, "%d, %u times",
			f.outcome, f.done);
		CHECK_STR(rows[i].name, span_str(f.api.log), rows[i].log);
		if (f.outcome == PUBLISHED) {
			CHECK_ROW(rows[i].name, strstr(f.api.status, "\"crl\":\"absent\""), "%s",
				f.api.status);
			CU_ASSERT_EQUAL(nodes_find(f.nodes, "n1")->record.epoch, 3);
		}
		end(&f);
	}
}

static void test_marked(void)
{
	struct node *n;
	struct fix f;

	if (!begin(&f, STATUS, "{\"a\":\"b\"}"))
		return;
	n = nodes_find(f.nodes, "n1");
	f.api.conflicts = 1;
	publish_marks(f.publisher, n, 1000);
	CU_ASSERT_TRUE(n->marking);
	publish_marks(f.publisher, n, 1000); /* is being done */
	CU_ASSERT_EQUAL(publisher_busy(f.publisher), 1);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_idle, &f));
	CHECK_STR("requests", span_str(f.api.log),
		"PATCH /api/v1/nodes/n1/status\nGET /api/v1/nodes/n1\n"
		"PATCH /api/v1/nodes/n1/status\n");
	CHECK_ROW("labels", strstr(f.api.labels, "attested\":\"true\"") &&
		strstr(f.api.labels, "tee\":\"sgx\""), "%s", f.api.labels);
	CU_ASSERT_FALSE(nodes_find(f.nodes, "n1")->marking);
	/* As it should be: nothing is written. */
	f.api.log[0] = '\0';
	publish_marks(f.publisher, nodes_find(f.nodes, "n1"), 1000);
	CU_ASSERT_EQUAL(publisher_busy(f.publisher), 0);
	end(&f);
}

/* It ends, however often somebody else writes. */
static void test_contested(void)
{
	struct fix f;

	if (!begin(&f, STATUS, "{}"))
		return;
	f.api.conflicts = 1000;
	publish_marks(f.publisher, nodes_find(f.nodes, "n1"), 1000);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_idle, &f));
	CU_ASSERT_TRUE(f.api.conflicts > 980);
	end(&f);
}

static void test_ended(void)
{
	struct record r = good;
	struct fix f;

	if (!begin(&f, STATUS, "{}"))
		return;
	r.standing = RECORD_EXPIRED;
	publish_end(f.publisher, nodes_find(f.nodes, "n1"), &r);
	publish_removal(f.publisher, nodes_find(f.nodes, "n1")); /* not at the same time */
	CU_ASSERT_EQUAL(publisher_busy(f.publisher), 1);
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_idle, &f));
	CHECK_STR("requests", span_str(f.api.log), "PATCH " RECORDS "/n1/status\n");
	CHECK_ROW("status", strstr(f.api.status, "\"verdict\":\"Expired\"") &&
		!strstr(f.api.status, "nodeUID"), "%s", f.api.status);
	publish_removal(f.publisher, nodes_find(f.nodes, "n1"));
	CU_ASSERT_TRUE(kube_fix_wait(&f.kube, is_idle, &f));
	CU_ASSERT_FALSE(f.api.has_record);
	CU_ASSERT_FALSE(nodes_find(f.nodes, "n1")->recorded);
	/* Freed with a write under way. */
	publish_marks(f.publisher, nodes_find(f.nodes, "n1"), 1000);
	end(&f);
}

static void test_sharing(void)
{
	static const unsigned char id[2] = {1, 2};
	struct node *n;
	struct fix f;

	if (!begin(&f, STATUS, "{}"))
		return;
	n = nodes_find(f.nodes, "n1");
	memcpy(n->record.platform_id, id, sizeof(id));
	n->record.platform_id_len = sizeof(id);
	CU_ASSERT_EQUAL(nodes_sharing(f.nodes, "n2", id, sizeof(id), 1000), 1);
	CU_ASSERT_EQUAL(nodes_sharing(f.nodes, "n1", id, sizeof(id), 1000), 0);
	CU_ASSERT_EQUAL(nodes_sharing(f.nodes, "n2", id, 1, 1000), 0);
	CU_ASSERT_EQUAL(nodes_sharing(f.nodes, "n2", id, sizeof(id), 4000000001), 0);
	n->record.standing = RECORD_REFUSED;
	CU_ASSERT_EQUAL(nodes_sharing(f.nodes, "n2", id, sizeof(id), 1000), 0);
	end(&f);
}

CU_TestInfo publish_tests[] = {
	{"watched", test_watched},
	{"published", test_published},
	{"marked", test_marked},
	{"contested", test_contested},
	{"ended", test_ended},
	{"sharing", test_sharing},
	CU_TEST_INFO_NULL,
};
