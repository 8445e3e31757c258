/* SPDX-License-Identifier: Apache-2.0
 *
 * Two replicas against an API server that holds one Secret and two webhook configurations. */
#include "webhook/certs/certs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "webhook/certs/store.h"

static const struct json_limits limits = {1 << 22, 1 << 16, 64};

enum { SECRET, MUTATING, VALIDATING, OBJECTS };
enum { REPLICAS = 2, WATCHES = 4, ENTRIES = 2, BUNDLE_TEXT_MAX = 32768 };

static const char *const paths[OBJECTS] = {
	"/secrets", "/mutatingwebhookconfigurations", "/validatingwebhookconfigurations"};

struct api {
	pthread_mutex_t lock;
	struct fake_server *server;
	unsigned rv, object_rv[OBJECTS];
	char *data; /* of the Secret: a JSON object; NULL: there is no Secret */
	char *bundle[OBJECTS][ENTRIES];
	unsigned watches[OBJECTS][WATCHES], n_watches[OBJECTS];
	unsigned created, patched[OBJECTS], conflicts;
	bool deaf;      /* watches of the Secret hear nothing */
	int refuse;     /* status of the next write of the Secret; 0: accepted */
	bool forbidden; /* every write of the Secret */
};

static void write_object(struct api *a, int o, struct buf *b)
{
	buf_printf(b, "{\"metadata\":{\"name\":\"casemate\",\"resourceVersion\":\"%u\"}",
		a->object_rv[o]);
	if (o == SECRET)
		buf_printf(b, ",\"data\":%s}", a->data);
	else
		buf_printf(b,
			",\"webhooks\":[{\"name\":\"a\",\"clientConfig\":{\"caBundle\":\"%s\"}},"
			"{\"name\":\"b\",\"clientConfig\":{\"caBundle\":\"%s\"}}]}",
			a->bundle[o][0], a->bundle[o][1]);
}

static void write_event(struct api *a, int o, const char *type, struct buf *b)
{
	buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
	write_object(a, o, b);
	buf_puts(b, "}\n");
}

/* Tells the watches. */
static void tell(struct api *a, int o, const char *type)
{
	_cleanup_buf_ struct buf event = BUF_INIT(1 << 20), chunk = BUF_INIT(1 << 20);

	a->object_rv[o] = ++a->rv;
	write_event(a, o, type, &event);
	buf_printf(&chunk, "%zx\r\n%s\r\n", event.len, event.p);
	for (unsigned i = 0; i < a->n_watches[o] && !(a->deaf && o == SECRET); i++)
		fake_server_push(a->server, a->watches[o][i], chunk.p, chunk.len);
}

static void set_text(char **to, struct span text)
{
	free(*to);
	*to = strndup(text.p, text.len);
}

static void refuse(struct fake_reply *reply, int status)
{
	fake_respond(reply, status, NULL, "{\"kind\":\"Status\",\"message\":\"no\"}");
}

static void write_secret(struct api *a, bool create, struct json_val body, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	char version[32];
	int status = a->forbidden ? 403 : a->refuse;

	snprintf(version, sizeof(version), "%u", a->object_rv[SECRET]);
	a->refuse = 0;
	if (!status && create != !a->data)
		status = create ? 409 : 404;
	if (!status && !create &&
		!json_str_is(json_find(body, "metadata", "resourceVersion"), version))
		status = 409;
	if (status) {
		a->conflicts += status == 409;
		refuse(reply, status);
		return;
	}
	set_text(&a->data, json_raw(json_get(body, "data")));
	a->created += create;
	a->patched[SECRET] += !create;
	tell(a, SECRET, create ? "ADDED" : "MODIFIED");
	write_object(a, SECRET, &out);
	fake_respond(reply, create ? 201 : 200, NULL, out.p);
}

/* A JSON Patch of the kind that cabundle.c makes. */
static void patch_configuration(struct api *a, int o, struct json_val ops, struct fake_reply *reply)
{
	char version[32];
	struct json_iter it;

	snprintf(version, sizeof(version), "%u", a->object_rv[o]);
	if (!json_str_is(json_get(json_at(ops, 0), "value"), version)) {
		refuse(reply, 422);
		return;
	}
	json_each (it, ops) {
		unsigned entry;
		struct json_val value = json_get(it.value, "value");
		struct span path = json_raw(json_get(it.value, "path")), text = json_raw(value);

		if (json_str_is(json_get(it.value, "op"), "add") &&
			sscanf(path.p, "\"/webhooks/%u/clientConfig/caBundle\"", &entry) == 1)
			set_text(&a->bundle[o][entry], (struct span){text.p + 1, text.len - 2});
	}
	a->patched[o]++;
	tell(a, o, "MODIFIED");
	fake_respond(reply, 200, NULL, "{}");
}

