/* SPDX-License-Identifier: Apache-2.0
 *
 * Was a TEE started with an init-data? Pure. */
#pragma once

#include "common/kbs/init_data.h"
#include "common/tee/evidence.h"
#include "webhook/broker/proven.h"

/* Was the TEE started with it: SGX CONFIGID, TDX MRCONFIGID, SNP HOST_DATA; zeros behind a shorter
 * digest, a longer one cut; Azure: PCR 8 extended once. False also for the simulated TEE. */
bool init_data_bound(const struct evidence *e, const unsigned char *digest, size_t len);
/* The same of what was proved. */
bool init_data_proven(const struct proven *p, const unsigned char *digest, size_t len);
