/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/kbs/delivery.h"

enum { PIECE = 4096 };

int exec_file_read(struct buf *out, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char piece[PIECE];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (buf_add(out, piece, (size_t)n) < 0)
			return out->err == -E2BIG ? -EFBIG : out->err;
	return n < 0 ? -errno : 0;
}

bool exec_token_good(struct span token)
{
	for (size_t i = 0; i < token.len; i++) {
		char c = token.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_' || c == '.'))
			return false;
	}
	return token.len > 0;
}

int exec_token_read(struct secret *ret, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (secret_init(ret, DELIVERY_TOKEN_MAX) < 0)
		return error_oom(err);
	while (ret->len < ret->cap && (n = read(fd, ret->p + ret->len, ret->cap - ret->len)) > 0)
		ret->len += (size_t)n;
	if (n < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	while (ret->len && (ret->p[ret->len - 1] == '\n' || ret->p[ret->len - 1] == '\r'))
		ret->len--;
	return 0;
}
