/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's own source of collateral: asks a store of VCEKs, Intel's and AMD's services, or
 * caches of theirs, for what proven platforms need, and keeps it current (fetch_schedule.h). Nobody
 * makes it ask: only names from certificate chains that have been verified may be wanted. Answers
 * are judged before they count, and an older one than was seen never does. Everything happens on
 * the loop's thread; callbacks must not call back. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/tee/collateral.h"
#include "webhook/collateral/pull.h"

struct fetch;

struct fetch_options {
	sd_event *event;
	/* Of these, the services ("" for pccs and pcs, or kds: not asked) and update; its lists are
	 * not looked at. Must outlive it. */
	const struct pull_options *services;
	struct span ca_pem; /* who vouches for https */
	const char *proxy;  /* http://…; NULL, "": none */
	/* A folder of AMD's (vcek_store.h), which is looked into before a service is asked; NULL,
	 * "": none. */
	const char *store;
	/* Collateral that holds nothing but the roots that are trusted. */
	int (*empty)(void *ctx, struct collateral **ret, struct error *err);
	/* There is something new: fetch_add_to() gives it. After a burst of answers once. */
	void (*changed)(void *ctx);
	/* A piece could not be had; name is of a person's words, problem says why. */
	void (*failed)(void *ctx, const char *name, const char *problem);
	int64_t (*clock)(void); /* Unix seconds */
	void *ctx;
};

/* -EINVAL: a service's address is wrong; -ENOMEM. */
int fetch_new(struct fetch **ret, const struct fetch_options *o, struct error *err);
void fetch_free(struct fetch *f); /* NULL allowed */
DEFINE_CLEANUP(struct fetch *, fetch_free)

/* A platform whose certificate chain leads to a trusted root needs its collateral. What is known or
 * wanted already costs a comparison; what no service is there for is not wanted. -E2BIG, -ENOMEM.
 */
int fetch_want_intel(struct fetch *f, const struct pck *pck, bool tdx, struct error *err);
/* tcb: the 8 bytes of a report. Without its VCEK no report can be verified: whoever calls this
 * bounds how often, and for whom. */
int fetch_want_snp(struct fetch *f, enum snp_product product, const unsigned char chip_id[64],
	const unsigned char tcb[8], struct error *err);

/* What stands for all chips of a product: its intermediates and revocation list. */
int fetch_want_product(struct fetch *f, enum snp_product product, struct error *err);

/* What is there may be old: it is asked for now, unless it was a moment ago. */
void fetch_hurry_intel(struct fetch *f, const struct pck *pck, bool tdx);
void fetch_hurry_product(struct fetch *f, enum snp_product product);

/* Of what was wanted: in how many seconds may it be there? 0: it is, or nobody is asked. */
int64_t fetch_wait_intel(const struct fetch *f, const struct pck *pck, bool tdx);
/* chip_id NULL: of the product alone. */
int64_t fetch_wait_snp(const struct fetch *f, enum snp_product product,
	const unsigned char chip_id[64], const unsigned char tcb[8]);
/* What last could not be had, and why; "": there was nothing like that since the last good answer.
 */
const char *fetch_problem(const struct fetch *f);

/* Takes every good answer up. -ENOMEM, -E2BIG. */
int fetch_add_to(const struct fetch *f, struct collateral *c, struct error *err);
