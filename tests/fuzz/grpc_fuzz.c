/* SPDX-License-Identifier: Apache-2.0
 *
 * gRPC without IO: a server or a client (first byte), driven by steps: bytes from the peer, frames
 * and requests that are well formed but for what the input says, time that passes, output that is
 * taken or not, and what handlers and callers do meanwhile. Callbacks come as often as they are
 * promised, and what is held stays within the named limits. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/grpc_private.h"
#include "common/net/grpc_wire.h"

enum {
	MESSAGE_MAX = 2000,
	HELD_MAX = 256, /* calls or streams of one run */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

struct run;

struct held { /* a call, or a stream */
	struct run *run;
	struct grpc_call *call;
	struct grpc_stream *stream;
	bool gone; /* closed, finished, done or cancelled */
};

struct run {
	struct grpc_session *s;
	struct held held[HELD_MAX];
	size_t n_held;
	int64_t now;
	bool closed; /* no callback may come */
	const uint8_t *p;
	size_t left;
};

static uint8_t next(struct run *r)
{
	if (r->left == 0)
		return 0;
	r->left--;
	return *r->p++;
}

static struct span take(struct run *r, size_t n)
{
	struct span bytes = {(const char *)r->p, n < r->left ? n : r->left};

	r->p += bytes.len;
	r->left -= bytes.len;
	return bytes;
}

/* What a session holds adds up, and has its limits. */
static void check(struct run *r)
{
	struct grpc_session *s = r->s;
	size_t n = 0, unsent = 0, unread = 0;

	for (struct grpc_flow *f = s->flows; f; f = f->next, n++) {
		require(f->s == s && (!f->next || f->next->prev == f));
		unread += f->in.body.len;
		for (struct grpc_chunk *c = f->out; c; c = c->next) {
			require(c->sent < c->len && (c->next || c == f->out_last));
			unsent += c->len - c->sent;
		}
		require(f->out || !f->out_last);
	}
	require(n == s->n_flows && n <= GRPC_STREAMS_MAX);
	require(unsent == s->unsent && unsent <= GRPC_UNSENT_MAX);
	/* The last message may go beyond. */
	require(unread == s->unread && unread <= 3 * MESSAGE_MAX);
	require(!s->closed || (s->over && n == 0));
	require(!s->over || s->why[0]);
}

/* --- server --- */

static void on_closed(void *ctx)
{
	struct held *h = ctx;

	require(!h->run->closed && !h->gone);
	h->gone = true;
	/* Tolerated: it does nothing. */
	require(grpc_reply(h->call, SPAN_NONE) == -EPIPE);
	grpc_finish(h->call, GRPC_OK, "late");
}

static struct held *hold(struct run *r)
{
	struct held *h = r->n_held < HELD_MAX ? &r->held[r->n_held++] : NULL;

	require(!r->closed);
	if (h)
		*h = (struct held){.run = r};
	return h;
}

static void handle_hold(void *ctx, struct grpc_call *call, struct span message)
{
	struct held *h = hold(ctx);

	require(message.len <= MESSAGE_MAX);
	if (!h) {
		grpc_finish(call, GRPC_RESOURCE_EXHAUSTED, NULL);
		return;
	}
	h->call = call;
	grpc_call_on_closed(call, on_closed, h);
}

/* Does not want to be told: stays valid, whatever happens. */
static void handle_zombie(void *ctx, struct grpc_call *call, struct span message)
{
	struct held *h = hold(ctx);

	require(message.len <= MESSAGE_MAX);
	if (h)
		h->call = call;
	else
		grpc_finish(call, GRPC_ABORTED, NULL);
}

static void handle_echo(void *ctx, struct grpc_call *call, struct span message)
{
	char text[MESSAGE_MAX + 1];

	require(!((struct run *)ctx)->closed && message.len <= MESSAGE_MAX);
	for (size_t n = message.len ? (unsigned char)message.p[0] % 8 : 1; n; n--)
		grpc_reply(call, message);
	snprintf(text, sizeof(text), "%.*s", (int)message.len, message.p);
	grpc_finish(call, GRPC_OK, message.len ? text : NULL);
}

static const struct grpc_method methods[] = {
	{"/a.B/Echo", handle_echo},
	{"/a.B/Hold", handle_hold},
	{"/a.B/Zombie", handle_zombie},
};

/* --- client --- */

