/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/platform.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "nodeagent/platform/discover.h"
#include "nodeagent/platform/parse.h"

static const char *const state_names[FINDING_STATE_N] = {"Ready", "Missing", "Misconfigured"};

static const char *const check_names[PLATFORM_CHECK_N] = {
#define X(name, text) text,
	PLATFORM_CHECKS(X)
#undef X
};

const char *finding_state_name(enum finding_state s)
{
	return state_names[s];
}

const char *platform_check_name(enum platform_check c)
{
	return check_names[c];
}

void finding_set(
	struct platform *p, enum platform_check c, enum finding_state s, const char *fmt, ...)
{
	va_list ap;

	p->findings[c].state = s;
	va_start(ap, fmt);
	vsnprintf(p->findings[c].message, sizeof(p->findings[c].message), fmt, ap);
	va_end(ap);
}

bool finding_ready(const struct platform *p, enum platform_check c)
{
	return p->findings[c].state == FINDING_READY;
}

bool facts_cpuid(const struct facts *f, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret)
{
	return f->src->cpuid && f->src->cpuid(f->src->cpuid_ctx, leaf, subleaf, ret);
}

uint64_t facts_misc(const struct facts *f, const char *name)
{
	uint64_t n = 0;

	return parse_misc(f->misc, name, &n) ? n : 0;
}

const char *bytes_text(char out[BYTES_TEXT_MAX], uint64_t bytes)
{
	static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi"};
	size_t u = 0;

	for (; bytes > 0 && bytes % 1024 == 0 && u + 1 < ARRAY_SIZE(units); u++)
		bytes /= 1024;
	snprintf(out, BYTES_TEXT_MAX, "%llu%s", (unsigned long long)bytes, units[u]);
	return out;
}

/* The flags of the first processor speak for all. */
static bool read_flags(void *ctx, struct span line)
{
	struct facts *f = ctx;

	if (!parse_is_flags(line))
		return true;
	f->cpuinfo = true;
	f->flag_sgx = parse_has_flag(line, "sgx");
	f->flag_sgx_lc = parse_has_flag(line, "sgx_lc");
	f->flag_tdx_host = parse_has_flag(line, "tdx_host_platform");
	f->flag_tdx_guest = parse_has_flag(line, "tdx_guest");
	f->flag_hypervisor = parse_has_flag(line, "hypervisor");
	return false;
}

static void read_release(struct facts *f)
{
	struct span text, line;

	if (root_read_span(&f->root, "/proc/sys/kernel/osrelease", f->release, sizeof(f->release),
		    &text) < 0 ||
		!parse_line(&text, &line))
		line = SPAN_NONE;
	/* it becomes part of a path, and is shown to people */
	for (size_t i = 0; i < line.len; i++)
		if (!isgraph((unsigned char)line.p[i]) || line.p[i] == '/')
			line = SPAN_NONE;
	f->release[line.len] = '\0';
}

static void read_misc(struct facts *f)
{
	static const struct {
		const char *path;
		bool v1;
	} places[] = {
		{"/sys/fs/cgroup/misc.capacity", false},
		{"/sys/fs/cgroup/unified/misc.capacity", false},
		{"/sys/fs/cgroup/misc/misc.capacity", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (root_read_span(&f->root, places[i].path, f->misc_text, sizeof(f->misc_text),
			    &f->misc) < 0)
			continue;
		f->misc_path = places[i].path;
		f->misc_v1 = places[i].v1;
		return;
	}
}

void platform_discover(struct platform *ret_p, const struct platform_source *src)
{
	struct facts f = {.src = src};
	int r = root_init(&f.root, src->sysroot);

	*ret_p = (struct platform){0};
	if (r < 0) {
		for (size_t c = 0; c < PLATFORM_CHECK_N; c++)
			finding_set(ret_p, (enum platform_check)c, FINDING_MISSING,
				"nothing is known: %s cannot be opened: %s", src->sysroot,
				strerror(-r));
		return;
	}
	root_each_line(&f.root, "/proc/cpuinfo", read_flags, &f);
	read_release(&f);
	read_misc(&f);
	discover_sgx(ret_p, &f);
	discover_sgx_registration(ret_p, &f);
	discover_cvm_hosts(ret_p, &f);
	discover_guests(ret_p, &f);
	root_done(&f.root);
}
