/* SPDX-License-Identifier: Apache-2.0
 *
 * An SGX host: CPUID leaves 7 and 12H (Intel SDM volume 3D, chapter 38), the kernel's driver
 * (Documentation/arch/x86/sgx.rst) and what it makes, EPC by NUMA node
 * (Documentation/ABI/stable/sysfs-devices-node), AESM's socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/base/cleanup.h"
#include "nodeagent/platform/discover.h"
#include "nodeagent/platform/parse.h"

enum {
	EPC_SECTIONS_MAX = 32, /* subleaves of leaf 12H that are looked at */
	SMALL_MAX = 64,
};

static bool has_sgx(const struct platform *p)
{
	return finding_ready(p, CHECK_SGX_CPU);
}

static void check_cpu(struct platform *p, const struct facts *f)
{
	struct cpuid_regs leaf7 = {0}, leaf12 = {0};

	facts_cpuid(f, 7, 0, &leaf7);
	if (!(leaf7.ebx & 1u << 2)) {
		finding_set(p, CHECK_SGX_CPU, FINDING_MISSING,
			"the processor has no SGX, or firmware or a hypervisor hides it (CPUID 7.0 "
			"EBX "
			"bit 2)");
		return;
	}
	facts_cpuid(f, 0x12, 0, &leaf12);
	finding_set(p, CHECK_SGX_CPU, FINDING_READY, "the processor has SGX%s",
		leaf12.eax & 2 ? " with dynamic memory management (SGX2)" : "");
}

static uint64_t epc_by_cpuid(const struct facts *f)
{
	struct cpuid_regs r;
	uint64_t sum = 0;

	for (uint32_t i = 2; i < 2 + EPC_SECTIONS_MAX; i++) {
		if (!facts_cpuid(f, 0x12, i, &r) || (r.eax & 0xf) == 0)
			break;
		if ((r.eax & 0xf) == 1)
			sum += (uint64_t)(r.edx & 0xfffff) << 32 | (r.ecx & 0xfffff000);
	}
	return sum;
}

/* EPC by NUMA node as it is collected. */
struct numa_scan {
	const struct facts *f;
	struct platform *p;
	uint64_t sum; /* of all, those that do not fit into p as well */
};

static bool read_numa(void *ctx, const char *name)
{
	struct numa_scan *scan = ctx;
	struct platform *p = scan->p;
	char path[PLATFORM_PATH_MAX], buf[SMALL_MAX];
	uint64_t node, bytes;
	struct span text;

	if (!parse_numbered(name, "node", &node) || node > UINT16_MAX)
		return true;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/x86/sgx_total_bytes",
		(unsigned)node);
	if (root_read_span(&scan->f->root, path, buf, sizeof(buf), &text) < 0 ||
		!parse_u64(text, &bytes) || bytes == 0 ||
		__builtin_add_overflow(scan->sum, bytes, &scan->sum))
		return true;
	if (p->n_epc < PLATFORM_NUMA_MAX)
		p->epc[p->n_epc++] = (struct epc_section){.numa = (unsigned)node, .bytes = bytes};
	return true;
}

static int by_numa(const void *a, const void *b)
{
	const struct epc_section *x = a, *y = b;

	return x->numa < y->numa ? -1 : x->numa > y->numa;
}

static void check_epc(struct platform *p, const struct facts *f)
{
	struct numa_scan scan = {.f = f, .p = p};
	char by_cpu[BYTES_TEXT_MAX], by_kernel[BYTES_TEXT_MAX];

	p->epc_bytes = epc_by_cpuid(f);
	root_each_entry(&f->root, "/sys/devices/system/node", read_numa, &scan);
	qsort(p->epc, p->n_epc, sizeof(p->epc[0]), by_numa);
	bytes_text(by_cpu, p->epc_bytes);
	bytes_text(by_kernel, scan.sum);
	if (p->epc_bytes == 0 && scan.sum == 0) {
		finding_set(p, CHECK_SGX_EPC, FINDING_MISCONFIGURED,
			"SGX is off in firmware: the processor has it, and no EPC is set aside; "
			"enable "
			"SGX and give it memory (PRMRR size) in the firmware's setup, then "
			"restart");
	} else if (scan.sum == 0) {
		p->epc[0] = (struct epc_section){.bytes = p->epc_bytes};
		p->n_epc = 1;
		finding_set(p, CHECK_SGX_EPC, FINDING_READY,
			"%s of EPC; the kernel does not tell how it is spread over NUMA nodes",
			by_cpu);
	} else if (scan.sum != p->epc_bytes) {
		if (p->epc_bytes == 0)
			p->epc_bytes = scan.sum;
		finding_set(p, CHECK_SGX_EPC, FINDING_MISCONFIGURED,
			"CPUID tells of %s of EPC and the kernel of %s (sgx_total_bytes of its "
			"NUMA "
			"nodes): look for \"sgx:\" in the kernel's log",
			by_cpu, by_kernel);
	} else {
		finding_set(p, CHECK_SGX_EPC, FINDING_READY, "%s of EPC on %zu NUMA node%s", by_cpu,
			p->n_epc, p->n_epc == 1 ? "" : "s");
	}
}

