/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verifier judges evidence against: collateral from files and folders, taken up anew when
 * they change, the policy, the simulated root. A shell: it logs. On the loop's thread. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/settings.h"
#include "common/observe/metrics.h"
#include "webhook/trust/examine.h"

struct trust;

int trust_new(struct trust **ret_t, sd_event *event, const struct strings *paths,
	struct span policy, bool allow_simulated, struct error *err);
void trust_free(struct trust *t); /* NULL allowed */
DEFINE_CLEANUP(struct trust *, trust_free)

/* The simulated TEE's root: PEM. */
void trust_simulated(struct trust *t, struct span cert_pem);
/* When what the vendors publish ends, the soonest of each kind (tcb-info, qe-identity, intel-crl,
 * amd-crl), as a metric with the label kind; what there is none of has no series. */
void trust_report(const struct trust *t, struct metric *expiry);
/* As desk_options.examine; ctx: the trust. */
void trust_examine(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret);
