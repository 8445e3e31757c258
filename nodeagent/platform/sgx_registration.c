/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this platform is registered with Intel: the UEFI variables of Intel's DCAP multi-package
 * software (SgxRegistrationStatus, SgxRegistrationServerRequest), which the firmware of platforms
 * with several processors makes. */
#include <errno.h>
#include <stdio.h>

#include "nodeagent/platform/discover.h"
#include "nodeagent/platform/parse.h"

#define EFIVARS "/sys/firmware/efi/efivars/"
#define STATUS  EFIVARS "SgxRegistrationStatus-f236c5dc-a491-4bbe-bcdd-88885770df45"
#define REQUEST EFIVARS "SgxRegistrationServerRequest-304e0796-d515-4698-ac6e-e76cb1a71c28"
#define REGISTER                                                                                   \
	"run mpa_registration (Intel's package sgx-ra-service) or PCKIDRetrievalTool, then "       \
	"restart"

enum { SMALL_MAX = 64 };

struct package_scan {
	const struct facts *f;
	bool seen, several;
	uint64_t first;
};

static bool read_package(void *ctx, const char *name)
{
	struct package_scan *scan = ctx;
	char path[PLATFORM_PATH_MAX], buf[SMALL_MAX];
	uint64_t cpu, package;
	struct span text;

	if (!parse_numbered(name, "cpu", &cpu))
		return true;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%llu/topology/physical_package_id",
		(unsigned long long)cpu);
	if (root_read_span(&scan->f->root, path, buf, sizeof(buf), &text) < 0 ||
		!parse_u64(text, &package))
		return true;
	scan->several = scan->seen && package != scan->first;
	scan->first = package;
	scan->seen = true;
	return !scan->several;
}

static bool several_packages(const struct facts *f)
{
	struct package_scan scan = {.f = f};

	root_each_entry(&f->root, "/sys/devices/system/cpu", read_package, &scan);
	return scan.several;
}

static void without_variables(struct platform *p, const struct facts *f)
{
	if (f->flag_hypervisor)
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_READY,
			"a virtual machine: registration is its host's");
	else if (!several_packages(f))
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_READY,
			"one processor package and no registration variables: nothing to register");
	else
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_MISSING,
			"several processor packages, and no " STATUS
			": whether the platform is registered with Intel cannot be told; is "
			"efivarfs "
			"mounted and seen by the agent?");
}

void discover_sgx_registration(struct platform *p, const struct facts *f)
{
	struct registration_status status;
	char buf[SMALL_MAX];
	struct span data;
	int r;

	if (!finding_ready(p, CHECK_SGX_CPU)) {
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_MISSING, "the processor has no SGX");
		return;
	}
	r = root_read_span(&f->root, STATUS, buf, sizeof(buf), &data);
	if (r == -ENOENT || r == -ENOTDIR) {
		without_variables(p, f);
		return;
	}
	if (r < 0 || !parse_registration(data, &status)) {
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_MISCONFIGURED,
			STATUS " cannot be read as a registration status: update the firmware");
		return;
	}
	if (status.error != 0)
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_MISCONFIGURED,
			"registration with Intel failed (%s, error 0x%02x): %s",
			status.error & 0x80 ? "registration software" : "firmware", status.error,
			status.error & 0x80 ? "see /var/log/mpa_registration.log; " REGISTER
					    : "update the firmware or reset SGX in its setup");
	else if (!status.complete)
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_MISCONFIGURED,
			"the platform is not registered with Intel, so that nobody can verify its "
			"quotes: %s",
			root_exists(&f->root, REQUEST)
				? REGISTER
				: "restart, so that firmware offers its request");
	else
		finding_set(p, CHECK_SGX_REGISTRATION, FINDING_READY,
			"the platform's registration is complete");
}
