/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave's quote by the device that Occlum's LibOS gives its programs (its "remote attestation
 * (DCAP)" demo, and the LibOS's dev_sgx): two ioctl()s. */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/error.h"

/* Is that Occlum's device? path: EXEC_OCCLUM. Elsewhere there is none, or a folder of drivers'. */
bool occlum_here(const char *path);

/* Appends what the device says is a quote over report_data, made now; out takes QUOTE_MAX. -EAGAIN:
 * the host gives no quote now; -EBADMSG: longer than a quote can be; -ENOTSUP: not a device that
 * makes quotes; else opening's. Errors name the device. */
int occlum_quote(struct buf *out, const char *path,
	const unsigned char report_data[64], struct error *err);
