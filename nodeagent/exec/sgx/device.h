/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an enclave has its quotes from. Gramine's by pseudo files (its documentation, "Attestation
 * and Secret Provisioning", "Low-level /dev/attestation interface"): attestation_type says how the
 * enclave attests, what is written to user_report_data is in the next quote, and quote is made when
 * it is opened. Occlum's by a device (occlum.h). */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/error.h"

enum { SGX_DEVICE_REPORT_DATA = 64 /* bytes */ };

struct sgx_device {
	const char *path; /* borrowed */
	bool occlum;      /* a device; else Gramine's folder */
};

/* The one that is there: gramine (EXEC_ATTESTATION), or else occlum (EXEC_OCCLUM). Errors here and
 * below name the file and what to change. -ENOTSUP: neither is, or an enclave of Gramine that does
 * not attest by DCAP; else the file's. */
int sgx_device_find(struct sgx_device *ret_d, const char *gramine, const char *occlum,
	struct error *err);

/* Appends a quote over report_data, made now; out takes QUOTE_MAX. -EAGAIN: the host gives no quote
 * now; -EBADMSG: as sgx_device_check(); else the file's. */
int sgx_device_quote(struct buf *out, const struct sgx_device *d,
	const unsigned char report_data[SGX_DEVICE_REPORT_DATA], struct error *err);

/* Pure. Is that a quote of an SGX enclave over report_data? -EBADMSG. What it proves is the
 * broker's to say. */
int sgx_device_check(struct span quote, const unsigned char report_data[SGX_DEVICE_REPORT_DATA],
	struct error *err);
