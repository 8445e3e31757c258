/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/judge.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/utf8.h"

enum {
	AGAIN_MIN_SEC = 30,
	REFUSED_FRACTION = 12, /* of the interval: half an hour of six */
};

enum judge_use judge_use(const struct record *before, const char *node_uid,
	const struct challenge *c, const unsigned char digest[RECORD_DIGEST],
	const char *thumbprint)
{
	/* Another node of that name may have been judged before; its challenges are not ours. */
	if (strcmp(before->node_uid, node_uid) != 0 || c->issued_usec > before->challenged_usec)
		return JUDGE_FRESH;
	if (c->issued_usec == before->challenged_usec && before->has_digest &&
		CRYPTO_memcmp(before->evidence_digest, digest, RECORD_DIGEST) == 0 &&
		strcmp(before->thumbprint, thumbprint) == 0)
		return JUDGE_SAME;
	return JUDGE_REPLAYED;
}

static void refuse(struct record *r, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct record *r, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	r->standing = RECORD_REFUSED;
	r->reason = reason;
	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
}

static enum record_platform platform_of(const struct evidence *e)
{
	static const enum record_platform by_tee[TEE_TYPE_N] = {
		[TEE_TYPE_SGX] = RECORD_SGX,
		[TEE_TYPE_TDX] = RECORD_TDX,
		[TEE_TYPE_SNP] = RECORD_SNP,
		[TEE_TYPE_SIMULATED] = RECORD_SIMULATED,
	};

	return by_tee[e->tee];
}

static bool is_listed(const struct strings *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], word) == 0)
			return true;
	return false;
}

/* As is_listed, of ids in hex of either case. */
static bool has_platform(const struct strings *list, const struct record *r)
{
	unsigned char id[PLATFORM_ID_MAX];

	for (size_t i = 0; i < list->n; i++)
		if (codec_hex_exact(id, r->platform_id_len, span_str(list->v[i])) == 0 &&
			memcmp(id, r->platform_id, r->platform_id_len) == 0)
			return true;
	return false;
}

static void refuse_platform(struct record *r)
{
	refuse(r, REASON_PlatformDenied,
		"the platform is denied (verifier.deniedPlatforms, or ConfigMap casemate-denied); "
		"whoever denied it knows why");
}

static void refuse_node(struct record *r)
{
	refuse(r, REASON_NodeDenied,
		"the node is denied (verifier.deniedNodes, or ConfigMap casemate-denied); whoever "
		"denied it knows why");
}

/* Evidence is genuine; may this platform be this node? */
static void judge_platform(struct record *r, const struct judge_input *in)
{
	const struct judge_rules *rules = in->rules;
	const struct record *b = in->before;

	if (has_platform(&rules->denied_platforms, r)) {
		refuse_platform(r);
	} else if (rules->allowed_platforms.n && !has_platform(&rules->allowed_platforms, r)) {
		refuse(r, REASON_PlatformNotAllowed,
			"the platform is not in verifier.allowedPlatforms; add its platformID if "
			"it "
			"is yours");
	} else if (rules->trust_on_first_use && b->platform_id_len &&
		   strcmp(b->node_uid, in->node_uid) == 0 &&
		   (b->platform_id_len != r->platform_id_len ||
			   memcmp(b->platform_id, r->platform_id, r->platform_id_len) != 0)) {
		refuse(r, REASON_PlatformNotAllowed,
			"the node came on another platform before (verifier.trustOnFirstUse); if "
			"it "
			"was moved, delete its Node");
		memcpy(r->platform_id, b->platform_id, sizeof(r->platform_id));
		r->platform_id_len = b->platform_id_len;
	} else if (rules->max_nodes_per_platform && r->platform_id_len &&
		   in->sharing >= rules->max_nodes_per_platform) {
		refuse(r, REASON_PlatformOverused,
			"%u other nodes are on this platform, and verifier.maxNodesPerPlatform is "
			"%lld; find out which of them lies",
			in->sharing, (long long)rules->max_nodes_per_platform);
	}
}