static void read_object(
	struct api *a, int o, unsigned n, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	const char *since = strstr(request, "resourceVersion=");
	bool exists = o != SECRET || a->data;

	if (since) {
		if (a->n_watches[o] < WATCHES)
			a->watches[o][a->n_watches[o]++] = n;
		fake_stream(reply, 200);
		if (exists && a->object_rv[o] > strtoul(since + 16, NULL, 10)) {
			write_event(a, o, "MODIFIED", &out);
			fake_chunk(reply, out.p);
		}
		return;
	}
	if (!strstr(request, "?limit=")) {
		if (exists)
			write_object(a, o, &out);
		if (exists)
			fake_respond(reply, 200, NULL, out.p);
		else
			refuse(reply, 404);
		return;
	}
	buf_printf(&out, "{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[", a->rv);
	if (exists)
		write_object(a, o, &out);
	buf_puts(&out, "]}");
	fake_respond(reply, 200, NULL, out.p);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct api *a = ctx;
	_cleanup_json_ struct json doc = {0};
	int o = SECRET;

	pthread_mutex_lock(&a->lock);
	while (o + 1 < OBJECTS && !strstr(request, paths[o]))
		o++;
	if (strncmp(request, "GET", 3) == 0)
		read_object(a, o, n, request, reply);
	else if (json_parse(&doc, span_str(strstr(request, "\r\n\r\n") + 4), &limits, NULL) < 0)
		refuse(reply, 400);
	else if (o == SECRET)
		write_secret(a, strncmp(request, "POST", 4) == 0, json_root(&doc), reply);
	else
		patch_configuration(a, o, json_root(&doc), reply);
	pthread_mutex_unlock(&a->lock);
}

struct world {
	struct api api;
	struct kube_fix fix;
	struct tls_identity *tls[REPLICAS];
	struct health *health[REPLICAS];
	struct certs *certs[REPLICAS];
};

static const struct certs_options options = {.mode = CERTS_SELF,
	.secret_name = "casemate",
	.namespace_ = "system",
	.service_name = "casemate",
	.service_namespace = "system",
	.mutating_configuration = "casemate",
	.validating_configuration = "casemate",
	.ca_lifetime_usec = 3600 * (int64_t)USEC_PER_SEC,
	.leaf_lifetime_usec = 20 * USEC_PER_SEC};

static bool begin(struct world *w)
{
	struct error err = {0};

	*w = (struct world){0};
	/* What it logs here is what the tests provoke. */
	log_setup(&(struct log_options){.verbosity = 0, .fd = -1});
	pthread_mutex_init(&w->api.lock, NULL);
	for (int o = MUTATING; o < OBJECTS; o++)
		for (int e = 0; e < ENTRIES; e++)
			set_text(&w->api.bundle[o][e], SPAN_LIT("Z2FyYmFnZQ=="));
	for (int o = 0; o < OBJECTS; o++)
		w->api.object_rv[o] = ++w->api.rv;
	if (!kube_fix_begin(&w->fix, answer, &w->api))
		return false;
	w->api.server = w->fix.server;
	for (int i = 0; i < REPLICAS; i++) {
		w->tls[i] = tls_identity_new();
		w->health[i] = health_new();
		CHECK_ROW("new",
			certs_new(&w->certs[i], w->fix.event, w->fix.client, &options, w->tls[i],
				i ? NULL : w->fix.metrics, w->health[i], &err) == 0,
			"%s", err.message);
	}
	return w->certs[REPLICAS - 1];
}

static void end(struct world *w)
{
	for (int i = 0; i < REPLICAS; i++)
		certs_free(w->certs[i]);
	kube_fix_end(&w->fix);
	for (int i = 0; i < REPLICAS; i++) {
		health_free(w->health[i]);
		tls_identity_free(w->tls[i]);
	}
	free(w->api.data);
	for (int o = 0; o < OBJECTS; o++)
		for (int e = 0; e < ENTRIES; e++)
			free(w->api.bundle[o][e]);
	pthread_mutex_destroy(&w->api.lock);
	log_setup(&(struct log_options){.verbosity = 2, .fd = 2});
}

/* What the Secret holds, as a replica reads it; false: it is not sound. */
static bool read_secret(struct api *a, struct store *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct store_rules rules = {0};

	if (!a->data)
		return false;
	authority_names(&rules.names, "casemate", "system", NULL);
	write_object(a, SECRET, &b);
	return json_parse(&doc, buf_view(&b), &limits, NULL) == 0 &&
	       store_read(s, json_root(&doc), &rules, clock_unix_usec() / USEC_PER_SEC, NULL) == 0;
}

