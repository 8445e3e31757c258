/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/resource.h"

#include <errno.h>

#include "common/base/quantity.h"
#include "webhook/policy/result.h"
#include "webhook/policy/tee.h"

static const struct {
	const char *name;
	size_t len;
} known[RES_N] = {
#define NAME(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
	[RES_EPC] = NAME(RESOURCE_EPC),
	[RES_ENCLAVE] = NAME(RESOURCE_ENCLAVE),
	[RES_PROVISION] = NAME(RESOURCE_PROVISION),
	[RES_AESM] = NAME(RESOURCE_AESM),
	[RES_KEYS] = NAME(RESOURCE_KEYS),
	[RES_TDX_SLOT] = NAME(RESOURCE_TDX_SLOT),
	[RES_SNP_SLOT] = NAME(RESOURCE_SNP_SLOT),
	[RES_AKS_EPC] = NAME(RESOURCE_AKS_EPC),
	[RES_ALI_EPC] = NAME(RESOURCE_ALI_EPC),
	[RES_GOOGLE_CC] = NAME("google.com/cc"),
	[RES_AMD_SNP] = NAME("amd.com/sev-snp"),
	[RES_INTEL_TDX] = NAME("intel.com/tdx"),
#undef NAME
};

const char *resource_name(enum resource r)
{
	return known[r].name;
}

/* The known resource that key (a JSON string) names; RES_N: none. */
static enum resource resource_of(struct json_val key)
{
	struct span raw = json_raw(key);
	bool escaped = memchr(raw.p, '\\', raw.len) != NULL;

	for (enum resource r = 0; r < RES_N; r++)
		if ((escaped || raw.len == known[r].len + 2) && json_str_is(key, known[r].name))
			return r;
	return RES_N;
}

void amounts_find(struct amounts *ret, struct json_val container)
{
	struct json_val resources = json_get(container, "resources");
	struct json_iter it;
	enum resource r;

	*ret = (struct amounts){0};
	json_each(it, json_get(resources, "limits")) {
		r = resource_of(it.key);
		if (r < RES_N) {
			ret->v[r].limit = it.value;
			ret->v[r].present = true;
		}
	}
	json_each(it, json_get(resources, "requests")) {
		r = resource_of(it.key);
		if (r < RES_N) {
			ret->v[r].request = it.value;
			ret->v[r].present = true;
		}
	}
}

static int read_side(struct json_val v, int64_t *ret_n, struct span container, const char *side,
	const char *resource, struct error *err)
{
	int r = quantity_count_from_json(ret_n, v, err);

	if (r < 0)
		return error_prefix(err, r,
			"container \"" SPAN_FMT "\": resources.%s[\"%s\"]", SHOWN(container), side,
			resource);
	return 0;
}

int amount_read(struct amount *am, struct span container, const char *resource, struct error *err)
{
	bool limit = json_exists(am->limit), request = json_exists(am->request);
	int64_t requested = 0;
	int r = 0;

	if (limit)
		r = read_side(am->limit, &am->n, container, "limits", resource, err);
	if (r == 0 && request)
		r = read_side(am->request, &requested, container, "requests", resource, err);
	if (r < 0)
		return r;
	if (limit && request && am->n != requested)
		return error_set(err, -EDOM,
			"container \"" SPAN_FMT "\": limits and requests of %s must be equal, "
			"because extended resources cannot be overcommitted; remove one of them",
			SHOWN(container), resource);
	if (!limit)
		am->n = requested;
	return 0;
}
