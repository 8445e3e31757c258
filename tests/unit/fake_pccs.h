/* SPDX-License-Identifier: Apache-2.0
 *
 * What Intel's service answered about the platform of dcap-qvl/sgx_quote in June 2025, as a PCCS
 * gives it again. */
#pragma once

#include "tests/unit/fake_server.h"

enum { FAKE_PCCS_TIME = 1751000000 }; /* when it held */

#define FAKE_PCCS_SET "dcap-qvl/sgx_quote_collateral.json"

/* Writes the answer to request; false: there is none, and nothing is written. */
bool fake_pccs_answer(const char *request, struct fake_reply *reply);
/* Appends a header whose value is PEM, escaped as services do. */
void fake_pccs_header(struct buf *headers, const char *name, struct span pem);
