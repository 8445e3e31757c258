/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy's measurements: what may run. */
#include <errno.h>

#include "common/tee/evidence.h"
#include "common/tee/policy_read.h"

enum { REGISTERS_MAX = 10, NAME_MAX_LEN = 63 };

/* A register that the policy may name, by TEE. */
struct register_name {
	const char *member, *name; /* in the policy; of the evidence (verify.h) */
	size_t len;
	bool identifies; /* it says which code runs; the others are the host's or owner's choice */
};

static const struct register_name sgx_registers[] = {
	{"mrenclave", "mrenclave", 32, true},
	{"mrsigner", "mrsigner", 32, true},
};
static const struct register_name tdx_registers[] = {
	{"mrtd", "mrtd", 48, true},
	{"mrseam", "mrseam", 48, false},
	{"mrconfigid", "mrconfigid", 48, false},
	{"mrowner", "mrowner", 48, false},
	{"mrownerconfig", "mrownerconfig", 48, false},
};
static const struct register_name rtmrs[] = {
	{"0", "rtmr0", 48, true},
	{"1", "rtmr1", 48, true},
	{"2", "rtmr2", 48, true},
	{"3", "rtmr3", 48, true},
};
static const struct register_name snp_registers[] = {
	{"measurement", "measurement", 48, true},
	{"hostData", "hostData", 32, false},
	{"idKeyDigest", "idKeyDigest", 48, true},
	{"authorKeyDigest", "authorKeyDigest", 48, false},
};

/* One entry being read. */
struct entry {
	struct accepted a;
	bool identifies;
};

static int add(struct policy_reader *rd, struct entry *e, const char *at, struct json_val v,
	const char *name, size_t len, bool exact)
{
	struct measurement *m;

	if (!e->a.measurements)
		e->a.measurements = arena_array(&rd->d->arena, struct measurement, REGISTERS_MAX);
	if (!e->a.measurements)
		return error_oom(rd->err);
	m = &e->a.measurements[e->a.n_measurements++];
	m->name = name;
	return policy_hex(rd, at, v, m->value, len, exact, &m->len);
}

/* The registers among v's members; each other one is in members, or unknown. */
static int read_registers(struct policy_reader *rd, const char *at, struct json_val v,
	struct entry *e, const struct register_name *registers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct json_val value = json_get(v, registers[i].member);
		const char *path;
		int r;

		if (!json_exists(value))
			continue;
		path = policy_path(rd, at, span_str(registers[i].member));
		r = path ? add(rd, e, path, value, registers[i].name, registers[i].len, true)
			 : error_oom(rd->err);
		if (r < 0)
			return r;
		e->identifies = e->identifies || registers[i].identifies;
	}
	return 0;
}

/* Was or will be read by read_registers(). */
static int is_register(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	(void)rd;
	(void)at;
	(void)v;
	(void)field;
	return 0;
}

static int read_rtmrs(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"0", is_register, 0},
		{"1", is_register, 0},
		{"2", is_register, 0},
		{"3", is_register, 0},
	};
	int r = policy_object(rd, at, v, members, ARRAY_SIZE(members), field);

	return r < 0 ? r : read_registers(rd, at, v, field, rtmrs, ARRAY_SIZE(rtmrs));
}

/* An entry that pins no code would accept whatever runs. */
static int needs(struct policy_reader *rd, const char *at, struct json_val v, const struct entry *e,
	const char *what)
{
	return e->identifies ? 0 : policy_wrong(rd, at, v, "needs %s, to say what may run", what);
}

static int read_sgx(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"mrenclave", is_register, 0},
		{"mrsigner", is_register, 0},
		{"isvProdId", policy_u16, offsetof(struct entry, a.isv_prod_id)},
		{"minIsvSvn", policy_u16, offsetof(struct entry, a.min_isv_svn)},
	};
	struct entry *e = field;
	int r = policy_object(rd, at, v, members, ARRAY_SIZE(members), e);

	e->a.tees = 1u << TEE_TYPE_SGX;
	if (r == 0)
		r = read_registers(rd, at, v, e, sgx_registers, ARRAY_SIZE(sgx_registers));
	return r < 0 ? r : needs(rd, at, v, e, "mrenclave or mrsigner");
}

