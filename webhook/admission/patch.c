/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/admission/patch.h"

#include <errno.h>

void patch_op(struct patch *p, enum patch_kind kind, const char *prefix)
{
	static const char *const names[] = {"add", "replace", "remove"};

	buf_puts(&p->ops, p->n ? ",{\"op\":\"" : "{\"op\":\"");
	buf_puts(&p->ops, names[kind]);
	buf_puts(&p->ops, "\",\"path\":\"");
	buf_puts(&p->ops, prefix);
	p->n++;
}

/* A reference token inside a JSON string: '~' and '/' are escaped for the pointer (RFC 6901 section
 * 3), then the string's own escapes apply. */
void patch_key(struct patch *p, struct span key)
{
	size_t plain = 0; /* bytes before i that are not written yet */

	buf_putc(&p->ops, '/');
	for (size_t i = 0; i < key.len; i++) {
		unsigned char c = (unsigned char)key.p[i];

		if (c >= 0x20 && c != '~' && c != '/' && c != '"' && c != '\\')
			continue;
		buf_add(&p->ops, key.p + plain, i - plain);
		plain = i + 1;
		if (c == '~')
			buf_puts(&p->ops, "~0");
		else if (c == '/')
			buf_puts(&p->ops, "~1");
		else if (c == '"' || c == '\\')
			buf_printf(&p->ops, "\\%c", c);
		else
			buf_printf(&p->ops, "\\u%04x", c);
	}
	if (key.len > plain)
		buf_add(&p->ops, key.p + plain, key.len - plain);
}

void patch_keys_(struct patch *p, const char *const *keys)
{
	for (; *keys; keys++)
		patch_key(p, span_str(*keys));
}

void patch_index(struct patch *p, size_t i)
{
	buf_printf(&p->ops, "/%zu", i);
}

void patch_append(struct patch *p)
{
	buf_puts(&p->ops, "/-");
}

void patch_value_json(struct patch *p, struct span json)
{
	buf_puts(&p->ops, "\",\"value\":");
	buf_span(&p->ops, json);
	buf_putc(&p->ops, '}');
}

void patch_value_str(struct patch *p, struct span s)
{
	buf_puts(&p->ops, "\",\"value\":");
	buf_json_string(&p->ops, s);
	buf_putc(&p->ops, '}');
}

void patch_end(struct patch *p)
{
	buf_puts(&p->ops, "\"}");
}

void patch_reset(struct patch *p)
{
	buf_reset(&p->ops);
	p->n = 0;
}

void patch_free(struct patch *p)
{
	buf_free(&p->ops);
	p->n = 0;
}

int patch_write(const struct patch *p, struct buf *out)
{
	if (p->ops.err)
		return p->ops.err;
	buf_putc(out, '[');
	buf_span(out, buf_view(&p->ops));
	return buf_putc(out, ']');
}

/* A value while a patch is applied: a received slice until an operation reaches into it, then a
 * list of children. */
struct edit {
	struct json_val v;
	bool opened;
	struct child *first; /* when opened */
};

struct child {
	struct child *next;
	struct span key; /* decoded; SPAN_NONE in arrays */
	struct edit value;
};

static int edit_open(struct edit *e, struct arena *a)
{
	struct child **tail = &e->first;
	struct json_iter it;

	if (e->opened)
		return 0;
	json_each(it, e->v) {
		struct child *c = arena_new(a, struct child);

		if (!c)
			return -ENOMEM;
		if (json_exists(it.key)) {
			c->key = json_str(it.key, a);
			if (!c->key.p)
				return -ENOMEM;
		}
		c->value.v = it.value;
		*tail = c;
		tail = &c->next;
	}
	e->opened = true;
	return 0;
}

static void edit_write(const struct edit *e, struct buf *out)
{
	bool object = json_is_object(e->v);

	if (!e->opened) {
		buf_span(out, json_raw(e->v));
		return;
	}
	buf_putc(out, object ? '{' : '[');
	for (const struct child *c = e->first; c; c = c->next) {
		if (object) {
			buf_json_string(out, c->key);
			buf_putc(out, ':');
		}
		edit_write(&c->value, out);
		if (c->next)
			buf_putc(out, ',');
	}
	buf_putc(out, object ? '}' : ']');
}

/* An array index: no sign, no leading zero (RFC 6901 section 4). */
static bool parse_index(struct span token, size_t *ret_i)
{
	size_t i = 0;

	if (token.len == 0 || token.len > 9 || (token.len > 1 && token.p[0] == '0'))
		return false;
	for (size_t k = 0; k < token.len; k++) {
		if (token.p[k] < '0' || token.p[k] > '9')
			return false;
		i = i * 10 + (size_t)(token.p[k] - '0');
	}
	*ret_i = i;
	return true;
}

