/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/ask.h"

#include <errno.h>

#include "webhook/policy/result.h"

#define SIMULATED_PREFIX "casemate-simulated-"

enum {
	TEES_ALL = (1 << TEE_N) - 2,
	TEES_NODE = 1 << TEE_NODE | 1 << TEE_NODE_TDX | 1 << TEE_NODE_SNP,
	SOURCES_MAX = 3 + RES_N,
};

/* One way in which the pod asks. */
struct source {
	unsigned tees;    /* what it is compatible with, a bit a TEE */
	enum tee decides; /* what it asks for by itself; TEE_NONE: it only narrows */
	const char *text; /* for messages */
};

struct sources {
	struct source v[SOURCES_MAX];
	size_t n;
	unsigned tees; /* compatible with all so far */
};

/* What a raw request means. */
static const struct {
	enum tee decides;
	unsigned tees;
} raw[RES_N] = {
	[RES_EPC] = {TEE_SGX, 1 << TEE_SGX},
	[RES_ENCLAVE] = {TEE_SGX, 1 << TEE_SGX},
	[RES_PROVISION] = {TEE_SGX, 1 << TEE_SGX},
	[RES_AESM] = {TEE_SGX, 1 << TEE_SGX},
	[RES_KEYS] = {TEE_NODE, TEES_NODE},
	[RES_TDX_SLOT] = {TEE_TDX, 1 << TEE_TDX | 1 << TEE_CVM},
	[RES_SNP_SLOT] = {TEE_SNP, 1 << TEE_SNP | 1 << TEE_CVM},
	[RES_AKS_EPC] = {TEE_SGX, 1 << TEE_SGX},
	[RES_ALI_EPC] = {TEE_SGX, 1 << TEE_SGX},
	[RES_GOOGLE_CC] = {TEE_NODE, TEES_NODE},
	[RES_AMD_SNP] = {TEE_NODE, TEES_NODE},
	[RES_INTEL_TDX] = {TEE_NODE, TEES_NODE},
};

int ask_refuse(struct ask *k, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	policy_vrefuse(k->res, k->a, reason, fmt, ap);
	va_end(ap);
	return ASK_REFUSED;
}

/* casemate.dev/epc.<name>: container names are unique in a valid pod, so the first will do; one
 * that is there twice gets the value twice. */
static void note_epc_of(struct ask *k, struct span name, struct span value)
{
	bool found = false;

	k->ann.any_epc_of = true;
	for (size_t i = 0; i < k->pod.n; i++) {
		if (span_equal(k->pod.containers[i].name, name)) {
			k->ann.epc_of[i] = value;
			found = true;
		}
	}
	if (!found && !k->ann.epc_unknown.p)
		k->ann.epc_unknown = name;
}

static void note_annotation(struct ask *k, struct span key, struct span value)
{
	struct annotations *ann = &k->ann;
	const struct {
		const char *key;
		struct span *to;
	} names[] = {
		{ANNOTATION_TEE, &ann->tee},
		{ANNOTATION_PROFILE, &ann->profile},
		{ANNOTATION_EPC, &ann->epc},
		{ANNOTATION_CONTAINERS, &ann->containers},
		{ANNOTATION_QUOTE, &ann->quote},
		{ANNOTATION_STATUS, &ann->status},
		{ANNOTATION_INTEL_EPC, &ann->intel_epc},
		{ANNOTATION_INTEL_QUOTE, &ann->intel_quote},
	};
	struct span of = span_after(key, ANNOTATION_EPC ".");

	if (of.p) {
		note_epc_of(k, of, value);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_is(key, names[i].key))
			*names[i].to = value;
}

/* One pass: a pod may carry thousands of annotations. */
static int read_annotations(struct ask *k)
{
	struct json_iter it;

	k->ann = (struct annotations){.epc_of = arena_array(k->a, struct span, k->pod.n)};
	if (!k->ann.epc_of)
		return -ENOMEM;
	json_each (it, k->pod.annotations) {
		struct span key = json_str(it.key, k->a);
		struct span value = SPAN_LIT("");

		if (!key.p)
			return -ENOMEM;
		if (!span_starts(key, "casemate.dev/") && !span_starts(key, "sgx.intel.com/"))
			continue;
		if (json_is_string(it.value))
			value = json_str(it.value, k->a);
		if (!value.p)
			return -ENOMEM;
		note_annotation(k, key, value);
	}
	return 0;
}

