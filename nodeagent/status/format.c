/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/status/format.h"

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/utf8.h"

/* Controls, line separators, and what changes direction: none is part of an honest name, and each
 * can make a screen show something else than what is there. */
static bool deceives(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void put_char(struct buf *b, const char *s, size_t n, enum format_escape escape)
{
	if (escape == FORMAT_HTML && entity(*s)) {
		buf_puts(b, entity(*s));
		return;
	}
	if (escape == FORMAT_JSON && (*s == '"' || *s == '\\'))
		buf_putc(b, '\\');
	buf_add(b, s, n);
}

int format_text(struct buf *b, const char *s, enum format_escape escape)
{
	if (escape == FORMAT_JSON)
		buf_putc(b, '"');
	while (*s) {
		uint32_t c;
		size_t n = utf8_decode((struct span){s, strnlen(s, 4)}, &c);

		if (n == 0 || deceives(c))
			buf_puts(b, "\xef\xbf\xbd");
		else
			put_char(b, s, n, escape);
		s += n ? n : 1;
	}
	return escape == FORMAT_JSON ? buf_putc(b, '"') : b->err;
}

int format_bytes(struct buf *b, int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t unit = 1, tenths;
	size_t i = 0;

	if (bytes < 0)
		return buf_puts(b, "unknown");
	while (i + 1 < ARRAY_SIZE(units) && (uint64_t)bytes / 1024 >= unit) {
		unit *= 1024;
		i++;
	}
	buf_printf(b, "%llu", (unsigned long long)((uint64_t)bytes / unit));
	tenths = (uint64_t)bytes % unit * 10 / unit;
	if (tenths)
		buf_printf(b, ".%u", (unsigned)tenths);
	return buf_printf(b, " %s", units[i]);
}

int format_duration(struct buf *b, int64_t usec)
{
	int64_t sec = usec > 0 ? usec / USEC_PER_SEC : 0;
	int64_t min = sec / 60, hours = min / 60, days = hours / 24;

	if (days)
		return buf_printf(b, "%lld d %d h", (long long)days, (int)(hours % 24));
	if (hours)
		return buf_printf(b, "%d h %d min", (int)hours, (int)(min % 60));
	if (min)
		return buf_printf(b, "%d min", (int)min);
	return buf_printf(b, "%d s", (int)sec);
}

int format_time(struct buf *b, int64_t unix_usec)
{
	char text[CLOCK_RFC3339_MAX];

	clock_format(text, unix_usec / USEC_PER_SEC);
	return buf_printf(b, "%.10s %.8s UTC", text, text + 11);
}
