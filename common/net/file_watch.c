/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/file_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* Several files that belong together are written one after the other. */
#define QUIET_USEC (uint64_t)200000

struct file_watch {
	sd_event_source *sources[FILE_WATCH_MAX];
	sd_event_source *timer;
	void (*changed)(void *ctx);
	void *ctx;
};

static int on_quiet(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct file_watch *w = ctx;

	(void)source;
	(void)usec;
	w->changed(w->ctx);
	return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *ctx)
{
	struct file_watch *w = ctx;

	(void)source;
	(void)event;
	sd_event_source_set_time_relative(w->timer, QUIET_USEC);
	return sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

/* The folder to watch: files are replaced by rename, so it is their folder that sees it. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return strdup(path);
	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int file_watch_new(struct file_watch **ret_w, sd_event *event, const char *const *paths,
	void (*changed)(void *ctx), void *ctx, struct error *err)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM;
	_cleanup_(file_watch_free_p) struct file_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_oom(err);
	w->changed = changed;
	w->ctx = ctx;
	r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, UINT64_MAX / 2, 0,
		on_quiet, w);
	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	for (size_t i = 0; i < FILE_WATCH_MAX && paths[i]; i++) {
		_cleanup_free_ char *folder = folder_of(paths[i]);

		if (!folder)
			return error_oom(err);
		r = sd_event_add_inotify(event, &w->sources[i], folder, mask, on_inotify, w);
		if (r < 0)
			return error_set(err, r, "%s: cannot watch for changes: %s", folder,
				strerror(-r));
	}
	*ret_w = TAKE_PTR(w);
	return 0;
}

void file_watch_free(struct file_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < FILE_WATCH_MAX; i++)
		sd_event_source_disable_unref(w->sources[i]);
	sd_event_source_disable_unref(w->timer);
	free(w);
}
