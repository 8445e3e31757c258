/* SPDX-License-Identifier: Apache-2.0
 *
 * A second witness of which container asks, beside the agent: the kubelet writes into the pod's
 * status which devices each container holds (allocatedResourcesStatus, by the feature
 * ResourceHealthStatus). Where it does not, or not yet, there is nothing to contradict. */
#include <errno.h>

#include "webhook/broker/grant_private.h"
#include "webhook/policy/resource.h"
#include "webhook/policy/result.h"

static const char *const lists[] = {"containerStatuses", "initContainerStatuses"};

/* The ids of devices for keys in a container's status; missing: it tells of none. *ret_tells: it
 * tells of devices at all. */
static struct json_val ids_of(struct json_val status, bool *ret_tells)
{
	struct json_val devices = json_get(status, "allocatedResourcesStatus");
	struct json_iter it;

	*ret_tells = json_count(devices) > 0;
	json_each (it, devices)
		if (json_str_is(json_get(it.value, "name"), RESOURCE_KEYS))
			return json_get(it.value, "resources");
	return (struct json_val){0};
}

static bool has_id(struct json_val ids, struct json_val id)
{
	struct json_iter it;

	json_each (it, ids)
		if (json_equal(json_get(it.value, "resourceID"), id))
			return true;
	return false;
}

/* Another container has one of its devices, and could come with its socket. */
static int judge_shared(struct decision *d, struct json_val ids)
{
	struct span own = span_str(d->q->who->container);

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it, id;
		bool tells;

		json_each (it, json_find(d->q->pod, "status", lists[i])) {
			struct json_val name = json_get(it.value, "name");
			struct json_val others = ids_of(it.value, &tells);

			if (json_str_equal(name, own))
				continue;
			json_each (id, ids)
				if (has_id(others, json_get(id.value, "resourceID")))
					return grant_refuse(d, REASON_WorkloadNotAllowed,
						"the pod's status gives a device of "
						"container " SPAN_FMT " to " SPAN_FMT
						" as well: create the pod anew",
						SHOWN(own), SHOWN(json_str(name, d->a)));
		}
	}
	return 0;
}

int grant_device(struct decision *d)
{
	struct span own = span_str(d->q->who->container);

	if (d->q->image.p) /* no container asks */
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_iter it;
		bool tells;

		json_each (it, json_find(d->q->pod, "status", lists[i])) {
			struct json_val ids = ids_of(it.value, &tells);

			if (!tells || !json_str_equal(json_get(it.value, "name"), own))
				continue;
			if (json_count(ids) == 0)
				return grant_refuse(d, REASON_WorkloadNotAllowed,
					"the pod's status gives container " SPAN_FMT
					" other devices and none of %s: it is not the one that "
					"asks, whatever the node's agent says",
					SHOWN(own), RESOURCE_KEYS);
			return judge_shared(d, ids);
		}
	}
	return 0;
}
