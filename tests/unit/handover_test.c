/* SPDX-License-Identifier: Apache-2.0
 *
 * One kind of certificates takes over from another, or one authority from another in the files:
 * caBundle has what both need, and nothing is served before it is trusted. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "tests/unit/certs_world.h"
#include "tests/unit/test.h"

/* Longer than a busy machine keeps a test from looking. */
enum { GRACE_USEC = 3 * USEC_PER_SEC };

/* Certificates of an authority of the user's, and the folder where he puts them. */
struct user {
	char dir[64], cert[80], key[80], ca[80];
	struct credential authority[2], leaf[2];
	struct certs_options options;
};

struct fix {
	struct world w;
	struct user user;
	struct bundle want;
};

static void write_file(const char *path, struct span text)
{
	char fresh[96];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "we");
	CU_ASSERT_PTR_NOT_NULL(f);
	if (!f)
		return;
	CU_ASSERT_EQUAL(fwrite(text.p, 1, text.len, f), text.len);
	fclose(f);
	CU_ASSERT_EQUAL(rename(fresh, path), 0);
}

static void write_cert(const char *path, X509 *cert)
{
	const struct bundle b = {.cert = {cert}, .n = 1};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX);

	bundle_write(&b, &pem);
	write_file(path, buf_view(&pem));
}

/* Certificate and authority, by number. */
static void put(struct user *u, int leaf, int authority)
{
	_cleanup_secret_ struct secret key = {0};

	CU_ASSERT_EQUAL(credential_write_key(&key, u->leaf[leaf].key, NULL), 0);
	write_file(u->key, secret_view(&key));
	write_cert(u->ca, u->authority[authority].cert);
	write_cert(u->cert, u->leaf[leaf].cert);
}

static bool user_begin(struct user *u)
{
	int64_t now = clock_unix_usec() / USEC_PER_SEC;
	struct authority_names names;
	int r = authority_names(&names, "casemate", "system", NULL);

	*u = (struct user){.dir = "/tmp/casemate-test-XXXXXX", .options = world_options};
	if (!mkdtemp(u->dir))
		return false;
	snprintf(u->cert, sizeof(u->cert), "%s/tls.crt", u->dir);
	snprintf(u->key, sizeof(u->key), "%s/tls.key", u->dir);
	snprintf(u->ca, sizeof(u->ca), "%s/ca.crt", u->dir);
	for (int i = 0; i < 2 && r == 0; i++) {
		r = authority_make_ca(&u->authority[i], now, 10000, NULL);
		if (r == 0)
			r = authority_make_leaf(&u->leaf[i], &u->authority[i], &names, now, 1000,
				NULL);
	}
	u->options.mode = CERTS_FILES;
	u->options.cert_file = u->cert;
	u->options.key_file = u->key;
	u->options.ca_file = u->ca;
	return r == 0;
}

static bool begin(struct fix *f)
{
	*f = (struct fix){0};
	f->w.wanted = &f->want;
	CU_ASSERT(user_begin(&f->user));
	if (!world_begin(&f->w))
		return false;
	f->w.wanted = &f->want;
	return true;
}

static void end(struct fix *f)
{
	char command[128];

	world_end(&f->w);
	bundle_free(&f->want);
	for (int i = 0; i < 2; i++) {
		credential_free(&f->user.authority[i]);
		credential_free(&f->user.leaf[i]);
	}
	snprintf(command, sizeof(command), "rm -r %s", f->user.dir);
	CU_ASSERT_EQUAL(system(command), 0);
}

static void want(struct fix *f, X509 *one, X509 *two)
{
	bundle_free(&f->want);
	bundle_add(&f->want, one, false);
	if (two)
		bundle_add(&f->want, two, false);
}

static bool all_ready(struct world *w)
{
	bool ok = true;

	for (int i = 0; i < REPLICAS; i++)
		ok = ok && (!w->health[i] || health_ok(w->health[i], HEALTH_READY));
	return ok;
}

/* Every entry has exactly what is wanted, and every replica is ready. */
static bool is_done(void *ctx)
{
	return world_has_exactly(ctx) && all_ready(ctx);
}

static bool serves(struct fix *f, const X509 *cert)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 16);
	char line[64];

	snprintf(line, sizeof(line), "{kind=\"leaf\"} %lld\n",
		(long long)credential_not_after(cert));
	metrics_expose(f->w.fix.metrics, METRICS_TEXT, &out);
	return out.p && strstr(out.p, line);
}

static bool all_have(void *ctx)
{
	struct fix *f = ctx;

	return world_all_have(&f->w, &f->want, false);
}

