/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/cabundle.h"

#include "common/base/secret.h"

/* What an entry has; empty when it has nothing, or nothing that can be read. */
static void read_entry(struct json_val entry, struct bundle *ret)
{
	struct arena none = ARENA_INIT(0);
	_cleanup_secret_ struct secret pem = {0};
	struct span text = json_str(json_find(entry, "clientConfig", "caBundle"), &none);

	if (text.len && secret_unbase64(&pem, text) == 0)
		(void)bundle_read(ret, secret_view(&pem), NULL);
}

static bool has_others(const struct bundle *b, const struct cabundle_rules *rules)
{
	for (size_t i = 0; i < b->n; i++)
		if (!bundle_has(rules->wanted, b->cert[i]) && !bundle_has(rules->kept, b->cert[i]))
			return true;
	return false;
}

struct cabundle_state cabundle_review(struct json_val configuration,
	const struct cabundle_rules *rules, const struct bundle *needed)
{
	struct cabundle_state state = {0};
	struct json_iter it;

	json_each (it, json_get(configuration, "webhooks")) {
		_cleanup_bundle_ struct bundle b = {0};
		bool lacking;

		read_entry(it.value, &b);
		lacking = !bundle_has_all(&b, rules->wanted);
		state.entries++;
		state.lacking += lacking;
		state.differing += lacking || has_others(&b, rules);
		state.refusing += needed->n == 0 || !bundle_has_all(&b, needed);
	}
	return state;
}

void cabundle_strangers(
	struct json_val configuration, const struct bundle *wanted, struct bundle *ret)
{
	struct json_iter it;

	json_each (it, json_get(configuration, "webhooks")) {
		_cleanup_bundle_ struct bundle b = {0};

		read_entry(it.value, &b);
		for (size_t i = 0; i < b.n; i++)
			if (!bundle_has(wanted, b.cert[i]))
				(void)bundle_add(ret, b.cert[i], false);
	}
}

/* What an entry that has b should have, as a JSON string. */
static int write_value(
	const struct bundle *b, const struct cabundle_rules *rules, struct buf *quoted)
{
	_cleanup_bundle_ struct bundle target = {0};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX);
	_cleanup_buf_ struct buf text = BUF_INIT(CABUNDLE_PATCH_MAX);
	int r;

	bundle_copy(&target, rules->wanted);
	for (size_t i = 0; i < b->n; i++)
		if (bundle_has(rules->kept, b->cert[i]))
			(void)bundle_add(&target, b->cert[i], false);
	r = bundle_write(&target, &pem);
	if (r == 0)
		r = buf_base64(&text, pem.p, pem.len);
	buf_json_string(quoted, buf_view(&text));
	return r;
}

static void add_op(struct buf *out, const char *op, size_t i, const char *field, struct span value)
{
	buf_printf(out, ",{\"op\":\"%s\",\"path\":\"/webhooks/%zu/%s\",\"value\":", op, i, field);
	buf_span(out, value);
	buf_putc(out, '}');
}

int cabundle_patch(
	struct json_val configuration, const struct cabundle_rules *rules, struct buf *out)
{
	struct json_iter it;
	int n = 0;

	buf_puts(out, "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":");
	buf_span(out, json_raw(json_find(configuration, "metadata", "resourceVersion")));
	buf_putc(out, '}');
	json_each (it, json_get(configuration, "webhooks")) {
		_cleanup_buf_ struct buf quoted = BUF_INIT(CABUNDLE_PATCH_MAX);
		_cleanup_bundle_ struct bundle b = {0};
		int r;

		read_entry(it.value, &b);
		if (bundle_has_all(&b, rules->wanted) && !has_others(&b, rules))
			continue;
		r = write_value(&b, rules, &quoted);
		if (r < 0 || quoted.err)
			return r < 0 ? r : quoted.err;
		add_op(out, "test", it.index, "name", json_raw(json_get(it.value, "name")));
		add_op(out, "add", it.index, "clientConfig/caBundle", buf_view(&quoted));
		n++;
	}
	buf_putc(out, ']');
	return out->err ? out->err : n;
}