static int read_tdx(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"mrtd", is_register, 0},
		{"rtmrs", read_rtmrs, 0},
		{"mrseam", is_register, 0},
		{"mrconfigid", is_register, 0},
		{"mrowner", is_register, 0},
		{"mrownerconfig", is_register, 0},
	};
	struct entry *e = field;
	int r = policy_object(rd, at, v, members, ARRAY_SIZE(members), e);

	e->a.tees = 1u << TEE_TYPE_TDX;
	if (r == 0)
		r = read_registers(rd, at, v, e, tdx_registers, ARRAY_SIZE(tdx_registers));
	return r < 0 ? r : needs(rd, at, v, e, "mrtd or rtmrs");
}

static int read_snp(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"measurement", is_register, 0},
		{"hostData", is_register, 0},
		{"idKeyDigest", is_register, 0},
		{"authorKeyDigest", is_register, 0},
		{"minGuestSvn", policy_u16, offsetof(struct entry, a.min_guest_svn)},
	};
	struct entry *e = field;
	int r = policy_object(rd, at, v, members, ARRAY_SIZE(members), e);

	e->a.tees = 1u << TEE_TYPE_SNP;
	if (r == 0)
		r = read_registers(rd, at, v, e, snp_registers, ARRAY_SIZE(snp_registers));
	return r < 0 ? r : needs(rd, at, v, e, "measurement or idKeyDigest");
}

/* {}: any. Its registers have whatever names the simulator gave them. */
static int read_simulated(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct entry *e = field;
	struct json_iter it;

	e->a.tees = 1u << TEE_TYPE_SIMULATED;
	if (!json_is_object(v) || json_count(v) > SIMULATED_MEASUREMENTS_MAX)
		return policy_wrong(rd, at, v, "must be an object of at most %d registers",
			SIMULATED_MEASUREMENTS_MAX);
	json_each (it, v) {
		struct span key = json_str(it.key, &rd->d->arena);
		const char *name = key.p ? arena_strdup(&rd->d->arena, key) : NULL;
		const char *path = name ? policy_path(rd, at, key) : NULL;
		int r = path ? add(rd, e, path, it.value, name,
				       sizeof(((struct simulated *)0)->measurements[0].value),
				       false)
			     : error_oom(rd->err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_name(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct span name = SPAN_NONE;
	int r = policy_text(rd, at, v, &name);

	if (r < 0)
		return r;
	if (name.len > NAME_MAX_LEN)
		return policy_wrong(rd, at, v, "must be at most %d bytes", NAME_MAX_LEN);
	((struct entry *)field)->a.name = name.p;
	return 0;
}

static int read_entry(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	static const struct policy_member members[] = {
		{"name", read_name, 0},
		{"sgx", read_sgx, 0},
		{"tdx", read_tdx, 0},
		{"snp", read_snp, 0},
		{"simulated", read_simulated, 0},
	};
	struct entry e = {.a = {.isv_prod_id = -1}};
	int r = policy_object(rd, at, v, members, ARRAY_SIZE(members), &e);

	if (r < 0)
		return r;
	if (!e.a.name || json_count(v) != 2)
		return policy_wrong(
			rd, at, v, "needs a name and exactly one of sgx, tdx, snp, simulated");
	*(struct accepted *)field = e.a;
	return 0;
}

int policy_measurements(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct verify_policy *p = field;

	return policy_array(rd, at, v, POLICY_ACCEPTED_MAX, read_entry, sizeof(struct accepted),
		&p->accepted, &p->n_accepted);
}
