/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence as the confidential containers' guest components and Trustee write it. */
#include <endian.h>

#include "common/tee/evidence_private.h"

static const struct json_limits limits = {EVIDENCE_MAX, EVIDENCE_MAX, 16};

static int wrong(struct opening *o, const char *name, const char *what)
{
	return opening_refuse(o, REASON_Malformed, "the evidence's %s is no %s", name, what);
}

/* A whole number up to max. */
static bool read_number(struct json_val v, uint64_t max, uint64_t *ret)
{
	struct span raw = json_raw(v);
	uint64_t n = 0;

	if (json_type(v) != JSON_NUMBER)
		return false;
	for (size_t i = 0; i < raw.len; i++)
		if (raw.p[i] < '0' || raw.p[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
			__builtin_add_overflow(n, (uint64_t)(raw.p[i] - '0'), &n))
			return false;
	*ret = n;
	return n <= max;
}

/* An array of len numbers up to 255. */
static bool read_bytes(struct json_val v, unsigned char *to, size_t len)
{
	struct json_iter it;
	uint64_t n;

	if (!json_is_array(v) || json_count(v) != len)
		return false;
	json_each (it, v) {
		if (!read_number(it.value, 255, &n))
			return false;
		*to++ = (unsigned char)n;
	}
	return true;
}

enum kind { NUMBER, BYTES, TCB, VERSION };

/* The members of "attestation_report", and where the report has them. */
static const struct {
	const char *name;
	enum kind kind;
	unsigned offset, len;
	bool optional; /* missing or null is 0: of a later version of the report */
} members[] = {
	{"version", NUMBER, 0x00, 4, false},
	{"guest_svn", NUMBER, 0x04, 4, false},
	{"policy", NUMBER, 0x08, 8, false},
	{"family_id", BYTES, 0x10, 16, false},
	{"image_id", BYTES, 0x20, 16, false},
	{"vmpl", NUMBER, 0x30, 4, false},
	{"sig_algo", NUMBER, 0x34, 4, false},
	{"current_tcb", TCB, 0x38, 8, false},
	{"plat_info", NUMBER, 0x40, 8, false},
	{"key_info", NUMBER, 0x48, 4, false},
	{"report_data", BYTES, 0x50, 64, false},
	{"measurement", BYTES, 0x90, 48, false},
	{"host_data", BYTES, 0xC0, 32, false},
	{"id_key_digest", BYTES, 0xE0, 48, false},
	{"author_key_digest", BYTES, 0x110, 48, false},
	{"report_id", BYTES, 0x140, 32, false},
	{"report_id_ma", BYTES, 0x160, 32, false},
	{"reported_tcb", TCB, 0x180, 8, false},
	{"cpuid_fam_id", NUMBER, 0x188, 1, true},
	{"cpuid_mod_id", NUMBER, 0x189, 1, true},
	{"cpuid_step", NUMBER, 0x18A, 1, true},
	{"chip_id", BYTES, 0x1A0, 64, false},
	{"committed_tcb", TCB, 0x1E0, 8, false},
	{"current", VERSION, 0x1E8, 3, false},
	{"committed", VERSION, 0x1EC, 3, false},
	{"launch_tcb", TCB, 0x1F0, 8, false},
	{"launch_mit_vector", NUMBER, 0x1F8, 8, true},
	{"current_mit_vector", NUMBER, 0x200, 8, true},
};

static bool write_number(struct json_val v, unsigned char *to, size_t len)
{
	uint64_t n;

	if (!read_number(v, len == 8 ? UINT64_MAX : (1ull << 8 * len) - 1, &n))
		return false;
	n = htole64(n);
	memcpy(to, &n, len);
	return true;
}

/* An object of SVNs; "fmc" is null but on Turin and later, where the others move up. */
static bool write_tcb(struct json_val v, unsigned char to[8])
{
	struct json_val fmc = json_get(v, "fmc");
	bool turin = json_exists(fmc) && json_type(fmc) != JSON_NULL;

	return (!turin || write_number(fmc, to, 1)) &&
	       write_number(json_get(v, "bootloader"), to + (turin ? 1 : 0), 1) &&
	       write_number(json_get(v, "tee"), to + (turin ? 2 : 1), 1) &&
	       write_number(json_get(v, "snp"), to + (turin ? 3 : 6), 1) &&
	       write_number(json_get(v, "microcode"), to + 7, 1);
}

static bool write_member(struct json_val v, enum kind kind, unsigned char *to, size_t len)
{
	switch (kind) {
	case NUMBER:
		return write_number(v, to, len);
	case BYTES:
		return read_bytes(v, to, len);
	case TCB:
		return write_tcb(v, to);
	case VERSION:
		return write_number(json_get(v, "build"), to, 1) &&
		       write_number(json_get(v, "minor"), to + 1, 1) &&
		       write_number(json_get(v, "major"), to + 2, 1);
	}
	return false;
}

/* The report again as the firmware wrote it: the signature is over these bytes. */
static int read_report(struct opening *o, struct json_val v)
{
	unsigned char report[SNP_REPORT] = {0};
	struct json_val signature = json_get(v, "signature");
	struct span kept = SPAN_NONE;
	int r;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct json_val m = json_get(v, members[i].name);

		if (members[i].optional && (!json_exists(m) || json_type(m) == JSON_NULL))
			continue;
		if (!write_member(m, members[i].kind, report + members[i].offset, members[i].len))
			return opening_refuse(o, REASON_Malformed,
				"the evidence's attestation_report.%s is missing or no value of %u "
				"bytes",
				members[i].name, members[i].len);
	}
	if (!read_bytes(json_get(signature, "r"), report + SNP_REPORT_SIGNED, 72) ||
		!read_bytes(json_get(signature, "s"), report + SNP_REPORT_SIGNED + 72, 72))
		return wrong(
			o, "attestation_report.signature", "object of r and s, arrays of 72 bytes");
	r = opening_keep(o, report, sizeof(report), &kept);
	return r < 0 ? r : opening_report(o, kept);
}

