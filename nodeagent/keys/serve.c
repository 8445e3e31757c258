/* SPDX-License-Identifier: Apache-2.0
 *
 * The clients of key sockets. Each sends one request and gets one answer; that the request arrives,
 * and that the answer is taken, ends within the timeout. Tokens and keys are in secrets throughout.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "nodeagent/keys/keys_private.h"

enum { LENGTH_BYTES = 4 };

enum client_state {
	CLIENT_ARRIVING, /* its request does */
	CLIENT_WAITING,  /* for its keys */
	CLIENT_ANSWERED, /* and reads */
};

struct key_client {
	struct key_slot *slot;
	enum client_state state;
	sd_event_source *connection, *timer; /* connection owns its socket */
	unsigned char length[LENGTH_BYTES];
	size_t have;           /* bytes of the length */
	struct secret request; /* its room is the length */
	struct secret answer;
	size_t sent;
	struct key_job *job;
	TAILQ_ENTRY(key_client) link;
};

static void client_free(struct key_client *c)
{
	struct key_slot *slot = c->slot;

	key_job_cancel(c->job);
	TAILQ_REMOVE(&slot->clients, c, link);
	slot->n_clients--;
	if (slot->listener)
		sd_event_source_set_enabled(slot->listener, SD_EVENT_ON);
	sd_event_source_disable_unref(c->connection);
	sd_event_source_disable_unref(c->timer);
	secret_free(&c->request);
	secret_free(&c->answer);
	free(c);
}

static void client_answer(struct key_client *c)
{
	c->state = CLIENT_ANSWERED;
	secret_free(&c->request);
	sd_event_source_set_io_events(c->connection, EPOLLOUT);
	sd_event_source_set_time_relative(c->timer, (uint64_t)c->slot->k->o.timeout_usec);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void on_keys(void *ctx, const struct secret *keys, const struct key_promise *what,
	const struct key_refusal *why)
{
	struct key_client *c = ctx;
	const char *key = why && why->key < what->keys.n ? what->keys.v[why->key] : "";
	int r;

	c->job = NULL;
	if (why)
		r = key_answer_refusal(&c->answer, why->again, why->reason, why->message, key);
	else
		r = key_answer_keys(&c->answer, keys, what->keys.n);
	if (r < 0)
		client_free(c);
	else
		client_answer(c);
}

static void refuse(struct key_client *c, const char *reason, const char *message)
{
	if (key_answer_refusal(&c->answer, false, reason, message, "") < 0)
		client_free(c);
	else
		client_answer(c);
}

/* The request is here. */
static void arrived(struct key_client *c)
{
	_cleanup_key_request_ struct key_request q = {0};
	const struct key_job_options o = {
		.token = &q.token, .keys = &q.keys, .done = on_keys, .ctx = c};
	struct error err = {0};
	int r = key_request_read(&q, secret_view(&c->request), &err);

	secret_free(&c->request);
	sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (r == 0)
		r = key_job_new(&c->job, c->slot, &o, &err);
	if (r < 0) {
		refuse(c, r == -EBADMSG ? "Malformed" : "Internal", err.message);
		return;
	}
	c->state = CLIENT_WAITING;
	/* Nothing is read, and only a hang-up is told. */
	sd_event_source_set_io_events(c->connection, 0);
}

/* 1: complete; 0: more is to come; negative: of no more use. */
static int receive(struct key_client *c, int fd)
{
	while (!c->request.p || c->request.len < c->request.cap) {
		bool head = !c->request.p;
		void *p = head ? (void *)(c->length + c->have) : c->request.p + c->request.len;
		size_t room = head ? LENGTH_BYTES - c->have : c->request.cap - c->request.len;
		ssize_t n = recv(fd, p, room, MSG_DONTWAIT);
		size_t length = 0;

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (!head) {
			c->request.len += (size_t)n;
			continue;
		}
		c->have += (size_t)n;
		if (c->have < LENGTH_BYTES)
			continue;
		for (size_t i = 0; i < LENGTH_BYTES; i++)
			length = length << 8 | c->length[i];
		if (length == 0 || length > DELIVERY_REQUEST_MAX)
			return -EMSGSIZE;
		if (secret_init(&c->request, length) < 0)
			return -ENOMEM;
	}
	return 1;
}

static void send_answer(struct key_client *c, int fd)
{
	ssize_t n = send(
		fd, c->answer.p + c->sent, c->answer.len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		c->sent += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || c->sent == c->answer.len)
		client_free(c);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct key_client *c = ctx;
	int r;

	(void)source;
	(void)events;
	if (c->state == CLIENT_ANSWERED) {
		send_answer(c, fd);
		return 0;
	}
	r = c->state == CLIENT_ARRIVING ? receive(c, fd) : -ECONNRESET;
	if (r == 1)
		arrived(c);
	else if (r == -EMSGSIZE)
		refuse(c, "Malformed", "the request is too long: ask for fewer keys");
	else if (r < 0)
		client_free(c);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	client_free(ctx);
	return 0;
}

void key_client_new(struct key_slot *slot, int fd_taken)
{
	_cleanup_close_ int fd = fd_taken;
	struct key_client *c = calloc(1, sizeof(*c));
	sd_event *event = slot->k->o.event;

	if (!c)
		return;
	c->slot = slot;
	TAILQ_INSERT_TAIL(&slot->clients, c, link);
	slot->n_clients++;
	if (sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC,
		    (uint64_t)slot->k->o.timeout_usec, 0, on_time, c) < 0 ||
		sd_event_add_io(event, &c->connection, fd, EPOLLIN, on_client, c) < 0) {
		client_free(c);
		return;
	}
	sd_event_source_set_io_fd_own(c->connection, true);
	TAKE_FD(fd);
	if (slot->n_clients >= KEYS_CLIENTS_MAX)
		sd_event_source_set_enabled(slot->listener, SD_EVENT_OFF);
}

void key_clients_close(struct key_slot *slot)
{
	while (!TAILQ_EMPTY(&slot->clients))
		client_free(TAILQ_FIRST(&slot->clients));
}
