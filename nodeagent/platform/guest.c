/* SPDX-License-Identifier: Apache-2.0
 *
 * A node that is itself a confidential VM: processor flags, the drivers' device nodes and
 * configfs-tsm (Documentation/ABI/testing/configfs-tsm-report), through which it gets evidence. No
 * report entry is made here: whether a provider answers shows when evidence is asked for. */
#include <string.h>

#include "nodeagent/platform/discover.h"
#include "nodeagent/platform/parse.h"

#define TSM_REPORT "/sys/kernel/config/tsm/report"

static bool is_device(const struct facts *f, const char *path)
{
	struct stat st;

	return root_stat(&f->root, path, &st) == 0 && S_ISCHR(st.st_mode);
}

static bool cpuid_tdx_guest(const struct facts *f)
{
	struct cpuid_regs r;
	char name[12];

	/* leaf 21H: the name in EBX, EDX, ECX (Intel TDX Module ABI) */
	if (!facts_cpuid(f, 0x21, 0, &r))
		return false;
	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.edx, 4);
	memcpy(name + 8, &r.ecx, 4);
	return memcmp(name, "IntelTDX    ", sizeof(name)) == 0;
}

static void check_tdx_guest(struct platform *p, const struct facts *f, bool tsm)
{
	const char *device = is_device(f, "/dev/tdx_guest")    ? "/dev/tdx_guest"
			     : is_device(f, "/dev/tdx-attest") ? "/dev/tdx-attest"
							       : NULL;

	p->tdx_guest = f->flag_tdx_guest || cpuid_tdx_guest(f) || device;
	if (!p->tdx_guest)
		finding_set(p, CHECK_TDX_GUEST, FINDING_MISSING, "this node is no TDX guest");
	else if (!device && !tsm)
		finding_set(p, CHECK_TDX_GUEST, FINDING_MISCONFIGURED,
			"this node is a TDX guest without a way to evidence: load the module "
			"tdx_guest "
			"(kernel 6.7 or later) and mount configfs on /sys/kernel/config");
	else if (!tsm)
		finding_set(p, CHECK_TDX_GUEST, FINDING_MISCONFIGURED,
			"this node is a TDX guest with %s, but without " TSM_REPORT
			": use a kernel of 6.7 or later and mount configfs on /sys/kernel/config",
			device);
	else
		finding_set(p, CHECK_TDX_GUEST, FINDING_READY,
			"this node is a TDX guest; evidence comes through configfs-tsm");
}

static void check_snp_guest(struct platform *p, const struct facts *f, bool tsm)
{
	p->snp_guest = is_device(f, "/dev/sev-guest");
	if (!p->snp_guest)
		finding_set(p, CHECK_SNP_GUEST, FINDING_MISSING,
			"this node is no SEV-SNP guest, or the module sev-guest is not loaded (no "
			"/dev/sev-guest)");
	else if (!tsm)
		finding_set(p, CHECK_SNP_GUEST, FINDING_MISCONFIGURED,
			"this node is a SEV-SNP guest with /dev/sev-guest, but without " TSM_REPORT
			": use a kernel of 6.7 or later and mount configfs on /sys/kernel/config");
	else
		finding_set(p, CHECK_SNP_GUEST, FINDING_READY,
			"this node is a SEV-SNP guest; evidence comes through configfs-tsm");
}

/* Entries that others made tell which provider answers: "tdx_guest", "sev_guest". */
void discover_guests(struct platform *p, const struct facts *f)
{
	struct stat st;
	bool tsm = root_stat(&f->root, TSM_REPORT, &st) == 0 && S_ISDIR(st.st_mode);

	check_tdx_guest(p, f, tsm);
	check_snp_guest(p, f, tsm);
}
