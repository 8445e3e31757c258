/* SPDX-License-Identifier: Apache-2.0
 *
 * What a NodeAttestation tells people beside the verdict: TCB, trust vector, measurements, what
 * differed. Pure. */
#pragma once

#include "common/base/buf.h"
#include "common/tee/evidence.h"
#include "common/tee/verify.h"

/* Bytes that the members may take, so that a whole object stays below 16 KiB. */
enum { DETAIL_MAX = 11 << 10 };

/* Appends the members tcb, crl, trustVector, measurements and mismatch of the status, each with a
 * comma before it. e NULL: the evidence could not be read. 0 or the buffer's error. */
int detail_write(struct buf *out, const struct verdict *v, const struct evidence *e);
/* Those of them that new collateral changes: tcb and trustVector. */
int detail_again(struct buf *out, const struct verdict *v);
/* The member capacity of what the agent says; -1: it does not. */
int detail_capacity(struct buf *out, int64_t epc_bytes, int64_t cvm_slots);
