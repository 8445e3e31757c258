/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts as files of a folder: records, NAME.keys, and wrapped key-encryption keys. A new text is
 * written beside the old one, made durable and renamed over it; writers (the daemon, commands)
 * exclude each other by a lock on the folder. What a writer that died left is no record, and goes
 * with the next write of that name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/base/algorithm.h"
#include "common/base/io.h"
#include "webhook/broker/store_private.h"

enum { SUFFIX_MAX = 8, SETTLED_SEC = 2 };

struct files {
	char *directory;
	char suffix[SUFFIX_MAX];
	int fd; /* the folder */
};

struct file_name {
	char text[KEY_RECORD_NAME_MAX + SUFFIX_MAX + 8];
};

static struct file_name name_of(const char *name, const char *suffix)
{
	struct file_name n;

	snprintf(n.text, sizeof(n.text), "%s%s", name, suffix);
	return n;
}

static int failed(const struct files *f, const char *file, int code, struct error *err)
{
	return error_set(err, code, "%s/%s: %s", f->directory, file, strerror(-code));
}

static void revision_of(char ret[KEY_REVISION_MAX], struct span text)
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};

	EVP_Digest(text.p, text.len, digest, NULL, algorithm_sha256(), NULL);
	for (size_t i = 0; i < 16; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static int files_read(void *self, const char *name, struct buf *text,
	char revision[KEY_REVISION_MAX], struct error *err)
{
	const struct files *f = self;
	struct file_name file = name_of(name, f->suffix);
	_cleanup_close_ int fd = openat(f->fd, file.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : io_read(fd, text);

	if (r < 0)
		return failed(f, file.text, r, err);
	revision_of(revision, buf_view(text));
	return 0;
}

/* A text is replaced by another file, so that at least the time of its change is another one; but
 * the kernel counts that in ticks. */
static bool files_stamp(void *self, const char *name, struct store_stamp *ret)
{
	const struct files *f = self;
	struct file_name file = name_of(name, f->suffix);
	struct timespec now;
	struct stat st;

	if (fstatat(f->fd, file.text, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		clock_gettime(CLOCK_REALTIME, &now) < 0 ||
		now.tv_sec < st.st_ctim.tv_sec + SETTLED_SEC)
		return false;
	*ret = (struct store_stamp){0};
	memcpy(ret->bytes,
		&(uint64_t[]){st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
			(uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
			(uint64_t)st.st_ctim.tv_nsec},
		6 * sizeof(uint64_t));
	return true;
}

DEFINE_CLEANUP(DIR *, closedir)

static int files_each(
	void *self, int (*fn)(void *ctx, const char *name), void *ctx, struct error *err)
{
	const struct files *f = self;
	size_t tail = strlen(f->suffix);
	_cleanup_(closedir_p) DIR *dir = opendir(f->directory);
	const struct dirent *entry;

	if (!dir)
		return failed(f, ".", -errno, err);
	/* cppcheck-suppress readdirCalled */
	while ((entry = readdir(dir))) {
		struct file_name name;
		size_t n = strlen(entry->d_name);
		int r;

		if (n <= tail || n >= sizeof(name.text) || entry->d_name[0] == '.' ||
			strcmp(entry->d_name + n - tail, f->suffix) != 0)
			continue;
		snprintf(name.text, n - tail + 1, "%s", entry->d_name);
		r = fn(ctx, name.text);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The text is durable under its name, or the old one stays. */
static int replace(const struct files *f, const char *name, struct span text)
{
	struct file_name file = name_of(name, f->suffix), fresh = name_of(name, ".new");
	_cleanup_close_ int fd = -1;
	int r;

	if (unlinkat(f->fd, fresh.text, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(f->fd, fresh.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = io_write(fd, text);
	if (r == 0 && (fsync(fd) < 0 || renameat(f->fd, fresh.text, f->fd, file.text) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlinkat(f->fd, fresh.text, 0);
		return r;
	}
	return fsync(f->fd) < 0 ? -errno : 0;
}

/* -EEXIST unless the file is as it was read. */
static int compare(struct files *f, const char *name, const char *revision)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEY_RECORD_BYTES_MAX + 1024);
	char now[KEY_REVISION_MAX] = "";
	int r = files_read(f, name, &text, now, NULL);

	if (r < 0 && r != -ENOENT && r != -E2BIG)
		return r;
	return strcmp(now, revision) == 0 && r != -E2BIG ? 0 : -EEXIST;
}

static int files_write(void *self, const char *name, const char *revision, struct span text,
	const struct key_owner *owner, key_store_written written, void *ctx, struct error *err)
{
	struct files *f = self;
	struct file_name file = name_of(name, f->suffix);
	_cleanup_close_ int lock = openat(f->fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct error why = {0};
	int r;

	(void)owner;
	do
		r = lock < 0 || flock(lock, LOCK_EX) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r < 0)
		return failed(f, ".lock", r, err);
	r = compare(f, name, revision);
	if (r == 0 && text.p)
		r = replace(f, name, text);
	else if (r == 0 && (unlinkat(f->fd, file.text, 0) < 0 || fsync(f->fd) < 0))
		r = -errno;
	if (r == -EEXIST)
		error_set(&why, r, "%s was changed meanwhile: try again", name);
	else if (r < 0)
		failed(f, file.text, r, &why);
	written(ctx, r, &why);
	return 0;
}

static const char *files_problem(void *self)
{
	(void)self;
	return "";
}

static void files_free(void *self)
{
	struct files *f = self;

	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->directory);
	free(f);
}

static int open_directory(struct files *f, struct error *err)
{
	struct stat st;

	if (mkdir(f->directory, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "%s: %m", f->directory);
	f->fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", f->directory);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, -EACCES,
			"%s: mode %04o lets others write keys; chmod 0700 it", f->directory,
			st.st_mode & 07777);
	return 0;
}

int store_files_open(
	struct store_place *ret, const char *directory, const char *suffix, struct error *err)
{
	struct files *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return error_oom(err);
	f->fd = -1;
	snprintf(f->suffix, sizeof(f->suffix), "%s", suffix);
	f->directory = strdup(directory);
	r = f->directory ? open_directory(f, err) : error_oom(err);
	if (r < 0) {
		files_free(f);
		return r;
	}
	*ret = (struct store_place){.self = f,
		.read = files_read,
		.stamp = files_stamp,
		.each = files_each,
		.write = files_write,
		.problem = files_problem,
		.free = files_free};
	return 0;
}
