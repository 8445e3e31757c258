/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave's quote by Gramine's pseudo files (its documentation, "Attestation and Secret
 * Provisioning", "Low-level /dev/attestation interface"): attestation_type says how the enclave
 * attests, what is written to user_report_data is in the next quote, and quote is made when it is
 * opened. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"

enum { SGX_DEVICE_REPORT_DATA = 64 /* bytes */ };

/* Can this enclave have quotes? dir: EXEC_ATTESTATION. Errors here and below name the file and what
 * to change. -ENOTSUP: no enclave of Gramine, or one that does not attest by DCAP; else the file's.
 */
int sgx_device_ready(const char *dir, struct error *err);

/* Appends a quote over report_data, made now; out takes QUOTE_MAX. -EAGAIN: the host gives no quote
 * now; -EBADMSG: as sgx_device_check(); else the file's. */
int sgx_device_quote(struct buf *out, const char *dir,
	const unsigned char report_data[SGX_DEVICE_REPORT_DATA], struct error *err);

/* Pure. Is that a quote of an SGX enclave over report_data? -EBADMSG. What it proves is the
 * broker's to say. */
int sgx_device_check(struct span quote, const unsigned char report_data[SGX_DEVICE_REPORT_DATA],
	struct error *err);