static void judge_evidence(struct record *r, const struct judge_input *in)
{
	const struct verdict *v = in->verdict;
	const struct evidence *e = in->evidence;

	r->platform_id_len = v->platform_id_len;
	memcpy(r->platform_id, v->platform_id, v->platform_id_len);
	if (v->valid_until && v->valid_until < r->valid_until_sec)
		r->valid_until_sec = v->valid_until;
	if (!verdict_accepted(v)) {
		refuse(r, v->reason, "%s", v->message);
		return;
	}
	if (!e || platform_of(e) != in->platform) {
		refuse(r, REASON_Malformed,
			"the agent says that the node is %s, but the evidence is of %s",
			record_platform_name(in->platform),
			e ? record_platform_name(platform_of(e)) : "none");
		return;
	}
	if (e->tee == TEE_TYPE_SIMULATED && strcmp(e->simulated.node_uid, in->node_uid) != 0) {
		refuse(r, REASON_NodeMismatch, "the simulated evidence names another node's UID");
		return;
	}
	r->standing = v->reason == REASON_Simulated ? RECORD_STANDING_SIMULATED : RECORD_ATTESTED;
	r->reason = v->reason;
	judge_platform(r, in);
}

/* What new collateral is applied to later. What cannot be said of this evidence stays as it was
 * said of the node before, so that the highest numbers that were seen are not forgotten. */
static void judge_basis(struct record *r, const struct judge_input *in)
{
	const struct basis *before = &in->before->basis;

	if (in->verdict && in->evidence)
		basis_of(&r->basis, in->verdict, in->evidence);
	r->basis.accepted = r->basis.accepted && r->standing == RECORD_ATTESTED;
	if (!before->known || strcmp(in->before->node_uid, in->node_uid) != 0)
		return;
	if (!r->basis.known) {
		r->basis = *before;
		r->basis.accepted = false;
	} else {
		basis_keep_highest(&r->basis, before);
	}
}

void judge(struct record *ret, const struct judge_input *in)
{
	const struct record *b = in->before;
	int64_t now_sec = in->now_usec / USEC_PER_SEC;
	struct record r = {
		.platform = in->platform,
		.has_digest = true,
		.challenged_usec = in->challenge->issued_usec,
		.judged_sec = now_sec,
		.valid_until_sec = now_sec + in->rules->validity_sec,
		.since_sec = now_sec,
		.epoch = in->epoch > b->epoch ? in->epoch : b->epoch,
		.starts_vms = in->starts_vms,
	};

	snprintf(r.node_uid, sizeof(r.node_uid), "%s", in->node_uid);
	snprintf(r.thumbprint, sizeof(r.thumbprint), "%s", in->thumbprint);
	memcpy(r.evidence_digest, in->digest, RECORD_DIGEST);
	if (record_platform_is_host(in->platform)) {
		r.standing = RECORD_UNPROVEN;
		r.reason = REASON_HostNotAttestable;
		snprintf(r.message, sizeof(r.message), "%s",
			reason_explanation(REASON_HostNotAttestable));
	} else {
		judge_evidence(&r, in);
	}
	if (is_listed(&in->rules->denied_nodes, in->node))
		refuse_node(&r);
	judge_basis(&r, in);
	if (strcmp(b->node_uid, in->node_uid) == 0 && b->since_sec &&
		strcmp(record_condition(b->standing), record_condition(r.standing)) == 0)
		r.since_sec = b->since_sec;
	*ret = r;
}

/* The condition changes with what r says now. */
static void turn(struct record *r, const char *condition, int64_t epoch, int64_t now_sec)
{
	if (strcmp(condition, record_condition(r->standing)) != 0 || !r->since_sec)
		r->since_sec = now_sec;
	if (epoch > r->epoch)
		r->epoch = epoch;
}

bool judge_denied(struct record *r, const char *node, const struct judge_rules *rules,
	int64_t epoch, int64_t now_sec)
{
	const char *condition = record_condition(r->standing);

	if (r->standing == RECORD_STANDING_NONE || r->standing == RECORD_REFUSED ||
		r->standing == RECORD_EXPIRED)
		return false;
	if (is_listed(&rules->denied_nodes, node))
		refuse_node(r);
	else if (r->platform_id_len && has_platform(&rules->denied_platforms, r))
		refuse_platform(r);
	else
		return false;
	turn(r, condition, epoch, now_sec);
	return true;
}

