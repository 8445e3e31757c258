/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/simulate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/base/cleanup.h"
#include "common/base/quantity.h"
#include "nodeagent/platform/discover.h"
#include "nodeagent/platform/parse.h"

enum {
	TEXT_MAX = 256,
	SHOWN_MAX = 48, /* characters of the text in a message */
	EPC_PAGE = 4096,
};

#define FORMS                                                                                      \
	"\"sgx:epc=128Mi,numa=2,aesm\", \"tdx-host:slots=16\", \"snp-host:slots=16\", "            \
	"\"tdx-guest\" or \"snp-guest\", several with '+'"

static int bad(struct error *err, struct span what, const char *why)
{
	return error_set(err, -EINVAL, "simulate: '%.*s' %s",
		(int)(what.len < SHOWN_MAX ? what.len : SHOWN_MAX), what.p ? what.p : "", why);
}

/* What has been said already, so that nothing is said twice. */
struct seen {
	bool epc, numa, aesm, tdx_slots, snp_slots;
};

static bool twice(bool *seen)
{
	bool was = *seen;

	*seen = true;
	return was;
}

static int read_epc(struct simulation *s, struct span option, struct span value, struct error *err)
{
	struct quantity q;
	int64_t n;

	if (quantity_parse(&q, value, NULL) < 0 || quantity_int64(q, &n) < 0 || n <= 0 ||
		n % EPC_PAGE != 0)
		return bad(err, option,
			"is no amount of EPC: give whole pages of 4Ki, as in epc=128Mi");
	s->epc_bytes = (uint64_t)n;
	return 0;
}

static int sgx_option(
	struct simulation *s, struct seen *seen, struct span option, struct error *err)
{
	struct span epc = span_after(option, "epc="), numa = span_after(option, "numa=");
	uint64_t n;

	if (epc.p && !twice(&seen->epc))
		return read_epc(s, option, epc, err);
	if (numa.p && !twice(&seen->numa)) {
		if (!parse_u64(numa, &n) || n == 0 || n > PLATFORM_NUMA_MAX)
			return bad(err, option, "is no number of NUMA nodes: 1 to 64");
		s->numa = (unsigned)n;
		return 0;
	}
	if (span_is(option, "aesm") && !twice(&seen->aesm)) {
		s->aesm = true;
		return 0;
	}
	return bad(err, option,
		epc.p || numa.p || span_is(option, "aesm")
			? "is given twice"
			: "is no option of sgx: epc=128Mi, numa=2, aesm");
}

static int host_option(uint64_t *slots, bool *seen, struct span option, struct error *err)
{
	struct span value = span_after(option, "slots=");

	if (!value.p)
		return bad(err, option, "is no option of a host: slots=16");
	if (twice(seen))
		return bad(err, option, "is given twice");
	if (!parse_u64(value, slots) || *slots == 0 || *slots > SIMULATION_SLOTS_MAX)
		return bad(err, option, "is no number of confidential VMs: 1 to 4096");
	return 0;
}

static int no_option(struct span option, struct error *err)
{
	return bad(err, option, "stands behind a guest, which has no options");
}

/* The options behind a kind's name, separated by ','. */
static int read_options(struct simulation *s, struct seen *seen, const bool *kind,
	struct span options, struct error *err)
{
	struct span option;
	int r = 0;

	if (options.len > 0 && options.p[options.len - 1] == ',')
		return bad(err, options, "ends with a comma");
	while (r == 0 && parse_word(&options, ',', &option)) {
		if (kind == &s->sgx)
			r = sgx_option(s, seen, option, err);
		else if (kind == &s->tdx_host)
			r = host_option(&s->tdx_slots, &seen->tdx_slots, option, err);
		else if (kind == &s->snp_host)
			r = host_option(&s->snp_slots, &seen->snp_slots, option, err);
		else
			r = no_option(option, err);
	}
	return r;
}

static int read_kind(struct simulation *s, struct seen *seen, struct span text, struct error *err)
{
	struct {
		const char *name;
		bool *kind;
	} kinds[] = {
		{"sgx", &s->sgx},
		{"tdx-host", &s->tdx_host},
		{"snp-host", &s->snp_host},
		{"tdx-guest", &s->tdx_guest},
		{"snp-guest", &s->snp_guest},
	};
	size_t end = 0;
	struct span name;

	while (end < text.len && text.p[end] != ':' && text.p[end] != ',')
		end++;
	name = (struct span){text.p, end};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct span options = {text.p + end, text.len - end};

		if (!span_is(name, kinds[i].name))
			continue;
		if (twice(kinds[i].kind))
			return bad(err, name, "is given twice");
		if (options.len == 1)
			return bad(err, text, "ends where an option should stand");
		if (options.len > 0)
			options = (struct span){options.p + 1, options.len - 1};
		return read_options(s, seen, kinds[i].kind, options, err);
	}
	return bad(err, name, "is no platform: " FORMS);
}

