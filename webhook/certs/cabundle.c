/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/cabundle.h"

#include "common/base/secret.h"

/* As unset and null do to the API server. */
static bool is_wanted(struct json_val entry, struct span wanted)
{
	struct json_val v = json_find(entry, "clientConfig", "caBundle");

	return json_is_string(v) ? json_str_equal(v, wanted) : wanted.len == 0;
}

static bool trusts(struct json_val entry, const X509 *serving)
{
	struct arena none = ARENA_INIT(0);
	_cleanup_secret_ struct secret pem = {0};
	_cleanup_bundle_ struct bundle b = {0};
	struct span text = json_str(json_find(entry, "clientConfig", "caBundle"), &none);

	return serving && text.len && secret_unbase64(&pem, text) == 0 &&
	       bundle_read(&b, secret_view(&pem), NULL) == 0 && bundle_has(&b, serving);
}

struct cabundle_state cabundle_review(
	struct json_val configuration, struct span wanted, const X509 *serving)
{
	struct cabundle_state state = {0};
	struct json_iter it;

	json_each (it, json_get(configuration, "webhooks")) {
		state.entries++;
		state.differing += !is_wanted(it.value, wanted);
		state.refusing += !trusts(it.value, serving);
	}
	return state;
}

static void add_op(struct buf *out, const char *op, size_t i, const char *field, struct span value)
{
	buf_printf(out, ",{\"op\":\"%s\",\"path\":\"/webhooks/%zu/%s\",\"value\":", op, i, field);
	buf_span(out, value);
	buf_putc(out, '}');
}

int cabundle_patch(struct json_val configuration, struct span wanted, struct buf *out)
{
	_cleanup_buf_ struct buf quoted = BUF_INIT(CABUNDLE_PATCH_MAX);
	struct json_iter it;
	int n = 0;

	buf_json_string(&quoted, wanted);
	buf_puts(out, "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":");
	buf_span(out, json_raw(json_find(configuration, "metadata", "resourceVersion")));
	buf_putc(out, '}');
	json_each (it, json_get(configuration, "webhooks")) {
		if (is_wanted(it.value, wanted))
			continue;
		add_op(out, "test", it.index, "name", json_raw(json_get(it.value, "name")));
		add_op(out, "add", it.index, "clientConfig/caBundle", buf_view(&quoted));
		n++;
	}
	buf_putc(out, ']');
	if (quoted.err)
		return quoted.err;
	return out->err ? out->err : n;
}
