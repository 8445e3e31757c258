/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/config.h"

#include <errno.h>

#include "common/base/cleanup.h"
#include "common/base/quantity.h"
#include "common/tee/cert.h"
#include "common/tee/pem.h"
#include "webhook/policy/names.h"

enum {
	SELECTOR_MAX = 16, /* labels of one class */
	NAMESPACE_LIMITS_MAX = 4096,
	KBS_URL_MAX = 256,     /* bytes behind https:// */
	KBS_CA_MAX = 16 << 10, /* of the certificates */
};

#define SIMULATED_PREFIX "casemate-simulated-"

static const struct label attested_sgx[] = {{LABEL_ATTESTED, "true"}, {LABEL_TEE, "sgx"}};
static const struct label attested_node[] = {
	{LABEL_ATTESTED, "true"}, {LABEL_NODE, "confidential"}};
static const struct label attested_node_tdx[] = {
	{LABEL_ATTESTED, "true"}, {LABEL_NODE, "confidential"}, {LABEL_TEE, "tdx"}};
static const struct label attested_node_snp[] = {
	{LABEL_ATTESTED, "true"}, {LABEL_NODE, "confidential"}, {LABEL_TEE, "snp"}};
static const struct label host_tdx[] = {{LABEL_CVM_HOST, "tdx"}};
static const struct label host_snp[] = {{LABEL_CVM_HOST, "snp"}};
static const struct label simulated[] = {{LABEL_ATTESTED, "simulated"}};
/* What a given but empty nodeSelector points to, to tell it from none. */
static const struct label no_labels[1];

/* The labels of each TEE's own class; verdict: those that requireAttestation asks for. */
static const struct {
	const struct label *v;
	size_t n;
	bool verdict;
} selectors[TEE_N] = {
	[TEE_SGX] = {attested_sgx, ARRAY_SIZE(attested_sgx), true},
	[TEE_TDX] = {host_tdx, ARRAY_SIZE(host_tdx), false},
	[TEE_SNP] = {host_snp, ARRAY_SIZE(host_snp), false},
	[TEE_NODE] = {attested_node, ARRAY_SIZE(attested_node), true},
	[TEE_NODE_TDX] = {attested_node_tdx, ARRAY_SIZE(attested_node_tdx), true},
	[TEE_NODE_SNP] = {attested_node_snp, ARRAY_SIZE(attested_node_snp), true},
};

/* A string of configuration, copied. */
static const char *text_of(struct json_val v, struct arena *a)
{
	struct span s = json_str(v, a);

	return s.p ? arena_strdup(a, s) : NULL;
}

/* field: the struct tee_class. */
static int parse_node_selector(const struct settings_source *src, struct json_val v, void *field,
	struct arena *a, struct error *err)
{
	struct tee_class *class = field;
	struct label *labels;
	struct json_iter it;

	if (!json_is_object(v))
		return settings_error(src, v, err, "must be a map of labels");
	if (json_count(v) > SELECTOR_MAX)
		return settings_error(src, v, err, "has %zu labels, at most %d are allowed",
			json_count(v), SELECTOR_MAX);
	labels = arena_array(a, struct label, json_count(v));
	if (!labels)
		return error_oom(err);
	json_each (it, v) {
		struct label *l = &labels[it.index];

		if (!json_is_string(it.value))
			return settings_error(
				src, it.value, err, "a label's value must be a string");
		l->key = text_of(it.key, a);
		l->value = text_of(it.value, a);
		if (!l->key || !l->value)
			return error_oom(err);
		if (!name_is_label_key(span_str(l->key)))
			return settings_error(src, it.key, err, "%.64s is no label key", l->key);
		if (!name_is_label_value(span_str(l->value)))
			return settings_error(
				src, it.value, err, "%.64s is no label value", l->value);
	}
	class->node_selector = json_count(v) > 0 ? labels : no_labels;
	class->n_node_selector = json_count(v);
	return 0;
}

