/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/store.h"

#include <errno.h>

#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 20, 1 << 12, 16};
static const int64_t start = 1800000000;

enum { CA_LIFE = 900, LEAF_LIFE = 300, GRACE = 10 };

static struct store_rules rules(void)
{
	struct store_rules r = {
		.ca_lifetime_sec = CA_LIFE, .leaf_lifetime_sec = LEAF_LIFE, .grace_sec = GRACE};

	CU_ASSERT_EQUAL(authority_names(&r.names, "casemate", "system", NULL), 0);
	return r;
}

/* Writes s as a Secret and reads it back as another replica would. */
static int round_trip(struct store *s, int64_t now, struct error *err)
{
	struct store_rules r = rules();
	_cleanup_secret_ struct secret body = {0};
	_cleanup_json_ struct json doc = {0};

	CU_ASSERT_EQUAL(store_body(&body, s, "system", "certs", NULL, err), 0);
	store_free(s);
	CU_ASSERT_EQUAL(json_parse(&doc, secret_view(&body), &limits, NULL), 0);
	return store_read(s, json_root(&doc), &r, now, err);
}

static unsigned advance(struct store *s, const struct store *last, bool trusted, int64_t now)
{
	struct store_rules r = rules();
	unsigned changes = 1000;
	int64_t again = 0;
	struct error err = {0};

	CHECK_ROW("advance", store_advance(s, last, trusted, &r, now, &changes, &again, &err) == 0,
		"%s", err.message);
	CHECK_ROW("again", again > now, "at %lld", (long long)(again - now));
	return changes;
}

/* A life without accidents, at the seconds where something is due and just before. */
static void test_life(void)
{
	static const struct {
		int64_t at;
		bool trusted;
		unsigned want;
		size_t bundle;
		bool settled; /* the newest authority signed the server certificate */
	} rows[] = {
		{0, false, STORE_NEW_CA | STORE_NEW_LEAF, 1, true},
		{0, false, 0, 1, true},
		{199, true, 0, 1, true},
		{200, false, STORE_NEW_LEAF, 1, true}, /* 2/3 of 300 */
		{399, true, 0, 1, true},
		{400, true, STORE_NEW_LEAF, 1, true},
		{599, true, 0, 1, true},
		{600, false, STORE_NEW_LEAF, 1, true},
		{601, false, 0, 1, true}, /* 2/3 of 900, but not in reach of the callers */
		{602, true, STORE_NEW_CA | STORE_NEW_LEAF, 2, false},
		{603, false, 0, 2, false},
		{800, false, 0, 2, false}, /* not before it is trusted */
		{801, true, STORE_NEW_LEAF, 2, true},
		{900, true, 0, 2, true},
		{901, true, STORE_TRIMMED, 1, true}, /* the old one expired */
		{1001, true, STORE_NEW_LEAF, 1, true},
	};
	_cleanup_store_ struct store s = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		char row[32];
		unsigned got;

		snprintf(row, sizeof(row), "at %lld, row %zu", (long long)rows[i].at, i);
		got = advance(&s, NULL, rows[i].trusted, start + rows[i].at);
		CHECK_ROW(row, got == rows[i].want, "changes %u", got);
		CHECK_ROW(row, round_trip(&s, start + rows[i].at, &err) == 0, "%s", err.message);
		CHECK_ROW(row, s.bundle.n == rows[i].bundle, "%zu authorities", s.bundle.n);
		CHECK_ROW(row, (store_issuer(&s) == s.ca.cert) == rows[i].settled, "issuer");
	}
}

/* An authority that goes before its time: leaves when all it signed is over. */
static void test_trim(void)
{
	_cleanup_store_ struct store s = {0}, served = {0};

	advance(&s, NULL, false, start);
	store_copy(&served, &s);
	store_free(&s);
	CU_ASSERT_EQUAL(advance(&s, &served, true, start + 50), STORE_RESTORED | STORE_NEW_CA);
	CU_ASSERT_EQUAL(s.bundle.n, 2);
	CU_ASSERT_EQUAL(X509_cmp(s.leaf.cert, served.leaf.cert), 0);
	CU_ASSERT_EQUAL(X509_cmp(s.bundle.cert[1], served.ca.cert), 0);
	CU_ASSERT_EQUAL(advance(&s, &served, false, start + 59), 0);
	CU_ASSERT_EQUAL(advance(&s, &served, true, start + 60), STORE_NEW_LEAF);
	CU_ASSERT_EQUAL(advance(&s, NULL, true, start + 259), 0);
	CU_ASSERT_EQUAL(advance(&s, NULL, true, start + 260), STORE_NEW_LEAF);
	CU_ASSERT_EQUAL(advance(&s, NULL, true, start + 50 + LEAF_LIFE + GRACE - 1), 0);
	CU_ASSERT_EQUAL(advance(&s, NULL, true, start + 50 + LEAF_LIFE + GRACE), STORE_TRIMMED);
	CU_ASSERT_EQUAL(s.bundle.n, 1);
}