/* Adds a source; refused when it contradicts an earlier one. text NULL: out of memory. */
static int add_source(
	struct ask *k, struct sources *s, unsigned tees, enum tee decides, const char *text)
{
	const struct source *other = NULL;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < s->n && !other; i++)
		if ((s->v[i].tees & tees) == 0)
			other = &s->v[i];
	if (!other && s->n > 0 && (s->tees & tees) == 0)
		other = &s->v[s->n - 1];
	if (other)
		return ask_refuse(k, REASON_TeeConflict,
			"the pod asks for two TEEs at once: %s, but %s; remove one of the two",
			other->text, text);
	s->tees &= tees;
	s->v[s->n++] = (struct source){tees, decides, text};
	return 0;
}

static int ask_annotation(struct ask *k, struct sources *s)
{
	struct span value = k->ann.tee;
	enum tee t = tee_parse(value);

	if (!value.p)
		return 0;
	if (t == TEE_NONE)
		return ask_refuse(k, REASON_TeeUnknown,
			"annotation %s: \"" SPAN_FMT "\" is no TEE; use one of sgx, tdx, snp, cvm, "
			"node, node-tdx, node-snp",
			ANNOTATION_TEE, SHOWN(value));
	return add_source(k, s, 1U << t, t,
		arena_printf(k->a, "annotation %s says %s", ANNOTATION_TEE, tee_name(t)));
}

static int ambiguous(struct ask *k, const struct profile *p, const struct profile *q)
{
	return ask_refuse(k, REASON_ProfileAmbiguous,
		"two EnclaveProfiles apply to this pod: %s and %s; make their podSelectors "
		"disjoint, or change the pod's labels or its annotation %s",
		p->name, q->name, ANNOTATION_PROFILE);
}

/* The profile that the pod's annotation names. */
static int named_profile(struct ask *k, const struct profile **ret)
{
	const struct policy_request *rq = k->rq;
	struct span name = k->ann.profile;

	if (!name.p)
		return 0;
	if (!rq->namespace_enabled)
		return ask_refuse(k, REASON_NamespaceNotEnabled,
			"annotation %s: namespace " SPAN_FMT " has no profiles, since it is not "
			"labelled %s=%s; label it, or remove the annotation",
			ANNOTATION_PROFILE, SHOWN(rq->namespace_), NAMESPACE_LABEL,
			NAMESPACE_LABEL_VALUE);
	*ret = rq->profiles ? profile_find(rq->profiles, rq->namespace_, name) : NULL;
	if (!*ret)
		return ask_refuse(k, REASON_ProfileNotFound,
			"annotation %s: namespace " SPAN_FMT " has no EnclaveProfile \"" SPAN_FMT
			"\"; create it or correct the name",
			ANNOTATION_PROFILE, SHOWN(rq->namespace_), SHOWN(name));
	return 0;
}

static int ask_profile(struct ask *k, struct sources *s)
{
	const struct policy_request *rq = k->rq;
	const struct profile *named = NULL, *match = NULL, *other = NULL;
	int r = named_profile(k, &named);

	if (r)
		return r;
	/* Each term of each selector reads all labels: many of both would keep everybody waiting.
	 */
	if (rq->namespace_enabled && rq->profiles && json_count(k->pod.labels) > POD_LABELS_MAX &&
		profile_set_selects(rq->profiles, rq->namespace_))
		return ask_refuse(k, REASON_Malformed,
			"metadata.labels has more than %d labels, which is too many to compare "
			"with the podSelectors of namespace " SPAN_FMT "; remove some",
			POD_LABELS_MAX, SHOWN(rq->namespace_));
	if (rq->namespace_enabled && rq->profiles)
		match = profile_match(rq->profiles, rq->namespace_, k->pod.labels, &other);
	if (match && named && match != named)
		return ambiguous(k, named, match);
	if (match && other)
		return ambiguous(k, match, other);
	k->profile = named ? named : match;
	if (!k->profile)
		return 0;
	if (!k->profile->valid)
		return ask_refuse(k, REASON_ProfileInvalid,
			"EnclaveProfile %s applies to this pod and is not valid: %s",
			k->profile->name, k->profile->message);
	return add_source(k, s, 1U << k->profile->tee, k->profile->tee,
		arena_printf(
			k->a, "profile %s is for %s", k->profile->name, tee_name(k->profile->tee)));
}

