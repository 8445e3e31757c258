/* SPDX-License-Identifier: Apache-2.0
 *
 * A server whose connections the program's own event loop serves: libmicrohttpd has no thread then,
 * and its epoll descriptor is one of the loop's. Only the acceptor has a thread still. A handler
 * that needs what the loop's thread alone may touch answers without that any thread wakes another:
 * those wake-ups cost more than many a request. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/net/server_private.h"

enum {
	TURNS_MAX = 8, /* before others on the loop have theirs */
	IDLE_TURNS = 2,
	/* Then: after this, and after so many times what a turn takes. */
	PAUSE_USEC = 5 * USEC_PER_MSEC,
	PAUSE_FACTOR = 20,
};

/* Looks again although nothing tells it to, but not at once. */
static void turn_later(struct server *s, int64_t began)
{
	int64_t now = clock_monotonic_usec();
	int64_t at = now + PAUSE_USEC + PAUSE_FACTOR * (now - began);

	if (sd_event_source_set_time(s->later, (uint64_t)at) < 0 ||
		sd_event_source_set_enabled(s->later, SD_EVENT_ONESHOT) < 0)
		server_turn_soon(s);
}

/* Does what can be done now. There may be more of which no descriptor tells: libmicrohttpd says so,
 * but also of each connection whose handshake waits for its client, which would keep a core busy:
 * those are looked at when their descriptor tells, or a moment later. */
static void turn(struct server *s)
{
	struct MHD_Daemon *d = s->workers[0].daemon;
	int idle = 0;

	for (int i = 0; i < TURNS_MAX; i++) {
		int64_t began = clock_monotonic_usec();
		uint64_t moved = tls_moved();
		MHD_UNSIGNED_LONG_LONG wait = 0;

		MHD_run(d);
		if (MHD_get_timeout(d, &wait) != MHD_YES || wait > 0)
			return;
		idle = !s->tls || tls_moved() != moved ? 0 : idle + 1;
		if (idle == IDLE_TURNS) {
			turn_later(s, began);
			return;
		}
	}
	server_turn_soon(s);
}

/* Once more in this loop's next round. libmicrohttpd has no descriptor of its own that would tell
 * of connections that were resumed, as it has for its threads. */
void server_turn_soon(struct server *s)
{
	if (s->again)
		sd_event_source_set_enabled(s->again, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *ctx)
{
	(void)source;
	(void)fd;
	(void)revents;
	turn(ctx);
	return 0;
}

static int on_again(sd_event_source *source, void *ctx)
{
	(void)source;
	turn(ctx);
	return 0;
}

static int on_later(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	turn(ctx);
	return 0;
}

static struct http_exchange *next_arrival(struct server *s)
{
	struct http_exchange *x = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->arriving)
		for (x = s->head; x && x->handed_over; x = x->next)
			;
	if (x) {
		x->handed_over = true;
		s->arriving--;
	}
	pthread_mutex_unlock(&s->lock);
	return x;
}

static void take_arrivals(void *ctx)
{
	struct server *s = ctx;
	struct http_exchange *x;

	while ((x = next_arrival(s)))
		server_hand_over(x);
	turn(s);
}

/* Where one call waits already, it takes this one too. */
void server_arrive(struct server *s)
{
	(void)loop_post(s->arrivals, take_arrivals, s);
}

int server_join_loop(struct server *s, sd_event *event, struct error *err)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(s->workers[0].daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r = info ? loop_queue_new(&s->arrivals, event, 1) : -EIO;

	if (r == 0)
		r = sd_event_add_io(event, &s->ready, info->epoll_fd, EPOLLIN, on_ready, s);
	if (r >= 0)
		r = sd_event_add_defer(event, &s->again, on_again, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->again, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(
			event, &s->later, CLOCK_MONOTONIC, UINT64_MAX, 1, on_later, s);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

void server_await(struct server *s, int64_t until)
{
	if (!s->ready) {
		server_wait_changed(s, until);
		return;
	}
	/* Who waits is the loop itself. */
	pthread_mutex_unlock(&s->lock);
	take_arrivals(s);
	MHD_run_wait(s->workers[0].daemon, SERVER_TURN_MSEC);
	pthread_mutex_lock(&s->lock);
}

/* With nobody left who would post. */
void server_leave_loop(struct server *s)
{
	if (!s->arrivals)
		return; /* the list is the threads' as well */
	s->again = sd_event_source_disable_unref(s->again);
	s->later = sd_event_source_disable_unref(s->later);
	s->ready = sd_event_source_disable_unref(s->ready);
	loop_queue_free(TAKE_PTR(s->arrivals));
	for (struct http_exchange *x = s->head; x; x = x->next)
		if (!x->handed_over)
			close(x->fd);
}
