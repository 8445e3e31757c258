/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/profile.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "webhook/policy/schema.h"

enum {
	SET_BYTES_MAX = 256 * 1024 * 1024, /* of all profiles' text and what is read from it */
	SET_PROFILES_MAX = 100000,
	/* More than an object in etcd can be, so that nothing the API server took is unreadable. */
	PROFILE_BYTES_MAX = 4 * 1024 * 1024,
	PROFILE_NODES_MAX = 1024 * 1024,
};

struct profile_set {
	atomic_uint refs;
	bool all_enabled;
	struct arena arena;       /* text, profiles, indexes */
	struct json *docs;        /* n of them, over texts in the arena */
	struct profile *profiles; /* n */
	size_t n;
	const struct profile **index; /* those with a name, by namespace and name */
	size_t n_index;
	struct span *namespaces; /* the enabled ones, in order */
	size_t n_namespaces;
};

DEFINE_CLEANUP(struct profile_set *, profile_set_unref)

static int compare_spans(struct span a, struct span b)
{
	int c = memcmp(a.p ? a.p : "", b.p ? b.p : "", a.len < b.len ? a.len : b.len);

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_namespaces(const void *a, const void *b)
{
	return compare_spans(*(const struct span *)a, *(const struct span *)b);
}

static int compare_profiles(const void *a, const void *b)
{
	const struct profile *x = *(const struct profile *const *)a;
	const struct profile *y = *(const struct profile *const *)b;
	int c = compare_spans(span_str(x->namespace_), span_str(y->namespace_));

	return c ? c : compare_spans(span_str(x->name), span_str(y->name));
}

struct name {
	struct span namespace_, name;
};

static int compare_name(const void *key, const void *element)
{
	const struct name *k = key;
	const struct profile *p = *(const struct profile *const *)element;
	int c = compare_spans(k->namespace_, span_str(p->namespace_));

	return c ? c : compare_spans(k->name, span_str(p->name));
}

static int copy_namespaces(struct profile_set *s, const struct span *namespaces, size_t n)
{
	s->namespaces = arena_array(&s->arena, struct span, n);
	if (!s->namespaces)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		s->namespaces[i] = arena_dup(&s->arena, namespaces[i]);
		if (!s->namespaces[i].p)
			return -ENOMEM;
	}
	s->n_namespaces = n;
	if (n > 0)
		qsort(s->namespaces, n, sizeof(*s->namespaces), compare_namespaces);
	return 0;
}

/* Text that is no JSON, or too much, is kept as a profile without a name: one bad object must not
 * take all others away, nor vanish silently. */
static int read_one(
	struct profile_set *s, size_t i, struct span object, const struct policy_config *config)
{
	static const struct json_limits limits = {
		PROFILE_BYTES_MAX, PROFILE_NODES_MAX, JSON_MAX_DEPTH};
	struct profile *p = &s->profiles[i];
	struct span text = arena_dup(&s->arena, object);
	struct error err = {0};
	int r = text.p ? json_parse(&s->docs[i], text, &limits, &err) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		*p = (struct profile){.namespace_ = "",
			.name = "",
			.uid = "",
			.runtime_class = "",
			.reason = REASON_Malformed,
			.message = arena_strdup(&s->arena, span_str(err.message))};
		return p->message ? 0 : -ENOMEM;
	}
	r = profile_read(p, json_root(&s->docs[i]), config, &s->arena);
	if (r == 0 && !profile_set_namespace_enabled(s, span_str(p->namespace_))) {
		p->valid = false;
		p->reason = REASON_NamespaceNotEnabled;
		p->message = arena_printf(&s->arena,
			"namespace %s is not labelled " NAMESPACE_LABEL "=" NAMESPACE_LABEL_VALUE,
			p->namespace_);
		r = p->message ? 0 : -ENOMEM;
	}
	return r;
}

