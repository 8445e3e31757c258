/* SPDX-License-Identifier: Apache-2.0
 *
 * Two replicas that make their certificate themselves. */
#include "webhook/certs/certs.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "tests/unit/certs_world.h"
#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 22, 1 << 16, 64};

static bool begin(struct world *w)
{
	bool ok = world_begin(w);

	for (int i = 0; ok && i < REPLICAS; i++)
		world_start(w, i, &world_options);
	return ok && w->certs[REPLICAS - 1];
}

static void test_created(void)
{
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(!health_ok(w.health[0], HEALTH_READY));
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		kube_fix_linger(&w.fix, 100 * USEC_PER_MSEC);
		CU_ASSERT(world_is_settled(&w));
		CU_ASSERT_EQUAL(w.api.created, 1);
		CU_ASSERT_EQUAL(w.api.patched[SECRET], 0);
		CU_ASSERT_EQUAL(w.api.patched[MUTATING], 1);
		CU_ASSERT_EQUAL(w.api.patched[VALIDATING], 1);
	}
	world_end(&w);
}

static void test_bundle_overwritten(void)
{
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		for (int e = 0; e < ENTRIES; e++) {
			pthread_mutex_lock(&w.api.lock);
			world_set_text(&w.api.bundle[VALIDATING][e], SPAN_LIT("Zg=="));
			world_tell(&w.api, VALIDATING, "MODIFIED");
			pthread_mutex_unlock(&w.api.lock);
			CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		}
		CU_ASSERT_EQUAL(w.api.patched[MUTATING], 1);
		CU_ASSERT_EQUAL(w.api.patched[VALIDATING], 1 + ENTRIES);
	}
	world_end(&w);
}

/* The old authority leaves the Secret. */
static void trim(struct world *w, struct store *s)
{
	_cleanup_secret_ struct secret body = {0};
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf data = BUF_INIT(1 << 16);

	CU_ASSERT_EQUAL(s->bundle.n, 2);
	bundle_remove(&s->bundle, 1);
	CU_ASSERT_EQUAL(store_body(&body, s, "system", "casemate", "1", NULL), 0);
	CU_ASSERT_EQUAL(json_parse(&doc, secret_view(&body), &limits, NULL), 0);
	buf_span(&data, json_raw(json_get(json_root(&doc), "data")));
	buf_putc(&data, '\0');
	world_set_secret(w, data.p, "MODIFIED");
}

/* What is served is of the authority that is made last. */
static bool is_taken_over(void *ctx)
{
	_cleanup_store_ struct store s = {0};

	world_take_store(ctx, &s);
	return s.ca.cert && store_issuer(&s) == s.ca.cert;
}

static void test_deleted(void)
{
	struct world w;
	_cleanup_store_ struct store before = {0}, after = {0}, later = {0};

	if (begin(&w)) {
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		world_take_store(&w, &before);
		world_set_secret(&w, NULL, "DELETED");
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		world_take_store(&w, &after);
		/* Another authority, but what is served is still what everybody trusts. */
		CU_ASSERT_EQUAL(w.api.created, 2);
		CU_ASSERT(X509_cmp(after.ca.cert, before.ca.cert) != 0);
		CU_ASSERT_EQUAL(X509_cmp(after.leaf.cert, before.leaf.cert), 0);
		CU_ASSERT_EQUAL(after.bundle.n, 2);
		/* Until the new one has been trusted for a while. */
		CU_ASSERT(kube_fix_wait(&w.fix, is_taken_over, &w));
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		world_take_store(&w, &later);
		CU_ASSERT_EQUAL(X509_cmp(later.ca.cert, after.ca.cert), 0);
		CU_ASSERT_PTR_EQUAL(store_issuer(&later), later.ca.cert);
		CU_ASSERT(world_is_settled(&w));
		CU_ASSERT(world_all_have(&w, &after.bundle, true));
		trim(&w, &later);
		/* What left the Secret is needed by nobody, and does not stay as a stranger would. */
		w.wanted = &later.bundle;
		CU_ASSERT(kube_fix_wait(&w.fix, world_has_exactly, &w));
	}
	world_end(&w);
}