static void on_message(void *ctx, struct span message)
{
	struct held *h = ctx;

	require(!h->run->closed && !h->gone && message.len <= MESSAGE_MAX);
	if (message.len == 1 && message.p[0] == 'c') {
		h->gone = true;
		grpc_cancel(h->stream);
	}
}

static void on_done(void *ctx, enum grpc_status status, const char *message)
{
	struct held *h = ctx;

	require(!h->run->closed && !h->gone);
	require((unsigned)status <= GRPC_UNAUTHENTICATED);
	require(strlen(message) <= GRPC_STATUS_TEXT_MAX && !strpbrk(message, "\n\r\x1b\x7f"));
	grpc_cancel(h->stream); /* tolerated: it does nothing */
	h->gone = true;
}

static void start(struct run *r)
{
	struct grpc_stream_options o = {
		.path = methods[next(r) % ARRAY_SIZE(methods)].path,
		.timeout_usec = (int64_t)(next(r) % 4) * 300 * USEC_PER_MSEC,
		.message_received = on_message,
		.done = on_done,
	};
	struct held *h = r->closed ? NULL : hold(r);
	int code;

	if (!h)
		return;
	o.message = take(r, next(r));
	o.ctx = h;
	code = grpc_session_start(r->s, &o, r->now, &h->stream, NULL);
	require(code == 0 || code == -ESHUTDOWN || code == -EBUSY);
	h->gone = code < 0;
}

/* What a handler or a caller does about one it holds. */
static void act(struct run *r)
{
	uint8_t what = next(r);
	struct held *h = r->n_held ? &r->held[next(r) % r->n_held] : NULL;

	if (!h || h->gone)
		return;
	if (h->stream) {
		h->gone = true;
		grpc_cancel(h->stream);
	} else if (what % 2) {
		grpc_reply(h->call, take(r, next(r)));
	} else {
		h->gone = true;
		grpc_finish(h->call, (enum grpc_status)(what / 2 % 17), "za\xc3\xbc!%\n");
	}
}

/* --- the peer --- */

static void receive(struct run *r, struct span bytes)
{
	grpc_session_receive(r->s, bytes, r->now);
}

/* A frame whose length is right. */
static void frame(struct run *r, uint8_t type, uint8_t flags, uint8_t id, struct span payload)
{
	char head[9] = {0, (char)(payload.len >> 8), (char)payload.len, (char)type, (char)flags, 0,
		0, 0, (char)id};

	receive(r, (struct span){head, sizeof(head)});
	receive(r, payload);
}

static size_t literal(char *p, const char *name, struct span value)
{
	size_t n = strlen(name);

	p[0] = 0;
	p[1] = (char)n;
	memcpy(p + 2, name, n);
	p[2 + n] = (char)value.len;
	memcpy(p + 3 + n, value.p, value.len);
	return 3 + n + value.len;
}

/* A request's headers, or (client) an answer's, as good as the input lets them be. */
static void headers(struct run *r)
{
	static const char *const names[] = {"grpc-status", "grpc-message", "grpc-timeout",
		"content-type", "grpc-encoding", "te", ":authority", "x"};
	uint8_t what = next(r), id = next(r), flags = next(r);
	bool server = r->s->role == &grpc_server_role;
	char block[1024];
	size_t n = 0;

	if (server) {
		block[n++] = (char)0x83; /* :method POST */
		block[n++] = (char)0x86; /* :scheme http */
		n += literal(
			block + n, ":path", span_str(methods[what % ARRAY_SIZE(methods)].path));
	} else if (what & 1) {
		block[n++] = (char)(0x88 + what / 2 % 7); /* :status */
	}
	if (what & 0x40)
		n += literal(block + n, "content-type", SPAN_LIT("application/grpc"));
	for (uint8_t k = what >> 4 & 3; k; k--) {
		const char *name = names[next(r) % ARRAY_SIZE(names)];

		n += literal(block + n, name, take(r, next(r) % 64));
	}
	frame(r, NGHTTP2_HEADERS, (flags & NGHTTP2_FLAG_END_STREAM) | NGHTTP2_FLAG_END_HEADERS, id,
		(struct span){block, n});
}

static void message(struct run *r)
{
	uint8_t id = next(r), flags = next(r);
	unsigned char whole[GRPC_PREFIX_LEN + 255];
	struct span body = take(r, next(r));

	grpc_message_prefix(whole, (uint32_t)body.len);
	if (body.len)
		memcpy(whole + GRPC_PREFIX_LEN, body.p, body.len);
	frame(r, NGHTTP2_DATA, flags & NGHTTP2_FLAG_END_STREAM, id,
		(struct span){(char *)whole, GRPC_PREFIX_LEN + body.len});
}

