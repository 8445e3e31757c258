/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts that can start confidential VMs: KVM's parameters, how many VMs at once (misc.capacity),
 * and Kata's handlers in the container runtime's configuration. */
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "nodeagent/platform/discover.h"
#include "nodeagent/platform/parse.h"
#include "nodeagent/platform/runtime_config.h"

enum {
	SMALL_MAX = 64,
	HANDLER_MAX = 64,
	CONFIG_FILES_MAX = 64,
	IMPORT_DEPTH_MAX = 3,
};

enum parameter { PARAMETER_NONE, PARAMETER_OFF, PARAMETER_ON };

static enum parameter module_parameter(const struct facts *f, const char *path)
{
	char buf[SMALL_MAX];
	struct span text;

	if (root_read_span(&f->root, path, buf, sizeof(buf), &text) < 0)
		return PARAMETER_NONE;
	return parse_on(text) ? PARAMETER_ON : PARAMETER_OFF;
}

/* Kata's handlers, as they are found: the shortest name of each kind. */
struct kata {
	char name[HANDLER_MAX];
	char file[PLATFORM_PATH_MAX];
};

struct kata_scan {
	const struct facts *f;
	struct kata tdx, snp;
	unsigned files;                      /* looked at */
	unsigned depth;                      /* of imports */
	char broken_path[PLATFORM_PATH_MAX]; /* the first file that is no TOML */
};

/* One file of the scan, or a folder whose files are read. */
struct kata_file {
	struct kata_scan *scan;
	const char *path;
	const char *pattern; /* folder: which names */
};

/* "kata-qemu-tdx", "kata-tdx-2", "kata-qemu-nvidia-gpu-snp": Kata's, and kind among the parts. */
static bool kata_is(struct span name, const char *kind)
{
	struct span part;

	if (!span_starts(name, "kata-") || name.len >= HANDLER_MAX)
		return false;
	/* it is shown to people */
	for (size_t i = 0; i < name.len; i++)
		if (!isgraph((unsigned char)name.p[i]))
			return false;
	while (parse_word(&name, '-', &part))
		if (span_is(part, kind))
			return true;
	return false;
}

static void note_kata(struct kata *k, const char *kind, struct span name, const char *file)
{
	if (!kata_is(name, kind) || (k->name[0] && name.len >= strlen(k->name)))
		return;
	snprintf(k->name, sizeof(k->name), SPAN_FMT, SPAN_ARG(name));
	snprintf(k->file, sizeof(k->file), "%s", file);
}

static void on_handler(void *ctx, struct span name)
{
	struct kata_file *file = ctx;

	note_kata(&file->scan->tdx, "tdx", name, file->path);
	note_kata(&file->scan->snp, "snp", name, file->path);
}

static void scan_pattern(struct kata_scan *scan, const char *pattern);

static void on_import(void *ctx, struct span pattern)
{
	struct kata_file *file = ctx;
	struct kata_scan *scan = file->scan;
	char path[PLATFORM_PATH_MAX];
	const char *slash = strrchr(file->path, '/');
	int folder = span_starts(pattern, "/") ? 0 : (int)(slash - file->path) + 1;
	int n;

	if (scan->depth >= IMPORT_DEPTH_MAX || memchr(pattern.p, '\0', pattern.len))
		return;
	n = snprintf(path, sizeof(path), "%.*s" SPAN_FMT, folder, file->path, SPAN_ARG(pattern));
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	scan->depth++;
	scan_pattern(scan, path);
	scan->depth--;
}

static void scan_file(struct kata_scan *scan, const char *path)
{
	struct kata_file file = {.scan = scan, .path = path};
	const struct runtime_config_found found = {on_handler, on_import, &file};
	_cleanup_free_ char *buf = NULL;
	struct span text;
	struct stat st;

	if (scan->files >= CONFIG_FILES_MAX || root_stat(&scan->f->root, path, &st) < 0 ||
		!S_ISREG(st.st_mode) || st.st_size < 0 || st.st_size > RUNTIME_CONFIG_MAX)
		return;
	scan->files++;
	buf = malloc((size_t)st.st_size + 2);
	if (!buf || root_read_span(&scan->f->root, path, buf, (size_t)st.st_size + 2, &text) < 0)
		return;
	if (runtime_config_scan(text, &found) < 0 && !scan->broken_path[0])
		snprintf(scan->broken_path, sizeof(scan->broken_path), "%s", path);
}

static bool on_entry(void *ctx, const char *name)
{
	const struct kata_file *folder = ctx;
	char path[PLATFORM_PATH_MAX];

	if (fnmatch(folder->pattern, name, FNM_PERIOD) == 0 &&
		(size_t)snprintf(path, sizeof(path), "%s/%s", folder->path, name) < sizeof(path))
		scan_file(folder->scan, path);
	return folder->scan->files < CONFIG_FILES_MAX;
}

/* A file, or all of a folder whose name matches: "/etc/containerd/conf.d/" and "*.toml". */
static void scan_pattern(struct kata_scan *scan, const char *pattern)
{
	char folder[PLATFORM_PATH_MAX];
	const char *slash = strrchr(pattern, '/');
	struct kata_file dir = {.scan = scan, .path = folder};

	if (!strpbrk(slash, "*?[")) {
		scan_file(scan, pattern);
		return;
	}
	dir.pattern = slash + 1;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - pattern), pattern);
	root_each_entry(&scan->f->root, folder, on_entry, &dir);
}

