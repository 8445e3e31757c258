/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker gives its clients to carry, what it remembers, and how often they may ask. */
#include "webhook/broker/session.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/kbs/jws.h"
#include "tests/unit/test.h"
#include "webhook/broker/nonces.h"
#include "webhook/broker/rates.h"
#include "webhook/broker/token.h"

#define NOW (1790000000 * (int64_t)USEC_PER_SEC)

static const struct sealing_keys keys = {
	.v = {{.id = 7, .key = "of thirty-two bytes, or nearly"}}, .n = 1};

static struct proven full_proof(void)
{
	static const char *const names[PROVEN_REGISTERS_MAX] = {
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "a-register-of-23-bytes!"};
	struct proven p = {.tee = TEE_TYPE_TDX,
		.isv_prod_id = -1,
		.isv_svn = 3,
		.guest_svn = -1,
		.debug = true,
		.tcb = TCB_UpToDate,
		.n_registers = PROVEN_REGISTERS_MAX,
		.n_advisories = 2,
		.advisories = {"INTEL-SA-00615", "INTEL-SA-00289"},
		.platform_id = {1, 2, 3},
		.platform_id_len = 16};

	for (size_t i = 0; i < PROVEN_REGISTERS_MAX; i++) {
		p.registers[i].name = names[i];
		p.registers[i].len = 48;
		memset(p.registers[i].value, (int)i + 1, 48);
	}
	return p;
}

static void fill(struct session *s)
{
	struct proven p = full_proof();

	CU_ASSERT_EQUAL(session_new(s, "tdx", NOW, NULL), 0);
	CU_ASSERT_EQUAL(session_prove(s, &p), 0);
	s->attested = true;
	s->key_len = 65;
	memset(s->key, 9, sizeof(s->key));
	s->who = (struct requester){"shop", "app", "app-1", "uid-1", "main", "node-1", "uid-2"};
}

static bool same(const struct session *a, const struct session *b)
{
	bool ok = a->issued_usec == b->issued_usec && a->expires_usec == b->expires_usec &&
		  strcmp(a->tee, b->tee) == 0 && memcmp(a->nonce, b->nonce, RCAR_NONCE) == 0 &&
		  a->attested == b->attested && a->key_len == b->key_len &&
		  memcmp(a->key, b->key, a->key_len) == 0 &&
		  memcmp(&a->who, &b->who, sizeof(a->who)) == 0;
	const struct proven *p = &a->proven, *q = &b->proven;

	ok = ok && p->tee == q->tee && p->sample == q->sample && p->n_registers == q->n_registers &&
	     p->isv_prod_id == q->isv_prod_id && p->isv_svn == q->isv_svn &&
	     p->guest_svn == q->guest_svn && p->debug == q->debug && p->tcb == q->tcb &&
	     p->n_advisories == q->n_advisories && p->platform_id_len == q->platform_id_len &&
	     memcmp(p->platform_id, q->platform_id, p->platform_id_len) == 0;
	for (size_t i = 0; ok && i < p->n_registers; i++)
		ok = strcmp(p->registers[i].name, q->registers[i].name) == 0 &&
		     p->registers[i].len == q->registers[i].len &&
		     memcmp(p->registers[i].value, q->registers[i].value, 48) == 0;
	for (size_t i = 0; ok && i < p->n_advisories; i++)
		ok = strcmp(p->advisories[i], q->advisories[i]) == 0;
	return ok;
}

static void test_round_trip(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SESSION_TEXT_MAX),
				 plain = BUF_INIT(SESSION_TEXT_MAX);
	struct session s, got, first;
	enum reason reason;
	struct error err = {0};

	fill(&s);
	CHECK_ROW("seal", session_seal(&text, &keys, &s, &err) == 0, "%s", err.message);
	CHECK_ROW("open", session_open(&got, &keys, buf_view(&text), NOW, &reason, &err) == 0, "%s",
		err.message);
	CU_ASSERT(same(&s, &got));
	session_new(&first, "sample", NOW, NULL);
	CU_ASSERT_EQUAL(session_seal(&plain, &keys, &first, NULL), 0);
	CU_ASSERT_EQUAL(session_open(&got, &keys, buf_view(&plain), NOW, &reason, NULL), 0);
	CU_ASSERT_FALSE(got.attested);
	CU_ASSERT(same(&first, &got));
}

