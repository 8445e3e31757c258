/* SPDX-License-Identifier: Apache-2.0
 *
 * Init-data of Confidential Containers: a TOML text that the host gives to a guest, and whose
 * digest the TEE was started with. In a pod it is an annotation: base64 of gzip. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum { INIT_DATA_DIGEST_MAX = 64 };

/* The digest that the text's own top-level `algorithm` names (sha256, sha384, sha512). Returns its
 * length; -EBADMSG: there is none such. */
int init_data_digest(unsigned char ret[INIT_DATA_DIGEST_MAX], struct span toml, struct error *err);

/* Appends the annotation's value for a text. 0 or -errno. */
int init_data_pack(struct buf *out, struct span toml);
/* Appends the text of an annotation's value. -EBADMSG: it is not base64 of gzip; -E2BIG: the text
 * is longer than the buffer may be; -ENOMEM. */
int init_data_unpack(struct buf *out, struct span value);
