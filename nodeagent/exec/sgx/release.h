/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave asks the broker itself: the CoCo KBS protocol's RCAR (common/kbs/rcar.h) over TLS that
 * begins in the enclave, with the enclave's own quote. The quote binds a fresh challenge, an
 * ephemeral key that the keys are sealed to, and the pod's token where one goes along. */
#pragma once

#include "nodeagent/exec/resolve.h"

/* The way of casemate-exec-sgx; no other is taken, whatever else is there. */
extern const struct exec_way sgx_ways[];