/* The link that holds the child a token names, or (beyond the last) the list's end. */
static struct child **edit_slot(struct edit *e, struct span token)
{
	struct child **slot = &e->first;
	size_t i;

	if (json_is_object(e->v)) {
		while (*slot && !span_equal((*slot)->key, token))
			slot = &(*slot)->next;
		return slot;
	}
	if (span_is(token, "-")) {
		while (*slot)
			slot = &(*slot)->next;
		return slot;
	}
	if (!json_is_array(e->v) || !parse_index(token, &i))
		return NULL;
	for (; i > 0 && *slot; i--)
		slot = &(*slot)->next;
	return i == 0 ? slot : NULL;
}

/* The next reference token of a pointer, unescaped; false at the end or (token.p NULL) when it is
 * no pointer. */
static bool next_token(struct span *rest, struct span *ret_token, struct arena *a)
{
	char *out;
	size_t n = 0, i = 1;

	*ret_token = SPAN_NONE;
	if (rest->len == 0)
		return false;
	out = rest->p[0] == '/' ? arena_alloc(a, rest->len) : NULL;
	if (!out)
		return false;
	for (; i < rest->len && rest->p[i] != '/'; i++) {
		char c = rest->p[i];

		if (c == '~') {
			if (++i == rest->len || (rest->p[i] != '0' && rest->p[i] != '1'))
				return false;
			c = rest->p[i] == '0' ? '~' : '/';
		}
		out[n++] = c;
	}
	*rest = (struct span){rest->p + i, rest->len - i};
	*ret_token = (struct span){out, n};
	return true;
}

/* Carries out one operation on what slot holds (or would hold) within parent. */
static int edit_change(struct edit *parent, struct child **slot, struct span token, struct span op,
	struct json_val value, struct arena *a)
{
	struct child *c = *slot;

	if (span_is(op, "remove")) {
		if (!c)
			return -ENOENT;
		*slot = c->next;
		return 0;
	}
	if (!json_exists(value))
		return -EBADMSG;
	if (c && (span_is(op, "replace") || json_is_object(parent->v))) {
		c->value = (struct edit){.v = value};
		return 0;
	}
	if (!span_is(op, "add"))
		return -ENOENT;
	c = arena_new(a, struct child);
	if (!c)
		return -ENOMEM;
	*c = (struct child){
		.next = *slot,
		.key = json_is_object(parent->v) ? token : SPAN_NONE,
		.value = {.v = value},
	};
	*slot = c;
	return 0;
}

static int edit_apply(struct edit *root, struct json_val op, struct arena *a)
{
	struct span name = json_str(json_get(op, "op"), a), rest = json_str(json_get(op, "path"), a);
	struct json_val value = json_get(op, "value");
	struct span token;
	struct edit *e = root;

	if (!rest.p ||
		!(span_is(name, "add") || span_is(name, "replace") || span_is(name, "remove")))
		return -EBADMSG;
	if (rest.len == 0) {
		if (span_is(name, "remove") || !json_exists(value))
			return -EBADMSG;
		*root = (struct edit){.v = value};
		return 0;
	}
	while (next_token(&rest, &token, a)) {
		struct child **slot;
		int r = edit_open(e, a);

		if (r < 0)
			return r;
		slot = edit_slot(e, token);
		if (!slot)
			return -ENOENT;
		if (rest.len == 0)
			return edit_change(e, slot, token, name, value, a);
		if (!*slot)
			return -ENOENT;
		e = &(*slot)->value;
	}
	return -EBADMSG;
}

int patch_apply(struct json_val doc, struct json_val patch, struct arena *a, struct buf *out,
	struct error *err)
{
	struct edit root = {.v = doc};
	struct json_iter it;

	if (!json_is_array(patch))
		return error_set(err, -EBADMSG, "a JSON Patch is an array of operations");
	json_each(it, patch) {
		int r = edit_apply(&root, it.value, a);

		if (r == -ENOENT)
			return error_set(err, r, "operation %zu: no such path: " SPAN_FMT, it.index,
				SPAN_ARG(json_raw(json_get(it.value, "path"))));
		if (r == -ENOMEM)
			return error_oom(err);
		if (r < 0)
			return error_set(err, r,
				"operation %zu: not an add, replace or remove with a path and value",
				it.index);
	}
	edit_write(&root, out);
	return out->err ? error_set(err, out->err, "the patched document is too large") : 0;
}
