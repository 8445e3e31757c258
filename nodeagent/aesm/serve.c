/* SPDX-License-Identifier: Apache-2.0
 *
 * The clients of the AESM relay. Each sends one request and gets one answer, as AESM's library
 * does; each step (the request arrives, waits, is answered, the answer is taken) ends within the
 * timeout. Waiting and being answered have one each: a request that AESM is slow with could
 * otherwise use up the time of all who wait behind it. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "nodeagent/aesm/relay_private.h"

enum client_state {
	CLIENT_ARRIVING, /* its request does */
	CLIENT_WAITING,
	CLIENT_SERVED,   /* AESM has its request; connection is NULL when it did not wait for it */
	CLIENT_ANSWERED, /* and reads */
};

struct aesm_client {
	struct aesm_slot *slot;
	enum client_state state;
	sd_event_source *connection, *timer; /* connection owns its socket */
	struct aesm_frame frame;             /* the request, then the answer */
	TAILQ_ENTRY(aesm_client) link, wait;
};

enum result { OK, TIMEOUT, UNAVAILABLE, BROKEN, REJECTED, ABANDONED };
static const char *const results[] = {
	[OK] = "ok",
	[TIMEOUT] = "timeout",         /* AESM did not answer in time, or did not get to it */
	[UNAVAILABLE] = "unavailable", /* no connection to AESM */
	[BROKEN] = "broken",           /* AESM closed it, or answered what is no message */
	[REJECTED] = "rejected",       /* no message, too long, too slow, or too many wait */
	[ABANDONED] = "abandoned",     /* the client left before it had the answer */
};

void aesm_count_from_zero(struct metric *requests)
{
	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		metric_add(requests, 0, METRIC_VALUES("aesm", results[i]));
}

static void serve_next(struct aesm_relay *r);

/* --- bytes --- */

/* 1: the frame is complete; 0: more is to come; negative: the connection is of no more use. */
static int receive(int fd, struct aesm_frame *f)
{
	while (!aesm_frame_complete(f)) {
		void *p;
		size_t room = aesm_frame_room(f, &p);
		ssize_t n = recv(fd, p, room, MSG_DONTWAIT);
		int r;

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		r = aesm_frame_filled(f, (size_t)n, NULL);
		if (r)
			return r;
	}
	return 1;
}

