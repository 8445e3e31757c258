/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/deny.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "webhook/broker/grant.h"

struct deny {
	struct deny_list {
		char *v[DENY_ENTRIES_MAX];
		size_t n;
	} lists[DENY_KINDS];
};

enum { SHOWN_MAX = 128 };

static const char *const kinds[DENY_KINDS] = {"platforms", "measurements", "nodes", "keys"};

struct deny *deny_new(void)
{
	return calloc(1, sizeof(struct deny));
}

void deny_free(struct deny *d)
{
	if (!d)
		return;
	for (size_t k = 0; k < DENY_KINDS; k++)
		for (size_t i = 0; i < d->lists[k].n; i++)
			free(d->lists[k].v[i]);
	free(d);
}

const char *deny_kind_name(enum deny_kind kind)
{
	return kinds[kind];
}

static bool is_hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (codec_hex_digit(s.p[i]) < 0)
			return false;
	return s.len > 0 && s.len % 2 == 0;
}

/* NAMESPACE/PROFILE/KEY[@VERSION]: two slashes with something around each. */
static bool is_key(struct span s)
{
	size_t slashes = 0;

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '/') {
			slashes++;
			if (i == 0 || i + 1 == s.len || s.p[i + 1] == '/')
				return false;
		}
	return slashes == 2;
}

static bool has(const struct deny *d, enum deny_kind kind, const char *entry)
{
	const struct deny_list *list = d ? &d->lists[kind] : NULL;

	for (size_t i = 0; list && i < list->n; i++)
		if (strcmp(list->v[i], entry) == 0)
			return true;
	return false;
}

int deny_add(struct deny *d, enum deny_kind kind, struct span entry, struct error *err)
{
	struct deny_list *list = &d->lists[kind];
	bool hex = kind == DENY_PLATFORMS || kind == DENY_MEASUREMENTS;
	struct span bare = span_after(entry, "kbs:///");
	struct span shown;
	char *copy;

	if (kind == DENY_KEYS && bare.p)
		entry = bare;
	shown = (struct span){entry.p, entry.len < SHOWN_MAX ? entry.len : SHOWN_MAX};
	if (hex && !is_hex(entry))
		return error_set(err, -EINVAL, "%s: \"" SPAN_FMT "\" is not hexadecimal",
			kinds[kind], SPAN_ARG(shown));
	if (kind == DENY_KEYS && !is_key(entry))
		return error_set(err, -EINVAL,
			"keys: \"" SPAN_FMT "\" is not NAMESPACE/PROFILE/KEY, "
			"NAMESPACE/PROFILE/KEY@VERSION or NAMESPACE/PROFILE/*",
			SPAN_ARG(shown));
	if (entry.len == 0 || entry.len >= DENY_ENTRY_MAX)
		return error_set(err, -EINVAL, "%s: an entry of %zu bytes", kinds[kind], entry.len);
	if (list->n == DENY_ENTRIES_MAX)
		return error_set(
			err, -E2BIG, "%s: more than %d entries", kinds[kind], DENY_ENTRIES_MAX);
	copy = strndup(entry.p, entry.len);
	if (!copy)
		return error_oom(err);
	for (char *c = copy; hex && *c; c++)
		if (*c >= 'A' && *c <= 'F')
			*c = (char)(*c - 'A' + 'a');
	list->v[list->n++] = copy;
	return 0;
}

static struct span trim(struct span s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct span){s.p + 1, s.len - 1};
	while (s.len && strchr(" \t\r", s.p[s.len - 1]))
		s.len--;
	return s;
}

bool deny_next_line(struct span *text, struct span *ret_line)
{
	while (text->len) {
		const char *end = memchr(text->p, '\n', text->len);
		size_t n = end ? (size_t)(end - text->p) : text->len;
		struct span line = trim((struct span){text->p, n});

		n += end ? 1 : 0;
		*text = (struct span){text->p + n, text->len - n};
		if (line.len && line.p[0] != '#') {
			*ret_line = line;
			return true;
		}
	}
	return false;
}

int deny_add_list(
	struct deny *d, enum deny_kind kind, const struct strings *entries, struct error *err)
{
	for (size_t i = 0; i < entries->n; i++) {
		int r = deny_add(d, kind, span_str(entries->v[i]), err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_bytes(const struct deny *d, enum deny_kind kind, const void *value, size_t len)
{
	_cleanup_buf_ struct buf hex = BUF_INIT(2 * DENY_ENTRY_MAX);

	if (!d || !d->lists[kind].n || !len)
		return false;
	/* What is too long to be an entry is none; without memory everything is denied. */
	if (codec_hex(&hex, value, len) < 0)
		return hex.err == -ENOMEM;
	return has(d, kind, hex.p);
}

static bool has_node(const struct deny *d, const char *name, const char *uid)
{
	return (*name && has(d, DENY_NODES, name)) || (*uid && has(d, DENY_NODES, uid));
}

bool deny_has_key(const struct deny *d, const char *namespace_, const char *profile,
	const char *key, unsigned version)
{
	char entry[DENY_ENTRY_MAX + 16];

	if (!d || !d->lists[DENY_KEYS].n)
		return false;
	snprintf(entry, sizeof(entry), "%s/%s/*", namespace_, profile);
	if (has(d, DENY_KEYS, entry))
		return true;
	snprintf(entry, sizeof(entry), "%s/%s/%s", namespace_, profile, key);
	if (has(d, DENY_KEYS, entry))
		return true;
	snprintf(entry, sizeof(entry), "%s/%s/%s@%u", namespace_, profile, key, version);
	return has(d, DENY_KEYS, entry);
}

enum reason deny_judge(const struct deny *d, const struct proven *p, const struct requester *who)
{
	if (has_bytes(d, DENY_PLATFORMS, p->platform_id, p->platform_id_len))
		return REASON_PlatformDenied;
	for (size_t i = 0; i < p->n_registers; i++)
		if (has_bytes(d, DENY_MEASUREMENTS, p->registers[i].value, p->registers[i].len))
			return REASON_MeasurementNotAllowed;
	if (who->node[0] && has_node(d, who->node, who->node_uid))
		return REASON_NodeDenied;
	return REASON_Ok;
}