static void check_launch_control(struct platform *p, const struct facts *f)
{
	struct cpuid_regs leaf7 = {0};

	facts_cpuid(f, 7, 0, &leaf7);
	if (!(leaf7.ecx & 1u << 30))
		finding_set(p, CHECK_SGX_LAUNCH_CONTROL, FINDING_MISCONFIGURED,
			"no flexible launch control (CPUID 7.0 ECX bit 30): the kernel's driver "
			"refuses "
			"this processor; use one that has it (server processors do), or a newer "
			"firmware");
	else if (f->cpuinfo && f->flag_sgx && !f->flag_sgx_lc)
		finding_set(p, CHECK_SGX_LAUNCH_CONTROL, FINDING_MISCONFIGURED,
			"launch control is locked by firmware (no sgx_lc in /proc/cpuinfo): set "
			"the "
			"firmware's \"SGX Launch Control Policy\" to Unlocked, then restart");
	else
		finding_set(p, CHECK_SGX_LAUNCH_CONTROL, FINDING_READY,
			"launch control is flexible: enclaves of any signer start");
}

struct config_scan {
	bool any, sgx;
};

static bool read_config(void *ctx, struct span line)
{
	struct config_scan *scan = ctx;

	scan->any = scan->any || span_starts(line, "CONFIG_");
	scan->sgx = span_is(line, "CONFIG_X86_SGX=y");
	return !scan->sgx;
}

/* Whether the kernel's configuration, where there is one, lacks the driver; path: which one. */
static bool driver_not_built(const struct facts *f, char path[PLATFORM_PATH_MAX])
{
	static const struct {
		const char *before, *after;
	} places[] = {{"/boot/config-", ""}, {"/lib/modules/", "/config"}};

	for (size_t i = 0; f->release[0] && i < ARRAY_SIZE(places); i++) {
		struct config_scan scan = {0};

		snprintf(path, PLATFORM_PATH_MAX, "%s%s%s", places[i].before, f->release,
			places[i].after);
		if (root_each_line(&f->root, path, read_config, &scan) == 0 &&
			(scan.any || scan.sgx))
			return !scan.sgx;
	}
	return false;
}

static bool booted_nosgx(const struct facts *f)
{
	char buf[4096];
	struct span text, line, word;

	if (root_read_span(&f->root, "/proc/cmdline", buf, sizeof(buf), &text) < 0 ||
		!parse_line(&text, &line))
		return false;
	while (parse_word(&line, ' ', &word))
		if (span_is(word, "nosgx"))
			return true;
	return false;
}

static void check_driver(struct platform *p, const struct facts *f)
{
	char path[PLATFORM_PATH_MAX];

	if (driver_not_built(f, path))
		finding_set(p, CHECK_SGX_DRIVER, FINDING_MISCONFIGURED,
			"the kernel %s has no SGX driver (CONFIG_X86_SGX is not set in %s): use "
			"one of "
			"5.11 or later that has it",
			f->release, path);
	else if (f->cpuinfo && !f->flag_sgx && booted_nosgx(f))
		finding_set(p, CHECK_SGX_DRIVER, FINDING_MISCONFIGURED,
			"the kernel was started with nosgx: remove it from the kernel's command "
			"line "
			"and restart");
	else if (f->cpuinfo && !f->flag_sgx)
		finding_set(p, CHECK_SGX_DRIVER, FINDING_MISCONFIGURED,
			"the kernel does not use SGX (no sgx among the flags of /proc/cpuinfo): it "
			"is "
			"older than 5.11, or firmware keeps SGX off or launch control locked; its "
			"log "
			"says why (dmesg | grep -i sgx)");
	else
		finding_set(p, CHECK_SGX_DRIVER, FINDING_READY, "the kernel %s%suses SGX",
			f->release, f->release[0] ? " " : "");
}

