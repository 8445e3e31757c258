/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a profile that attestation and key release act on: what evidence is good enough,
 * which identities count, what may run. Checked here, judged there. */
#include <errno.h>

#include "common/base/cleanup.h"
#include "webhook/policy/guest_init_data.h"
#include "webhook/policy/names.h"
#include "webhook/policy/schema.h"

enum {
	ADVISORIES_MAX = 256,
	ADVISORY_MAX = 64, /* bytes */
	CONTAINERS_MAX = 64,
	DIGESTS_MAX = 64,
	ARGUMENTS_MAX = 256,
	ARGUMENT_MAX = 4096, /* bytes */
	ENV_MAX = 256,
	MOUNTS_MAX = 64,
	IDENTITIES_MAX = 64,
	SHA256_LEN = 32,
	SHA384_LEN = 48,
	SHA512_LEN = 64,
	SVN_MAX = 65535,
};

static int check_status(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const statuses[] = {"UpToDate", "SWHardeningNeeded",
		"ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
		"OutOfDateConfigurationNeeded", "TDRelaunchAdvised",
		"TDRelaunchAdvisedConfigurationNeeded", NULL};

	if (json_str_is(v, "Revoked"))
		return check_fail(c, at, "a revoked platform is never accepted");
	return check_enum(c, at, v, statuses, NULL);
}

static int check_statuses(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, ADVISORIES_MAX, true, check_status);
}

/* INTEL-SA-00615, AMD-SB-3019 */
static bool is_advisory(struct span s)
{
	if (s.len == 0 || s.len > ADVISORY_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(s.p[i] >= '0' && s.p[i] <= '9') &&
			s.p[i] != '-')
			return false;
	return true;
}

static int check_advisory(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, is_advisory, "advisory such as INTEL-SA-00615");
}

static int check_advisories(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, ADVISORIES_MAX, true, check_advisory);
}

static int check_allow_simulated(struct check *c, const struct place *at, struct json_val v)
{
	int r = check_bool(c, at, v);

	if (r < 0 || json_type(v) == JSON_FALSE || c->config->allow_simulated)
		return r;
	return check_fail(c, at, "configuration does not allow simulated TEEs (allowSimulated)");
}

/* Whether evidence of such a TEE is taken at all, the broker's own policy says. */
static int check_allow_debug(struct check *c, const struct place *at, struct json_val v)
{
	int r = check_bool(c, at, v);

	if (r < 0 || json_type(v) == JSON_FALSE || c->config->allow_debug)
		return r;
	return check_fail(c, at,
		"configuration allows no TEE in debug mode, which its host can read "
		"(attestation.allowDebug)");
}

int check_attestation(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"acceptedTcbStatuses", check_statuses, false},
		{"acceptedAdvisories", check_advisories, false},
		{"allowDebug", check_allow_debug, false},
		{"allowSimulated", check_allow_simulated, false},
	};

	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

static bool is_digest(struct span s)
{
	struct span hex = span_after(s, "sha256:");

	if (!name_is_hex(hex, SHA256_LEN))
		return false;
	for (size_t i = 0; i < hex.len; i++) /* as registries write it, so that text compares */
		if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
			return false;
	return true;
}

static int check_digest(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(
		c, at, v, is_digest, "digest (sha256: and 64 lower-case hexadecimal digits)");
}

static int check_argument(struct check *c, const struct place *at, struct json_val v)
{
	return check_text(c, at, v, ARGUMENT_MAX, NULL);
}

static int check_command(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, ARGUMENTS_MAX, false, check_argument);
}

/* LANG, or CASEMATE_* for all that begin so. Kubernetes lets names have dots and dashes. */
static bool is_env_pattern(struct span s)
{
	char name[NAME_SUBDOMAIN_MAX];

	if (s.len > 1 && s.p[s.len - 1] == '*')
		s.len--;
	if (s.len > sizeof(name))
		return false;
	for (size_t i = 0; i < s.len; i++)
		name[i] = s.p[i] == '.' || s.p[i] == '-' ? '_' : s.p[i];
	return name_is_env((struct span){name, s.len});
}

