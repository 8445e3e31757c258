/* SPDX-License-Identifier: Apache-2.0
 *
 * Discovery on made-up trees, one per row: a base and what is different from it. */
#include "nodeagent/platform/platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "nodeagent/platform/parse.h"
#include "nodeagent/platform/root.h"
#include "nodeagent/platform/runtime_config.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

enum { STEPS_MAX = 12, EXPECTED_MAX = 18 };

#define AESM    "/var/run/aesmd/aesm.socket"
#define EFIVARS "/sys/firmware/efi/efivars/"
#define STATUS  EFIVARS "SgxRegistrationStatus-f236c5dc-a491-4bbe-bcdd-88885770df45 "
#define REQUEST EFIVARS "SgxRegistrationServerRequest-304e0796-d515-4698-ac6e-e76cb1a71c28 "
#define NODE(n) "/sys/devices/system/node/node" #n "/x86/sgx_total_bytes "

/* SGX, SGX_LC; SGX1 and SGX2; two sections of 1 GiB. */
#define CPUID_SGX                                                                                  \
	"# a server of two sockets\n"                                                              \
	"00000007 00: 00000000 00000004 40000000 00000000\n"                                       \
	"00000012 00: 00000003 00000001 00000000 0000241f\n"                                       \
	"00000012 02: 80000001 00000010 40000001 00000000 # socket 0\n"                            \
	"00000012 03: 80000001 00000020 40000001 00000000\n"                                       \
	"00000012 04: 00000000 00000000 00000000 00000000\n"
#define CPUID_SGX_OFF                                                                              \
	"7 0: 0 4 40000000 0\n"                                                                    \
	"12 0: 0 0 0 0\n"
#define CPUID_NO_LC                                                                                \
	"7 0: 0 4 0 0\n"                                                                           \
	"12 0: 3 1 0 241f\n"                                                                       \
	"12 2: 80000001 10 40000001 0\n"                                                           \
	"12 3: 80000001 20 40000001 0\n"
#define CPUID_SNP "8000001f 0: 10 0 1fd 80\n"
#define CPUID_TD  "21 0: 0 65746e49 20202020 5844546c\n"

#define MOUNTS(flags)                                                                              \
	"22 29 0:20 / /proc rw,noexec - proc proc rw\n"                                            \
	"26 29 0:5 / /dev rw,nosuid" flags " shared:2 - devtmpfs udev rw\n"                        \
	"27 26 0:24 / /dev/pts rw,nosuid,noexec shared:3 - devpts devpts rw\n"                     \
	"29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

static const char *const sgx_server[] = {
	"f /proc/cpuinfo processor\t: 0\nflags\t\t: fpu sgx sgx_lc vmx\n\nprocessor\t: "
	"1\nflags\t\t: "
	"fpu\n",
	"f /proc/sys/kernel/osrelease 6.8.0-31-generic\n",
	"f /proc/cmdline quiet splash\n",
	"f /proc/1/mountinfo " MOUNTS(""),
	"f /boot/config-6.8.0-31-generic # x\nCONFIG_X86=y\nCONFIG_X86_SGX=y\nCONFIG_Z=m\n",
	"f " NODE(1) "1073741824\n",
	"f " NODE(0) "1073741824\n",
	"f /sys/devices/system/node/online 0-1\n",
	"f /sys/devices/system/cpu/cpu0/topology/physical_package_id 0\n",
	"f /sys/devices/system/cpu/cpu1/topology/physical_package_id 1\n",
	"x " STATUS "0700000001000300030000",
	"f /sys/fs/cgroup/misc.capacity sgx_epc 2147483648\n",
	"c /dev/sgx_enclave 0666",
	"c /dev/sgx_provision 0660",
	"l /var/run /run",
	"s /run/aesmd/aesm.socket",
	NULL,
};

static const char *const tdx_host[] = {
	"f /proc/cpuinfo flags\t: fpu vmx tdx_host_platform\n",
	"f /sys/module/kvm_intel/parameters/tdx Y\n",
	"f /sys/fs/cgroup/misc.capacity tdx 63\n",
	"f /etc/containerd/config.toml version = 3\nimports = "
	"[\"/opt/kata/containerd/config.d/*.toml\"]\n"
	"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n",
	"f /opt/kata/containerd/config.d/kata-deploy.toml "
	"[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.\"kata-qemu-tdx\"]\n"
	"runtime_type = \"io.containerd.kata-qemu-tdx.v2\"\n",
	NULL,
};

static const char *const snp_host[] = {
	"f /proc/cpuinfo flags\t: fpu svm sev_snp\n",
	"f /sys/module/kvm_amd/parameters/sev_snp 1\n",
	"f /sys/fs/cgroup/misc.capacity sev 410\nsev_es 99\n",
	"c /dev/sev 0600",
	"f /etc/crio/crio.conf.d/99-kata-deploy [crio.runtime.runtimes.kata-qemu-snp]\n"
	"runtime_path = \"/opt/kata\"\n",
	NULL,
};

