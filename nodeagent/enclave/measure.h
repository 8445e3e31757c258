/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave as it is loaded, and its measurement MRENCLAVE: what ECREATE, EADD and EEXTEND add to
 * it, in the order in which Linux's driver runs them (Intel SDM volume 3D, chapter 41, "ECREATE",
 * "EADD", "EEXTEND"; arch/x86/kernel/cpu/sgx/ioctl.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "nodeagent/enclave/layout.h"

/* Of SECINFO (SDM 38.11). */
enum {
	SECINFO_R = 1,
	SECINFO_W = 2,
	SECINFO_X = 4,
	SECINFO_TCS = 0x100, /* no permissions with it */
	SECINFO_REG = 0x200,
};

struct enclave_page {
	uint64_t offset; /* from the enclave's base */
	uint64_t flags;  /* SECINFO_* */
	bool measured;   /* its content too, not just that it is there */
	unsigned char content[ENCLAVE_PAGE];
};

struct enclave_image {
	uint64_t size;                    /* bytes; a power of two */
	uint32_t ssa_frame_pages;         /* SECS.SSAFRAMESIZE */
	const struct enclave_page *pages; /* in the order of loading */
	size_t n;
};

enum { MRENCLAVE_SIZE = 32 };

int enclave_measure(
	unsigned char ret[MRENCLAVE_SIZE], const struct enclave_image *image, struct error *err);

/* The evidence enclave of this build: its machine code (code.S) and its pages. */
extern const unsigned char evidence_enclave_code[];
extern const uint64_t evidence_enclave_code_size;
enum { EVIDENCE_PAGES = 4 };
struct evidence_enclave {
	struct enclave_page pages[EVIDENCE_PAGES];
	struct enclave_image image; /* of pages */
};
void evidence_enclave_make(struct evidence_enclave *ret);
