/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/verdicts.h"

#include "common/base/cleanup.h"

/* Which pods a platform can run. Hosts prove nothing: their guests do, to whom holds the keys. */
static const struct {
	const char *platform;
	bool host;
	uint32_t tees; /* bits 1 << enum tee */
} platforms[] = {
	{"sgx", false, 1 << TEE_SGX},
	{"tdx", false, 1 << TEE_NODE | 1 << TEE_NODE_TDX},
	{"snp", false, 1 << TEE_NODE | 1 << TEE_NODE_SNP},
	{"tdx-host", true, 1 << TEE_TDX | 1 << TEE_CVM},
	{"snp-host", true, 1 << TEE_SNP | 1 << TEE_CVM},
};

static bool is_good(const struct node_verdict *n, bool host)
{
	return span_is(n->verdict, "Attested") || span_is(n->verdict, "Waived") ||
	       (host && span_is(n->verdict, "Unproven"));
}

static enum reason reason_of(const struct node_verdict *n)
{
	if (span_is(n->verdict, "Expired"))
		return REASON_VerdictExpired;
	for (enum reason r = REASON_Ok + 1; r < REASON_N; r++)
		if (span_is(n->reason, reason_name(r)))
			return r;
	return REASON_NotAttested;
}

static void add_to(struct verdict_summary *s, const struct node_verdict *n, bool good)
{
	s->nodes++;
	if (good && n->valid_until > s->until)
		s->until = n->valid_until;
	if (good)
		return;
	s->bad++;
	s->why = reason_of(n);
}

void verdicts_add(struct verdicts *v, const struct node_verdict *n)
{
	if (span_is(n->verdict, "Simulated")) {
		if (n->valid_until > v->simulated_until)
			v->simulated_until = n->valid_until;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++) {
		if (!span_is(n->platform, platforms[i].platform))
			continue;
		for (enum tee t = TEE_NONE + 1; t < TEE_N; t++)
			if (platforms[i].tees & 1u << t)
				add_to(&v->tee[t], n, is_good(n, platforms[i].host));
	}
}

bool verdicts_allow(const struct verdicts *v, enum tee tee, bool simulated, int64_t now_sec,
	enum reason *ret_why)
{
	const struct verdict_summary *s = &v->tee[tee];
	int64_t until = simulated ? v->simulated_until : s->until;

	if (now_sec < until)
		return true;
	if (until)
		*ret_why = REASON_VerdictExpired;
	else
		*ret_why = !simulated && s->bad ? s->why : REASON_NotAttested;
	return false;
}