static const struct tree_row {
	const char *name, *cpuid;
	const char *const *base;
	const char *steps[STEPS_MAX];
	/* "CHECK STATE part of the message", then "flag" or "!flag" of struct platform */
	const char *expected[EXPECTED_MAX];
} rows[] = {
	{"SGX server", CPUID_SGX, sgx_server, {NULL},
		{"sgx-cpu Ready SGX2", "sgx-epc Ready 2Gi of EPC on 2 NUMA nodes",
			"sgx-launch-control Ready flexible",
			"sgx-driver Ready 6.8.0-31-generic uses SGX",
			"sgx-enclave-device Ready /dev/sgx_enclave, mode 0666",
			"sgx-provision-device Ready supplementalGroups",
			"sgx-dev-exec Ready with exec", "sgx-aesm Ready listens on " AESM,
			"sgx-cgroup Ready /sys/fs/cgroup/misc.capacity",
			"sgx-registration Ready complete", "tdx-host Missing ", "snp-host Missing ",
			"kata-tdx Missing ", "kata-snp Missing ", "tdx-guest Missing ",
			"snp-guest Missing ", "enclave provision aesm cgroup !tdx-host !snp-host"}},
	{"SGX off in firmware", CPUID_SGX_OFF, sgx_server,
		{"f /proc/cpuinfo flags\t: fpu\n", "- /dev/sgx_enclave", "- /dev/sgx_provision",
			"- /sys/devices/system/node", "f /sys/fs/cgroup/misc.capacity \n"},
		{"sgx-cpu Ready has SGX", "sgx-epc Misconfigured SGX is off in firmware",
			"sgx-driver Misconfigured firmware keeps SGX off",
			"sgx-enclave-device Missing /dev/sgx_enclave is not there",
			"sgx-cgroup Missing not enforced", "!enclave !provision !cgroup"}},
	{"no launch control", CPUID_NO_LC, sgx_server, {"- /dev/sgx_enclave"},
		{"sgx-launch-control Misconfigured no flexible launch control",
			"sgx-enclave-device Missing ", "!enclave"}},
	{"launch control locked", CPUID_SGX, sgx_server, {"f /proc/cpuinfo flags\t: fpu sgx\n"},
		{"sgx-launch-control Misconfigured Unlocked", "!enclave"}},
	{"kernel without driver", CPUID_SGX, sgx_server,
		{"f /boot/config-6.8.0-31-generic CONFIG_X86=y\n# CONFIG_X86_SGX is not set\n",
			"f /proc/cpuinfo flags\t: fpu\n", "- /dev/sgx_enclave"},
		{"sgx-driver Misconfigured CONFIG_X86_SGX is not set in "
		 "/boot/config-6.8.0-31-generic",
			"sgx-enclave-device Missing ", "!enclave"}},
	{"configuration beside the modules", CPUID_SGX, sgx_server,
		{"- /boot", "f /lib/modules/6.8.0-31-generic/config CONFIG_X86=y\n"},
		{"sgx-driver Misconfigured /lib/modules/6.8.0-31-generic/config"}},
	{"no configuration to see", CPUID_SGX, sgx_server, {"- /boot"},
		{"sgx-driver Ready ", "enclave"}},
	{"a configuration that is none", CPUID_SGX, sgx_server,
		{"f /boot/config-6.8.0-31-generic nothing\n"}, {"sgx-driver Ready ", "enclave"}},
	{"driver missing", CPUID_SGX, sgx_server,
		{"f /proc/cpuinfo flags\t: fpu\n", "- /dev/sgx_enclave"},
		{"sgx-launch-control Ready ", "sgx-driver Misconfigured dmesg", "!enclave"}},
	{"nosgx", CPUID_SGX, sgx_server,
		{"f /proc/cpuinfo flags\t: fpu\n", "f /proc/cmdline root=/dev/sda1 nosgx quiet\n"},
		{"sgx-driver Misconfigured nosgx", "!enclave"}},
	{"device missing", CPUID_SGX, sgx_server, {"- /dev/sgx_enclave"},
		{"sgx-driver Ready ", "sgx-enclave-device Misconfigured udevadm trigger",
			"!enclave !provision"}},
	{"out-of-tree driver", CPUID_SGX, sgx_server, {"- /dev/sgx_enclave", "c /dev/isgx 0666"},
		{"sgx-enclave-device Misconfigured /dev/isgx is of Intel's", "!enclave"}},
	{"device for its group", CPUID_SGX, sgx_server,
		{"- /dev/sgx_enclave", "c /dev/sgx_enclave 0660"},
		{"sgx-enclave-device Ready supplementalGroups: [0], or", "enclave"}},
	{"device for root", CPUID_SGX, sgx_server,
		{"- /dev/sgx_enclave", "c /dev/sgx_enclave 0600"},
		{"sgx-enclave-device Ready and a mode of 0660", "enclave"}},
	{"device for nobody", CPUID_SGX, sgx_server,
		{"- /dev/sgx_enclave", "c /dev/sgx_enclave 0440"},
		{"sgx-enclave-device Misconfigured mode 0440", "!enclave"}},
	{"a file instead of a device", CPUID_SGX, sgx_server,
		{"- /dev/sgx_enclave", "f /dev/sgx_enclave x"},
		{"sgx-enclave-device Misconfigured no character device", "!enclave"}},
	{"a FIFO instead of a device", CPUID_SGX, sgx_server,
		{"- /dev/sgx_enclave", "p /dev/sgx_enclave"},
		{"sgx-enclave-device Misconfigured no character device", "!enclave"}},
	{"provision device missing", CPUID_SGX, sgx_server, {"- /dev/sgx_provision"},
		{"sgx-provision-device Misconfigured is not there", "enclave !provision"}},
	{"/dev noexec", CPUID_SGX, sgx_server, {"f /proc/1/mountinfo " MOUNTS(",noexec")},
		{"sgx-dev-exec Misconfigured remount,exec /dev", "enclave"}},
	{"no AESM", CPUID_SGX, sgx_server, {"- /run/aesmd"},
		{"sgx-aesm Missing there is no " AESM, "enclave !aesm"}},
	{"AESM's folder is a mount", CPUID_SGX, sgx_server,
		{"- /run/aesmd", "d /aesmd", "b /run/aesmd /aesmd", "s /aesmd/aesm.socket"},
		{"sgx-aesm Ready ", "enclave aesm"}},
	{"AESM's folder is a mount, without AESM", CPUID_SGX, sgx_server,
		{"- /run/aesmd", "d /aesmd", "b /run/aesmd /aesmd"},
		{"sgx-aesm Missing there is no " AESM, "enclave !aesm"}},
	{"AESM's folder is a mount and was removed", CPUID_SGX, sgx_server,
		{"- /run/aesmd", "d /aesmd", "b /run/aesmd /aesmd", "- /aesmd",
			"s /aesmd/aesm.socket"},
		{"sgx-aesm Misconfigured RuntimeDirectoryPreserve=yes", "enclave !aesm"}},
	{"AESM refuses", CPUID_SGX, sgx_server, {"- /run/aesmd", "o /run/aesmd/aesm.socket"},
		{"sgx-aesm Misconfigured nobody listens on " AESM, "!aesm"}},
	{"AESM's socket is a file", CPUID_SGX, sgx_server,
		{"- /run/aesmd", "f /run/aesmd/aesm.socket x"},
		{"sgx-aesm Misconfigured is no socket", "!aesm"}},
	{"AESM's socket is a folder away from the root", CPUID_SGX, sgx_server,
		{"- /run", "l /run ../../../../../../run"}, {"sgx-aesm Misconfigured ", "!aesm"}},
	{"EPC cgroup of v1", CPUID_SGX, sgx_server,
		{"- /sys/fs/cgroup/misc.capacity",
			"f /sys/fs/cgroup/misc/misc.capacity sgx_epc 2147483648\n"},
		{"sgx-cgroup Misconfigured cgroup v1", "!cgroup"}},
	{"EPC cgroup of a mixed machine", CPUID_SGX, sgx_server,
		{"- /sys/fs/cgroup/misc.capacity",
			"f /sys/fs/cgroup/unified/misc.capacity sgx_epc 2147483648\n"},
		{"sgx-cgroup Ready /sys/fs/cgroup/unified/misc.capacity", "cgroup"}},
	{"misc controller without EPC", CPUID_SGX, sgx_server,
		{"f /sys/fs/cgroup/misc.capacity sev 3\n"}, {"sgx-cgroup Missing ", "!cgroup"}},
	{"kernel without EPC by node", CPUID_SGX, sgx_server, {"- /sys/devices/system/node"},
		{"sgx-epc Ready 2Gi of EPC; the kernel does not tell", "enclave"}},
	{"CPUID and kernel disagree", CPUID_SGX, sgx_server, {"f " NODE(1) "536870912\n"},
		{"sgx-epc Misconfigured CPUID tells of 2Gi of EPC and the kernel of 1536Mi",
			"enclave"}},
	{"a third NUMA node", CPUID_SGX, sgx_server, {"f " NODE(2) "1073741824\n"},
		{"sgx-epc Misconfigured the kernel of 3Gi"}},
	{"registration not done", CPUID_SGX, sgx_server,
		{"x " STATUS "0700000001000300000000", "x " REQUEST "00"},
		{"sgx-registration Misconfigured mpa_registration", "enclave"}},
	{"registration without a request", CPUID_SGX, sgx_server,
		{"x " STATUS "0700000001000300000000"},
		{"sgx-registration Misconfigured restart, so"}},
	{"registration failed in software", CPUID_SGX, sgx_server,
		{"x " STATUS "0700000001000300000085"},
		{"sgx-registration Misconfigured software, error 0x85"}},
	{"registration failed in firmware", CPUID_SGX, sgx_server,
		{"x " STATUS "0700000001000300010002"},
		{"sgx-registration Misconfigured firmware, error 0x02"}},
	{"registration status is none", CPUID_SGX, sgx_server, {"x " STATUS "07000000010003"},
		{"sgx-registration Misconfigured cannot be read"}},
	{"two packages without variables", CPUID_SGX, sgx_server, {"- /sys/firmware"},
		{"sgx-registration Missing efivarfs", "enclave"}},
	{"one package without variables", CPUID_SGX, sgx_server,
		{"- /sys/firmware", "- /sys/devices/system/cpu/cpu1"},
		{"sgx-registration Ready one processor package"}},
	{"SGX in a virtual machine", CPUID_SGX, sgx_server,
		{"- /sys/firmware", "f /proc/cpuinfo flags\t: sgx sgx_lc hypervisor\n"},
		{"sgx-registration Ready its host's", "enclave"}},
	{"device on a processor without SGX", "", sgx_server, {NULL},
		{"sgx-cpu Missing ", "sgx-enclave-device Misconfigured knows no SGX",
			"sgx-epc Missing ", "sgx-aesm Missing ", "sgx-registration Missing ",
			"!enclave !aesm"}},
	{"TDX host", "", tdx_host, {NULL},
		{"tdx-host Ready 63 at once",
			"kata-tdx Ready kata-qemu-tdx in "
			"/opt/kata/containerd/config.d/kata-deploy.toml",
			"snp-host Missing ", "kata-snp Missing ", "sgx-cpu Missing ",
			"sgx-dev-exec Missing ", "tdx-host !snp-host !enclave"}},
	{"TDX host without Kata", "", tdx_host, {"- /opt"},
		{"tdx-host Ready ", "kata-tdx Misconfigured install Kata", "!tdx-host"}},
	{"TDX host without a runtime", "", tdx_host, {"- /etc"},
		{"kata-tdx Misconfigured not to be seen", "!tdx-host"}},
	{"TDX host with a broken configuration", "", tdx_host,
		{"f /etc/containerd/config.toml [a\n"},
		{"kata-tdx Misconfigured /etc/containerd/config.toml is no valid TOML",
			"!tdx-host"}},
	{"TDX host with drop-ins", "", tdx_host,
		{"- /opt", "f /etc/containerd/conf.d/kata.toml "
			   "[plugins.x.containerd.runtimes.kata-qemu-nvidia-gpu-tdx]\n"
			   "[plugins.x.containerd.runtimes.kata-tdx]\n"},
		{"kata-tdx Ready handler kata-tdx in /etc/containerd/conf.d/kata.toml",
			"tdx-host"}},
	{"imports that import each other", "", tdx_host,
		{"f /opt/kata/containerd/config.d/kata-deploy.toml imports = [\"*.toml\", "
		 "'/etc/containerd/config.toml']\n"},
		{"kata-tdx Misconfigured install Kata"}},
	{"KVM without TDX", "", tdx_host, {"f /sys/module/kvm_intel/parameters/tdx N\n"},
		{"tdx-host Misconfigured kvm_intel.tdx=1", "kata-tdx Ready ", "!tdx-host"}},
	{"no KVM", "", tdx_host, {"- /sys/module"}, {"tdx-host Misconfigured 6.16", "!tdx-host"}},
	{"TDX host that counts nothing", "", tdx_host, {"- /sys/fs"},
		{"tdx-host Ready does not tell", "tdx-host"}},
	{"SNP host", CPUID_SNP, snp_host, {NULL},
		{"snp-host Ready 99 at once",
			"kata-snp Ready kata-qemu-snp in /etc/crio/crio.conf.d/99-kata-deploy",
			"tdx-host Missing ", "snp-host !tdx-host"}},
	{"SNP host without Kata", CPUID_SNP, snp_host,
		{"- /etc/crio", "f /etc/crio/crio.conf x = 1\n"},
		{"kata-snp Misconfigured kata-qemu-snp", "!snp-host"}},
	{"SNP host without the processor's driver", CPUID_SNP, snp_host, {"- /dev/sev"},
		{"snp-host Misconfigured ccp", "!snp-host"}},
	{"KVM without SNP", CPUID_SNP, snp_host, {"f /sys/module/kvm_amd/parameters/sev_snp N\n"},
		{"snp-host Misconfigured RMP", "!snp-host"}},
	{"SNP processor in a virtual machine", CPUID_SNP, NULL,
		{"f /proc/cpuinfo flags\t: hypervisor sev_snp\n"},
		{"snp-host Missing ", "!snp-host"}},
	{"TDX guest", CPUID_TD, NULL,
		{"f /proc/cpuinfo flags\t: hypervisor tdx_guest\n", "c /dev/tdx_guest 0600",
			"d /sys/kernel/config/tsm/report"},
		{"tdx-guest Ready configfs-tsm", "snp-guest Missing ", "tdx-guest !snp-guest"}},
	{"TDX guest by CPUID alone", CPUID_TD, NULL, {NULL},
		{"tdx-guest Misconfigured load the module tdx_guest", "tdx-guest"}},
	{"TDX guest with an old kernel", "", NULL, {"c /dev/tdx-attest 0600"},
		{"tdx-guest Misconfigured with /dev/tdx-attest, but without", "tdx-guest"}},
	{"SNP guest", "", NULL, {"c /dev/sev-guest 0600", "d /sys/kernel/config/tsm/report"},
		{"snp-guest Ready configfs-tsm", "tdx-guest Missing ", "snp-guest !tdx-guest"}},
	{"SNP guest without configfs", "", NULL, {"c /dev/sev-guest 0600"},
		{"snp-guest Misconfigured mount configfs", "snp-guest"}},
	{"nothing at all", "", NULL, {NULL},
		{"sgx-cpu Missing ", "sgx-epc Missing ", "sgx-launch-control Missing ",
			"sgx-driver Missing ", "sgx-enclave-device Missing ",
			"sgx-provision-device Missing ", "sgx-dev-exec Missing ",
			"sgx-aesm Missing ", "sgx-cgroup Missing ", "sgx-registration Missing ",
			"tdx-host Missing ", "snp-host Missing ", "kata-tdx Missing ",
			"kata-snp Missing ", "tdx-guest Missing ", "snp-guest Missing ",
			"!enclave !provision !aesm !cgroup !tdx-guest !snp-guest"}},
	{"FIFOs where files should be", CPUID_SGX, NULL,
		{"p /proc/cpuinfo", "p /proc/1/mountinfo", "p /proc/sys/kernel/osrelease",
			"p /sys/fs/cgroup/misc.capacity", "p /etc/containerd/config.toml",
			"p /sys/module/kvm_intel/parameters/tdx", "p " EFIVARS "x"},
		{"sgx-epc Ready ", "tdx-host Missing "}},
};

