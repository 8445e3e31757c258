/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated platform, for development: --simulate sgx:epc=128Mi,numa=2 makes device nodes in a
 * folder of its own and a struct platform that says so. */
#pragma once

#include "nodeagent/platform/platform.h"

enum {
	SIMULATION_EPC_DEFAULT = 128 << 20, /* bytes */
	SIMULATION_SLOTS_DEFAULT = 16,
	SIMULATION_SLOTS_MAX = 4096,
};

struct simulation {
	bool sgx, tdx_host, snp_host, tdx_guest, snp_guest;
	uint64_t epc_bytes; /* whole pages of 4 KiB */
	unsigned numa;
	uint64_t tdx_slots, snp_slots; /* confidential VMs at once */
	bool aesm;                     /* AESM is there as well */
};

/* "sgx[:epc=128Mi][,numa=2][,aesm]", "tdx-host[:slots=16]", "snp-host[:slots=16]", "tdx-guest",
 * "snp-guest"; several with '+'. -EINVAL says what is wrong and what could stand there. */
int simulation_parse(struct simulation *ret_s, const char *text, struct error *err);

#define SIMULATION_AESM_DIR    "/aesmd" /* below host_dir */
#define SIMULATION_AESM_SOCKET SIMULATION_AESM_DIR "/aesm.socket"

/* Makes the device nodes (character devices 1:3, /dev/null's, 0666) below host_dir/dev, an absolute
 * path that the kubelet's runtime finds under the same name. A node that is something else is
 * replaced. AESM's socket is host_dir + SIMULATION_AESM_SOCKET; its folder is made, and whoever
 * plays AESM listens there. Idempotent; needs CAP_MKNOD when sgx is simulated. */
int simulation_make(const struct simulation *s, const char *host_dir, struct error *err);

/* Describes the platform, without side effects. A device node that is not there any more is a
 * finding, as on a real platform. */
void simulation_discover(const struct simulation *s, const char *host_dir, struct platform *ret_p);
