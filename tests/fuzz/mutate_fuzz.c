/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a pod. Under every configuration: a refusal has a message and no patch; a patch applies;
 * what it gives is what it would give again (an empty second patch, the same TEE); and nothing
 * that is not Casemate's has changed. */
#include "common/kbs/delivery.h"
#include "webhook/policy/guest_init_data.h"
#include "webhook/policy/policy.h"

enum { ARENA_MAX = 32 << 20, PATCH_MAX = 8 << 20, CONFIGS = 4 };

static const struct json_limits limits = {1 << 16, 1 << 14, 40};
static const struct json_limits out_limits = {PATCH_MAX, 1 << 20, 60};

static const char *const accepted[] = {"kata-cc"};

#define PROFILE(name, spec)                                                                        \
	SPAN_LIT("{\"apiVersion\":\"casemate.dev/v1alpha1\",\"kind\":\"EnclaveProfile\","          \
		 "\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\"},\"spec\":{" spec     \
		 "}}")

static const struct span objects[] = {
	PROFILE("payments",
		"\"tee\":\"sgx\",\"podSelector\":{\"matchLabels\":{\"app\":\"pay\"}},"
		"\"epc\":{\"default\":\"32Mi\",\"max\":\"1Gi\"},\"quote\":{\"mode\":\"aesm\"}"),
	PROFILE("vm", "\"tee\":\"tdx\",\"podSelector\":{\"matchLabels\":{\"tier\":\"x\"}},"
		      "\"keys\":[{\"name\":\"a\",\"type\":\"password\",\"deliver\":{\"env\":\"A\"}},"
		      "{\"name\":\"b\",\"type\":\"ec\",\"deliver\":{\"env\":\"B\"}},"
		      "{\"name\":\"c\",\"type\":\"ec\",\"deliver\":{\"file\":\"/c\"}}]"),
	PROFILE("keys",
		"\"tee\":\"node\",\"podSelector\":{\"matchLabels\":{\"app\":\"keys\"}},\"keys\":["
		"{\"name\":\"a\",\"type\":\"password\",\"deliver\":{\"env\":\"A\"}},"
		"{\"name\":\"b\",\"type\":\"ec\",\"deliver\":{\"env\":\"B\"}},"
		"{\"name\":\"c\",\"type\":\"ec\",\"deliver\":{\"file\":"
		"\"/run/casemate/files/c\"}}]"),
};

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static struct state { /* built once */
	struct arena a;
	struct policy_config config;
	struct profile_set *profiles;
} states[CONFIGS];

static void configure(struct state *s, int i)
{
	static const struct span namespace = SPAN_LIT("shop");
	struct policy_config *c = &s->config;

	s->a = ARENA_INIT(ARENA_MAX);
	require(policy_config_default(c, &s->a, NULL) == 0);
	c->classes[TEE_TDX].accepted = (struct strings){accepted, 1};
	c->classes[TEE_SNP].accepted = (struct strings){accepted, 1};
	c->allow_simulated = i == 1;
	if (i == 2) {
		c->vendor_mode = VENDOR_DEVICES_ONLY;
		c->aesm_mount = AESM_HOST_PATH;
		c->in_process = IN_PROCESS_ALWAYS;
		c->guests.kbs_url = "https://broker";
		c->guests.kbs_ca = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
	}
	if (i == 3) {
		c->class_conflict = CLASS_REFUSE;
		c->vendor_in_process = false;
		c->epc_max = 1 << 30;
		c->classes[TEE_CVM].name = "kata-cvm";
	}
	require(profile_set_new(&s->profiles, objects, ARRAY_SIZE(objects), &namespace, 1, false, c,
			NULL) == 0);
}

/* Every member of a but those named (and the files that are promised) is in b, the same. */
static void kept_but(struct json_val a, struct json_val b, const char *const *names)
{
	_cleanup_arena_ struct arena keys = ARENA_INIT(ARENA_MAX);
	struct json_iter it;

	json_each (it, a) {
		bool named = span_starts(json_str(it.key, &keys), DELIVERY_FILES_PREFIX);

		for (size_t i = 0; names[i]; i++)
			named = named || json_str_is(it.key, names[i]);
		if (!named)
			require(json_equal(it.value, json_get_span(b, json_str(it.key, &keys))));
	}
}

/* The members of a and b are the same but for those named. */
static void same_but(struct json_val a, struct json_val b, const char *const *names)
{
	kept_but(a, b, names);
	kept_but(b, a, names);
}

/* Every element of a is still there, in front. */
static void same_start(struct json_val a, struct json_val b)
{
	struct json_iter it;

	json_each (it, a)
		require(json_equal(it.value, json_at(b, it.index)));
}

/* The command is the same, behind casemate-exec or without it. */
static void check_command(struct json_val a, struct json_val b)
{
	size_t skip = json_count(b) - json_count(a);
	struct json_iter it;

	if (!json_is_array(a)) {
		require(json_equal(a, b));
		return;
	}
	require(skip == 0 || (skip == 2 && json_str_is(json_at(b, 0), DELIVERY_EXEC) &&
				     json_str_is(json_at(b, 1), "--")));
	json_each (it, a)
		require(json_equal(it.value, json_at(b, skip + it.index)));
}

