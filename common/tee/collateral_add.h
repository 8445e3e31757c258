/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of collateral_add(). */
#pragma once

#include "common/tee/collateral.h"

/* The name and version of what collateral_write() writes. */
#define COLLATERAL_BUNDLE "casemate.dev/collateral/v1"

/* PEM blocks, DER, digits of DER, a certificate table. -ENOMSG: none of these. */
int collateral_add_bytes(struct collateral *c, struct span bytes, struct error *err);
/* JSON of any of the forms. -ENOMSG: none of them. */
int collateral_add_json(struct collateral *c, struct span text, struct error *err);
