/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/status_fixture.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

#define MIB ((int64_t)1 << 20)

static const int64_t now_sec = 1777636803; /* 2026-05-01T12:00:03Z */

const char status_hostile[] =
	"</title></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;"
	"\x1b[31m\a\n\xff\xc3(\xe2\x80\xae"
	"looooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooong";

static void find(struct status_fixture *f, enum platform_check c, enum finding_state state,
	const char *message)
{
	f->platform.findings[c].state = state;
	snprintf(f->platform.findings[c].message, PLATFORM_MESSAGE_MAX, "%s", message);
}

static void bare_node(struct status_fixture *f)
{
	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++)
		find(f, i, FINDING_MISSING, "not on this machine");
	f->status = (struct status){
		.node = "worker-1",
		.version = "0.1.0",
		.now_usec = now_sec * USEC_PER_SEC,
		.started_usec = (now_sec - 76 * 3600) * USEC_PER_SEC,
		.platform = &f->platform,
		.plugins = f->plugins,
		.kubelet = {STATUS_CONNECTED, ""},
		.api_server = {STATUS_CONNECTED, ""},
		.node_uid = "6d3d7a4c-7f5e-4a53-9a7c-0d8c2b1f9e10",
		.capacity_state = CAPACITY_PUBLISHED,
		.capacity_problem = "",
		.capacities = f->capacities,
		.epc = {.published = -1},
		.containers = f->containers,
		.containers_problem = "",
		.attestation = ATTEST_VIEW_NONE,
		.keys = STATUS_KEYS_NONE,
	};
}

static void add_container(struct status_fixture *f, const char *pod, const char *container,
	int64_t epc, const char *const *ids, size_t n_ids)
{
	static const char *const aesm[] = {"casemate-aesm-7"};
	size_t n = f->status.n_containers++;

	f->devices[n][0] = (struct status_devices){"sgx.intel.com/enclave", ids, n_ids};
	f->devices[n][1] = (struct status_devices){"casemate.dev/aesm", aesm, 1};
	f->containers[n] = (struct status_container){
		"shop", pod, container, f->devices[n], n % 2 ? 1 : 2, epc, -1};
	f->status.epc.requested += epc;
}

static void sgx_node(struct status_fixture *f)
{
	static const char *const one[] = {"sgx-enclave-12"};
	static const char *const six[] = {"sgx-enclave-0", "sgx-enclave-1", "sgx-enclave-2",
		"sgx-enclave-3", "sgx-enclave-4", "sgx-enclave-5"};

	bare_node(f);
	find(f, CHECK_SGX_CPU, FINDING_READY, "SGX1 and SGX2 (EDMM)");
	find(f, CHECK_SGX_EPC, FINDING_READY, "128 MiB in 2 sections");
	find(f, CHECK_SGX_LAUNCH_CONTROL, FINDING_READY, "flexible launch control");
	find(f, CHECK_SGX_DRIVER, FINDING_READY, "in the kernel (6.1)");
	find(f, CHECK_SGX_ENCLAVE_DEVICE, FINDING_READY, "/dev/sgx_enclave, mode 0666");
	find(f, CHECK_SGX_PROVISION_DEVICE, FINDING_READY, "/dev/sgx_provision, mode 0660");
	find(f, CHECK_SGX_DEV_EXEC, FINDING_READY, "/dev allows mapping enclaves");
	find(f, CHECK_SGX_AESM, FINDING_READY, "answers at /var/run/aesmd/aesm.socket");
	find(f, CHECK_SGX_CGROUP, FINDING_MISSING,
		"this kernel does not limit EPC: a container can use more than it asked for");
	f->platform.enclave_ok = f->platform.provision_ok = f->platform.aesm_ok = true;
	f->platform.epc_bytes = 128 * MIB;
	f->platform.n_epc = 2;
	f->platform.epc[0] = (struct epc_section){0, 96 * MIB};
	f->platform.epc[1] = (struct epc_section){1, 32 * MIB};
	f->plugins[0] =
		(struct plugin_info){"sgx.intel.com/enclave", PLUGIN_REGISTERED, "", 110, 110};
	f->plugins[1] =
		(struct plugin_info){"sgx.intel.com/provision", PLUGIN_REGISTERED, "", 110, 110};
	f->plugins[2] = (struct plugin_info){"casemate.dev/aesm", PLUGIN_REGISTERED, "", 110, 110};
	f->status.n_plugins = 3;
	f->capacities[0] = (struct status_capacity){"sgx.intel.com/epc", 120 * MIB, 120 * MIB};
	f->status.n_capacities = 1;
	f->status.epc = (struct status_epc){8 * MIB, 120 * MIB, 0};
	add_container(f, "payments-6c9f7d5b8-x2x7k", "app", 64 * MIB, one, 1);
	add_container(f, "vault-0", "vault", 5 * MIB / 2, six, 6);
	f->containers[1].epc_used_bytes = MIB;
}