/* field: the struct namespace_limits. {shop: 64Mi} */
static int parse_namespaces(const struct settings_source *src, struct json_val v, void *field,
	struct arena *a, struct error *err)
{
	struct namespace_limits *limits = field;
	struct namespace_limit *list;
	struct json_iter it;

	if (!json_is_object(v))
		return settings_error(src, v, err, "must be a map from namespace to quantity");
	if (json_count(v) > NAMESPACE_LIMITS_MAX)
		return settings_error(src, v, err, "has %zu namespaces, at most %d are allowed",
			json_count(v), NAMESPACE_LIMITS_MAX);
	list = arena_array(a, struct namespace_limit, json_count(v));
	if (!list)
		return error_oom(err);
	json_each (it, v) {
		struct namespace_limit *l = &list[it.index];
		struct quantity q = {0};

		l->namespace_ = text_of(it.key, a);
		if (!l->namespace_)
			return error_oom(err);
		if (!name_is_dns_label(span_str(l->namespace_)))
			return settings_error(
				src, it.key, err, "%.64s is no namespace's name", l->namespace_);
		if (quantity_from_json(&q, it.value, NULL) < 0 ||
			quantity_int64(q, &l->epc_max) < 0 || l->epc_max <= 0)
			return settings_error(src, it.value, err,
				"must be a positive whole quantity such as 64Mi");
	}
	*limits = (struct namespace_limits){list, json_count(v)};
	return 0;
}

static const char *const on_other[] = {"replace", "refuse", NULL};            /* class_conflict */
static const char *const in_process[] = {"never", "profile", "always", NULL}; /* in_process */
static const char *const vendor_modes[] = {"full", "devicesOnly", NULL};      /* vendor_mode */
static const char *const aesm_mounts[] = {"resource", "hostPath", NULL};      /* aesm_mount */

#define AT(member) offsetof(struct policy_config, member)

/* In the file only: a class is more than a flag can say. */
#define CLASS(text, tee, def_name)                                                                 \
	{.name = "runtimeClasses." text ".name",                                                   \
		.type = SETTING_STRING,                                                            \
		.offset = AT(classes[tee].name),                                                   \
		.def = def_name,                                                                   \
		.help = "RuntimeClass of pods that ask for tee " text,                             \
		.file_only = true},                                                                \
		{.name = "runtimeClasses." text ".accepted",                                       \
			.type = SETTING_STRINGS,                                                   \
			.offset = AT(classes[tee].accepted),                                       \
			.help = "other RuntimeClasses that such a pod may name itself",            \
			.file_only = true},                                                        \
		{.name = "runtimeClasses." text ".nodeSelector",                                   \
			.type = SETTING_CUSTOM,                                                    \
			.offset = AT(classes[tee]),                                                \
			.help = "labels of nodes that may run such a pod",                         \
			.file_only = true,                                                         \
			.parse = parse_node_selector}