int simulation_parse(struct simulation *ret_s, const char *text, struct error *err)
{
	struct simulation s = {
		.epc_bytes = SIMULATION_EPC_DEFAULT,
		.numa = 1,
		.tdx_slots = SIMULATION_SLOTS_DEFAULT,
		.snp_slots = SIMULATION_SLOTS_DEFAULT,
	};
	struct seen seen = {0};
	struct span rest = span_str(text), kind;

	if (rest.len == 0 || rest.len > TEXT_MAX)
		return error_set(err, -EINVAL, "simulate: %s; give " FORMS,
			rest.len == 0 ? "nothing is named" : "too long");
	if (rest.p[rest.len - 1] == '+')
		return bad(err, rest, "ends where a platform should stand");
	while (parse_word(&rest, '+', &kind)) {
		int r = read_kind(&s, &seen, kind, err);

		if (r < 0)
			return r;
	}
	if (s.epc_bytes / EPC_PAGE < s.numa)
		return error_set(err, -EINVAL,
			"simulate: less than a page of EPC for each of %u NUMA nodes: raise epc",
			s.numa);
	*ret_s = s;
	return 0;
}

/* Whether dir/name is the node we would make. */
static bool good_node(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(1, 3) && (st.st_mode & 07777) == 0666;
}

/* Beside its place first and then over it, so that the place is never empty. */
static int make_node(int dir, const char *name, struct error *err)
{
	char temp[64];

	if (good_node(dir, name))
		return 0;
	snprintf(temp, sizeof(temp), ".%s.new", name);
	unlinkat(dir, temp, 0);
	if (mknodat(dir, temp, S_IFCHR | 0666, makedev(1, 3)) < 0) {
		int r = -errno;

		if (r == -EPERM)
			return error_set(err, r,
				"may not be made: a simulated platform needs root and CAP_MKNOD "
				"(capabilities.add: [MKNOD] of the agent's container)");
		return error_set(err, r, "cannot be made: %s", strerror(-r));
	}
	/* the umask has taken its part of the mode */
	if (fchmodat(dir, temp, 0666, 0) < 0 || renameat(dir, temp, dir, name) < 0) {
		int r = -errno;

		unlinkat(dir, temp, 0);
		return error_set(err, r, "cannot be put in place: %s%s", strerror(-r),
			r == -EISDIR ? "; remove it" : "");
	}
	return 0;
}

/* The folder path, with those above it. */
static int make_folder(const char *path, struct error *err)
{
	char step[PLATFORM_PATH_MAX];

	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(step, sizeof(step), "%.*s", (int)i, path);
		if (mkdir(step, 0755) < 0 && errno != EEXIST) {
			int r = -errno;

			return error_set(
				err, r, "%s: cannot make this folder: %s", step, strerror(-r));
		}
	}
	return 0;
}

static int make_devices(const char *host_dir, struct error *err)
{
	static const char *const nodes[] = {"sgx_enclave", "sgx_provision"};
	_cleanup_close_ int dir = -1;
	char folder[PLATFORM_PATH_MAX];
	int r;

	snprintf(folder, sizeof(folder), "%s/dev", host_dir);
	r = make_folder(folder, err);
	if (r < 0)
		return r;
	dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0) {
		r = -errno;
		return error_set(
			err, r, "%s: cannot be opened as a folder: %s", folder, strerror(-r));
	}
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		r = make_node(dir, nodes[i], err);
		if (r < 0)
			return error_prefix(err, r, "%s/%s", folder, nodes[i]);
	}
	return 0;
}

static void spread_epc(const struct simulation *s, struct platform *p)
{
	uint64_t pages = s->epc_bytes / EPC_PAGE;

	p->epc_bytes = s->epc_bytes;
	p->n_epc = s->numa;
	for (unsigned i = 0; i < s->numa; i++)
		p->epc[i] = (struct epc_section){
			.numa = i,
			.bytes = (pages / s->numa + (i < pages % s->numa)) * EPC_PAGE,
		};
}

