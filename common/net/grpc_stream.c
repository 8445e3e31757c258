/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of a call. It lives until it is cancelled or its done returns. */
#include <stdio.h>

#include "common/net/grpc_private.h"
#include "common/net/grpc_wire.h"

struct grpc_stream {
	struct grpc_flow f; /* f.s NULL: done runs */
	void (*message_received)(void *ctx, struct span message);
	void (*done)(void *ctx, enum grpc_status status, const char *message);
	void *ctx;
	unsigned http;   /* status; 0: none yet */
	bool grpc;       /* the content type is */
	bool has_status; /* grpc-status came */
	enum grpc_status status;
	struct buf text; /* decoded */
};

static struct grpc_stream *stream_of(struct grpc_flow *f)
{
	return (struct grpc_stream *)f;
}

static void stream_free(struct grpc_stream *st)
{
	buf_free(&st->text);
	free(st);
}

/* Unlinks it, and resets what is still open of it. */
static void stream_leave(struct grpc_stream *st, uint32_t code)
{
	struct grpc_session *s = st->f.s;
	int32_t id = st->f.id;

	grpc_flow_unlink(&st->f);
	nghttp2_submit_rst_stream(s->h2, NGHTTP2_FLAG_NONE, id, code);
	grpc_session_wake(s);
}

/* Tells the user about the end of st, which is unlinked, and frees it. */
static void stream_done(struct grpc_stream *st, enum grpc_status status, const char *text)
{
	if (st->done)
		st->done(st->ctx, status, text);
	stream_free(st);
}

/* Not the server's own end. */
static void stream_fail(struct grpc_stream *st, enum grpc_status status, const char *text)
{
	stream_leave(st, NGHTTP2_CANCEL);
	stream_done(st, status, text);
}

static unsigned parse_http_status(struct span value)
{
	unsigned n = 0;

	for (size_t i = 0; i < value.len && i < 3; i++)
		n = n * 10 + (unsigned)(value.p[i] - '0'); /* nghttp2 has seen to the digits */
	return n;
}

static void stream_header(struct grpc_flow *f, struct span name, struct span value)
{
	struct grpc_stream *st = stream_of(f);

	if (span_is(name, ":status")) {
		st->http = parse_http_status(value);
	} else if (span_is(name, "content-type")) {
		st->grpc = grpc_content_type(value);
	} else if (span_is(name, "grpc-status")) {
		st->has_status = true;
		st->status = grpc_status_parse(value);
	} else if (span_is(name, "grpc-message")) {
		buf_reset(&st->text);
		grpc_text_decode(&st->text, value);
	}
}

