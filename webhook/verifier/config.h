/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings below verifier:. Plain data, read once, then const. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/settings.h"
#include "webhook/front/front.h"
#include "webhook/trust/sources.h"

struct verifier_config {
	struct front_config front;
	int64_t interval_usec;
	int64_t validity_usec; /* 0: twice the interval */
	int64_t max_nodes_per_platform;
	struct strings allowed_platforms, denied_platforms, denied_nodes;
	struct collateral_sources collateral;
	bool trust_on_first_use, taint;
	bool evict; /* confidential pods from nodes that are not trusted any more */
	int64_t evict_after_usec;
};

/* The settings; offsets are relative to the struct. */
extern const struct setting verifier_settings[];
extern const size_t n_verifier_settings;

/* Checks them against each other and completes them. -EINVAL with what to change. */
int verifier_config_finish(struct verifier_config *c, struct error *err);
