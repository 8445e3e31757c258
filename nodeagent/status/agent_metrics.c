/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/status/agent_metrics.h"

#include <stdio.h>
#include <stdlib.h>

struct agent_metrics {
	struct metric *epc, *finding, *simulated, *attestation, *valid_until;
	unsigned numa[PLATFORM_NUMA_MAX]; /* that have a series */
	size_t n_numa;
};

struct agent_metrics *agent_metrics_new(struct metrics *m)
{
	static const char *const epc_labels[] = {"kind", "numa", NULL};
	static const char *const finding_labels[] = {"check", "state", NULL};
	static const char *const state_labels[] = {"state", NULL};
	_cleanup_(agent_metrics_free_p) struct agent_metrics *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->epc = metrics_gauge(m, "casemate_agent_epc_bytes",
		"Enclave memory: total of each NUMA node; reserved, requested by pods and free of "
		"the whole node (numa is empty).",
		epc_labels);
	a->finding = metrics_gauge(m, "casemate_agent_platform_finding",
		"What the platform check found: 1 for the state that holds, 0 for the others.",
		finding_labels);
	a->simulated = metrics_gauge(m, "casemate_agent_simulated",
		"1 when the platform is simulated and nothing protects anything.", NULL);
	a->attestation = metrics_gauge(m, "casemate_agent_attestation_state",
		"Verdict on this node: 1 for the state that holds, 0 for the others.",
		state_labels);
	a->valid_until =
		metrics_gauge(m, "casemate_agent_attestation_valid_until_timestamp_seconds",
			"When the verdict on this node expires; 0 when there is none.", NULL);
	if (!a->epc || !a->finding || !a->simulated || !a->attestation || !a->valid_until)
		return NULL;
	return TAKE_PTR(a);
}

void agent_metrics_free(struct agent_metrics *a)
{
	free(a);
}

static void set_amount(struct metric *f, const char *kind, int64_t bytes)
{
	if (bytes < 0)
		metric_remove(f, METRIC_VALUES(kind, ""));
	else
		metric_set(f, (double)bytes, METRIC_VALUES(kind, ""));
}

static bool has_numa(const struct platform *p, unsigned numa)
{
	for (size_t i = 0; i < p->n_epc; i++)
		if (p->epc[i].numa == numa)
			return true;
	return false;
}

static void set_numa(struct agent_metrics *a, const struct platform *p)
{
	char numa[16];

	for (size_t i = 0; i < a->n_numa; i++) {
		snprintf(numa, sizeof(numa), "%u", a->numa[i]);
		if (!has_numa(p, a->numa[i]))
			metric_remove(a->epc, METRIC_VALUES("total", numa));
	}
	for (size_t i = 0; i < p->n_epc; i++) {
		snprintf(numa, sizeof(numa), "%u", p->epc[i].numa);
		metric_set(a->epc, (double)p->epc[i].bytes, METRIC_VALUES("total", numa));
		a->numa[i] = p->epc[i].numa;
	}
	a->n_numa = p->n_epc;
}

void agent_metrics_set(struct agent_metrics *a, const struct status *s)
{
	const struct platform *p = s->platform;

	set_numa(a, p);
	set_amount(a->epc, "reserved", p->epc_bytes ? s->epc.reserved : -1);
	set_amount(a->epc, "requested", p->epc_bytes ? s->epc.requested : -1);
	set_amount(a->epc, "free", p->epc_bytes ? status_epc_free(s) : -1);
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++)
		for (size_t k = 0; k < FINDING_STATE_N; k++)
			metric_set(a->finding, p->findings[i].state == k,
				METRIC_VALUES(platform_check_name(i), finding_state_name(k)));
	metric_set(a->simulated, p->simulated, NULL);
	for (size_t i = 0; i < ATTEST_STATE_N; i++)
		metric_set(a->attestation, s->attestation.state == i,
			METRIC_VALUES(attest_state_name(i)));
	metric_set(a->valid_until, (double)s->attestation.valid_until, NULL);
}
