/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/settle.h"
#include "common/net/file_watch.h"

struct daemon_loop {
	struct daemon_options options;
	sd_event *event;
	struct metric *reloads;
	struct file_watch *files;
	bool stopping;
};

static void reload(void *ctx)
{
	struct daemon_loop *d = ctx;
	struct error err = {0};
	const char *file = "";
	bool ok;

	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_monotonic_usec());
	ok = d->options.take_config(d->options.ctx, &file, &err) == 0;
	if (ok)
		log_info(2, "Reloaded the configuration", LOG_STR("file", file));
	else
		log_error(err.message, "Refused the new configuration; the running one stays");
	metric_add(d->reloads, 1, METRIC_VALUES(ok ? "success" : "failure"));
	sd_notify(false, "READY=1");
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *ctx)
{
	(void)source;
	(void)info;
	reload(ctx);
	return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *ctx)
{
	struct daemon_loop *d = ctx;

	(void)source;
	if (d->stopping)
		return 0;
	d->stopping = true;
	sd_notify(false, "STOPPING=1");
	return d->options.stop(d->options.ctx, (int)info->ssi_signo);
}

static int setup(struct daemon_loop *d)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	r = sd_event_default(&d->event);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGTERM, on_stop, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, on_stop, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGHUP, on_reload, d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, true);
	return r < 0 ? r : 0;
}

static int fail_loop(struct error *err, int r)
{
	return error_set(err, r, "event loop: %s", strerror(-r));
}

int daemon_loop_new(struct daemon_loop **ret_d, const struct daemon_options *o, struct error *err)
{
	_cleanup_(daemon_loop_free_p) struct daemon_loop *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_oom(err);
	d->options = *o;
	r = setup(d);
	if (r < 0)
		return fail_loop(err, r);
	*ret_d = TAKE_PTR(d);
	return 0;
}

void daemon_loop_free(struct daemon_loop *d)
{
	if (!d)
		return;
	file_watch_free(d->files);
	sd_event_unref(d->event);
	free(d);
}

sd_event *daemon_loop_event(const struct daemon_loop *d)
{
	return d->event;
}

void daemon_loop_count(struct daemon_loop *d, struct metrics *m, const char *name)
{
	static const char *const labels[] = {"result", NULL};

	d->reloads = metrics_counter(m, name, "Reloads of the configuration by result.", labels);
	/* Alerts look for an increase, which a counter born with its first count has none of. */
	metric_add(d->reloads, 0, METRIC_VALUES("success"));
	metric_add(d->reloads, 0, METRIC_VALUES("failure"));
}

int daemon_loop_watch(struct daemon_loop *d, const char *const *paths, struct error *err)
{
	return *paths ? file_watch_new(&d->files, d->event, paths, reload, d, err) : 0;
}

int daemon_loop_run(struct daemon_loop *d, struct error *err)
{
	int r = sd_event_loop(d->event);

	return r < 0 ? fail_loop(err, r) : r;
}

void daemon_ready(void)
{
	settle_memory();
	sd_notify(false, "READY=1");
}

void daemon_log(int format, int64_t verbosity)
{
	log_setup(&(struct log_options){
		.format = (enum log_format)format,
		.verbosity = (int)verbosity,
		.fd = STDERR_FILENO,
	});
}
