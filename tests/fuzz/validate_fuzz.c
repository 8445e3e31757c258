/* SPDX-License-Identifier: Apache-2.0
 *
 * Any pod, under any of several configurations (the first byte says which): what mutation made of it
 * is never NotAsPromised, a refusal has a message, and an update that changes nothing passes. */
#include <stdlib.h>

#include "webhook/policy/policy.h"

static const struct json_limits limits = {1 << 18, 1 << 16, 60};

#define PROFILE(name, spec)                                                                        \
	SPAN_LIT("{\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\"},\"spec\":{" spec "}}")

static const struct span profiles[] = {
	PROFILE("sgx", "\"tee\":\"sgx\",\"epc\":{\"default\":\"1Mi\",\"max\":\"64Mi\"},"
		       "\"podSelector\":{\"matchLabels\":{\"app\":\"sgx\"}}"),
	PROFILE("quote", "\"tee\":\"sgx\",\"quote\":{\"mode\":\"in-process\",\"allowInProcess\":true}"),
	PROFILE("node", "\"tee\":\"node\",\"podSelector\":{\"matchLabels\":{\"app\":\"node\"}}"),
	PROFILE("bad", "\"tee\":\"no\",\"podSelector\":{\"matchLabels\":{\"app\":\"bad\"}}"),
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void configure(struct policy_config *c, uint8_t bits, struct arena *a)
{
	must(policy_config_default(c, a, NULL) == 0);
	c->allow_simulated = bits & 1;
	c->class_conflict = bits & 2 ? CLASS_REFUSE : CLASS_REPLACE;
	c->vendor_mode = bits & 4 ? VENDOR_DEVICES_ONLY : VENDOR_FULL;
	c->aesm_mount = bits & 8 ? AESM_HOST_PATH : AESM_RESOURCE;
	c->vendor_in_process = !(bits & 16);
	c->in_process = bits & 32 ? IN_PROCESS_ALWAYS : IN_PROCESS_PROFILE;
	c->epc_max = bits & 64 ? 32 << 20 : 0;
}

static void check_result(const struct policy_result *res)
{
	must((res->verdict == VERDICT_REFUSED) == (res->message != NULL));
	must(!res->message || res->message[0] != '\0');
	must(res->n_warnings <= POLICY_WARNINGS_MAX);
	for (size_t i = 0; i < res->n_warnings; i++)
		must(strlen(res->warnings[i]) <= 256);
}

/* pod is what mutation made of rq's; or what it was, when nothing had to be done. */
static void check_final(struct policy_request rq, struct json_val pod, struct arena *a)
{
	struct policy_result res;
	enum tee tee;

	rq.object = pod;
	must(policy_validate(&rq, a, &res) == 0);
	check_result(&res);
	must(res.verdict != VERDICT_MUTATED && res.reason != REASON_NotAsPromised);
	tee = policy_confidential(rq.config, pod);
	must(res.reason != REASON_Injected || tee != TEE_NONE);

	rq.operation = OP_UPDATE;
	rq.old_object = pod;
	must(policy_validate(&rq, a, &res) == 0);
	must(res.verdict == VERDICT_PASSED && (res.reason == REASON_NotConfidential) == !tee);

	rq.operation = OP_CONNECT;
	rq.subresource = SPAN_LIT("exec");
	must(policy_access(&rq, pod, a, &res) == 0);
	check_result(&res);
	must((res.verdict == VERDICT_REFUSED) == (tee != TEE_NONE));
}

static void check_pod(struct policy_request *rq, struct arena *a)
{
	struct patch patch = PATCH_INIT(1 << 20);
	struct buf ops = BUF_INIT(1 << 20), text = BUF_INIT(1 << 21);
	struct json doc = {0}, pod = {0};
	struct policy_result res;
	struct error err = {0};

	must(policy_mutate(rq, "", a, &patch, &res) == 0);
	check_result(&res);
	if (res.verdict != VERDICT_REFUSED) {
		must(patch_write(&patch, &ops) == 0);
		must(json_parse(&doc, buf_view(&ops), &limits, &err) == 0);
		must(patch_apply(rq->object, json_root(&doc), a, &text, &err) == 0);
		must(json_parse(&pod, buf_view(&text), &limits, &err) == 0);
		check_final(*rq, json_root(&pod), a);
	}
	json_free(&doc);
	json_free(&pod);
	buf_free(&ops);
	buf_free(&text);
	patch_free(&patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span namespaces[] = {SPAN_LIT("shop")};
	struct arena a = ARENA_INIT(1 << 26);
	struct profile_set *set = NULL;
	struct policy_config config;
	struct json doc = {0};
	uint8_t bits = size > 0 ? data[0] : 0;
	struct policy_request rq = {
		.config = &config,
		.operation = OP_CREATE,
		.kind = SPAN_LIT("Pod"),
		.subresource = SPAN_LIT(""),
		.namespace_ = SPAN_LIT("shop"),
		.namespace_enabled = bits < 128,
	};

	configure(&config, bits, &a);
	if (size > 0 &&
		json_parse(&doc, (struct span){(const char *)data + 1, size - 1}, &limits, NULL) == 0) {
		must(profile_set_new(&set, profiles, ARRAY_SIZE(profiles), namespaces, 1, false,
			     &config, NULL) == 0);
		rq.profiles = set;
		rq.object = json_root(&doc);
		check_pod(&rq, &a);
	}
	profile_set_unref(set);
	json_free(&doc);
	arena_free(&a);
	return 0;
}
