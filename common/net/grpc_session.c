/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc_session.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "common/net/grpc_private.h"

enum {
	/* Of the compression state towards the peer: a handful of fields repeat. */
	DEFLATE_TABLE_MAX = 1024,
	/* Of a header field, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 section 6.5.2). */
	HEADER_OVERHEAD = 32,
};

void grpc_session_fail(struct grpc_session *s, const char *fmt, ...)
{
	va_list ap;

	if (s->over)
		return;
	s->over = true;
	va_start(ap, fmt);
	if (!s->why[0])
		vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

void grpc_session_wake(struct grpc_session *s)
{
	if (s->busy == 0 && !s->closed && s->o.wake)
		s->o.wake(s->o.owner);
}

/* --- flows --- */

void grpc_flow_link(struct grpc_flow *f, struct grpc_session *s, int32_t id)
{
	f->s = s;
	f->id = id;
	f->in.max = s->o.max_message;
	f->next = s->flows;
	if (f->next)
		f->next->prev = f;
	s->flows = f;
	s->n_flows++;
}

/* Some messages hold keys. */
static void chunk_free(struct grpc_chunk *c)
{
	OPENSSL_cleanse(c->data, c->len);
	free(c);
}

void grpc_flow_drop_out(struct grpc_flow *f)
{
	while (f->out) {
		struct grpc_chunk *c = f->out;

		f->out = c->next;
		f->s->unsent -= c->len - c->sent;
		chunk_free(c);
	}
	f->out_last = NULL;
}

void grpc_flow_unlink(struct grpc_flow *f)
{
	struct grpc_session *s = f->s;

	grpc_flow_drop_out(f);
	s->unread -= f->in.body.len;
	grpc_message_free(&f->in);
	if (f->next)
		f->next->prev = f->prev;
	*(f->prev ? &f->prev->next : &s->flows) = f->next;
	f->prev = f->next = NULL;
	s->n_flows--;
	nghttp2_session_set_stream_user_data(s->h2, f->id, NULL);
	f->s = NULL;
}

struct grpc_flow *grpc_flow_of(struct grpc_session *s, int32_t id)
{
	return nghttp2_session_get_stream_user_data(s->h2, id);
}

/* After s holds more. */
static void note_held(struct grpc_session *s)
{
	if (s->unsent + s->unread > s->most_held)
		s->most_held = s->unsent + s->unread;
}

int grpc_flow_add(struct grpc_flow *f, struct span message)
{
	size_t len = GRPC_PREFIX_LEN + message.len;
	struct grpc_chunk *c;

	if (len > GRPC_UNSENT_MAX)
		return -EMSGSIZE;
	if (len > GRPC_UNSENT_MAX - f->s->unsent)
		return -ENOBUFS;
	c = malloc(sizeof(*c) + len);
	if (!c)
		return -ENOMEM;
	*c = (struct grpc_chunk){.len = len};
	grpc_message_prefix((unsigned char *)c->data, (uint32_t)message.len);
	if (message.len)
		memcpy(c->data + GRPC_PREFIX_LEN, message.p, message.len);
	*(f->out_last ? &f->out_last->next : &f->out) = c;
	f->out_last = c;
	f->s->unsent += len;
	note_held(f->s);
	return 0;
}

void grpc_flow_resume(struct grpc_flow *f)
{
	if (f->deferred) {
		f->deferred = false;
		if (nghttp2_session_resume_data(f->s->h2, f->id) == NGHTTP2_ERR_NOMEM)
			grpc_session_fail(f->s, "out of memory");
	}
	grpc_session_wake(f->s);
}

/* Takes what fits from the front of out. */
static size_t flow_take(struct grpc_flow *f, uint8_t *buf, size_t length)
{
	size_t n = 0;

	while (f->out && n < length) {
		struct grpc_chunk *c = f->out;
		size_t k = c->len - c->sent < length - n ? c->len - c->sent : length - n;

		memcpy(buf + n, c->data + c->sent, k);
		c->sent += k;
		f->s->unsent -= k;
		n += k;
		if (c->sent < c->len)
			break;
		f->out = c->next;
		if (!f->out)
			f->out_last = NULL;
		chunk_free(c);
	}
	return n;
}

static ssize_t on_read_data(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t length,
	uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
	struct grpc_flow *f = grpc_flow_of(userdata, id);
	const struct grpc_role *role;
	size_t n;

	(void)h2;
	(void)source;
	if (!f)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	role = f->s->role;
	n = flow_take(f, buf, length);
	if (!f->out && f->last) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (role->trailers) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (role->trailers(f) < 0)
				return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
	} else if (n == 0) {
		f->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

nghttp2_data_provider grpc_flow_data(void)
{
	return (nghttp2_data_provider){.read_callback = on_read_data};
}

int grpc_flow_feed(struct grpc_flow *f, struct span *in)
{
	struct grpc_session *s = f->s;
	size_t before = f->in.body.len;
	int r;

	if (s->unread > 2 * s->o.max_message)
		return -ENOBUFS;
	r = grpc_message_feed(&f->in, in);
	s->unread += f->in.body.len - before;
	note_held(s);
	return r;
}

struct scrub grpc_flow_take(struct grpc_flow *f)
{
	f->s->unread -= f->in.body.len;
	return grpc_message_take(&f->in);
}

/* --- nghttp2's callbacks --- */

/* After anything that may have run a user's callback. */
static int session_go_on(const struct grpc_session *s)
{
	return s->over ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* Takes one from b, after what was regained since. */
static bool spend(struct grpc_budget *b, int64_t now_usec, int64_t max, int64_t per_sec)
{
	int64_t regained = (now_usec - b->at_usec) * per_sec / USEC_PER_SEC;

	if (now_usec - b->at_usec >= max * USEC_PER_SEC / per_sec) {
		b->left = max;
		b->at_usec = now_usec;
	} else if (regained > 0) {
		b->left = b->left + regained < max ? b->left + regained : max;
		b->at_usec += regained * USEC_PER_SEC / per_sec;
	}
	return b->left-- > 0;
}

static int spend_frame(struct grpc_session *s, const char *what)
{
	if (spend(&s->frames, s->now_usec, GRPC_FRAMES_MAX, GRPC_FRAMES_PER_SEC))
		return 0;
	grpc_session_fail(s, "the peer floods (%s frames)", what);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void regain_frames(struct grpc_session *s)
{
	s->frames.left += GRPC_FRAMES_REGAINED;
	if (s->frames.left > GRPC_FRAMES_MAX)
		s->frames.left = GRPC_FRAMES_MAX;
}

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *hd, void *userdata)
{
	static const char *const names[] = {"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS",
		"PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"};
	struct grpc_session *s = userdata;

	(void)h2;
	if (hd->type == NGHTTP2_DATA && hd->length > 0)
		return 0;
	return spend_frame(s, hd->type < ARRAY_SIZE(names) ? names[hd->type] : "unknown");
}

static int on_invalid_frame(
	nghttp2_session *h2, const nghttp2_frame *frame, int code, void *userdata)
{
	(void)h2;
	(void)frame;
	(void)code;
	return spend_frame(userdata, "invalid");
}

/* Why the connection ends, as one of both sides says in a GOAWAY. */
static void on_goaway(struct grpc_session *s, const char *whose, const nghttp2_goaway *g)
{
	char text[64];
	size_t n = 0;

	for (; n < g->opaque_data_len && n + 1 < sizeof(text); n++)
		text[n] = g->opaque_data[n] >= 0x20 && g->opaque_data[n] < 0x7f
				  ? (char)g->opaque_data[n]
				  : '?';
	text[n] = '\0';
	if (!s->why[0])
		snprintf(s->why, sizeof(s->why), "%s (%s%s%s)", whose,
			nghttp2_http2_strerror(g->error_code), n ? ": " : "", text);
}

static int on_frame_received(nghttp2_session *h2, const nghttp2_frame *frame, void *userdata)
{
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct grpc_session *s = userdata;
	struct grpc_flow *f;

	(void)h2;
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		s->preface_usec = INT64_MAX;
	else if (frame->hd.type == NGHTTP2_GOAWAY)
		on_goaway(s, "the peer ended the connection", &frame->goaway);
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	f = grpc_flow_of(s, frame->hd.stream_id);
	if (!f)
		return 0;
	if (end)
		regain_frames(s);
	s->role->frame(f, frame->hd.type == NGHTTP2_HEADERS, end);
	return session_go_on(s);
}

static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *userdata)
{
	struct grpc_session *s = userdata;
	struct grpc_flow *f;

	(void)h2;
	if (frame->hd.type == NGHTTP2_DATA)
		regain_frames(s);
	else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code)
		on_goaway(s, "the peer broke HTTP/2", &frame->goaway);
	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	f = grpc_flow_of(s, frame->hd.stream_id);
	if (f && s->role->ended)
		s->role->ended(f);
	return 0;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *userdata)
{
	struct grpc_session *s = userdata;
	struct grpc_flow *f;

	(void)h2;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && s->role->begin)
		return s->role->begin(s, frame->hd.stream_id);
	f = grpc_flow_of(s, frame->hd.stream_id);
	if (f)
		f->header_bytes = 0;
	return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *userdata)
{
	struct grpc_flow *f = grpc_flow_of(userdata, frame->hd.stream_id);

	(void)h2;
	(void)flags;
	if (!f)
		return 0;
	f->header_bytes += n_name + n_value + HEADER_OVERHEAD;
	f->s->role->header(f, grpc_span(name, n_name), grpc_span(value, n_value));
	return 0;
}