static bool flag_of(const struct platform *p, struct span name)
{
	const struct {
		const char *name;
		bool value;
	} flags[] = {{"enclave", p->enclave_ok}, {"provision", p->provision_ok},
		{"aesm", p->aesm_ok}, {"cgroup", p->epc_cgroup}, {"tdx-host", p->tdx_host},
		{"snp-host", p->snp_host}, {"tdx-guest", p->tdx_guest},
		{"snp-guest", p->snp_guest}};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (span_is(name, flags[i].name))
			return flags[i].value;
	CU_FAIL("a flag that is none");
	return false;
}

static void check_flags(const char *row, const struct platform *p, struct span flags)
{
	struct span word;

	while (parse_word(&flags, ' ', &word)) {
		bool want = word.p[0] != '!';
		struct span name = {word.p + !want, word.len - !want};

		CHECK_ROW(row, flag_of(p, name) == want, SPAN_FMT " is wrong", SPAN_ARG(name));
	}
}

/* "CHECK STATE message", or flags: no state follows the first word. */
static void check_expected(const char *row, const struct platform *p, const char *expected)
{
	struct span rest = span_str(expected), name, state;

	parse_word(&rest, ' ', &name);
	if (rest.len == 0 || rest.p[0] < 'A' || rest.p[0] > 'Z') {
		check_flags(row, p, span_str(expected));
		return;
	}
	parse_word(&rest, ' ', &state);
	for (size_t c = 0; c < PLATFORM_CHECK_N; c++) {
		const struct finding *f = &p->findings[c];

		if (!span_is(name, platform_check_name((enum platform_check)c)))
			continue;
		CHECK_ROW(row,
			span_is(state, finding_state_name(f->state)) &&
				strstr(f->message, rest.p ? rest.p : ""),
			"\nwant %s\n got %s: %s", expected, finding_state_name(f->state),
			f->message);
		return;
	}
	CHECK_ROW(row, false, "no such check: %s", expected);
}

