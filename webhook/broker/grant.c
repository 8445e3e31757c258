/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/grant.h"

#include <errno.h>
#include <stdarg.h>

#include "common/kbs/key_id.h"
#include "webhook/broker/grant_private.h"
#include "webhook/policy/result.h"

int grant_refuse(struct decision *d, enum reason reason, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = arena_vprintf(d->a, fmt, ap);
	va_end(ap);
	if (!text)
		return -ENOMEM;
	text[utf8_cut(span_str(text), MESSAGE_MAX).len] = '\0';
	d->reason = reason;
	d->message = text;
	return GRANT_REFUSED;
}

static bool is_true(struct json_val v)
{
	return json_type(v) == JSON_TRUE;
}

/* Keys stay where they are, and an evil twin in a namespace of somebody's own gets none. */
static int judge_namespace(struct decision *d)
{
	const struct key_id *id = d->q->id;
	const struct requester *who = d->q->who;

	if (who->namespace_[0] && strcmp(who->namespace_, id->namespace_) != 0)
		return grant_refuse(d, REASON_NamespaceNotAllowed,
			"the key is of namespace %s, and the token of namespace %s: keys stay in "
			"the namespace of their profile",
			id->namespace_, who->namespace_);
	if (!profile_set_namespace_enabled(d->q->profiles, span_str(id->namespace_)))
		return grant_refuse(d, REASON_NamespaceNotAllowed,
			"namespace %s is not labelled %s=%s", id->namespace_, NAMESPACE_LABEL,
			NAMESPACE_LABEL_VALUE);
	return 0;
}

static int find_profile(struct decision *d)
{
	const struct key_id *id = d->q->id;

	d->profile = profile_find(d->q->profiles, span_str(id->namespace_), span_str(id->profile));
	if (!d->profile)
		return grant_refuse(d, REASON_KeyNotFound, "namespace %s has no EnclaveProfile %s",
			id->namespace_, id->profile);
	if (!d->profile->valid)
		return grant_refuse(d, REASON_ProfileInvalid, "EnclaveProfile %s is not valid: %s",
			id->profile, d->profile->message);
	return 0;
}

static int find_key(struct decision *d)
{
	const struct key_id *id = d->q->id;
	struct json_iter it;

	json_each (it, json_get(d->profile->spec, "keys")) {
		if (!json_str_is(json_get(it.value, "name"), id->key))
			continue;
		d->key = it.value;
		d->key_at = arena_printf(d->a, "spec.keys[%zu] (%s)", it.index, id->key);
		return d->key_at ? 0 : -ENOMEM;
	}
	return grant_refuse(d, REASON_KeyNotFound,
		"EnclaveProfile %s has no key %s: correct its name, or add it to spec.keys",
		id->profile, id->key);
}

/* Keys of images unwrap layers and do nothing else; others do not unwrap layers. */
static int judge_use(struct decision *d)
{
	bool image = json_str_is(json_get(d->key, "use"), "image");

	if (image && !d->q->image.p)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"%s.use is image: such a key unwraps layers and never leaves the broker",
			d->key_at);
	if (!image && d->q->image.p)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"%s.use is not image: it unwraps no layers", d->key_at);
	return 0;
}

static int judge_advisories(struct decision *d, struct json_val accepted)
{
	const struct proven *p = d->q->proven;

	for (size_t i = 0; json_exists(accepted) && i < p->n_advisories; i++) {
		bool found = false;
		struct json_iter it;

		json_each (it, accepted)
			found = found || json_str_is(it.value, p->advisories[i]);
		if (!found)
			return grant_refuse(d, REASON_AdvisoryNotAccepted,
				"spec.attestation.acceptedAdvisories lacks %s, which applies to "
				"this platform's TCB: update the platform, or accept it",
				p->advisories[i]);
	}
	return 0;
}

/* The profile's narrowing of what the evidence was verified by. Sample evidence has none of it. */
static int judge_attestation(struct decision *d)
{
	struct json_val attestation = json_get(d->profile->spec, "attestation");
	struct json_val statuses = json_get(attestation, "acceptedTcbStatuses");
	const struct proven *p = d->q->proven;
	bool found = !json_exists(statuses);
	struct json_iter it;

	if (p->sample)
		return 0;
	if (p->debug && !is_true(json_get(attestation, "allowDebug")))
		return grant_refuse(d, REASON_DebugNotAllowed,
			"spec.attestation.allowDebug is not true, and the TEE runs in debug mode, "
			"in which its host can read it");
	if (p->tcb == TCB_STATUS_N || p->tcb == TCB_UpToDate)
		return 0;
	json_each (it, statuses)
		found = found || json_str_is(it.value, tcb_status_name(p->tcb));
	if (!found)
		return grant_refuse(d, tcb_status_reason(p->tcb),
			"spec.attestation.acceptedTcbStatuses lacks %s, the status of this "
			"platform's TCB: update the platform, or accept it",
			tcb_status_name(p->tcb));
	return judge_advisories(d, json_get(attestation, "acceptedAdvisories"));
}

/* The service account that asks: the token's; of an image, which is pulled before there is a
 * token, the live pod's. */