static void scan_runtimes(struct kata_scan *scan)
{
	/* containerd, as such and in distributions of Kubernetes; CRI-O. */
	static const char *const places[] = {
		"/etc/containerd/config.toml",
		"/etc/containerd/conf.d/*.toml",
		"/etc/crio/crio.conf",
		"/etc/crio/crio.conf.d/*",
		"/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
		"/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
		"/etc/k0s/containerd.d/*.toml",
		"/var/snap/microk8s/current/args/containerd.toml",
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		scan_pattern(scan, places[i]);
}

static void check_kata(struct platform *p, enum platform_check c, const struct kata_scan *scan,
	const struct kata *k, const char *kind, bool host)
{
	if (k->name[0])
		finding_set(p, c, FINDING_READY, "handler %s in %s", k->name, k->file);
	else if (host && scan->broken_path[0])
		finding_set(p, c, FINDING_MISCONFIGURED,
			"no Kata handler for %s was found, and %s is no valid TOML", kind,
			scan->broken_path);
	else if (host && scan->files == 0)
		finding_set(p, c, FINDING_MISCONFIGURED,
			"the configuration of the container runtime is not to be seen "
			"(/etc/containerd/config.toml, /etc/crio): let the agent read it");
	else if (host)
		finding_set(p, c, FINDING_MISCONFIGURED,
			"the container runtime has no Kata handler for %s (kata-qemu-%s): install "
			"Kata "
			"Containers (kata-deploy) with it",
			kind, kind);
	else
		finding_set(p, c, FINDING_MISSING, "no Kata handler for %s", kind);
}

static void check_tdx_host(struct platform *p, const struct facts *f)
{
	enum parameter tdx = module_parameter(f, "/sys/module/kvm_intel/parameters/tdx");

	p->tdx_keys = facts_misc(f, "tdx");
	if (tdx == PARAMETER_ON && p->tdx_keys > 0)
		finding_set(p, CHECK_TDX_HOST, FINDING_READY, "starts TDX guests, %llu at once",
			(unsigned long long)p->tdx_keys);
	else if (tdx == PARAMETER_ON)
		finding_set(p, CHECK_TDX_HOST, FINDING_READY,
			"starts TDX guests; the kernel does not tell how many at once");
	else if (f->flag_tdx_host)
		finding_set(p, CHECK_TDX_HOST, FINDING_MISCONFIGURED,
			"TDX is on in firmware and KVM does not use it: %s",
			tdx == PARAMETER_OFF
				? "load kvm_intel with tdx=1 (kvm_intel.tdx=1 on the kernel's "
				  "command "
				  "line) and see what its log says (dmesg | grep -i tdx)"
				: "load the module kvm_intel of a kernel of 6.16 or later");
	else
		finding_set(p, CHECK_TDX_HOST, FINDING_MISSING,
			"no TDX host: the processor has no TDX, or it is off in firmware or in the "
			"kernel (no tdx_host_platform in /proc/cpuinfo)");
}

static void check_snp_host(struct platform *p, const struct facts *f)
{
	enum parameter snp = module_parameter(f, "/sys/module/kvm_amd/parameters/sev_snp");
	struct cpuid_regs r = {0};
	struct stat st;

	/* the ASIDs of SEV-ES guests are those of SNP guests */
	p->snp_asids = facts_misc(f, "sev_es");
	facts_cpuid(f, 0x8000001f, 0, &r);
	if (snp == PARAMETER_ON && root_stat(&f->root, "/dev/sev", &st) < 0)
		finding_set(p, CHECK_SNP_HOST, FINDING_MISCONFIGURED,
			"KVM has SEV-SNP on, and /dev/sev is not there: load the module ccp");
	else if (snp == PARAMETER_ON && p->snp_asids > 0)
		finding_set(p, CHECK_SNP_HOST, FINDING_READY, "starts SEV-SNP guests, %llu at once",
			(unsigned long long)p->snp_asids);
	else if (snp == PARAMETER_ON)
		finding_set(p, CHECK_SNP_HOST, FINDING_READY,
			"starts SEV-SNP guests; the kernel does not tell how many at once");
	else if (r.eax & 1u << 4 && f->cpuinfo && !f->flag_hypervisor)
		finding_set(p, CHECK_SNP_HOST, FINDING_MISCONFIGURED,
			"the processor has SEV-SNP and KVM does not use it: %s",
			snp == PARAMETER_OFF
				? "enable SEV-SNP, its RMP table and IOMMU in firmware, and load "
				  "kvm_amd "
				  "with sev=1 sev_es=1 sev_snp=1; the kernel's log says what is "
				  "missing "
				  "(dmesg | grep -i sev)"
				: "load the module kvm_amd of a kernel of 6.11 or later");
	else
		finding_set(p, CHECK_SNP_HOST, FINDING_MISSING,
			"no SEV-SNP host: the processor has none, or it is off in firmware, or "
			"this is a "
			"virtual machine");
}

void discover_cvm_hosts(struct platform *p, const struct facts *f)
{
	struct kata_scan scan = {.f = f};

	check_tdx_host(p, f);
	check_snp_host(p, f);
	scan_runtimes(&scan);
	p->tdx_host = finding_ready(p, CHECK_TDX_HOST);
	p->snp_host = finding_ready(p, CHECK_SNP_HOST);
	check_kata(p, CHECK_KATA_TDX, &scan, &scan.tdx, "tdx", p->tdx_host);
	check_kata(p, CHECK_KATA_SNP, &scan, &scan.snp, "snp", p->snp_host);
	p->tdx_host = p->tdx_host && finding_ready(p, CHECK_KATA_TDX);
	p->snp_host = p->snp_host && finding_ready(p, CHECK_KATA_SNP);
}
