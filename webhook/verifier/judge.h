/* SPDX-License-Identifier: Apache-2.0
 *
 * From verified evidence to the verdict about a node. Pure: every replica comes to the same, and
 * what was stored about the node before decides what may still be answered. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/settings.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"
#include "webhook/verifier/challenge.h"
#include "webhook/verifier/record.h"

struct judge_rules {
	int64_t interval_sec, validity_sec; /* between rounds; how long a verdict holds at most */
	int64_t max_nodes_per_platform;     /* 0: no limit */
	struct strings allowed_platforms;   /* ids in hex; none: any */
	struct strings denied_platforms, denied_nodes;
	bool trust_on_first_use; /* a node stays on the platform that it came with */
};

/* Was this challenge answered before? */
enum judge_use {
	JUDGE_FRESH,
	JUDGE_SAME, /* with the same evidence and key: what is stored is the answer */
	JUDGE_REPLAYED,
};
enum judge_use judge_use(const struct record *before, const char *node_uid,
	const struct challenge *c, const unsigned char digest[RECORD_DIGEST],
	const char *thumbprint);

struct judge_input {
	const struct judge_rules *rules;
	const char *node, *node_uid;
	const struct record *before; /* what is stored about the node; zero: nothing */
	const struct challenge *challenge;
	enum record_platform platform; /* what the agent says */
	const unsigned char *digest;   /* RECORD_DIGEST bytes: of the evidence as received */
	const char *thumbprint;
	const struct evidence *evidence; /* NULL: a host, or it could not be read */
	const struct verdict *verdict;   /* about the evidence; NULL: a host */
	bool starts_vms;                 /* the agent says so */
	unsigned sharing; /* other nodes with a verdict that holds, on the same platform */
	int64_t epoch;    /* of the leader, as far as this replica knows */
	int64_t now_usec;
};
/* The verdict, always. */
void judge(struct record *ret, const struct judge_input *in);

/* Have the deny lists come to name the node or its platform since r was judged? Then r is made a
 * refusal. */
bool judge_denied(struct record *r, const char *node, const struct judge_rules *rules,
	int64_t epoch, int64_t now_sec);

/* What new collateral makes of r: again is verify_again()'s verdict about r's basis. A verdict that
 * rested on evidence accepted in full turns to a refusal, and back; what is told of the TCB
 * follows. What again does not decide changes nothing. Returns whether r is another now. */
bool judge_again_by(struct record *r, const struct verdict *again, int64_t epoch, int64_t now_sec);

/* The record that follows r when its time is over, or its reason to hold: Expired. */
void judge_expire(struct record *r, int64_t epoch, int64_t now_sec);

/* Seconds until the next round: jittered over the whole interval for a verdict that holds, sooner
 * after a refusal, since somebody may have put right what was wrong. chance: all values equally
 * likely. */
int64_t judge_again(
	const struct record *r, const struct judge_rules *rules, int64_t now_sec, uint32_t chance);

/* The same where what was missing is being fetched, and may be there in wait_sec. */
int64_t judge_soon(int64_t wait_sec, const struct judge_rules *rules, uint32_t chance);

/* The Event that the step from before to now deserves; NULL: none. warning: its type. */
const char *judge_event(const struct record *before, const struct record *now, bool *ret_warning);