/* Whatever the tree, every finding says something, names no path of the tree's place, and is whole.
 */
static void check_messages(const char *row, const struct platform *p, const char *root)
{
	uint64_t sum = 0;

	for (size_t c = 0; c < PLATFORM_CHECK_N; c++) {
		const char *m = p->findings[c].message;

		CHECK_ROW(row, m[0] != '\0' && strlen(m) < PLATFORM_MESSAGE_MAX - 1, "%s: cut: %s",
			platform_check_name((enum platform_check)c), m);
		CHECK_ROW(row, !strstr(m, root), "a path of the tree itself: %s", m);
	}
	for (size_t i = 0; i < p->n_epc; i++) {
		sum += p->epc[i].bytes;
		CHECK_ROW(row, i == 0 || p->epc[i - 1].numa < p->epc[i].numa,
			"NUMA nodes not in order");
	}
	CHECK_ROW(row,
		p->findings[CHECK_SGX_EPC].state == FINDING_MISCONFIGURED || sum == p->epc_bytes,
		"sum %llu, total %llu", (unsigned long long)sum, (unsigned long long)p->epc_bytes);
	CHECK_ROW(row, !p->simulated, "simulated");
}

static void discover_row(const struct tree_row *row)
{
	struct cpuid_record *rec = NULL;
	struct platform p;
	struct error err = {0};
	struct tree t;

	if (!tree_new(&t) ||
		!CHECK_ROW(row->name,
			cpuid_record_parse(&rec, row->cpuid, strlen(row->cpuid), &err) == 0, "%s",
			err.message))
		return;
	tree_steps(&t, row->base);
	tree_steps(&t, row->steps);
	if (!t.unprivileged) {
		const struct platform_source src = {.sysroot = t.root,
			.cpuid = cpuid_recorded,
			.cpuid_ctx = rec,
			.aesm_socket = AESM};

		memset(&p, 0xa5, sizeof(p));
		platform_discover(&p, &src);
		for (size_t i = 0; i < EXPECTED_MAX && row->expected[i]; i++)
			check_expected(row->name, &p, row->expected[i]);
		check_messages(row->name, &p, t.root);
	}
	cpuid_record_free(rec);
	tree_free(&t);
}

