/* SPDX-License-Identifier: Apache-2.0
 *
 * What evidence is judged against: collateral from files and folders, taken up anew when they
 * change, and from services, which are asked for what proven platforms lack and before it ends; the
 * policy; the simulated root. A shell: it logs. On the loop's thread. */
#pragma once

#include <systemd/sd-event.h>

#include "common/observe/metrics.h"
#include "common/tee/again.h"
#include "webhook/trust/examine.h"
#include "webhook/trust/sources.h"

struct trust;

struct trust_options {
	sd_event *event;
	const struct collateral_sources *sources; /* finished; copied */
	const char *where;  /* the setting that policy is, for messages: "verifier.policy" */
	struct span policy; /* JSON or YAML (common/tee/policy.h); SPAN_NONE: the default */
	bool allow_simulated;
	/* Evidence of what no list accepts is good all the same: who asks judges what runs. */
	bool measurements_elsewhere;
	/* What who sent evidence is to expect while its collateral is being fetched, for messages:
	 * "the node is judged anew in a moment"; NULL: to try again. */
	const char *again;
	int64_t (*clock)(void); /* Unix seconds; NULL: the real one */
};

/* -EINVAL: the policy or a source is wrong; other errors of files that are named. */
int trust_new(struct trust **ret_t, const struct trust_options *o, struct error *err);
void trust_free(struct trust *t); /* NULL allowed */
DEFINE_CLEANUP(struct trust *, trust_free)

/* Other sources from now on; those that are the same stay as they are. On failure the old ones do.
 */
int trust_configure(struct trust *t, const struct collateral_sources *sources, struct error *err);
/* The simulated TEE's root: PEM. */
void trust_simulated(struct trust *t, struct span cert_pem);
/* When what the vendors publish ends, the soonest of each kind (tcb-info, qe-identity, intel-crl,
 * amd-crl), as a metric with the label kind; what there is none of has no series. */
void trust_report(const struct trust *t, struct metric *expiry);
/* Collateral that is older than what b was judged by, of platforms of its kind, counts no more
 * (CollateralRolledBack). */
void trust_seen(struct trust *t, const struct basis *b);
/* b's platform was verified, and again is what the collateral says of it: what that lacks, or what
 * ends soon, is asked for. */
void trust_want(
	struct trust *t, const struct basis *b, const struct verdict *again, int64_t now_sec);
/* b's platform was verified by another replica, whose evidence may come to this one: what it needs is
 * asked for already now, so that whoever asks need not wait, or find the service gone. */
void trust_foresee(struct trust *t, const struct basis *b);
/* What evidence is judged by now. Borrowed, until the loop goes on; its collateral's epoch tells
 * whether it is another than before. */
struct examiner trust_examiner(const struct trust *t);
/* As desk_options.examine; ctx: the trust. What the verdict lacks for is asked for, where services
 * are. */
void trust_examine(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret);