static void any_frame(struct run *r)
{
	uint8_t type = next(r), flags = next(r), id = next(r);

	frame(r, type, flags, id, take(r, next(r)));
}

static void output(struct run *r, size_t n)
{
	char out[4096];

	while (n) {
		size_t k = grpc_session_send(r->s, out, n < sizeof(out) ? n : sizeof(out));

		if (k == 0)
			break;
		n -= k;
	}
}

static void step(struct run *r)
{
	switch (next(r) % 10) {
	case 0:
		receive(r, take(r, next(r)));
		break;
	case 1:
		receive(r, take(r, (size_t)next(r) << 8 | next(r)));
		break;
	case 2:
		r->now += (int64_t)next(r) * 100 * USEC_PER_MSEC;
		grpc_session_tick(r->s, r->now);
		require(grpc_session_deadline(r->s) > r->now);
		break;
	case 3:
		output(r, next(r));
		break;
	case 4:
		output(r, SIZE_MAX);
		break;
	case 5:
		if (r->s->role == &grpc_client_role && next(r) % 2)
			start(r);
		else
			act(r);
		break;
	case 6:
		headers(r);
		break;
	case 7:
		message(r);
		break;
	case 8:
		any_frame(r);
		break;
	default:
		if (next(r) == 0xee)
			grpc_session_shut(r->s);
	}
}

/* The texts alone. */
static void texts(struct span in)
{
	struct buf decoded = BUF_INIT(GRPC_STATUS_TEXT_MAX), encoded = BUF_INIT(1 << 16);
	char text[GRPC_TIMEOUT_TEXT_MAX];
	int64_t usec, again;

	require(grpc_text_decode(&decoded, in) == 0);
	if (decoded.p) {
		require(grpc_text_encode(&encoded, decoded.p) == 0);
		for (size_t i = 0; i < encoded.len; i++)
			require(encoded.p[i] >= 0x20 && encoded.p[i] < 0x7f);
		buf_reset(&decoded);
		require(grpc_text_decode(&decoded, buf_view(&encoded)) == 0);
	}
	if (grpc_timeout_parse(in, &usec) == 0 && usec > 0) {
		grpc_timeout_format(text, usec);
		require(grpc_timeout_parse(span_str(text), &again) == 0 && again >= usec);
	}
	buf_free(&decoded);
	buf_free(&encoded);
}

static void finish_run(struct run *r, bool tell)
{
	grpc_session_close(r->s, "the end", tell);
	r->closed = true;
	require(grpc_session_over(r->s));
	receive(r, SPAN_LIT("\0\0\0\4\0\0\0\0\0"));
	grpc_session_tick(r->s, r->now + 1000LL * USEC_PER_SEC);
	output(r, SIZE_MAX);
	check(r);
	for (size_t i = 0; i < r->n_held; i++) {
		struct held *h = &r->held[i];

		if (h->call && !h->gone) /* only those who did not want to be told */
			grpc_finish(h->call, GRPC_OK, NULL);
		require(!h->stream || h->gone || !tell);
	}
	grpc_session_free(r->s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span greeting = {
		NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0\0", NGHTTP2_CLIENT_MAGIC_LEN + 9};
	static struct run r;
	struct grpc_session_options o = {.ctx = &r, .max_message = MESSAGE_MAX};
	uint8_t mode;

	r = (struct run){.p = data, .left = size, .now = USEC_PER_SEC};
	mode = next(&r);
	if (mode % 8 == 7) {
		texts(take(&r, r.left));
		return 0;
	}
	if (mode & 1) {
		o.methods = methods;
		o.n_methods = ARRAY_SIZE(methods);
	}
	if (grpc_session_new(&r.s, &o, r.now) < 0)
		return 0;
	if (mode & 2) {
		size_t skip = mode & 1 ? 0 : NGHTTP2_CLIENT_MAGIC_LEN;

		receive(&r, (struct span){greeting.p + skip, greeting.len - skip});
		frame(&r, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, SPAN_NONE);
		output(&r, SIZE_MAX);
	}
	while (r.left) {
		step(&r);
		check(&r);
	}
	finish_run(&r, mode & 1 || mode & 8);
	return 0;
}
