/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/h2_wire.h"

#include <stdint.h>

enum {
	FRAME_HEAD = 9,
	FRAME_MAX = 16384,
	SHOWN_MAX = 64, /* bytes of a DATA frame */
};

static void put32(struct buf *b, uint32_t v)
{
	unsigned char p[4] = {
		(unsigned char)(v >> 24),
		(unsigned char)(v >> 16),
		(unsigned char)(v >> 8),
		(unsigned char)v,
	};

	buf_add(b, p, sizeof(p));
}

static uint32_t get32(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void h2_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
	put32(b, (uint32_t)payload.len << 8 | type);
	buf_putc(b, (char)flags);
	put32(b, id);
	buf_span(b, payload);
}

void h2_settings(struct buf *b)
{
	h2_frame(b, NGHTTP2_SETTINGS, 0, 0, SPAN_NONE);
}

void h2_preface(struct buf *b)
{
	buf_puts(b, NGHTTP2_CLIENT_MAGIC);
	h2_settings(b);
}

/* A string literal that is not Huffman-coded: its length has a 7-bit prefix. */
static void put_string(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	if (n < 127) {
		buf_putc(b, (char)n);
	} else {
		buf_putc(b, 127);
		for (n -= 127; n >= 128; n /= 128)
			buf_putc(b, (char)(n % 128 | 128));
		buf_putc(b, (char)n);
	}
	buf_puts(b, s);
}

void h2_block(struct buf *b, const char *const *fields)
{
	for (; *fields; fields += 2) {
		buf_putc(b, 0);
		put_string(b, fields[0]);
		put_string(b, fields[1]);
	}
}

void h2_headers(struct buf *b, uint8_t flags, uint32_t id, const char *const *fields)
{
	struct buf block = BUF_INIT(H2_MAX);
	uint8_t type = NGHTTP2_HEADERS;
	struct span left;

	h2_block(&block, fields);
	left = buf_view(&block);
	for (; left.len > FRAME_MAX; left.p += FRAME_MAX, left.len -= FRAME_MAX) {
		h2_frame(b, type, flags, id, (struct span){left.p, FRAME_MAX});
		type = NGHTTP2_CONTINUATION;
		flags = 0;
	}
	h2_frame(b, type, flags | NGHTTP2_FLAG_END_HEADERS, id, left);
	buf_free(&block);
}

void h2_data(struct buf *b, uint8_t flags, uint32_t id, struct span bytes)
{
	while (bytes.len > FRAME_MAX) {
		h2_frame(b, NGHTTP2_DATA, 0, id, (struct span){bytes.p, FRAME_MAX});
		bytes.p += FRAME_MAX;
		bytes.len -= FRAME_MAX;
	}
	h2_frame(b, NGHTTP2_DATA, flags, id, bytes);
}

void h2_message(struct buf *b, uint8_t flags, uint32_t id, struct span message)
{
	struct buf whole = BUF_INIT(H2_MAX);

	buf_putc(&whole, 0);
	put32(&whole, (uint32_t)message.len);
	buf_span(&whole, message);
	h2_data(b, flags, id, buf_view(&whole));
	buf_free(&whole);
}

static void put_word(struct buf *b, uint8_t type, uint32_t id, uint32_t word)
{
	struct buf payload = BUF_INIT(4);

	put32(&payload, word);
	h2_frame(b, type, 0, id, buf_view(&payload));
	buf_free(&payload);
}

void h2_reset(struct buf *b, uint32_t id, uint32_t code)
{
	put_word(b, NGHTTP2_RST_STREAM, id, code);
}

void h2_window(struct buf *b, uint32_t id, uint32_t n)
{
	put_word(b, NGHTTP2_WINDOW_UPDATE, id, n);
}

void h2_goaway(struct buf *b, uint32_t last, uint32_t code, const char *why)
{
	struct buf payload = BUF_INIT(H2_MAX);

	put32(&payload, last);
	put32(&payload, code);
	buf_puts(&payload, why);
	h2_frame(b, NGHTTP2_GOAWAY, 0, 0, buf_view(&payload));
	buf_free(&payload);
}

/* --- reading --- */

static bool tell_headers(struct h2_reader *r, struct span block, struct buf *text)
{
	nghttp2_nv field;
	int flags = 0;
	ssize_t n;

	if (!r->hpack && nghttp2_hd_inflate_new(&r->hpack) < 0)
		return false;
	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		n = nghttp2_hd_inflate_hd2(
			r->hpack, &field, &flags, (const uint8_t *)block.p, block.len, 1);
		if (n < 0)
			return false;
		block.p += n;
		block.len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_printf(text, " %.*s=%.*s", (int)field.namelen, (char *)field.name,
				(int)field.valuelen, (char *)field.value);
	}
	nghttp2_hd_inflate_end_headers(r->hpack);
	return true;
}

