/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/status/status.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name, *title;
	enum platform_check check; /* without which there is no sign of it */
} tees[STATUS_TEE_N] = {
	[STATUS_SGX] = {"sgx", "SGX", CHECK_SGX_CPU},
	[STATUS_TDX_HOST] = {"tdx-host", "TDX host", CHECK_TDX_HOST},
	[STATUS_SNP_HOST] = {"snp-host", "SEV-SNP host", CHECK_SNP_HOST},
	[STATUS_TDX_GUEST] = {"tdx", "TDX guest", CHECK_TDX_GUEST},
	[STATUS_SNP_GUEST] = {"snp", "SEV-SNP guest", CHECK_SNP_GUEST},
};

static const struct {
	const char *title;
	enum status_tee tee;
} checks[PLATFORM_CHECK_N] = {
	[CHECK_SGX_CPU] = {"Processor", STATUS_SGX},
	[CHECK_SGX_EPC] = {"Enclave memory", STATUS_SGX},
	[CHECK_SGX_LAUNCH_CONTROL] = {"Launch control", STATUS_SGX},
	[CHECK_SGX_DRIVER] = {"Kernel driver", STATUS_SGX},
	[CHECK_SGX_ENCLAVE_DEVICE] = {"Enclave device", STATUS_SGX},
	[CHECK_SGX_PROVISION_DEVICE] = {"Provision device", STATUS_SGX},
	[CHECK_SGX_DEV_EXEC] = {"Mount of /dev", STATUS_SGX},
	[CHECK_SGX_AESM] = {"AESM (quotes)", STATUS_SGX},
	[CHECK_SGX_CGROUP] = {"EPC limits", STATUS_SGX},
	[CHECK_SGX_REGISTRATION] = {"Platform registration", STATUS_SGX},
	[CHECK_TDX_HOST] = {"TDX in the kernel", STATUS_TDX_HOST},
	[CHECK_SNP_HOST] = {"SEV-SNP in the kernel", STATUS_SNP_HOST},
	[CHECK_KATA_TDX] = {"Kata's handler for TDX", STATUS_TDX_HOST},
	[CHECK_KATA_SNP] = {"Kata's handler for SEV-SNP", STATUS_SNP_HOST},
	[CHECK_TDX_GUEST] = {"TDX guest", STATUS_TDX_GUEST},
	[CHECK_SNP_GUEST] = {"SEV-SNP guest", STATUS_SNP_GUEST},
};

const char *status_tee_name(enum status_tee t)
{
	return tees[t].name;
}

const char *status_tee_title(enum status_tee t)
{
	return tees[t].title;
}

enum platform_check status_tee_check(enum status_tee t)
{
	return tees[t].check;
}

enum status_tee status_check_tee(enum platform_check c)
{
	return checks[c].tee;
}

const char *status_check_title(enum platform_check c)
{
	return checks[c].title;
}

static bool misconfigured(const struct platform *p, enum status_tee t)
{
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++)
		if (checks[i].tee == t && p->findings[i].state == FINDING_MISCONFIGURED)
			return true;
	return false;
}

static bool usable(const struct platform *p, enum status_tee t)
{
	switch (t) {
	case STATUS_SGX:
		return p->enclave_ok;
	case STATUS_TDX_HOST:
		return p->tdx_host;
	case STATUS_SNP_HOST:
		return p->snp_host;
	case STATUS_TDX_GUEST:
		return p->tdx_guest;
	default:
		return p->snp_guest;
	}
}

enum finding_state status_tee_state(const struct platform *p, enum status_tee t)
{
	if (misconfigured(p, t))
		return FINDING_MISCONFIGURED;
	return usable(p, t) ? FINDING_READY : FINDING_MISSING;
}

bool status_tee_present(const struct platform *p, enum status_tee t)
{
	return misconfigured(p, t) || usable(p, t) ||
	       p->findings[tees[t].check].state != FINDING_MISSING;
}

