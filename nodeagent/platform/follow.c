/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/base/cleanup.h"

enum {
	READ_MAX = 8192, /* bytes at once */
	READS_MAX = 16,  /* before the loop has its turn */
	TRIES_MAX = 8,   /* while the folders change under our hands */
};

/* A folder above tells of one name alone. */
static const uint32_t above_mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
static const uint32_t self_mask = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD;

int follows_init(struct follows *f)
{
	*f = (struct follows){.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	return f->inotify < 0 ? -errno : 0;
}

void follows_done(struct follows *f)
{
	if (f->inotify >= 0)
		close(f->inotify);
	f->inotify = -1;
}

/* The folder of path above its first len characters; the root is "/". */
static size_t parent_of(const char *path, size_t len)
{
	while (len > 1 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len;
}

static int open_folder(const struct follow *one, size_t len)
{
	char path[PLATFORM_PATH_MAX];

	snprintf(path, sizeof(path), "%.*s", (int)len, one->path);
	return root_open(one->root, path, O_PATH | O_DIRECTORY);
}

/* The nearest folder that exists. */
static int open_nearest(const struct follow *one, size_t *ret_len)
{
	size_t len = strlen(one->path);

	for (;;) {
		int fd = open_folder(one, len);

		if (fd >= 0 || len <= 1) {
			*ret_len = len;
			return fd;
		}
		len = parent_of(one->path, len);
	}
}

static bool is_there(const struct follow *one)
{
	return one->path[one->watched] == '\0';
}

/* The watch of the folder fd, or -errno. */
static int add_watch(const struct follows *f, int fd, uint32_t mask)
{
	char self[32];
	int wd;

	/* by descriptor: the path must not leave the root */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(f->inotify, self, mask | self_mask);
	return wd < 0 ? -errno : wd;
}

static void drop_watch(struct follows *f, int wd)
{
	if (wd < 0)
		return;
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].wd == wd || f->v[i].up == wd)
			return;
	inotify_rm_watch(f->inotify, wd);
}

/* Watches what exists of the path now, and what is above it. */
static int watch_nearest(struct follows *f, struct follow *one)
{
	_cleanup_close_ int fd = -1, above = -1;
	int wd = one->wd, up = one->up, r;

	fd = open_nearest(one, &one->watched);
	if (fd < 0)
		return fd;
	r = one->wd = add_watch(f, fd, is_there(one) ? one->mask : above_mask);
	one->up = -1;
	if (r >= 0 && one->watched > 1) {
		above = open_folder(one, parent_of(one->path, one->watched));
		if (above >= 0)
			r = one->up = add_watch(f, above, above_mask);
	}
	if (wd != one->wd && wd != one->up)
		drop_watch(f, wd);
	if (up != one->wd && up != one->up)
		drop_watch(f, up);
	return r < 0 ? r : 0;
}

static int resolve(struct follows *f, struct follow *one)
{
	one->dirty = false;
	for (int i = 0; i < TRIES_MAX; i++) {
		_cleanup_close_ int again = -1;
		size_t now;
		int r = watch_nearest(f, one);

		if (r < 0)
			return r;
		/* the next folder may have come before the watch did */
		again = open_nearest(one, &now);
		if (again >= 0 && now == one->watched)
			break;
	}
	return 0;
}

int follows_add(struct follows *f, const struct follow *one)
{
	int r;

	if (f->n == FOLLOW_MAX)
		return -ENOBUFS;
	f->v[f->n] = *one;
	f->v[f->n].wd = f->v[f->n].up = -1;
	r = resolve(f, &f->v[f->n++]);
	return r;
}

/* Whether name is the one that follows the first len characters of path. */
static bool follows_in(const char *path, size_t len, struct span name)
{
	const char *next = path + len;

	while (*next == '/')
		next++;
	return name.len > 0 && strncmp(next, name.p, name.len) == 0 &&
	       (next[name.len] == '/' || next[name.len] == '\0');
}

static void tell(const struct follow *one, struct follows_news *news)
{
	news->changed = true;
	news->aesm = news->aesm || one->aesm;
}

/* An event of what is watched of the path. */
static void take_own(struct follow *one, uint32_t mask, struct span name, struct follows_news *news)
{
	if (mask & IN_IGNORED)
		one->wd = -1;
	if (mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
		one->dirty = true;
		if (is_there(one))
			tell(one, news);
	} else if (!is_there(one)) {
		one->dirty = one->dirty || follows_in(one->path, one->watched, name);
	} else if (mask & one->mask && (!one->cares || one->cares(name))) {
		tell(one, news);
	}
}

/* An event of the folder above it. */
static void take_above(
	struct follow *one, uint32_t mask, struct span name, struct follows_news *news)
{
	if (mask & IN_IGNORED)
		one->up = -1;
	else if (!follows_in(one->path, parent_of(one->path, one->watched), name))
		return;
	one->dirty = true;
	if (is_there(one))
		tell(one, news);
}

static void take_events(struct follows *f, const char *buf, size_t len, struct follows_news *news)
{
	const struct inotify_event *e;
	struct span name;

	for (size_t at = 0; at + sizeof(*e) <= len; at += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(const void *)(buf + at);
		f->overflow = f->overflow || e->mask & IN_Q_OVERFLOW;
		name = e->len ? span_str(e->name) : SPAN_NONE;
		for (size_t i = 0; i < f->n; i++) {
			if (f->v[i].wd == e->wd)
				take_own(&f->v[i], e->mask, name, news);
			if (f->v[i].up == e->wd)
				take_above(&f->v[i], e->mask, name, news);
		}
	}
}

void follows_read(struct follows *f, struct follows_news *ret_news)
{
	char buf[READ_MAX] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct follows_news news = {0};

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(f->inotify, buf, sizeof(buf));

		if (n <= 0)
			break;
		take_events(f, buf, (size_t)n, &news);
	}
	/* whatever was lost may have been about anything */
	if (f->overflow)
		news.changed = news.aesm = true;
	for (size_t i = 0; i < f->n; i++) {
		if (!f->v[i].dirty && !f->overflow)
			continue;
		resolve(f, &f->v[i]);
		if (is_there(&f->v[i]))
			tell(&f->v[i], &news);
	}
	f->overflow = false;
	*ret_news = news;
}
