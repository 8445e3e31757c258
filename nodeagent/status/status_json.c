/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /api/v1/status and `casemate-nodeagent status --json`. Every member is always there; null
 * stands for what is not known. Members may be added, none changes its meaning. */
#include "common/base/clock.h"
#include "nodeagent/status/format.h"
#include "nodeagent/status/status.h"

/* A comma, unless something was just opened, and the member's name; NULL: an element. */
static void key(struct buf *b, const char *name)
{
	if (b->len && b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[')
		buf_putc(b, ',');
	if (name) {
		format_text(b, name, FORMAT_JSON);
		buf_putc(b, ':');
	}
}

static void open_(struct buf *b, const char *name, char bracket)
{
	key(b, name);
	buf_putc(b, bracket);
}

static void put_string(struct buf *b, const char *name, const char *s)
{
	key(b, name);
	format_text(b, s, FORMAT_JSON);
}

static void put_bool(struct buf *b, const char *name, bool v)
{
	key(b, name);
	buf_puts(b, v ? "true" : "false");
}

/* Below 0: null. */
static void put_amount(struct buf *b, const char *name, int64_t n)
{
	key(b, name);
	if (n < 0)
		buf_puts(b, "null");
	else
		buf_printf(b, "%lld", (long long)n);
}

static void put_time(struct buf *b, const char *name, int64_t unix_sec)
{
	char text[CLOCK_RFC3339_MAX];

	key(b, name);
	if (unix_sec == 0) {
		buf_puts(b, "null");
		return;
	}
	clock_format(text, unix_sec);
	format_text(b, text, FORMAT_JSON);
}

static void put_problems(struct buf *b, const struct status *s)
{
	struct status_problem v[STATUS_PROBLEMS_MAX];
	size_t n = status_problems(s, v);

	put_bool(b, "healthy", n == 0);
	open_(b, "problems", '[');
	for (size_t i = 0; i < n; i++) {
		open_(b, NULL, '{');
		put_string(b, "what", v[i].what);
		put_string(b, "state", v[i].state);
		put_string(b, "message", v[i].message);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_platform(struct buf *b, const struct platform *p)
{
	put_bool(b, "simulated", p->simulated);
	open_(b, "tees", '[');
	for (size_t t = 0; t < STATUS_TEE_N; t++) {
		open_(b, NULL, '{');
		put_string(b, "name", status_tee_name(t));
		put_string(b, "state", finding_state_name(status_tee_state(p, t)));
		buf_putc(b, '}');
	}
	buf_puts(b, "]");
	open_(b, "findings", '[');
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++) {
		open_(b, NULL, '{');
		put_string(b, "check", platform_check_name(i));
		put_string(b, "state", finding_state_name(p->findings[i].state));
		put_string(b, "message", p->findings[i].message);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_epc(struct buf *b, const struct status *s)
{
	const struct platform *p = s->platform;

	open_(b, "epc", '{');
	put_amount(b, "totalBytes", (int64_t)p->epc_bytes);
	put_amount(b, "reservedBytes", s->epc.reserved);
	put_amount(b, "publishedBytes", s->epc.published);
	put_amount(b, "requestedBytes", s->epc.requested);
	put_amount(b, "freeBytes", status_epc_free(s));
	open_(b, "numa", '[');
	for (size_t i = 0; i < p->n_epc; i++) {
		open_(b, NULL, '{');
		put_amount(b, "node", p->epc[i].numa);
		put_amount(b, "totalBytes", (int64_t)p->epc[i].bytes);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

static void put_connection(struct buf *b, const char *name, const struct status_connection *c)
{
	open_(b, name, '{');
	put_string(b, "state", status_link_name(c->state));
	put_string(b, "problem", c->problem);
	buf_putc(b, '}');
}

static void put_capacity(struct buf *b, const struct status *s)
{
	open_(b, "capacity", '{');
	put_string(b, "state", status_capacity_name(s->capacity_state));
	put_string(b, "problem", s->capacity_problem);
	open_(b, "resources", '[');
	for (size_t i = 0; i < s->n_capacities; i++) {
		open_(b, NULL, '{');
		put_string(b, "resource", s->capacities[i].resource);
		put_amount(b, "published", s->capacities[i].published);
		put_amount(b, "allocatable", s->capacities[i].allocatable);
		buf_putc(b, '}');
	}
	buf_puts(b, "]}");
}

static void put_devices(struct buf *b, const struct status *s)
{
	open_(b, "devices", '[');
	for (size_t i = 0; i < s->n_plugins; i++) {
		const struct plugin_info *p = &s->plugins[i];

		open_(b, NULL, '{');
		put_string(b, "resource", p->resource);
		put_string(b, "state", status_plugin_name(p->state));
		put_string(b, "problem", p->problem);
		put_amount(b, "devices", p->devices);
		put_amount(b, "healthy", p->healthy);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_container(struct buf *b, const struct status_container *c)
{
	open_(b, NULL, '{');
	put_string(b, "namespace", c->namespace_);
	put_string(b, "pod", c->pod);
	put_string(b, "container", c->container);
	open_(b, "devices", '[');
	for (size_t i = 0; i < c->n_devices; i++) {
		open_(b, NULL, '{');
		put_string(b, "resource", c->devices[i].resource);
		open_(b, "ids", '[');
		for (size_t k = 0; k < c->devices[i].n_ids; k++)
			put_string(b, NULL, c->devices[i].ids[k]);
		buf_puts(b, "]}");
	}
	buf_puts(b, "]");
	put_amount(b, "epcBytes", c->epc_bytes);
	put_amount(b, "epcUsedBytes", c->epc_used_bytes);
	buf_putc(b, '}');
}

static void put_containers(struct buf *b, const struct status *s)
{
	open_(b, "containers", '[');
	for (size_t i = 0; i < s->n_containers; i++)
		put_container(b, &s->containers[i]);
	buf_puts(b, "]");
	put_bool(b, "containersCut", s->containers_cut);
	put_string(b, "containersProblem", s->containers_problem);
}

static void put_attestation(struct buf *b, const struct attest_view *a)
{
	open_(b, "attestation", '{');
	put_string(b, "state", attest_state_name(a->state));
	put_string(b, "reason", a->reason);
	put_string(b, "message", a->message);
	put_string(b, "phase", attest_phase_name(a->phase));
	put_string(b, "problem", a->problem);
	put_time(b, "validUntil", a->valid_until);
	put_string(b, "platform", a->platform);
	put_string(b, "source", a->source);
	buf_putc(b, '}');
}

static void put_keys(struct buf *b, const struct status_keys *k)
{
	open_(b, "keys", '{');
	put_string(b, "broker", k->broker);
	put_amount(b, "allocations", k->folders);
	put_amount(b, "waiting", k->waiting);
	put_amount(b, "delivered", (int64_t)k->delivered);
	put_amount(b, "refused", (int64_t)k->refused);
	put_amount(b, "failed", (int64_t)k->failed);
	put_string(b, "problem", k->problem);
	buf_putc(b, '}');
}

int status_json(const struct status *s, struct buf *b)
{
	buf_putc(b, '{');
	put_string(b, "node", s->node);
	put_string(b, "nodeUID", s->node_uid);
	put_string(b, "version", s->version);
	put_string(b, "source", s->source == STATUS_AGENT ? "agent" : "discovery");
	put_time(b, "time", s->now_usec / USEC_PER_SEC);
	put_time(b, "startedAt", s->started_usec / USEC_PER_SEC);
	put_problems(b, s);
	put_platform(b, s->platform);
	put_epc(b, s);
	put_capacity(b, s);
	put_devices(b, s);
	open_(b, "connections", '{');
	put_connection(b, "kubelet", &s->kubelet);
	put_connection(b, "apiServer", &s->api_server);
	buf_putc(b, '}');
	put_containers(b, s);
	put_attestation(b, &s->attestation);
	put_keys(b, &s->keys);
	return buf_puts(b, "}\n");
}
