/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's side of a call. It lives as long as the stream, as the handler holds it, or as its
 * closed runs, whichever is longest. */
#include <stdio.h>

#include "common/net/grpc_private.h"
#include "common/net/grpc_wire.h"

enum {
	TEXT_ENCODED_MAX = 3 * GRPC_STATUS_TEXT_MAX,
	PATH_SHOWN_MAX = 128,
};

struct grpc_call {
	struct grpc_flow f;
	const struct grpc_method *method; /* NULL: unknown */
	char *path;                       /* of an unknown one, cut */
	bool post, grpc, bad_timeout;     /* of the headers */
	int64_t timeout_usec, end_usec;   /* the client's deadline; INT64_MAX: none */
	bool opened;                      /* the headers are complete */
	bool whole;                       /* so is the message in f.in */
	bool complete;                    /* so is the request */
	bool held;                        /* the handler has it: to finish it, or to be told */
	bool telling;                     /* closed runs */
	bool answered;                    /* the answer's headers are on their way */
	bool concluded;                   /* so is its status */
	enum grpc_status status;
	struct buf text; /* encoded */
	void (*closed)(void *ctx);
	void *ctx;
};

static struct grpc_call *call_of(struct grpc_flow *f)
{
	return (struct grpc_call *)f;
}

static void call_release(struct grpc_call *c)
{
	if (c->f.s || c->held || c->telling)
		return;
	free(c->path);
	buf_free(&c->text);
	free(c);
}

/* Tells the handler that its call is gone, if it wants to know. */
static void call_tell(struct grpc_call *c)
{
	if (!c->held || !c->closed)
		return;
	c->held = false;
	c->telling = true;
	c->closed(c->ctx);
	c->telling = false;
}

/* Resets the stream, with which nothing else will happen. */
static void call_reset(struct grpc_call *c)
{
	nghttp2_session *h2 = c->f.s->h2;
	int32_t id = c->f.id;

	grpc_flow_unlink(&c->f);
	nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	call_tell(c);
	call_release(c);
}

/* Adds grpc-status and what explains it; returns how many there are now. */
static size_t add_status(
	const struct grpc_call *c, char number[static 4], nghttp2_nv *fields, size_t n)
{
	snprintf(number, 4, "%u", (unsigned)c->status % 100);
	fields[n++] = grpc_field("grpc-status", number, strlen(number));
	if (c->text.len)
		fields[n++] = grpc_field("grpc-message", c->text.p, c->text.len);
	return n;
}

static int submit_headers(struct grpc_call *c, const char *http_status, bool end)
{
	nghttp2_data_provider data = grpc_flow_data();
	nghttp2_nv fields[5];
	char number[4];
	size_t n = 0;

	fields[n++] = grpc_field(":status", http_status, strlen(http_status));
	fields[n++] = grpc_field("content-type", "application/grpc", strlen("application/grpc"));
	if (end) {
		/* Who was refused for compressing learns what to do. */
		if (c->status == GRPC_UNIMPLEMENTED)
			fields[n++] = grpc_field("grpc-accept-encoding", "identity", 8);
		n = add_status(c, number, fields, n);
	}
	return nghttp2_submit_response(c->f.s->h2, c->f.id, fields, n, end ? NULL : &data);
}

static int call_trailers(struct grpc_flow *f)
{
	nghttp2_nv fields[2];
	char number[4];

	return nghttp2_submit_trailer(
		f->s->h2, f->id, fields, add_status(call_of(f), number, fields, 0));
}

/* Decides how the call ends. */
static void call_conclude(
	struct grpc_call *c, const char *http_status, enum grpc_status status, const char *text)
{
	c->concluded = true;
	c->status = status;
	c->text = BUF_INIT(TEXT_ENCODED_MAX);
	grpc_text_encode(&c->text, text);
	c->f.last = true;
	if (!c->answered && submit_headers(c, http_status, true) < 0)
		grpc_session_fail(c->f.s, "out of memory");
	c->answered = true;
	grpc_flow_resume(&c->f);
}

