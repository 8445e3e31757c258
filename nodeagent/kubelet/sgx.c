/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/sgx.h"

/* Inside the container, as the kernel's driver names them since Linux 5.11. */
#define ENCLAVE   "/dev/sgx_enclave"
#define PROVISION "/dev/sgx_provision"

static int give(struct allocation *ret_a, const char *container_path, const char *host_path,
	struct error *err)
{
	if (!host_path[0])
		return error_set(err, -ENODEV,
			"the device node %s is not there any more: is the driver loaded?",
			container_path);
	ret_a->devices[0].container_path = container_path;
	ret_a->devices[0].host_path = host_path;
	ret_a->devices[0].permissions = "rw";
	ret_a->n_devices = 1;
	return 0;
}

static int allocate_enclave(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	const struct platform *p = ctx;

	(void)ids;
	(void)n;
	return give(ret_a, ENCLAVE, p->enclave_device, err);
}

static int allocate_provision(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	const struct platform *p = ctx;

	(void)ids;
	(void)n;
	return give(ret_a, PROVISION, p->provision_device, err);
}

struct resource sgx_enclave_resource(const struct platform *p)
{
	return (struct resource){
		.name = "sgx.intel.com/enclave",
		.prefix = "sgx-enclave-",
		.allocate = allocate_enclave,
		.ctx = (void *)p,
	};
}

struct resource sgx_provision_resource(const struct platform *p)
{
	return (struct resource){
		.name = "sgx.intel.com/provision",
		.prefix = "sgx-provision-",
		.allocate = allocate_provision,
		.ctx = (void *)p,
	};
}
