/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/aesm_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "common/net/backoff.h"
#include "common/tee/quote.h"
#include "nodeagent/aesm/frame.h"

enum {
	CALL_USEC = 90 * USEC_PER_SEC,
	TOTAL_USEC = 240 * USEC_PER_SEC,
	PAUSE_USEC = 500 * USEC_PER_MSEC,
	PAUSE_MAX_USEC = 15 * USEC_PER_SEC,
	ATTEMPTS_MAX = 8,
	BACKLOG_PAUSE_MSEC = 50, /* AESM's queue of connections is full */
	SIG_DATA_SIZE_AT = 432,  /* u32; what it counts begins behind it */
};

/* One quote under way. */
struct quoting {
	const struct aesm_client *c;
	int64_t until; /* of everything: monotonic */
	uint32_t code; /* AESM's last error */
	unsigned char report[AESM_REPORT];
};

/* --- one request --- */

static int msec_until(int64_t until)
{
	int64_t usec = until - clock_monotonic_usec();

	return usec <= 0 ? 0 : (int)((usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

static int late(const char *socket, struct error *err)
{
	return error_set(err, -EAGAIN,
		"AESM did not answer in time on %s: see journalctl -u aesmd, and whether the host "
		"reaches its PCCS",
		socket);
}

/* 0 when fd is ready for events. */
static int await(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&p, 1, msec_until(until));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* A Unix socket whose queue is full cannot be waited for. */
static int connected(int fd, const struct sockaddr_un *to, int64_t until)
{
	while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_monotonic_usec() >= until)
			return -ETIMEDOUT;
		poll(NULL, 0, BACKLOG_PAUSE_MSEC);
	}
	return 0;
}

static int sent(int fd, struct span bytes, int64_t until)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.p, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r = 0;

		if (n >= 0)
			bytes = (struct span){bytes.p + n, bytes.len - (size_t)n};
		else if (errno == EAGAIN)
			r = await(fd, POLLOUT, until);
		else if (errno != EINTR)
			r = -errno;
		if (r < 0)
			return r;
	}
	return 0;
}

