/* SPDX-License-Identifier: Apache-2.0
 *
 * Enclave memory as bars: SVG, whose numbers are said in words as well. Requests are the pods' and
 * of no NUMA node, since the kernel takes pages wherever there are some; so the bars of the nodes
 * show how large each is. */
#include "nodeagent/status/format.h"
#include "nodeagent/status/page_private.h"

enum {
	BAR_UNITS = 1000, /* a bar's width */
	LABEL_MAX = 512,
};

/* part of whole, in units of a bar. */
static unsigned units(int64_t part, int64_t whole)
{
	if (part <= 0 || whole <= 0)
		return 0;
	return part >= whole ? BAR_UNITS : (unsigned)((double)part / (double)whole * BAR_UNITS);
}

static void rect(struct buf *b, const char *class, unsigned x, unsigned width)
{
	if (width)
		buf_printf(b, "<rect class=\"%s\" x=\"%u\" width=\"%u\" height=\"10\"/>", class, x,
			width);
}

static void amount(struct buf *b, const char *class, const char *name, int64_t bytes)
{
	buf_puts(b, "<div>");
	if (class)
		buf_printf(b, "<i class=\"%s\"></i>", class);
	buf_printf(b, "<dt>%s</dt><dd>", name);
	format_bytes(b, bytes);
	buf_puts(b, "</dd></div>\n");
}

static void in_words(struct buf *b, const struct status *s)
{
	format_bytes(b, (int64_t)s->platform->epc_bytes);
	buf_puts(b, " in all, ");
	format_bytes(b, s->epc.reserved);
	buf_puts(b, " reserved, ");
	format_bytes(b, s->epc.requested);
	buf_puts(b, " requested by pods, ");
	format_bytes(b, status_epc_free(s));
	buf_puts(b, " free");
}

static void whole_bar(struct buf *b, const struct status *s)
{
	int64_t total = (int64_t)s->platform->epc_bytes;
	unsigned reserved = units(s->epc.reserved, total);
	unsigned requested = units(s->epc.requested, total);

	requested = requested > BAR_UNITS - reserved ? BAR_UNITS - reserved : requested;
	buf_printf(b,
		"<svg class=\"bar\" viewBox=\"0 0 %d 10\" preserveAspectRatio=\"none\" "
		"role=\"img\" aria-label=\"",
		BAR_UNITS);
	in_words(b, s);
	buf_puts(b, "\">");
	rect(b, "free", 0, BAR_UNITS);
	rect(b, "reserved", 0, reserved);
	rect(b, "requested", reserved, requested);
	buf_puts(b, "</svg>\n");
}

static void by_numa(struct buf *b, const struct platform *p)
{
	uint64_t most = 1;

	for (size_t i = 0; i < p->n_epc; i++)
		most = p->epc[i].bytes > most ? p->epc[i].bytes : most;
	buf_puts(b, "<ul class=\"numa\">\n");
	for (size_t i = 0; i < p->n_epc; i++) {
		buf_printf(b,
			"<li><span>NUMA node %u</span> <svg class=\"bar\" viewBox=\"0 0 %d 10\" "
			"preserveAspectRatio=\"none\" aria-hidden=\"true\">",
			p->epc[i].numa, BAR_UNITS);
		rect(b, "numa", 0, units((int64_t)p->epc[i].bytes, (int64_t)most));
		buf_puts(b, "</svg> <span>");
		format_bytes(b, (int64_t)p->epc[i].bytes);
		buf_puts(b, "</span></li>\n");
	}
	buf_puts(b, "</ul>\n");
}

void page_epc(struct buf *b, const struct status *s)
{
	if (s->platform->epc_bytes == 0)
		return;
	buf_puts(
		b, "<section aria-labelledby=\"epc\">\n<h2 id=\"epc\">Enclave memory (EPC)</h2>\n");
	whole_bar(b, s);
	buf_puts(b, "<dl class=\"legend\">\n");
	amount(b, "reserved", "Reserved", s->epc.reserved);
	amount(b, "requested", "Requested by pods", s->epc.requested);
	amount(b, "free", "Free", status_epc_free(s));
	amount(b, NULL, "Total", (int64_t)s->platform->epc_bytes);
	buf_puts(b, "</dl>\n");
	if (s->platform->n_epc > 1)
		by_numa(b, s->platform);
	buf_puts(b, "</section>\n");
}