static int call_begin(struct grpc_session *s, int32_t id)
{
	struct grpc_call *c = calloc(1, sizeof(*c));

	if (!c || nghttp2_session_set_stream_user_data(s->h2, id, c) < 0) {
		free(c);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	c->timeout_usec = c->end_usec = INT64_MAX;
	c->f.deadline_usec = s->now_usec + GRPC_REQUEST_USEC;
	grpc_flow_link(&c->f, s, id);
	return 0;
}

static void find_method(struct grpc_call *c, struct span path)
{
	const struct grpc_session_options *o = &c->f.s->o;

	for (size_t i = 0; i < o->n_methods; i++)
		if (span_is(path, o->methods[i].path))
			c->method = &o->methods[i];
	if (!c->method && !c->path)
		c->path = strndup(path.p, path.len < PATH_SHOWN_MAX ? path.len : PATH_SHOWN_MAX);
}

static void call_header(struct grpc_flow *f, struct span name, struct span value)
{
	struct grpc_call *c = call_of(f);

	if (span_is(name, ":method"))
		c->post = span_is(value, "POST");
	else if (span_is(name, ":path"))
		find_method(c, value);
	else if (span_is(name, "content-type"))
		c->grpc = grpc_content_type(value);
	else if (span_is(name, "grpc-timeout"))
		c->bad_timeout = grpc_timeout_parse(value, &c->timeout_usec) < 0;
}

/* The headers are complete: refuses what can be refused now. */
static void call_open(struct grpc_call *c)
{
	char text[PATH_SHOWN_MAX + 64];

	c->opened = true;
	if (c->f.header_bytes > GRPC_HEADERS_MAX) {
		snprintf(text, sizeof(text), "the headers have more than %d bytes",
			GRPC_HEADERS_MAX);
		call_conclude(c, "431", GRPC_RESOURCE_EXHAUSTED, text);
	} else if (!c->post) {
		call_conclude(c, "405", GRPC_INTERNAL, "gRPC calls are POST requests");
	} else if (!c->grpc) {
		call_conclude(c, "415", GRPC_INVALID_ARGUMENT,
			"the content type is not application/grpc");
	} else if (c->bad_timeout) {
		call_conclude(c, "400", GRPC_INTERNAL, "grpc-timeout is not a timeout");
	} else if (!c->method) {
		snprintf(text, sizeof(text), "there is no method %s here", c->path ? c->path : "");
		call_conclude(c, "200", GRPC_UNIMPLEMENTED, text);
	} else if (c->timeout_usec < INT64_MAX) {
		c->end_usec = c->f.s->now_usec + c->timeout_usec;
		if (c->end_usec < c->f.deadline_usec)
			c->f.deadline_usec = c->end_usec;
	}
}

static void refuse_message(struct grpc_call *c, int code)
{
	char text[64];

	switch (code) {
	case -EMSGSIZE:
		snprintf(text, sizeof(text), "the message has more than %zu bytes", c->f.in.max);
		break;
	case -EOPNOTSUPP:
		call_conclude(
			c, "200", GRPC_UNIMPLEMENTED, "compressed messages are not supported");
		return;
	case -EBADMSG:
		call_conclude(
			c, "200", GRPC_INTERNAL, "the message's first byte is neither 0 nor 1");
		return;
	case -ENOBUFS:
		snprintf(text, sizeof(text), "the connection's incomplete requests are too large");
		break;
	default:
		snprintf(text, sizeof(text), "out of memory");
	}
	call_conclude(c, "200", GRPC_RESOURCE_EXHAUSTED, text);
}

static void call_data(struct grpc_flow *f, struct span bytes)
{
	struct grpc_call *c = call_of(f);
	int r;

	if (c->concluded || bytes.len == 0)
		return;
	if (c->whole) {
		call_conclude(
			c, "200", GRPC_UNIMPLEMENTED, "the request has more than one message");
		return;
	}
	r = grpc_flow_feed(f, &bytes);
	c->whole = r > 0;
	if (r < 0)
		refuse_message(c, r);
	else if (bytes.len)
		call_data(f, bytes);
}

static void call_handle(struct grpc_call *c)
{
	struct grpc_session *s = c->f.s;
	struct scrub message;

	c->f.deadline_usec = c->end_usec;
	if (!c->whole && grpc_message_begun(&c->f.in)) {
		call_conclude(c, "200", GRPC_INTERNAL, "the request ends inside its message");
		return;
	}
	if (!c->whole) {
		call_conclude(c, "200", GRPC_UNIMPLEMENTED, "the request has no message");
		return;
	}
	if (c->end_usec <= s->now_usec) {
		call_conclude(c, "200", GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
		return;
	}
	message = grpc_flow_take(&c->f);
	c->held = true;
	c->method->handle(s->o.ctx, c, scrub_view(&message));
	scrub_free(&message);
}

static void call_frame(struct grpc_flow *f, bool headers, bool end)
{
	struct grpc_call *c = call_of(f);

	if (headers && !c->opened)
		call_open(c);
	if (!end)
		return;
	c->complete = true;
	if (!c->concluded)
		call_handle(c);
}

/* The answer is sent, but the request may still be under way: it is not wanted any more. */
static void call_ended(struct grpc_flow *f)
{
	if (!call_of(f)->complete)
		nghttp2_submit_rst_stream(f->s->h2, NGHTTP2_FLAG_NONE, f->id, NGHTTP2_NO_ERROR);
}

static void call_expire(struct grpc_flow *f)
{
	struct grpc_call *c = call_of(f);

	if (c->f.out) { /* the client does not take it in time, or would see half a message */
		call_reset(c);
		return;
	}
	if (c->concluded)
		return;
	call_conclude(c, "200", GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
	call_tell(c);
	call_release(c);
}

static void call_closed(struct grpc_session *s, struct grpc_flow *f, uint32_t code, bool tell)
{
	struct grpc_call *c = call_of(f);

	(void)s;
	(void)code;
	if (tell)
		call_tell(c);
	call_release(c);
}

const struct grpc_role grpc_server_role = {
	.begin = call_begin,
	.header = call_header,
	.data = call_data,
	.frame = call_frame,
	.ended = call_ended,
	.trailers = call_trailers,
	.expire = call_expire,
	.closed = call_closed,
};

/* --- for handlers --- */

void grpc_call_on_closed(struct grpc_call *c, void (*closed)(void *ctx), void *ctx)
{
	c->closed = closed;
	c->ctx = ctx;
}

int grpc_reply(struct grpc_call *c, struct span message)
{
	int r;

	if (!c->f.s || c->concluded)
		return -EPIPE;
	r = grpc_flow_add(&c->f, message);
	if (r == -ENOBUFS) {
		grpc_session_fail(c->f.s, "the peer does not read: more than %d bytes wait for it",
			GRPC_UNSENT_MAX);
		grpc_session_wake(c->f.s);
	}
	if (r < 0)
		return r;
	if (c->answered) {
		grpc_flow_resume(&c->f);
		return 0;
	}
	if (submit_headers(c, "200", false) < 0)
		grpc_session_fail(c->f.s, "out of memory");
	c->answered = true;
	grpc_session_wake(c->f.s);
	return 0;
}

void grpc_finish(struct grpc_call *c, enum grpc_status status, const char *message)
{
	c->held = false;
	if (!c->f.s)
		call_release(c);
	else if (!c->concluded)
		call_conclude(c, "200", status, message);
}
