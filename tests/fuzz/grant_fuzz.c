/* SPDX-License-Identifier: Apache-2.0
 *
 * Any JSON as the live pod of a request that is right in all else: it is refused with a reason and
 * a message, or the pod is one to which no harm that the fuzzer can see was done. */
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "common/kbs/key_id.h"
#include "webhook/broker/grant.h"

enum { ARENA_MAX = 32 << 20 };

static const struct json_limits limits = {1 << 16, 1 << 14, 40};

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct span profile = SPAN_LIT(
	"{\"apiVersion\":\"casemate.dev/v1alpha1\",\"kind\":\"EnclaveProfile\",\"metadata\":{"
	"\"namespace\":\"shop\",\"name\":\"pay\"},\"spec\":{\"tee\":\"node\",\"workload\":{"
	"\"containers\":[{\"name\":\"app\",\"imageDigests\":[\"" DIGEST "\"],\"command\":["
	"\"python3\",\"/app/main.py\"],\"env\":[\"LANG\",\"CASEMATE_*\"],\"mounts\":[\"/data\"],"
	"\"probes\":\"http\"}]},\"identities\":[{\"name\":\"vm\",\"tdx\":{\"rtmrs\":{\"1\":\""
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000\"}}}],\"keys\":[{\"name\":\"k\",\"type\":\"password\",\"deliver\":{\"env\":"
	"\"SECRET_KEY\"},\"grant\":{\"serviceAccounts\":[\"payments\"]}}]}}");

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_granted(struct json_val pod)
{
	struct json_val spec = json_get(pod, "spec");
	struct json_iter it;

	must(json_str_is(json_get(spec, "nodeName"), "n1"));
	must(json_str_is(json_get(spec, "serviceAccountName"), "payments"));
	must(json_str_is(json_find(pod, "metadata", "uid"), "p1"));
	must(json_count(json_get(spec, "ephemeralContainers")) == 0);
	must(json_type(json_get(spec, "shareProcessNamespace")) != JSON_TRUE);
	must(json_count(json_get(spec, "initContainers")) <= 1);
	json_each (it, json_get(spec, "containers")) {
		must(json_str_is(json_get(it.value, "name"), "app"));
		must(json_count(json_get(it.value, "envFrom")) == 0);
		must(json_count(json_get(it.value, "lifecycle")) == 0);
		must(json_str_is(json_at(json_get(it.value, "command"), 2), "python3"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct key_id id = {"shop", "pay", "k"};
	static const struct requester who = {"shop", "payments", "p", "p1", "app", "n1", "nu1"};
	static const struct proven proven = {.tee = TEE_TYPE_TDX,
		.n_registers = 1,
		.registers = {{.name = "rtmr1", .len = 48}},
		.isv_prod_id = -1,
		.isv_svn = -1,
		.guest_svn = -1};
	static const struct span namespace = SPAN_LIT("shop");
	static struct arena kept = ARENA_INIT(ARENA_MAX);
	static struct policy_config config;
	static struct profile_set *profiles;
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);
	_cleanup_json_ struct json doc = {0};
	struct grant_request q = {.config = &config, .id = &id, .proven = &proven, .who = &who};
	enum reason reason = REASON_N;
	const char *message = NULL;

	if (!profiles)
		must(policy_config_default(&config, &kept, NULL) == 0 &&
			profile_set_new(
				&profiles, &profile, 1, &namespace, 1, false, &config, NULL) == 0);
	if (json_parse(&doc, (struct span){(const char *)data, size}, &limits, NULL) < 0)
		return 0;
	q.profiles = profiles;
	q.pod = json_root(&doc);
	if (grant_decide(&q, &a, &reason, &message) < 0)
		return 0; /* it did not fit the arena */
	must(reason < REASON_N && message);
	must((reason == REASON_Ok) == (*message == '\0'));
	if (reason == REASON_Ok)
		check_granted(q.pod);
	return 0;
}
