/* SPDX-License-Identifier: Apache-2.0
 *
 * Key-encryption keys that something elsewhere wrapped, as they are stored beside the records:
 *
 *	casemate-keks/1
 *	ID KIND WRAPPED BY
 *
 * a line each, the newest first. ID is the key's (webhook/broker/wrap.h), and tells whether what
 * was opened is it; KIND is vault or pkcs11; WRAPPED has no blanks; BY says which key there wrapped
 * it, to the line's end. Not secret. Pure. */
#pragma once

#include "common/base/buf.h"
#include "webhook/broker/kek_settings.h"
#include "webhook/broker/wrap.h"

enum {
	KEK_WRAPPED_MAX = 1536, /* by an RSA key of 4096 bits: 1368 */
	KEK_BY_MAX = 300,
	KEK_LINES_BYTES_MAX = 16384,
};

struct kek_line {
	char id[KEK_ID_MAX];
	enum kek_kind kind;
	char wrapped[KEK_WRAPPED_MAX];
	char by[KEK_BY_MAX];
};
struct kek_lines {
	struct kek_line v[KEKS_MAX];
	size_t n;
};

/* -EBADMSG with what is wrong; then ret is as it was. */
int kek_lines_read(struct kek_lines *ret, struct span text, struct error *err);
/* 0, -ENOMEM. */
int kek_lines_write(struct buf *out, const struct kek_lines *lines);
/* NULL: none of that id. */
const struct kek_line *kek_lines_find(const struct kek_lines *lines, const char *id);
/* May it stand in a line? */
bool kek_line_good(const struct kek_line *line);
