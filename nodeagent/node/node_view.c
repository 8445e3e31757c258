/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/node/node_view.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/quantity.h"

enum { VERSION_DIGITS_MAX = 19, TEXT_MAX = 4096, PATH_MAX_KEY = 128 };

/* Copies the string at v, as far as it is printable ASCII (names of ours and identifiers are) and
 * fits. */
static void take_text(struct json_val v, char *out, size_t size)
{
	struct arena a = ARENA_INIT(TEXT_MAX);
	struct span s = json_str(v, &a);
	size_t n = 0;

	for (; n < s.len && n + 1 < size && s.p[n] > ' ' && s.p[n] < 0x7f; n++)
		out[n] = s.p[n];
	out[n] = '\0';
	arena_free(&a);
}

/* It is compared alone, and never shown. */
static void take_raw(struct json_val v, char *out, size_t size)
{
	struct span s = json_exists(v) ? json_raw(v) : SPAN_NONE;
	size_t n = s.len < size ? s.len : size - 1;

	if (n)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

/* Kubernetes has them comparable as numbers; one that is none orders nothing. */
static uint64_t read_version(struct json_val v)
{
	char text[VERSION_DIGITS_MAX + 2];
	uint64_t n = 0;

	take_text(v, text, sizeof(text));
	if (strlen(text) > VERSION_DIGITS_MAX)
		return 0;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return 0;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	return n;
}

static int64_t read_amount(struct json_val v)
{
	int64_t n;

	if (!json_exists(v))
		return NODE_ABSENT;
	return quantity_count_from_json(&n, v, NULL) < 0 ? NODE_UNREADABLE : n;
}

static void read_managers(struct node_amount *a, const char *key, struct json_val managed)
{
	char field[PATH_MAX_KEY];
	struct json_iter it;

	snprintf(field, sizeof(field), "f:%s", key);
	json_each (it, managed) {
		struct json_val manager = json_get(it.value, "manager");

		if (!json_exists(json_find(it.value, "fieldsV1", "f:status", "f:capacity", field)))
			continue;
		if (json_str_is(manager, NODE_FIELD_MANAGER))
			a->ours = true;
		else
			take_text(manager, a->other, sizeof(a->other));
	}
}

int node_view_read(struct node_view *ret_v, struct json_val node)
{
	struct json_val metadata = json_get(node, "metadata"), status = json_get(node, "status");
	struct node_view v = {.version = read_version(json_get(metadata, "resourceVersion"))};

	take_text(json_get(metadata, "uid"), v.uid, sizeof(v.uid));
	if (!v.uid[0])
		return -EBADMSG;
	take_raw(json_find(metadata, "annotations", NODE_ATTEST_ANNOTATION), v.asked,
		sizeof(v.asked));
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++) {
		const char *name = capacity_key_name(k);

		v.capacity[k].n = read_amount(json_find(status, "capacity", name));
		v.allocatable[k] = read_amount(json_find(status, "allocatable", name));
		read_managers(&v.capacity[k], name, json_get(metadata, "managedFields"));
	}
	*ret_v = v;
	return 0;
}
