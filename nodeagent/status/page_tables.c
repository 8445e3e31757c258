/* SPDX-License-Identifier: Apache-2.0
 *
 * The node page's tables. Roles are spelled out, since the styles that make blocks of rows on a
 * phone would take them from a table. */
#include "nodeagent/status/format.h"
#include "nodeagent/status/page_private.h"

enum { IDS_SHOWN = 4 /* of a container's devices of a resource */ };

static void table_open(
	struct buf *b, const char *class, const char *caption, const char *const columns[3])
{
	buf_printf(b,
		"<table class=\"%s\" role=\"table\">\n<caption>%s</caption>\n"
		"<thead role=\"rowgroup\"><tr role=\"row\">",
		class, caption);
	for (size_t i = 0; i < 3; i++)
		buf_printf(b, "<th scope=\"col\" role=\"columnheader\">%s</th>", columns[i]);
	buf_puts(b, "</tr></thead>\n<tbody role=\"rowgroup\">\n");
}

static void table_close(struct buf *b)
{
	buf_puts(b, "</tbody>\n</table>\n");
}

static void row_open(struct buf *b)
{
	buf_puts(b, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
}

/* Ends the row's header, or the cell before. On a phone the label stands beside the content. */
static void cell_open(struct buf *b, const char *end, const char *label)
{
	buf_printf(b, "%s<td role=\"cell\" data-label=\"%s\"><div>", end, label);
}
#define END_HEADER "</th>"
#define END_CELL   "</div></td>"

static void row_close(struct buf *b)
{
	buf_puts(b, END_CELL "</tr>\n");
}

static void count_healthy(struct buf *b, const struct plugin_info *p)
{
	if (p->devices == 0)
		buf_puts(b, "none");
	else if (p->healthy == p->devices)
		buf_printf(b, "all %u", p->devices);
	else
		buf_printf(b, "<span class=\"badge bad\">%u of %u</span>", p->healthy, p->devices);
}

void page_devices(struct buf *b, const struct status *s)
{
	static const char *const columns[] = {"Resource", "Healthy", "Kubelet"};

	if (s->n_plugins == 0)
		return;
	buf_puts(b, "<section>\n");
	table_open(b, "devices", "Devices", columns);
	for (size_t i = 0; i < s->n_plugins; i++) {
		const struct plugin_info *p = &s->plugins[i];

		row_open(b);
		page_text(b, p->resource);
		cell_open(b, END_HEADER, columns[1]);
		count_healthy(b, p);
		cell_open(b, END_CELL, columns[2]);
		page_badge(b, status_plugin_name(p->state));
		if (*p->problem) {
			buf_puts(b, "<p class=\"small\">");
			page_text(b, p->problem);
			buf_puts(b, "</p>");
		}
		row_close(b);
	}
	table_close(b);
	buf_puts(b, "</section>\n");
}

static void devices_of(struct buf *b, const struct status_devices *d)
{
	buf_puts(b, "<p>");
	page_text(b, d->resource);
	buf_puts(b, "<br><span class=\"ids\">");
	for (size_t i = 0; i < d->n_ids && i < IDS_SHOWN; i++) {
		buf_puts(b, i ? ", " : "");
		page_text(b, d->ids[i]);
	}
	if (d->n_ids > IDS_SHOWN)
		buf_printf(b, " and %zu more", d->n_ids - IDS_SHOWN);
	buf_puts(b, "</span></p>");
}

static void pod_row(struct buf *b, const struct status_container *c)
{
	row_open(b);
	page_text(b, c->namespace_);
	buf_putc(b, '/');
	page_text(b, c->pod);
	buf_puts(b, "<span class=\"small soft\">");
	page_text(b, c->container);
	buf_puts(b, "</span>");
	cell_open(b, END_HEADER, "EPC");
	if (c->epc_bytes >= 0)
		format_bytes(b, c->epc_bytes);
	else
		buf_puts(b, "&ndash;");
	if (c->epc_used_bytes >= 0) {
		buf_puts(b, "<br><span class=\"small soft\">");
		format_bytes(b, c->epc_used_bytes);
		buf_puts(b, " in use</span>");
	}
	cell_open(b, END_CELL, "Devices");
	for (size_t i = 0; i < c->n_devices; i++)
		devices_of(b, &c->devices[i]);
	row_close(b);
}

void page_pods(struct buf *b, const struct status *s)
{
	static const char *const columns[] = {"Pod and container", "EPC", "Devices"};
	size_t n = s->n_containers;

	n = n < STATUS_CONTAINERS_SHOWN ? n : STATUS_CONTAINERS_SHOWN;
	buf_puts(b, "<section>\n");
	if (n == 0) {
		buf_puts(b, "<h2>Pods with devices</h2>\n<p class=\"soft\">None</p>\n");
	} else {
		table_open(b, "pods", "Pods with devices", columns);
		for (size_t i = 0; i < n; i++)
			pod_row(b, &s->containers[i]);
		table_close(b);
	}
	if (n < s->n_containers || s->containers_cut)
		buf_puts(b, "<p class=\"soft\">There are more; "
			    "<a href=\"api/v1/status\">the JSON</a> has them.</p>\n");
	if (*s->containers_problem) {
		buf_puts(b, "<p class=\"small\">Not up to date: ");
		page_text(b, s->containers_problem);
		buf_puts(b, "</p>\n");
	}
	buf_puts(b, "</section>\n");
}

static void tee_rows(struct buf *b, const struct platform *p, enum status_tee t)
{
	buf_printf(b,
		"<tr role=\"row\"><th colspan=\"3\" scope=\"rowgroup\" role=\"rowheader\">%s</th>"
		"</tr>\n",
		status_tee_title(t));
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++) {
		const struct finding *f = &p->findings[i];

		if (status_check_tee(i) != t)
			continue;
		row_open(b);
		buf_printf(b, "%s<span class=\"small soft\">%s</span>", status_check_title(i),
			platform_check_name(i));
		cell_open(b, END_HEADER, "State");
		page_badge(b, finding_state_name(f->state));
		cell_open(b, END_CELL, "Finding");
		page_text(b, f->message);
		row_close(b);
	}
}

static void tee_table(struct buf *b, const struct platform *p, bool present, const char *caption)
{
	static const char *const columns[] = {"Check", "State", "Finding"};

	table_open(b, "checks", caption, columns);
	for (size_t t = 0; t < STATUS_TEE_N; t++)
		if (status_tee_present(p, t) == present)
			tee_rows(b, p, t);
	table_close(b);
}

void page_checks(struct buf *b, const struct platform *p)
{
	_cleanup_buf_ struct buf present = BUF_INIT(256), absent = BUF_INIT(256);

	status_tees(p, true, &present);
	status_tees(p, false, &absent);
	buf_puts(b, "<section>\n");
	if (present.len)
		tee_table(b, p, true, "Platform checks");
	else
		buf_puts(b, "<h2>Platform checks</h2>\n");
	if (absent.len) {
		buf_printf(b, "<details>\n<summary>Not on this node: %s</summary>\n", absent.p);
		tee_table(b, p, false, "What this node does not have");
		buf_puts(b, "</details>\n");
	}
	buf_puts(b, "</section>\n");
}