static void test_trees(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		discover_row(&rows[i]);
}

static void test_this_machine(void)
{
	const struct platform_source src = {
		.sysroot = "/", .cpuid = cpuid_native, .aesm_socket = "/nonexistent/aesm.socket"};
	struct platform p;

	platform_discover(&p, &src);
	CU_ASSERT(!p.aesm_ok && !p.simulated);
	for (size_t c = 0; c < PLATFORM_CHECK_N; c++)
		CU_ASSERT(p.findings[c].message[0] != '\0');
}

static void test_no_sysroot(void)
{
	const struct platform_source src = {.sysroot = "/nonexistent"};
	struct platform p;

	platform_discover(&p, &src);
	for (size_t c = 0; c < PLATFORM_CHECK_N; c++)
		CU_ASSERT(p.findings[c].state == FINDING_MISSING &&
			  strstr(p.findings[c].message, "/nonexistent"));
}

/* Nothing outside the root is read, whatever links say. */
static void test_root_holds(void)
{
	static const char *const steps[] = {"f /etc/hostname inside\n", "l /abs /etc/hostname",
		"l /up ../../../../../../etc/hostname", "l /loop loop", "d /folder",
		"l /folder/root /", NULL};
	static const struct {
		const char *path;
		int want;
	} reads[] = {{"/etc/hostname", 7}, {"/abs", 7}, {"/up", 7}, {"../../etc/hostname", 7},
		{"/folder/root/folder/root/abs", 7}, {"/loop", -ELOOP}, {"/none", -ENOENT},
		{"/folder", -EINVAL}, {"/", -EINVAL}};
	struct root r;
	struct tree t;
	char buf[16];

	if (!tree_new(&t))
		return;
	tree_steps(&t, steps);
	CU_ASSERT_EQUAL(root_init(&r, t.root), 0);
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		int n = root_read(&r, reads[i].path, buf, sizeof(buf));

		CHECK_ROW(reads[i].path,
			n == reads[i].want && (n < 0 || strcmp(buf, "inside\n") == 0), "got %d", n);
	}
	CU_ASSERT_EQUAL(root_read(&r, "/etc/hostname", buf, 7), -EFBIG);
	CU_ASSERT_EQUAL(root_read(&r, "/etc/hostname", buf, 8), 7);
	CU_ASSERT_EQUAL(root_connect(&r, "/etc/hostname"), -ENOTSOCK);
	root_done(&r);
	tree_free(&t);
}

