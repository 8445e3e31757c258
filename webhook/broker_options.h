/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon's configuration says of the role broker. */
#pragma once

#include "webhook/broker/broker.h"
#include "webhook/config.h"

/* Sets those of o that come from c, which outlives the broker or is followed by broker_configure().
 */
void broker_options_set(struct broker_options *o, const struct webhook_config *c);
