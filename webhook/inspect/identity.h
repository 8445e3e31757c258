/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose enclave is this? A SIGSTRUCT (which is what Gramine's .sig is), or a signed enclave of
 * Intel's SDK or Open Enclave, which has one in a section. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

/* Is file a SIGSTRUCT or an ELF file? */
bool identity_is(struct span file);

/* Appends {"identities": [{by code}, {by signer}]} as JSON. -EBADMSG: no SIGSTRUCT whose signature
 * holds; -EIO; or the buffer's error. */
int identity_write(struct buf *out, struct span file, struct error *err);
