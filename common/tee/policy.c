/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/policy.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/base/yaml.h"
#include "common/tee/policy_read.h"

enum { REPORT_DATA = 64, VMPL_MAX = 3 };

static const struct yaml_limits yaml_limits = {POLICY_FILE_MAX, 1 << 16, 1, 16};
static const struct json_limits json_limits = {POLICY_FILE_MAX, 1 << 16, 16};

static int read_status(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct span name = SPAN_NONE;
	enum tcb_status status;
	int r = policy_string(rd, v, &name);

	if (r < 0)
		return r;
	if (json_str_is(v, "Revoked"))
		return policy_wrong(rd, at, v, "a revoked platform is never accepted");
	if (!tcb_status_parse(name, &status))
		return policy_wrong(rd, at, v,
			"must be one of UpToDate, SWHardeningNeeded, ConfigurationNeeded, "
			"ConfigurationAndSWHardeningNeeded, OutOfDate, "
			"OutOfDateConfigurationNeeded, TDRelaunchAdvised, "
			"TDRelaunchAdvisedConfigurationNeeded");
	*(enum tcb_status *)field = status;
	return 0;
}

static int read_statuses(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct verify_policy *p = field;
	enum tcb_status *list = NULL;
	size_t n = 0;
	int r = policy_array(rd, at, v, TCB_STATUS_N, read_status, sizeof(*list), &list, &n);

	for (size_t i = 0; i < n; i++)
		p->accepted_tcb |= 1u << list[i];
	return r;
}

static int read_advisories(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct verify_policy *p = field;

	return policy_array(rd, at, v, POLICY_ADVISORIES_MAX, policy_text, sizeof(struct span),
		&p->accepted_advisories, &p->n_accepted_advisories);
}

static int read_tdx(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"requireSeptVeDisable", policy_not, offsetof(struct verify_policy, allow_sept_ve)},
		{"allowedAttributes", policy_bits,
			offsetof(struct verify_policy, td_attributes_allowed)},
		{"allowedXfam", policy_bits, offsetof(struct verify_policy, xfam_allowed)},
	};

	return policy_object(rd, at, v, members, ARRAY_SIZE(members), field);
}

static int read_vmpl(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	int r = policy_byte(rd, at, v, field);

	if (r == 0 && *(uint8_t *)field > VMPL_MAX)
		return policy_wrong(rd, at, v, "must be a privilege level from 0 to %d", VMPL_MAX);
	return r;
}

static int read_min_tcb(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"fmc", policy_byte, offsetof(struct snp_tcb, fmc)},
		{"bootloader", policy_byte, offsetof(struct snp_tcb, bootloader)},
		{"tee", policy_byte, offsetof(struct snp_tcb, tee)},
		{"snp", policy_byte, offsetof(struct snp_tcb, snp)},
		{"microcode", policy_byte, offsetof(struct snp_tcb, microcode)},
	};

	return policy_object(rd, at, v, members, ARRAY_SIZE(members), field);
}

static int read_snp(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"vmpl", read_vmpl, offsetof(struct verify_policy, vmpl)},
		{"minTcb", read_min_tcb, offsetof(struct verify_policy, min_tcb)},
		{"requiredPolicy", policy_bits, offsetof(struct verify_policy, snp_required)},
		{"forbiddenPolicy", policy_bits, offsetof(struct verify_policy, snp_forbidden)},
		{"requiredPlatformInfo", policy_bits,
			offsetof(struct verify_policy, platform_required)},
		{"allowProvisional", policy_not,
			offsetof(struct verify_policy, refuse_provisional)},
	};

	return policy_object(rd, at, v, members, ARRAY_SIZE(members), field);
}

static int read_roots(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	(void)field;
	/* The vendors' and the simulated one. */
	return policy_array(rd, at, v, ROOTS_EXTRA_MAX + 1, policy_text, sizeof(struct span),
		&rd->d->trusted_roots, &rd->d->n_trusted_roots);
}

static int read_report_data(
	struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	unsigned char *bytes = arena_alloc(&rd->d->arena, REPORT_DATA);

	if (!bytes)
		return error_oom(rd->err);
	((struct verify_policy *)field)->report_data = bytes;
	return policy_hex(rd, at, v, bytes, REPORT_DATA, false, NULL);
}

static int read_time(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct span text = SPAN_NONE;
	int64_t t;
	int r = policy_string(rd, v, &text);

	(void)field;
	if (r < 0)
		return r;
	if (text.p && clock_parse(text, &t) == 0)
		t /= USEC_PER_SEC;
	else if (!json_int(v, &t))
		t = -1;
	if (t < 0)
		return policy_wrong(rd, at, v,
			"must be a time since 1970: Unix seconds, or RFC 3339 "
			"(2025-06-27T04:53:20Z)");
	rd->d->time = t;
	return 0;
}

static int read_document(struct policy_reader *rd, struct json_val v, const char *where)
{
	static const struct policy_member members[] = {
		{"acceptedTcbStatuses", read_statuses, 0},
		{"acceptedAdvisories", read_advisories, 0},
		{"allowDebug", policy_bool, offsetof(struct verify_policy, allow_debug)},
		{"allowSimulated", policy_bool, offsetof(struct verify_policy, allow_simulated)},
		{"allowMigration", policy_bool, offsetof(struct verify_policy, allow_migration)},
		{"requireCrl", policy_bool, offsetof(struct verify_policy, require_crl)},
		{"requireMeasurements", policy_bool,
			offsetof(struct verify_policy, measurements_required)},
		{"minTcbEvaluationDataNumber", policy_u32,
			offsetof(struct verify_policy, min_evaluation_number)},
		{"tdx", read_tdx, 0},
		{"snp", read_snp, 0},
		{"measurements", policy_measurements, 0},
		{"trustedRoots", read_roots, 0},
		{"reportData", read_report_data, 0},
		{"time", read_time, 0},
	};

	return policy_object(rd, where, v, members, ARRAY_SIZE(members), &rd->d->policy);
}

static int read_yaml(struct policy_document *d, const struct yaml_document *yaml, const char *name,
	struct error *err)
{
	struct policy_reader rd = {d, yaml, name, err};
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	int r = json_parse(&doc, (struct span){yaml->json, yaml->json_len}, &json_limits, err);

	if (r < 0)
		return error_prefix(err, r, "%s", name);
	root = json_root(&doc);
	if (json_str_is(json_get(root, "kind"), "EnclaveProfile")) {
		root = json_find(root, "spec", "attestation");
		return json_exists(root) ? read_document(&rd, root, "spec.attestation") : 0;
	}
	if (json_count(root) == 1 && json_exists(json_get(root, "attestation")))
		return read_document(&rd, json_get(root, "attestation"), "attestation");
	return read_document(&rd, root, "");
}

int policy_document_parse(
	struct policy_document *ret, struct span text, const char *name, struct error *err)
{
	_cleanup_yaml_stream_ struct yaml_stream stream = {0};
	int r = yaml_read(&stream, text, name, &yaml_limits, err);

	if (r < 0)
		return r;
	if (stream.n == 0)
		return error_set(err, -EINVAL, "%s: says nothing; {} is the default policy", name);
	return read_yaml(ret, &stream.documents[0], name, err);
}

void policy_document_free(struct policy_document *d)
{
	arena_free(&d->arena);
	*d = (struct policy_document){.time = -1};
}
