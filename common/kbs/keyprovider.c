/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/keyprovider.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "common/base/json.h"

enum {
	FIELD_1_BYTES = 0x0a, /* protobuf "Message structure": field 1, wire type LEN */
	FRAME_MAX = 6,        /* the tag and a length of up to 35 bits */
	NUMBER_MAX = 4,       /* "255," */
};

static int bad(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "the key provider's request: %s", what);
}

/*
 * Wrap
 */

/* "a=b::keyid=KEY::c=d", or the key alone. */
static struct span recipient_key(struct span text)
{
	struct span rest = text;

	while (rest.len) {
		const char *end = memmem(rest.p, rest.len, "::", 2);
		struct span part = {rest.p, end ? (size_t)(end - rest.p) : rest.len};

		if (span_starts(part, "keyid="))
			return (struct span){part.p + 6, part.len - 6};
		if (!end)
			break;
		rest = (struct span){end + 2, rest.len - part.len - 2};
	}
	return text;
}

static int read_recipient(
	struct keyprovider_request *q, struct json_val parameters, struct error *err)
{
	static const char *const names[] = {"casemate", "attestation-agent"};
	_cleanup_buf_ struct buf text = BUF_INIT(KEYPROVIDER_RECIPIENT_MAX);
	_cleanup_arena_ struct arena a = ARENA_INIT(KEYPROVIDER_MAX);
	struct json_val values = {0};
	struct span key;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !json_exists(values); i++)
		values = json_get(parameters, names[i]);
	if (json_count(values) != 1)
		return bad(err, "it names no recipient, or several; encrypt with --recipient "
				"provider:casemate:kbs:///NAMESPACE/PROFILE/KEY");
	r = codec_unbase64(&text, CODEC_BASE64, json_str(json_at(values, 0), &a));
	if (r < 0)
		return r == -ENOMEM ? error_oom(err) : bad(err, "the recipient is no base64");
	key = recipient_key(buf_view(&text));
	if (key.len == 0 || key.len >= sizeof(q->recipient) || memchr(key.p, '\0', key.len))
		return bad(err, "the recipient names no key");
	memcpy(q->recipient, key.p, key.len);
	return 0;
}

/* ocicrypt sends base64, ocicrypt-rs the text itself, whose only escapes are those of its quotes.
 * Decoded here and not by json_str(), which would leave a copy behind. */
static int unescape(struct secret *ret, struct span raw)
{
	int r = secret_init(ret, raw.len);

	for (size_t i = 1; r == 0 && i + 1 < raw.len; i++) {
		bool escape = raw.p[i] == '\\';
		char c = raw.p[i += escape];

		if (escape && c != '"' && c != '\\' && c != '/')
			return -EBADMSG;
		r = secret_add(ret, (struct span){&c, 1});
	}
	return r;
}

static int read_options(struct keyprovider_request *q, struct json_val v, struct error *err)
{
	struct span raw = json_raw(v);
	int r;

	if (!json_is_string(v) || raw.len <= 2)
		return bad(err, "optsdata is missing");
	if (raw.p[1] == '{')
		r = unescape(&q->options, raw);
	else
		r = secret_unbase64(&q->options, (struct span){raw.p + 1, raw.len - 2});
	if (r == -ENOMEM)
		return error_oom(err);
	return r < 0 || q->options.len == 0 || q->options.len > KEYPROVIDER_OPTIONS_MAX
		       ? bad(err, "optsdata is neither base64 nor JSON of up to 4 KiB")
		       : 0;
}

static int read_wrap(struct keyprovider_request *q, struct json_val root, struct error *err)
{
	struct json_val params = json_get(root, "keywrapparams");
	int r = read_recipient(q, json_find(params, "ec", "Parameters"), err);

	q->op = KEYPROVIDER_WRAP;
	return r < 0 ? r : read_options(q, json_get(params, "optsdata"), err);
}

