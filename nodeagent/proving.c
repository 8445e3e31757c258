/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent proves its node: what the verifier says of it, and what follows for its devices. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "nodeagent/agent.h"

/* Nothing is offered on a node that the cluster does not trust, even when nobody is there to take
 * the node's label away. */
static void update_trust(struct agent *a, const struct attest_view *v)
{
	bool good = attest_good(v, clock_unix_usec() / USEC_PER_SEC);
	const char *text = *v->message ? v->message : *v->problem ? v->problem : v->reason;

	/* What a host of VMs need not prove, its enclaves must. */
	if (good && v->state == ATTEST_UNPROVEN && a->platform.enclave_ok)
		snprintf(a->distrust, sizeof(a->distrust),
			"the node proves to be no SGX host: see sgx.evidence");
	else if (good)
		a->distrust[0] = '\0';
	else
		snprintf(a->distrust, sizeof(a->distrust), "the node is not attested (%s)%s%s",
			attest_state_name(v->state), *text ? ": " : "", text);
}

static void log_state(const struct attest_view *v)
{
	const char *name = attest_state_name(v->state);

	if (v->state == ATTEST_REFUSED || v->state == ATTEST_EXPIRED)
		log_warn("The node is not trusted", LOG_STR("verdict", name),
			LOG_STR("reason", v->reason), LOG_STR("message", v->message));
	else
		log_info(2, "The node was judged", LOG_STR("verdict", name),
			LOG_STR("reason", v->reason), LOG_STR("message", v->message));
}

static void on_changed(void *ctx)
{
	struct agent *a = ctx;
	struct attest_view v = attest_view(a->attest);

	if (v.state != a->attest_state && v.state != ATTEST_PENDING)
		log_state(&v);
	if (strcmp(v.problem, a->attest_problem) != 0) {
		if (*v.problem)
			log_warn("Could not prove the node; trying again",
				LOG_STR("why", v.problem));
		snprintf(a->attest_problem, sizeof(a->attest_problem), "%s", v.problem);
	}
	a->attest_state = v.state;
	update_trust(a, &v);
	agent_publish(a);
}

int agent_prove(struct agent *a, struct error *err)
{
	const struct agent_config *c = a->config;
	const struct attest_options o = {
		.event = a->event,
		.url = c->verifier.url,
		.ca_file = c->verifier.ca,
		.token_file = c->verifier.token,
		.node = c->node_name,
		.sysroot = c->sysroot,
		.no_sgx_evidence = !c->sgx_evidence,
		.start_usec = c->verifier.start_usec,
		.gap_usec = ATTEST_GAP_SEC * (int64_t)USEC_PER_SEC,
		.metrics = a->metrics,
		.quotes = a->quotes,
		.changed = on_changed,
		.ctx = a,
	};
	struct attest_view v;
	int r;

	if (!*c->verifier.url || c->standalone)
		return 0;
	r = attest_new(&a->attest, &o, err);
	if (r == 0)
		r = recall_start(&a->recall, a->attest, a->kube, c->node_name, c->verifier.token,
			err);
	if (r < 0)
		return r;
	v = attest_view(a->attest);
	update_trust(a, &v);
	return 0;
}

void agent_prove_asked(void *ctx)
{
	struct agent *a = ctx;

	if (!a->attest)
		return;
	log_info(1, "Asked to prove the node");
	attest_now(a->attest);
}

void agent_prove_stop(struct agent *a)
{
	recall_free(a->recall);
	attest_free(a->attest);
}
