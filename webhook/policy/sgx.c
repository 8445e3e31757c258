/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers and their EPC. */
#include "webhook/policy/sgx.h"

#include <errno.h>
#include <inttypes.h>

#include "webhook/policy/result.h"

static const int64_t MIB = 1024 * 1024;

const char *sgx_bytes_text(int64_t bytes, struct arena *a)
{
	_cleanup_buf_ struct buf b = BUF_INIT(32);

	return quantity_format_binary(&b, bytes) < 0 ? NULL : arena_strdup(a, buf_view(&b));
}

static bool has_epc(const struct amounts *am)
{
	return am->v[RES_EPC].present || am->v[RES_AKS_EPC].present || am->v[RES_ALI_EPC].present;
}

/* Which containers get an enclave. Those that request EPC or a device themselves always do: a
 * device without EPC would be an enclave that nobody accounts for. Without a list, an app container
 * that has both already shows that the choice was made, by its author or by an earlier mutation, so
 * that one which another webhook adds in between is left alone. */
static int select_containers(struct ask *k, struct sgx_container *c)
{
	bool chosen = k->vendor || k->ann.containers.p;
	bool *listed = arena_array(k->a, bool, k->pod.n);
	int r = listed ? ask_listed(k, listed) : -ENOMEM;

	if (r)
		return r;
	for (size_t i = 0; i < k->pod.n; i++) {
		const struct amounts *am = &k->amounts[i];

		c[i].selected = listed[i] || has_epc(am) || am->v[RES_ENCLAVE].present ||
				am->v[RES_PROVISION].present;
		chosen |= k->pod.containers[i].kind == CONTAINER_APP && am->v[RES_EPC].present &&
			  am->v[RES_ENCLAVE].present;
	}
	for (size_t i = 0; i < k->pod.n; i++) {
		c[i].selected |= !chosen && k->pod.containers[i].kind == CONTAINER_APP;
		if (c[i].selected && k->pod.containers[i].kind == CONTAINER_INIT)
			policy_warn(k->res, k->a,
				"init container " SPAN_FMT
				" uses enclave devices: the pod dies when the kubelet restarts; "
				"use a native sidecar or app container",
				SHOWN(k->pod.containers[i].name));
	}
	return 0;
}

/* An EPC size from an annotation. */
static int read_epc(
	struct ask *k, const char *container, struct span shown, struct span text, int64_t *ret_n)
{
	struct error err = {0};
	struct quantity q;

	if (quantity_parse(&q, text, &err) < 0)
		return ask_refuse(k, REASON_EpcInvalid, "annotation %s%s" SPAN_FMT ": %s",
			ANNOTATION_EPC, container, SHOWN(shown), err.message);
	if (quantity_int64(q, ret_n) < 0 || *ret_n <= 0)
		return ask_refuse(k, REASON_EpcInvalid,
			"annotation %s%s" SPAN_FMT ": \"" SPAN_FMT
			"\" is no positive whole number of bytes; write one such as 64Mi",
			ANNOTATION_EPC, container, SHOWN(shown), SHOWN(text));
	return 0;
}

static int conflict(struct ask *k, size_t i, const char *one, int64_t a, const char *two, int64_t b)
{
	return ask_refuse(k, REASON_EpcConflict,
		"container \"" SPAN_FMT "\": %s says %" PRId64 " bytes of EPC, but %s says %" PRId64
		"; remove one of the two",
		SHOWN(k->pod.containers[i].name), one, a, two, b);
}

/* What container i requests itself, by any vendor's key; *ret_n 0: nothing. */
static int own_epc(
	struct ask *k, size_t i, int64_t *ret_n, const char **ret_source, struct span *ret_text)
{
	static const enum resource keys[] = {RES_EPC, RES_AKS_EPC, RES_ALI_EPC};