static void check_containers(struct json_val a, struct json_val b)
{
	static const char *const ours[] = {"resources", "env", "volumeMounts", "command", NULL};
	struct json_iter it;

	require(json_count(a) == json_count(b));
	json_each (it, a) {
		struct json_val c = json_at(b, it.index);

		same_but(it.value, c, ours);
		check_command(json_get(it.value, "command"), json_get(c, "command"));
		same_start(json_get(it.value, "env"), json_get(c, "env"));
		same_start(json_get(it.value, "volumeMounts"), json_get(c, "volumeMounts"));
		require(json_equal(json_find(it.value, "resources", "limits", "cpu"),
			json_find(c, "resources", "limits", "cpu")));
	}
}

static void check_untouched(struct json_val a, struct json_val b)
{
	static const char *const of_pod[] = {"metadata", "spec", NULL};
	static const char *const of_metadata[] = {"annotations", NULL};
	static const char *const of_spec[] = {"containers", "initContainers", "nodeSelector",
		"runtimeClassName", "overhead", "volumes", NULL};
	static const char *const of_annotations[] = {
		ANNOTATION_STATUS, ANNOTATION_PROFILE, ANNOTATION_INTEL_EPC, ANNOTATION_INIT_DATA,
		NULL};
	struct json_val spec_a = json_get(a, "spec"), spec_b = json_get(b, "spec");

	same_but(a, b, of_pod);
	same_but(json_get(a, "metadata"), json_get(b, "metadata"), of_metadata);
	same_but(json_find(a, "metadata", "annotations"), json_find(b, "metadata", "annotations"),
		of_annotations);
	same_but(spec_a, spec_b, of_spec);
	same_start(json_get(spec_a, "volumes"), json_get(spec_b, "volumes"));
	check_containers(json_get(spec_a, "containers"), json_get(spec_b, "containers"));
	check_containers(json_get(spec_a, "initContainers"), json_get(spec_b, "initContainers"));
}

static void check_result(const struct policy_result *res, const struct patch *patch)
{
	require((res->verdict == VERDICT_MUTATED) == (patch->n > 0));
	require((res->verdict == VERDICT_REFUSED) == (res->message != NULL));
	for (size_t i = 0; i < res->n_warnings; i++)
		require(strlen(res->warnings[i]) <= 256);
}

/* What patch makes of doc, parsed into *ret; its text is in out. */
static struct json_val apply(
	struct json_val doc, struct span patch, struct json *ret, struct arena *a, struct buf *out)
{
	_cleanup_json_ struct json ops = {0};

	require(json_parse(&ops, patch, &out_limits, NULL) == 0);
	require(patch_apply(doc, json_root(&ops), a, out, NULL) == 0);
	require(json_parse(ret, buf_view(out), &out_limits, NULL) == 0);
	return json_root(ret);
}

static void check_done(struct policy_request *rq, struct json_val pod, struct arena *a,
	const struct policy_result *first)
{
	_cleanup_patch_ struct patch second = PATCH_INIT(PATCH_MAX);
	struct policy_result res;

	rq->object = pod;
	require(policy_mutate(rq, "", a, &second, &res) == 0);
	require(res.verdict == VERDICT_PASSED && second.n == 0);
	require(res.tee == first->tee && res.reason == first->reason);
}

static void check_mutated(
	struct policy_request *rq, const struct patch *patch, const struct policy_result *first)
{
	static const struct span foreign =
		SPAN_LIT("[{\"op\":\"add\",\"path\":\"/spec/containers/-\",\"value\":{\"name\":"
			 "\"mesh-proxy\",\"env\":[]}}]");
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);
	_cleanup_buf_ struct buf text = BUF_INIT(PATCH_MAX);
	_cleanup_buf_ struct buf out = BUF_INIT(PATCH_MAX);
	_cleanup_buf_ struct buf more = BUF_INIT(PATCH_MAX);
	_cleanup_json_ struct json result = {0};
	_cleanup_json_ struct json changed = {0};
	struct json_val pod;
	size_t apps;

	require(patch_write(patch, &text) == 0);
	pod = apply(rq->object, buf_view(&text), &result, &a, &out);
	check_untouched(rq->object, pod);
	check_done(rq, pod, &a, first);
	apps = json_count(json_find(pod, "spec", "containers"));
	/* Another webhook adds a container, but not the first. */
	if (apps > 0 && apps < 100)
		check_done(rq, apply(pod, foreign, &changed, &a, &more), &a, first);
}

static void run(struct json_val pod, int i)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);
	_cleanup_patch_ struct patch patch = PATCH_INIT(PATCH_MAX);
	struct policy_result res;
	struct policy_request rq = {
		.config = &states[i].config,
		.profiles = states[i].profiles,
		.operation = OP_CREATE,
		.kind = SPAN_LIT("Pod"),
		.subresource = SPAN_LIT(""),
		.namespace_ = SPAN_LIT("shop"),
		.namespace_enabled = i != 3,
		.object = pod,
	};

	if (policy_mutate(&rq, "", &a, &patch, &res) < 0)
		return; /* it did not fit the arena */
	check_result(&res, &patch);
	if (res.verdict == VERDICT_MUTATED)
		check_mutated(&rq, &patch, &res);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_json_ struct json doc = {0};
	struct span text = {(const char *)data, size};

	for (int i = 0; i < CONFIGS; i++)
		if (!states[i].profiles)
			configure(&states[i], i);
	if (json_parse(&doc, text, &limits, NULL) < 0)
		return 0;
	for (int i = 0; i < CONFIGS; i++)
		run(json_root(&doc), i);
	return 0;
}
