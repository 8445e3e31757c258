/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files, read whole: settings, tokens, and files of a kernel that say something new each
 * time. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"

/* Appends what the file holds. 0; what the system says; -EFBIG: more than out takes; -ENOMEM. */
int exec_file_read(struct buf *out, const char *path);

/* Could this be a service account's token: a JWT's letters, and nothing else? */
bool exec_token_good(struct span token);
/* The file's token, without the ends of lines behind it; ret holds nothing before. Errors name the
 * path. */
int exec_token_read(struct secret *ret, const char *path, struct error *err);