/* A sound Secret, its bundle in every entry, every replica ready. */
static bool is_settled(void *ctx)
{
	struct world *w = ctx;
	_cleanup_store_ struct store s = {0};
	_cleanup_buf_ struct buf pem = BUF_INIT(1 << 16), text = BUF_INIT(1 << 16);
	bool ok;

	pthread_mutex_lock(&w->api.lock);
	ok = read_secret(&w->api, &s) && bundle_write(&s.bundle, &pem) == 0 &&
	     buf_base64(&text, pem.p, pem.len) == 0;
	for (int o = MUTATING; o < OBJECTS; o++)
		for (int e = 0; e < ENTRIES; e++)
			ok = ok && strcmp(w->api.bundle[o][e], text.p) == 0;
	pthread_mutex_unlock(&w->api.lock);
	for (int i = 0; i < REPLICAS; i++)
		ok = ok && health_ok(w->health[i], HEALTH_READY);
	return ok;
}

static void take_store(struct world *w, struct store *s)
{
	pthread_mutex_lock(&w->api.lock);
	CU_ASSERT(read_secret(&w->api, s));
	pthread_mutex_unlock(&w->api.lock);
}

static void set_secret(struct world *w, const char *data, const char *type)
{
	pthread_mutex_lock(&w->api.lock);
	if (data)
		set_text(&w->api.data, span_str(data));
	tell(&w->api, SECRET, type);
	if (!data)
		free(TAKE_PTR(w->api.data));
	pthread_mutex_unlock(&w->api.lock);
}

static void test_created(void)
{
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(!health_ok(w.health[0], HEALTH_READY));
		CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		kube_fix_linger(&w.fix, 100 * USEC_PER_MSEC);
		CU_ASSERT(is_settled(&w));
		CU_ASSERT_EQUAL(w.api.created, 1);
		CU_ASSERT_EQUAL(w.api.patched[SECRET], 0);
		CU_ASSERT_EQUAL(w.api.patched[MUTATING], 1);
		CU_ASSERT_EQUAL(w.api.patched[VALIDATING], 1);
	}
	end(&w);
}

static void test_bundle_overwritten(void)
{
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		for (int e = 0; e < ENTRIES; e++) {
			pthread_mutex_lock(&w.api.lock);
			set_text(&w.api.bundle[VALIDATING][e], SPAN_LIT("Zg=="));
			tell(&w.api, VALIDATING, "MODIFIED");
			pthread_mutex_unlock(&w.api.lock);
			CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		}
		CU_ASSERT_EQUAL(w.api.patched[MUTATING], 1);
		CU_ASSERT_EQUAL(w.api.patched[VALIDATING], 1 + ENTRIES);
	}
	end(&w);
}

static void test_deleted(void)
{
	struct world w;
	_cleanup_store_ struct store before = {0}, after = {0}, later = {0};

	if (begin(&w)) {
		CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		take_store(&w, &before);
		set_secret(&w, NULL, "DELETED");
		CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		take_store(&w, &after);
		/* Another authority, but what is served is still what everybody trusts. */
		CU_ASSERT_EQUAL(w.api.created, 2);
		CU_ASSERT(X509_cmp(after.ca.cert, before.ca.cert) != 0);
		CU_ASSERT_EQUAL(X509_cmp(after.leaf.cert, before.leaf.cert), 0);
		CU_ASSERT_EQUAL(after.bundle.n, 2);
		/* Until the new one has been trusted for two seconds. */
		kube_fix_linger(&w.fix, 3 * USEC_PER_SEC);
		take_store(&w, &later);
		CU_ASSERT_EQUAL(X509_cmp(later.ca.cert, after.ca.cert), 0);
		CU_ASSERT_PTR_EQUAL(store_issuer(&later), later.ca.cert);
		CU_ASSERT(is_settled(&w));
	}
	end(&w);
}

static void test_spoilt(void)
{
	static const char *const rows[] = {"{}", "null", "{\"tls.crt\":\"Z2FyYmFnZQ==\"}",
		"{\"tls.crt\":\"\",\"tls.key\":\"\",\"ca.crt\":\"\",\"ca.key\":\"\"}"};
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			_cleanup_store_ struct store before = {0}, after = {0};

			take_store(&w, &before);
			set_secret(&w, rows[i], "MODIFIED");
			CHECK_ROW(rows[i], kube_fix_wait(&w.fix, is_settled, &w), "not repaired");
			take_store(&w, &after);
			CHECK_ROW(rows[i], X509_cmp(after.leaf.cert, before.leaf.cert) == 0,
				"another certificate");
		}
	}
	end(&w);
}

