/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of discovery share. Private to the room platform. */
#pragma once

#include "nodeagent/platform/platform.h"
#include "nodeagent/platform/root.h"

enum {
	MISC_TEXT_MAX = 4096,
	RELEASE_MAX = 128,
	BYTES_TEXT_MAX = 32,
};

/* What is read once and looked at by several. */
struct facts {
	struct root root;
	const struct platform_source *src;
	bool cpuinfo; /* could be read; then these flags: */
	bool flag_sgx, flag_sgx_lc, flag_tdx_host, flag_tdx_guest, flag_hypervisor;
	char release[RELEASE_MAX]; /* of the kernel; "" unknown */
	char misc_text[MISC_TEXT_MAX];
	struct span misc;      /* misc.capacity, empty when there is none */
	const char *misc_path; /* where it was found */
	bool misc_v1;          /* in a hierarchy of its own (cgroup v1) */
};

void finding_set(struct platform *p, enum platform_check c, enum finding_state s, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
bool finding_ready(const struct platform *p, enum platform_check c);

bool facts_cpuid(const struct facts *f, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret);
/* The number misc.capacity has for name; 0: none. */
uint64_t facts_misc(const struct facts *f, const char *name);

/* "64Gi" */
const char *bytes_text(char out[BYTES_TEXT_MAX], uint64_t bytes);

/* Each sets its findings and what follows from them. */
void discover_sgx(struct platform *p, const struct facts *f);
void discover_sgx_registration(struct platform *p, const struct facts *f);
void discover_cvm_hosts(struct platform *p, const struct facts *f);
void discover_guests(struct platform *p, const struct facts *f);
