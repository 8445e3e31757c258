/* SPDX-License-Identifier: Apache-2.0
 *
 * Init-data of Confidential Containers: a TOML text that the host gives to a guest, whose digest
 * the TEE was started with. Pure. */
#pragma once

#include "common/base/error.h"
#include "common/tee/evidence.h"

enum { INIT_DATA_DIGEST_MAX = 64 };

/* The digest that the text's own top-level `algorithm` names (sha256, sha384, sha512). Returns its
 * length; -EBADMSG: there is none such. */
int init_data_digest(unsigned char ret[INIT_DATA_DIGEST_MAX], struct span toml, struct error *err);
/* Was the TEE started with it: SGX CONFIGID, TDX MRCONFIGID, SNP HOST_DATA; zeros behind a shorter
 * digest, a longer one cut; Azure: PCR 8 extended once. False also for the simulated TEE. */
bool init_data_bound(const struct evidence *e, const unsigned char *digest, size_t len);
