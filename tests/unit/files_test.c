/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/certs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/unit/test.h"
#include "webhook/certs/authority.h"

struct fix {
	sd_event *event;
	struct tls_identity *tls;
	struct metrics *metrics;
	struct health *health;
	struct certs *certs;
	struct credential ca, leaf[2];
	char dir[64], cert[80], key[80];
};

static void write_at(const char *path, struct span text)
{
	FILE *f = fopen(path, "we");

	CU_ASSERT_PTR_NOT_NULL(f);
	if (!f)
		return;
	CU_ASSERT_EQUAL(fwrite(text.p, 1, text.len, f), text.len);
	fclose(f);
}

/* Writes a pair as the version V of a Kubernetes volume, and swaps the link. */
static void swap(struct fix *f, const char *version, const struct credential *cert,
	const struct credential *key)
{
	const struct bundle chain = {.cert = {cert->cert, f->ca.cert}, .n = 2};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX);
	_cleanup_secret_ struct secret key_pem = {0};
	char path[160], link[80], fresh[80];

	snprintf(path, sizeof(path), "%s/%s", f->dir, version);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	bundle_write(&chain, &pem);
	credential_write_key(&key_pem, key->key, NULL);
	snprintf(path, sizeof(path), "%s/%s/tls.crt", f->dir, version);
	write_at(path, buf_view(&pem));
	snprintf(path, sizeof(path), "%s/%s/tls.key", f->dir, version);
	write_at(path, secret_view(&key_pem));
	snprintf(link, sizeof(link), "%s/..data", f->dir);
	snprintf(fresh, sizeof(fresh), "%s/..data_tmp", f->dir);
	CU_ASSERT_EQUAL(symlink(version, fresh), 0);
	CU_ASSERT_EQUAL(rename(fresh, link), 0);
}

static bool begin(struct fix *f)
{
	struct authority_names names;
	int64_t now = clock_unix_usec() / USEC_PER_SEC;

	*f = (struct fix){.dir = "/tmp/casemate-test-XXXXXX"};
	log_setup(&(struct log_options){.verbosity = 0, .fd = -1});
	f->tls = tls_identity_new();
	f->metrics = metrics_new();
	f->health = health_new();
	CU_ASSERT_PTR_NOT_NULL(mkdtemp(f->dir));
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	snprintf(f->cert, sizeof(f->cert), "%s/tls.crt", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/tls.key", f->dir);
	return symlink("..data/tls.crt", f->cert) == 0 && symlink("..data/tls.key", f->key) == 0 &&
	       authority_names(&names, "casemate", "system", NULL) == 0 &&
	       authority_make_ca(&f->ca, now, 10000, NULL) == 0 &&
	       authority_make_leaf(&f->leaf[0], &f->ca, &names, now, 1000, NULL) == 0 &&
	       authority_make_leaf(&f->leaf[1], &f->ca, &names, now, 2000, NULL) == 0;
}

static int start(struct fix *f, bool must_load, struct error *err)
{
	const struct certs_options o = {.mode = CERTS_FILES,
		.cert_file = f->cert,
		.key_file = f->key,
		.must_load = must_load};

	return certs_new(&f->certs, f->event, NULL, &o, f->tls, f->metrics, f->health, err);
}

static void end(struct fix *f)
{
	char command[128];

	certs_free(f->certs);
	credential_free(&f->ca);
	credential_free(&f->leaf[0]);
	credential_free(&f->leaf[1]);
	health_free(f->health);
	metrics_free(f->metrics);
	tls_identity_free(f->tls);
	sd_event_unref(f->event);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	CU_ASSERT_EQUAL(system(command), 0);
	log_setup(&(struct log_options){.verbosity = 2, .fd = 2});
}

/* Runs the loop until the metrics say so, at most half a minute. */
static bool shows(struct fix *f, const char *line)
{
	int64_t deadline = clock_monotonic_usec() + 30 * USEC_PER_SEC;
	bool found = false;

	while (!found && clock_monotonic_usec() < deadline) {
		_cleanup_buf_ struct buf out = BUF_INIT(1 << 16);

		sd_event_run(f->event, 10 * USEC_PER_MSEC);
		metrics_expose(f->metrics, METRICS_TEXT, &out);
		found = out.p && strstr(out.p, line);
	}
	return found;
}

#define LOADED(n)  "renewals_total{result=\"loaded\"} " n "\n"
#define REFUSED(n) "renewals_total{result=\"refused\"} " n "\n"

static void test_swapped(void)
{
	struct fix f;
	struct error err = {0};
	char expiry[64];

	CU_ASSERT(begin(&f));
	swap(&f, "1", &f.leaf[0], &f.leaf[0]);
	CHECK_ROW("start", start(&f, true, &err) == 0, "%s", err.message);
	CU_ASSERT(health_ok(f.health, HEALTH_READY));
	CU_ASSERT(shows(&f, LOADED("1")));
	swap(&f, "2", &f.leaf[1], &f.leaf[1]);
	CU_ASSERT(shows(&f, LOADED("2")));
	snprintf(expiry, sizeof(expiry), "{kind=\"leaf\"} %lld\n",
		(long long)credential_not_after(f.leaf[1].cert));
	CU_ASSERT(shows(&f, expiry));
	/* The other's key: refused once, and what was served is served on. */
	swap(&f, "3", &f.leaf[0], &f.leaf[1]);
	CU_ASSERT(shows(&f, REFUSED("1")));
	CU_ASSERT(shows(&f, expiry));
	CU_ASSERT(health_ok(f.health, HEALTH_READY));
	swap(&f, "4", &f.leaf[0], &f.leaf[0]);
	CU_ASSERT(shows(&f, LOADED("3")));
	CU_ASSERT(shows(&f, REFUSED("1")));
	end(&f);
}

static void test_late(void)
{
	struct fix f;
	struct error err = {0};

	CU_ASSERT(begin(&f));
	CU_ASSERT_EQUAL(start(&f, true, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, f.cert));
	CU_ASSERT_PTR_NULL(f.certs);
	/* Another pair of metrics and health: each is registered once. */
	metrics_free(f.metrics);
	health_free(f.health);
	f.metrics = metrics_new();
	f.health = health_new();
	CU_ASSERT_EQUAL(start(&f, false, &err), 0);
	CU_ASSERT(shows(&f, REFUSED("1")));
	CU_ASSERT(!health_ok(f.health, HEALTH_READY));
	swap(&f, "1", &f.leaf[0], &f.leaf[0]);
	CU_ASSERT(shows(&f, LOADED("1")));
	CU_ASSERT(health_ok(f.health, HEALTH_READY));
	end(&f);
}

static void test_refused(void)
{
	static const struct {
		const char *name, *cert, *key;
	} rows[] = {
		{"empty", "", ""},
		{"garbage", "garbage", "garbage"},
		{"no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
			"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;
		struct error err = {0};
		int r;

		CU_ASSERT(begin(&f));
		unlink(f.cert);
		unlink(f.key);
		write_at(f.cert, span_str(rows[i].cert));
		write_at(f.key, span_str(rows[i].key));
		r = start(&f, true, &err);
		CHECK_ROW(rows[i].name, r == -EBADMSG && strstr(err.message, f.cert), "%d %s", r,
			err.message);
		end(&f);
	}
}

CU_TestInfo files_tests[] = {
	{"a volume's link swapped", test_swapped},
	{"not there at first", test_late},
	{"refused", test_refused},
	CU_TEST_INFO_NULL,
};