static int check_env_name(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, is_env_pattern, "environment variable's name");
}

static int check_env(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, ENV_MAX, true, check_env_name);
}

static int check_mount(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_path, "absolute path without \"..\"");
}

static int check_mounts(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, MOUNTS_MAX, true, check_mount);
}

static int check_probes(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const choices[] = {"none", "http", "exec", NULL};

	return check_enum(c, at, v, choices, NULL);
}

static int check_digests(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, DIGESTS_MAX, true, check_digest);
}

static int check_container(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"name", check_dns_label, true},
		{"imageDigests", check_digests, false},
		{"command", check_command, false},
		{"env", check_env, false},
		{"mounts", check_mounts, false},
		{"probes", check_probes, false},
	};

	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

/* Keeps what admission itself needs: the images. */
static int check_containers(struct check *c, const struct place *at, struct json_val v)
{
	int r = check_named(c, at, v, CONTAINERS_MAX, check_container);
	struct profile_workload *list;
	struct json_iter it;

	if (r < 0)
		return r;
	list = arena_array(c->a, struct profile_workload, json_count(v));
	if (!list)
		return -ENOMEM;
	json_each (it, v) {
		struct json_val digests = json_get(it.value, "imageDigests");
		struct span name = json_str(json_get(it.value, "name"), c->a);

		list[it.index].name = name.p ? arena_strdup(c->a, name) : NULL;
		if (!list[it.index].name)
			return -ENOMEM;
		if (json_exists(digests))
			r = check_strings(c, at, digests, DIGESTS_MAX, check_digest,
				&list[it.index].image_digests);
		if (r < 0)
			return r;
	}
	c->p->workload = list;
	c->p->n_workload = json_count(v);
	return 0;
}

