/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/key_id.h"

#include <errno.h>

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A name of RFC 1123: more: characters allowed inside. */
static bool take(char *ret, size_t size, struct span s, const char *more)
{
	if (s.len == 0 || s.len >= size || !alnum(s.p[0]) || !alnum(s.p[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(more, s.p[i])))
			return false;
	memcpy(ret, s.p, s.len);
	ret[s.len] = '\0';
	return true;
}

int key_id_set(struct key_id *ret, struct span namespace_, struct span profile, struct span key,
	struct error *err)
{
	struct key_id id;

	if (!take(id.namespace_, sizeof(id.namespace_), namespace_, "-"))
		return error_set(err, -EINVAL, "the key's namespace is not the name of one");
	if (!take(id.profile, sizeof(id.profile), profile, "-."))
		return error_set(err, -EINVAL, "the key's profile is not the name of one");
	if (!take(id.key, sizeof(id.key), key, "-"))
		return error_set(err, -EINVAL, "the key's name is not one");
	*ret = id;
	return 0;
}

int key_id_parse(struct key_id *ret, struct span text, const char *own, struct error *err)
{
	struct span parts[3] = {span_str(own)}, rest = span_after(text, KEY_ID_CASEMATE);
	size_t n = 1;

	if (rest.p && !own)
		return error_set(err, -EINVAL,
			"casemate:// names no namespace; use kbs:///NAMESPACE/"
			"PROFILE/KEY");
	if (!rest.p) {
		n = 0;
		rest = span_starts(text, KEY_ID_KBS) ? span_after(text, KEY_ID_KBS) : text;
	}
	for (; n < ARRAY_SIZE(parts); n++) {
		const char *slash = rest.len ? memchr(rest.p, '/', rest.len) : NULL;
		size_t len = slash ? (size_t)(slash - rest.p) : rest.len;

		/* all but the last end with a slash, and it with none */
		if (!slash != (n == ARRAY_SIZE(parts) - 1))
			return error_set(err, -EINVAL,
				"a key is named kbs:///NAMESPACE/PROFILE/KEY or "
				"casemate://PROFILE/KEY");
		parts[n] = (struct span){rest.p, len};
		if (slash)
			rest = (struct span){slash + 1, rest.len - len - 1};
	}
	return key_id_set(ret, parts[0], parts[1], parts[2], err);
}

int key_id_write(struct buf *out, const struct key_id *id)
{
	return buf_printf(out, "%s/%s/%s", id->namespace_, id->profile, id->key);
}
