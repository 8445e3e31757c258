/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/versions.h"

#include <errno.h>

enum { ID_MAX = sizeof(struct key_id), NODES = 8 };

int versions_ask_write(struct buf *out, const struct key_id *keys, size_t n)
{
	buf_puts(out, "{\"keys\":[");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, i ? ",\"" : "\"");
		key_id_write(out, &keys[i]);
		buf_putc(out, '"');
	}
	return buf_puts(out, "]}");
}

static int bad(int r, const char *what, struct error *err)
{
	return r == -ENOMEM ? error_oom(err)
			    : error_set(err, -EBADMSG, "this is no %s for versions of keys", what);
}

int versions_ask_read(struct key_id *ret, struct span body, struct error *err)
{
	static const struct json_limits limits = {VERSIONS_REQUEST_MAX, VERSIONS_MAX + NODES, 3};
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, body, &limits, NULL);
	struct json_val keys = json_get(json_root(&doc), "keys");
	char text[ID_MAX];
	struct json_iter it;
	size_t n = 0;

	if (r < 0 || !json_is_array(keys) || json_count(keys) > VERSIONS_MAX)
		return bad(r, "request", err);
	json_each (it, keys) {
		if (!json_copy(it.value, text, sizeof(text)))
			return bad(0, "request", err);
		r = key_id_parse(&ret[n++], span_str(text), NULL, err);
		if (r < 0)
			return error_set(err, -EBADMSG, "key %zu is none", n);
	}
	return (int)n;
}

int versions_answer_write(struct buf *out, const unsigned *versions, size_t n)
{
	buf_puts(out, "{\"versions\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%u", i ? "," : "", versions[i]);
	return buf_puts(out, "]}");
}

int versions_answer_read(unsigned *ret, size_t n, struct span body, struct error *err)
{
	static const struct json_limits limits = {VERSIONS_ANSWER_MAX, VERSIONS_MAX + NODES, 3};
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, body, &limits, NULL);
	struct json_val versions = json_get(json_root(&doc), "versions");
	struct json_iter it;

	if (r < 0 || !json_is_array(versions) || json_count(versions) != n)
		return bad(r, "answer", err);
	json_each (it, versions) {
		int64_t version;

		if (!json_int(it.value, &version) || version < 0 || version > INT32_MAX)
			return bad(0, "answer", err);
		ret[it.index] = (unsigned)version;
	}
	return 0;
}

unsigned versions_etag(const char *etag)
{
	uint64_t n = 0;
	size_t digits;

	if (!etag || *etag++ != '"')
		return 0;
	digits = strspn(etag, "0123456789");
	if (digits == 0 || digits > 10 || strcmp(etag + digits, "\"") != 0)
		return 0;
	for (size_t i = 0; i < digits; i++)
		n = 10 * n + (unsigned)(etag[i] - '0');
	return n <= INT32_MAX ? (unsigned)n : 0;
}