static void test_refused(void)
{
	static const struct sealing_keys others = {.v = {{.id = 7}}, .n = 1}, none = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(SESSION_TEXT_MAX);
	const int64_t life = SESSION_SEC * (int64_t)USEC_PER_SEC;
	const int64_t skew = SESSION_SKEW_SEC * (int64_t)USEC_PER_SEC;
	const struct {
		const char *name;
		const struct sealing_keys *keys;
		int64_t now;
		int want;
	} rows[] = {
		{"its last moment", &keys, NOW + life, 0},
		{"expired", &keys, NOW + life + 1, -EACCES},
		{"clocks differ", &keys, NOW - skew, 0},
		{"from the future", &keys, NOW - skew - 1, -EACCES},
		{"another key", &others, NOW, -EACCES},
		{"no key", &none, NOW, -EACCES},
	};
	struct session s, got;

	fill(&s);
	session_seal(&text, &keys, &s, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum reason reason = REASON_Ok;
		int r = session_open(
			&got, rows[i].keys, buf_view(&text), rows[i].now, &reason, NULL);

		CHECK_ROW(rows[i].name,
			r == rows[i].want && (r == 0 || reason == REASON_SessionExpired), "%d %s",
			r, reason_name(reason));
	}
	CU_ASSERT_EQUAL(session_seal(&text, &none, &s, NULL), -ENOKEY);
}

static void test_malleable(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SESSION_TEXT_MAX);
	enum reason reason;
	struct session s, got;

	session_new(&s, "snp", NOW, NULL);
	session_seal(&text, &keys, &s, NULL);
	for (size_t n = 0; n < text.len; n++)
		CU_ASSERT(session_open(&got, &keys, (struct span){text.p, n}, NOW, &reason, NULL) <
			  0);
	for (size_t bit = 0; bit < 8 * text.len; bit++) {
		text.p[bit / 8] ^= (char)(1 << bit % 8);
		CHECK_ROW("bit", session_open(&got, &keys, buf_view(&text), NOW, &reason, NULL) < 0,
			"%zu", bit);
		text.p[bit / 8] ^= (char)(1 << bit % 8);
	}
}

/* What another of our seals is must not be taken for a session. */
static void test_magic(void)
{
	static const unsigned char other[SEALING_MAGIC] = {'C', 'M', 'C', 1};
	_cleanup_buf_ struct buf sealed = BUF_INIT(1024), inside = BUF_INIT(1024);

	CU_ASSERT_EQUAL(sealing_seal(&sealed, &keys, other, SPAN_LIT("inside"), NULL), 0);
	CU_ASSERT_EQUAL(
		sealing_open(&inside, &keys, (const unsigned char *)"CMS\1", buf_view(&sealed)),
		-EACCES);
	sealed.p[2] = 'S';
	CU_ASSERT_EQUAL(
		sealing_open(&inside, &keys, (const unsigned char *)"CMS\1", buf_view(&sealed)),
		-EACCES);
}

static void test_token(void)
{
	static const struct json_limits limits = {4096, 64, 4};
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = jwk_generate(JWK_EC_P256);
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *other = jwk_generate(JWK_EC_P256);
	_cleanup_buf_ struct buf token = BUF_INIT(JWS_MAX);
	_cleanup_json_ struct json jwk = {0};
	unsigned char report_data[RCAR_REPORT_DATA] = {0};
	struct token_signer signer = {0};
	struct session s, got;
	enum reason reason;
	struct error err = {0};

	fill(&s);
	json_parse(&jwk, SPAN_LIT("{\"kty\":\"EC\"}"), &limits, NULL);
	CHECK_ROW("write",
		token_write(&token,
			&(struct token_claims){.session = &s,
				.tee_pubkey = json_root(&jwk),
				.additional = SPAN_LIT(""),
				.report_data = report_data,
				.version = "0"},
			&keys, &signer, key, NOW / USEC_PER_SEC, &err) == 0,
		"%s", err.message);
	CHECK_ROW("read", token_read(&got, buf_view(&token), &keys, key, NOW, &reason, &err) == 0,
		"%s", err.message);
	CU_ASSERT(same(&s, &got));
	CU_ASSERT_EQUAL(
		token_read(&got, buf_view(&token), &keys, other, NOW, &reason, NULL), -EACCES);
	CU_ASSERT_EQUAL(token_read(&got, buf_view(&token), &keys, key,
				NOW + (SESSION_SEC + 1) * (int64_t)USEC_PER_SEC, &reason, NULL),
		-EACCES);
	token_signer_free(&signer);
	for (size_t n = 0; n < token.len; n += 7)
		CU_ASSERT(token_read(&got, (struct span){token.p, n}, &keys, key, NOW, &reason,
				  NULL) < 0);
}

