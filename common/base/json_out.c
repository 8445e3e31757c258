/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/json_out.h"

#include <inttypes.h>

#include "common/base/codec.h"

static void line(struct json_out *o)
{
	buf_putc(o->b, '\n');
	for (unsigned i = 0; i < o->depth; i++)
		buf_puts(o->b, "  ");
}

/* Everything before the value. */
static void begin(struct json_out *o, const char *key)
{
	if (o->filled)
		buf_putc(o->b, ',');
	if (o->depth)
		line(o);
	o->filled = true;
	if (!key)
		return;
	buf_json_string(o->b, span_str(key));
	buf_puts(o->b, ": ");
}

void json_out_open(struct json_out *o, const char *key, char bracket)
{
	begin(o, key);
	buf_putc(o->b, bracket);
	o->depth++;
	o->filled = false;
}

void json_out_close(struct json_out *o, char bracket)
{
	o->depth--;
	if (o->filled)
		line(o);
	buf_putc(o->b, bracket);
	o->filled = true;
}

void json_out_str(struct json_out *o, const char *key, struct span s)
{
	begin(o, key);
	buf_json_string(o->b, s);
}

void json_out_hex(struct json_out *o, const char *key, const void *p, size_t len)
{
	begin(o, key);
	buf_putc(o->b, '"');
	codec_hex(o->b, p, len);
	buf_putc(o->b, '"');
}

void json_out_int(struct json_out *o, const char *key, int64_t n)
{
	begin(o, key);
	buf_printf(o->b, "%" PRId64, n);
}

void json_out_bool(struct json_out *o, const char *key, bool value)
{
	begin(o, key);
	buf_puts(o->b, value ? "true" : "false");
}

void json_out_null(struct json_out *o, const char *key)
{
	begin(o, key);
	buf_puts(o->b, "null");
}