int check_workload(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {{"containers", check_containers, true}};

	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

static int check_sha256(struct check *c, const struct place *at, struct json_val v)
{
	return check_hex(c, at, v, SHA256_LEN);
}

static int check_sha384(struct check *c, const struct place *at, struct json_val v)
{
	return check_hex(c, at, v, SHA384_LEN);
}

static int check_svn(struct check *c, const struct place *at, struct json_val v)
{
	return check_int(c, at, v, 0, SVN_MAX, NULL);
}

static int check_gramine_key(struct check *c, const struct place *at, struct json_val v)
{
	struct json_val key = check_find_named(json_get(c->spec, "keys"), v);
	struct span shown = check_shown(v);
	int r = check_dns_label(c, at, v);

	if (r < 0)
		return r;
	if (!json_exists(key))
		return check_fail(c, at, SPAN_FMT " is no key of this profile", SPAN_ARG(shown));
	if (json_exists(json_get(key, "use")))
		return check_fail(c, at,
			"key " SPAN_FMT " is for images and never leaves the broker",
			SPAN_ARG(shown));
	/* no token comes with Gramine's secret provisioning */
	if (json_type(json_find(key, "grant", "evidenceOnly")) != JSON_TRUE)
		return check_fail(c, at,
			"key " SPAN_FMT " must have grant.evidenceOnly: true, since an enclave "
			"that asks this way has no token",
			SPAN_ARG(shown));
	return 0;
}

/* A key may have identities of its own, and then gives nothing to others. */
static int check_gramine_counts(struct check *c, const struct place *at, struct json_val identity)
{
	struct json_val name = json_find(identity, "sgx", "gramineKey");
	struct json_val key = check_find_named(json_get(c->spec, "keys"), name);
	struct json_val named = json_get(key, "identities");

	if (!json_exists(name) || !json_exists(named) ||
		check_holds(named, json_get(identity, "name")))
		return 0;
	return check_fail(c, PLACE(PLACE(at, "sgx"), "gramineKey"),
		"key " SPAN_FMT " does not name this identity among its own (keys[].identities)",
		SPAN_ARG(check_shown(name)));
}

/* An identity that says nothing would match every enclave or guest there is. */
static int check_some(struct check *c, const struct place *at, struct json_val v, const char *a,
	const char *b, const char *text)
{
	if (json_exists(json_get(v, a)) || json_exists(json_get(v, b)))
		return 0;
	return check_fail(c, at, "needs %s", text);
}

static int check_sgx(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"mrenclave", check_sha256, false},
		{"mrsigner", check_sha256, false},
		{"isvProdId", check_svn, false},
		{"minIsvSvn", check_svn, false},
		{"gramineKey", check_gramine_key, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	return r < 0 ? r : check_some(c, at, v, "mrenclave", "mrsigner", "mrenclave or mrsigner");
}

/* "sha256:…", "sha384:…", "sha512:…", in lower case. */
static bool is_init_data_digest(struct span s)
{
	struct span hex = span_after(s, "sha256:");
	size_t len = SHA256_LEN;

	if (!hex.p) {
		hex = span_after(s, "sha384:");
		len = SHA384_LEN;
	}
	if (!hex.p) {
		hex = span_after(s, "sha512:");
		len = SHA512_LEN;
	}
	if (!hex.p || !name_is_hex(hex, len))
		return false;
	for (size_t i = 0; i < hex.len; i++)
		if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
			return false;
	return true;
}

static int check_init_data(struct check *c, const struct place *at, struct json_val v)
{
	if (!json_str_is(v, INIT_DATA_CASEMATE))
		return check_name(c, at, v, is_init_data_digest,
			"digest of init-data such as sha256:…, nor " INIT_DATA_CASEMATE);
	if (!guest_init_data_configured(c->config))
		return check_fail(c, at,
			INIT_DATA_CASEMATE " needs configuration that says where guests find the "
					   "broker (guests.kbsUrl)");
	return 0;
}

static int check_rtmrs(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"0", check_sha384, false},
		{"1", check_sha384, false},
		{"2", check_sha384, false},
		{"3", check_sha384, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	if (r == 0 && json_count(v) == 0)
		return check_fail(c, at, "must not be empty");
	return r;
}

static int check_tdx(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"mrtd", check_sha384, false},
		{"rtmrs", check_rtmrs, false},
		{"initData", check_init_data, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	return r < 0 ? r : check_some(c, at, v, "mrtd", "rtmrs", "mrtd or rtmrs");
}

static int check_snp(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"measurement", check_sha384, false},
		{"hostData", check_sha256, false},
		{"idKeyDigest", check_sha384, false},
		{"initData", check_init_data, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	if (r == 0 && json_exists(json_get(v, "initData")) && json_exists(json_get(v, "hostData")))
		return check_fail(c, at,
			"has both initData and hostData, which is where its digest is; choose one");
	/* the host chooses hostData, so alone it identifies nothing */
	return r < 0 ? r
		     : check_some(c, at, v, "measurement", "idKeyDigest",
			       "measurement or idKeyDigest");
}

static int check_simulated(struct check *c, const struct place *at, struct json_val v)
{
	return check_object(c, at, v, NULL, 0);
}

static int check_identity(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"name", check_dns_label, true},
		{"sgx", check_sgx, false},
		{"tdx", check_tdx, false},
		{"snp", check_snp, false},
		{"simulated", check_simulated, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));

	if (r == 0 && json_count(v) != 2)
		return check_fail(c, at, "needs exactly one of sgx, tdx, snp, simulated");
	return r < 0 ? r : check_gramine_counts(c, at, v);
}

int check_identities(struct check *c, const struct place *at, struct json_val v)
{
	return check_named(c, at, v, IDENTITIES_MAX, check_identity);
}
