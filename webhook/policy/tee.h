/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways to be confidential and the names that go with them (design: "Four ways to be
 * confidential"; API page). */
#pragma once

#include "common/base/span.h"
#include "common/kube/resources.h"

enum tee {
	TEE_NONE,
	TEE_SGX,
	TEE_TDX,
	TEE_SNP,
	TEE_CVM,
	TEE_NODE,
	TEE_NODE_TDX,
	TEE_NODE_SNP,
	TEE_N
};

/* "sgx", "node-tdx", …; "none" for TEE_NONE. */
const char *tee_name(enum tee t);
/* TEE_NONE when s names none. */
enum tee tee_parse(struct span s);

#define ANNOTATION_TEE        "casemate.dev/tee"
#define ANNOTATION_PROFILE    "casemate.dev/profile"
#define ANNOTATION_EPC        "casemate.dev/epc" /* also "casemate.dev/epc.<container>" */
#define ANNOTATION_CONTAINERS "casemate.dev/containers"
#define ANNOTATION_QUOTE      "casemate.dev/quote"
#define ANNOTATION_STATUS     "casemate.dev/status"
#define ANNOTATION_INTEL_EPC  "sgx.intel.com/epc" /* written for Kata: the pod's effective EPC */
#define ANNOTATION_INTEL_QUOTE "sgx.intel.com/quote-provider"
#define ANNOTATION_MIRROR     "kubernetes.io/config.mirror"

/* Others: common/kube/resources.h. */
#define RESOURCE_AKS_EPC "kubernetes.azure.com/sgx_epc_mem_in_MiB"
#define RESOURCE_ALI_EPC "alibabacloud.com/sgx_epc_MiB"

#define LABEL_PREFIX   "casemate.dev.node-restriction.kubernetes.io/"
#define LABEL_ATTESTED LABEL_PREFIX "attested" /* true | simulated */
#define LABEL_TEE      LABEL_PREFIX "tee"      /* sgx | tdx | snp */
#define LABEL_NODE     LABEL_PREFIX "node"     /* confidential */
#define LABEL_CVM_HOST LABEL_PREFIX "cvm-host" /* tdx | snp */

#define NAMESPACE_LABEL       "casemate.dev/confidential"
#define NAMESPACE_LABEL_VALUE "enabled"
