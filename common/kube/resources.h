/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the extended resources of confidential pods: capacities of Nodes and requests of
 * containers. */
#pragma once

#define RESOURCE_EPC       "sgx.intel.com/epc" /* bytes */
#define RESOURCE_ENCLAVE   "sgx.intel.com/enclave"
#define RESOURCE_PROVISION "sgx.intel.com/provision"
#define RESOURCE_AESM      "casemate.dev/aesm"
#define RESOURCE_KEYS      "casemate.dev/keys"
#define RESOURCE_TDX_SLOT  "tdx.intel.com/keys" /* confidential VMs at once, as the next */
#define RESOURCE_SNP_SLOT  "sev-snp.amd.com/esids"