static int build_index(struct profile_set *s, struct error *err)
{
	s->index = arena_array(&s->arena, const struct profile *, s->n);
	if (!s->index)
		return error_oom(err);
	for (size_t i = 0; i < s->n; i++)
		if (s->profiles[i].name[0] != '\0')
			s->index[s->n_index++] = &s->profiles[i];
	if (s->n_index > 0)
		qsort(s->index, s->n_index, sizeof(*s->index), compare_profiles);
	for (size_t i = 1; i < s->n_index; i++)
		if (compare_profiles(&s->index[i - 1], &s->index[i]) == 0)
			return error_set(err, -EEXIST, "profile %s/%s is there twice",
				s->index[i]->namespace_, s->index[i]->name);
	return 0;
}

int profile_set_new(struct profile_set **ret_s, const struct span *objects, size_t n,
	const struct span *namespaces, size_t n_namespaces, bool all_enabled,
	const struct policy_config *config, struct error *err)
{
	_cleanup_(profile_set_unref_p) struct profile_set *s = NULL;
	int r;

	if (n > SET_PROFILES_MAX)
		return error_set(
			err, -E2BIG, "%zu profiles, at most %d are allowed", n, SET_PROFILES_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_oom(err);
	s->refs = 1;
	s->all_enabled = all_enabled;
	s->arena = ARENA_INIT(SET_BYTES_MAX);
	s->docs = calloc(n + 1, sizeof(*s->docs));
	s->profiles = arena_array(&s->arena, struct profile, n);
	if (!s->docs || !s->profiles || copy_namespaces(s, namespaces, n_namespaces) < 0)
		return error_oom(err);
	for (; s->n < n; s->n++) {
		r = read_one(s, s->n, objects[s->n], config);
		if (r < 0)
			return error_oom(err);
	}
	r = build_index(s, err);
	if (r < 0)
		return r;
	*ret_s = TAKE_PTR(s);
	return 0;
}

struct profile_set *profile_set_ref(struct profile_set *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void profile_set_unref(struct profile_set *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	/* the one being read when memory ran out may hold some too */
	for (size_t i = 0; s->docs && i <= s->n; i++)
		json_free(&s->docs[i]);
	free(s->docs);
	arena_free(&s->arena);
	free(s);
}

/* The index of the first profile of a namespace, or of where it would be. */
static size_t first_of(const struct profile_set *s, struct span namespace_)
{
	size_t low = 0, high = s->n_index;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_spans(span_str(s->index[middle]->namespace_), namespace_) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool profile_set_namespace_enabled(const struct profile_set *s, struct span namespace_)
{
	size_t i;

	if (s->n_namespaces > 0 && bsearch(&namespace_, s->namespaces, s->n_namespaces,
					   sizeof(*s->namespaces), compare_namespaces))
		return true;
	if (!s->all_enabled)
		return false;
	if (!s->index) /* being built: this very profile enables it */
		return true;
	i = first_of(s, namespace_);
	return i < s->n_index && span_is(namespace_, s->index[i]->namespace_);
}

size_t profile_set_count(const struct profile_set *s)
{
	return s->n;
}

const struct profile *profile_set_at(const struct profile_set *s, size_t i)
{
	return &s->profiles[i];
}

const struct profile *profile_find(
	const struct profile_set *s, struct span namespace_, struct span name)
{
	struct name key = {namespace_, name};
	const struct profile **found = NULL;

	if (s->n_index > 0)
		found = bsearch(&key, s->index, s->n_index, sizeof(*s->index), compare_name);
	return found ? *found : NULL;
}

bool profile_set_selects(const struct profile_set *s, struct span namespace_)
{
	for (size_t i = first_of(s, namespace_); i < s->n_index; i++) {
		if (!span_is(namespace_, s->index[i]->namespace_))
			break;
		if (s->index[i]->has_selector)
			return true;
	}
	return false;
}

const struct profile *profile_match(const struct profile_set *s, struct span namespace_,
	struct json_val labels, const struct profile **ret_other)
{
	const struct profile *found = NULL;

	*ret_other = NULL;
	if (!profile_set_namespace_enabled(s, namespace_))
		return NULL;
	for (size_t i = first_of(s, namespace_); i < s->n_index; i++) {
		const struct profile *p = s->index[i];

		if (!span_is(namespace_, p->namespace_))
			break;
		if (!p->has_selector || !selector_matches(json_get(p->spec, "podSelector"), labels))
			continue;
		if (found) {
			*ret_other = p;
			return found;
		}
		found = p;
	}
	return found;
}