struct lines {
	size_t n, longest, stop;
};

static bool count_line(void *ctx, struct span line)
{
	struct lines *l = ctx;

	if (line.len > l->longest)
		l->longest = line.len;
	return ++l->n != l->stop;
}

static void test_lines(void)
{
	static char text[3 * ROOT_LINE_MAX + 64];
	struct lines all = {0}, two = {.stop = 2};
	struct root r;
	struct tree t;
	int at;

	if (!tree_new(&t))
		return;
	at = snprintf(
		text, sizeof(text), "f /x one\n%0*d\nthree\n\nfive", 2 * ROOT_LINE_MAX + 5, 0);
	CU_ASSERT(at > 2 * ROOT_LINE_MAX);
	tree_step(&t, text);
	CU_ASSERT_EQUAL(root_init(&r, t.root), 0);
	CU_ASSERT_EQUAL(root_each_line(&r, "/x", count_line, &all), 0);
	CU_ASSERT_EQUAL(all.n, 5);
	CU_ASSERT_EQUAL(all.longest, ROOT_LINE_MAX);
	CU_ASSERT_EQUAL(root_each_line(&r, "/x", count_line, &two), 0);
	CU_ASSERT_EQUAL(two.n, 2);
	root_done(&r);
	tree_free(&t);
}

