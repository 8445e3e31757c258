/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/explain.h"

#include <errno.h>

#include "common/base/clock.h"
#include "webhook/broker/deny.h"

int explain_found(struct explanation *x, const char *rule, enum grant_state state,
	enum reason reason, const char *message)
{
	const char *copy = arena_strdup(&x->arena, span_str(message));

	if (!copy)
		return -ENOMEM;
	x->v[x->n++] = (struct grant_finding){rule, state, reason, copy};
	return 0;
}

/* The broker takes whatever is genuine: what runs is judged by the profile's identities. */
static int find_evidence(struct explanation *x, struct error *err)
{
	static const char rule[] = "the evidence is good";
	const struct verdict *v = &x->file.verdict;
	int r;

	if (!*x->o->file.evidence)
		return 0;
	r = evidence_file_judge(&x->file, &x->o->file, true, err);
	if (r < 0)
		return r;
	if (!verdict_accepted(v))
		return explain_found(x, rule, GRANT_FAILS, v->reason,
			v->message[0] ? v->message : reason_explanation(v->reason));
	r = proven_from(&x->proven, &x->file.evidence, v);
	if (r < 0)
		return explain_found(x, rule, GRANT_FAILS, REASON_Malformed,
			"the evidence names more than is looked at");
	x->has_proven = true;
	return explain_found(x, rule, GRANT_HOLDS, REASON_Ok, "");
}

static int find_denied(struct explanation *x)
{
	static const char rule[] = "nothing of it is denied";
	enum reason reason;

	if (!x->has_proven)
		return explain_found(x, rule, GRANT_UNJUDGED, REASON_Ok, "");
	reason = deny_judge(x->denied, &x->proven, &x->who);
	if (reason == REASON_Ok &&
		deny_has_key(x->denied, x->id.namespace_, x->id.profile, x->id.key, 0))
		reason = REASON_KeyRevoked;
	return explain_found(x, rule, reason == REASON_Ok ? GRANT_HOLDS : GRANT_FAILS, reason,
		reason == REASON_Ok ? "" : reason_explanation(reason));
}

/* The rules of grant_decide(); none can be judged where nothing is proven. */
static int find_grant(struct explanation *x)
{
	const struct grant_request q = {
		.config = &x->config->policy,
		.profiles = x->profiles,
		.id = &x->id,
		.proven = &x->proven,
		.who = &x->who,
		.pod = json_root(&x->pod),
		.image = SPAN_NONE,
		.allow_simulated = x->config->policy.allow_simulated,
		.allow_sample = x->config->broker.allow_sample,
		.now_sec = x->now_sec,
	};
	int n;

	if (!x->has_proven)
		return explain_found(
			x, "the rules of profile and key", GRANT_UNJUDGED, REASON_Ok, "");
	n = grant_explain(&q, &x->arena, x->v + x->n);
	x->n += n > 0 ? (size_t)n : 0;
	return n < 0 ? n : 0;
}

/* Whom the profile means: for a pod of a profile of nodes the node's agent asks. */
static bool asks_agent(const struct explanation *x)
{
	const struct profile *p =
		profile_find(x->profiles, span_str(x->id.namespace_), span_str(x->id.profile));

	if (!*x->o->pod)
		return false;
	return p && p->valid
		       ? p->tee == TEE_NODE || p->tee == TEE_NODE_TDX || p->tee == TEE_NODE_SNP
		       : !*x->o->file.evidence;
}

int explain(
	struct explanation *x, const struct explain_options *o, const char *key, struct error *err)
{
	int r = key_id_parse(&x->id, span_str(key), NULL, err);

	x->o = o;
	x->now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC;
	if (r == 0)
		r = explain_look(x, err);
	if (r == 0)
		r = find_evidence(x, err);
	if (r == 0 && asks_agent(x))
		r = explain_node(x, err);
	else if (r == 0 && !*o->file.evidence)
		r = error_set(err, -EINVAL,
			"EnclaveProfile %s gives its keys to the TEE itself: bring its evidence "
			"(--evidence FILE)",
			x->id.profile);
	if (r == 0)
		r = find_denied(x);
	if (r == 0)
		r = find_grant(x);
	return r == -ENOMEM ? error_oom(err) : r;
}

enum reason explanation_reason(const struct explanation *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].state == GRANT_FAILS)
			return x->v[i].reason;
	return REASON_Ok;
}

void explanation_free(struct explanation *x)
{
	profile_set_unref(x->profiles);
	webhook_config_unref(x->config);
	deny_free(x->denied);
	json_free(&x->pod);
	json_free(&x->record);
	kube_client_free(x->kube);
	sd_event_unref(x->event);
	evidence_file_free(&x->file);
	arena_free(&x->arena);
}
