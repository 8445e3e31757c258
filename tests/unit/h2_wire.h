/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2 (RFC 9113) by hand, for the other side of a test: frames are written as told, right or
 * wrong, and what comes back is told as text, one frame a line:
 *
 *   settings 3=100 6=16384     settings ack     ping ack
 *   headers 1 :status=200 content-type=application/grpc [end]
 *   data 1 "\0\0\0\0\2hi" [end]     data 3 (70000 bytes)
 *   reset 1 CANCEL     goaway 5 PROTOCOL_ERROR     window 0 +16384 */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>

#include "common/base/buf.h"

enum { H2_MAX = 64 << 20 };

void h2_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, struct span payload);
/* The client's preface, and an empty SETTINGS; a server's is the latter alone. */
void h2_preface(struct buf *b);
void h2_settings(struct buf *b);
/* fields: name, value, ..., NULL; literals that are not indexed (RFC 7541 section 6.2.2). flags
 * besides END_HEADERS. Goes on in CONTINUATION frames where it is long. */
void h2_headers(struct buf *b, uint8_t flags, uint32_t id, const char *const *fields);
/* The same as a block of its own. */
void h2_block(struct buf *b, const char *const *fields);
/* A DATA frame of these bytes; of a message with its prefix, in as many frames as it needs. */
void h2_data(struct buf *b, uint8_t flags, uint32_t id, struct span bytes);
void h2_message(struct buf *b, uint8_t flags, uint32_t id, struct span message);
void h2_reset(struct buf *b, uint32_t id, uint32_t code);
void h2_window(struct buf *b, uint32_t id, uint32_t n);
void h2_goaway(struct buf *b, uint32_t last, uint32_t code, const char *why);

/* Tells what comes; {.windows = ...}. */
struct h2_reader {
	bool windows; /* tell of WINDOW_UPDATE, too */
	nghttp2_hd_inflater *hpack;
	struct buf in; /* an incomplete frame */
	size_t data;   /* bytes in DATA frames so far */
};
/* Appends lines to text. False: what came was not HTTP/2. */
bool h2_read(struct h2_reader *r, struct span bytes, struct buf *text);
void h2_reader_free(struct h2_reader *r);

/* A request for path in one HEADERS frame: as grpc-go's, with what changes (name, value, ...,
 * NULL; may be NULL) replaces or adds; a value of "" leaves the field out. */
void h2_request(
	struct buf *b, uint8_t flags, uint32_t id, const char *path, const char *const *changes);
