/* SPDX-License-Identifier: Apache-2.0
 *
 * What a container, or its pod's annotation, asks for, and what is noted of it; the first byte
 * picks. What is accepted can be part of a path and of a URL; what is refused says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/attest/token.h"
#include "nodeagent/keys/held.h"
#include "nodeagent/keys/release.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be_names(const struct key_names *keys)
{
	must(keys->n <= DELIVERY_KEYS_MAX);
	for (size_t i = 0; i < keys->n; i++) {
		must(delivery_key_name(span_str(keys->v[i])));
		must(!strstr(keys->v[i], "/.") &&
			strchr(keys->v[i], '/') == strrchr(keys->v[i], '/'));
	}
}

static void request(struct span s)
{
	_cleanup_key_request_ struct key_request q = {0};
	struct error err = {0};
	int r = key_request_read(&q, s, &err);

	if (r < 0) {
		must(err.code == r && *err.message);
		return;
	}
	must(q.keys.n > 0 && q.token.len > 0);
	must_be_names(&q.keys);
}

static void promise(struct span s)
{
	static const struct json_limits limits = {1 << 20, 10000, 16};
	_cleanup_json_ struct json doc = {0};
	struct key_promise p = {0};
	struct error err = {0};

	if (json_parse(&doc, s, &limits, NULL) < 0)
		return;
	if (key_promise_read(&p, json_root(&doc), "app", &err) < 0) {
		must(*err.message);
		return;
	}
	must_be_names(&p.keys);
	for (size_t i = 0; i < p.keys.n; i++)
		must(delivery_file_name(span_str(p.files[i])) && !strchr(p.files[i], '/'));
}

/* What is noted is read as it was. */
static void held(struct span s)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), again = BUF_INIT(1 << 16);
	struct key_names wanted;
	struct key_held h;

	if (key_held_read(&h, s) < 0)
		return;
	for (size_t i = 0; i < h.n; i++) {
		must(delivery_file_name(span_str(h.v[i].file)));
		key_held_news(&h, h.v[i].key, 2);
	}
	key_held_wanted(&h, &wanted);
	must_be_names(&wanted);
	must(key_held_write(&text, &h) == 0 && key_held_read(&h, buf_view(&text)) == 0);
	must(key_held_write(&again, &h) == 0 && span_equal(buf_view(&text), buf_view(&again)));
}

static void token(struct span s)
{
	struct token_pod t;
	struct error err = {0};

	if (token_pod_read(&t, s, &err) < 0)
		must(*err.message);
	else
		must(*t.namespace_ && *t.pod && *t.pod_uid && *t.service_account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key_refusal why;
	struct span s;

	if (size == 0)
		return 0;
	s = (struct span){(const char *)data + 1, size - 1};
	switch (data[0] % 5) {
	case 0:
		request(s);
		break;
	case 1:
		promise(s);
		break;
	case 2:
		token(s);
		break;
	case 3:
		held(s);
		break;
	default:
		key_refusal_read(&why, data[0] * 2 + 100, s);
		must(*why.reason && *why.message);
	}
	return 0;
}
