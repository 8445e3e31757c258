/* SPDX-License-Identifier: Apache-2.0
 *
 * CPUID of this processor, and a recorded one. */
#include <errno.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "common/base/cleanup.h"
#include "nodeagent/platform/parse.h"
#include "nodeagent/platform/platform.h"

enum {
	RECORD_TEXT_MAX = 256 << 10,
	RECORD_LEAVES_MAX = 512,
};

bool cpuid_native(void *ctx, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret)
{
	(void)ctx;
#if defined(__x86_64__) || defined(__i386__)
	struct cpuid_regs r = {0};

	if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx))
		return false;
	*ret = r;
	return true;
#else
	(void)leaf;
	(void)subleaf;
	(void)ret;
	return false;
#endif
}

struct cpuid_record {
	size_t n;
	struct {
		uint32_t leaf, subleaf;
		struct cpuid_regs regs;
	} leaves[RECORD_LEAVES_MAX];
};

static void skip_blanks(struct span *s)
{
	while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = (struct span){s->p + 1, s->len - 1};
}

/* One to eight hexadecimal digits ("0x" allowed) up to a blank, stop or the end. */
static bool hex(struct span *s, char stop, uint32_t *ret)
{
	uint32_t n = 0;
	size_t i = 0;

	skip_blanks(s);
	if (span_starts(*s, "0x"))
		*s = span_after(*s, "0x");
	for (; i < s->len && s->p[i] != ' ' && s->p[i] != '\t' && s->p[i] != stop; i++) {
		char c = s->p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : -1;

		c |= 0x20;
		if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		if (digit < 0 || i == 8)
			return false;
		n = n << 4 | (uint32_t)digit;
	}
	*s = (struct span){s->p + i, s->len - i};
	*ret = n;
	return i > 0;
}

static bool read_leaf(struct span s, uint32_t *leaf, uint32_t *subleaf, struct cpuid_regs *regs)
{
	if (!hex(&s, ':', leaf) || !hex(&s, ':', subleaf))
		return false;
	skip_blanks(&s);
	if (!span_starts(s, ":"))
		return false;
	s = span_after(s, ":");
	if (!hex(&s, '#', &regs->eax) || !hex(&s, '#', &regs->ebx) || !hex(&s, '#', &regs->ecx) ||
		!hex(&s, '#', &regs->edx))
		return false;
	skip_blanks(&s);
	return s.len == 0 || s.p[0] == '#';
}

static int add_line(struct cpuid_record *rec, struct span line, unsigned number, struct error *err)
{
	struct cpuid_regs regs, had;
	uint32_t leaf, subleaf;

	skip_blanks(&line);
	if (line.len == 0 || line.p[0] == '#')
		return 0;
	if (!read_leaf(line, &leaf, &subleaf, &regs))
		return error_set(err, -EBADMSG,
			"CPUID record, line %u: not \"LEAF SUBLEAF: EAX EBX ECX EDX\" in "
			"hexadecimal",
			number);
	if (cpuid_recorded(rec, leaf, subleaf, &had))
		return error_set(err, -EBADMSG,
			"CPUID record, line %u: leaf %x, subleaf %x is there already", number, leaf,
			subleaf);
	if (rec->n == RECORD_LEAVES_MAX)
		return error_set(err, -EBADMSG, "CPUID record, line %u: more than %d leaves",
			number, RECORD_LEAVES_MAX);
	rec->leaves[rec->n].leaf = leaf;
	rec->leaves[rec->n].subleaf = subleaf;
	rec->leaves[rec->n++].regs = regs;
	return 0;
}

DEFINE_CLEANUP(struct cpuid_record *, cpuid_record_free)

int cpuid_record_parse(struct cpuid_record **ret_r, const char *text, size_t len, struct error *err)
{
	_cleanup_(cpuid_record_free_p) struct cpuid_record *rec = NULL;
	struct span rest = {text, len}, line;

	if (len > RECORD_TEXT_MAX)
		return error_set(
			err, -EFBIG, "CPUID record: longer than %d bytes", RECORD_TEXT_MAX);
	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return error_oom(err);
	for (unsigned number = 1; parse_line(&rest, &line); number++) {
		int r = add_line(rec, line, number, err);

		if (r < 0)
			return r;
	}
	*ret_r = TAKE_PTR(rec);
	return 0;
}

bool cpuid_recorded(void *record, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *ret)
{
	const struct cpuid_record *rec = record;

	for (size_t i = 0; i < rec->n; i++)
		if (rec->leaves[i].leaf == leaf && rec->leaves[i].subleaf == subleaf) {
			*ret = rec->leaves[i].regs;
			return true;
		}
	return false;
}

void cpuid_record_free(struct cpuid_record *r)
{
	free(r);
}
