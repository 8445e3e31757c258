/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/pod_sum.h"

#include <errno.h>

enum container_kind container_kind(struct json_val container, bool init)
{
	if (!init)
		return CONTAINER_APP;
	return json_str_is(json_get(container, "restartPolicy"), "Always") ? CONTAINER_SIDECAR
									   : CONTAINER_INIT;
}

void pod_sum_add(struct pod_sum *s, enum container_kind kind, int64_t amount)
{
	int64_t *sum = kind == CONTAINER_APP ? &s->apps : &s->sidecars;
	int64_t total;

	if (kind != CONTAINER_INIT) {
		s->over |= __builtin_add_overflow(*sum, amount, sum);
		return;
	}
	s->over |= __builtin_add_overflow(s->sidecars, amount, &total);
	if (total > s->peak)
		s->peak = total;
}

int pod_sum_total(const struct pod_sum *s, int64_t overhead, int64_t *ret_n)
{
	int64_t total;
	bool over = s->over;

	over |= __builtin_add_overflow(s->apps, s->sidecars, &total);
	if (total < s->peak)
		total = s->peak;
	over |= __builtin_add_overflow(total, overhead, &total);
	if (over)
		return -ERANGE;
	*ret_n = total;
	return 0;
}
