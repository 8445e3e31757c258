/* SPDX-License-Identifier: Apache-2.0
 *
 * The gzip format (RFC 1952), by zlib: whole texts in memory. */
#pragma once

#include "common/base/buf.h"
#include "common/base/span.h"

/* Appends in, compressed: without name and time, so that one zlib writes the same bytes for the
 * same text. -ENOMEM, or the buffer's error. */
int gzip_write(struct buf *out, struct span in);
/* Appends what in stands for: one member, and nothing behind it. -EBADMSG: in is not that, or its
 * checksum is wrong; or the buffer's error (-E2BIG: it is longer than the buffer may be). */
int gzip_read(struct buf *out, struct span in);
