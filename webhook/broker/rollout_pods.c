/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/rollout_pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/kube/resources.h"
#include "webhook/policy/names.h"
#include "webhook/policy/tee.h"

bool rollout_is_of(struct json_val pod, const char *profile)
{
	struct json_val phase = json_find(pod, "status", "phase");

	return json_str_is(
		       json_find(pod, "metadata", "annotations", ANNOTATION_PROFILE), profile) &&
	       !json_exists(json_find(pod, "metadata", "deletionTimestamp")) &&
	       !json_str_is(phase, "Succeeded") && !json_str_is(phase, "Failed");
}

/* The version of a key that the annotation names; 0: none. */
static unsigned annotated(struct json_val pod, const char *key)
{
	char text[ROLLOUT_TEXT_MAX];
	size_t n = strlen(key);

	if (!json_copy(json_find(pod, "metadata", "annotations", ROLLOUT_ANNOTATION), text,
		    sizeof(text)))
		return 0;
	for (char *save = NULL, *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save))
		if (strncmp(p, key, n) == 0 && p[n] == '=')
			return (unsigned)strtoul(p + n + 1, NULL, 10);
	return 0;
}

static struct json_val find_named(struct json_val list, struct json_val name)
{
	struct json_iter it;

	json_each (it, list)
		if (json_equal(json_get(it.value, "name"), name))
			return it.value;
	return (struct json_val){0};
}

/* Has this container run since before then? */
static bool started_before(struct json_val status, int64_t sec)
{
	char text[64];
	int64_t usec;

	return json_copy(json_find(status, "state", "running", "startedAt"), text, sizeof(text)) &&
	       clock_parse(span_str(text), &usec) == 0 && usec / (int64_t)USEC_PER_SEC < sec;
}

static bool any_before(
	struct json_val pod, const char *containers, const char *statuses, bool agent, int64_t sec)
{
	struct json_val list = json_find(pod, "status", statuses);
	struct json_iter it;

	json_each (it, json_find(pod, "spec", containers)) {
		if (agent &&
			!json_exists(json_find(it.value, "resources", "limits", RESOURCE_KEYS)))
			continue;
		if (started_before(find_named(list, json_get(it.value, "name")), sec))
			return true;
	}
	return false;
}

bool rollout_is_old(struct json_val pod, const struct rollout_key *key, bool agent)
{
	int64_t sec = key->made_sec + ROLLOUT_SKEW_SEC;

	if (key->version < 2 || annotated(pod, key->name) >= key->version)
		return false;
	return any_before(pod, "containers", "containerStatuses", agent, sec) ||
	       any_before(pod, "initContainers", "initContainerStatuses", agent, sec);
}

void rollout_owner_of(struct rollout_owner *ret, struct json_val object)
{
	struct json_iter it;

	ret->kind[0] = '\0';
	json_each (it, json_find(object, "metadata", "ownerReferences")) {
		if (json_type(json_get(it.value, "controller")) != JSON_TRUE)
			continue;
		if (!json_copy(json_get(it.value, "kind"), ret->kind, sizeof(ret->kind)) ||
			!json_copy(json_get(it.value, "name"), ret->name, sizeof(ret->name)) ||
			!json_copy(json_get(it.value, "uid"), ret->uid, sizeof(ret->uid)) ||
			!name_is_dns_subdomain(span_str(ret->name)))
			ret->kind[0] = '\0';
		else if (!json_str_is(json_get(it.value, "apiVersion"), "apps/v1"))
			snprintf(ret->kind, sizeof(ret->kind), "other");
		return;
	}
}

int rollout_value(struct buf *out, const struct rollout_key *keys, size_t n)
{
	size_t start = out->len;

	for (size_t i = 0; i < n; i++)
		if (keys[i].on_change == KEY_CHANGE_RESTART && keys[i].version > 1)
			buf_printf(out, "%s%s=%u", out->len > start ? "," : "", keys[i].name,
				keys[i].version);
	return out->err;
}

int rollout_patch(struct buf *out, const char *uid, struct span value)
{
	buf_puts(out, "{\"metadata\":{\"uid\":");
	buf_json_string(out, span_str(uid));
	buf_puts(out, "},\"spec\":{\"template\":{\"metadata\":{\"annotations\":{"
		      "\"" ROLLOUT_ANNOTATION "\":");
	buf_json_string(out, value);
	return buf_puts(out, "}}}}}");
}
