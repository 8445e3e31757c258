/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/cleanup.h"

int root_init(struct root *ret_r, const char *sysroot)
{
	struct stat root, st;
	int fd = open(sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_r = (struct root){.fd = fd};
	ret_r->real = stat("/", &root) == 0 && fstat(fd, &st) == 0 && root.st_dev == st.st_dev &&
		      root.st_ino == st.st_ino;
	return 0;
}

void root_done(struct root *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

int root_open(const struct root *r, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT,
	};
	int fd = -1;

	while (*path == '/')
		path++;
	if (!*path)
		path = ".";
	/* A tree where somebody renames folders right now answers EAGAIN to "..". */
	for (int i = 0; i < 8; i++) {
		fd = r->real ? openat(r->fd, path, flags | O_CLOEXEC)
			     : (int)syscall(SYS_openat2, r->fd, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

int root_stat(const struct root *r, const char *path, struct stat *ret_st)
{
	_cleanup_close_ int fd = root_open(r, path, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, ret_st) < 0 ? -errno : 0;
}

bool root_exists(const struct root *r, const char *path)
{
	struct stat st;

	return root_stat(r, path, &st) == 0;
}

bool root_folder_removed(const struct root *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	struct stat st;

	return folder && root_stat(r, folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink == 0;
}

enum { FD_PATH_MAX = 32 };
static const char *fd_path(char out[FD_PATH_MAX], int fd)
{
	snprintf(out, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return out;
}

/* Looks before it opens: opening some devices does something (a watchdog starts). */
static int open_regular(const struct root *r, const char *path, int access)
{
	_cleanup_close_ int at = root_open(r, path, O_PATH);
	char self[FD_PATH_MAX];
	struct stat st;
	int fd;

	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd = open(fd_path(self, at), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static ssize_t read_some(int fd, char *buf, size_t n)
{
	ssize_t got;

	do
		got = read(fd, buf, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

int root_read(const struct root *r, const char *path, char *buf, size_t cap)
{
	_cleanup_close_ int fd = open_regular(r, path, O_RDONLY);
	size_t len = 0;

	if (fd < 0)
		return fd;
	while (len < cap) {
		ssize_t n = read_some(fd, buf + len, cap - len);

		if (n < 0)
			return (int)n;
		if (n == 0) {
			buf[len] = '\0';
			return (int)len;
		}
		len += (size_t)n;
	}
	return -EFBIG;
}

int root_read_span(
	const struct root *r, const char *path, char *buf, size_t cap, struct span *ret_text)
{
	int n = root_read(r, path, buf, cap);

	if (n >= 0)
		*ret_text = (struct span){buf, (size_t)n};
	return n;
}

int root_write(const struct root *r, const char *path, const char *text)
{
	_cleanup_close_ int fd = open_regular(r, path, O_WRONLY | O_TRUNC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Bytes of a file on their way to becoming lines. */
struct liner {
	bool (*line)(void *ctx, struct span line);
	void *ctx;
	size_t len;
	bool cut; /* the rest of a line that was too long is skipped */
	char buf[ROOT_LINE_MAX];
};

static bool liner_emit(struct liner *l, size_t len)
{
	bool more = l->cut || l->line(l->ctx, (struct span){l->buf, len});

	l->cut = false;
	return more;
}

/* Hands on the lines that are whole and moves the rest to the front. */
static bool liner_drain(struct liner *l)
{
	size_t start = 0;
	char *end;

	while ((end = memchr(l->buf + start, '\n', l->len - start)) != NULL) {
		size_t len = (size_t)(end - l->buf) - start;

		if (!l->cut && !l->line(l->ctx, (struct span){l->buf + start, len}))
			return false;
		l->cut = false;
		start += len + 1;
	}
	memmove(l->buf, l->buf + start, l->len - start);
	l->len -= start;
	if (l->len < sizeof(l->buf))
		return true;
	if (!liner_emit(l, l->len))
		return false;
	l->cut = true;
	l->len = 0;
	return true;
}

int root_each_line(const struct root *r, const char *path,
	bool (*line)(void *ctx, struct span line), void *ctx)
{
	_cleanup_close_ int fd = open_regular(r, path, O_RDONLY);
	struct liner l;
	size_t total = 0;

	if (fd < 0)
		return fd;
	l = (struct liner){.line = line, .ctx = ctx};
	while (total < ROOT_LINES_BYTES) {
		ssize_t n = read_some(fd, l.buf + l.len, sizeof(l.buf) - l.len);

		if (n < 0)
			return (int)n;
		if (n == 0) {
			if (l.len > 0)
				liner_emit(&l, l.len);
			return 0;
		}
		total += (size_t)n;
		l.len += (size_t)n;
		if (!liner_drain(&l))
			return 0;
	}
	return 0;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

int root_each_entry(const struct root *r, const char *path,
	bool (*entry)(void *ctx, const char *name), void *ctx)
{
	__attribute__((cleanup(close_dir))) DIR *dir = NULL;
	int fd = root_open(r, path, O_RDONLY | O_DIRECTORY);
	const struct dirent *e;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		int r_ = -errno;

		close(fd);
		return r_;
	}
	/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
	for (int i = 0; i < ROOT_ENTRIES_MAX && (e = readdir(dir)) != NULL; i++) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!entry(ctx, e->d_name))
			break;
	}
	return 0;
}

int root_connect(const struct root *r, const char *path)
{
	_cleanup_close_ int at = root_open(r, path, O_PATH), fd = -1;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char self[FD_PATH_MAX];
	struct stat st;

	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* by descriptor: the path may be longer than an address, and must not leave the root */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", fd_path(self, at));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}