/* Deleted again and again: the bundle stays bounded and keeps what is needed. */
static void test_many(void)
{
	_cleanup_store_ struct store s = {0}, served = {0};

	advance(&s, NULL, false, start);
	store_copy(&served, &s);
	for (unsigned i = 0; i < 2 * BUNDLE_MAX; i++) {
		credential_free(&s.ca);
		credential_free(&s.leaf);
		CU_ASSERT_EQUAL(advance(&s, &served, false, start), STORE_RESTORED | STORE_NEW_CA);
		CU_ASSERT(bundle_has(&s.bundle, served.ca.cert));
		CU_ASSERT(bundle_has(&s.bundle, s.ca.cert));
		CU_ASSERT_EQUAL(s.bundle.n, i + 2 < BUNDLE_MAX ? i + 2 : BUNDLE_MAX);
	}
}

/* Never trusted (nobody may read the configurations): what is served stays good to the end. */
static void test_untrusted(void)
{
	_cleanup_store_ struct store s = {0};
	unsigned writes = 0;

	for (int64_t t = start; t < start + 2 * CA_LIFE; t += 5) {
		struct store_rules r = rules();

		writes += advance(&s, NULL, false, t) != 0;
		CU_ASSERT_EQUAL(authority_check_leaf(s.leaf.cert, &s.bundle, &r.names, t, NULL), 0);
	}
	CU_ASSERT(writes < 30);
}

/*
 * A spoilt Secret
 */

struct four {
	struct span tls_crt, tls_key, ca_crt, ca_key;
};

static int read_four(struct store *s, const struct four *f, int64_t now, struct error *err)
{
	struct store_rules r = rules();
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};

	buf_puts(&b, "{\"data\":{\"tls.crt\":\"");
	buf_base64(&b, f->tls_crt.p, f->tls_crt.len);
	buf_puts(&b, "\",\"tls.key\":\"");
	buf_base64(&b, f->tls_key.p, f->tls_key.len);
	buf_puts(&b, "\",\"ca.crt\":\"");
	buf_base64(&b, f->ca_crt.p, f->ca_crt.len);
	buf_puts(&b, "\",\"ca.key\":\"");
	buf_base64(&b, f->ca_key.p, f->ca_key.len);
	buf_puts(&b, "\"}}");
	CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&b), &limits, NULL), 0);
	return store_read(s, json_root(&doc), &r, now, err);
}

/* A store as the four texts. */
struct texts {
	struct buf crt, ca;
	struct secret key, ca_key;
	struct four four;
};

static void texts_make(struct texts *t, const struct store *s)
{
	const struct bundle leaf = {.cert = {s->leaf.cert}, .n = 1};

	*t = (struct texts){.crt = BUF_INIT(BUNDLE_PEM_MAX), .ca = BUF_INIT(BUNDLE_PEM_MAX)};
	CU_ASSERT_EQUAL(bundle_write(&leaf, &t->crt), 0);
	CU_ASSERT_EQUAL(bundle_write(&s->bundle, &t->ca), 0);
	CU_ASSERT_EQUAL(credential_write_key(&t->key, s->leaf.key, NULL), 0);
	CU_ASSERT_EQUAL(credential_write_key(&t->ca_key, s->ca.key, NULL), 0);
	t->four = (struct four){
		buf_view(&t->crt), secret_view(&t->key), buf_view(&t->ca), secret_view(&t->ca_key)};
}

static void texts_free(struct texts *t)
{
	buf_free(&t->crt);
	buf_free(&t->ca);
	secret_free(&t->key);
	secret_free(&t->ca_key);
}

/* What was read of a spoilt Secret becomes whole, and who trusts us now goes on to. */
static void check_repaired(const char *row, struct store *s, const struct store *served)
{
	struct error err = {0};
	unsigned changes = advance(s, served, true, start + 1);

	CHECK_ROW(row, changes != 0, "not repaired");
	CHECK_ROW(row, round_trip(s, start + 1, &err) == 0, "%s", err.message);
	if (served)
		CHECK_ROW(row, bundle_has(&served->bundle, store_issuer(s)), "callers are lost");
}