/* Certificates of other kinds (their "cert_type" is an object) are passed over. */
static int read_chain(struct opening *o, struct json_val chain)
{
	struct snp_certs *certs = &o->e->certs;
	const struct {
		const char *type;
		struct span *to;
	} kinds[] = {{"VCEK", &certs->vcek}, {"VLEK", &certs->vlek}, {"ASK", &certs->ask},
		{"ARK", &certs->ark}, {"CRL", &certs->crl}};
	struct json_iter it;

	json_each (it, chain) {
		struct json_val type = json_get(it.value, "cert_type");
		struct json_val data = json_get(it.value, "data");
		size_t k = 0, len = json_count(data);
		_cleanup_free_ unsigned char *bytes = malloc(len ? len : 1);
		int r;

		if (!bytes)
			return error_oom(o->err);
		while (k < sizeof(kinds) / sizeof(kinds[0]) && !json_str_is(type, kinds[k].type))
			k++;
		if (k == sizeof(kinds) / sizeof(kinds[0]))
			continue;
		if (kinds[k].to->p || len == 0 || !read_bytes(data, bytes, len))
			return opening_refuse(o, REASON_Malformed,
				"the evidence's cert_chain: the %s is there twice, or its data is "
				"no "
				"array of bytes",
				kinds[k].type);
		r = opening_keep(o, bytes, len, kinds[k].to);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_snp(struct opening *o, struct json_val root)
{
	struct json_val chain = json_get(root, "cert_chain");
	int r;

	if (json_exists(chain) && json_type(chain) != JSON_NULL && !json_is_array(chain))
		return wrong(o, "cert_chain", "array");
	r = read_report(o, json_get(root, "attestation_report"));
	return r < 0 ? r : read_chain(o, chain);
}

/* A string member decoded. */
static int read_encoded(struct opening *o, struct json_val v, const char *name,
	int (*decode)(struct opening *, struct span, struct span *), struct span *ret)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(EVIDENCE_MAX);
	struct span text = json_str(json_get(v, name), &a);

	return text.p ? decode(o, text, ret) : wrong(o, name, "string");
}

static int open_quote(struct opening *o, struct json_val root)
{
	struct span quote = SPAN_NONE;
	int r = read_encoded(o, root, "quote", opening_base64, &quote);

	return r < 0 ? r : opening_quote(o, quote);
}

/* {"signature", "message", "pcrs": [24 of 64 digits]} in hexadecimal digits. */
static int read_tpm_quote(
	struct opening *o, struct json_val v, const struct hcl *h, int64_t version)
{
	struct span message = {0}, signature = {0}, pcr = {0}, all = {0};
	struct json_iter it;
	int r = read_encoded(o, v, "message", opening_hex, &message);

	if (r == 0)
		r = read_encoded(o, v, "signature", opening_hex, &signature);
	json_each (it, json_get(v, "pcrs")) {
		_cleanup_arena_ struct arena a = ARENA_INIT(256);
		struct span text = json_str(it.value, &a);

		if (r == 0 && text.len == 64)
			r = opening_hex(o, text, &pcr);
		else if (r == 0)
			r = wrong(o, "tpm_quote.pcrs", "array of 32 bytes in hexadecimal digits");
		if (r < 0)
			return r;
		/* One after the other, so they lie side by side. */
		all = (struct span){all.p ? all.p : pcr.p, all.len + pcr.len};
	}
	return r < 0 ? r : hcl_vtpm(o, h, message, signature, all, version);
}

/* az-snp-vtpm and az-tdx-vtpm, of version 1 and 2. */
static int open_vtpm(struct opening *o, struct json_val root)
{
	bool tdx = json_exists(json_get(root, "td_quote"));
	struct span wrapped = SPAN_NONE, quote = SPAN_NONE;
	int64_t version;
	struct hcl h = {0};
	int r;

	if (!json_int(json_get(root, "version"), &version) || version < 1 || version > 2)
		return opening_refuse(o, REASON_UnsupportedVersion,
			"the version of az-%s-vtpm evidence is neither 1 nor 2",
			tdx ? "tdx" : "snp");
	r = read_encoded(o, root, "hcl_report", opening_base64, &wrapped);
	if (r == 0 && !hcl_is(wrapped))
		r = wrong(o, "hcl_report", "HCLA report");
	if (r == 0)
		r = hcl_parse(o, &h, wrapped);
	if (r == 0 && h.tdx != tdx)
		r = wrong(o, "hcl_report", "report of this TEE");
	if (r == 0 && tdx)
		r = read_encoded(o, root, "td_quote", opening_base64, &quote);
	if (r == 0 && !tdx)
		r = read_encoded(o, root, "vcek", opening_base64, &o->e->certs.vcek);
	if (r == 0)
		r = tdx ? opening_quote(o, quote) : opening_report(o, h.report);
	if (r == 0 && tdx && o->e->tee != TEE_TYPE_TDX)
		r = wrong(o, "td_quote", "quote of a TD");
	if (r == 0)
		r = hcl_check(o, &h, evidence_report_data(o->e));
	return r < 0 ? r : read_tpm_quote(o, json_get(root, "tpm_quote"), &h, version);
}

static int open_simulated(struct opening *o, struct span text)
{
	int r = simulated_parse(&o->e->simulated, text, &o->reason, o->err);

	if (r < 0)
		return r;
	o->e->tee = TEE_TYPE_SIMULATED;
	return opening_digest(o, text);
}

int opening_json(struct opening *o, struct span text)
{
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, text, &limits, o->err);
	struct json_val root = json_root(&doc);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		o->reason = REASON_Malformed;
		return error_prefix(o->err, -EBADMSG, "the evidence");
	}
	if (json_exists(json_get(root, "casemateSimulated")))
		return open_simulated(o, text);
	if (json_exists(json_get(root, "attestation_report")))
		return open_snp(o, root);
	if (json_exists(json_get(root, "hcl_report")))
		return open_vtpm(o, root);
	if (json_is_string(json_get(root, "quote")))
		return open_quote(o, root);
	if (json_exists(json_get(root, "svn")) && json_exists(json_get(root, "report_data")))
		return opening_refuse(o, REASON_SampleNotAllowed,
			"Trustee's sample evidence proves nothing: use a TEE");
	return opening_refuse(o, REASON_UnsupportedVersion,
		"the evidence is a JSON document of no kind that Casemate knows (quote, "
		"attestation_report, hcl_report, casemateSimulated)");
}
