/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/tcp.h>

enum { FAKE_CONNECTIONS = 32, FAKE_REQUESTS = 1024, FAKE_MAX = 64 << 20, FAKE_PAUSE_USEC = 500 };

struct fake_connection {
	int fd; /* -1: free; changed under lock */
	struct buf in;
	unsigned n; /* its last request; under lock */
};

struct fake_server {
	fake_fn fn;
	void *ctx;
	int listener, wake;
	uint16_t port;
	pthread_t thread;
	struct fake_connection connections[FAKE_CONNECTIONS];
	pthread_mutex_t lock; /* what follows */
	char *requests[FAKE_REQUESTS];
	unsigned n, accepted;
};

static void fake_close(struct fake_server *s, struct fake_connection *c)
{
	pthread_mutex_lock(&s->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&s->lock);
	buf_reset(&c->in);
}

static void fake_send(int fd, const struct fake_reply *r)
{
	for (size_t at = 0, n; at < r->data.len; at += n) {
		n = r->data.len - at;
		if (at < r->cut && n > r->cut - at)
			n = r->cut - at;
		else if (r->piece && n > r->piece)
			n = r->piece;
		if (send(fd, r->data.p + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			return;
		if (at + n < r->data.len)
			usleep(r->pause_usec ? r->pause_usec : FAKE_PAUSE_USEC);
	}
}

/* Bytes of a complete request at the start of in, 0 when more must come. */
static size_t fake_complete(const struct buf *in)
{
	const char *end = in->p ? strstr(in->p, "\r\n\r\n") : NULL, *length;
	size_t n;

	if (!end)
		return 0;
	n = (size_t)(end + 4 - in->p);
	length = strcasestr(in->p, "\r\nContent-Length:");
	if (length && length < end)
		n += strtoul(length + 17, NULL, 10);
	return n <= in->len ? n : 0;
}

static void fake_serve(struct fake_server *s, struct fake_connection *c)
{
	struct fake_reply reply = {.data = BUF_INIT(FAKE_MAX)};
	char *request, *copy;
	unsigned n;

	request = strndup(c->in.p, fake_complete(&c->in));
	copy = strdup(request);
	buf_reset(&c->in); /* no client of ours pipelines */
	pthread_mutex_lock(&s->lock);
	c->n = n = s->n;
	if (n < FAKE_REQUESTS) {
		s->requests[n] = copy;
		s->n++;
	} else {
		free(copy);
	}
	pthread_mutex_unlock(&s->lock);
	s->fn(s->ctx, n, request, &reply);
	fake_send(c->fd, &reply);
	if (reply.close)
		fake_close(s, c);
	buf_free(&reply.data);
	free(request);
}

static void fake_read(struct fake_server *s, struct fake_connection *c)
{
	char bytes[16384];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n <= 0) {
		fake_close(s, c);
		return;
	}
	buf_add(&c->in, bytes, (size_t)n);
	if (fake_complete(&c->in))
		fake_serve(s, c);
}

static void fake_accept(struct fake_server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC), one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	pthread_mutex_lock(&s->lock);
	s->accepted++;
	for (size_t i = 0; i < FAKE_CONNECTIONS && fd >= 0; i++)
		if (s->connections[i].fd < 0)
			s->connections[i].fd = TAKE_FD(fd);
	pthread_mutex_unlock(&s->lock);
	if (fd >= 0)
		close(fd);
}

static void *fake_run(void *userdata)
{
	struct fake_server *s = userdata;
	struct pollfd p[FAKE_CONNECTIONS + 2] = {
		[FAKE_CONNECTIONS] = {.fd = s->listener, .events = POLLIN},
		[FAKE_CONNECTIONS + 1] = {.fd = s->wake, .events = POLLIN},
	};

	for (;;) {
		for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
			p[i] = (struct pollfd){.fd = s->connections[i].fd, .events = POLLIN};
		if (poll(p, FAKE_CONNECTIONS + 2, -1) < 0 || p[FAKE_CONNECTIONS + 1].revents)
			return NULL;
		for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
			if (p[i].revents)
				fake_read(s, &s->connections[i]);
		if (p[FAKE_CONNECTIONS].revents)
			fake_accept(s);
	}
}

struct fake_server *fake_server_start(fake_fn fn, void *ctx)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct fake_server *s = calloc(1, sizeof(*s));
	socklen_t len = sizeof(a);

	if (!s)
		return NULL;
	s->fn = fn;
	s->ctx = ctx;
	s->wake = eventfd(0, EFD_CLOEXEC);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		s->connections[i] = (struct fake_connection){.fd = -1, .in = BUF_INIT(FAKE_MAX)};
	pthread_mutex_init(&s->lock, NULL);
	if (bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(s->listener, 64) < 0 ||
		getsockname(s->listener, (struct sockaddr *)&a, &len) < 0 ||
		pthread_create(&s->thread, NULL, fake_run, s) != 0) {
		close(s->listener);
		close(s->wake);
		free(s);
		return NULL;
	}
	s->port = ntohs(a.sin_port);
	return s;
}

uint16_t fake_server_port(const struct fake_server *s)
{
	return s->port;
}

unsigned fake_server_requests(struct fake_server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned fake_server_connections(struct fake_server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->accepted;
	pthread_mutex_unlock(&s->lock);
	return n;
}

char *fake_server_request(struct fake_server *s, unsigned n)
{
	char *request;

	pthread_mutex_lock(&s->lock);
	request = n < s->n ? strdup(s->requests[n]) : NULL;
	pthread_mutex_unlock(&s->lock);
	return request;
}

void fake_server_push(struct fake_server *s, unsigned n, const char *data, size_t len)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
		if (s->connections[i].fd >= 0 && s->connections[i].n == n)
			(void)!send(s->connections[i].fd, data, len, MSG_NOSIGNAL);
	pthread_mutex_unlock(&s->lock);
}

void fake_server_stop(struct fake_server *s)
{
	if (!s)
		return;
	eventfd_write(s->wake, 1);
	pthread_join(s->thread, NULL);
	for (size_t i = 0; i < FAKE_CONNECTIONS; i++) {
		if (s->connections[i].fd >= 0)
			close(s->connections[i].fd);
		buf_free(&s->connections[i].in);
	}
	for (unsigned i = 0; i < s->n; i++)
		free(s->requests[i]);
	pthread_mutex_destroy(&s->lock);
	close(s->listener);
	close(s->wake);
	free(s);
}

void fake_respond(struct fake_reply *r, int status, const char *headers, const char *body)
{
	buf_printf(&r->data, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status,
		strlen(body), headers ? headers : "", body);
}

void fake_stream(struct fake_reply *r, int status)
{
	buf_printf(&r->data, "HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n", status);
}

void fake_chunk(struct fake_reply *r, const char *text)
{
	buf_printf(&r->data, "%zx\r\n%s\r\n", strlen(text), text);
}

void fake_stream_end(struct fake_reply *r)
{
	buf_puts(&r->data, "0\r\n\r\n");
}