static void broken_node(struct status_fixture *f)
{
	sgx_node(f);
	find(f, CHECK_SGX_DRIVER, FINDING_MISCONFIGURED,
		"the kernel has no SGX driver: install one with CONFIG_X86_SGX=y (5.11 or newer)");
	find(f, CHECK_SGX_DEV_EXEC, FINDING_MISCONFIGURED,
		"/dev is mounted noexec: enclaves cannot be mapped; remount it without noexec");
	find(f, CHECK_TDX_HOST, FINDING_READY, "kvm_intel.tdx=Y");
	find(f, CHECK_KATA_TDX, FINDING_MISSING,
		"containerd has no handler kata-qemu-tdx: install Kata Containers");
	f->platform.enclave_ok = f->platform.provision_ok = false;
	f->plugins[0].healthy = 0;
	f->plugins[1] = (struct plugin_info){"sgx.intel.com/provision", PLUGIN_FOREIGN,
		"Intel's device plugin serves this resource: remove its DaemonSet, or set "
		"provisionLimit=0 here",
		0, 0};
	f->plugins[2].state = PLUGIN_WAITING;
	f->plugins[2].problem = "the kubelet answered Unimplemented";
	f->status.api_server = (struct status_connection){
		STATUS_DISCONNECTED, "10.96.0.1:443: connection refused; trying again"};
	f->status.epc.requested = 200 * MIB;
	f->status.containers_problem = "the kubelet's pod-resources socket does not answer";
	f->status.attestation = (struct attest_view){ATTEST_REFUSED, ATTEST_PHASE_RESTING,
		"TcbOutOfDate", "update the BIOS to 2026.1 (INTEL-SA-01234)", "", now_sec + 3600,
		"sgx", "aesm"};
}

static void hostile_node(struct status_fixture *f)
{
	static const char *const ids[] = {status_hostile, status_hostile};

	broken_node(f);
	f->status.node = f->status.version = f->status.node_uid = status_hostile;
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++)
		find(f, i, i % FINDING_STATE_N, status_hostile);
	for (size_t i = 0; i < 3; i++)
		f->plugins[i].resource = f->plugins[i].problem = status_hostile;
	f->status.kubelet = f->status.api_server =
		(struct status_connection){STATUS_DISCONNECTED, status_hostile};
	f->status.capacity_problem = status_hostile;
	f->capacities[0].resource = status_hostile;
	f->devices[0][0] = (struct status_devices){status_hostile, ids, 2};
	f->containers[0].namespace_ = f->containers[0].pod = f->containers[0].container =
		status_hostile;
	f->status.containers_problem = status_hostile;
	f->status.attestation.reason = f->status.attestation.message = status_hostile;
	f->status.keys.broker = f->status.keys.problem = status_hostile;
}

static void many_node(struct status_fixture *f)
{
	static const char *const one[] = {"sgx-enclave-12"};

	sgx_node(f);
	f->platform.n_epc = 8;
	f->platform.epc_bytes = 0;
	for (unsigned i = 0; i < 8; i++) {
		f->platform.epc[i] = (struct epc_section){i, (uint64_t)(64 << 10) * MIB};
		f->platform.epc_bytes += f->platform.epc[i].bytes;
	}
	while (f->status.n_containers < FIXTURE_CONTAINERS_MAX)
		add_container(f,
			"a-pod-with-a-long-name-as-deployments-of-helm-charts-have-7f9c6b5d4-abcde",
			"main", 512 * MIB, one, 1);
	f->status.containers_cut = true;
}

static void simulated_node(struct status_fixture *f)
{
	sgx_node(f);
	f->platform.simulated = true;
	f->status.attestation = (struct attest_view){ATTEST_SIMULATED, ATTEST_PHASE_RESTING,
		"Simulated", "", "", now_sec + 3600, "simulated", "simulator"};
}

static void discovered_node(struct status_fixture *f)
{
	sgx_node(f);
	f->status.source = STATUS_DISCOVERY;
	f->status.started_usec = 0;
	f->status.node_uid = "";
	f->status.n_plugins = f->status.n_containers = f->status.n_capacities = 0;
	f->status.kubelet.state = f->status.api_server.state = STATUS_NOT_CONFIGURED;
	f->status.capacity_state = CAPACITY_UNKNOWN;
	f->status.epc = (struct status_epc){0, -1, -1};
}

static const struct {
	const char *name;
	void (*make)(struct status_fixture *f);
} nodes[] = {
	{"bare", bare_node},
	{"sgx", sgx_node},
	{"simulated", simulated_node},
	{"broken", broken_node},
	{"hostile", hostile_node},
	{"many", many_node},
	{"discovered", discovered_node},
};

const char *const status_fixture_names[] = {
	"bare", "sgx", "simulated", "broken", "hostile", "many", "discovered", NULL};

bool status_fixture(struct status_fixture *f, const char *name)
{
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (strcmp(nodes[i].name, name) != 0)
			continue;
		nodes[i].make(f);
		return true;
	}
	return false;
}