const char *status_link_name(enum status_link l)
{
	static const char *const names[] = {"NotConfigured", "Connected", "Disconnected"};

	return names[l];
}

const char *status_plugin_name(enum plugin_state s)
{
	static const char *const names[] = {"Idle", "Waiting", "Registered", "Foreign"};

	return names[s];
}

const char *status_capacity_name(enum capacity_state s)
{
	static const char *const names[] = {"Unknown", "Published", "Pending", "Contested"};

	return names[s];
}

int64_t status_epc_free(const struct status *s)
{
	int64_t available = (int64_t)s->platform->epc_bytes - s->epc.reserved;

	if (s->epc.requested < 0)
		return -1;
	return available > s->epc.requested ? available - s->epc.requested : 0;
}

struct problems {
	struct status_problem *v;
	size_t n;
};

static void add(struct problems *p, const char *what, const char *state, const char *message)
{
	if (p->n < STATUS_PROBLEMS_MAX)
		p->v[p->n++] = (struct status_problem){what, state, message};
}

static const char *or_else(const char *message, const char *otherwise)
{
	return *message ? message : otherwise;
}

static void check_connection(struct problems *p, const char *what,
	const struct status_connection *c, const char *otherwise)
{
	if (c->state == STATUS_DISCONNECTED)
		add(p, what, status_link_name(c->state), or_else(c->problem, otherwise));
}

/* A plugin that waits because the kubelet is away is the kubelet's problem. */
static void check_plugin(struct problems *p, const struct plugin_info *i, enum status_link kubelet)
{
	bool waits = i->state == PLUGIN_WAITING && kubelet == STATUS_CONNECTED;

	if (i->state == PLUGIN_FOREIGN)
		add(p, i->resource, status_plugin_name(i->state),
			or_else(i->problem,
				"another device plugin serves this resource: remove one of them"));
	else if (waits)
		add(p, i->resource, status_plugin_name(i->state),
			or_else(i->problem, "not registered with the kubelet yet"));
	if (i->healthy < i->devices)
		add(p, i->resource, "Unhealthy",
			or_else(i->problem, "the kubelet gives none of these devices to new pods; "
					    "the platform checks say why"));
}

static void check_capacity(struct problems *p, const struct status *s)
{
	if (s->api_server.state != STATUS_CONNECTED)
		return;
	if (s->capacity_state == CAPACITY_CONTESTED)
		add(p, "capacity", status_capacity_name(s->capacity_state),
			or_else(s->capacity_problem, "something else writes this Node's capacity: "
						     "turn one of them off"));
	else if (s->capacity_state != CAPACITY_PUBLISHED && *s->capacity_problem)
		add(p, "capacity", status_capacity_name(s->capacity_state), s->capacity_problem);
}

static void check_epc(struct problems *p, const struct status *s)
{
	if (s->epc.requested > 0 &&
		s->epc.requested > (int64_t)s->platform->epc_bytes - s->epc.reserved)
		add(p, "epc", "Overcommitted",
			"pods request more EPC than this node offers, so that enclaves are paged: "
			"move pods away, or lower epc.reserve");
}

static void check_attestation(struct problems *p, const struct attest_view *a)
{
	if (a->state == ATTEST_REFUSED || a->state == ATTEST_EXPIRED)
		add(p, "attestation", attest_state_name(a->state),
			or_else(*a->message ? a->message : a->problem, a->reason));
	else if (*a->problem)
		add(p, "attestation", a->state == ATTEST_PENDING ? "Pending" : "Delayed",
			a->problem);
}

size_t status_problems(const struct status *s, struct status_problem v[STATUS_PROBLEMS_MAX])
{
	struct problems p = {v, 0};

	for (size_t i = 0; i < PLATFORM_CHECK_N; i++) {
		const struct finding *f = &s->platform->findings[i];

		if (f->state == FINDING_MISCONFIGURED)
			add(&p, platform_check_name(i), finding_state_name(f->state), f->message);
	}
	if (s->source == STATUS_DISCOVERY)
		return p.n;
	check_connection(&p, "kubelet", &s->kubelet, "no connection to the kubelet");
	check_connection(&p, "api-server", &s->api_server, "no connection to the API server");
	for (size_t i = 0; i < s->n_plugins; i++)
		check_plugin(&p, &s->plugins[i], s->kubelet.state);
	check_capacity(&p, s);
	check_epc(&p, s);
	check_attestation(&p, &s->attestation);
	return p.n;
}

