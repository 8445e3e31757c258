/* SPDX-License-Identifier: Apache-2.0
 *
 * Intel's PCK certificate: the SGX extension 1.2.840.113741.1.13.1 ("Intel SGX PCK Certificate and
 * CRL Profile Specification", section 1.3.5). */
#pragma once

#include "common/tee/cert.h"

enum pck_ca { PCK_CA_PROCESSOR, PCK_CA_PLATFORM, PCK_CA_N };
/* "Intel SGX PCK Processor CA" */
const char *pck_ca_name(enum pck_ca ca);

struct pck {
	unsigned char ppid[16];
	unsigned char components[16]; /* SVNs: TCB levels are matched with these, not with cpusvn */
	uint16_t pcesvn;
	unsigned char cpusvn[16];
	unsigned char pceid[2];
	unsigned char fmspc[6];
	unsigned sgx_type; /* 0 standard, 1 scalable, 2 scalable with integrity */
	enum pck_ca ca;    /* of the issuer's name */
	bool has_platform_instance_id;
	unsigned char platform_instance_id[16];
	/* Platform CA only; -1: not said, else 0 or 1. */
	signed char dynamic_platform, cached_keys, smt_enabled;
};

/* Reads a leaf whose subject and issuer are those of a PCK certificate. Strict: exactly 5
 * (Processor CA) or 7 elements (a Platform CA's may lack the last two), 18 of the TCB, none twice,
 * SVNs 0 to 255. -EBADMSG. */
int pck_read(struct pck *ret, const struct cert *leaf, struct error *err);
/* The same of the extension's content alone, ca given. */
int pck_read_extension(struct pck *ret, enum pck_ca ca, struct span extension, struct error *err);