static int on_data(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *userdata)
{
	struct grpc_session *s = userdata;
	struct grpc_flow *f = grpc_flow_of(s, id);

	(void)h2;
	(void)flags;
	if (f)
		s->role->data(f, grpc_span(p, n));
	return session_go_on(s);
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *userdata)
{
	struct grpc_session *s = userdata;
	struct grpc_flow *f = grpc_flow_of(s, id);

	(void)h2;
	if (!f)
		return session_go_on(s);
	grpc_flow_unlink(f);
	s->role->closed(s, f, code, true);
	/* Our own resets unlink first; what is counted here is the peer's doing. */
	if (!s->closed && code && s->role == &grpc_server_role &&
		!spend(&s->resets, s->now_usec, GRPC_RESETS_MAX, GRPC_RESETS_PER_SEC))
		grpc_session_fail(s, "the peer floods (streams that end in a reset)");
	return session_go_on(s);
}

/* --- the session --- */

static int session_begin(struct grpc_session *s)
{
	static const nghttp2_settings_entry server[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_STREAMS_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADERS_MAX},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	static const nghttp2_settings_entry client[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADERS_MAX},
	};
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	int r;

	if (nghttp2_session_callbacks_new(&cb) < 0)
		return -ENOMEM;
	if (nghttp2_option_new(&option) < 0) {
		nghttp2_session_callbacks_del(cb);
		return -ENOMEM;
	}
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_received);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	/* Closed streams would be kept for a priority tree that gRPC does not use. */
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_deflate_dynamic_table_size(option, DEFLATE_TABLE_MAX);
	nghttp2_option_set_max_reserved_remote_streams(option, 0);
	if (s->role == &grpc_server_role)
		r = nghttp2_session_server_new2(&s->h2, cb, s, option);
	else
		r = nghttp2_session_client_new2(&s->h2, cb, s, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	if (r < 0)
		return -ENOMEM;
	if (s->role == &grpc_server_role)
		r = nghttp2_submit_settings(s->h2, 0, server, ARRAY_SIZE(server));
	else
		r = nghttp2_submit_settings(s->h2, 0, client, ARRAY_SIZE(client));
	return r < 0 ? -ENOMEM : 0;
}

