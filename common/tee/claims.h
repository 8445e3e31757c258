/* SPDX-License-Identifier: Apache-2.0
 *
 * The one JSON shape of a verdict, for CLI, API and logs alike; described in the README. */
#pragma once

#include "common/base/buf.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

enum { CLAIMS_JSON_MAX = 128 << 10 /* bytes: more than any verdict has */ };

/* Appends {"verdict": "accepted"|"refused", "reason", "message", "tee", "tcb": {"status", "date",
 * "evaluationDataNumber", "advisories": []}, "crl": "checked"|"absent", "validUntil", "platformID",
 * "mismatch": [{register, want, got}], "claims": {…}}, indented; null where something was not found
 * out. The claims are what the evidence says, by the names of its specification ("mrenclave",
 * "rtmrs", "reportedTcb", …), bytes in lower-case hex, and what v has of the platform's certificate
 * ("fmspc", "pceSvn", "platformInstanceId", "product"). e may be NULL: the evidence could not be
 * read. 0 or the buffer's error. */
int verdict_json(struct buf *out, const struct verdict *v, const struct evidence *e);