static void test_conflict(void)
{
	struct world w;

	if (begin(&w)) {
		w.api.refuse = 409;
		CU_ASSERT(kube_fix_wait(&w.fix, is_settled, &w));
		CU_ASSERT(w.api.conflicts > 0);
		CU_ASSERT_EQUAL(w.api.created, 1);
	}
	end(&w);
}

static void test_forbidden(void)
{
	struct world w;
	_cleanup_buf_ struct buf out = BUF_INIT(65536);

	if (begin(&w)) {
		w.api.forbidden = true;
		kube_fix_linger(&w.fix, 300 * USEC_PER_MSEC);
		CU_ASSERT(!health_ok(w.health[0], HEALTH_READY));
		/* Not again and again. */
		CU_ASSERT(fake_server_requests(w.fix.server) < 20);
		metrics_expose(w.fix.metrics, METRICS_TEXT, &out);
		CHECK_ROW("failed",
			strstr(out.p, "certificate_renewals_total{result=\"failed\"} 1\n"), "%s",
			out.p);
	}
	end(&w);
}

/* Replicas that heard nothing of a newer Secret meet its bundle: they must not undo it. */
static void test_stale(void)
{
	struct store_rules rules = {
		.ca_lifetime_sec = 3600, .leaf_lifetime_sec = 20, .grace_sec = 2};
	struct world w;

	if (begin(&w) && kube_fix_wait(&w.fix, is_settled, &w)) {
		_cleanup_store_ struct store next = {0}, served = {0};
		_cleanup_secret_ struct secret body = {0};
		_cleanup_buf_ struct buf pem = BUF_INIT(1 << 16), text = BUF_INIT(1 << 16);
		_cleanup_json_ struct json doc = {0};
		unsigned changes;
		int64_t again;

		authority_names(&rules.names, "casemate", "system", NULL);
		take_store(&w, &served);
		store_advance(&next, &served, false, &rules, clock_unix_usec() / USEC_PER_SEC,
			&changes, &again, NULL);
		store_body(&body, &next, "system", "casemate", "1", NULL);
		bundle_write(&next.bundle, &pem);
		buf_base64(&text, pem.p, pem.len);
		CU_ASSERT_EQUAL(json_parse(&doc, secret_view(&body), &limits, NULL), 0);
		pthread_mutex_lock(&w.api.lock);
		w.api.deaf = true;
		set_text(&w.api.data, json_raw(json_get(json_root(&doc), "data")));
		tell(&w.api, SECRET, "MODIFIED");
		for (int o = MUTATING; o < OBJECTS; o++) {
			for (int e = 0; e < ENTRIES; e++)
				set_text(&w.api.bundle[o][e], buf_view(&text));
			tell(&w.api, o, "MODIFIED");
		}
		pthread_mutex_unlock(&w.api.lock);
		kube_fix_linger(&w.fix, 300 * USEC_PER_MSEC);
		CU_ASSERT_EQUAL(w.api.patched[MUTATING], 1);
		CU_ASSERT_EQUAL(w.api.patched[VALIDATING], 1);
		CU_ASSERT(is_settled(&w));
	}
	end(&w);
}

static void test_options(void)
{
	struct kube_client *const kube = (struct kube_client *)&options; /* never looked at */
	struct tls_identity *tls = tls_identity_new();
	struct certs_options o[7];

	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		o[i] = options;
	o[0].secret_name = "../x";
	o[1].namespace_ = "";
	o[2].service_name = "a.b";
	o[3].validating_configuration = "A";
	o[4].leaf_lifetime_usec = 9 * USEC_PER_SEC;
	o[5].ca_lifetime_usec = o[5].leaf_lifetime_usec;
	o[6].mode = CERTS_FILES;
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		struct certs *c = NULL;
		struct error err = {0};
		int r = certs_new(&c, NULL, kube, &o[i], tls, NULL, NULL, &err);

		CHECK_ROW("options", r == -EINVAL && err.message[0], "%zu: %d", i, r);
		certs_free(c);
	}
	tls_identity_free(tls);
}

CU_TestInfo certs_tests[] = {
	{"replicas make one", test_created},
	{"caBundle overwritten", test_bundle_overwritten},
	{"Secret deleted", test_deleted},
	{"Secret spoilt", test_spoilt},
	{"another was first", test_conflict},
	{"forbidden", test_forbidden},
	{"an old view undoes nothing", test_stale},
	{"options", test_options},
	CU_TEST_INFO_NULL,
};
