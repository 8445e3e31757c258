/* SPDX-License-Identifier: Apache-2.0
 *
 * Text of others, amounts and times as people read them, for the outputs of a status. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"

enum format_escape {
	FORMAT_PLAIN, /* a terminal */
	FORMAT_HTML,  /* text or a quoted attribute */
	FORMAT_JSON,  /* a JSON string, quotes included */
};

/* Appends s, valid UTF-8 whatever it was: bytes that are not, control characters and those that
 * turn the direction of text become U+FFFD. b's err. */
int format_text(struct buf *b, const char *s, enum format_escape escape);

int format_bytes(struct buf *b, int64_t bytes);   /* "93.5 MiB", rounded down; below 0: "unknown" */
int format_duration(struct buf *b, int64_t usec); /* "3 d 4 h", "5 min", "12 s" */
int format_time(struct buf *b, int64_t unix_usec); /* "2026-05-01 12:00:03 UTC" */