static void test_cut(void)
{
	_cleanup_store_ struct store good = {0};
	_cleanup_(texts_free) struct texts t = {0};
	static const char *const names[] = {"tls.crt", "tls.key", "ca.crt", "ca.key"};

	advance(&good, NULL, false, start);
	texts_make(&t, &good);
	for (size_t k = 0; k < 4; k++) {
		struct four cut = t.four;
		struct span *part = (struct span *)&cut + k;
		size_t whole = part->len;

		for (part->len = 0; part->len < whole;
			part->len += part->len < whole - 60 ? 4 : 1) {
			_cleanup_store_ struct store s = {0};
			struct error err = {0};
			int r = read_four(&s, &cut, start + 1, &err);

			if (part->len == whole - 1) /* a newline */
				continue;
			CHECK_ROW(names[k],
				r == -EBADMSG && span_starts(span_str(err.message), names[k]),
				"%zu bytes: %d %s", part->len, r, err.message);
			if (part->len % 16 == 0)
				check_repaired(names[k], &s, part->len % 32 ? NULL : &good);
		}
	}
}

static void test_corrupt(void)
{
	_cleanup_store_ struct store good = {0};
	_cleanup_(texts_free) struct texts t = {0};

	advance(&good, NULL, false, start);
	texts_make(&t, &good);
	for (size_t k = 0; k < 4; k++) {
		struct span part = ((struct span *)&t.four)[k];
		char *p = (char *)part.p;

		for (size_t i = 0; i < part.len; i += 3) {
			_cleanup_store_ struct store s = {0};
			char was = p[i];
			int r;

			p[i] = was == 'A' ? 'Q' : 'A';
			r = read_four(&s, &t.four, start + 1, NULL);
			CHECK_ROW("corrupt", r == 0 || r == -EBADMSG, "%d", r);
			/* Whatever counts as a server certificate is one. */
			if (s.leaf.cert)
				CU_ASSERT(store_issuer(&s) != NULL);
			if (r < 0 && i % 15 == 0)
				check_repaired("corrupt", &s, &good);
			p[i] = was;
		}
	}
}

static void test_spoilt(void)
{
	_cleanup_store_ struct store good = {0}, other = {0}, foreign = {0};
	_cleanup_(texts_free) struct texts t = {0}, o = {0}, f = {0};
	_cleanup_buf_ struct buf mixed = BUF_INIT(BUNDLE_PEM_MAX);
	struct store_rules elsewhere = rules();

	advance(&good, NULL, false, start);
	advance(&other, NULL, false, start);
	texts_make(&t, &good);
	texts_make(&o, &other);
	CU_ASSERT_EQUAL(authority_names(&elsewhere.names, "casemate", "elsewhere", NULL), 0);
	store_copy(&foreign, &good);
	credential_free(&foreign.leaf);
	CU_ASSERT_EQUAL(authority_make_leaf(&foreign.leaf, &foreign.ca, &elsewhere.names, start,
				LEAF_LIFE, NULL),
		0);
	texts_make(&f, &foreign);
	buf_span(&mixed, t.four.ca_crt);
	buf_span(&mixed, t.four.tls_crt);
	const struct {
		const char *name;
		struct four four;
		int64_t at;
		const char *want;
	} rows[] = {
		{"other key", {t.four.tls_crt, o.four.tls_key, t.four.ca_crt, t.four.ca_key}, 1,
			"tls.key does not belong to tls.crt"},
		{"other ca key", {t.four.tls_crt, t.four.tls_key, t.four.ca_crt, o.four.ca_key}, 1,
			"ca.key belongs to no authority in ca.crt"},
		{"other ca", {t.four.tls_crt, t.four.tls_key, o.four.ca_crt, o.four.ca_key}, 1,
			"tls.crt: unable to get local issuer certificate"},
		{"other names", f.four, 1, "tls.crt: not for the name casemate.system.svc"},
		{"leaf as authority",
			{t.four.tls_crt, t.four.tls_key, t.four.tls_crt, t.four.tls_key}, 1,
			"ca.crt: certificate 1 is not a self-signed authority"},
		{"more than authorities",
			{t.four.tls_crt, t.four.tls_key, buf_view(&mixed), t.four.ca_key}, 1,
			"ca.crt: certificate 2 is not a self-signed authority"},
		{"expired", t.four, LEAF_LIFE + 1, "tls.crt: expired 1 seconds ago"},
		{"all expired", t.four, CA_LIFE + 1,
			"ca.crt: the authority of ca.key: expired 1 seconds ago"},
		{"from tomorrow", t.four, -86400,
			"ca.crt: the authority of ca.key: not valid for another 86100 seconds"},
		{"empty", {SPAN_NONE, SPAN_NONE, SPAN_NONE, SPAN_NONE}, 1, "ca.crt: empty"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_store_ struct store s = {0};
		struct error err = {0};
		int r = read_four(&s, &rows[i].four, start + rows[i].at, &err);

		CHECK_ROW(rows[i].name, r == -EBADMSG, "got %d", r);
		CHECK_STR(rows[i].name, span_str(err.message), rows[i].want);
		if (rows[i].at == 1)
			check_repaired(rows[i].name, &s, &good);
	}
}

static void test_shapes(void)
{
	static const char *const secrets[] = {"{}", "null", "[]", "{\"data\":null}",
		"{\"data\":{}}", "{\"data\":[]}", "{\"data\":{\"tls.crt\":1,\"ca.crt\":null}}",
		"{\"data\":{\"tls.crt\":\"!\",\"ca.crt\":\"\\u0041AAA\"}}",
		"{\"data\":{\"ca.crt\":{}}}"};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		struct store_rules r = rules();
		_cleanup_store_ struct store s = {0};
		_cleanup_json_ struct json doc = {0};

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(secrets[i]), &limits, NULL), 0);
		CHECK_ROW(secrets[i], store_read(&s, json_root(&doc), &r, start, NULL) == -EBADMSG,
			"accepted");
		check_repaired(secrets[i], &s, NULL);
	}
}

