/* SPDX-License-Identifier: Apache-2.0
 *
 * `casemate-nodeagent status` for a terminal: what to fix comes first, tables are aligned, and no
 * byte of others reaches the terminal as it is. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "nodeagent/status/format.h"
#include "nodeagent/status/status.h"

enum {
	COLUMNS_MAX = 4,
	TABLE_MAX = 1 << 20, /* bytes; STATUS_CONTAINERS_SHOWN rows with long names stay below */
	CELL_MAX = 16 << 10,
};

/* Cells one after another, a NUL behind each, printed when all widths are known. */
struct table {
	struct buf cells;
	size_t columns;
};

/* As many cells as there are columns. */
static void row(struct table *t, ...)
{
	va_list ap;

	va_start(ap, t);
	for (size_t i = 0; i < t->columns; i++) {
		format_text(&t->cells, va_arg(ap, const char *), FORMAT_PLAIN);
		buf_putc(&t->cells, '\0');
	}
	va_end(ap);
}

/* Prints and empties t: rows indented, columns two apart, nothing behind the last word. */
static void print(struct buf *b, struct table *t)
{
	size_t widths[COLUMNS_MAX] = {0}, column = 0, pad = 0;
	const char *end = t->cells.p + t->cells.len;

	for (const char *s = t->cells.p; s < end; s += strlen(s) + 1) {
		size_t n = utf8_count(span_str(s));

		widths[column] = n > widths[column] ? n : widths[column];
		column = (column + 1) % t->columns;
	}
	for (const char *s = t->cells.p; s < end; s += strlen(s) + 1) {
		pad += 2;
		if (*s)
			buf_printf(b, "%*s%s", (int)pad, "", s);
		pad = (*s ? 0 : pad) + widths[column] - utf8_count(span_str(s));
		column = (column + 1) % t->columns;
		if (column == 0) {
			buf_putc(b, '\n');
			pad = 0;
		}
	}
	if (t->cells.err)
		b->err = t->cells.err;
	buf_free(&t->cells);
}

static struct table table(size_t columns)
{
	return (struct table){BUF_INIT(TABLE_MAX), columns};
}

static void put_problems(struct buf *b, const struct status_problem *v, size_t n)
{
	struct table t = table(3);

	if (n == 0)
		return;
	buf_puts(b, "\nTo fix\n");
	for (size_t i = 0; i < n; i++)
		row(&t, v[i].what, v[i].state, v[i].message);
	print(b, &t);
}

/* One row: a name, and "state" or "state: why". */
static void state_row(struct table *t, const char *name, const char *state, const char *why)
{
	_cleanup_buf_ struct buf cell = BUF_INIT(CELL_MAX);

	buf_printf(&cell, "%s%s%s", state, *why ? ": " : "", why);
	row(t, name, cell.p ? cell.p : state);
}

static void put_agent(struct buf *b, const struct status *s)
{
	_cleanup_buf_ struct buf up = BUF_INIT(CELL_MAX);
	struct table t = table(2);

	buf_puts(b, "\nAgent\n");
	buf_printf(&up, "%s, up ", s->version);
	format_duration(&up, s->now_usec - s->started_usec);
	row(&t, "version", up.p ? up.p : "");
	state_row(&t, "kubelet", status_link_name(s->kubelet.state), s->kubelet.problem);
	state_row(&t, "API server", status_link_name(s->api_server.state), s->api_server.problem);
	if (s->api_server.state != STATUS_NOT_CONFIGURED)
		state_row(&t, "capacity", status_capacity_name(s->capacity_state),
			s->capacity_problem);
	state_row(&t, "attestation", attest_state_name(s->attestation.state),
		*s->attestation.message ? s->attestation.message : s->attestation.problem);
	if (*s->attestation.platform)
		state_row(&t, "evidence", s->attestation.platform, s->attestation.source);
	print(b, &t);
}

static void bytes_row(struct table *t, const char *name, int64_t bytes)
{
	_cleanup_buf_ struct buf cell = BUF_INIT(CELL_MAX);

	format_bytes(&cell, bytes);
	row(t, name, cell.p ? cell.p : "");
}

static void put_epc(struct buf *b, const struct status *s)
{
	const struct platform *p = s->platform;
	struct table t = table(2);

	if (p->epc_bytes == 0)
		return;
	buf_puts(b, "\nEPC (enclave memory)\n");
	bytes_row(&t, "total", (int64_t)p->epc_bytes);
	for (size_t i = 0; p->n_epc > 1 && i < p->n_epc; i++) {
		char name[32];

		snprintf(name, sizeof(name), "  NUMA node %u", p->epc[i].numa);
		bytes_row(&t, name, (int64_t)p->epc[i].bytes);
	}
	if (s->source == STATUS_AGENT) {
		bytes_row(&t, "reserved", s->epc.reserved);
		bytes_row(&t, "requested", s->epc.requested);
		bytes_row(&t, "free", status_epc_free(s));
	}
	print(b, &t);
}

