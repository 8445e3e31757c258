/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/names.h"

#include <stdint.h>

enum { DISTANCE_MAX_LEN = 40 };

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool name_is_dns_label(struct span s)
{
	if (s.len == 0 || s.len > NAME_LABEL_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_alnum(s.p[i]) && (s.p[i] != '-' || i == 0 || i == s.len - 1))
			return false;
	return true;
}

bool name_is_dns_subdomain(struct span s)
{
	char before = '.';

	if (s.len == 0 || s.len > NAME_SUBDOMAIN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!is_lower_alnum(c) && c != '-' && c != '.')
			return false;
		/* each part starts and ends with a letter or digit */
		if ((before == '.' && !is_lower_alnum(c)) || (c == '.' && !is_lower_alnum(before)))
			return false;
		before = c;
	}
	return is_lower_alnum(before);
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool is_qualified(struct span s)
{
	if (s.len == 0 || s.len > NAME_LABEL_MAX || !is_alnum(s.p[0]) || !is_alnum(s.p[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return true;
}

bool name_is_label_key(struct span s)
{
	const char *slash = s.len ? memchr(s.p, '/', s.len) : NULL;
	size_t n;

	if (!slash)
		return is_qualified(s);
	n = (size_t)(slash - s.p);
	return name_is_dns_subdomain((struct span){s.p, n}) &&
	       is_qualified((struct span){slash + 1, s.len - n - 1});
}

bool name_is_label_value(struct span s)
{
	return s.len == 0 || is_qualified(s);
}

bool name_is_env(struct span s)
{
	if (s.len == 0 || s.len > NAME_SUBDOMAIN_MAX || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

bool name_is_path(struct span s)
{
	size_t start = 1;

	if (s.len < 2 || s.len > NAME_PATH_MAX || s.p[0] != '/')
		return false;
	for (size_t i = 1; i <= s.len; i++) {
		struct span part = {s.p + start, i - start};

		if (i < s.len && s.p[i] != '/') {
			if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
				return false;
			continue;
		}
		if (part.len == 0 || span_is(part, ".") || span_is(part, ".."))
			return false;
		start = i + 1;
	}
	return true;
}

bool name_is_hex(struct span s, size_t n_bytes)
{
	if (s.len != 2 * n_bytes)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i] | 0x20;

		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

struct span name_image_digest(struct span image)
{
	for (size_t i = image.p ? image.len : 0; i > 0; i--)
		if (image.p[i - 1] == '@')
			return (struct span){image.p + i, image.len - i};
	return SPAN_NONE;
}

struct span name_image_id_digest(struct span id)
{
	struct span digest = name_image_digest(id);

	return !digest.p && span_starts(id, "sha256:") ? id : digest;
}

unsigned name_distance(struct span a, struct span b)
{
	enum { N = DISTANCE_MAX_LEN + 1 };
	uint8_t row[N] = {0}, before[N] = {0}, older[N];

	if (a.len > DISTANCE_MAX_LEN || b.len > DISTANCE_MAX_LEN)
		return 3;
	for (size_t k = 0; k <= b.len; k++)
		row[k] = (uint8_t)k;
	for (size_t i = 1; i <= a.len; i++) {
		memcpy(older, before, sizeof(older));
		memcpy(before, row, sizeof(before));
		row[0] = (uint8_t)i;
		for (size_t k = 1; k <= b.len; k++) {
			uint8_t d = before[k - 1] + (a.p[i - 1] != b.p[k - 1]);

			if (before[k] + 1 < d)
				d = before[k] + 1;
			if (row[k - 1] + 1 < d)
				d = row[k - 1] + 1;
			/* two neighbours swapped: the commonest slip of all */
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] &&
				a.p[i - 2] == b.p[k - 1] && older[k - 2] + 1 < d)
				d = older[k - 2] + 1;
			row[k] = d;
		}
	}
	return row[b.len] < 3 ? row[b.len] : 3;
}