int grpc_session_new(
	struct grpc_session **ret_s, const struct grpc_session_options *o, int64_t now_usec)
{
	_cleanup_(grpc_session_free_p) struct grpc_session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->o = *o;
	if (s->o.max_message == 0)
		s->o.max_message = GRPC_MESSAGE_MAX;
	s->role = o->methods ? &grpc_server_role : &grpc_client_role;
	s->now_usec = now_usec;
	s->preface_usec = now_usec + GRPC_PREFACE_USEC;
	s->stall_usec = INT64_MAX;
	s->resets = (struct grpc_budget){GRPC_RESETS_MAX, now_usec};
	s->frames = (struct grpc_budget){GRPC_FRAMES_MAX, now_usec};
	if (session_begin(s) < 0)
		return -ENOMEM;
	*ret_s = TAKE_PTR(s);
	return 0;
}

void grpc_session_receive(struct grpc_session *s, struct span bytes, int64_t now_usec)
{
	ssize_t r;

	if (grpc_session_over(s))
		return;
	s->now_usec = now_usec;
	s->busy++;
	r = nghttp2_session_mem_recv(s->h2, (const uint8_t *)bytes.p, bytes.len);
	s->busy--;
	if (r < 0)
		grpc_session_fail(s, "the peer broke HTTP/2 (%s)", nghttp2_strerror((int)r));
}

