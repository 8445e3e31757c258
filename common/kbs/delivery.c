/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/delivery.h"

#include <string.h>

enum { PROFILE_MAX = 253, KEY_MAX = 63 };

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool good_part(struct span s, size_t max)
{
	if (s.len == 0 || s.len > max || !is_alnum(s.p[0]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

bool delivery_file_name(struct span name)
{
	return good_part(name, DELIVERY_FILE_MAX);
}

bool delivery_file_path(struct span path, struct span *ret_name)
{
	struct span name = span_after(path, DELIVERY_FILES_DIR "/");

	if (!delivery_file_name(name))
		return false;
	if (ret_name)
		*ret_name = name;
	return true;
}

bool delivery_key_name(struct span name)
{
	const char *slash = name.len ? memchr(name.p, '/', name.len) : NULL;
	size_t profile = slash ? (size_t)(slash - name.p) : 0;

	return slash && good_part((struct span){name.p, profile}, PROFILE_MAX) &&
	       good_part((struct span){slash + 1, name.len - profile - 1}, KEY_MAX);
}