static void test_nonces(void)
{
	_cleanup_(nonces_free_p) struct nonces *n = nonces_new();
	unsigned char nonce[RCAR_NONCE] = {0};

	CU_ASSERT_EQUAL(nonces_use(n, nonce, NOW + 10, NOW), 0);
	CU_ASSERT_EQUAL(nonces_use(n, nonce, NOW + 10, NOW + 10), -EEXIST);
	CU_ASSERT_EQUAL(nonces_use(n, nonce, NOW + 30, NOW + 11), 0);
	for (uint32_t i = 1; i <= NONCES_MAX; i++) {
		memcpy(nonce, &i, sizeof(i));
		CU_ASSERT_EQUAL(nonces_use(n, nonce, NOW + 100, NOW), 0);
	}
	CU_ASSERT_EQUAL(nonces_use(n, nonce, NOW + 100, NOW), -EEXIST);
	/* the oldest have gone */
	memset(nonce, 0, sizeof(nonce));
	CU_ASSERT_EQUAL(nonces_use(n, nonce, NOW + 100, NOW), 0);
}

static void test_share(void)
{
	_cleanup_(rates_free_p) struct rates *r = rates_new();
	unsigned one = 0, others = 0;

	for (int i = 0; i < 1000; i++)
		one += rates_share(r, "10.0.0.1", 100, NOW);
	CU_ASSERT_EQUAL(one, 225);
	for (int i = 0; i < 1000; i++)
		others += rates_share(r, i % 2 ? "10.0.0.2" : "fd00::", 100, NOW);
	CU_ASSERT_EQUAL(others, 75);
	CU_ASSERT(rates_share(r, "10.0.0.1", 100, NOW + USEC_PER_SEC));
	CU_ASSERT(rates_share(r, "10.0.0.9", 1, NOW + 2 * USEC_PER_SEC));
}

static void test_rates(void)
{
	_cleanup_(rates_free_p) struct rates *r = rates_new();
	char name[32];

	for (int i = 0; i < 5; i++)
		CU_ASSERT(rates_take(r, RATE_NODE, "n", 10, 5, NOW));
	CU_ASSERT_FALSE(rates_take(r, RATE_NODE, "n", 10, 5, NOW));
	CU_ASSERT(rates_take(r, RATE_NAMESPACE, "n", 10, 5, NOW));
	CU_ASSERT(rates_take(r, RATE_NODE, "m", 10, 5, NOW));
	CU_ASSERT_FALSE(rates_take(r, RATE_NODE, "n", 10, 5, NOW + USEC_PER_SEC / 10 - 1));
	CU_ASSERT(rates_take(r, RATE_NODE, "n", 10, 5, NOW + USEC_PER_SEC / 10));
	for (int i = 0; i < RATES_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		CU_ASSERT(rates_take(r, RATE_NODE, name, 10, 5, NOW));
	}
	CU_ASSERT(rates_take(r, RATE_NODE, "n", 10, 5, NOW)); /* forgotten: not asked for longest */
}

CU_TestInfo session_tests[] = {
	{"sessions come back as they went", test_round_trip},
	{"expired, future, and others' sessions are refused", test_refused},
	{"no bit may differ", test_malleable},
	{"seals of another kind do not open", test_magic},
	{"tokens carry the session", test_token},
	{"nonces are used once", test_nonces},
	{"who asks too often waits", test_rates},
	{"one client leaves the others a share", test_share},
	CU_TEST_INFO_NULL,
};
