/* SPDX-License-Identifier: Apache-2.0
 *
 * Malleability: evidence and collateral that are accepted, cut at every length and with bits
 * turned. A sample of the bits here; all of them with CASEMATE_EVERY_BIT set (tests/integration/
 * malleability-test). What may be turned without a refusal is listed below. */
#include <stdlib.h>

#include "tests/unit/intel_fixture.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

enum { QUOTE_STRIDE = 3, COLLATERAL_STRIDE = 61, CACHE = 64 };

struct count {
	size_t tried, accepted, unexpected;
};

static bool every_bit(void)
{
	return getenv("CASEMATE_EVERY_BIT") != NULL;
}

static void report(const char *name, const struct count *n)
{
	if (every_bit())
		printf("\n%s: %zu changes, %zu accepted, %zu of these unexpectedly", name, n->tried,
			n->accepted, n->unexpected);
	CHECK_ROW(name, n->unexpected == 0, "%zu unexpected", n->unexpected);
	CHECK_ROW(name, n->tried > 0, "nothing tried");
}

/* Which bits of a byte are tried. */
static bool tried(size_t at, int bit, size_t stride)
{
	if (every_bit())
		return true;
	return at % stride == 0 && bit == (int)(at / stride % 8);
}

/* The NUL behind Intel's PEM may as well be a blank: neither is a part of any certificate. */
static bool quote_may_change(struct span quote, size_t at, int bit)
{
	while (quote.len && quote.p[quote.len - 1] == '\0')
		quote.len--;
	return at == quote.len && (1 << bit) == ' ';
}

static void flip_quote(const struct golden *g)
{
	_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
	_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;
	struct span quote = vector(g->quote);
	_cleanup_free_ char *copy = malloc(quote.len);
	struct count n = {0};
	struct verdict v;

	if (!copy || verify_cache_new(&cache, CACHE, NULL) < 0)
		return;
	memcpy(copy, quote.p, quote.len);
	for (size_t i = 0; i < quote.len * 8; i++) {
		if (!tried(i / 8, (int)(i % 8), QUOTE_STRIDE))
			continue;
		copy[i / 8] ^= (char)(1 << i % 8);
		golden_verify(&v, (struct span){copy, quote.len}, c, NULL, g->time, cache);
		copy[i / 8] ^= (char)(1 << i % 8);
		n.tried++;
		n.accepted += verdict_accepted(&v);
		n.unexpected +=
			verdict_accepted(&v) && !quote_may_change(quote, i / 8, (int)(i % 8));
	}
	report(g->quote, &n);
}

static void test_quotes(void)
{
	for (const struct golden *g = golden; g < golden + GOLDEN_N; g++)
		flip_quote(g);
}

/* Zeros behind the signature are nothing; all else must be there. */
static void test_truncations(void)
{
	for (const struct golden *g = golden; g < golden + GOLDEN_N; g++) {
		_cleanup_(collateral_free_p) struct collateral *c = golden_collateral(g);
		struct span quote = vector(g->quote);
		struct count n = {0};
		struct quote q;
		enum reason reason;

		if (quote_parse(&q, quote, &reason, NULL) < 0)
			continue;
		for (size_t len = 0; len < q.bytes.len; len++) {
			struct verdict v;

			golden_verify(&v, (struct span){quote.p, len}, c, NULL, g->time, NULL);
			n.tried++;
			n.accepted += verdict_accepted(&v);
			n.unexpected += verdict_accepted(&v);
		}
		report(g->quote, &n);
	}
}

/* The member of the JSON that position at is in, by the last key in front of it; its own key
 * counts. */
static struct span member_at(struct span json, size_t at)
{
	struct span name = SPAN_NONE;
	size_t i = 0;

	while (i < json.len && i <= at) {
		size_t start = i + 1;

		if (json.p[i++] != '"')
			continue;
		while (i < json.len && json.p[i] != '"')
			i += json.p[i] == '\\' ? 2 : 1;
		if (i < json.len && i + 1 < json.len && json.p[i + 1] == ':')
			name = (struct span){json.p + start, i - start};
		i++;
	}
	return name;
}

static bool is_hex_letter(char c)
{
	return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Digits mean the same in either case. The issuer chain of the PCK CRL is not needed: the quote
 * brings it, and the root is there. A chain of the signer's under another name is a member that is
 * passed over, and the other document's chain serves. */
static bool collateral_may_change(struct span json, size_t at, int bit)
{
	static const char *const digits[] = {
		"root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"};
	struct span member = member_at(json, at);
	bool name = at < (size_t)(member.p - json.p) + member.len;

	if (span_is(member, "pck_crl_issuer_chain"))
		return true;
	if (span_is(member, "tcb_info_issuer_chain") || span_is(member, "qe_identity_issuer_chain"))
		return name;
	for (size_t i = 0; i < ARRAY_SIZE(digits); i++)
		if (span_is(member, digits[i]))
			return (1 << bit) == ('a' ^ 'A') && is_hex_letter(json.p[at]);
	return false;
}

static enum reason judge_collateral(const struct golden *g, struct span json)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct verdict v;

	if (collateral_new(&c, NULL) < 0)
		return REASON_Internal;
	if (collateral_add(c, json, g->collateral, NULL) < 0)
		return REASON_Malformed;
	golden_verify(&v, vector(g->quote), c, NULL, g->time, NULL);
	return v.reason;
}

static void flip_collateral(const struct golden *g)
{
	struct span json = vector(g->collateral);
	_cleanup_free_ char *copy = malloc(json.len);
	struct count n = {0};

	if (!copy)
		return;
	memcpy(copy, json.p, json.len);
	for (size_t i = 0; i < json.len * 8; i++) {
		bool accepted;

		if (!tried(i / 8, (int)(i % 8), COLLATERAL_STRIDE))
			continue;
		copy[i / 8] ^= (char)(1 << i % 8);
		accepted = judge_collateral(g, (struct span){copy, json.len}) == REASON_Ok;
		copy[i / 8] ^= (char)(1 << i % 8);
		n.tried++;
		n.accepted += accepted;
		if (accepted && !collateral_may_change(json, i / 8, (int)(i % 8))) {
			struct span member = member_at(json, i / 8);

			n.unexpected++;
			fprintf(stderr, "\n%s: byte %zu, bit %zu, of " SPAN_FMT, g->collateral,
				i / 8, i % 8, SPAN_ARG(member));
		}
	}
	report(g->collateral, &n);
}

static void test_collateral(void)
{
	for (const struct golden *g = golden; g < golden + GOLDEN_N; g++)
		flip_collateral(g);
}

/* A cut text is no JSON any more, except without the white space at its end. */
static void test_collateral_truncations(void)
{
	const struct golden *g = &golden[GOLDEN_SGX];
	struct span json = vector(g->collateral);
	size_t stride = every_bit() ? 1 : COLLATERAL_STRIDE;
	struct count n = {0};

	for (size_t len = 0; len < json.len; len += stride) {
		bool whole = json.p[json.len - 1] == '\n' && len == json.len - 1;
		bool accepted = judge_collateral(g, (struct span){json.p, len}) == REASON_Ok;

		n.tried++;
		n.accepted += accepted;
		n.unexpected += accepted && !whole;
	}
	report("truncated collateral", &n);
}

CU_TestInfo intel_flip_tests[] = {
	{"bits of quotes", test_quotes},
	{"truncated quotes", test_truncations},
	{"bits of collateral", test_collateral},
	{"truncated collateral", test_collateral_truncations},
	CU_TEST_INFO_NULL,
};
