/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree that the platform is read from: "/", the host's own tree mounted somewhere ("/host"), or
 * a made-up one. Paths are the host's; symbolic links, absolute ones too, stay below the root
 * (openat2(2), RESOLVE_IN_ROOT). Nothing here opens a device or blocks on a FIFO. Private to the
 * room platform. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/base/span.h"

enum {
	ROOT_LINE_MAX = 8192,       /* bytes of a line; what is longer is handed on cut */
	ROOT_LINES_BYTES = 8 << 20, /* of a file read by lines */
	ROOT_ENTRIES_MAX = 4096,    /* of a folder */
};

struct root {
	int fd;
	bool real; /* "/" itself, where nothing can be escaped from */
};

int root_init(struct root *ret_r, const char *sysroot);
void root_done(struct root *r);
#define _cleanup_root_ __attribute__((cleanup(root_done)))

/* As open(2), always O_CLOEXEC; flags that make nothing: O_PATH, O_DIRECTORY, O_RDONLY for folders.
 */
int root_open(const struct root *r, const char *path, int flags);
int root_stat(const struct root *r, const char *path, struct stat *ret_st);
bool root_exists(const struct root *r, const char *path);

/* Was the folder of path removed where it came from, while it is mounted here? Nothing comes into it
 * any more, and this mount will never show the one that is made in its place. */
bool root_folder_removed(const struct root *r, const char *path);

/* At most cap - 1 bytes of a regular file, and a NUL; the number of bytes, or -errno: -EINVAL for
 * what is no regular file, -EFBIG for a longer one. */
int root_read(const struct root *r, const char *path, char *buf, size_t cap);
/* The same into *ret_text, which points into buf. */
int root_read_span(
	const struct root *r, const char *path, char *buf, size_t cap, struct span *ret_text);

/* Writes text into a regular file that exists, in one go, as the kernel's files want it. */
int root_write(const struct root *r, const char *path, const char *text);

/* Each line of a regular file, without its newline, until line() says false. */
int root_each_line(const struct root *r, const char *path,
	bool (*line)(void *ctx, struct span line), void *ctx);
/* Each name in a folder, "." and ".." left out, in no order, until entry() says false. */
int root_each_entry(const struct root *r, const char *path,
	bool (*entry)(void *ctx, const char *name), void *ctx);

/* A connection to the Unix stream socket at path, not blocking: a descriptor or -errno (-ENOTSOCK
 * for something else, -EAGAIN when its queue is full). */
int root_connect(const struct root *r, const char *path);
