/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as an EnclaveProfile: it is valid or says what is wrong, one that is valid is found by
 * its name, and what it grants stays within the configuration. */
#include <stdlib.h>

#include "webhook/policy/profile.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_read(const struct profile *p, const struct policy_config *config)
{
	must(p->name && p->namespace_ && p->uid && p->message && p->runtime_class);
	must(p->valid == (p->message[0] == '\0') && p->valid == (p->reason == REASON_Ok));
	if (!p->valid) {
		must(!p->allow_in_process && p->epc_default == 0 && p->n_workload == 0);
		for (int i = 0; i < ACCESS_N; i++)
			must(!p->access[i]);
		return;
	}
	must(p->tee > TEE_NONE && p->tee < TEE_N && p->name[0] != '\0');
	must(p->epc_default >= 0 && p->epc_max >= 0 && p->epc_max <= config->epc_max);
	must(p->epc_default <= config->epc_max);
	must(config->in_process != IN_PROCESS_NEVER || !p->allow_in_process);
	for (size_t i = 0; i < p->n_workload; i++)
		must(p->workload[i].name[0] != '\0');
}

static void check_set(struct span text, const struct policy_config *config)
{
	struct profile_set *s = NULL;
	const struct profile *p, *other = NULL;

	must(profile_set_new(&s, &text, 1, NULL, 0, true, config, NULL) == 0);
	must(profile_set_count(s) == 1);
	p = profile_set_at(s, 0);
	must(p->valid == (p->message[0] == '\0'));
	if (p->name[0] != '\0')
		must(profile_find(s, span_str(p->namespace_), span_str(p->name)) == p);
	if (p->valid) {
		check_read(p, config);
		must(profile_set_namespace_enabled(s, span_str(p->namespace_)));
		/* its own matchLabels are labels that it matches, unless there are expressions */
		if (p->has_selector && !json_exists(json_find(p->spec, "podSelector", "matchExpressions")))
			must(profile_match(s, span_str(p->namespace_),
				     json_find(p->spec, "podSelector", "matchLabels"), &other) == p);
	}
	must(!other);
	profile_set_unref(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits limits = {1 << 16, 1 << 14, 60};
	struct arena a = ARENA_INIT(1 << 22);
	struct policy_config config;
	struct json doc = {0};
	struct profile p = {0};

	must(policy_config_default(&config, &a, NULL) == 0);
	config.epc_max = 1 << 30;
	config.in_process = size > 0 ? data[size - 1] % 3 : IN_PROCESS_PROFILE;
	config.allow_simulated = size % 2;
	if (json_parse(&doc, (struct span){(const char *)data, size}, &limits, NULL) == 0) {
		must(profile_read(&p, json_root(&doc), &config, &a) == 0);
		check_read(&p, &config);
	}
	check_set((struct span){(const char *)data, size}, &config);
	json_free(&doc);
	arena_free(&a);
	return 0;
}
