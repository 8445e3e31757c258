/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "common/base/buf.h"
#include "common/base/cleanup.h"
#include "common/base/codec.h"
#include "common/base/io.h"
#include "common/kbs/delivery.h"
#include "nodeagent/kubelet/resource.h"

enum { PATH_BYTES = KEY_FOLDER_PATH_MAX + KEY_FOLDER_NAME + DELIVERY_FILE_MAX + 64 };

bool key_id_valid(const char *id)
{
	size_t prefix = strlen(KEY_ID_PREFIX), digits;
	char again[DEVICE_ID_MAX + 1];

	if (strncmp(id, KEY_ID_PREFIX, prefix) != 0)
		return false;
	digits = strspn(id + prefix, "0123456789");
	if (digits == 0 || digits > 4 || id[prefix + digits])
		return false;
	snprintf(again, sizeof(again), KEY_ID_PREFIX "%d", atoi(id + prefix));
	return strcmp(again, id) == 0 && atoi(id + prefix) < RESOURCE_DEVICES_MAX;
}

static bool name_valid(const char *name)
{
	return strlen(name) == KEY_FOLDER_NAME - 1 &&
	       strspn(name, "0123456789abcdef") == KEY_FOLDER_NAME - 1;
}

static int failed(struct error *err, const char *path, const char *what)
{
	int e = errno;

	return error_set(err, -e, "%s: cannot %s: %s", path, what, strerror(e));
}

/* Whatever the umask. Stays the same one when it is there: a container that has it mounted would
 * not see another. */
static int make_dir(const char *path, mode_t mode, struct error *err)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return failed(err, path, "make the folder");
	if (lstat(path, &st) < 0)
		return failed(err, path, "look at the folder");
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "%s: not a folder; remove it", path);
	return chmod(path, mode) < 0 ? failed(err, path, "set the folder's mode") : 0;
}

int key_folders_init(struct key_folders *f, const char *dir, const char *state, struct error *err)
{
	struct statfs fs;
	int r;

	if (strlen(dir) >= sizeof(f->dir) || strlen(state) >= sizeof(f->state))
		return error_set(err, -ENAMETOOLONG,
			"%s, %s: folders of keys have paths of at most %zu bytes", dir, state,
			sizeof(f->dir) - 1);
	*f = (struct key_folders){0};
	strcpy(f->dir, dir);
	strcpy(f->state, state);
	/* Only root of the node passes; what a container is given is mounted. */
	r = make_dir(f->dir, 0700, err);
	if (r == 0)
		r = make_dir(f->state, 0700, err);
	if (r < 0)
		return r;
	f->memory = statfs(f->dir, &fs) == 0 && ((unsigned long)fs.f_type == TMPFS_MAGIC ||
							(unsigned long)fs.f_type == RAMFS_MAGIC);
	return 0;
}

/* What the mounts below a read-only one need to be there already. */
static int furnish(const struct key_folders *f, const char *name, struct error *err)
{
	static const char *const dirs[] = {"", "/" DELIVERY_FILES_NAME, "/" DELIVERY_TOKEN_NAME};
	char path[PATH_BYTES];
	int r = 0, fd;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", f->dir, name, dirs[i]);
		r = make_dir(path, 0755, err);
	}
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s/" DELIVERY_EXEC_NAME, f->dir, name);
	/* Nothing to write to what is there: without capabilities root may not. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return errno == EEXIST ? 0 : failed(err, path, "make it");
	close(fd);
	return 0;
}

/* --- removing --- */

static void remove_entries(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *e;

	if (!dir) {
		close(dir_fd);
		return;
	}
	/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			unlinkat(dirfd(dir), e->d_name, 0) < 0)
			unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	closedir(dir);
}

static void empty_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		remove_entries(fd);
}

void key_folders_empty(const struct key_folders *f, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/" DELIVERY_FILES_NAME, f->dir, name);
	empty_dir(path);
}

static void remove_folder(const struct key_folders *f, const char *name)
{
	char path[PATH_BYTES];

	key_folders_empty(f, name);
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	empty_dir(path);
	rmdir(path);
}

/* --- which id has which --- */

static int read_link(const struct key_folders *f, const char *id, char ret_name[KEY_FOLDER_NAME])
{
	char path[PATH_BYTES], name[KEY_FOLDER_NAME + 1];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", f->state, id);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return -errno;
	name[n] = '\0';
	if (!name_valid(name))
		return -EBADMSG;
	memcpy(ret_name, name, KEY_FOLDER_NAME);
	return 0;
}

