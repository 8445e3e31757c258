/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node has for confidential computing: SGX, TDX and SNP hosts, TDX and SNP guests, with a
 * finding for each thing that must be right and what to do when it is not. Reads files below a
 * sysroot and CPUID through a seam, so that recorded trees can be used; never opens a device. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
	PLATFORM_MESSAGE_MAX = 240,
	PLATFORM_NUMA_MAX = 64, /* EPC by NUMA node */
	PLATFORM_PATH_MAX = 256,
};

enum finding_state {
	FINDING_READY,
	FINDING_MISSING,       /* this node does not have it; fine unless it should */
	FINDING_MISCONFIGURED, /* it is there and something keeps it from working */
	FINDING_STATE_N,
};
const char *finding_state_name(enum finding_state s); /* "Ready" */

/* name of the check as in metrics and JSON. The order is that of the page. */
#define PLATFORM_CHECKS(X)                                                                         \
	X(SGX_CPU, "sgx-cpu")                       /* the processor has SGX */                    \
	X(SGX_EPC, "sgx-epc")                       /* EPC sections; none: off in firmware */      \
	X(SGX_LAUNCH_CONTROL, "sgx-launch-control") /* flexible: our signers' enclaves start */    \
	X(SGX_DRIVER, "sgx-driver")                 /* kernel configuration and flags */           \
	X(SGX_ENCLAVE_DEVICE, "sgx-enclave-device")                                                \
	X(SGX_PROVISION_DEVICE, "sgx-provision-device")                                            \
	X(SGX_DEV_EXEC, "sgx-dev-exec")         /* /dev is not noexec */                           \
	X(SGX_AESM, "sgx-aesm")                 /* AESM's socket */                                \
	X(SGX_CGROUP, "sgx-cgroup")             /* misc controller knows sgx_epc */                \
	X(SGX_REGISTRATION, "sgx-registration") /* multi-package platforms: UEFI variables */      \
	X(TDX_HOST, "tdx-host")                                                                    \
	X(SNP_HOST, "snp-host")                                                                    \
	X(KATA_TDX, "kata-tdx") /* the runtime has Kata's handler */                               \
	X(KATA_SNP, "kata-snp")                                                                    \
	X(TDX_GUEST, "tdx-guest")                                                                  \
	X(SNP_GUEST, "snp-guest")
enum platform_check {
#define X(name, text) CHECK_##name,
	PLATFORM_CHECKS(X)
#undef X
		PLATFORM_CHECK_N
};
const char *platform_check_name(enum platform_check c);

struct finding {
	enum finding_state state;
	char message[PLATFORM_MESSAGE_MAX]; /* what is so and, unless Ready, what to do */
};

struct epc_section {
	unsigned numa;
	uint64_t bytes;
};

struct platform {
	bool simulated; /* whatever it says, nothing protects anything */
	struct finding findings[PLATFORM_CHECK_N];

	/* SGX host. Enclaves can be offered when both: */
	bool enclave_ok;    /* everything an enclave needs is Ready */
	bool provision_ok;  /* and the provision device is there */
	bool aesm_ok;       /* AESM's socket answers to a connect(2) */
	uint64_t epc_bytes; /* of all sections */
	struct epc_section
		epc[PLATFORM_NUMA_MAX]; /* by NUMA node where the kernel tells, else one */
	size_t n_epc;
	/* On the host, as handed to the kubelet: never with the sysroot before them, except those
	 * of a simulated platform, which live in its folder. */
	char enclave_device[PLATFORM_PATH_MAX], provision_device[PLATFORM_PATH_MAX];
	char aesm_socket[PLATFORM_PATH_MAX];
	bool epc_cgroup; /* misc.max takes sgx_epc */

	bool tdx_host, snp_host;      /* can start such VMs, runtime handler included */
	uint64_t tdx_keys, snp_asids; /* misc.capacity: how many at once; 0: not told */

	bool tdx_guest, snp_guest; /* this node is one */
};

/* EAX, EBX, ECX, EDX of CPUID leaf/subleaf; false when the processor has no such leaf. */
struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};
typedef bool (*cpuid_fn)(void *ctx, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret);
bool cpuid_native(void *ctx, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret);
/* A recorded CPUID: lines "LEAF SUBLEAF: EAX EBX ECX EDX" in hexadecimal, '#' begins a comment. */
struct cpuid_record;
int cpuid_record_parse(
	struct cpuid_record **ret_r, const char *text, size_t len, struct error *err);
bool cpuid_recorded(void *record, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret);
void cpuid_record_free(struct cpuid_record *r);

#define PLATFORM_AESM_SOCKET "/var/run/aesmd/aesm.socket" /* where aesmd listens by default */

struct platform_source {
	const char *sysroot; /* "/" or where dev, sys, proc and boot are to be read */
	cpuid_fn cpuid;
	void *cpuid_ctx;
	const char *aesm_socket; /* PLATFORM_AESM_SOCKET */
};

/* Looks at everything, quickly and without side effects. Never fails: what cannot be read is a
 * finding. Below sysroot it reads /dev, /proc (cpuinfo, cmdline, sys/kernel/osrelease, 1/mountinfo;
 * without that last one /dev's own mount flags), /sys (devices/system/{cpu,node}, firmware/efi,
 * fs/cgroup, kernel/config, module), /boot or /lib/modules (the kernel's configuration; optional),
 * the runtime's configuration (/etc/containerd, /etc/crio and what it imports, as /opt/kata) and
 * the folder of AESM's socket. */
void platform_discover(struct platform *ret_p, const struct platform_source *src);
