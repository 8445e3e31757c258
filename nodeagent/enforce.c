/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/enforce.h"

#include <errno.h>
#include <string.h>

static int limit(struct epc_cgroup *c, const struct node_pod *p, const struct pod_container *k,
	struct error *err)
{
	char path[EPC_CGROUP_PATH_MAX];
	int r = epc_cgroup_find(c, p->cgroup_uid, k->id, path, err);

	if (r == 0)
		r = epc_cgroup_limit(c, path, (uint64_t)k->epc, err);
	return r;
}

unsigned enforce_epc(struct epc_cgroup *c, const struct pods *pods,
	void (*failed)(void *ctx, const struct error *err), void *ctx)
{
	unsigned done = 0;

	for (size_t i = 0; i < pods_count(pods); i++) {
		const struct node_pod *p = pods_at(pods, i);

		for (size_t j = 0; j < p->n; j++) {
			const struct pod_container *k = &p->containers[j];
			struct error err = {0};
			int r;

			if (k->epc <= 0 || !*k->id)
				continue;
			r = limit(c, p, k, &err);
			if (r == 0) {
				done++;
			} else if (r != -ENOENT) { /* it has ended meanwhile */
				error_prefix(&err, r, "container %s of pod %s/%s", k->name,
					p->namespace_, p->name);
				failed(ctx, &err);
			}
		}
	}
	return done;
}

int64_t enforce_used(const struct epc_cgroup *c, const struct pods *pods, const char *namespace_,
	const char *pod, const char *container)
{
	for (size_t i = 0; i < pods_count(pods); i++) {
		const struct node_pod *p = pods_at(pods, i);

		if (strcmp(p->name, pod) != 0 || strcmp(p->namespace_, namespace_) != 0)
			continue;
		for (size_t j = 0; j < p->n; j++) {
			char path[EPC_CGROUP_PATH_MAX];
			struct epc_usage u;

			if (strcmp(p->containers[j].name, container) == 0 &&
				epc_cgroup_find(
					c, p->cgroup_uid, p->containers[j].id, path, NULL) == 0 &&
				epc_cgroup_read(c, path, &u, NULL) == 0)
				return (int64_t)u.current;
		}
	}
	return -1;
}