static void test_misc(void)
{
	static const struct {
		const char *text, *name;
		bool found;
		uint64_t want;
	} misc[] = {
		{"sev 3\nsgx_epc 4096\n", "sgx_epc", true, 4096},
		{"sgx_epc max\n", "sgx_epc", true, UINT64_MAX},
		{"sgx_epc 4096", "sgx_epc", false, 0},
		{"sgx_epcs 4096\n", "sgx_epc", false, 0},
		{"sgx_epc\n", "sgx_epc", false, 0},
		{"sgx_epc -1\n", "sgx_epc", false, 0},
		{"sgx_epc 18446744073709551615\n", "sgx_epc", true, UINT64_MAX},
		{"sgx_epc 18446744073709551616\n", "sgx_epc", false, 0},
		{"", "sgx_epc", false, 0},
		{"sgx_epc.max 7\n", "sgx_epc.max", true, 7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(misc); i++) {
		uint64_t n = 0;
		bool found = parse_misc(span_str(misc[i].text), misc[i].name, &n);

		CHECK_ROW(misc[i].text, found == misc[i].found && n == misc[i].want, "got %d, %llu",
			found, (unsigned long long)n);
	}
	/* a text that was cut never gives a number that is not there */
	for (size_t len = 0; len < strlen("sgx_epc 4096\n"); len++) {
		uint64_t n;

		CU_ASSERT(!parse_misc((struct span){"sgx_epc 4096\n", len}, "sgx_epc", &n));
	}
}

static void test_mounts(void)
{
	static const char dev[] = "26 29 0:5 / /dev rw,nosuid,noexec shared:2 - devtmpfs udev rw";
	static const struct {
		const char *lines;
		bool noexec;
	} mounts[] = {
		{"29 1 8:1 / / rw - ext4 a rw\n", false},
		{"29 1 8:1 / / rw,noexec - ext4 a rw\n", true},
		{"29 1 8:1 / / rw,noexec - ext4 a rw\n26 29 0:5 / /dev rw - devtmpfs u rw\n",
			false},
		{"26 29 0:5 / /dev rw,noexec - t u rw\n27 26 0:6 / /dev rw - t u rw\n", false},
		{"26 29 0:5 / /dev rw - t u rw\n27 26 0:6 / /dev noexec - t u rw\n", true},
		{"26 29 0:5 / /dev rw,noexecs - t noexec noexec\n", false},
		{"26 29 0:5 / /dev/noexec rw,noexec - t u rw\n", false},
		{"26 29 0:5 /dev\n\n   \nnoexec\n", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		struct span rest = span_str(mounts[i].lines), line;
		struct mount_flags m = {0};

		while (parse_line(&rest, &line))
			parse_mount(&m, line);
		CHECK_ROW(mounts[i].lines, parse_dev_noexec(&m) == mounts[i].noexec, "wrong");
	}
	for (size_t len = 0; len < sizeof(dev); len++) {
		struct mount_flags m = {0};

		parse_mount(&m, (struct span){dev, len});
		CHECK_ROW(dev, m.dev_noexec == (len >= strlen("26 29 0:5 / /dev rw,nosuid,noexec")),
			"cut after %zu", len);
	}
}

static void test_registration(void)
{
	static const char good[] = "\x07\0\0\0\x02\0\x03\0\x03\0\0";
	struct registration_status s;

	CU_ASSERT(parse_registration((struct span){good, 11}, &s) && s.complete && s.error == 0);
	for (size_t len = 0; len < 11; len++)
		CU_ASSERT(!parse_registration((struct span){good, len}, &s));
	CU_ASSERT(!parse_registration((struct span){good, 12}, &s));
}

static void test_cpuid_record(void)
{
	static const struct {
		const char *text;
		int want;
		const char *message;
	} records[] = {
		{"", 0, ""},
		{"# only a comment\n\n  \t\n", 0, ""},
		{"7 0: 1 2 3 4\n7 1: 1 2 3 4 # more\n\t0x12 0x0 : 0xFFFFFFFF 0 0 0\n", 0, ""},
		{"7 0: 1 2 3\n", -EBADMSG, "line 1"},
		{"7 0: 1 2 3 4 5\n", -EBADMSG, "line 1"},
		{"\n7 0 1 2 3 4\n", -EBADMSG, "line 2"},
		{"7: 1 2 3 4\n", -EBADMSG, "line 1"},
		{"7 0: 123456789 2 3 4\n", -EBADMSG, "line 1"},
		{"7 0: g 2 3 4\n", -EBADMSG, "line 1"},
		{"7 0: 1 2 3 4\n7 0: 1 2 3 4\n", -EBADMSG, "leaf 7, subleaf 0 is there already"},
		{"-7 0: 1 2 3 4\n", -EBADMSG, "line 1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		struct cpuid_record *rec = NULL;
		struct error err = {0};
		int r = cpuid_record_parse(&rec, records[i].text, strlen(records[i].text), &err);

		CHECK_ROW(records[i].text,
			r == records[i].want && strstr(err.message, records[i].message),
			"got %d: %s", r, err.message);
		cpuid_record_free(rec);
	}
}

/* Cut anywhere, a record is refused or holds whole lines. */
static void test_cpuid_truncated(void)
{
	struct cpuid_regs regs;

	for (size_t len = 0; len <= strlen(CPUID_SGX); len++) {
		struct cpuid_record *rec = NULL;
		int r = cpuid_record_parse(&rec, CPUID_SGX, len, NULL);

		CU_ASSERT(r == 0 || (r == -EBADMSG && !rec));
		if (rec && cpuid_recorded(rec, 7, 0, &regs))
			CU_ASSERT(regs.ebx == 4 && regs.ecx == 0x40000000);
		cpuid_record_free(rec);
	}
	CU_ASSERT(!cpuid_native(NULL, 0x7fffffff, 0, &regs));
}

struct heard {
	char text[256];
};

static void hear(struct heard *h, const char *what, struct span name)
{
	size_t n = strlen(h->text);

	snprintf(h->text + n, sizeof(h->text) - n, "%s%s" SPAN_FMT, n ? " " : "", what,
		SPAN_ARG(name));
}

static void hear_handler(void *ctx, struct span name)
{
	hear(ctx, "", name);
}

static void hear_import(void *ctx, struct span name)
{
	hear(ctx, "@", name);
}

static const struct {
	const char *text;
	int want;
	const char *heard;
} configs[] = {
	{"", 0, ""},
	{"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.a]\nx = 1\n", 0, "a"},
	{"[plugins.cri.containerd.runtimes.a.options]", 0, "a"},
	{"[ plugins . 'x.y' . containerd . runtimes . \"a b\" ] # c\r\n", 0, "a b"},
	{"[plugins.x.containerd.runtimes]\n  a.runtime_type = 'v2'\nb = {x = 1}\n", 0, "a b"},
	{"[plugins.x.containerd]\nruntimes.a.x = 1\n", 0, "a"},
	{"plugins.x.containerd.runtimes.a.x = true", 0, "a"},
	{"[crio.runtime.runtimes.a]\n[crio.runtime]\nruntimes.b.x = 1\n", 0, "a b"},
	{"[plugins.x.containerds.runtimes.a]\n[runtimes.b]\n[containerd.runtime.c]\n", 0, ""},
	{"# [plugins.x.containerd.runtimes.a]\n", 0, ""},
	{"s = \"\"\"\n[plugins.x.containerd.runtimes.a]\n\\\"\"\"\"\"\nx = 1\n", 0, ""},
	{"s = '''\n[plugins.x.containerd.runtimes.a]\n'''\n[x]\n", 0, ""},
	{"s = \"[plugins.x.containerd.runtimes.a]\"\n", 0, ""},
	{"[[stream]]\nargs = [ [1, 2], ['a'],\n # x ]\n ]\n", 0, ""},
	{"imports = [\"/a/*.toml\", # one\n 'b.toml',\n]\n", 0, "@/a/*.toml @b.toml"},
	{"[x]\nimports = ['/a']\n", 0, ""},
	{"imports = '/a'\n", 0, ""},
	{"x = [['imports']]\n", 0, ""},
	{"d = 1979-05-27 07:32:00\nf = 1e5\n", 0, ""},
	{"[a\n", -EBADMSG, ""},
	{"[a]]\n", -EBADMSG, ""},
	{"[a] b\n", -EBADMSG, ""},
	{"a\n", -EBADMSG, ""},
	{"= 1\n", -EBADMSG, ""},
	{"a = [\n", -EBADMSG, ""},
	{"a = ]\n", -EBADMSG, ""},
	{"a = \"x\n", -EBADMSG, ""},
	{"a = \"x\\\nb\"\n", -EBADMSG, ""},
	{"a = '''x\n", -EBADMSG, ""},
	{"a = [[[[[[[[[[[[[[[[[\n", -EBADMSG, ""},
	{"[plugins.x.containerd.runtimes.a]\n[b\n", -EBADMSG, "a"},
};

static void test_runtime_config(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct heard h = {0};
		const struct runtime_config_found found = {hear_handler, hear_import, &h};
		int r = runtime_config_scan(span_str(configs[i].text), &found);

		CHECK_ROW(configs[i].text, r == configs[i].want, "got %d", r);
		CHECK_STR(configs[i].text, span_str(h.text), configs[i].heard);
		/* what is cut is never heard otherwise than as a beginning */
		for (size_t len = 0; len < strlen(configs[i].text); len++) {
			struct heard part = {0};
			const struct runtime_config_found cut = {hear_handler, hear_import, &part};

			runtime_config_scan((struct span){configs[i].text, len}, &cut);
			CHECK_ROW(configs[i].text,
				strncmp(part.text, h.text, strlen(part.text)) == 0,
				"cut at %zu: %s", len, part.text);
		}
	}
}

CU_TestInfo platform_tests[] = {
	{"trees", test_trees},
	{"this machine", test_this_machine},
	{"no sysroot", test_no_sysroot},
	{"links stay below the root", test_root_holds},
	{"lines", test_lines},
	{"misc controller", test_misc},
	{"mounts", test_mounts},
	{"registration variable", test_registration},
	{"CPUID record", test_cpuid_record},
	{"CPUID record cut", test_cpuid_truncated},
	{"runtime configuration", test_runtime_config},
	CU_TEST_INFO_NULL,
};
