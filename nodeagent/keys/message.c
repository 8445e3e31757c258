/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/message.h"

#include <errno.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/utf8.h"

enum {
	LENGTH_BYTES = 4,
	REQUEST_NODES_MAX = 4 * DELIVERY_KEYS_MAX,
	REASON_MAX = 63,
	MESSAGE_MAX = 400, /* and each byte may take six */
};

static int wrong(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "the request: %s", what);
}

/* As it stands there: what is escaped is copied into memory that nobody cleanses, and a token has
 * nothing to escape. */
static struct span plain_string(struct json_val v)
{
	struct span raw = json_raw(v);

	if (!json_is_string(v) || memchr(raw.p, '\\', raw.len))
		return SPAN_NONE;
	return (struct span){raw.p + 1, raw.len - 2};
}

static int read_keys(struct key_names *ret, struct json_val keys, struct error *err)
{
	struct json_iter it;

	if (!json_is_array(keys) || json_count(keys) == 0 || json_count(keys) > DELIVERY_KEYS_MAX)
		return error_set(err, -EBADMSG, "the request: keys must be an array of 1 to %d",
			DELIVERY_KEYS_MAX);
	json_each (it, keys) {
		struct span name = plain_string(it.value);

		if (!name.p || !delivery_key_name(name))
			return wrong(err, "each key must be a string PROFILE/KEY");
		memcpy(ret->v[it.index], name.p, name.len);
		ret->v[it.index][name.len] = '\0';
	}
	ret->n = json_count(keys);
	return 0;
}

int key_request_read(struct key_request *ret, struct span json, struct error *err)
{
	static const struct json_limits limits = {DELIVERY_REQUEST_MAX, REQUEST_NODES_MAX, 4};
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	struct span token;
	int64_t version;

	if (json_parse(&doc, json, &limits, NULL) < 0)
		return wrong(err, "it is not JSON as common/kbs/delivery.h has it");
	root = json_root(&doc);
	if (!json_int(json_get(root, "version"), &version) || version != DELIVERY_VERSION)
		return error_set(err, -EBADMSG,
			"the request: version must be %d: casemate-exec and agent are of different "
			"versions; start the pod again",
			DELIVERY_VERSION);
	token = plain_string(json_get(root, "token"));
	if (token.len == 0 || token.len > DELIVERY_TOKEN_MAX)
		return wrong(err, "token must be the pod's token");
	if (secret_copy(&ret->token, token) < 0)
		return error_oom(err);
	return read_keys(&ret->keys, json_get(root, "keys"), err);
}

void key_request_free(struct key_request *q)
{
	secret_free(&q->token);
	q->keys.n = 0;
}

/* The head with its length, and room for more behind it. */
static int begin(struct secret *ret, const struct buf *head, size_t more)
{
	unsigned char length[LENGTH_BYTES];

	if (head->err || secret_init(ret, LENGTH_BYTES + head->len + more) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < LENGTH_BYTES; i++)
		length[i] = (unsigned char)(head->len >> 8 * (LENGTH_BYTES - 1 - i));
	secret_add(ret, (struct span){(char *)length, sizeof(length)});
	return secret_add(ret, buf_view(head));
}

int key_answer_keys(struct secret *ret, const struct secret *keys, size_t n)
{
	_cleanup_buf_ struct buf head = BUF_INIT(DELIVERY_HEAD_MAX);
	size_t sum = 0;
	int r;

	buf_puts(&head, "{\"status\":\"ok\",\"lengths\":[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&head, "%s%zu", i ? "," : "", keys[i].len);
		sum += keys[i].len;
	}
	buf_puts(&head, "]}");
	r = begin(ret, &head, sum);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = secret_add(ret, secret_view(&keys[i]));
	return r;
}

/* JSON wants UTF-8, whoever wrote the text. */
static void put_text(struct buf *out, const char *name, const char *text, size_t max)
{
	struct span s = utf8_cut(span_str(text), max);
	size_t at = 0, n;

	while (at < s.len && (n = utf8_decode((struct span){s.p + at, s.len - at}, NULL)) > 0)
		at += n;
	buf_printf(out, ",\"%s\":", name);
	buf_json_string(out, (struct span){s.p, at});
}

int key_answer_refusal(
	struct secret *ret, bool again, const char *reason, const char *message, const char *key)
{
	_cleanup_buf_ struct buf head = BUF_INIT(DELIVERY_HEAD_MAX);

	buf_printf(&head, "{\"status\":\"%s\"", again ? "again" : "refused");
	put_text(&head, "reason", reason, REASON_MAX);
	put_text(&head, "message", message, MESSAGE_MAX);
	put_text(&head, "key", key, DELIVERY_NAME_MAX);
	buf_putc(&head, '}');
	return begin(ret, &head, 0);
}
