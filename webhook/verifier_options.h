/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon's configuration says of the role verifier. */
#pragma once

#include "webhook/config.h"
#include "webhook/verifier/verifier.h"

/* Sets those of o that come from c, which outlives the verifier or is followed by
 * verifier_configure(). */
void verifier_options_set(struct verifier_options *o, const struct webhook_config *c);
