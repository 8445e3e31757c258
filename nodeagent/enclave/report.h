/* SPDX-License-Identifier: Apache-2.0
 *
 * A REPORT by the evidence enclave, which is built, signed, entered once and taken down again. Its
 * signing key is made for each and forgotten: with flexible launch control any key starts an
 * enclave, so MRSIGNER says nothing and MRENCLAVE is what a policy names. */
#pragma once

#include "nodeagent/enclave/measure.h"
#include "common/tee/sigstruct.h"

/* What the enclave is signed as. */
enum { EVIDENCE_ISVPRODID = 0, EVIDENCE_ISVSVN = 1 };

/* device: "/dev/sgx_enclave". Blocks for some hundred milliseconds. Errors as of enclave_load() and
 * enclave_enter(). */
int evidence_enclave_report(const char *device,
	const unsigned char target_info[EXCHANGE_TARGET_INFO_SIZE],
	const unsigned char report_data[EXCHANGE_REPORT_DATA_SIZE],
	unsigned char ret_report[EXCHANGE_REPORT_SIZE], struct error *err);

/* The SIGSTRUCT that it starts with. */
int evidence_enclave_sign(unsigned char ret[SIGSTRUCT_SIZE], const struct enclave_image *image,
	EVP_PKEY *key, struct error *err);
