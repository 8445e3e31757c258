/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc_wire.h"

#include <errno.h>
#include <stdio.h>

#include <nghttp2/nghttp2.h>

#include "common/base/clock.h"
#include "common/base/utf8.h"

enum { GRPC_TIMEOUT_DIGITS = 8 };

static const struct {
	char unit;
	int64_t usec;
} timeout_units[] = {
	{'u', 1},
	{'m', USEC_PER_MSEC},
	{'S', USEC_PER_SEC},
	{'M', 60LL * USEC_PER_SEC},
	{'H', 3600LL * USEC_PER_SEC},
};

int grpc_timeout_parse(struct span text, int64_t *ret_usec)
{
	int64_t n = 0;

	if (text.len < 2 || text.len > GRPC_TIMEOUT_DIGITS + 1)
		return -EBADMSG;
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -EBADMSG;
		n = n * 10 + (text.p[i] - '0');
	}
	if (text.p[text.len - 1] == 'n') {
		*ret_usec = (n + 999) / 1000;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(timeout_units); i++) {
		if (text.p[text.len - 1] == timeout_units[i].unit) {
			*ret_usec = n * timeout_units[i].usec;
			return 0;
		}
	}
	return -EBADMSG;
}

void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT_MAX], int64_t usec)
{
	const int64_t most = 99999999;
	int64_t n = most;
	char unit = 'H';

	for (size_t i = 0; i < ARRAY_SIZE(timeout_units); i++) {
		int64_t size = timeout_units[i].usec, units = usec / size + (usec % size != 0);

		if (units <= most) {
			n = units;
			unit = timeout_units[i].unit;
			break;
		}
	}
	snprintf(out, GRPC_TIMEOUT_TEXT_MAX, "%u%c", (unsigned)n, unit);
}

int grpc_text_encode(struct buf *out, const char *text)
{
	struct span left = span_str(text);
	size_t used = 0;

	while (left.len) {
		size_t n = utf8_decode(left, NULL);

		if (n == 0)
			n = 1;
		used += n;
		if (used > GRPC_STATUS_TEXT_MAX)
			break;
		for (size_t i = 0; i < n; i++) {
			unsigned char c = (unsigned char)left.p[i];

			if (c >= 0x20 && c < 0x7f && c != '%')
				buf_putc(out, (char)c);
			else
				buf_printf(out, "%%%02X", c);
		}
		left.p += n;
		left.len -= n;
	}
	return out->err;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Takes one byte off a grpc-message. */
static char decode_byte(struct span *in)
{
	int high = in->len >= 3 && in->p[0] == '%' ? hex_digit(in->p[1]) : -1;
	int low = high >= 0 ? hex_digit(in->p[2]) : -1;
	size_t n = low >= 0 ? 3 : 1;
	char c = low >= 0 ? (char)(high << 4 | low) : in->p[0];

	in->p += n;
	in->len -= n;
	return c;
}

int grpc_text_decode(struct buf *out, struct span value)
{
	char raw[GRPC_STATUS_TEXT_MAX];
	struct span left = {raw, 0};

	while (value.len && left.len < sizeof(raw))
		raw[left.len++] = decode_byte(&value);
	while (left.len) {
		size_t n = utf8_decode(left, NULL);

		if (n == 0 && value.len && left.len < 4)
			break; /* a character that was cut */
		if (n == 0)
			buf_putc(out, '?');
		else if (n == 1 && ((unsigned char)left.p[0] < 0x20 || left.p[0] == 0x7f))
			buf_putc(out, ' ');
		else
			buf_add(out, left.p, n);
		left.p += n ? n : 1;
		left.len -= n ? n : 1;
	}
	return out->err;
}

bool grpc_content_type(struct span value)
{
	struct span rest = span_after(value, "application/grpc");

	return rest.p && (rest.len == 0 || rest.p[0] == '+' || rest.p[0] == ';');
}

static const char *const status_names[] = {
	[GRPC_OK] = "OK",
	[GRPC_CANCELLED] = "Canceled",
	[GRPC_UNKNOWN] = "Unknown",
	[GRPC_INVALID_ARGUMENT] = "InvalidArgument",
	[GRPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
	[GRPC_NOT_FOUND] = "NotFound",
	[GRPC_ALREADY_EXISTS] = "AlreadyExists",
	[GRPC_PERMISSION_DENIED] = "PermissionDenied",
	[GRPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
	[GRPC_FAILED_PRECONDITION] = "FailedPrecondition",
	[GRPC_ABORTED] = "Aborted",
	[GRPC_OUT_OF_RANGE] = "OutOfRange",
	[GRPC_UNIMPLEMENTED] = "Unimplemented",
	[GRPC_INTERNAL] = "Internal",
	[GRPC_UNAVAILABLE] = "Unavailable",
	[GRPC_DATA_LOSS] = "DataLoss",
	[GRPC_UNAUTHENTICATED] = "Unauthenticated",
};

const char *grpc_status_name(enum grpc_status s)
{
	return (size_t)s < ARRAY_SIZE(status_names) ? status_names[s] : "Unknown";
}

enum grpc_status grpc_status_parse(struct span value)
{
	unsigned n = 0;

	if (value.len == 0 || value.len > 2)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return GRPC_UNKNOWN;
		n = n * 10 + (unsigned)(value.p[i] - '0');
	}
	return n < ARRAY_SIZE(status_names) ? (enum grpc_status)n : GRPC_UNKNOWN;
}

enum grpc_status grpc_status_of_http(unsigned http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

enum grpc_status grpc_status_of_reset(uint32_t code)
{
	switch (code) {
	case NGHTTP2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return GRPC_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
	case NGHTTP2_FLOW_CONTROL_ERROR:
		return GRPC_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return GRPC_PERMISSION_DENIED;
	case NGHTTP2_NO_ERROR:
	case NGHTTP2_PROTOCOL_ERROR:
	case NGHTTP2_INTERNAL_ERROR:
		return GRPC_INTERNAL;
	default:
		return GRPC_UNKNOWN;
	}
}
