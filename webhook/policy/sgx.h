/* SPDX-License-Identifier: Apache-2.0
 *
 * What SGX adds to each container of a pod: which containers have enclaves, how much EPC, and how
 * their quotes are made. Compatible with Intel's SGX webhook, AKS's and Alibaba's. */
#pragma once

#include "webhook/policy/ask.h"

#define AESM_SOCKET_VOLUME "aesmd-socket"
#define AESM_SOCKET_DIR    "/var/run/aesmd"
#define AESM_CONTAINER     "aesmd"
#define AESM_ENV           "SGX_AESM_ADDR"

struct sgx_container {
	bool selected;
	int64_t epc;          /* bytes; 0 when not selected */
	struct span epc_text; /* to write; .p NULL: the container requests its EPC itself */
	bool provision;       /* holds the provision device */
	bool aesm_resource;   /* gets the socket by casemate.dev/aesm */
	bool aesm_mount;      /* gets the socket by a mount of the volume */
	bool aesm_env;        /* lacks the environment variable */
};

enum sgx_volume { SGX_VOLUME_NONE, SGX_VOLUME_MEMORY, SGX_VOLUME_HOST };

struct sgx_plan {
	struct sgx_container *c; /* one a container of the pod */
	enum sgx_volume volume;  /* the socket's, to be added */
	int64_t effective;       /* EPC as the scheduler charges it, bytes */
};

/* k->tee is TEE_SGX. with_overhead: spec.overhead stays and counts. 0, ASK_REFUSED, -ENOMEM. */
int sgx_plan(struct ask *k, bool with_overhead, struct sgx_plan *plan);

/* The quotes' part of it, once containers are selected. */
int sgx_plan_quotes(struct ask *k, struct sgx_plan *plan);

/* Annotations that only SGX has, on a pod of another TEE. 0, ASK_REFUSED, -ENOMEM. */
int sgx_check_absent(struct ask *k);

/* bytes as resource.Quantity prints them; NULL when a is exhausted. */
const char *sgx_bytes_text(int64_t bytes, struct arena *a);
