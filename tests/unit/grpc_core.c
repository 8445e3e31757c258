/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/grpc_core.h"

#include "tests/unit/test.h"

static void on_wake(void *owner)
{
	((struct core *)owner)->wakes++;
}

static void take(struct core *c)
{
	char bytes[1000];
	size_t n;

	while ((n = grpc_session_send(c->s, bytes, sizeof(bytes))))
		CU_ASSERT(h2_read(&c->reader, (struct span){bytes, n}, &c->out));
}

static void push(struct core *c, size_t piece)
{
	for (size_t at = 0; at < c->in.len; at += piece) {
		size_t n = piece < c->in.len - at ? piece : c->in.len - at;

		grpc_session_receive(c->s, (struct span){c->in.p + at, n}, c->now);
	}
	buf_reset(&c->in);
}

void core_go_by(struct core *c, size_t piece)
{
	push(c, piece);
	take(c);
}

void core_go(struct core *c)
{
	core_go_by(c, SIZE_MAX / 2);
}

void core_push(struct core *c)
{
	push(c, SIZE_MAX / 2);
}

static bool core_open(struct core *c, const struct grpc_method *methods)
{
	struct grpc_session_options o = {
		.methods = methods,
		.n_methods = ECHO_METHODS,
		.ctx = &c->echo,
		.max_message = CORE_MESSAGE_MAX,
		.wake = on_wake,
		.owner = c,
	};

	c->in = BUF_INIT(H2_MAX);
	c->out = BUF_INIT(H2_MAX);
	c->now = 1000 * (int64_t)USEC_PER_SEC;
	return grpc_session_new(&c->s, &o, c->now) == 0;
}

static void greet(struct core *c, const char *want)
{
	h2_frame(&c->in, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, SPAN_NONE);
	core_go(c);
	CHECK_STR("greeting", buf_view(&c->out), want);
	buf_reset(&c->out);
}

bool core_open_server(struct core *c)
{
	if (!core_open(c, echo_methods))
		return false;
	take(c); /* before the acknowledgement */
	h2_preface(&c->in);
	greet(c, "settings 3=100 6=16384 9=1\nsettings ack\n");
	return true;
}

bool core_open_client(struct core *c)
{
	char magic[NGHTTP2_CLIENT_MAGIC_LEN];

	if (!core_open(c, NULL))
		return false;
	CU_ASSERT_EQUAL(grpc_session_send(c->s, magic, sizeof(magic)), sizeof(magic));
	CU_ASSERT_EQUAL(memcmp(magic, NGHTTP2_CLIENT_MAGIC, sizeof(magic)), 0);
	take(c);
	h2_settings(&c->in);
	greet(c, "settings 2=0 6=16384\nsettings ack\n");
	return true;
}

void core_close(struct core *c)
{
	if (c->s && c->echo.handled)
		grpc_session_close(c->s, "the test is over", true);
	grpc_session_free(c->s);
	h2_reader_free(&c->reader);
	buf_free(&c->in);
	buf_free(&c->out);
}

bool core_ask(struct core *c, struct asked *a, struct span message, int64_t timeout_usec)
{
	struct grpc_stream_options o = asked_options(a, "/a.B/C", message, timeout_usec);
	struct error err = {0};

	return CHECK_ROW("start", grpc_session_start(c->s, &o, c->now, &a->stream, &err) == 0, "%s",
		err.message);
}

void core_request(struct core *c, uint32_t id, const char *method, struct span message)
{
	char path[64];

	snprintf(path, sizeof(path), "/test.Echo/%s", method);
	h2_request(&c->in, 0, id, path, NULL);
	h2_message(&c->in, END, id, message);
}

struct span core_bytes(size_t n)
{
	char *p = malloc(n);

	for (size_t i = 0; p && i < n; i++)
		p[i] = (char)(i * 7 + i / 251);
	return (struct span){p, p ? n : 0};
}