static int ask_resources(struct ask *k, struct sources *s)
{
	unsigned seen = 0;

	for (size_t i = 0; i < k->pod.n; i++) {
		const struct container *c = &k->pod.containers[i];

		for (enum resource r = 0; r < RES_N; r++) {
			unsigned tees = raw[r].tees;
			int stop;

			if (!k->amounts[i].v[r].present || seen & 1U << r)
				continue;
			seen |= 1U << r;
			stop = add_source(k, s, tees, raw[r].decides,
				arena_printf(k->a, "container \"" SPAN_FMT "\" requests %s",
					SHOWN(c->name), resource_name(r)));
			if (stop)
				return stop;
		}
	}
	return 0;
}

/* The TEEs whose RuntimeClass name is, by name or by being accepted. */
static unsigned tees_of_class(const struct policy_config *config, struct span name)
{
	unsigned tees = 0;

	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++) {
		const struct tee_class *class = &config->classes[t];

		if (span_is(name, class->name))
			tees |= 1U << t;
		for (size_t i = 0; i < class->accepted.n; i++)
			if (span_is(name, class->accepted.v[i]))
				tees |= 1U << t;
	}
	return tees;
}

static int ask_class(struct ask *k, struct sources *s)
{
	struct span name = k->pod.runtime_class;
	unsigned tees;

	if (name.len == 0)
		return 0;
	if (span_starts(name, SIMULATED_PREFIX) && !k->rq->config->allow_simulated)
		return ask_refuse(k, REASON_SimulatedNotAllowed,
			"runtimeClassName \"" SPAN_FMT
			"\" is a simulated TEE, which protects nothing and is not allowed here; "
			"use a real TEE, or set allowSimulated in Casemate's configuration for "
			"development",
			SHOWN(name));
	if (span_starts(name, SIMULATED_PREFIX)) {
		enum tee t = tee_parse(span_after(name, SIMULATED_PREFIX));

		tees = t == TEE_NONE ? 0 : 1U << t;
	} else {
		tees = tees_of_class(k->rq->config, name);
	}
	if (tees == 0)
		return 0;
	/* A class of several TEEs decides nothing by itself. */
	return add_source(k, s, tees,
		__builtin_popcount(tees) == 1 ? (enum tee)__builtin_ctz(tees) : TEE_NONE,
		arena_printf(k->a, "its runtimeClassName is " SPAN_FMT, SHOWN(name)));
}

/* The first source that decides, among what all allow. */
static int decide(struct ask *k, const struct sources *s)
{
	const struct source *first = NULL, *second = NULL;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].decides == TEE_NONE)
			continue;
		if (s->tees & 1U << s->v[i].decides) {
			k->tee = s->v[i].decides;
			return 0;
		}
		second = first ? &s->v[i] : NULL;
		first = first ? first : &s->v[i];
	}
	if (!first)
		return 0;
	return ask_refuse(k, REASON_TeeConflict,
		"the pod does not say which TEE it asks for: %s%s%s; set the annotation %s",
		first->text, second ? ", but " : "", second ? second->text : "", ANNOTATION_TEE);
}

int ask_keys_in_init(struct ask *k, const struct container *c)
{
	return ask_refuse(k, REASON_KeysInInitContainer,
		"container \"" SPAN_FMT
		"\": an ordinary init container cannot request %s, since the "
		"kubelet gives its device to a later container; use a native sidecar "
		"(restartPolicy: Always) or an app container",
		SHOWN(c->name), RESOURCE_KEYS);
}