	*ret_n = 0;
	for (size_t j = 0; j < ARRAY_SIZE(keys); j++) {
		const struct amount *am = &k->amounts[i].v[keys[j]];
		const char *name = resource_name(keys[j]);
		int64_t n = am->n;
		const char *text;

		if (!am->present)
			continue;
		if (n == 0 || (keys[j] != RES_EPC && __builtin_mul_overflow(n, MIB, &n)))
			return ask_refuse(k, REASON_EpcInvalid,
				"container \"" SPAN_FMT "\": %s: %" PRId64
				" is %s; request a size that the enclave needs, or remove it",
				SHOWN(k->pod.containers[i].name), name, am->n,
				n == 0 ? "no EPC" : "out of range");
		if (*ret_n && *ret_n != n)
			return conflict(k, i, *ret_source, *ret_n, name, n);
		if (*ret_n)
			continue;
		*ret_n = n;
		*ret_source = name;
		if (keys[j] == RES_EPC)
			continue;
		text = arena_printf(k->a, "%" PRId64 "Mi", am->n);
		if (!text)
			return -ENOMEM;
		*ret_text = span_str(text);
	}
	return 0;
}

static int check_maximum(
	struct ask *k, size_t i, int64_t epc, int64_t max, const char *whose, const char *setting)
{
	const char *text;

	if (max == 0 || epc <= max)
		return 0;
	text = sgx_bytes_text(max, k->a);
	if (!text)
		return -ENOMEM;
	return ask_refuse(k, REASON_EpcAboveMaximum,
		"container \"" SPAN_FMT "\": %" PRId64 " bytes of EPC are more than the %s that %s "
		"allows (%s); ask for less",
		SHOWN(k->pod.containers[i].name), epc, text, whose, setting);
}

static int check_maxima(struct ask *k, size_t i, int64_t epc)
{
	const struct policy_config *config = k->rq->config;
	const struct namespace_limits *limits = &config->namespace_limits;
	int r = check_maximum(k, i, epc, config->epc_max, "the configuration", "epc.max");

	if (r == 0 && k->profile)
		r = check_maximum(
			k, i, epc, k->profile->epc_max, k->profile->name, "the profile's epc.max");
	for (size_t j = 0; r == 0 && j < limits->n; j++)
		if (span_is(k->rq->namespace_, limits->v[j].namespace_))
			r = check_maximum(k, i, epc, limits->v[j].epc_max, "the namespace",
				"the configuration's epc.namespaces");
	return r;
}

/* The profile's default as its author spelled it. */
static int profile_epc(struct ask *k, struct sgx_container *c)
{
	struct json_val v = json_find(k->profile->spec, "epc", "default");
	const char *text;

	c->epc = k->profile->epc_default;
	c->epc_text = json_is_string(v) ? json_str(v, k->a) : SPAN_NONE;
	if (c->epc_text.p)
		return 0;
	text = sgx_bytes_text(c->epc, k->a);
	c->epc_text = span_str(text);
	return text ? 0 : -ENOMEM;
}

/* general: the value of casemate.dev/epc, 0 when there is none. */
static int plan_epc(struct ask *k, size_t i, struct sgx_container *c, int64_t general)
{
	struct span name = k->pod.containers[i].name, of = k->ann.epc_of[i], own_text = SPAN_NONE;
	const char *source = NULL;
	int64_t own, asked = general;
	int r = own_epc(k, i, &own, &source, &own_text);

	if (r == 0 && of.p)
		r = read_epc(k, ".", name, of, &asked);
	if (r)
		return r;
	if (asked && own && asked != own)
		return conflict(k, i,
			of.p ? "annotation " ANNOTATION_EPC ".<container>"
			     : "annotation " ANNOTATION_EPC,
			asked, source, own);
	if (own) {
		c->epc = own;
		c->epc_text = own_text;
	} else if (asked) {
		c->epc = asked;
		c->epc_text = of.p ? of : k->ann.epc;
	} else if (k->profile && k->profile->epc_default) {
		r = profile_epc(k, c);
	} else {
		return ask_refuse(k, REASON_EpcMissing,
			"container \"" SPAN_FMT
			"\" has no EPC size; set annotation %s or %s." SPAN_FMT ", such as 64Mi",
			SHOWN(name), ANNOTATION_EPC, ANNOTATION_EPC, SHOWN(name));
	}
	return r ? r : check_maxima(k, i, c->epc);
}