const struct setting policy_settings[] = {
	{.name = "allowSimulated",
		.type = SETTING_BOOL,
		.offset = AT(allow_simulated),
		.def = "false",
		.help = "every TEE is simulated: nothing protects any pod"},
	{.name = "attestation.requireVerdicts", .type = SETTING_BOOL,
		.offset = AT(require_verdicts), .def = "false",
		.help = "refuse confidential pods while the verifier trusts no node for their TEE"},
	{.name = "attestation.allowDebug",
		.type = SETTING_BOOL,
		.offset = AT(allow_debug),
		.def = "false",
		.help = "profiles may accept TEEs in debug mode, which their hosts can read"},
	{.name = "runtimeClasses.requireAttestation",
		.type = SETTING_BOOL,
		.offset = AT(require_attestation),
		.def = "true",
		.help = "confidential pods run only on nodes that a verifier has attested"},
	{.name = "runtimeClasses.onOther",
		.type = SETTING_ENUM,
		.offset = AT(class_conflict),
		.def = "replace",
		.choices = on_other,
		.help = "what happens to a RuntimeClass that is not accepted"},
	CLASS("sgx", TEE_SGX, "casemate-sgx"),
	CLASS("tdx", TEE_TDX, "casemate-tdx"),
	CLASS("snp", TEE_SNP, "casemate-snp"),
	CLASS("cvm", TEE_CVM, NULL),
	CLASS("node", TEE_NODE, "casemate-node"),
	CLASS("node-tdx", TEE_NODE_TDX, "casemate-node-tdx"),
	CLASS("node-snp", TEE_NODE_SNP, "casemate-node-snp"),
	{.name = "epc.max",
		.type = SETTING_QUANTITY,
		.offset = AT(epc_max),
		.def = "0",
		.help = "most EPC of one container; 0: no maximum",
		.meta = "QUANTITY"},
	{.name = "epc.namespaces",
		.type = SETTING_CUSTOM,
		.offset = AT(namespace_limits),
		.help = "most EPC of one container, by namespace",
		.file_only = true,
		.parse = parse_namespaces},
	{.name = "quote.inProcess",
		.type = SETTING_ENUM,
		.offset = AT(in_process),
		.def = "profile",
		.choices = in_process,
		.help = "whose enclaves may hold the provision device"},
	{.name = "vendorPods.mode",
		.type = SETTING_ENUM,
		.offset = AT(vendor_mode),
		.def = "full",
		.choices = vendor_modes,
		.help = "what pods written for other SGX webhooks get"},
	{.name = "vendorPods.allowInProcess",
		.type = SETTING_BOOL,
		.offset = AT(vendor_in_process),
		.def = "true",
		.help = "they may hold the provision device, with a warning"},
	{.name = "aesm.mount",
		.type = SETTING_ENUM,
		.offset = AT(aesm_mount),
		.def = "resource",
		.choices = aesm_mounts,
		.help = "how AESM's socket comes into a pod; hostPath breaks Pod Security"},
	{.name = "access.breakGlassGroups",
		.type = SETTING_STRINGS,
		.offset = AT(break_glass_groups),
		.help = "groups that may enter confidential pods",
		.meta = "GROUPS"},
	{.name = "guests.kbsUrl",
		.type = SETTING_STRING,
		.offset = AT(guests.kbs_url),
		.help = "https://HOST[:PORT] at which confidential VMs find the broker; none: they "
			"are given no init-data",
		.meta = "URL"},
	{.name = "guests.kbsCa",
		.type = SETTING_STRING,
		.offset = AT(guests.kbs_ca),
		.help = "the CA that signed the broker's certificate (PEM text), which they pin",
		.file_only = true},
};
const size_t n_policy_settings = ARRAY_SIZE(policy_settings);

/* Is a class's name one that a TEE may have or accept? */
static int check_class_name(
	const char *name, const char *tee, const char *setting, struct error *err)
{
	if (!name_is_dns_subdomain(span_str(name)))
		return error_set(err, -EINVAL,
			"runtimeClasses.%s.%s: \"%.64s\" is no name of a "
			"RuntimeClass",
			tee, setting, name);
	if (span_starts(span_str(name), SIMULATED_PREFIX))
		return error_set(err, -EINVAL,
			"runtimeClasses.%s.%s: %.64s: names that begin with " SIMULATED_PREFIX
			" are for simulated TEEs",
			tee, setting, name);
	return 0;
}

/* The class that names a TEE must name one only. */
static int check_class_alone(const struct policy_config *c, enum tee tee, struct error *err)
{
	const char *name = c->classes[tee].name;

	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++) {
		const struct strings *accepted = &c->classes[t].accepted;

		if (t == tee)
			continue;
		if (strcmp(name, c->classes[t].name) == 0)
			return error_set(err, -EINVAL,
				"runtimeClasses.%s.name: %s is the class of tee %s already",
				tee_name(tee), name, tee_name(t));
		for (size_t i = 0; i < accepted->n; i++)
			if (strcmp(name, accepted->v[i]) == 0)
				return error_set(err, -EINVAL,
					"runtimeClasses.%s.accepted: %s is the class of tee %s",
					tee_name(t), name, tee_name(tee));
	}
	return 0;
}