/* The amounts that a mutation relies on; the node aliases are left as they are. */
static int read_amounts(struct ask *k)
{
	struct error err = {0};

	for (size_t i = 0; i < k->pod.n; i++) {
		for (enum resource r = 0; r < RES_GOOGLE_CC; r++) {
			struct amount *am = &k->amounts[i].v[r];
			bool epc = r == RES_EPC || r == RES_AKS_EPC || r == RES_ALI_EPC;
			int e = am->present ? amount_read(am, k->pod.containers[i].name,
						      resource_name(r), &err)
					    : 0;

			if (e < 0)
				return ask_refuse(k,
					epc && e == -EINVAL ? REASON_EpcInvalid
							    : REASON_ResourceInvalid,
					"%s", err.message);
		}
		if (k->amounts[i].v[RES_KEYS].present &&
			k->pod.containers[i].kind == CONTAINER_INIT)
			return ask_keys_in_init(k, &k->pod.containers[i]);
	}
	return 0;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The text before the next comma, trimmed; moves rest behind it, to .p NULL at the end. */
static struct span next_name(struct span *rest)
{
	const char *comma = rest->len ? memchr(rest->p, ',', rest->len) : NULL;
	struct span name = *rest;

	if (!comma) {
		*rest = SPAN_NONE;
		return trim(name);
	}
	name.len = (size_t)(comma - name.p);
	rest->len -= name.len + 1;
	rest->p = comma + 1;
	return trim(name);
}

int ask_listed(struct ask *k, bool *listed)
{
	struct span rest = k->ann.containers;
	size_t names = 0;

	while (rest.p) {
		struct span name = next_name(&rest);
		bool found = false;

		if (name.len == 0 || ++names > POD_CONTAINERS_MAX)
			return ask_refuse(k, REASON_AnnotationInvalid,
				"annotation %s: \"" SPAN_FMT
				"\" is no list of container names such as \"app,helper\"; correct "
				"it, or remove it to select all app containers",
				ANNOTATION_CONTAINERS, SHOWN(k->ann.containers));
		for (size_t i = 0; i < k->pod.n; i++) {
			if (!span_equal(k->pod.containers[i].name, name))
				continue;
			found = true;
			if (listed)
				listed[i] = true;
		}
		if (!found)
			return ask_refuse(k, REASON_ContainerUnknown,
				"annotation %s: the pod has no container \"" SPAN_FMT
				"\"; correct the name",
				ANNOTATION_CONTAINERS, SHOWN(name));
	}
	return 0;
}

/* Does any of too many containers request what a TEE has? */
static bool crowd_requests(const struct ask *k)
{
	static const char *const lists[] = {"containers", "initContainers"};
	struct json_iter it;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_each (it, json_get(k->pod.spec, lists[i])) {
			struct amounts am;

			amounts_find(&am, it.value);
			for (enum resource r = 0; r < RES_N; r++)
				if (am.v[r].present)
					return true;
		}
	return false;
}

/* A pod that asks for nothing may have as many containers as Kubernetes allows. */
static int check_crowd(struct ask *k)
{
	if (!k->pod.crowded || (k->tee == TEE_NONE && !crowd_requests(k)))
		return 0;
	return ask_refuse(k, REASON_Malformed,
		"spec has more than %d containers, which is too many for a pod that asks for a "
		"TEE; remove some",
		POD_CONTAINERS_MAX);
}

static bool is_vendors(const struct ask *k)
{
	if (k->ann.tee.p || k->ann.profile.p || k->profile)
		return false;
	for (size_t i = 0; i < k->pod.n; i++)
		if (k->amounts[i].v[RES_EPC].present || k->amounts[i].v[RES_AKS_EPC].present ||
			k->amounts[i].v[RES_ALI_EPC].present)
			return true;
	return false;
}

static int view(struct ask *k)
{
	struct error err = {0};
	int r = pod_view(&k->pod, k->rq->object, k->a, &err);

	if (r == -EBADMSG)
		return ask_refuse(k, REASON_Malformed, "%s", err.message);
	if (r < 0)
		return r;
	k->amounts = arena_array(k->a, struct amounts, k->pod.n);
	if (!k->amounts)
		return -ENOMEM;
	for (size_t i = 0; i < k->pod.n; i++)
		amounts_find(&k->amounts[i], k->pod.containers[i].v);
	return read_annotations(k);
}

int ask_read(
	struct ask *k, const struct policy_request *rq, struct arena *a, struct policy_result *res)
{
	struct sources s = {.tees = TEES_ALL};
	int r;

	*k = (struct ask){.rq = rq, .a = a, .res = res};
	if ((r = view(k)) || (r = ask_annotation(k, &s)) || (r = ask_profile(k, &s)) ||
		(r = ask_resources(k, &s)) || (r = ask_class(k, &s)) || (r = decide(k, &s)) ||
		(r = check_crowd(k)))
		return r;
	res->tee = k->tee;
	if (k->tee == TEE_NONE)
		return 0;
	k->vendor = k->tee == TEE_SGX && is_vendors(k);
	return read_amounts(k);
}
