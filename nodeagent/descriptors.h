/* SPDX-License-Identifier: Apache-2.0
 *
 * How many file descriptors the agent may need, and the limit for them (getrlimit(2)): each pod's
 * connections to AESM are the agent's as well, more than the usual 1024 on a full node. */
#pragma once

#include "nodeagent/config.h"

/* How many may be open at once with this configuration. */
uint64_t descriptors_needed(const struct agent_config *c);

/* Sees to it that so many can be opened: raises this process's soft limit as far as the hard one.
 * Never lowers it. -ERANGE: the hard limit is below that, err says what to change, and the soft
 * limit is as high as it can be; or setrlimit's errors. */
int descriptors_allow(uint64_t needed, struct error *err);
