/* SPDX-License-Identifier: Apache-2.0
 *
 * Content negotiation of the metrics page: an Accept header (RFC 9110 section 12.5.1) as Prometheus
 * sends it. Anything not understood counts for nothing. */
#include <stdlib.h>
#include <string.h>

#include "common/observe/metrics.h"

static const char spaces[] = " \t";

static struct span trim(struct span s)
{
	while (s.len && strchr(spaces, s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && strchr(spaces, s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Cuts the part before c off the front of rest. */
static struct span next_part(struct span *rest, char c)
{
	const char *end = rest->len ? memchr(rest->p, c, rest->len) : NULL;
	struct span part = {rest->p, end ? (size_t)(end - rest->p) : rest->len};

	*rest = end ? (struct span){end + 1, rest->len - part.len - 1} : SPAN_NONE;
	return trim(part);
}

static bool is_name(struct span s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.p, name, s.len) == 0;
}

/* "0", "0.123", "1", "1.000" in thousandths; 0 for anything else. */
static int quality(struct span s)
{
	int q, unit = 100;

	if (s.len == 0 || s.len > 5 || (s.p[0] != '0' && s.p[0] != '1'))
		return 0;
	q = (s.p[0] - '0') * 1000;
	if (s.len > 1 && s.p[1] != '.')
		return 0;
	for (size_t i = 2; i < s.len; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		q += (s.p[i] - '0') * unit;
	}
	return q > 1000 ? 0 : q;
}

/* The q of one media range in thousandths, 0 when we do not write it; which format in ret_format. */
static int range_quality(struct span range, enum metrics_format *ret_format)
{
	struct span type = next_part(&range, ';');
	const char *version;
	int q = 1000;

	if (is_name(type, "application/openmetrics-text")) {
		*ret_format = METRICS_OPENMETRICS;
		version = "1.0.0";
	} else if (is_name(type, "text/plain") || is_name(type, "text/*") || is_name(type, "*/*")) {
		*ret_format = METRICS_TEXT;
		version = "0.0.4";
	} else {
		return 0;
	}
	while (range.len) {
		struct span value = next_part(&range, ';'), name = next_part(&value, '=');

		value = trim(value);
		if (is_name(name, "q"))
			q = quality(value);
		else if (is_name(name, "version") && !span_is(value, version))
			return 0;
	}
	return q;
}

enum metrics_format metrics_negotiate(const char *accept)
{
	struct span rest = span_str(accept);
	int best[2] = {0, 0};

	while (rest.len) {
		enum metrics_format format = METRICS_TEXT;
		int q = range_quality(next_part(&rest, ','), &format);

		if (q > best[format])
			best[format] = q;
	}
	return best[METRICS_OPENMETRICS] > best[METRICS_TEXT] ? METRICS_OPENMETRICS : METRICS_TEXT;
}

const char *metrics_content_type(enum metrics_format f)
{
	return f == METRICS_OPENMETRICS ?
		"application/openmetrics-text; version=1.0.0; charset=utf-8" :
		"text/plain; version=0.0.4; charset=utf-8";
}