static void refuse_message(struct grpc_stream *st, int code)
{
	char text[64];

	switch (code) {
	case -EMSGSIZE:
		snprintf(text, sizeof(text), "the message has more than %zu bytes", st->f.in.max);
		stream_fail(st, GRPC_RESOURCE_EXHAUSTED, text);
		break;
	case -EOPNOTSUPP:
		stream_fail(st, GRPC_INTERNAL, "the server sent a compressed message");
		break;
	case -EBADMSG:
		stream_fail(st, GRPC_INTERNAL, "the message's first byte is neither 0 nor 1");
		break;
	case -ENOBUFS:
		stream_fail(st, GRPC_RESOURCE_EXHAUSTED,
			"the connection's incomplete answers are too large");
		break;
	default:
		stream_fail(st, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	}
}

static void stream_data(struct grpc_flow *f, struct span bytes)
{
	struct grpc_stream *st = stream_of(f);
	struct grpc_session *s = f->s;
	int32_t id = f->id;
	struct scrub message;
	int r;

	if (!st->grpc)
		return;
	while (bytes.len) {
		r = grpc_flow_feed(f, &bytes);
		if (r < 0)
			refuse_message(st, r);
		if (r <= 0)
			return;
		message = grpc_flow_take(f);
		if (st->message_received)
			st->message_received(st->ctx, scrub_view(&message));
		scrub_free(&message);
		/* The user may have cancelled, or closed everything. */
		if (s->closed || grpc_flow_of(s, id) != f)
			return;
	}
}

/* The server has said everything. */
static void stream_end(struct grpc_stream *st)
{
	bool sent = nghttp2_session_get_stream_local_close(st->f.s->h2, st->f.id) == 1;
	bool begun = grpc_message_begun(&st->f.in);
	enum grpc_status status;
	char text[64];

	if (sent)
		grpc_flow_unlink(&st->f);
	else
		stream_leave(st, NGHTTP2_NO_ERROR);
	if (st->has_status && st->grpc) {
		if (st->status == GRPC_OK && begun)
			stream_done(st, GRPC_INTERNAL, "the answer ends inside a message");
		else
			stream_done(st, st->status, st->text.p ? st->text.p : "");
	} else if (st->http != 200 || !st->grpc) {
		status = grpc_status_of_http(st->http);
		snprintf(text, sizeof(text), "the answer is not gRPC (HTTP status %u)", st->http);
		stream_done(st, status, text);
	} else {
		stream_done(st, GRPC_INTERNAL, "the answer ends without a status");
	}
}

static void stream_frame(struct grpc_flow *f, bool headers, bool end)
{
	struct grpc_stream *st = stream_of(f);

	if (headers && f->header_bytes > GRPC_HEADERS_MAX)
		stream_fail(st, GRPC_RESOURCE_EXHAUSTED, "the answer's headers are too long");
	else if (end)
		stream_end(st);
}

static void stream_expire(struct grpc_flow *f)
{
	stream_fail(stream_of(f), GRPC_DEADLINE_EXCEEDED, "no answer before the deadline");
}

static void stream_closed(struct grpc_session *s, struct grpc_flow *f, uint32_t code, bool tell)
{
	struct grpc_stream *st = stream_of(f);
	char text[96];

	if (!tell) {
		stream_free(st);
	} else if (s->closed) {
		stream_done(st, GRPC_UNAVAILABLE, grpc_session_why(s));
	} else if (code == NGHTTP2_CANCEL && f->deadline_usec <= s->now_usec) {
		/* The server's timer was faster than ours. */
		stream_done(st, GRPC_DEADLINE_EXCEEDED, "no answer before the deadline");
	} else {
		snprintf(text, sizeof(text), "the server ended the call (%s)",
			nghttp2_http2_strerror(code));
		stream_done(st, grpc_status_of_reset(code), text);
	}
}

const struct grpc_role grpc_client_role = {
	.header = stream_header,
	.data = stream_data,
	.frame = stream_frame,
	.expire = stream_expire,
	.closed = stream_closed,
};

static int submit_request(struct grpc_stream *st, const struct grpc_stream_options *o)
{
	nghttp2_data_provider data = grpc_flow_data();
	char timeout[GRPC_TIMEOUT_TEXT_MAX];
	nghttp2_nv fields[] = {
		grpc_field(":method", "POST", 4),
		grpc_field(":scheme", "http", 4),
		grpc_field(":path", o->path, strlen(o->path)),
		grpc_field(":authority", "localhost", 9),
		grpc_field("content-type", "application/grpc", 16),
		grpc_field("te", "trailers", 8),
		grpc_field("user-agent", "casemate", 8),
		grpc_field("grpc-timeout", timeout, 0),
	};
	size_t n = ARRAY_SIZE(fields) - 1;

	if (o->timeout_usec > 0) {
		grpc_timeout_format(timeout, o->timeout_usec);
		fields[n++].valuelen = strlen(timeout);
	}
	return nghttp2_submit_request(st->f.s->h2, NULL, fields, n, &data, st);
}

int grpc_session_start(struct grpc_session *s, const struct grpc_stream_options *o,
	int64_t now_usec, struct grpc_stream **ret_stream, struct error *err)
{
	struct grpc_stream *st;
	int r;

	if (s->over || !nghttp2_session_check_request_allowed(s->h2))
		return error_set(err, -ESHUTDOWN, "%s: %s", o->path, grpc_session_why(s));
	if (s->n_flows >= GRPC_STREAMS_MAX)
		return error_set(
			err, -EBUSY, "%s: %d calls are under way", o->path, GRPC_STREAMS_MAX);
	st = calloc(1, sizeof(*st));
	if (!st)
		return error_oom(err);
	st->message_received = o->message_received;
	st->done = o->done;
	st->ctx = o->ctx;
	st->text = BUF_INIT(GRPC_STATUS_TEXT_MAX);
	st->f.last = true;
	st->f.s = s;
	r = grpc_flow_add(&st->f, o->message);
	if (r == 0) {
		r = submit_request(st, o);
		if (r < 0) {
			grpc_flow_drop_out(&st->f);
			r = -ENOMEM;
		}
	}
	if (r < 0) {
		free(st);
		return error_set(err, r, "%s: %s", o->path, strerror(-r));
	}
	s->now_usec = now_usec;
	st->f.deadline_usec = o->timeout_usec > 0 ? now_usec + o->timeout_usec : INT64_MAX;
	grpc_flow_link(&st->f, s, r);
	grpc_session_wake(s);
	if (ret_stream)
		*ret_stream = st;
	return 0;
}

void grpc_cancel(struct grpc_stream *st)
{
	if (!st || !st->f.s)
		return;
	stream_leave(st, NGHTTP2_CANCEL);
	stream_free(st);
}