static void test_self_to_files(void)
{
	struct fix f;
	_cleanup_store_ struct store s = {0};
	unsigned patched;

	if (begin(&f)) {
		world_start(&f.w, 1, &world_options);
		CU_ASSERT(kube_fix_wait(&f.w.fix, world_is_settled, &f.w));
		world_take_store(&f.w, &s);
		put(&f.user, 0, 0);
		world_start(&f.w, 0, &f.user.options);
		want(&f, s.ca.cert, f.user.authority[0].cert);
		CU_ASSERT(kube_fix_wait(&f.w.fix, is_done, &f.w));
		/* Nobody undoes the other's. */
		patched = f.w.api.patched[MUTATING];
		kube_fix_linger(&f.w.fix, 300 * USEC_PER_MSEC);
		CU_ASSERT(is_done(&f.w));
		CU_ASSERT_EQUAL(f.w.api.patched[MUTATING], patched);
		/* Whoever is left keeps what is his. */
		world_stop(&f.w, 1);
		pthread_mutex_lock(&f.w.api.lock);
		world_set_text(&f.w.api.bundle[MUTATING][0], SPAN_LIT(""));
		world_tell(&f.w.api, MUTATING, "MODIFIED");
		pthread_mutex_unlock(&f.w.api.lock);
		want(&f, f.user.authority[0].cert, NULL);
		CU_ASSERT(kube_fix_wait(&f.w.fix, all_have, &f));
	}
	end(&f);
}

static bool has_the_secrets(void *ctx)
{
	struct world *w = ctx;
	_cleanup_store_ struct store s = {0};

	if (w->api.created == 0)
		return false;
	world_take_store(w, &s);
	return world_all_have(w, &s.bundle, false);
}

static void test_files_to_self(void)
{
	struct fix f;
	struct certs_options self = world_options;
	_cleanup_store_ struct store s = {0};

	if (begin(&f)) {
		put(&f.user, 0, 0);
		world_start(&f.w, 0, &f.user.options);
		want(&f, f.user.authority[0].cert, NULL);
		CU_ASSERT(kube_fix_wait(&f.w.fix, is_done, &f.w));
		self.grace_usec = GRACE_USEC;
		world_start(&f.w, 1, &self);
		CU_ASSERT(kube_fix_wait(&f.w.fix, has_the_secrets, &f.w));
		/* Not before every API server knows. */
		kube_fix_linger(&f.w.fix, 100 * USEC_PER_MSEC);
		CU_ASSERT(!health_ok(f.w.health[1], HEALTH_READY));
		CU_ASSERT(kube_fix_wait(&f.w.fix, world_is_settled, &f.w));
		world_take_store(&f.w, &s);
		want(&f, s.ca.cert, f.user.authority[0].cert);
		CU_ASSERT(kube_fix_wait(&f.w.fix, is_done, &f.w));
	}
	end(&f);
}

static bool serves_second(void *ctx)
{
	struct fix *f = ctx;

	return serves(f, f->user.leaf[1].cert);
}

/* Nothing is served while the configurations cannot be written. */
static void test_trusted_first(void)
{
	struct fix f;

	if (begin(&f)) {
		f.w.api.fixed = true;
		f.user.options.grace_usec = GRACE_USEC;
		put(&f.user, 0, 0);
		world_start(&f.w, 0, &f.user.options);
		kube_fix_linger(&f.w.fix, 200 * USEC_PER_MSEC);
		CU_ASSERT(!serves(&f, f.user.leaf[0].cert));
		CU_ASSERT(!health_ok(f.w.health[0], HEALTH_READY));
		f.w.api.fixed = false;
		want(&f, f.user.authority[0].cert, NULL);
		CU_ASSERT(kube_fix_wait(&f.w.fix, world_has_exactly, &f.w));
		kube_fix_linger(&f.w.fix, 100 * USEC_PER_MSEC);
		CU_ASSERT(!serves(&f, f.user.leaf[0].cert));
		CU_ASSERT(kube_fix_wait(&f.w.fix, is_done, &f.w));
		CU_ASSERT(serves(&f, f.user.leaf[0].cert));
		/* Nor is a new one, and the old one is. */
		f.w.api.fixed = true;
		put(&f.user, 1, 1);
		kube_fix_linger(&f.w.fix, 500 * USEC_PER_MSEC);
		CU_ASSERT(serves(&f, f.user.leaf[0].cert));
		f.w.api.fixed = false;
		want(&f, f.user.authority[0].cert, f.user.authority[1].cert);
		CU_ASSERT(kube_fix_wait(&f.w.fix, world_has_exactly, &f.w));
		CU_ASSERT(kube_fix_wait(&f.w.fix, serves_second, &f));
	}
	end(&f);
}

