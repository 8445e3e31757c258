/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole contents from and to open files, pipes included: interrupted and partial calls are gone on
 * with. */
#pragma once

#include <sys/types.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"

/* Appends what is left to read. -errno; the buffer's error when it is more than that holds. */
int io_read(int fd, struct buf *out);
/* At most max bytes as a secret; ret holds nothing before. -errno; -E2BIG: there are more. */
int io_read_secret(int fd, size_t max, struct secret *ret);
/* All of it. -errno. */
int io_write(int fd, struct span bytes);
/* The file has these bytes, on disk, or stays as it was. Its mode is mode without the umask's. */
int io_replace(const char *path, mode_t mode, struct span bytes, struct error *err);
