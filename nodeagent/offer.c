/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/offer.h"

#include "common/base/cleanup.h"

const char *const offer_resource_names[OFFER_RESOURCE_N] = {
	[OFFER_ENCLAVE] = "sgx.intel.com/enclave",
	[OFFER_PROVISION] = "sgx.intel.com/provision",
	[OFFER_AESM] = "casemate.dev/aesm",
	[OFFER_KEYS] = "casemate.dev/keys",
};

/* The first of the checks, in this order, that is not as it should be. */
static const char *blame(const struct platform *p, const enum platform_check *checks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p->findings[checks[i]].state != FINDING_READY)
			return p->findings[checks[i]].message;
	return "";
}

static struct offer_devices devices(int64_t limit, bool ok, const char *why, unsigned had)
{
	unsigned count = limit > 0 && (ok || had) ? (unsigned)limit : 0;

	return (struct offer_devices){.count = count, .healthy = ok, .why = ok ? "" : why};
}

static int64_t epc(const struct platform *p, const struct agent_config *c, int64_t had)
{
	int64_t bytes = (int64_t)p->epc_bytes - c->epc.reserve;

	if (!c->epc.publish)
		return -1;
	if (!p->enclave_ok)
		return had < 0 ? -1 : 0;
	return bytes > 0 ? bytes : 0;
}

static int64_t slots(bool host, uint64_t n, int64_t had)
{
	if (host && n > 0 && n <= INT64_MAX)
		return (int64_t)n;
	return had < 0 ? -1 : 0;
}

/* Keys are delivered where the node itself is what is proved: a confidential VM, or whatever is
 * simulated. An SGX host's enclaves ask for themselves, and so do the guests of a host of VMs. */
static bool delivers(const struct platform *p)
{
	return p->tdx_guest || p->snp_guest || (p->simulated && p->enclave_ok);
}

void offer_compute(struct offer *ret_o, const struct platform *p, const struct agent_config *c,
	const struct offer *had)
{
	static const enum platform_check enclave[] = {CHECK_SGX_CPU, CHECK_SGX_EPC,
		CHECK_SGX_LAUNCH_CONTROL, CHECK_SGX_DRIVER, CHECK_SGX_ENCLAVE_DEVICE,
		CHECK_SGX_DEV_EXEC};
	static const enum platform_check provision[] = {CHECK_SGX_PROVISION_DEVICE, CHECK_SGX_CPU,
		CHECK_SGX_EPC, CHECK_SGX_LAUNCH_CONTROL, CHECK_SGX_DRIVER, CHECK_SGX_ENCLAVE_DEVICE,
		CHECK_SGX_DEV_EXEC};
	static const enum platform_check aesm[] = {CHECK_SGX_AESM};
	static const struct offer nothing = {.capacity = {-1, -1, -1}};
	const struct offer *o = had ? had : &nothing;
	/* Without enclaves nobody has a use for the others. */
	bool sgx = p->enclave_ok || o->devices[OFFER_ENCLAVE].count > 0;
	struct offer next = {
		.devices =
			{
				[OFFER_ENCLAVE] = devices(c->enclave_limit, p->enclave_ok,
					blame(p, enclave, ARRAY_SIZE(enclave)),
					o->devices[OFFER_ENCLAVE].count),
				[OFFER_PROVISION] = devices(c->provision_limit, p->provision_ok,
					blame(p, provision, ARRAY_SIZE(provision)),
					o->devices[OFFER_PROVISION].count),
				[OFFER_AESM] = devices(c->aesm.enabled && sgx ? c->aesm.limit : 0,
					p->aesm_ok, blame(p, aesm, ARRAY_SIZE(aesm)),
					o->devices[OFFER_AESM].count),
				[OFFER_KEYS] = devices(agent_config_delivers(c) ? c->keys.limit : 0,
					delivers(p), "the node is no confidential VM any more",
					o->devices[OFFER_KEYS].count),
			},
		.capacity =
			{
				[CAPACITY_EPC] = epc(p, c, o->capacity[CAPACITY_EPC]),
				[CAPACITY_TDX_KEYS] = slots(
					p->tdx_host, p->tdx_keys, o->capacity[CAPACITY_TDX_KEYS]),
				[CAPACITY_SNP_ESIDS] = slots(
					p->snp_host, p->snp_asids, o->capacity[CAPACITY_SNP_ESIDS]),
			},
	};

	*ret_o = next;
}