/* What is told of the TCB. */
static bool differs(const struct record *r, const struct verdict *v)
{
	if (v->tcb == TCB_STATUS_N)
		return false;
	return strcmp(r->tcb_status, tcb_status_name(v->tcb)) != 0 ||
	       strcmp(r->tcb_date, v->tcb_date) != 0 || r->tcb_number != v->evaluation_number;
}

bool judge_again_by(struct record *r, const struct verdict *again, int64_t epoch, int64_t now_sec)
{
	const char *condition = record_condition(r->standing);
	bool accepted = verdict_accepted(again), other;

	if (!r->basis.known || !r->basis.accepted || !verify_again_decides(again->reason) ||
		now_sec > r->valid_until_sec)
		return false;
	/* Refused by evidence, or by a person, is not for collateral to undo. */
	if (r->standing != RECORD_ATTESTED &&
		!(r->standing == RECORD_REFUSED && verify_again_decides(r->reason)))
		return false;
	other = r->reason != again->reason;
	if (!other && !differs(r, again))
		return false;
	if (!accepted) {
		refuse(r, again->reason, "new collateral: %s", again->message);
	} else {
		r->standing = RECORD_ATTESTED;
		r->reason = REASON_Ok;
		r->message[0] = '\0';
	}
	basis_raise(&r->basis, again);
	turn(r, condition, epoch, now_sec);
	return true;
}

void judge_expire(struct record *r, int64_t epoch, int64_t now_sec)
{
	const char *condition = record_condition(r->standing);
	char until[CLOCK_RFC3339_MAX];

	clock_format(until, r->valid_until_sec);
	r->standing = RECORD_EXPIRED;
	r->reason = REASON_VerdictExpired;
	snprintf(r->message, sizeof(r->message),
		"the last verdict ended (it was good until %s) and no evidence has come since; %s",
		until, reason_remedy(REASON_VerdictExpired));
	turn(r, condition, epoch, now_sec);
}

int64_t judge_again(
	const struct record *r, const struct judge_rules *rules, int64_t now_sec, uint32_t chance)
{
	int64_t every = rules->interval_sec, left = r->valid_until_sec - now_sec, again;

	if (r->standing == RECORD_REFUSED)
		every /= REFUSED_FRACTION;
	/* From half to one and a half of it, on average the interval. */
	again = every / 2 + (int64_t)((double)every * chance / UINT32_MAX);
	if (r->standing != RECORD_REFUSED && again > left / 4 * 3)
		again = left / 4 * 3; /* one that misses it has time for more */
	return again < AGAIN_MIN_SEC ? AGAIN_MIN_SEC : again;
}

int64_t judge_soon(int64_t wait_sec, const struct judge_rules *rules, uint32_t chance)
{
	int64_t longest = rules->interval_sec / REFUSED_FRACTION;
	/* Nodes that wait for the same do not all come at once. */
	int64_t again = wait_sec + (int64_t)((double)wait_sec / 2 * chance / UINT32_MAX);

	if (longest < AGAIN_MIN_SEC)
		longest = AGAIN_MIN_SEC;
	return again < longest ? again : longest;
}

const char *judge_event(const struct record *before, const struct record *now, bool *ret_warning)
{
	bool same = strcmp(before->node_uid, now->node_uid) == 0 &&
		    before->standing == now->standing && before->reason == now->reason;

	*ret_warning = now->standing == RECORD_REFUSED || now->standing == RECORD_EXPIRED;
	if (same)
		return NULL;
	switch (now->standing) {
	case RECORD_ATTESTED:
	case RECORD_STANDING_SIMULATED:
		return "NodeAttested";
	case RECORD_REFUSED:
		return "NodeAttestationRefused";
	case RECORD_EXPIRED:
		return "NodeAttestationExpired";
	default:
		return NULL;
	}
}