/*
 * Unwrap
 */

static int read_unwrap(struct keyprovider_request *q, struct json_val root, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(KEYPROVIDER_MAX);
	struct span text = json_str(json_find(root, "keyunwrapparams", "annotation"), &a);
	int r;

	q->op = KEYPROVIDER_UNWRAP;
	q->annotation = BUF_INIT(KEYPROVIDER_MAX);
	r = codec_unbase64(&q->annotation, CODEC_BASE64, text);
	if (r == -ENOMEM)
		return error_oom(err);
	return r < 0 || q->annotation.len == 0 ? bad(err, "annotation is no base64") : 0;
}

int keyprovider_read(struct keyprovider_request *ret, struct span json, struct error *err)
{
	static const struct json_limits limits = {KEYPROVIDER_MAX, 4096, 16};
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	int r = json_parse(&doc, json, &limits, err);

	*ret = (struct keyprovider_request){0};
	if (r < 0)
		return r == -ENOMEM ? r : error_prefix(err, -EBADMSG, "the key provider's request");
	root = json_root(&doc);
	if (json_str_is(json_get(root, "op"), "keywrap"))
		return read_wrap(ret, root, err);
	if (json_str_is(json_get(root, "op"), "keyunwrap"))
		return read_unwrap(ret, root, err);
	return bad(err, "op is neither keywrap nor keyunwrap");
}

void keyprovider_request_free(struct keyprovider_request *q)
{
	secret_free(&q->options);
	buf_free(&q->annotation);
}

/*
 * Answers
 */

static int write_numbers(
	struct secret *ret, const char *before, struct span bytes, const char *after)
{
	_cleanup_secret_ struct secret s = {0};
	int r = secret_init(&s, strlen(before) + bytes.len * NUMBER_MAX + strlen(after));

	if (r < 0)
		return r;
	secret_add(&s, span_str(before));
	for (size_t i = 0; i < bytes.len; i++) {
		char text[NUMBER_MAX + 1];
		int n = snprintf(text, sizeof(text), i ? ",%u" : "%u", (unsigned char)bytes.p[i]);

		secret_add(&s, (struct span){text, (size_t)n});
	}
	r = secret_add(&s, span_str(after));
	*ret = s;
	s = (struct secret){0};
	return r;
}

int keyprovider_wrapped(struct secret *ret, struct span annotation)
{
	return write_numbers(ret, "{\"keywrapresults\":{\"annotation\":[", annotation, "]}}");
}

int keyprovider_unwrapped(struct secret *ret, struct span options)
{
	return write_numbers(ret, "{\"keyunwrapresults\":{\"optsdata\":[", options, "]}}");
}

/*
 * protobuf
 */

int keyprovider_unframe(struct span *ret, struct span message, struct error *err)
{
	size_t len = 0, at = 1;
	unsigned shift = 0;

	if (message.len < 2 || (unsigned char)message.p[0] != FIELD_1_BYTES)
		return bad(err, "not the protobuf message of ocicrypt");
	do {
		if (at == message.len || shift > 28)
			return bad(err, "not the protobuf message of ocicrypt");
		len |= (size_t)(message.p[at] & 0x7f) << shift;
		shift += 7;
	} while (message.p[at++] & 0x80);
	if (len != message.len - at)
		return bad(err, "not the protobuf message of ocicrypt");
	*ret = (struct span){message.p + at, len};
	return 0;
}

int keyprovider_frame(struct secret *ret, struct span json)
{
	char head[FRAME_MAX] = {FIELD_1_BYTES};
	size_t n = 1, len = json.len;
	int r;

	for (; len > 0x7f; len >>= 7)
		head[n++] = (char)(0x80 | (len & 0x7f));
	head[n++] = (char)len;
	r = secret_init(ret, n + json.len);
	if (r < 0)
		return r;
	secret_add(ret, (struct span){head, n});
	return secret_add(ret, json);
}
