/* SPDX-License-Identifier: Apache-2.0
 *
 * A NodeAttestation's status, as far as decisions rest on it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/tee/again.h"
#include "common/tee/binding.h"
#include "common/tee/reason.h"
#include "common/tee/verify.h"

enum record_platform {
	RECORD_PLATFORM_NONE,
	RECORD_SGX,
	RECORD_TDX,
	RECORD_SNP,
	RECORD_TDX_HOST,
	RECORD_SNP_HOST,
	RECORD_SIMULATED,
	RECORD_PLATFORM_N,
};
/* "sgx", …; "" for none. */
const char *record_platform_name(enum record_platform p);
enum record_platform record_platform_parse(struct span text); /* RECORD_PLATFORM_NONE: unknown */
bool record_platform_is_host(enum record_platform p);

/* status.verdict */
enum record_standing {
	RECORD_STANDING_NONE,
	RECORD_ATTESTED,
	RECORD_STANDING_SIMULATED,
	RECORD_UNPROVEN,
	RECORD_REFUSED,
	RECORD_EXPIRED,
	RECORD_WAIVED,
	RECORD_STANDING_N,
};
const char *record_standing_name(enum record_standing s); /* "" for none */

enum { RECORD_UID_MAX = 64, RECORD_MESSAGE_MAX = 512, RECORD_DIGEST = 32 };

struct record {
	char node_uid[RECORD_UID_MAX]; /* of the Node that was judged */
	enum record_platform platform;
	unsigned char platform_id[PLATFORM_ID_MAX];
	size_t platform_id_len;
	enum record_standing standing; /* RECORD_STANDING_NONE: nothing was judged yet */
	enum reason reason;
	char message[RECORD_MESSAGE_MAX];
	bool has_digest;
	unsigned char evidence_digest[RECORD_DIGEST];
	char thumbprint[THUMBPRINT_MAX];
	int64_t challenged_usec;             /* Unix; 0: never */
	int64_t judged_sec, valid_until_sec; /* Unix; 0: not said */
	int64_t since_sec;                   /* the condition Attested is as it is */
	int64_t epoch;                       /* leaderEpoch */
	bool starts_vms; /* of an SGX host: its capacity has slots of confidential VMs, too */
	/* tcb, as far as new collateral changes it */
	char tcb_status[48], tcb_date[24]; /* "": not said */
	int64_t tcb_number;                /* evaluationDataNumber; 0: not said */
	struct basis basis;                /* reevaluation */
};

/* Reads .status of a NodeAttestation. What is missing or unknown counts as nothing was judged: that
 * can only cost a verdict, never give one. */
void record_read(struct record *ret, struct json_val object);

/* Does it speak of the Node with that UID, and hold at that time? */
bool record_holds(const struct record *r, const char *node_uid, int64_t now_sec);

/* The condition Attested, and ConfidentialAttested of a Node: "True" for Attested, Simulated and
 * Waived, "Unknown" when nothing holds, else "False". */
const char *record_condition(enum record_standing s);

/* Writes the whole status as a JSON object. detail: further members, each with a comma before it,
 * or
 * "". 0 or the buffer's error. */
int record_write(struct buf *out, const struct record *r, struct span detail);
/* The members of a merge patch of the status by which a verdict ends or turns: verdict, reason,
 * message, the condition and the epoch, and detail as above. */
int record_write_end(struct buf *out, const struct record *r, struct span detail);
