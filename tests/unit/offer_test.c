/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/offer.h"

#include "tests/unit/test.h"

#define MIB ((int64_t)1024 * 1024)

static struct platform sgx_server(void)
{
	struct platform p = {
		.enclave_ok = true,
		.provision_ok = true,
		.aesm_ok = true,
		.epc_bytes = (uint64_t)(128 * MIB),
	};

	for (size_t i = 0; i < PLATFORM_CHECK_N; i++)
		snprintf(p.findings[i].message, PLATFORM_MESSAGE_MAX, "about %s",
			platform_check_name((enum platform_check)i));
	return p;
}

static struct agent_config defaults(void)
{
	return (struct agent_config){
		.enclave_limit = 110,
		.provision_limit = 100,
		.aesm = {.enabled = true, .limit = 90},
		.epc = {.publish = true},
		.broker = {.url = ""},
	};
}

static void test_devices(void)
{
	static const struct {
		const char *name;
		bool enclave, provision, aesm, aesm_enabled, had;
		int64_t provision_limit;
		unsigned want[OFFER_RESOURCE_N];
		bool healthy[OFFER_RESOURCE_N];
	} rows[] = {
		{"all is well", true, true, true, true, false, 100, {110, 100, 90}, {1, 1, 1}},
		{"no AESM", true, true, false, true, false, 100, {110, 100, 0}, {1, 1, 0}},
		{"AESM not wanted", true, true, true, false, false, 100, {110, 100, 0}, {1, 1, 1}},
		{"no provision device", true, false, true, true, false, 100, {110, 0, 90},
			{1, 0, 1}},
		{"none wanted", true, true, true, true, false, 0, {110, 0, 90}, {1, 1, 1}},
		{"no SGX", false, false, false, true, false, 100, {0, 0, 0}, {0, 0, 0}},
		{"AESM without SGX", false, false, true, true, false, 100, {0, 0, 0}, {0, 0, 1}},
		{"SGX went away", false, false, true, true, true, 100, {110, 100, 90}, {0, 0, 1}},
		{"AESM went away", true, true, false, true, true, 100, {110, 100, 90}, {1, 1, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct platform p = sgx_server();
		struct agent_config c = defaults();
		struct offer had, o;

		c.aesm.enabled = rows[i].aesm_enabled;
		c.provision_limit = rows[i].provision_limit;
		offer_compute(&had, &p, &c, NULL);
		p.enclave_ok = rows[i].enclave;
		p.provision_ok = rows[i].provision;
		p.aesm_ok = rows[i].aesm;
		offer_compute(&o, &p, &c, rows[i].had ? &had : NULL);
		for (size_t k = 0; k < OFFER_RESOURCE_N; k++) {
			CHECK_ROW(rows[i].name, o.devices[k].count == rows[i].want[k],
				"%s: got %u, want %u", offer_resource_names[k], o.devices[k].count,
				rows[i].want[k]);
			CHECK_ROW(rows[i].name, o.devices[k].healthy == rows[i].healthy[k],
				"%s: health", offer_resource_names[k]);
		}
	}
}

/* Keys are delivered where the node is what was proved, or everything is simulated. */
static void test_keys(void)
{
	static const struct {
		const char *name;
		bool tdx, snp, sgx, simulated, had, enabled;
		const char *url;
		unsigned want;
		bool healthy;
	} rows[] = {
		{"a TDX guest", true, false, false, false, false, true, "https://b", 70, true},
		{"an SNP guest", false, true, false, false, false, true, "https://b", 70, true},
		{"an SGX host", false, false, true, false, false, true, "https://b", 0, false},
		{"a simulated one", false, false, true, true, false, true, "https://b", 70, true},
		{"a simulated host of VMs", false, false, false, true, false, true, "https://b", 0,
			false},
		{"no broker", true, false, false, false, false, true, "", 0, true},
		{"not wanted", true, false, false, false, false, false, "https://b", 0, true},
		{"no guest any more", false, false, false, false, true, true, "https://b", 70,
			false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct platform p = {.tdx_guest = true};
		struct agent_config c = defaults();
		struct offer had, o;

		c.keys.enabled = rows[i].enabled;
		c.keys.limit = 70;
		c.broker.url = rows[i].url;
		offer_compute(&had, &p, &c, NULL);
		p.tdx_guest = rows[i].tdx;
		p.snp_guest = rows[i].snp;
		p.enclave_ok = rows[i].sgx;
		p.simulated = rows[i].simulated;
		offer_compute(&o, &p, &c, rows[i].had ? &had : NULL);
		CHECK_ROW(rows[i].name, o.devices[OFFER_KEYS].count == rows[i].want, "got %u",
			o.devices[OFFER_KEYS].count);
		CHECK_ROW(rows[i].name, o.devices[OFFER_KEYS].healthy == rows[i].healthy, "health");
	}
}

static void test_why(void)
{
	struct agent_config c = defaults();
	struct platform p = sgx_server();
	struct offer o;

	p.enclave_ok = false;
	p.findings[CHECK_SGX_DEV_EXEC].state = FINDING_MISCONFIGURED;
	p.findings[CHECK_SGX_EPC].state = FINDING_MISSING;
	offer_compute(&o, &p, &c, NULL);
	CHECK_STR("why", span_str(o.devices[OFFER_ENCLAVE].why), "about sgx-epc");
	p.findings[CHECK_SGX_EPC].state = FINDING_READY;
	offer_compute(&o, &p, &c, NULL);
	CHECK_STR("why", span_str(o.devices[OFFER_ENCLAVE].why), "about sgx-dev-exec");
	CHECK_STR("why", span_str(o.devices[OFFER_PROVISION].why), "");
}

static void test_capacity(void)
{
	static const struct {
		const char *name;
		bool enclave, publish, had;
		int64_t reserve, want;
	} rows[] = {
		{"all of it", true, true, false, 0, 128 * MIB},
		{"less a reserve", true, true, false, 28 * MIB, 100 * MIB},
		{"all reserved", true, true, false, 129 * MIB, 0},
		{"another publishes", true, false, false, 0, -1},
		{"no enclaves", false, true, false, 0, -1},
		{"no enclaves any more", false, true, true, 0, 0},
		{"another publishes from now on", true, false, true, 0, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct platform p = sgx_server();
		struct agent_config c = defaults();
		struct offer had, o;

		offer_compute(&had, &p, &c, NULL);
		p.enclave_ok = rows[i].enclave;
		c.epc.publish = rows[i].publish;
		c.epc.reserve = rows[i].reserve;
		offer_compute(&o, &p, &c, rows[i].had ? &had : NULL);
		CHECK_ROW(rows[i].name, o.capacity[CAPACITY_EPC] == rows[i].want, "got %lld",
			(long long)o.capacity[CAPACITY_EPC]);
		CHECK_ROW(rows[i].name, o.capacity[CAPACITY_TDX_KEYS] == -1, "TDX keys");
	}
}

static void test_slots(void)
{
	struct agent_config c = defaults();
	struct platform p = {.tdx_host = true, .tdx_keys = 15, .snp_host = true};
	struct offer had, o;

	offer_compute(&had, &p, &c, NULL);
	CU_ASSERT_EQUAL(had.capacity[CAPACITY_TDX_KEYS], 15);
	CU_ASSERT_EQUAL(had.capacity[CAPACITY_SNP_ESIDS], -1); /* how many is not told */
	p.tdx_host = false;
	offer_compute(&o, &p, &c, &had);
	CU_ASSERT_EQUAL(o.capacity[CAPACITY_TDX_KEYS], 0);
}

CU_TestInfo offer_tests[] = {
	{"devices by what there is", test_devices},
	{"keys", test_keys},
	{"why a device is not healthy", test_why},
	{"EPC", test_capacity},
	{"slots of confidential VMs", test_slots},
	CU_TEST_INFO_NULL,
};