static void tell_data(struct span bytes, struct buf *text)
{
	if (bytes.len > SHOWN_MAX) {
		buf_printf(text, " (%zu bytes)", bytes.len);
		return;
	}
	buf_puts(text, " \"");
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.p[i] >= 0x20 && bytes.p[i] < 0x7f)
			buf_putc(text, bytes.p[i]);
		else
			buf_printf(text, "\\%u", (unsigned char)bytes.p[i]);
	}
	buf_putc(text, '"');
}

static void tell_settings(struct span payload, struct buf *text)
{
	for (; payload.len >= 6; payload.p += 6, payload.len -= 6)
		buf_printf(text, " %u=%u", get32(payload.p) >> 16, get32(payload.p + 2));
}

static bool tell_frame(struct h2_reader *r, uint8_t type, uint8_t flags, uint32_t id,
	struct span payload, struct buf *text)
{
	bool good = true;

	switch (type) {
	case NGHTTP2_DATA:
		r->data += payload.len;
		buf_printf(text, "data %u", id);
		tell_data(payload, text);
		break;
	case NGHTTP2_HEADERS:
		buf_printf(text, "headers %u", id);
		good = (flags & NGHTTP2_FLAG_END_HEADERS) && tell_headers(r, payload, text);
		break;
	case NGHTTP2_SETTINGS:
		buf_puts(text, flags & NGHTTP2_FLAG_ACK ? "settings ack" : "settings");
		tell_settings(payload, text);
		flags = 0; /* ACK is END_STREAM's bit */
		break;
	case NGHTTP2_PING:
		buf_puts(text, flags & NGHTTP2_FLAG_ACK ? "ping ack" : "ping");
		flags = 0;
		break;
	case NGHTTP2_RST_STREAM:
		buf_printf(text, "reset %u %s", id, nghttp2_http2_strerror(get32(payload.p)));
		break;
	case NGHTTP2_GOAWAY:
		buf_printf(text, "goaway %u %s", get32(payload.p),
			nghttp2_http2_strerror(get32(payload.p + 4)));
		break;
	case NGHTTP2_WINDOW_UPDATE:
		if (!r->windows)
			return true;
		buf_printf(text, "window %u +%u", id, get32(payload.p));
		break;
	default:
		return false;
	}
	buf_puts(text, flags & NGHTTP2_FLAG_END_STREAM ? " end\n" : "\n");
	return good;
}

bool h2_read(struct h2_reader *r, struct span bytes, struct buf *text)
{
	struct span left;
	size_t n;

	r->in.max = H2_MAX;
	buf_span(&r->in, bytes);
	left = buf_view(&r->in);
	for (; left.len >= FRAME_HEAD; left.p += n, left.len -= n) {
		n = FRAME_HEAD + (get32(left.p) >> 8);
		if (left.len < n)
			break;
		if (!tell_frame(r, (uint8_t)left.p[3], (uint8_t)left.p[4], get32(left.p + 5),
			    (struct span){left.p + FRAME_HEAD, n - FRAME_HEAD}, text))
			return false;
	}
	memmove(r->in.p, left.p, left.len);
	r->in.len = left.len;
	return true;
}

void h2_reader_free(struct h2_reader *r)
{
	if (r->hpack)
		nghttp2_hd_inflate_del(r->hpack);
	buf_free(&r->in);
}

/* --- requests --- */

void h2_request(
	struct buf *b, uint8_t flags, uint32_t id, const char *path, const char *const *changes)
{
	const char *fields[32] = {
		":method",
		"POST",
		":scheme",
		"http",
		":path",
		path,
		":authority",
		"localhost",
		"content-type",
		"application/grpc",
		"user-agent",
		"grpc-go/1.79.3",
		"te",
		"trailers",
	};
	const char *kept[32] = {NULL};
	size_t n = 0;

	for (; changes && *changes; changes += 2) {
		size_t i = 0;

		while (fields[i] && strcmp(fields[i], changes[0]) != 0)
			i += 2;
		fields[i] = changes[0];
		fields[i + 1] = changes[1];
	}
	for (size_t i = 0; fields[i]; i += 2) {
		if (fields[i + 1][0]) {
			kept[n++] = fields[i];
			kept[n++] = fields[i + 1];
		}
	}
	h2_headers(b, flags, id, kept);
}