/* 1: all of it is sent; 0: the rest when there is room; negative as above. */
static int pass_on(int fd, struct aesm_frame *f)
{
	struct span rest = aesm_frame_unsent(f);
	ssize_t n = send(fd, rest.p, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	f->sent += (size_t)n;
	return f->sent == f->size;
}

/* --- clients --- */

/* It no longer waits: its request is passed on, or it ends. */
static void unqueue(struct aesm_client *c)
{
	struct aesm_slot *slot = c->slot;

	if (c->state != CLIENT_WAITING)
		return;
	TAILQ_REMOVE(&slot->waiting, c, wait);
	if (--slot->n_waiting == 0 && slot->queued) {
		TAILQ_REMOVE(&slot->relay->queue, slot, turn);
		slot->queued = false;
	}
}

static void client_free(struct aesm_client *c)
{
	struct aesm_slot *slot = c->slot;

	unqueue(c);
	TAILQ_REMOVE(&slot->clients, c, link);
	slot->n_clients--;
	if (slot->listener)
		sd_event_source_set_enabled(slot->listener, SD_EVENT_ON);
	sd_event_source_disable_unref(c->connection);
	sd_event_source_disable_unref(c->timer);
	aesm_frame_free(&c->frame);
	free(c);
}

static void client_end(struct aesm_client *c, enum result result)
{
	metric_add(c->slot->relay->requests, 1, METRIC_VALUES("aesm", results[result]));
	client_free(c);
}

/* The next step, with a time of its own. */
static void client_enter(struct aesm_client *c, enum client_state state, uint32_t events)
{
	c->state = state;
	if (c->connection)
		sd_event_source_set_io_events(c->connection, events);
	sd_event_source_set_time_relative(c->timer, c->slot->relay->timeout_usec);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* --- AESM --- */

static void enqueue(struct aesm_slot *slot)
{
	struct aesm_relay *r = slot->relay;

	/* Whoever is being served gets in line when that is over, behind those who came then. */
	if (slot->queued || slot->n_waiting == 0 || (r->served && r->served->slot == slot))
		return;
	TAILQ_INSERT_TAIL(&r->queue, slot, turn);
	slot->queued = true;
}

/* AESM is done with what it was given, in whatever way. */
static void served(struct aesm_relay *r, enum result result)
{
	struct aesm_client *c = r->served;
	struct aesm_slot *slot = c->slot;

	r->served = NULL;
	r->upstream = sd_event_source_disable_unref(r->upstream);
	if (result == OK && c->connection) {
		aesm_frame_free(&c->frame);
		c->frame = r->answer;
		r->answer = (struct aesm_frame){.max = AESM_ANSWER_MAX};
		client_enter(c, CLIENT_ANSWERED, EPOLLOUT);
	} else {
		client_end(c, c->connection ? result : ABANDONED);
	}
	aesm_frame_free(&r->answer);
	enqueue(slot);
}

static int on_upstream(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct aesm_relay *r = ctx;
	struct aesm_frame *request = &r->served->frame;
	int n;

	(void)events;
	if (aesm_frame_unsent(request).len > 0) {
		n = pass_on(fd, request);
		if (n == 1)
			sd_event_source_set_io_events(source, EPOLLIN);
		if (n >= 0)
			return 0;
	} else {
		n = receive(fd, &r->answer);
		if (n == 0)
			return 0;
	}
	served(r, n == 1 ? OK : BROKEN);
	serve_next(r);
	return 0;
}

/* A connection for each request, as AESM's own library has it: an aesmd that was restarted is found
 * by the next one. */
static int upstream_connect(struct aesm_relay *r)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int n;

	if (fd < 0)
		return -errno;
	memcpy(to.sun_path, r->socket, strlen(r->socket) + 1);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	n = sd_event_add_io(r->event, &r->upstream, fd, EPOLLOUT, on_upstream, r);
	if (n < 0)
		return n;
	sd_event_source_set_io_fd_own(r->upstream, true);
	TAKE_FD(fd);
	return 0;
}

static void serve_next(struct aesm_relay *r)
{
	struct aesm_slot *slot;

	while (!r->served && (slot = TAILQ_FIRST(&r->queue))) {
		struct aesm_client *c = TAILQ_FIRST(&slot->waiting);

		unqueue(c);
		if (slot->queued) {
			TAILQ_REMOVE(&r->queue, slot, turn);
			slot->queued = false;
		}
		r->served = c;
		/* Nothing is read, and only a hang-up is told. */
		client_enter(c, CLIENT_SERVED, 0);
		if (upstream_connect(r))
			served(r, UNAVAILABLE);
	}
}

/* --- a client's events --- */

static void arrived(struct aesm_client *c)
{
	struct aesm_slot *slot = c->slot;

	if (slot->n_waiting >= slot->relay->max_waiting) {
		client_end(c, REJECTED);
		return;
	}
	TAILQ_INSERT_TAIL(&slot->waiting, c, wait);
	slot->n_waiting++;
	client_enter(c, CLIENT_WAITING, 0);
	enqueue(slot);
	serve_next(slot->relay);
}

/* Leaves AESM's answer to be waited for, unless there is none to come. */
static void client_left(struct aesm_client *c)
{
	if (c->state == CLIENT_SERVED)
		c->connection = sd_event_source_disable_unref(c->connection);
	else if (c->state == CLIENT_ARRIVING && c->frame.have == 0)
		client_free(c); /* asked for nothing */
	else
		client_end(c, c->state == CLIENT_ARRIVING ? REJECTED : ABANDONED);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct aesm_client *c = ctx;
	int n;

	(void)source;
	(void)events;
	switch (c->state) {
	case CLIENT_ARRIVING:
		n = receive(fd, &c->frame);
		if (n == 1)
			arrived(c);
		else if (n < 0)
			client_left(c);
		break;
	case CLIENT_WAITING:
	case CLIENT_SERVED:
		client_left(c);
		break;
	case CLIENT_ANSWERED:
		n = pass_on(fd, &c->frame);
		if (n)
			client_end(c, n == 1 ? OK : ABANDONED);
		break;
	}
	return 0;
}

static int on_client_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct aesm_client *c = ctx;
	struct aesm_relay *r = c->slot->relay;

	(void)source;
	(void)usec;
	if (c->state == CLIENT_SERVED) {
		served(r, TIMEOUT);
		serve_next(r);
	} else if (c->state == CLIENT_WAITING) {
		client_end(c, TIMEOUT);
	} else {
		client_left(c);
	}
	return 0;
}

void aesm_client_new(struct aesm_slot *slot, int fd_taken)
{
	_cleanup_close_ int fd = fd_taken;
	struct aesm_client *c = calloc(1, sizeof(*c));
	sd_event *event = slot->relay->event;

	if (!c)
		return;
	c->slot = slot;
	c->frame.max = AESM_REQUEST_MAX;
	TAILQ_INSERT_TAIL(&slot->clients, c, link);
	slot->n_clients++;
	if (sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC, slot->relay->timeout_usec,
		    0, on_client_time, c) < 0 ||
		sd_event_add_io(event, &c->connection, fd, EPOLLIN, on_client, c) < 0) {
		client_free(c);
		return;
	}
	sd_event_source_set_io_fd_own(c->connection, true);
	TAKE_FD(fd);
	if (slot->n_clients >= slot->relay->max_connections)
		sd_event_source_set_enabled(slot->listener, SD_EVENT_OFF);
}

void aesm_slot_disconnect(struct aesm_slot *slot)
{
	struct aesm_client *c = TAILQ_FIRST(&slot->clients);

	while (c) {
		struct aesm_client *next = TAILQ_NEXT(c, link);

		client_left(c);
		c = next;
	}
}

void aesm_serve_stop(struct aesm_relay *r)
{
	struct aesm_slot *slot;

	TAILQ_FOREACH(slot, &r->slots, link)
	while (!TAILQ_EMPTY(&slot->clients))
		client_free(TAILQ_FIRST(&slot->clients));
	r->served = NULL;
	r->upstream = sd_event_source_disable_unref(r->upstream);
	aesm_frame_free(&r->answer);
}
