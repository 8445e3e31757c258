/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/admission/manifest.h"

#include <errno.h>

enum { PATCH_BYTES_MAX = 16 * 1024 * 1024 };

struct walk {
	const struct manifest_context *ctx;
	struct arena *a;
	struct patch *patch;
	struct manifest *m;
	size_t cap;
};

/* Judged as if it stood at the root, which needs the patch of the pod alone; then patched where it
 * stands. A refused one leaves nothing behind. */
static int review_pod(struct walk *w, struct manifest_item *item, struct json_val pod,
	const char *prefix)
{
	_cleanup_patch_ struct patch alone = PATCH_INIT(PATCH_BYTES_MAX);
	_cleanup_patch_ struct patch placed = PATCH_INIT(PATCH_BYTES_MAX);
	struct policy_result *res = &item->result;
	struct policy_request rq = {
		.config = w->ctx->config,
		.profiles = w->ctx->profiles,
		.operation = OP_CREATE,
		.kind = SPAN_LIT("Pod"),
		.namespace_ = item->namespace_,
		.namespace_enabled = true, /* nobody knows here: a missing profile is just that */
		.object = pod,
	};
	int r;

	r = policy_foresee(&rq, w->a, &alone, res);
	if (r < 0 || res->verdict != VERDICT_MUTATED)
		return r;
	r = policy_mutate(&rq, prefix, w->a, &placed, res);
	if (r < 0)
		return r;
	item->ops.from = w->patch->ops.len;
	buf_puts(&w->patch->ops, w->patch->n ? "," : "");
	buf_span(&w->patch->ops, buf_view(&placed.ops));
	item->ops.to = w->patch->ops.len;
	w->patch->n += placed.n;
	return w->patch->ops.err;
}

static struct manifest_item *new_item(struct walk *w)
{
	struct manifest *m = w->m;

	if (m->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 8;
		struct manifest_item *items = arena_array(w->a, struct manifest_item, cap);

		if (!items)
			return NULL;
		if (m->n)
			memcpy(items, m->items, m->n * sizeof(*items));
		m->items = items;
		w->cap = cap;
	}
	return &m->items[m->n++];
}

static int review_object(struct walk *w, struct json_val object, struct span kind,
	const char *pointer)
{
	const char *below = policy_template_prefix(kind);
	struct json_val metadata = json_get(object, "metadata");
	struct manifest_item *item;
	struct json_val pod;
	char *prefix;
	int r;

	if (!below)
		return 0;
	pod = policy_template(kind, object);
	item = new_item(w);
	prefix = arena_printf(w->a, "%s%s", pointer, below);
	if (!item || !prefix)
		return -ENOMEM;
	*item = (struct manifest_item){
		.object = object,
		.kind = kind,
		.namespace_ = json_str(json_get(metadata, "namespace"), w->a),
		.name = json_str(json_get(metadata, "name"), w->a),
		.result = {.verdict = VERDICT_PASSED, .reason = REASON_NotConfidential},
	};
	if (!item->name.len)
		item->name = json_str(json_get(metadata, "generateName"), w->a);
	if (!item->namespace_.len)
		item->namespace_ = span_str(w->ctx->namespace_);
	if (!json_is_object(pod))
		r = policy_refuse(&item->result, w->a, REASON_Malformed,
			"%s must be an object: it holds the pod", *below ? below + 1 : "the pod");
	else
		r = review_pod(w, item, pod, prefix);
	if (item->result.verdict == VERDICT_REFUSED)
		w->m->refused = true;
	return r;
}

static int review_list(struct walk *w, struct json_val doc, struct span kind)
{
	struct span item_kind = {kind.p, kind.len - strlen("List")};
	struct json_iter it;

	json_each(it, json_get(doc, "items")) {
		struct span own = json_str(json_get(it.value, "kind"), w->a);
		char *pointer = arena_printf(w->a, "/items/%zu", it.index);
		int r;

		if (!pointer)
			return -ENOMEM;
		if (it.index == MANIFEST_ITEMS_MAX)
			return -E2BIG;
		r = review_object(w, it.value, own.len ? own : item_kind, pointer);
		if (r < 0)
			return r;
	}
	return 0;
}

int manifest_review(const struct manifest_context *ctx, struct json_val doc, struct arena *a,
	struct patch *patch, struct manifest *ret_m, struct error *err)
{
	struct manifest m = {0};
	struct walk w = {.ctx = ctx, .a = a, .patch = patch, .m = &m};
	struct span kind = json_str(json_get(doc, "kind"), a);
	bool list = kind.len >= strlen("List") &&
		    memcmp(kind.p + kind.len - strlen("List"), "List", strlen("List")) == 0;
	int r = list ? review_list(&w, doc, kind) : review_object(&w, doc, kind, "");

	if (r == -E2BIG)
		return error_set(err, r, "too large: at most %d objects in a List and %d bytes",
			MANIFEST_ITEMS_MAX, (int)PATCH_BYTES_MAX);
	if (r < 0)
		return error_oom(err);
	*ret_m = m;
	return 0;
}
