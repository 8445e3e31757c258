/* SPDX-License-Identifier: Apache-2.0
 *
 * The SGX devices as resources: sgx.intel.com/enclave, which lets a container make enclaves, and
 * sgx.intel.com/provision, which lets an enclave of it use the provisioning key. Names and device
 * ids are those of Intel's plugin, so that pods written for it work. */
#pragma once

#include "nodeagent/kubelet/resource.h"
#include "nodeagent/platform/platform.h"

/* What p says when a container is admitted counts; p outlives the resource. A container gets
 * exactly this device node, read and write, once however many ids it asks for. */
struct resource sgx_enclave_resource(const struct platform *p);
struct resource sgx_provision_resource(const struct platform *p);
