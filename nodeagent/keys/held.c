/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/held.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"

enum { TEXT_MAX = 32 << 10, NODES_MAX = 8 * DELIVERY_KEYS_MAX, VERSION_MAX = INT32_MAX };

void key_held_of(struct key_held *ret, const struct key_promise *what)
{
	*ret = (struct key_held){.n = what->keys.n};
	snprintf(ret->namespace_, sizeof(ret->namespace_), "%s", what->namespace_);
	for (size_t i = 0; i < ret->n; i++) {
		strcpy(ret->v[i].file, what->files[i]);
		strcpy(ret->v[i].key, what->keys.v[i]);
		ret->v[i].version = what->versions[i];
	}
}

int key_held_write(struct buf *out, const struct key_held *h)
{
	buf_printf(out, "{\"namespace\":\"%s\",\"files\":[", h->namespace_);
	for (size_t i = 0; i < h->n; i++)
		buf_printf(out, "%s{\"file\":\"%s\",\"key\":\"%s\",\"version\":%u}", i ? "," : "",
			h->v[i].file, h->v[i].key, h->v[i].version);
	return buf_puts(out, "]}");
}

static bool read_file(struct key_held_file *ret, struct json_val v)
{
	int64_t version;

	if (!json_copy(json_get(v, "file"), ret->file, sizeof(ret->file)) ||
		!json_copy(json_get(v, "key"), ret->key, sizeof(ret->key)) ||
		!json_int(json_get(v, "version"), &version))
		return false;
	ret->version = (unsigned)version;
	return version >= 0 && version <= VERSION_MAX && delivery_file_name(span_str(ret->file)) &&
	       delivery_key_name(span_str(ret->key));
}

static bool is_namespace(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

int key_held_read(struct key_held *ret, struct span text)
{
	static const struct json_limits limits = {TEXT_MAX, NODES_MAX + 8, 4};
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, text, &limits, NULL);
	struct json_val files = json_get(json_root(&doc), "files");
	struct json_iter it;

	if (r == -ENOMEM)
		return r;
	*ret = (struct key_held){0};
	if (r < 0 || !json_is_array(files) || json_count(files) > DELIVERY_KEYS_MAX ||
		!json_copy(json_get(json_root(&doc), "namespace"), ret->namespace_,
			sizeof(ret->namespace_)) ||
		!is_namespace(ret->namespace_))
		return -EBADMSG;
	json_each (it, files)
		if (!read_file(&ret->v[ret->n++], it.value))
			return -EBADMSG;
	return 0;
}

static bool is_due(const struct key_held_file *f)
{
	return f->version && f->newest > f->version;
}

bool key_held_news(struct key_held *h, const char *key, unsigned version)
{
	bool any = false;

	for (size_t i = 0; i < h->n; i++) {
		if (strcmp(h->v[i].key, key) != 0)
			continue;
		h->v[i].newest = version;
		any = any || is_due(&h->v[i]);
	}
	return any;
}

void key_held_wanted(const struct key_held *h, struct key_names *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < h->n; i++)
		if (is_due(&h->v[i]))
			strcpy(ret->v[ret->n++], h->v[i].key);
}

void key_held_replaced(struct key_held *h, const char *file, unsigned version)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->v[i].file, file) == 0)
			h->v[i].version = version;
}

void key_held_settle(struct key_held *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (is_due(&h->v[i]))
			h->v[i].version = h->v[i].newest;
}
