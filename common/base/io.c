/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As read(), but with an errno negative, and not interrupted. */
static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t got;

	do {
		got = read(fd, p, n);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int io_read(int fd, struct buf *out)
{
	char piece[16 * 1024];
	ssize_t n;

	while ((n = read_some(fd, piece, sizeof(piece))) > 0)
		if (buf_add(out, piece, (size_t)n) < 0)
			return out->err;
	return n < 0 ? (int)n : out->err;
}

int io_read_secret(int fd, size_t max, struct secret *ret)
{
	_cleanup_secret_ struct secret s = {0};
	ssize_t n;
	int r = secret_init(&s, max + 1);

	if (r < 0)
		return r;
	while ((n = read_some(fd, s.p + s.len, s.cap - s.len)) > 0) {
		s.len += (size_t)n;
		if (s.len > max)
			return -E2BIG;
	}
	if (n < 0)
		return (int)n;
	*ret = s;
	s = (struct secret){0};
	return 0;
}

int io_write(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.p, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes = (struct span){bytes.p + n, bytes.len - (size_t)n};
	}
	return 0;
}

int io_replace(const char *path, mode_t mode, struct span bytes, struct error *err)
{
	_cleanup_free_ char *fresh = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return error_oom(err);
	}
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return error_set(err, -errno, "%s: %m", fresh);
	r = io_write(fd, bytes);
	if (r == 0 && (fsync(fd) < 0 || rename(fresh, path) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlink(fresh);
		return error_set(err, r, "%s: %s", path, strerror(-r));
	}
	return 0;
}
