/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the pods of each kind of workload come from. */
#include "webhook/policy/policy.h"

static const struct {
	const char *kind, *prefix;
	const char *path[5];
} kinds[] = {
	{"Pod", "", {NULL}},
	{"Deployment", "/spec/template", {"spec", "template"}},
	{"ReplicaSet", "/spec/template", {"spec", "template"}},
	{"StatefulSet", "/spec/template", {"spec", "template"}},
	{"DaemonSet", "/spec/template", {"spec", "template"}},
	{"Job", "/spec/template", {"spec", "template"}},
	{"ReplicationController", "/spec/template", {"spec", "template"}},
	{"CronJob", "/spec/jobTemplate/spec/template", {"spec", "jobTemplate", "spec", "template"}},
	{"PodTemplate", "/template", {"template"}},
};

const char *policy_template_prefix(struct span kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (span_is(kind, kinds[i].kind))
			return kinds[i].prefix;
	return NULL;
}

struct json_val policy_template(struct span kind, struct json_val object)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (span_is(kind, kinds[i].kind))
			return json_find_(object, kinds[i].path);
	return (struct json_val){0};
}