/* Who comes back to what he left serves without a wait. */
static void test_restart(void)
{
	struct fix f;

	if (begin(&f)) {
		put(&f.user, 0, 0);
		world_start(&f.w, 1, &f.user.options);
		want(&f, f.user.authority[0].cert, NULL);
		CU_ASSERT(kube_fix_wait(&f.w.fix, is_done, &f.w));
		world_stop(&f.w, 1);
		f.user.options.grace_usec = 60 * USEC_PER_SEC;
		world_start(&f.w, 0, &f.user.options);
		CU_ASSERT(kube_fix_wait(&f.w.fix, is_done, &f.w));
		CU_ASSERT(serves(&f, f.user.leaf[0].cert));
		CU_ASSERT_EQUAL(f.w.api.patched[MUTATING], 1);
	}
	end(&f);
}

static void put_bundle(struct fix *f, const struct bundle *b)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX), text = BUF_INIT(1 << 16);

	bundle_write(b, &pem);
	buf_base64(&text, pem.p, pem.len);
	pthread_mutex_lock(&f->w.api.lock);
	for (int o = MUTATING; o < OBJECTS; o++) {
		for (int e = 0; e < ENTRIES; e++)
			world_set_text(&f->w.api.bundle[o][e], buf_view(&text));
		world_tell(&f->w.api, o, "MODIFIED");
	}
	pthread_mutex_unlock(&f->w.api.lock);
}

/* One that others need stays for a time; one that comes back then is still needed. */
static void test_strangers(void)
{
	struct fix f;

	if (begin(&f)) {
		_cleanup_bundle_ struct bundle both = {0};

		put(&f.user, 0, 0);
		f.user.options.keep_usec = 2 * USEC_PER_SEC;
		bundle_add(&both, f.user.authority[1].cert, false);
		put_bundle(&f, &both);
		world_start(&f.w, 0, &f.user.options);
		want(&f, f.user.authority[1].cert, f.user.authority[0].cert);
		CU_ASSERT(kube_fix_wait(&f.w.fix, world_has_exactly, &f.w));
		want(&f, f.user.authority[0].cert, NULL);
		CU_ASSERT(kube_fix_wait(&f.w.fix, world_has_exactly, &f.w));
		want(&f, f.user.authority[1].cert, f.user.authority[0].cert);
		put_bundle(&f, &f.want);
		kube_fix_linger(&f.w.fix, 2500 * USEC_PER_MSEC);
		CU_ASSERT(world_has_exactly(&f.w));
	}
	end(&f);
}

static bool says(struct fix *f, const char *text)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 16);

	health_answer(f->w.health[0], "/readyz", "verbose", &out);
	buf_putc(&out, '\0');
	return out.p && strstr(out.p, text);
}

/* What the API server would never trust is not served. */
static void test_refused(void)
{
	static const struct {
		const char *name;
		int leaf, authority;
		const char *ca; /* instead; NULL: as the numbers say */
		const char *service, *want;
	} rows[] = {
		{"another's", 0, 1, NULL, "casemate", "unable to get local issuer certificate"},
		{"another name", 0, 0, NULL, "other", "not for the name other.system.svc"},
		{"no authority", 0, 0, "", "casemate", "ca.crt: does not end with a PEM certificate"},
		{"no PEM", 0, 0, "x", "casemate", "ca.crt: does not end with a PEM certificate"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fix f;

		if (begin(&f)) {
			put(&f.user, rows[i].leaf, rows[i].authority);
			if (rows[i].ca)
				write_file(f.user.ca, span_str(rows[i].ca));
			f.user.options.service_name = rows[i].service;
			world_start(&f.w, 0, &f.user.options);
			kube_fix_linger(&f.w.fix, 100 * USEC_PER_MSEC);
			CHECK_ROW(rows[i].name, !health_ok(f.w.health[0], HEALTH_READY), "ready");
			CHECK_ROW(rows[i].name, says(&f, rows[i].want), "says something else");
			CHECK_ROW(rows[i].name, f.w.api.patched[MUTATING] == 0, "patched");
			/* Put right, it is taken up. */
			put(&f.user, 0, 0);
			want(&f, f.user.authority[0].cert, NULL);
			CHECK_ROW(rows[i].name,
				rows[i].service[0] == 'o' ||
					kube_fix_wait(&f.w.fix, is_done, &f.w),
				"not taken up");
		}
		end(&f);
	}
}

CU_TestInfo handover_tests[] = {
	{"self to files", test_self_to_files},
	{"files to self", test_files_to_self},
	{"first trusted, then served", test_trusted_first},
	{"restarted", test_restart},
	{"strangers", test_strangers},
	{"refused", test_refused},
	CU_TEST_INFO_NULL,
};
