/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole review, by both webhooks, with two profiles: whatever the body, the answer is JSON and
 * the same each time; to a review it carries its uid, and a patch that applies to the object. */
#include "webhook/admission/review.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { ANSWER_MAX = 8 << 20 };

static const struct json_limits limits = {ANSWER_MAX, REVIEW_NODES_MAX, REVIEW_DEPTH_MAX + 20};

static const char payments[] =
	"{\"apiVersion\":\"casemate.dev/v1alpha1\",\"kind\":\"EnclaveProfile\",\"metadata\":{"
	"\"namespace\":\"shop\",\"name\":\"payments\"},\"spec\":{\"tee\":\"sgx\",\"podSelector\":{"
	"\"matchLabels\":{\"app\":\"pay\"}},\"epc\":{\"default\":\"32Mi\",\"max\":\"1Gi\"},"
	"\"quote\":{\"mode\":\"in-process\",\"allowInProcess\":true}}}";
static const char vm[] =
	"{\"apiVersion\":\"casemate.dev/v1alpha1\",\"kind\":\"EnclaveProfile\",\"metadata\":{"
	"\"namespace\":\"shop\",\"name\":\"vm\"},\"spec\":{\"tee\":\"node\",\"access\":{\"exec\":"
	"\"Allow\"}}}";

static const char *const pods[] = {
	"",
	"{\"spec\":{\"containers\":[]}}",
	/* confidential, of a profile that lets people in */
	("{\"metadata\":{\"annotations\":{\"casemate.dev/profile\":\"vm\"}},\"spec\":{"
	 "\"runtimeClassName\":\"casemate-node\"}}"),
};

struct world {
	struct arena arena;
	struct policy_config config;
	struct profile_set *profiles;
	struct review_scratch scratch;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct world *world(void)
{
	static struct world w;
	struct span texts[] = {span_str(payments), span_str(vm)};

	if (w.profiles)
		return &w;
	w.arena = ARENA_INIT(1 << 20);
	must(policy_config_default(&w.config, &w.arena, NULL) == 0);
	must(profile_set_new(
		     &w.profiles, texts, ARRAY_SIZE(texts), NULL, 0, true, &w.config, NULL) == 0);
	for (size_t i = 0; i < profile_set_count(w.profiles); i++)
		must(profile_set_at(w.profiles, i)->valid);
	review_scratch_init(&w.scratch);
	return &w;
}

static struct span decode(struct arena *a, struct json_val patch)
{
	struct span text = json_str(patch, a);
	unsigned char *out = arena_alloc(a, text.len);
	int n = out ? EVP_DecodeBlock(out, (const unsigned char *)text.p, (int)text.len) : -1;

	must(n > 0 && text.len % 4 == 0);
	n -= text.p[text.len - 1] == '=';
	n -= text.p[text.len - 2] == '=';
	return (struct span){(const char *)out, (size_t)n};
}

static void check_patch(struct json_val object, struct json_val patch)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(64 << 20);
	_cleanup_buf_ struct buf out = BUF_INIT(ANSWER_MAX);
	_cleanup_json_ struct json ops = {0}, result = {0};

	must(json_parse(&ops, decode(&a, patch), &limits, NULL) == 0);
	must(json_count(json_root(&ops)) > 0);
	must(patch_apply(object, json_root(&ops), &a, &out, NULL) == 0);
	must(json_parse(&result, buf_view(&out), &limits, NULL) == 0);
}

static void check_answer(struct span body, struct span text, const struct review_outcome *o)
{
	_cleanup_json_ struct json in = {0}, answer = {0};
	struct json_val request, response, allowed, patch;
	bool refused;

	must(json_parse(&answer, text, &limits, NULL) == 0);
	must(o->status == 200 || o->status == 400);
	if (o->status != 200) {
		must(json_str_is(json_get(json_root(&answer), "kind"), "Status"));
		must(json_is_string(json_get(json_root(&answer), "message")));
		return;
	}
	must(json_parse(&in, body, &review_limits, NULL) == 0);
	request = json_get(json_root(&in), "request");
	response = json_get(json_root(&answer), "response");
	allowed = json_get(response, "allowed");
	patch = json_get(response, "patch");
	refused = o->result.verdict == VERDICT_REFUSED;
	must(span_equal(json_raw(json_get(response, "uid")), json_raw(json_get(request, "uid"))));
	must(json_type(allowed) == (refused ? JSON_FALSE : JSON_TRUE));
	must(json_is_string(json_find(response, "status", "message")) == refused);
	must(json_is_string(patch) == (o->result.verdict == VERDICT_MUTATED));
	if (json_is_string(patch))
		check_patch(json_get(request, "object"), patch);
}

static void judge(struct world *w, enum review_webhook webhook, struct span body, struct span pod,
	struct buf *out)
{
	const struct review_context ctx = {
		.config = &w->config,
		.profiles = w->profiles,
		.webhook = webhook,
		.limits = review_limits,
	};
	struct review_outcome o;

	review_scratch_reset(&w->scratch);
	review(&w->scratch, &ctx, body, out, &o);
	if (o.needs_pod) {
		must(webhook == REVIEW_VALIDATE && out->len == 0);
		review_connect(&w->scratch, &ctx, pod, "not there", out, &o);
		must(!o.needs_pod && o.status == 200);
	}
	check_answer(body, buf_view(out), &o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span body = {(const char *)data, size};
	struct world *w = world();

	for (enum review_webhook webhook = REVIEW_MUTATE; webhook <= REVIEW_VALIDATE; webhook++) {
		for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
			_cleanup_buf_ struct buf once = BUF_INIT(ANSWER_MAX);
			_cleanup_buf_ struct buf again = BUF_INIT(ANSWER_MAX);

			judge(w, webhook, body, span_str(pods[i]), &once);
			judge(w, webhook, body, span_str(pods[i]), &again);
			must(span_equal(buf_view(&once), buf_view(&again)));
		}
	}
	return 0;
}
