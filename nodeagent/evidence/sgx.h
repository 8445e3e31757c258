/* SPDX-License-Identifier: Apache-2.0
 *
 * The evidence of an SGX host: a quote by AESM of a report by the evidence enclave, whose report
 * data is the caller's. */
#pragma once

#include <sys/un.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "nodeagent/enclave/layout.h"

enum { SGX_DEVICE_MAX = 256 };

struct sgx_source {
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* AESM's; "": there is none */
	char device[SGX_DEVICE_MAX];                              /* "/dev/sgx_enclave" */
	/* Who makes the report, for tests; NULL: the evidence enclave. */
	int (*report)(const char *device,
		const unsigned char target_info[EXCHANGE_TARGET_INFO_SIZE],
		const unsigned char report_data[EXCHANGE_REPORT_DATA_SIZE],
		unsigned char ret_report[EXCHANGE_REPORT_SIZE], struct error *err);
};

/* Paths as the agent sees them: sysroot, "" or "/" for none, goes before them. A path that is too
 * long becomes "". */
void sgx_source_set(
	struct sgx_source *ret, const char *sysroot, const char *socket, const char *device);

/* Blocks; appends the quote. Errors as of aesm_quote() and evidence_enclave_report(); -ENOTSUP: no
 * AESM is configured. */
int sgx_evidence(const struct sgx_source *s,
	const unsigned char report_data[EXCHANGE_REPORT_DATA_SIZE], struct buf *ret,
	struct error *err);
