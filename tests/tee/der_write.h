/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes DER: the content first, then its header around it. */
#pragma once

#include "common/base/buf.h"

/* An element of that tag around content. */
void der_write(struct buf *b, unsigned tag, struct span content);
/* INTEGER or ENUMERATED, not negative. */
void der_write_number(struct buf *b, unsigned tag, unsigned value);