static void describe_sgx(const struct simulation *s, const char *host_dir, struct platform *p)
{
	char epc[BYTES_TEXT_MAX];

	spread_epc(s, p);
	p->enclave_ok = p->provision_ok = true;
	p->aesm_ok = s->aesm;
	snprintf(p->enclave_device, sizeof(p->enclave_device), "%s/dev/sgx_enclave", host_dir);
	snprintf(
		p->provision_device, sizeof(p->provision_device), "%s/dev/sgx_provision", host_dir);
	finding_set(p, CHECK_SGX_CPU, FINDING_READY, "simulated: the processor has SGX");
	finding_set(p, CHECK_SGX_EPC, FINDING_READY, "simulated: %s of EPC on %u NUMA node%s",
		bytes_text(epc, s->epc_bytes), s->numa, s->numa == 1 ? "" : "s");
	finding_set(p, CHECK_SGX_LAUNCH_CONTROL, FINDING_READY,
		"simulated: launch control is flexible");
	finding_set(p, CHECK_SGX_DRIVER, FINDING_READY, "simulated: the kernel uses SGX");
	finding_set(p, CHECK_SGX_ENCLAVE_DEVICE, FINDING_READY, "simulated: %s", p->enclave_device);
	finding_set(
		p, CHECK_SGX_PROVISION_DEVICE, FINDING_READY, "simulated: %s", p->provision_device);
	finding_set(p, CHECK_SGX_DEV_EXEC, FINDING_READY, "simulated: /dev is mounted with exec");
	finding_set(p, CHECK_SGX_REGISTRATION, FINDING_READY, "simulated: nothing to register");
	if (!s->aesm)
		return;
	snprintf(p->aesm_socket, sizeof(p->aesm_socket), "%s" SIMULATION_AESM_SOCKET, host_dir);
	finding_set(p, CHECK_SGX_AESM, FINDING_READY, "simulated: AESM on %s", p->aesm_socket);
}

static void describe_cvms(const struct simulation *s, struct platform *p)
{
	p->tdx_host = s->tdx_host;
	p->snp_host = s->snp_host;
	p->tdx_guest = s->tdx_guest;
	p->snp_guest = s->snp_guest;
	p->tdx_keys = s->tdx_host ? s->tdx_slots : 0;
	p->snp_asids = s->snp_host ? s->snp_slots : 0;
	if (s->tdx_host) {
		finding_set(p, CHECK_TDX_HOST, FINDING_READY,
			"simulated: starts TDX guests, %llu at once",
			(unsigned long long)s->tdx_slots);
		finding_set(p, CHECK_KATA_TDX, FINDING_READY, "simulated: handler kata-qemu-tdx");
	}
	if (s->snp_host) {
		finding_set(p, CHECK_SNP_HOST, FINDING_READY,
			"simulated: starts SEV-SNP guests, %llu at once",
			(unsigned long long)s->snp_slots);
		finding_set(p, CHECK_KATA_SNP, FINDING_READY, "simulated: handler kata-qemu-snp");
	}
	if (s->tdx_guest)
		finding_set(
			p, CHECK_TDX_GUEST, FINDING_READY, "simulated: this node is a TDX guest");
	if (s->snp_guest)
		finding_set(p, CHECK_SNP_GUEST, FINDING_READY,
			"simulated: this node is a SEV-SNP guest");
}

/* A node that somebody took away, as a driver that is unloaded takes it. */
static void check_devices(struct platform *p, const char *host_dir)
{
	const struct {
		enum platform_check check;
		const char *name;
		bool *ok;
	} nodes[] = {
		{CHECK_SGX_PROVISION_DEVICE, "dev/sgx_provision", &p->provision_ok},
		{CHECK_SGX_ENCLAVE_DEVICE, "dev/sgx_enclave", &p->enclave_ok},
	};
	_cleanup_close_ int dir = open(host_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (dir >= 0 && good_node(dir, nodes[i].name))
			continue;
		*nodes[i].ok = false;
		finding_set(p, nodes[i].check, FINDING_MISSING,
			"simulated: %s/%s is gone: restart the agent, which makes it again",
			host_dir, nodes[i].name);
	}
	p->provision_ok = p->provision_ok && p->enclave_ok;
}

void simulation_discover(const struct simulation *s, const char *host_dir, struct platform *ret_p)
{
	struct platform p = {.simulated = true};

	for (size_t c = 0; c < PLATFORM_CHECK_N; c++)
		finding_set(&p, (enum platform_check)c, FINDING_MISSING,
			"not part of what is simulated");
	if (s->sgx) {
		describe_sgx(s, host_dir, &p);
		check_devices(&p, host_dir);
	}
	describe_cvms(s, &p);
	*ret_p = p;
}

int simulation_make(const struct simulation *s, const char *host_dir, struct error *err)
{
	char folder[PLATFORM_PATH_MAX];
	int r;

	/* the longest name below it must fit as well */
	if (host_dir[0] != '/' ||
		strlen(host_dir) + sizeof(SIMULATION_AESM_SOCKET) > PLATFORM_PATH_MAX)
		return error_set(err, -EINVAL,
			"simulation folder '%.64s': give an absolute path of at most %zu "
			"characters",
			host_dir, PLATFORM_PATH_MAX - sizeof(SIMULATION_AESM_SOCKET));
	if (!s->sgx)
		return 0;
	r = make_devices(host_dir, err);
	if (r < 0 || !s->aesm)
		return r;
	snprintf(folder, sizeof(folder), "%s" SIMULATION_AESM_DIR, host_dir);
	return make_folder(folder, err);
}