/* What users of containers need: container runtimes make the node anew with mode, user and group of
 * the host's. */
static void device_ready(
	struct platform *p, enum platform_check c, const char *path, const struct stat *st)
{
	unsigned mode = st->st_mode & 07777;

	if ((mode & 06) == 06)
		finding_set(p, c, FINDING_READY, "%s, mode %04o", path, mode);
	else if ((mode & 0600) == 0600)
		finding_set(p, c, FINDING_READY,
			"%s, mode %04o, user %u, group %u: containers that do not run as root need "
			"supplementalGroups: [%u]%s, or a udev rule with MODE=\"0666\"",
			path, mode, (unsigned)st->st_uid, (unsigned)st->st_gid,
			(unsigned)st->st_gid, (mode & 060) == 060 ? "" : " and a mode of 0660");
	else
		finding_set(p, c, FINDING_MISCONFIGURED,
			"%s has mode %04o, which nobody can read and write: chmod 0660 %s, and "
			"look for "
			"a udev rule that sets it",
			path, mode, path);
}

static void check_device(struct platform *p, const struct facts *f, enum platform_check c,
	const char *path, const char *out_of_tree, bool expected)
{
	struct stat st;
	int r = root_stat(&f->root, path, &st);

	if (r == 0 && S_ISCHR(st.st_mode) && !has_sgx(p))
		finding_set(p, c, FINDING_MISCONFIGURED,
			"%s is there, but the processor knows no SGX: it is not offered", path);
	else if (r == 0 && S_ISCHR(st.st_mode))
		device_ready(p, c, path, &st);
	else if (r == 0)
		finding_set(p, c, FINDING_MISCONFIGURED,
			"%s is no character device: remove it (rm -r %s) and run udevadm trigger "
			"-s misc",
			path, path);
	else if (r != -ENOENT)
		finding_set(p, c, FINDING_MISCONFIGURED, "%s cannot be looked at: %s", path,
			strerror(-r));
	else if (root_exists(&f->root, out_of_tree))
		finding_set(p, c, FINDING_MISCONFIGURED,
			"%s is not there; %s is of Intel's out-of-tree driver, which is not "
			"supported: "
			"remove it and use the kernel's own driver",
			path, out_of_tree);
	else if (expected)
		finding_set(p, c, FINDING_MISCONFIGURED,
			"%s is not there, though the kernel uses SGX: see what its log says (dmesg "
			"| "
			"grep -i sgx), and run udevadm trigger -s misc",
			path);
	else
		finding_set(p, c, FINDING_MISSING, "%s is not there", path);
}

static void check_devices(struct platform *p, const struct facts *f)
{
	static const char enclave[] = "/dev/sgx_enclave", provision[] = "/dev/sgx_provision";
	bool expected = has_sgx(p) && p->epc_bytes > 0 &&
			finding_ready(p, CHECK_SGX_LAUNCH_CONTROL) &&
			finding_ready(p, CHECK_SGX_DRIVER);

	check_device(p, f, CHECK_SGX_ENCLAVE_DEVICE, enclave, "/dev/isgx", expected);
	check_device(p, f, CHECK_SGX_PROVISION_DEVICE, provision, "/dev/sgx/provision",
		expected && finding_ready(p, CHECK_SGX_ENCLAVE_DEVICE));
	snprintf(p->enclave_device, sizeof(p->enclave_device), "%s", enclave);
	snprintf(p->provision_device, sizeof(p->provision_device), "%s", provision);
	p->enclave_ok = expected && finding_ready(p, CHECK_SGX_ENCLAVE_DEVICE);
	p->provision_ok = p->enclave_ok && finding_ready(p, CHECK_SGX_PROVISION_DEVICE);
}

static bool read_mount(void *ctx, struct span line)
{
	parse_mount(ctx, line);
	return true;
}

static bool dev_noexec(const struct facts *f)
{
	struct mount_flags m = {0};
	_cleanup_close_ int fd = -1;
	struct statvfs vfs;

	/* the host's view; another's (a container's, a hardened unit's) may differ */
	if (root_each_line(&f->root, "/proc/1/mountinfo", read_mount, &m) == 0)
		return parse_dev_noexec(&m);
	fd = root_open(&f->root, "/dev", O_PATH);
	return fd >= 0 && fstatvfs(fd, &vfs) == 0 && vfs.f_flag & ST_NOEXEC;
}