static void put_devices(struct buf *b, const struct status *s)
{
	struct table t = table(4);

	if (s->n_plugins == 0)
		return;
	buf_puts(b, "\nDevices\n");
	row(&t, "RESOURCE", "HEALTHY", "STATE", "");
	for (size_t i = 0; i < s->n_plugins; i++) {
		const struct plugin_info *p = &s->plugins[i];
		char count[32];

		snprintf(count, sizeof(count), "%u of %u", p->healthy, p->devices);
		row(&t, p->resource, count, status_plugin_name(p->state), p->problem);
	}
	print(b, &t);
}

static void container_row(struct table *t, const struct status_container *c)
{
	_cleanup_buf_ struct buf pod = BUF_INIT(CELL_MAX);
	_cleanup_buf_ struct buf epc = BUF_INIT(CELL_MAX);
	_cleanup_buf_ struct buf devices = BUF_INIT(CELL_MAX);

	buf_printf(&pod, "%s/%s", c->namespace_, c->pod);
	if (c->epc_bytes >= 0)
		format_bytes(&epc, c->epc_bytes);
	for (size_t i = 0; i < c->n_devices; i++) {
		buf_printf(&devices, "%s%s", i ? ", " : "", c->devices[i].resource);
		if (c->devices[i].n_ids != 1)
			buf_printf(&devices, " x%zu", c->devices[i].n_ids);
	}
	row(t, pod.p ? pod.p : "", c->container, epc.p ? epc.p : "-", devices.p ? devices.p : "");
}

static void put_containers(struct buf *b, const struct status *s)
{
	struct table t = table(4);
	size_t n = s->n_containers;

	buf_puts(b, "\nPods with devices\n");
	if (*s->containers_problem) {
		buf_puts(b, "  not up to date: ");
		format_text(b, s->containers_problem, FORMAT_PLAIN);
		buf_putc(b, '\n');
	}
	if (n == 0) {
		buf_puts(b, "  none\n");
		return;
	}
	n = n < STATUS_CONTAINERS_SHOWN ? n : STATUS_CONTAINERS_SHOWN;
	row(&t, "POD", "CONTAINER", "EPC", "DEVICES");
	for (size_t i = 0; i < n; i++)
		container_row(&t, &s->containers[i]);
	print(b, &t);
	if (n < s->n_containers || s->containers_cut)
		buf_puts(b, "  and more, see --json\n");
}

static void put_keys(struct buf *b, const struct status_keys *k)
{
	if (!*k->broker)
		return;
	buf_puts(b, "\nKeys\n  of ");
	format_text(b, k->broker, FORMAT_PLAIN);
	buf_printf(b, ": %llu requests answered, %llu refused, %llu that could not be judged\n",
		(unsigned long long)k->delivered, (unsigned long long)k->refused,
		(unsigned long long)k->failed);
	if (*k->problem) {
		buf_puts(b, "  last: ");
		format_text(b, k->problem, FORMAT_PLAIN);
		buf_putc(b, '\n');
	}
}

/* Of what is not on this node, just why not. */
static void put_platform(struct buf *b, const struct platform *p)
{
	struct table t = table(3);

	buf_puts(b, "\nPlatform\n");
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++) {
		enum status_tee tee = status_check_tee(i);

		if (status_tee_present(p, tee) || status_tee_check(tee) == i)
			row(&t, platform_check_name(i), finding_state_name(p->findings[i].state),
				p->findings[i].message);
	}
	print(b, &t);
}

int status_text(const struct status *s, struct buf *b)
{
	struct status_problem problems[STATUS_PROBLEMS_MAX];
	size_t n = status_problems(s, problems);
	_cleanup_buf_ struct buf tees = BUF_INIT(CELL_MAX);

	format_text(b, s->node, FORMAT_PLAIN);
	buf_puts(b, ": ");
	status_headline(s, n, b);
	status_tees(s->platform, true, &tees);
	if (tees.len)
		buf_printf(b, " (%s)", tees.p);
	buf_putc(b, '\n');
	if (s->platform->simulated)
		buf_puts(b, "SIMULATED: nothing on this node protects anything; it is for "
			    "development\n");
	put_problems(b, problems, n);
	if (s->source == STATUS_AGENT)
		put_agent(b, s);
	put_epc(b, s);
	if (s->source == STATUS_AGENT) {
		put_devices(b, s);
		put_containers(b, s);
		put_keys(b, &s->keys);
	}
	put_platform(b, s->platform);
	return b->err;
}
