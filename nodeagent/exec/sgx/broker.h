/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an enclave's broker is, and who vouches for it. The file is part of what is measured (one
 *of Gramine's trusted files), and so must the certificates be that it names; nothing of this comes
 * from the environment or the command line, which can be the host's.
 *	{"url": "https://casemate-broker.casemate-system.svc", "ca": "/etc/casemate/broker-ca.crt",
 *	 "namespace": "shop", "token": "/run/secrets/casemate/token"}
 * namespace is of keys that are named without one; token the pod's projected token (audience
 * casemate.dev), for keys whose grant asks for a service account. Both may be left out. Pure. */
#pragma once

#include "common/base/error.h"
#include "common/base/span.h"

#define SGX_BROKER_FILE "/etc/casemate/broker.json"

enum { SGX_BROKER_FILE_MAX = 16 * 1024, SGX_BROKER_HOST_MAX = 254, SGX_BROKER_PATH_MAX = 256 };

struct sgx_broker {
	char url[SGX_BROKER_HOST_MAX + 32]; /* without a slash behind it */
	char host[SGX_BROKER_HOST_MAX];     /* a name, or an address without brackets */
	char port[6];
	char ca[SGX_BROKER_PATH_MAX];
	char token[SGX_BROKER_PATH_MAX]; /* "": no token goes along */
	char namespace_[64];             /* "": not known */
};

/* -EBADMSG, with the member and what to write; unknown members are refused. */
int sgx_broker_read(struct sgx_broker *ret, struct span json, struct error *err);
