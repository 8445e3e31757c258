/* SPDX-License-Identifier: Apache-2.0
 *
 * What a struct trust of a test is made from. */
#pragma once

#include "common/base/buf.h"
#include "webhook/trust/sources.h"

struct collateral_sources sources_none(void); /* no files, no store, no services */
/* The configuration of a policy that trusts this root (PEM) beside those built in. */
void trust_root_policy(struct buf *policy, struct span root);
