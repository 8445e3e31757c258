/* SPDX-License-Identifier: Apache-2.0
 *
 * What discovery reads. The first byte says as what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/platform/parse.h"
#include "nodeagent/platform/platform.h"
#include "nodeagent/platform/runtime_config.h"
#include "nodeagent/platform/simulate.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void inside(void *ctx, struct span s)
{
	const struct span *text = ctx;

	must(s.p >= text->p && s.p + s.len <= text->p + text->len);
	must(s.len == 0 || !memchr(s.p, '\n', s.len));
}

static void fuzz_config(struct span text)
{
	const struct runtime_config_found found = {inside, inside, &text};
	int r = runtime_config_scan(text, &found);

	must(r == 0 || r == -EBADMSG);
}

static void fuzz_cpuid(struct span text)
{
	struct cpuid_record *rec = NULL;
	struct cpuid_regs regs;
	struct error err = {0};
	int r = cpuid_record_parse(&rec, text.p, text.len, &err);

	must((r == 0) == (rec != NULL));
	must(r == 0 || (err.code == r && err.message[0]));
	if (rec)
		cpuid_recorded(rec, 7, 0, &regs);
	cpuid_record_free(rec);
}

static void fuzz_lines(struct span text)
{
	struct mount_flags m = {0};
	struct registration_status status;
	struct span rest = text, line;
	size_t seen = 0;
	uint64_t n;

	while (parse_line(&rest, &line)) {
		bool had = m.dev_seen;

		must(line.p >= text.p && line.p + line.len <= text.p + text.len);
		seen += line.len + 1;
		parse_mount(&m, line);
		must(m.dev_seen || !had);
		if (parse_has_flag(line, "sgx"))
			must(memchr(line.p, ':', line.len) != NULL);
		parse_is_flags(line);
		if (parse_u64(line, &n))
			must(line.len > 0);
	}
	must(seen == text.len || seen == text.len + 1);
	if (parse_misc(text, "sgx_epc", &n))
		must(memchr(text.p, '\n', text.len) != NULL);
	parse_on(text);
	if (parse_uevent(text))
		must(memmem(text.p, text.len, "SUBSYSTEM=m", 11) != NULL);
	if (parse_registration(text, &status))
		must(text.len == 11);
}

static void fuzz_simulation(struct span text)
{
	struct simulation s;
	struct error err = {0};
	char *copy = strndup(text.p, text.len);
	int r;

	if (!copy)
		return;
	r = simulation_parse(&s, copy, &err);
	must(r == 0 || (r == -EINVAL && err.code == r && err.message[0]));
	if (r == 0) {
		must(s.sgx || s.tdx_host || s.snp_host || s.tdx_guest || s.snp_guest);
		must(s.numa >= 1 && s.numa <= PLATFORM_NUMA_MAX && s.epc_bytes >= s.numa * 4096);
		must(s.tdx_slots >= 1 && s.tdx_slots <= SIMULATION_SLOTS_MAX);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(struct span) = {
		fuzz_config, fuzz_cpuid, fuzz_lines, fuzz_simulation};

	if (size < 1)
		return 0;
	targets[data[0] % 4]((struct span){(const char *)data + 1, size - 1});
	return 0;
}
