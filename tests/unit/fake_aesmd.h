/* SPDX-License-Identifier: Apache-2.0
 *
 * An AESM on a Unix socket, on a thread of its own, that keeps to the real one's rules: ids are
 * asked for with exactly their size, a key is initialised before it quotes, a report is for the
 * TARGETINFO that it gave, a quote is padded to the size that was asked for. It has one golden
 * quote. Where it is told so, it misbehaves. */
#pragma once

#include "nodeagent/evidence/aesm_message.h"

enum fake_aesmd_way {
	FAKE_WELL,
	FAKE_CUT,      /* closes after `cut` bytes of the answer */
	FAKE_SILENT,   /* reads the request and says nothing */
	FAKE_DEAF,     /* closes without having read anything */
	FAKE_SLOW,     /* a byte at a time */
	FAKE_OVERSIZE, /* announces an answer of 16 MiB */
	FAKE_EMPTY,    /* announces one of no bytes */
	FAKE_OTHER,    /* the answer to another request */
	FAKE_NOISE,    /* bytes that are no message */
	FAKE_UNKNOWN,  /* the request is not known */
};

struct fake_aesmd_plan {
	enum aesm_step step;     /* where it misbehaves */
	enum fake_aesmd_way way; /* FAKE_WELL: nowhere */
	size_t cut;
	uint32_t code; /* unless 0: step fails with it, `times` times */
	unsigned times;
	bool no_keys, no_ecdsa; /* it has none, or only one of EPID */
	bool other_quote;       /* of a report that it was not given */
	bool short_quote;       /* it says that a quote is 100 bytes shorter */
};

struct fake_aesmd;
struct fake_aesmd *fake_aesmd_start(struct span quote);
void fake_aesmd_stop(struct fake_aesmd *f);
#define _cleanup_fake_aesmd_ __attribute__((cleanup(fake_aesmd_stop_p)))
static inline void fake_aesmd_stop_p(struct fake_aesmd **f)
{
	if (*f)
		fake_aesmd_stop(*f);
}
const char *fake_aesmd_socket(const struct fake_aesmd *f);
/* Counters start anew. */
void fake_aesmd_plan(struct fake_aesmd *f, const struct fake_aesmd_plan *plan);
unsigned fake_aesmd_asked(struct fake_aesmd *f, enum aesm_step step);

/* aesm_client's report(): ctx is the quote whose body it reports, as a struct span. */
int fake_aesmd_report(void *ctx, const unsigned char target_info[AESM_TARGET_INFO],
	unsigned char ret_report[AESM_REPORT], struct error *err);