/* It is on the disk when this returns: what the kubelet is answered it remembers. */
static int sync_state(const struct key_folders *f)
{
	_cleanup_close_ int fd = open(f->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_link(
	const struct key_folders *f, const char *id, const char *name, struct error *err)
{
	char path[PATH_BYTES], next[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", f->state, id);
	snprintf(next, sizeof(next), "%s/.next", f->state);
	if (unlink(next) < 0 && errno != ENOENT)
		return failed(err, next, "remove it");
	if (symlink(name, next) < 0 || rename(next, path) < 0 || sync_state(f) < 0)
		return failed(err, path, "note the allocation");
	return 0;
}

static int random_name(char ret[KEY_FOLDER_NAME], struct error *err)
{
	_cleanup_buf_ struct buf hex = BUF_INIT(KEY_FOLDER_NAME);
	unsigned char bytes[(KEY_FOLDER_NAME - 1) / 2];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return error_set(err, -EIO, "no randomness for a folder's name");
	if (codec_hex(&hex, bytes, sizeof(bytes)) < 0)
		return error_oom(err);
	memcpy(ret, hex.p, KEY_FOLDER_NAME);
	return 0;
}

int key_folders_renew(const struct key_folders *f, const char *id, char ret_name[KEY_FOLDER_NAME],
	struct error *err)
{
	char earlier[KEY_FOLDER_NAME], name[KEY_FOLDER_NAME];
	bool had = read_link(f, id, earlier) == 0;
	int r = random_name(name, err);

	if (r == 0)
		r = furnish(f, name, err);
	if (r < 0)
		return r;
	r = write_link(f, id, name, err);
	if (r < 0) {
		remove_folder(f, name);
		return r;
	}
	if (had)
		remove_folder(f, earlier);
	memcpy(ret_name, name, KEY_FOLDER_NAME);
	return 0;
}

void key_folders_forget(const struct key_folders *f, const char *id, const char *name)
{
	char path[PATH_BYTES], now[KEY_FOLDER_NAME];

	if (read_link(f, id, now) == 0 && strcmp(now, name) == 0) {
		snprintf(path, sizeof(path), "%s/%s", f->state, id);
		unlink(path);
	}
	remove_folder(f, name);
}

/* Calls fn with the name of each entry of dir. */
static int each_entry(const char *dir, int (*fn)(void *ctx, const char *entry, struct error *err),
	void *ctx, struct error *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d)
		return failed(err, dir, "read the folder");
	/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
	while (r == 0 && (e = readdir(d)))
		r = fn(ctx, e->d_name, err);
	closedir(d);
	return r;
}

struct walk {
	const struct key_folders *f;
	int (*fn)(void *ctx, const char *id, const char *name, struct error *err);
	bool (*known)(void *ctx, const char *name);
	void *ctx;
};

static int take_over(void *ctx, const char *entry, struct error *err)
{
	struct walk *w = ctx;
	char name[KEY_FOLDER_NAME];
	int r;

	if (!key_id_valid(entry) || read_link(w->f, entry, name) < 0)
		return 0;
	r = furnish(w->f, name, err);
	return r < 0 ? r : w->fn(w->ctx, entry, name, err);
}

int key_folders_each(const struct key_folders *f,
	int (*fn)(void *ctx, const char *id, const char *name, struct error *err), void *ctx,
	struct error *err)
{
	struct walk w = {.f = f, .fn = fn, .ctx = ctx};

	return each_entry(f->state, take_over, &w, err);
}

static int sweep(void *ctx, const char *entry, struct error *err)
{
	struct walk *w = ctx;

	(void)err;
	if (name_valid(entry) && !w->known(w->ctx, entry))
		remove_folder(w->f, entry);
	return 0;
}

int key_folders_sweep(const struct key_folders *f, bool (*known)(void *ctx, const char *name),
	void *ctx, struct error *err)
{
	struct walk w = {.f = f, .known = known, .ctx = ctx};

	return each_entry(f->dir, sweep, &w, err);
}

/* --- files --- */

/* next becomes path when it is complete. */
static int replace_file(
	const char *path, const char *next, mode_t mode, struct span content, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (unlink(next) < 0 && errno != ENOENT)
		return failed(err, next, "remove it");
	fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failed(err, next, "make it");
	if (io_write(fd, content) < 0 || fchmod(fd, mode) < 0 || rename(next, path) < 0) {
		int r = failed(err, path, "write it");

		unlink(next);
		return r;
	}
	return 0;
}

int key_folders_put(const struct key_folders *f, const char *name, const char *file,
	struct span content, struct error *err)
{
	char path[PATH_BYTES], next[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/" DELIVERY_FILES_NAME "/%s", f->dir, name, file);
	/* No promised file's name begins with a dot. */
	snprintf(next, sizeof(next), "%s/%s/" DELIVERY_FILES_NAME "/.next", f->dir, name);
	return replace_file(path, next, 0444, content, err);
}

/* Beside what the container is given: for the agent itself. */
static int note(const struct key_folders *f, const char *name, const char *what,
	struct span content, struct error *err)
{
	char path[PATH_BYTES], next[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/%s", f->dir, name, what);
	snprintf(next, sizeof(next), "%s/%s/.next", f->dir, name);
	return replace_file(path, next, 0400, content, err);
}

int key_folders_own(
	const struct key_folders *f, const char *name, const char *uid, struct error *err)
{
	return note(f, name, ".owner", span_str(uid), err);
}

int key_folders_hold(
	const struct key_folders *f, const char *name, struct span held, struct error *err)
{
	return note(f, name, ".held", held, err);
}

int key_folders_held(const struct key_folders *f, const char *name, struct buf *out)
{
	char path[PATH_BYTES];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s/.held", f->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return io_read(fd, out);
}

void key_folders_owner(const struct key_folders *f, const char *name, char ret_uid[KEY_OWNER_MAX])
{
	char path[PATH_BYTES];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s/.owner", f->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? 0 : read(fd, ret_uid, KEY_OWNER_MAX - 1);
	ret_uid[n > 0 ? n : 0] = '\0';
}

int key_folders_program(const struct key_folders *f, const char *from,
	char ret_path[KEY_FOLDER_PATH_MAX + 32], struct error *err)
{
	enum { PROGRAM_MAX = 32 << 20 };
	_cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf content = BUF_INIT(PROGRAM_MAX);
	char next[PATH_BYTES];

	if (fd < 0 || (io_read(fd, &content) < 0 && !content.err))
		return failed(err, from, "read it");
	if (content.err)
		return error_set(err, content.err, "%s: larger than a program may be", from);
	snprintf(ret_path, KEY_FOLDER_PATH_MAX + 32, "%s/" DELIVERY_EXEC_NAME, f->state);
	snprintf(next, sizeof(next), "%s/.program", f->state);
	return replace_file(ret_path, next, 0555, buf_view(&content), err);
}