static int received(int fd, struct aesm_frame *f, int64_t until, struct error *err)
{
	while (!aesm_frame_complete(f)) {
		void *p;
		size_t room = aesm_frame_room(f, &p);
		int r = await(fd, POLLIN, until);
		ssize_t n = r < 0 ? 0 : recv(fd, p, room, MSG_DONTWAIT);

		if (r == 0 && n == 0)
			r = -ECONNRESET;
		else if (r == 0 && n < 0)
			r = errno == EAGAIN || errno == EINTR ? 0 : -errno;
		else if (r == 0)
			r = aesm_frame_filled(f, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Turns a failure of the connection into one for people; those of the frame have said it. */
static int explain(const char *socket, int r, struct error *err)
{
	switch (r) {
	case -EBADMSG:
	case -EMSGSIZE:
		return error_prefix(err, r, "AESM on %s", socket);
	case -ENOMEM:
		return error_oom(err);
	case -ETIMEDOUT:
		return late(socket, err);
	case -ENOENT:
	case -ECONNREFUSED:
		return error_set(err, -EAGAIN,
			"AESM does not listen on %s: install and start aesmd (Intel's package "
			"sgx-aesm-service)",
			socket);
	case -ECONNRESET:
	case -EPIPE:
		return error_set(err, -EAGAIN,
			"AESM closed the connection without an answer: see journalctl -u aesmd");
	default:
		return error_set(err, r, "AESM on %s: %s", socket, strerror(-r));
	}
}

/* Sends the framed request and fills the frame with the answer. */
static int exchange(const char *path, struct span request, struct aesm_frame *f, int64_t until,
	struct error *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	int r;

	if (strlen(path) >= sizeof(to.sun_path))
		return error_set(err, -EINVAL, "aesm.socket: %s is longer than %zu bytes", path,
			sizeof(to.sun_path) - 1);
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : connected(fd, &to, until);
	if (r == 0)
		r = sent(fd, request, until);
	/* AESM may have answered and gone before it read everything. */
	if (r == 0 || r == -EPIPE)
		r = received(fd, f, until, err);
	return r < 0 ? explain(path, r, err) : 0;
}

static int framed(struct buf *out, const struct aesm_request *q, struct error *err)
{
	unsigned char head[AESM_FRAME_HEAD] = {0};
	size_t n;

	buf_add(out, head, sizeof(head));
	if (aesm_request_write(out, q) < 0)
		return error_oom(err);
	n = out->len - sizeof(head);
	for (size_t i = 0; i < sizeof(head); i++)
		out->p[i] = (char)(n >> 8 * i);
	return 0;
}

/* The answer lives in m. An error of AESM's is in q->code as well. */
static int ask(struct quoting *q, struct arena *m, struct aesm_request *rq, struct aesm_answer *ret,
	struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(AESM_FRAME_HEAD + AESM_REQUEST_MAX);
	_cleanup_(aesm_frame_free) struct aesm_frame f = {.max = AESM_ANSWER_MAX};
	int64_t until = clock_monotonic_usec() + q->c->call_usec;
	struct span message;
	int r;

	until = until < q->until ? until : q->until;
	rq->timeout_ms = (uint32_t)msec_until(until);
	if (rq->timeout_ms == 0)
		return late(q->c->socket, err);
	r = framed(&out, rq, err);
	if (r == 0)
		r = exchange(q->c->socket, buf_view(&out), &f, until, err);
	if (r < 0)
		return r;
	message = aesm_frame_unsent(&f);
	message = (struct span){message.p + AESM_FRAME_HEAD, message.len - AESM_FRAME_HEAD};
	r = aesm_answer_read(ret, m, rq->step, message, err);
	if (r < 0)
		return r;
	q->code = ret->code;
	return ret->code ? aesm_code_error(err, rq->step, ret->code) : 0;
}

/* --- the quote --- */

/* ids: where the key's bytes live. */
static int find_key(struct quoting *q, struct arena *m, struct span *ret, struct error *err)
{
	struct aesm_request rq = {.step = AESM_KEY_ID_NUM};
	struct aesm_answer a = {0};
	int r = ask(q, m, &rq, &a, err);

	if (r < 0)
		return r;
	rq = (struct aesm_request){.step = AESM_KEY_IDS, .room = a.number * AESM_KEY_ID};
	r = ask(q, m, &rq, &a, err);
	if (r < 0)
		return r;
	*ret = aesm_ecdsa_key(a.bytes);
	if (!ret->p)
		return error_set(err, -EOPNOTSUPP,
			"AESM has no ECDSA P-256 attestation key: install "
			"libsgx-aesm-ecdsa-plugin and restart aesmd");
	return 0;
}

/* What AESM returned is padded to the size that it was asked for. */
static int accept_quote(
	const struct quoting *q, struct span bytes, struct buf *quote, struct error *err)
{
	const unsigned char *p = (const unsigned char *)bytes.p + SIG_DATA_SIZE_AT;
	struct quote parsed;
	enum reason reason;
	uint64_t size;
	int r;

	if (bytes.len < SIG_DATA_SIZE_AT + sizeof(uint32_t))
		return error_set(err, -EBADMSG, "AESM's quote is cut: %zu bytes", bytes.len);
	size = (uint64_t)SIG_DATA_SIZE_AT + sizeof(uint32_t) +
	       ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
	if (size > bytes.len)
		return error_set(err, -EBADMSG, "AESM's quote is cut: %zu of %llu bytes", bytes.len,
			(unsigned long long)size);
	r = quote_parse(&parsed, (struct span){bytes.p, (size_t)size}, &reason, err);
	if (r < 0)
		return error_prefix(err, r, "AESM's quote");
	if (parsed.tdx || memcmp(parsed.body.p, q->report, SGX_REPORT_BODY) != 0)
		return error_set(err, -EBADMSG, "AESM's quote is of another report");
	return buf_add(quote, bytes.p, (size_t)size) < 0 ? error_oom(err) : 0;
}

static int attempt(struct quoting *q, struct buf *quote, struct error *err)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(2 * AESM_ANSWER_MEMORY);
	struct aesm_request rq = {.step = AESM_INIT_QUOTE};
	struct aesm_answer a = {0};
	struct span key;
	int r;

	q->code = 0;
	r = find_key(q, &m, &key, err);
	if (r < 0)
		return r;
	rq.key_id = key;
	r = ask(q, &m, &rq, &a, err);
	if (r == 0)
		r = q->c->report(q->c->ctx, (const unsigned char *)a.bytes.p, q->report, err);
	if (r < 0)
		return r;
	rq.step = AESM_QUOTE_SIZE;
	r = ask(q, &m, &rq, &a, err);
	if (r < 0)
		return r;
	rq.step = AESM_QUOTE;
	rq.room = a.number;
	rq.report = (struct span){(const char *)q->report, sizeof(q->report)};
	r = ask(q, &m, &rq, &a, err);
	return r < 0 ? r : accept_quote(q, a.bytes, quote, err);
}

static int quote(struct quoting *q, struct buf *out, struct error *err)
{
	struct backoff pause = {.first_usec = q->c->pause_usec, .max_usec = PAUSE_MAX_USEC};
	bool restarted = false;

	for (int i = 1;; i++) {
		int r = attempt(q, out, err);
		enum aesm_retry retry = r < 0 && q->code ? aesm_code_retry(q->code) : AESM_FINAL;
		int64_t delay;

		if (retry == AESM_RESTART && !restarted) {
			restarted = true;
			continue;
		}
		if (retry != AESM_LATER || i >= ATTEMPTS_MAX)
			return r;
		delay = backoff_delay(&pause, clock_monotonic_usec(), backoff_chance());
		if (clock_monotonic_usec() + delay >= q->until)
			return r;
		poll(NULL, 0, (int)(delay / USEC_PER_MSEC));
	}
}

int aesm_quote(const struct aesm_client *c, struct buf *out, struct error *err)
{
	struct aesm_client with = *c;
	struct quoting q = {.c = &with};

	with.call_usec = c->call_usec ? c->call_usec : CALL_USEC;
	with.total_usec = c->total_usec ? c->total_usec : TOTAL_USEC;
	with.pause_usec = c->pause_usec ? c->pause_usec : PAUSE_USEC;
	q.until = clock_monotonic_usec() + with.total_usec;
	return quote(&q, out, err);
}