static void test_body(void)
{
	_cleanup_store_ struct store s = {0};
	_cleanup_secret_ struct secret created = {0}, changed = {0};
	_cleanup_json_ struct json doc = {0};

	advance(&s, NULL, false, start);
	CU_ASSERT_EQUAL(store_body(&created, &s, "system", "certs", NULL, NULL), 0);
	CU_ASSERT_EQUAL(json_parse(&doc, secret_view(&created), &limits, NULL), 0);
	CU_ASSERT(json_str_is(json_get(json_root(&doc), "type"), "kubernetes.io/tls"));
	CU_ASSERT(!json_exists(json_find(json_root(&doc), "metadata", "resourceVersion")));
	CU_ASSERT_EQUAL(json_count(json_get(json_root(&doc), "data")), 4);
	CU_ASSERT_EQUAL(store_body(&changed, &s, "system", "certs", "42", NULL), 0);
	CU_ASSERT_EQUAL(json_parse(&doc, secret_view(&changed), &limits, NULL), 0);
	CU_ASSERT(!json_exists(json_get(json_root(&doc), "type")));
	CU_ASSERT(json_str_is(json_find(json_root(&doc), "metadata", "resourceVersion"), "42"));
}

/*
 * Callers and replicas that lag behind
 */

enum { LAG = 4 /* below the grace period */, SIM_SECONDS = 2 * CA_LIFE };

/* The last seconds of what the Secret held, newest first. */
struct history {
	struct store at[LAG + 1];
};

static void history_push(struct history *h, const struct store *s)
{
	store_free(&h->at[LAG]);
	memmove(h->at + 1, h->at, LAG * sizeof(h->at[0]));
	store_copy(&h->at[0], s);
}

static void history_free(struct history *h)
{
	for (size_t i = 0; i <= LAG; i++)
		store_free(&h->at[i]);
}

static unsigned random_below(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

/* Whatever the lags, and however often the Secret is lost or spoilt: a caller whose bundle is up to
 * LAG seconds old accepts a replica whose certificate is up to LAG seconds old. */
static void test_lagging(void)
{
	struct store_rules r = rules();
	_cleanup_(history_free) struct history h = {0};
	_cleanup_store_ struct store s = {0};
	int64_t stable_since = start;
	unsigned refused = 0, accidents = 0, renewals = 0;
	uint64_t seed = 42;

	for (int64_t t = start; t < start + SIM_SECONDS; t++) {
		/* A caller has the bundle LAG after it changed; the replica sees that he has. */
		bool trusted = t - stable_since >= LAG + GRACE;
		unsigned accident = random_below(&seed, 240), changes;
		size_t replica = random_below(&seed, LAG + 1),
		       caller = random_below(&seed, LAG + 1);

		if (accident <= 2 && t > start + LAG) {
			accidents++;
			credential_free(accident == 0 ? &s.leaf : &s.ca);
			if (accident == 2)
				store_free(&s);
		}
		changes = advance(&s, h.at[0].leaf.cert ? &h.at[0] : NULL, trusted, t);
		renewals += (changes & STORE_NEW_CA) != 0;
		if (changes & (STORE_NEW_CA | STORE_TRIMMED | STORE_RESTORED))
			stable_since = t;
		history_push(&h, &s);
		if (t < start + LAG)
			continue;
		if (authority_check_leaf(
			    h.at[replica].leaf.cert, &h.at[caller].bundle, &r.names, t, NULL) < 0)
			refused++;
	}
	CHECK_ROW("lagging", refused == 0 && accidents > 5 && renewals > 6,
		"%u refused, %u accidents, %u authorities", refused, accidents, renewals);
}

CU_TestInfo store_tests[] = {
	{"a life", test_life},
	{"authorities leave", test_trim},
	{"bounded", test_many},
	{"never trusted", test_untrusted},
	{"cut", test_cut},
	{"corrupted", test_corrupt},
	{"spoilt", test_spoilt},
	{"odd shapes", test_shapes},
	{"what is written", test_body},
	{"nobody who lags is refused", test_lagging},
	CU_TEST_INFO_NULL,
};