static struct span service_account(const struct decision *d)
{
	struct span s = span_str(d->q->who->service_account);

	if (s.len == 0 && d->q->image.p)
		s = json_str(json_find(d->q->pod, "spec", "serviceAccountName"), d->a);
	return s;
}

static int judge_grant(struct decision *d)
{
	struct json_val grant = json_get(d->key, "grant");
	struct json_val accounts = json_get(grant, "serviceAccounts");
	struct span account = service_account(d);
	struct json_iter it;

	if (is_true(json_get(grant, "evidenceOnly")))
		return 0;
	if (!json_exists(grant)) {
		if (d->q->image.p) /* granted to the pods of the profile that name the digest */
			return 0;
		return grant_refuse(d, REASON_ServiceAccountNotAllowed,
			"%s.grant is missing, so nobody may have the key: name the service "
			"accounts that may",
			d->key_at);
	}
	if (account.len == 0)
		return grant_refuse(d, REASON_ServiceAccountNotAllowed,
			"%s.grant.serviceAccounts needs a pod's token, and none came", d->key_at);
	json_each (it, accounts)
		if (json_str_equal(it.value, account))
			return 0;
	return grant_refuse(d, REASON_ServiceAccountNotAllowed,
		"%s.grant.serviceAccounts lacks " SPAN_FMT ", the service account that asks",
		d->key_at, SHOWN(account));
}

/* Who terminates must be who the profile means: the node's agent judges no enclave and no guest,
 * and a process of a confidential node that asks by itself is judged by nobody. */
static int judge_terminator(struct decision *d)
{
	enum tee tee = d->profile->tee;
	enum tee_type proved = d->q->proven->tee;
	bool node = tee == TEE_NODE || tee == TEE_NODE_TDX || tee == TEE_NODE_SNP;
	bool agent = d->q->who->node[0];

	if (node && !agent)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"spec.tee is %s: keys of this profile are given through the agent of the "
			"pod's node alone",
			tee_name(tee));
	if (!node && agent)
		return grant_refuse(d, REASON_WorkloadNotAllowed,
			"spec.tee is %s: keys of this profile are given to the TEE itself, not "
			"through the node's agent",
			tee_name(tee));
	if (agent && !d->q->proven->sample && proved != TEE_TYPE_SIMULATED &&
		(proved == TEE_TYPE_SGX || (tee == TEE_NODE_TDX && proved != TEE_TYPE_TDX) ||
			(tee == TEE_NODE_SNP && proved != TEE_TYPE_SNP)))
		return grant_refuse(d, REASON_IdentityNotAllowed,
			"spec.tee is %s, and the node's evidence is of %s", tee_name(tee),
			tee_type_name(proved));
	return 0;
}

static const struct grant_rule rules[] = {
	{"the namespace is enabled, and the one that asks", judge_namespace, false},
	{"there is such a profile, and it is valid", find_profile, true},
	{"the profile has the key", find_key, true},
	{"the key is for this use", judge_use, false},
	{"who asks is whom the profile means: the TEE itself, or the node's agent",
		judge_terminator, false},
	{"the platform is within spec.attestation", judge_attestation, false},
	{"one of the key's identities is what the evidence proves", grant_identity, false},
	{"the key is granted to who asks", judge_grant, false},
};
_Static_assert(ARRAY_SIZE(rules) + 9 <= GRANT_FINDINGS_MAX, "with those of the pod");

/* The rules, and behind them those of the live pod; NULL: that was the last for this request. */
static const struct grant_rule *rule_at(const struct decision *d, size_t i)
{
	if (i < ARRAY_SIZE(rules))
		return &rules[i];
	i -= ARRAY_SIZE(rules);
	return d->q->who->node[0] && i < n_grant_pod_rules ? &grant_pod_rules[i] : NULL;
}

int grant_decide(const struct grant_request *q, struct arena *a, enum reason *ret_reason,
	const char **ret_message)
{
	struct decision d = {.q = q, .a = a, .reason = REASON_Ok, .message = ""};
	const struct grant_rule *rule;
	int r = 0;

	for (size_t i = 0; r == 0 && (rule = rule_at(&d, i)); i++)
		r = rule->judge(&d);
	if (r < 0)
		return r;
	*ret_reason = d.reason;
	*ret_message = d.message;
	return 0;
}

int grant_explain(const struct grant_request *q, struct arena *a,
	struct grant_finding ret[GRANT_FINDINGS_MAX])
{
	struct decision d = {.q = q, .a = a};
	const struct grant_rule *rule;
	bool ended = false;
	int n = 0;

	while (n < GRANT_FINDINGS_MAX && (rule = rule_at(&d, (size_t)n))) {
		struct grant_finding *f = &ret[n++];
		int r;

		*f = (struct grant_finding){rule->name, GRANT_UNJUDGED, REASON_Ok, ""};
		if (ended)
			continue;
		r = rule->judge(&d);
		if (r < 0)
			return r;
		f->state = r ? GRANT_FAILS : GRANT_HOLDS;
		if (r) {
			f->reason = d.reason;
			f->message = d.message;
		}
		ended = r && rule->base;
	}
	return n;
}