int status_headline(const struct status *s, size_t n_problems, struct buf *b)
{
	bool usable_tee = false;

	if (n_problems)
		return buf_printf(b, "%zu thing%s to fix", n_problems, n_problems == 1 ? "" : "s");
	for (size_t t = 0; t < STATUS_TEE_N; t++)
		usable_tee = usable_tee || usable(s->platform, t);
	if (!usable_tee)
		return buf_puts(b, "nothing confidential here");
	return buf_puts(b, s->platform->simulated ? "works, but simulated" : "all is well");
}

int status_tees(const struct platform *p, bool present, struct buf *b)
{
	bool first = true;

	for (size_t t = 0; t < STATUS_TEE_N; t++) {
		if (status_tee_present(p, t) != present)
			continue;
		buf_printf(b, "%s%s", first ? "" : ", ", tees[t].title);
		first = false;
	}
	return b->err;
}

static int compare_holdings(const void *a, const void *b)
{
	const struct holding *x = *(const struct holding *const *)a;
	const struct holding *y = *(const struct holding *const *)b;
	int c = strcmp(x->namespace_, y->namespace_);

	c = c ? c : strcmp(x->pod, y->pod);
	c = c ? c : strcmp(x->container, y->container);
	return c ? c : strcmp(x->resource, y->resource);
}

static bool same_container(const struct status_container *c, const struct holding *h)
{
	return strcmp(c->namespace_, h->namespace_) == 0 && strcmp(c->pod, h->pod) == 0 &&
	       strcmp(c->container, h->container) == 0;
}

int status_containers(
	const struct holdings *h, struct arena *a, struct status_container **ret_v, size_t *ret_n)
{
	const struct holding **sorted = arena_array(a, const struct holding *, h->n);
	struct status_devices *devices = arena_array(a, struct status_devices, h->n);
	struct status_container *v = arena_array(a, struct status_container, h->n);
	size_t n = 0;

	if (!sorted || !devices || !v)
		return -ENOMEM;
	for (size_t i = 0; i < h->n; i++)
		sorted[i] = &h->v[i];
	qsort(sorted, h->n, sizeof(const struct holding *), compare_holdings);
	for (size_t i = 0; i < h->n; i++) {
		const struct holding *from = sorted[i];

		devices[i] = (struct status_devices){from->resource, from->ids, from->n_ids};
		if (n == 0 || !same_container(&v[n - 1], from))
			v[n++] = (struct status_container){from->namespace_, from->pod,
				from->container, &devices[i], 0, -1, -1};
		v[n - 1].n_devices++;
	}
	*ret_v = v;
	*ret_n = n;
	return 0;
}

int status_answer(const struct status *s, const char *path, struct buf *body,
	const char **ret_content_type)
{
	static const struct {
		const char *path, *type;
		int (*write)(const struct status *s, struct buf *b);
	} outputs[] = {
		{STATUS_PATH_PAGE, "text/html; charset=utf-8", status_page},
		{STATUS_PATH_JSON, "application/json", status_json},
		{STATUS_PATH_TEXT, "text/plain; charset=utf-8", status_text},
	};

	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		if (strcmp(path, outputs[i].path) != 0)
			continue;
		*ret_content_type = outputs[i].type;
		outputs[i].write(s, body);
		return 200;
	}
	*ret_content_type = "text/plain; charset=utf-8";
	buf_puts(body, "no such path; expected " STATUS_PATH_PAGE ", " STATUS_PATH_JSON
		       " or " STATUS_PATH_TEXT "\n");
	return 404;
}