static void check_dev_exec(struct platform *p, const struct facts *f)
{
	if (dev_noexec(f))
		finding_set(p, CHECK_SGX_DEV_EXEC, FINDING_MISCONFIGURED,
			"/dev is mounted noexec: enclaves cannot be mapped by AESM, other programs "
			"of the "
			"host and pods with user namespaces; remount it: mount -o remount,exec "
			"/dev");
	else
		finding_set(p, CHECK_SGX_DEV_EXEC, FINDING_READY, "/dev is mounted with exec");
}

static void check_aesm(struct platform *p, const struct facts *f)
{
	const char *path = f->src->aesm_socket;
	int fd;

	if (!path || !path[0]) {
		finding_set(p, CHECK_SGX_AESM, FINDING_MISSING, "AESM is not asked for");
		return;
	}
	snprintf(p->aesm_socket, sizeof(p->aesm_socket), "%s", path);
	fd = strlen(path) < PLATFORM_PATH_MAX ? root_connect(&f->root, path) : -ENAMETOOLONG;
	p->aesm_ok = fd >= 0 || fd == -EAGAIN;
	if (fd >= 0) {
		close(fd);
		finding_set(p, CHECK_SGX_AESM, FINDING_READY, "AESM listens on %s", path);
	} else if (fd == -EAGAIN) {
		finding_set(p, CHECK_SGX_AESM, FINDING_READY,
			"AESM listens on %s and is busy: its queue of connections is full", path);
	} else if (fd == -ENOENT && root_folder_removed(&f->root, path)) {
		finding_set(p, CHECK_SGX_AESM, FINDING_MISCONFIGURED,
			"the folder of %s was removed, and this agent cannot see the one made in "
			"its place: delete the agent's pod, and set RuntimeDirectoryPreserve=yes "
			"in aesmd.service so that it stays",
			path);
	} else if (fd == -ENOENT || fd == -ENOTDIR) {
		finding_set(p, CHECK_SGX_AESM, FINDING_MISSING,
			"there is no %s: for quotes by AESM install and start aesmd (Intel's "
			"package "
			"sgx-aesm-service)",
			path);
	} else if (fd == -ECONNREFUSED) {
		finding_set(p, CHECK_SGX_AESM, FINDING_MISCONFIGURED,
			"nobody listens on %s: start aesmd (systemctl restart aesmd) and see "
			"journalctl "
			"-u aesmd",
			path);
	} else if (fd == -ENOTSOCK) {
		finding_set(p, CHECK_SGX_AESM, FINDING_MISCONFIGURED,
			"%s is no socket: remove it and restart aesmd", path);
	} else {
		finding_set(p, CHECK_SGX_AESM, FINDING_MISCONFIGURED, "%s: cannot connect: %s",
			path, strerror(-fd));
	}
}

static void check_cgroup(struct platform *p, const struct facts *f)
{
	uint64_t capacity = facts_misc(f, "sgx_epc");

	p->epc_cgroup = capacity > 0 && !f->misc_v1;
	if (p->epc_cgroup)
		finding_set(p, CHECK_SGX_CGROUP, FINDING_READY,
			"the kernel limits EPC by cgroup (sgx_epc in %s)", f->misc_path);
	else if (capacity > 0)
		finding_set(p, CHECK_SGX_CGROUP, FINDING_MISCONFIGURED,
			"the kernel could limit EPC by cgroup, but its misc controller is a "
			"hierarchy of "
			"cgroup v1, where containers have no folder: change the node to cgroup v2");
	else
		finding_set(p, CHECK_SGX_CGROUP, FINDING_MISSING,
			"the kernel does not limit EPC by cgroup (no sgx_epc in misc.capacity; "
			"upstream "
			"kernels have none): EPC of pods is counted, not enforced");
}

void discover_sgx(struct platform *p, const struct facts *f)
{
	static const enum platform_check dependent[] = {CHECK_SGX_EPC, CHECK_SGX_LAUNCH_CONTROL,
		CHECK_SGX_DRIVER, CHECK_SGX_DEV_EXEC, CHECK_SGX_AESM, CHECK_SGX_CGROUP};

	check_cpu(p, f);
	if (has_sgx(p)) {
		check_epc(p, f);
		check_launch_control(p, f);
		check_driver(p, f);
		check_dev_exec(p, f);
		check_aesm(p, f);
		check_cgroup(p, f);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(dependent); i++)
			finding_set(p, dependent[i], FINDING_MISSING, "the processor has no SGX");
	}
	check_devices(p, f);
}
