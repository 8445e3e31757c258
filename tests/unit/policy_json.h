/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of pods for the rows of policy's tables, written with ' instead of ". */
#pragma once

#define LABEL(name) "'casemate.dev.node-restriction.kubernetes.io/" name "'"

/* What the default configuration writes for a TEE. */
#define SELECTOR_SGX          LABEL("attested") ":'true'," LABEL("tee") ":'sgx'"
#define SELECTOR_NODE         LABEL("attested") ":'true'," LABEL("node") ":'confidential'"
#define SELECTOR_NODE_TDX     SELECTOR_NODE "," LABEL("tee") ":'tdx'"
#define SELECTOR_NODE_SNP     SELECTOR_NODE "," LABEL("tee") ":'snp'"
#define SELECTOR_TDX          LABEL("cvm-host") ":'tdx'"
#define SELECTOR_SNP          LABEL("cvm-host") ":'snp'"
#define CLASS(name, selector) "'runtimeClassName':'" name "','nodeSelector':{" selector "}"
#define CLASS_SGX             CLASS("casemate-sgx", SELECTOR_SGX)
#define CLASS_NODE            CLASS("casemate-node", SELECTOR_NODE)
#define CLASS_TDX             CLASS("casemate-tdx", SELECTOR_TDX)

/* Resources as limits and requests, and the pairs in them. */
#define BOTH(pairs)         "'resources':{'limits':{" pairs "},'requests':{" pairs "}}"
#define LIMITS(pairs)       "'resources':{'limits':{" pairs "}}"
#define EPC(size)           "'sgx.intel.com/epc':'" size "'"
#define ENCLAVE             "'sgx.intel.com/enclave':'1'"
#define PROVISION           "'sgx.intel.com/provision':'1'"
#define AESM                "'casemate.dev/aesm':'1'"
#define SGX(size)           BOTH(EPC(size) "," ENCLAVE)
#define SGX_AESM(size)      BOTH(EPC(size) "," ENCLAVE "," AESM)
#define SGX_PROVISION(size) BOTH(EPC(size) "," ENCLAVE "," PROVISION)

#define POD(annotations, spec)                                                                     \
	"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','annotations':{" annotations       \
	"}},'spec':{" spec "}}"
#define INJECTED        "'casemate.dev/status':'injected'"
#define INJECTED_EPC(n) INJECTED ",'sgx.intel.com/epc':'" n "'"
#define APPS(list)      "'containers':[" list "]"
#define INITS(list)     "'initContainers':[" list "]"
#define APP             "{'name':'app','image':'a'}"
#define NAMED(n, rest)  "{'name':'" n "'," rest "}"
#define SIDECAR         "'restartPolicy':'Always'"

#define AESM_VAR    "{'name':'SGX_AESM_ADDR','value':'1'}"
#define AESM_ENVS   "'env':[" AESM_VAR "]"
#define AESM_MOUNT  "'volumeMounts':[{'name':'aesmd-socket','mountPath':'/var/run/aesmd'}]"
#define AESM_MEMORY "'volumes':[{'name':'aesmd-socket','emptyDir':{'medium':'Memory'}}]"
#define AESM_HOST                                                                                  \
	"'volumes':[{'name':'aesmd-socket','hostPath':{'path':'/var/run/aesmd',"                   \
	"'type':'DirectoryOrCreate'}}]"

#define PROFILE(name, spec)                                                                        \
	"{'apiVersion':'casemate.dev/v1alpha1','kind':'EnclaveProfile',"                           \
	"'metadata':{'namespace':'shop','name':'" name "'},'spec':{" spec "}}"

/* The most usual pod: one app container with 64Mi of EPC. */
#define TEE(name)        "'casemate.dev/tee':'" name "'"
#define SGX_64           "'casemate.dev/tee':'sgx','casemate.dev/epc':'64Mi'"
#define APP_64           "{'name':'app','image':'a'," SGX("64Mi") "}"
#define DONE(more, rest) POD(INJECTED_EPC("64Mi") more, rest)
