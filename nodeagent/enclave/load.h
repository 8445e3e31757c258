/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds an enclave with Linux's SGX driver (Documentation/arch/x86/sgx.rst, asm/sgx.h) and enters
 * it through the vDSO. Blocks; for one thread at a time. Reviewed against driver and manual, and
 * its code run with the processor's part emulated; not yet run on a processor with SGX. */
#pragma once

#include <asm/sgx.h>

#include "common/base/cleanup.h"
#include "nodeagent/enclave/measure.h"
#include "common/tee/sigstruct.h"

struct enclave;

/* device: "/dev/sgx_enclave". The attributes are SGX_FLAG_MODE64BIT and SGX_XFRM_LEGACY: a
 * production enclave. Errors say what on the host keeps it from starting; -EAGAIN: there is no free
 * EPC. */
int enclave_load(struct enclave **ret, const char *device, const struct enclave_image *image,
	const unsigned char sigstruct[SIGSTRUCT_SIZE], struct error *err);
void enclave_free(struct enclave *e); /* NULL allowed */
DEFINE_CLEANUP(struct enclave *, enclave_free)

/* Enters the TCS at offset tcs with page (see layout.h), a page of the caller's. -EIO: the enclave
 * met an exception. */
int enclave_enter(struct enclave *e, uint64_t tcs, void *page, struct error *err);

/* What the processor is entered with: for tests, of an enclave that is not one. enter NULL: the
 * vDSO's own. */
int enclave_enter_at(uint64_t tcs, void *page, vdso_sgx_enter_enclave_t enter, struct error *err);