static int plan_all_epc(struct ask *k, struct sgx_plan *plan)
{
	int64_t general = 0;
	int r = k->ann.epc.p ? read_epc(k, "", SPAN_NONE, k->ann.epc, &general) : 0;

	for (size_t i = 0; r == 0 && i < k->pod.n; i++) {
		if (plan->c[i].selected)
			r = plan_epc(k, i, &plan->c[i], general);
		else if (k->ann.epc_of[i].p)
			r = ask_refuse(k, REASON_AnnotationInvalid,
				"annotation %s." SPAN_FMT
				": this container is not selected; add it to annotation %s, or "
				"remove its EPC",
				ANNOTATION_EPC, SHOWN(k->pod.containers[i].name),
				ANNOTATION_CONTAINERS);
	}
	return r;
}

static int plan_effective(struct ask *k, bool with_overhead, struct sgx_plan *plan)
{
	int64_t *amounts = arena_array(k->a, int64_t, k->pod.n);
	struct error err = {0};

	if (!amounts)
		return -ENOMEM;
	for (size_t i = 0; i < k->pod.n; i++)
		amounts[i] = plan->c[i].epc;
	if (pod_effective(&k->pod, amounts, with_overhead ? RESOURCE_EPC : NULL, &plan->effective,
		    &err) < 0)
		return ask_refuse(k, REASON_EpcInvalid, "%s; ask for less", err.message);
	return 0;
}

int sgx_plan(struct ask *k, bool with_overhead, struct sgx_plan *plan)
{
	int r;

	plan->c = arena_array(k->a, struct sgx_container, k->pod.n);
	if (!plan->c)
		return -ENOMEM;
	if (k->ann.epc_unknown.p)
		return ask_refuse(k, REASON_ContainerUnknown,
			"annotation %s." SPAN_FMT
			": the pod has no such container; correct the name",
			ANNOTATION_EPC, SHOWN(k->ann.epc_unknown));
	if ((r = select_containers(k, plan->c)) || (r = plan_all_epc(k, plan)) ||
		(r = sgx_plan_quotes(k, plan)))
		return r;
	return plan_effective(k, with_overhead, plan);
}

int sgx_check_absent(struct ask *k)
{
	struct span quote = k->ann.quote;

	if (k->ann.epc_unknown.p)
		return ask_refuse(k, REASON_ContainerUnknown,
			"annotation %s." SPAN_FMT
			": the pod has no such container; correct the name",
			ANNOTATION_EPC, SHOWN(k->ann.epc_unknown));
	if (k->ann.epc.p || k->ann.any_epc_of)
		return ask_refuse(k, REASON_AnnotationInvalid,
			"annotation %s: only TEE sgx has EPC, and this pod asks for %s; remove it",
			ANNOTATION_EPC, tee_name(k->tee));
	if (quote.p && quote_mode_parse(quote) == QUOTE_UNSET)
		return ask_refuse(k, REASON_QuoteModeUnknown,
			"annotation %s: \"" SPAN_FMT "\" is no quote mode; use none, aesm or "
			"in-process",
			ANNOTATION_QUOTE, SHOWN(quote));
	if (quote.p && quote_mode_parse(quote) != QUOTE_NONE)
		return ask_refuse(k, REASON_AnnotationInvalid,
			"annotation %s: only TEE sgx has quote modes, and this pod asks for %s; "
			"remove it",
			ANNOTATION_QUOTE, tee_name(k->tee));
	return ask_listed(k, NULL);
}
