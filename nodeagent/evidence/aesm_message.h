/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said to AESM to get an ECDSA quote, and what it answers (aesm.proto; Intel's linux-sgx,
 * psw/ae/aesm_service). Pure; the framing is nodeagent/aesm/frame.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum {
	AESM_KEY_ID = 256,              /* bytes: sgx_att_key_id_ext_t */
	AESM_KEY_IDS_MAX = 16,          /* more are not asked for */
	AESM_TARGET_INFO = 512,         /* TARGETINFO (Intel SDM volume 3D, 38.16) */
	AESM_REPORT = 432,              /* REPORT (38.15) */
	AESM_KEY_HASH = 32,             /* what InitQuoteEx must be given room for */
	AESM_ANSWER_MEMORY = 256 << 10, /* of an arena that an answer is read in */
};

enum aesm_step {
	AESM_KEY_ID_NUM,
	AESM_KEY_IDS,
	AESM_INIT_QUOTE,
	AESM_QUOTE_SIZE,
	AESM_QUOTE,
	AESM_STEP_N
};
const char *aesm_step_name(enum aesm_step s); /* "GetQuoteEx" */

struct aesm_request {
	enum aesm_step step;
	struct span key_id;  /* from AESM_INIT_QUOTE on: AESM_KEY_ID bytes */
	struct span report;  /* AESM_QUOTE: AESM_REPORT bytes */
	uint32_t room;       /* AESM_KEY_IDS, AESM_QUOTE: bytes, as asked before */
	uint32_t timeout_ms; /* AESM gives up after that */
};
/* Appends the message, without its frame. out's err. */
int aesm_request_write(struct buf *out, const struct aesm_request *q);

struct aesm_answer {
	uint32_t code;   /* 0, or AESM's error: then nothing else is set */
	uint32_t number; /* AESM_KEY_ID_NUM: keys, 1 to AESM_KEY_IDS_MAX; AESM_QUOTE_SIZE: bytes */
	struct span bytes; /* ids, TARGETINFO, quote and what follows it; in the arena */
};
/* The answer to step, and to nothing else. -EBADMSG: it is no such answer, or its content has not
 * the size that was asked for; -ENOMEM; -EOPNOTSUPP: this AESM makes no ECDSA quotes. */
int aesm_answer_read(struct aesm_answer *ret, struct arena *m, enum aesm_step step,
	struct span message, struct error *err);

/* The id among ids (whole AESM_KEY_IDs) of an ECDSA P-256 key; SPAN_NONE when there is none. */
struct span aesm_ecdsa_key(struct span ids);

enum aesm_retry {
	AESM_FINAL,   /* asking again is of no use */
	AESM_LATER,   /* everything anew, after a while */
	AESM_RESTART, /* everything anew, at once: AESM lost its attestation key */
};
enum aesm_retry aesm_code_retry(uint32_t code);
/* What an error of AESM (not 0) means and what to do. -EAGAIN: it may pass; else -EREMOTEIO. */
int aesm_code_error(struct error *err, enum aesm_step step, uint32_t code);
