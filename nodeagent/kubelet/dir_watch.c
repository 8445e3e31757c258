/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/dir_watch.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define MASK_SELF  (IN_DELETE_SELF | IN_MOVE_SELF)
#define MASK_ENTRY (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM)

enum { ARM_TRIES = 16 }; /* while folders come and go between looking and watching */

struct dir_watch {
	struct dir_watch_options o;
	char *path;
	char *next; /* of the folder watched, the entry on the way to path; or NULL */
	sd_event *event;
	sd_event_source *source; /* inotify, of path or of a folder above */
	sd_event_source *timer;  /* to watch anew, and to poll */
};

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *ctx);

static int watch(struct dir_watch *w, const char *path)
{
	return sd_event_add_inotify(
		w->event, &w->source, path, MASK_SELF | MASK_ENTRY | IN_ONLYDIR, on_inotify, w);
}

/* The folder above path that exists and is nearest; again when what was missing has come since. */
static int watch_above(struct dir_watch *w)
{
	_cleanup_free_ char *above = strdup(w->path);
	char *slash;
	struct stat st;
	int r = above ? -ENOENT : -ENOMEM;

	while (r == -ENOENT && (slash = strrchr(above, '/'))) {
		free(w->next);
		w->next = strdup(slash + 1);
		if (!w->next)
			return -ENOMEM;
		*slash = '\0';
		r = watch(w, above[0] ? above : "/");
		if (r >= 0) {
			*slash = '/';
			if (stat(above, &st) < 0)
				return 0;
			w->source = sd_event_source_disable_unref(w->source);
			return -EAGAIN;
		}
	}
	return r;
}

static int arm_timer(struct dir_watch *w, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(w->timer, usec);

	if (r >= 0)
		r = sd_event_source_set_time_accuracy(w->timer, usec / 8 + 1);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
	return r;
}

/* Watches path, else above it, else polls. */
static int arm(struct dir_watch *w)
{
	int r = -EAGAIN;

	w->source = sd_event_source_disable_unref(w->source);
	if (w->o.poll_usec)
		return arm_timer(w, (uint64_t)w->o.poll_usec);
	for (int i = 0; i < ARM_TRIES && r == -EAGAIN; i++) {
		free(w->next);
		w->next = NULL;
		r = watch(w, w->path);
		if (r == -ENOENT)
			r = watch_above(w);
	}
	return r < 0 ? arm_timer(w, DIR_WATCH_POLL_USEC) : r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct dir_watch *w = ctx;

	(void)source;
	(void)usec;
	arm(w);
	w->o.look(w->o.ctx);
	return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *ctx)
{
	struct dir_watch *w = ctx;

	(void)source;
	if (e->mask & (MASK_SELF | IN_IGNORED | IN_UNMOUNT))
		return arm_timer(w, 0);
	if (e->mask & IN_Q_OVERFLOW)
		w->o.look(w->o.ctx);
	if (e->len == 0)
		return 0;
	if (!w->next)
		w->o.entry(w->o.ctx, e->name, e->mask & (IN_CREATE | IN_MOVED_TO));
	else if (strcmp(e->name, w->next) == 0)
		return arm_timer(w, 0);
	return 0;
}

int dir_watch_new(struct dir_watch **ret_w, sd_event *event, const struct dir_watch_options *o,
	struct error *err)
{
	_cleanup_(dir_watch_free_p) struct dir_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_oom(err);
	w->o = *o;
	w->event = sd_event_ref(event);
	w->path = strdup(o->path);
	if (!w->path)
		return error_oom(err);
	r = sd_event_add_time_relative(
		event, &w->timer, CLOCK_MONOTONIC, UINT64_MAX / 2, 0, on_timer, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = arm(w);
	if (r < 0)
		return error_set(err, r, "%s: cannot be watched: %s", o->path, strerror(-r));
	*ret_w = TAKE_PTR(w);
	return 0;
}

void dir_watch_free(struct dir_watch *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->source);
	sd_event_source_disable_unref(w->timer);
	sd_event_unref(w->event);
	free(w->next);
	free(w->path);
	free(w);
}

void dir_watch_renew(struct dir_watch *w)
{
	arm_timer(w, 0);
}
