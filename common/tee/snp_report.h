/* SPDX-License-Identifier: Apache-2.0
 *
 * AMD's SEV-SNP attestation report, versions 2 to 5 (AMD 56860, "SEV Secure Nested Paging Firmware
 * ABI", section 7.3, table ATTESTATION_REPORT), and the certificate table of an extended report
 * (AMD 56421, GHCB, section 4.1.8.1). A view, as quote.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/reason.h"
#include "common/tee/roots.h"

enum {
	SNP_REPORT = 1184,
	SNP_REPORT_SIGNED = 672,
	SNP_CHIP_ID = 64,
	SNP_CERTS_MAX = 64 << 10, /* bytes of a certificate table */
};

/* A TCB version by component; which bytes hold them depends on the product. */
struct snp_tcb {
	unsigned char fmc; /* Turin on; else 0 */
	unsigned char bootloader, tee, snp, microcode;
};
/* Each of a at least b's? SVNs have no order but by component. */
bool snp_tcb_at_least(struct snp_tcb a, struct snp_tcb b);
bool snp_tcb_equal(struct snp_tcb a, struct snp_tcb b);
/* From the 8 bytes of a report. */
struct snp_tcb snp_tcb_read(const unsigned char raw[8], enum snp_product product);
/* Are those that hold nothing zero? */
bool snp_tcb_reserved_zero(const unsigned char raw[8], enum snp_product product);

#define SNP_POLICY_SMT            (1ull << 16)
#define SNP_POLICY_RESERVED_ONE   (1ull << 17)
#define SNP_POLICY_MIGRATE_MA     (1ull << 18)
#define SNP_POLICY_DEBUG          (1ull << 19)
#define SNP_POLICY_SINGLE_SOCKET  (1ull << 20)
#define SNP_POLICY_KNOWN          0x3ffffffull /* ABI version, the bits above and five more */
#define SNP_PLATFORM_KNOWN        0xbfull      /* bit 6 is reserved */

enum snp_key { SNP_KEY_VCEK, SNP_KEY_VLEK, SNP_KEY_NONE = 7 };

struct snp_report {
	struct span bytes, signed_part;
	unsigned version;
	uint32_t guest_svn, vmpl;
	uint64_t policy, platform_info;
	const unsigned char *family_id, *image_id; /* 16 */
	bool author_key, mask_chip_key;
	unsigned signing_key;                      /* enum snp_key; others are unknown */
	const unsigned char *report_data;          /* 64 */
	const unsigned char *measurement;          /* 48 */
	const unsigned char *host_data;            /* 32 */
	const unsigned char *id_key_digest, *author_key_digest; /* 48 */
	const unsigned char *report_id, *report_id_ma;          /* 32 */
	const unsigned char *current_tcb, *reported_tcb, *committed_tcb, *launch_tcb; /* 8, raw */
	unsigned char family, model, stepping; /* version 3 on; else 0 */
	const unsigned char *chip_id;          /* 64 */
	unsigned char current_version[3], committed_version[3]; /* build, minor, major */
	uint64_t launch_mit_vector, current_mit_vector; /* version 5 on */
	unsigned char signature[96]; /* r || s, turned big endian */
};

/* 0; else -EBADMSG and *ret_reason as quote_parse(). Exactly SNP_REPORT bytes; what must be zero in
 * the report's version is; the signature's padding is zero. */
int snp_report_parse(
	struct snp_report *ret, struct span bytes, enum reason *ret_reason, struct error *err);
/* The product by CPUID (version 3 on). false: none that Casemate knows, or version 2. */
bool snp_report_product(const struct snp_report *r, enum snp_product *ret);
/* Did the host hide the chip's id (all zero)? */
bool snp_chip_id_masked(const struct snp_report *r);
/* Bytes of a chip's id that are in use: 64, of Turin 8. */
size_t snp_chip_id_len(enum snp_product product);

/* The certificates of an extended report's table; each SPAN_NONE when it is not there. -EBADMSG:
 * entries outside of the table, overlapping its index, twice the same, no end. Unknown GUIDs are
 * passed over. */
struct snp_certs {
	struct span vcek, vlek, ask, ark, crl; /* DER or PEM */
};
int snp_certs_parse(struct snp_certs *ret, struct span table, struct error *err);