bool grpc_session_wants_input(const struct grpc_session *s)
{
	return nghttp2_session_get_outbound_queue_size(s->h2) < GRPC_UNSENT_FRAMES_MAX;
}

/* What nghttp2 wants to send next, in s->frame. */
static bool next_frame(struct grpc_session *s)
{
	const uint8_t *p;
	ssize_t r;

	if (s->over)
		return false;
	s->busy++;
	r = nghttp2_session_mem_send(s->h2, &p);
	s->busy--;
	if (r < 0)
		grpc_session_fail(s, "HTTP/2 failed (%s)", nghttp2_strerror((int)r));
	if (r <= 0)
		return false;
	s->frame = grpc_span(p, (size_t)r);
	return true;
}

size_t grpc_session_send(struct grpc_session *s, char *out, size_t n)
{
	size_t used = 0;

	while (used < n && (s->frame.len || next_frame(s))) {
		size_t k = s->frame.len < n - used ? s->frame.len : n - used;

		memcpy(out + used, s->frame.p, k);
		used += k;
		s->frame.p += k;
		s->frame.len -= k;
	}
	return used;
}

void grpc_session_stalled(struct grpc_session *s, int64_t since_usec)
{
	s->stall_usec = since_usec == INT64_MAX ? INT64_MAX : since_usec + GRPC_STALL_USEC;
}

int64_t grpc_session_deadline(const struct grpc_session *s)
{
	int64_t first = s->preface_usec < s->stall_usec ? s->preface_usec : s->stall_usec;

	if (s->over)
		return INT64_MAX;
	for (const struct grpc_flow *f = s->flows; f; f = f->next)
		if (f->deadline_usec < first)
			first = f->deadline_usec;
	return first;
}

void grpc_session_tick(struct grpc_session *s, int64_t now_usec)
{
	struct grpc_flow *f, *next;

	s->now_usec = now_usec;
	if (s->preface_usec <= now_usec)
		grpc_session_fail(s, "no HTTP/2 from the peer within %d seconds",
			GRPC_PREFACE_USEC / USEC_PER_SEC);
	if (s->stall_usec <= now_usec)
		grpc_session_fail(
			s, "the peer has not read for %d seconds", GRPC_STALL_USEC / USEC_PER_SEC);
	s->busy++;
	for (f = s->flows; f && !s->over; f = next) {
		next = f->next;
		if (f->deadline_usec > now_usec)
			continue;
		f->deadline_usec = INT64_MAX;
		s->role->expire(f);
		next = s->flows; /* whatever that did to the others */
	}
	s->busy--;
}

bool grpc_session_over(const struct grpc_session *s)
{
	return s->over || (s->frame.len == 0 && !nghttp2_session_want_read(s->h2) &&
				  !nghttp2_session_want_write(s->h2));
}

const char *grpc_session_why(const struct grpc_session *s)
{
	return s->why[0] ? s->why : "the connection was ended";
}

size_t grpc_session_most_held(const struct grpc_session *s)
{
	return s->most_held;
}

void grpc_session_lost(struct grpc_session *s, const char *why)
{
	grpc_session_fail(s, "%s", why);
}

void grpc_session_shut(struct grpc_session *s)
{
	if (nghttp2_session_terminate_session(s->h2, NGHTTP2_NO_ERROR) < 0)
		grpc_session_fail(s, "out of memory");
	grpc_session_wake(s);
}

void grpc_session_close(struct grpc_session *s, const char *why, bool tell)
{
	if (s->closed)
		return;
	grpc_session_fail(s, "%s", why);
	s->closed = true;
	while (s->flows) {
		struct grpc_flow *f = s->flows;

		grpc_flow_unlink(f);
		s->role->closed(s, f, NGHTTP2_CANCEL, tell);
	}
}

void grpc_session_free(struct grpc_session *s)
{
	if (!s)
		return;
	if (s->h2)
		grpc_session_close(s, "", false);
	nghttp2_session_del(s->h2);
	free(s);
}
