/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/sealed.h"

#include <errno.h>

#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/kbs/jws.h"

#define PREFIX  "sealed."
#define VERSION "0.1.0"

/* What guest components themselves put where there is no signature. */
#define NO_HEADER    "fakejwsheader"
#define NO_SIGNATURE "fakesignature"

enum { PAYLOAD_MAX = 1024, NODES_MAX = 1024, DEPTH_MAX = 16, PARTS = 3 };

bool sealed_is(struct span value)
{
	return span_starts(value, PREFIX);
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "a sealed secret: %s", what);
}

/* The three parts behind the prefix. */
static int split(struct span parts[PARTS], struct span value)
{
	struct span rest = span_after(value, PREFIX);

	for (size_t i = 0; i < PARTS; i++) {
		const char *dot = rest.len ? memchr(rest.p, '.', rest.len) : NULL;

		if (!dot != (i == PARTS - 1))
			return -EBADMSG;
		parts[i] = (struct span){rest.p, dot ? (size_t)(dot - rest.p) : rest.len};
		if (dot)
			rest = (struct span){dot + 1, rest.len - parts[i].len - 1};
	}
	return 0;
}

static int read_payload(struct sealed *ret, struct json_val v, struct error *err)
{
	struct sealed s = {.vault = json_str_is(json_get(v, "type"), "vault")};

	if (!json_str_is(json_get(v, "version"), VERSION))
		return bad(err, "version is not " VERSION);
	if (!s.vault && !json_str_is(json_get(v, "type"), "envelope"))
		return bad(err, "type is neither vault nor envelope");
	if (!json_copy(json_get(v, "provider"), s.provider, sizeof(s.provider)))
		return bad(err, "provider is missing");
	if (!json_copy(json_get(v, s.vault ? "name" : "key_id"), s.name, sizeof(s.name)))
		return bad(err, "it names no key");
	if (!json_is_object(json_get(v, "provider_settings")) ||
		!json_is_object(json_get(v, "annotations")))
		return bad(err, "provider_settings or annotations is missing");
	*ret = s;
	return 0;
}

int sealed_read(struct sealed *ret, struct span value, struct error *err)
{
	static const struct json_limits limits = {SEALED_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_buf_ struct buf payload = BUF_INIT(SEALED_MAX);
	_cleanup_json_ struct json doc = {0};
	struct span parts[PARTS];
	int r = sealed_is(value) && value.len <= SEALED_MAX ? split(parts, value) : -EBADMSG;

	if (r < 0)
		return bad(err, "it is not sealed.HEADER.PAYLOAD.SIGNATURE");
	r = codec_unbase64(&payload, CODEC_BASE64_URL, parts[1]);
	if (r == 0)
		r = json_parse(&doc, buf_view(&payload), &limits, NULL);
	if (r == -ENOMEM)
		return error_oom(err);
	return r < 0 ? bad(err, "its payload is no JSON in base64url without padding")
		     : read_payload(ret, json_root(&doc), err);
}

static int write_payload(struct buf *out, const struct key_id *id)
{
	buf_puts(out, "{\"version\":\"" VERSION "\",\"type\":\"vault\",\"name\":\"" KEY_ID_KBS);
	key_id_write(out, id);
	return buf_puts(
		out, "\",\"provider\":\"kbs\",\"provider_settings\":{},\"annotations\":{}}");
}

int sealed_write(struct buf *out, const struct key_id *id)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(PAYLOAD_MAX);

	if (write_payload(&payload, id) < 0)
		return payload.err;
	buf_puts(out, PREFIX NO_HEADER ".");
	codec_base64url(out, payload.p, payload.len);
	return buf_puts(out, "." NO_SIGNATURE);
}

int sealed_sign(
	struct buf *out, const struct key_id *id, const char *kid, EVP_PKEY *key, struct error *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(PAYLOAD_MAX), header = BUF_INIT(PAYLOAD_MAX);

	for (const char *p = kid; *p; p++)
		if (*p <= ' ' || *p > '~')
			return error_set(
				err, -EINVAL, "the signer's name is no kbs:/// or file name");
	buf_puts(&header, "{\"alg\":\"ES256\",\"kid\":");
	buf_json_string(&header, span_str(kid));
	buf_putc(&header, '}');
	if (!*kid || header.err)
		return error_set(err, -EINVAL, "the signer's name is empty, or too long");
	if (write_payload(&payload, id) < 0 || buf_puts(out, PREFIX) < 0)
		return error_oom(err);
	return jws_sign_es256(out, buf_view(&header), buf_view(&payload), key, err);
}
