/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/promise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 32 << 10 };

static int add(struct key_promise *p, struct span file, struct span key, const char *annotation,
	struct error *err)
{
	size_t n = p->keys.n;

	if (!delivery_file_name(file))
		return error_set(err, -EBADMSG,
			"annotation %s: \"" SPAN_FMT "\" can be no file's name: letters, digits, "
			"'.', '-' and '_', at most %d",
			annotation, (int)(file.len < 64 ? file.len : 64), file.p ? file.p : "",
			DELIVERY_FILE_MAX);
	if (!delivery_key_name(key))
		return error_set(err, -EBADMSG,
			"annotation %s: file " SPAN_FMT ": its value must be PROFILE/KEY",
			annotation, SPAN_ARG(file));
	memcpy(p->files[n], file.p, file.len);
	p->files[n][file.len] = '\0';
	memcpy(p->keys.v[n], key.p, key.len);
	p->keys.v[n][key.len] = '\0';
	p->keys.n++;
	return 0;
}

static int read_object(struct key_promise *p, struct json_val object, struct arena *a,
	const char *annotation, struct error *err)
{
	struct json_iter it;
	int r = 0;

	if (!json_is_object(object) || json_count(object) > DELIVERY_KEYS_MAX)
		return error_set(err, -EBADMSG,
			"annotation %s: must be a JSON object of at most %d files", annotation,
			DELIVERY_KEYS_MAX);
	json_each (it, object) {
		r = add(p, json_str(it.key, a), json_str(it.value, a), annotation, err);
		if (r < 0)
			break;
	}
	return r;
}

static bool names(const struct key_names *keys, const char *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->v[i], key) == 0)
			return true;
	return false;
}

void key_promise_keep(struct key_promise *p, const struct key_names *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < p->keys.n; i++) {
		if (!names(keys, p->keys.v[i]))
			continue;
		if (n < i) {
			strcpy(p->keys.v[n], p->keys.v[i]);
			strcpy(p->files[n], p->files[i]);
		}
		n++;
	}
	p->keys.n = n;
}

int key_promise_read(
	struct key_promise *ret, struct json_val pod, const char *container, struct error *err)
{
	static const struct json_limits limits = {TEXT_MAX, 4 * DELIVERY_KEYS_MAX, 4};
	_cleanup_arena_ struct arena a = ARENA_INIT(4 * TEXT_MAX);
	_cleanup_json_ struct json doc = {0};
	char annotation[sizeof(DELIVERY_FILES_PREFIX) + 254];
	struct error why = {0};
	struct json_val text;
	struct span s;
	int r;

	ret->keys.n = 0;
	snprintf(annotation, sizeof(annotation), DELIVERY_FILES_PREFIX "%s", container);
	text = json_find(pod, "metadata", "annotations", annotation);
	if (!json_exists(text))
		return 0;
	s = json_str(text, &a);
	r = json_parse(&doc, s.p ? s : SPAN_LIT(""), &limits, &why);
	if (r == -ENOMEM)
		return error_oom(err);
	if (r < 0)
		return error_set(err, -EBADMSG, "annotation %s: %s", annotation, why.message);
	return read_object(ret, json_root(&doc), &a, annotation, err);
}