static void test_spoilt(void)
{
	static const char *const rows[] = {"{}", "null", "{\"tls.crt\":\"Z2FyYmFnZQ==\"}",
		"{\"tls.crt\":\"\",\"tls.key\":\"\",\"ca.crt\":\"\",\"ca.key\":\"\"}"};
	struct world w;

	if (begin(&w)) {
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			_cleanup_store_ struct store before = {0}, after = {0};

			world_take_store(&w, &before);
			world_set_secret(&w, rows[i], "MODIFIED");
			CHECK_ROW(rows[i], kube_fix_wait(&w.fix, world_is_settled, &w), "not repaired");
			world_take_store(&w, &after);
			CHECK_ROW(rows[i], X509_cmp(after.leaf.cert, before.leaf.cert) == 0,
				"another certificate");
		}
	}
	world_end(&w);
}

static void test_conflict(void)
{
	struct world w;

	if (begin(&w)) {
		w.api.refuse = 409;
		CU_ASSERT(kube_fix_wait(&w.fix, world_is_settled, &w));
		CU_ASSERT(w.api.conflicts > 0);
		CU_ASSERT_EQUAL(w.api.created, 1);
	}
	world_end(&w);
}

static bool is_counted_as_failed(void *ctx)
{
	struct world *w = ctx;
	_cleanup_buf_ struct buf out = BUF_INIT(65536);

	metrics_expose(w->fix.metrics, METRICS_TEXT, &out);
	return out.p && strstr(out.p, "certificate_renewals_total{result=\"failed\"} ");
}

static void test_forbidden(void)
{
	struct world w;
	_cleanup_buf_ struct buf out = BUF_INIT(65536);

	if (begin(&w)) {
		w.api.forbidden = true;
		CU_ASSERT(kube_fix_wait(&w.fix, is_counted_as_failed, &w));
		kube_fix_linger(&w.fix, 300 * USEC_PER_MSEC);
		CU_ASSERT(!health_ok(w.health[0], HEALTH_READY));
		/* Not again and again. */
		CU_ASSERT(fake_server_requests(w.fix.server) < 20);
		metrics_expose(w.fix.metrics, METRICS_TEXT, &out);
		CHECK_ROW("failed",
			strstr(out.p, "certificate_renewals_total{result=\"failed\"} 1\n"), "%s",
			out.p);
	}
	world_end(&w);
}

/* Replicas that heard nothing of a newer Secret meet its bundle: they must not undo it. */
static void test_stale(void)
{
	struct store_rules rules = {
		.ca_lifetime_sec = 3600, .leaf_lifetime_sec = 20, .grace_sec = 2};
	struct world w;

	if (begin(&w) && kube_fix_wait(&w.fix, world_is_settled, &w)) {
		_cleanup_store_ struct store next = {0}, served = {0};
		_cleanup_secret_ struct secret body = {0};
		_cleanup_buf_ struct buf pem = BUF_INIT(1 << 16), text = BUF_INIT(1 << 16);
		_cleanup_json_ struct json doc = {0};
		unsigned changes;
		int64_t again;

		authority_names(&rules.names, "casemate", "system", NULL);
		world_take_store(&w, &served);
		store_advance(&next, &served, false, &rules, clock_unix_usec() / USEC_PER_SEC,
			&changes, &again, NULL);
		store_body(&body, &next, "system", "casemate", "1", NULL);
		bundle_write(&next.bundle, &pem);
		buf_base64(&text, pem.p, pem.len);
		CU_ASSERT_EQUAL(json_parse(&doc, secret_view(&body), &limits, NULL), 0);
		pthread_mutex_lock(&w.api.lock);
		w.api.deaf = true;
		world_set_text(&w.api.data, json_raw(json_get(json_root(&doc), "data")));
		world_tell(&w.api, SECRET, "MODIFIED");
		for (int o = MUTATING; o < OBJECTS; o++) {
			for (int e = 0; e < ENTRIES; e++)
				world_set_text(&w.api.bundle[o][e], buf_view(&text));
			world_tell(&w.api, o, "MODIFIED");
		}
		pthread_mutex_unlock(&w.api.lock);
		kube_fix_linger(&w.fix, 300 * USEC_PER_MSEC);
		CU_ASSERT_EQUAL(w.api.patched[MUTATING], 1);
		CU_ASSERT_EQUAL(w.api.patched[VALIDATING], 1);
		CU_ASSERT(world_is_settled(&w));
	}
	world_end(&w);
}

static void test_options(void)
{
	struct kube_client *const kube = (struct kube_client *)&world_options; /* never looked at */
	struct tls_identity *tls = tls_identity_new();
	struct certs_options o[7];

	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		o[i] = world_options;
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

		CHECK_ROW("world_options", r == -EINVAL && err.message[0], "%zu: %d", i, r);
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
	{"world_options", test_options},
	CU_TEST_INFO_NULL,
};