static int check_classes(const struct policy_config *c, struct error *err)
{
	int r = 0;

	for (enum tee t = TEE_NONE + 1; t < TEE_N && r == 0; t++) {
		const struct tee_class *class = &c->classes[t];

		if (class->name[0] != '\0')
			r = check_class_name(class->name, tee_name(t), "name", err);
		for (size_t i = 0; i < class->accepted.n && r == 0; i++)
			r = check_class_name(class->accepted.v[i], tee_name(t), "accepted", err);
		if (r == 0 && class->name[0] != '\0')
			r = check_class_alone(c, t, err);
	}
	return r;
}

/* It stands in quotes in the guest's configuration. */
static int check_kbs_url(const char *url, struct error *err)
{
	struct span host = span_after(span_str(url), "https://");
	bool good = host.len > 0 && host.len <= KBS_URL_MAX;

	for (size_t i = 0; i < host.len; i++)
		good = good && host.p[i] > ' ' && host.p[i] < 0x7f && !strchr("\"'\\", host.p[i]);
	if (good)
		return 0;
	return error_set(err, -EINVAL, "guests.kbsUrl: \"%.64s\" is not https://HOST[:PORT]", url);
}

/* Takes the certificates alone, written anew: what guests measure does not depend on how somebody
 * indented them. */
static int read_kbs_ca(struct policy_config *c, struct arena *a, struct error *err)
{
	_cleanup_buf_ struct buf der = BUF_INIT(KBS_CA_MAX), pem = BUF_INIT(KBS_CA_MAX);
	struct span in = span_str(c->guests.kbs_ca);
	int r;

	while ((r = pem_next(&in, "CERTIFICATE", &der, err)) > 0) {
		_cleanup_(cert_unref_p) struct cert *cert = NULL;

		r = cert_parse_der(&cert, buf_view(&der), err);
		if (r < 0)
			break;
		if (pem_write(&pem, "CERTIFICATE", buf_view(&der)) < 0)
			return error_set(err, -EINVAL, "guests.kbsCa: more than %d bytes", KBS_CA_MAX);
		buf_reset(&der);
	}
	if (r < 0)
		return r == -ENOMEM ? r : error_prefix(err, -EINVAL, "guests.kbsCa");
	if (pem.len == 0)
		return error_set(err, -EINVAL,
			"guests.kbsCa: needed with guests.kbsUrl: the CA that signed the broker's "
			"certificate (PEM), so that guests believe nobody else");
	c->guests.kbs_ca = arena_strdup(a, buf_view(&pem));
	return c->guests.kbs_ca ? 0 : error_oom(err);
}

int policy_config_finish(struct policy_config *c, struct arena *a, struct error *err)
{
	int r = check_classes(c, err);

	if (r == 0 && *c->guests.kbs_url)
		r = check_kbs_url(c->guests.kbs_url, err);
	if (r == 0 && *c->guests.kbs_url)
		r = read_kbs_ca(c, a, err);
	if (r < 0)
		return r;
	c->classes[TEE_NONE].name = c->simulated[TEE_NONE].name = "";
	for (enum tee t = TEE_NONE + 1; t < TEE_N; t++) {
		struct tee_class *class = &c->classes[t];

		if (!class->node_selector && (c->require_attestation || !selectors[t].verdict)) {
			class->node_selector = selectors[t].v;
			class->n_node_selector = selectors[t].n;
		}
		c->simulated[t] = (struct tee_class){
			.name = arena_printf(a, SIMULATED_PREFIX "%s", tee_name(t)),
			.node_selector = simulated,
			.n_node_selector = c->require_attestation ? ARRAY_SIZE(simulated) : 0,
		};
		if (!c->simulated[t].name)
			return error_oom(err);
	}
	return 0;
}

int policy_config_default(struct policy_config *c, struct arena *a, struct error *err)
{
	struct settings_input in = {.table = policy_settings, .n = n_policy_settings};
	int r;

	*c = (struct policy_config){0};
	r = settings_read(&in, c, a, NULL, err);
	return r < 0 ? r : policy_config_finish(c, a, err);
}
