/* SPDX-License-Identifier: Apache-2.0
 *
 * What evidence says, field by field. */
#include <inttypes.h>
#include <stdio.h>

#include "common/tee/claims_out.h"

/* A bit that has a name of its own. */
struct bit {
	const char *name;
	unsigned n;
};

static const struct bit sgx_flags[] = {
	{"init", 0},
	{"debug", 1},
	{"mode64bit", 2},
	{"provisionKey", 4},
	{"einitTokenKey", 5},
	{"cet", 6},
	{"kss", 7},
	{"aexNotify", 10},
};
static const struct bit td_attributes[] = {
	{"debug", 0},
	{"icssd", 16},
	{"lass", 27},
	{"septVeDisable", 28},
	{"migratable", 29},
	{"pks", 30},
	{"kl", 31},
	{"tpa", 62},
	{"perfmon", 63},
};
static const struct bit snp_policy[] = {
	{"smt", 16},
	{"migrateMa", 18},
	{"debug", 19},
	{"singleSocket", 20},
	{"cxlAllow", 21},
	{"memAes256Xts", 22},
	{"raplDis", 23},
	{"ciphertextHiding", 24},
	{"pageSwapDisable", 25},
};
static const struct bit snp_platform_info[] = {
	{"smtEnabled", 0},
	{"tsmeEnabled", 1},
	{"eccEnabled", 2},
	{"raplDisabled", 3},
	{"ciphertextHiding", 4},
	{"aliasCheckComplete", 5},
	{"tioEnabled", 7},
};

/* A number as people write sets of bits. */
static void write_word(struct json_out *o, const char *key, uint64_t word)
{
	char text[19];

	snprintf(text, sizeof(text), "0x%016" PRIx64, word);
	json_out_str(o, key, span_str(text));
}

static void write_bits(struct json_out *o, uint64_t word, const struct bit *bits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_out_bool(o, bits[i].name, word >> bits[i].n & 1);
}

static void write_quote(struct json_out *o, const struct quote *q)
{
	json_out_open(o, "quote", '{');
	json_out_int(o, "version", q->version);
	json_out_hex(o, "qeVendorId", q->qe_vendor, 16);
	json_out_hex(o, "userData", q->user_data, 20);
	json_out_int(o, "certificationDataType", q->cert_type);
	json_out_close(o, '}');
	json_out_open(o, "qe", '{');
	json_out_hex(o, "mrenclave", q->qe.mrenclave, 32);
	json_out_hex(o, "mrsigner", q->qe.mrsigner, 32);
	json_out_int(o, "isvProdId", q->qe.isvprodid);
	json_out_int(o, "isvSvn", q->qe.isvsvn);
	json_out_close(o, '}');
}

static void write_sgx(struct json_out *o, const struct sgx_report *r)
{
	json_out_hex(o, "mrenclave", r->mrenclave, 32);
	json_out_hex(o, "mrsigner", r->mrsigner, 32);
	json_out_int(o, "isvProdId", r->isvprodid);
	json_out_int(o, "isvSvn", r->isvsvn);
	json_out_open(o, "attributes", '{');
	write_word(o, "flags", r->flags);
	write_word(o, "xfrm", r->xfrm);
	write_bits(o, r->flags, sgx_flags, ARRAY_SIZE(sgx_flags));
	json_out_close(o, '}');
	write_word(o, "miscSelect", r->miscselect);
	json_out_hex(o, "cpuSvn", r->cpusvn, 16);
	json_out_hex(o, "isvExtProdId", r->isvextprodid, 16);
	json_out_hex(o, "isvFamilyId", r->isvfamilyid, 16);
	json_out_hex(o, "configId", r->configid, 64);
	json_out_int(o, "configSvn", r->configsvn);
	json_out_hex(o, "reportData", r->report_data, 64);
}

static void write_td(struct json_out *o, const struct td_report *r)
{
	static const char *const numbers[] = {"0", "1", "2", "3"};

	json_out_hex(o, "mrtd", r->mrtd, 48);
	json_out_open(o, "rtmrs", '{');
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_out_hex(o, numbers[i], r->rtmr[i], 48);
	json_out_close(o, '}');
	json_out_open(o, "tdAttributes", '{');
	write_word(o, "raw", r->td_attributes);
	write_bits(o, r->td_attributes, td_attributes, ARRAY_SIZE(td_attributes));
	json_out_close(o, '}');
	write_word(o, "xfam", r->xfam);
	json_out_hex(o, "mrseam", r->mrseam, 48);
	json_out_hex(o, "mrsignerseam", r->mrsignerseam, 48);
	write_word(o, "seamAttributes", r->seam_attributes);
	json_out_hex(o, "teeTcbSvn", r->tee_tcb_svn, 16);
	json_out_hex(o, "mrconfigid", r->mrconfigid, 48);
	json_out_hex(o, "mrowner", r->mrowner, 48);
	json_out_hex(o, "mrownerconfig", r->mrownerconfig, 48);
	if (r->tee_tcb_svn2)
		json_out_hex(o, "teeTcbSvn2", r->tee_tcb_svn2, 16);
	if (r->mrservicetd)
		json_out_hex(o, "mrservicetd", r->mrservicetd, 48);
	json_out_hex(o, "reportData", r->report_data, 64);
}

/* What the PCK certificate says. */
static void write_pck(struct json_out *o, const struct verdict *v)
{
	const struct pck *p = &v->pck;

	json_out_hex(o, "fmspc", p->fmspc, 6);
	json_out_hex(o, "pceId", p->pceid, 2);
	json_out_int(o, "pceSvn", p->pcesvn);
	json_out_hex(o, "sgxTcbComponents", p->components, 16);
	json_out_hex(o, "ppid", p->ppid, 16);
	if (p->has_platform_instance_id)
		json_out_hex(o, "platformInstanceId", p->platform_instance_id, 16);
	json_out_int(o, "sgxType", p->sgx_type);
	json_out_str(o, "pckCa", span_str(pck_ca_name(p->ca)));
	json_out_hex(o, "pckSerial", v->leaf_serial, v->leaf_serial_len);
	if (p->smt_enabled >= 0)
		json_out_bool(o, "smtEnabled", p->smt_enabled);
	if (p->dynamic_platform >= 0)
		json_out_bool(o, "dynamicPlatform", p->dynamic_platform);
	if (p->cached_keys >= 0)
		json_out_bool(o, "cachedKeys", p->cached_keys);
}

/* By component where the product is known: which byte is which depends on it. */
static void write_tcb(struct json_out *o, const char *key, const unsigned char raw[8],
	const enum snp_product *product)
{
	json_out_open(o, key, '{');
	json_out_hex(o, "raw", raw, 8);
	if (product) {
		struct snp_tcb tcb = snp_tcb_read(raw, *product);

		if (*product == SNP_TURIN)
			json_out_int(o, "fmc", tcb.fmc);
		json_out_int(o, "bootloader", tcb.bootloader);
		json_out_int(o, "tee", tcb.tee);
		json_out_int(o, "snp", tcb.snp);
		json_out_int(o, "microcode", tcb.microcode);
	}
	json_out_close(o, '}');
}

static void write_version(struct json_out *o, const char *key, const unsigned char v[3])
{
	char text[16];

	snprintf(text, sizeof(text), "%u.%u.%u", v[2], v[1], v[0]);
	json_out_str(o, key, span_str(text));
}

static void write_snp_ids(struct json_out *o, const struct snp_report *r)
{
	json_out_hex(o, "measurement", r->measurement, 48);
	json_out_hex(o, "hostData", r->host_data, 32);
	json_out_hex(o, "idKeyDigest", r->id_key_digest, 48);
	json_out_hex(o, "authorKeyDigest", r->author_key_digest, 48);
	json_out_bool(o, "authorKeyEnabled", r->author_key);
	json_out_hex(o, "familyId", r->family_id, 16);
	json_out_hex(o, "imageId", r->image_id, 16);
	json_out_int(o, "guestSvn", r->guest_svn);
	json_out_int(o, "vmpl", r->vmpl);
	json_out_hex(o, "reportId", r->report_id, 32);
	json_out_hex(o, "reportIdMa", r->report_id_ma, 32);
	json_out_hex(o, "chipId", r->chip_id, SNP_CHIP_ID);
	json_out_bool(o, "maskChipKey", r->mask_chip_key);
	json_out_str(o, "signingKey",
		span_str(r->signing_key == SNP_KEY_VCEK   ? "vcek"
			 : r->signing_key == SNP_KEY_VLEK ? "vlek"
							  : "none"));
	json_out_hex(o, "reportData", r->report_data, 64);
}

static void write_snp(struct json_out *o, const struct snp_report *r, const struct verdict *v)
{
	enum snp_product found;
	const enum snp_product *product = v->has_snp ? &v->product : NULL;

	if (!product && snp_report_product(r, &found))
		product = &found;
	json_out_int(o, "reportVersion", r->version);
	if (product)
		json_out_str(o, "product", span_str(snp_product_name(*product)));
	write_snp_ids(o, r);
	json_out_open(o, "policy", '{');
	write_word(o, "raw", r->policy);
	json_out_int(o, "abiMajor", (int64_t)(r->policy >> 8 & 0xff));
	json_out_int(o, "abiMinor", (int64_t)(r->policy & 0xff));
	write_bits(o, r->policy, snp_policy, ARRAY_SIZE(snp_policy));
	json_out_close(o, '}');
	json_out_open(o, "platformInfo", '{');
	write_word(o, "raw", r->platform_info);
	write_bits(o, r->platform_info, snp_platform_info, ARRAY_SIZE(snp_platform_info));
	json_out_close(o, '}');
	write_tcb(o, "reportedTcb", r->reported_tcb, product);
	write_tcb(o, "committedTcb", r->committed_tcb, product);
	write_tcb(o, "currentTcb", r->current_tcb, product);
	write_tcb(o, "launchTcb", r->launch_tcb, product);
	write_version(o, "currentVersion", r->current_version);
	write_version(o, "committedVersion", r->committed_version);
	if (r->version >= 3) {
		json_out_open(o, "cpuid", '{');
		json_out_int(o, "family", r->family);
		json_out_int(o, "model", r->model);
		json_out_int(o, "stepping", r->stepping);
		json_out_close(o, '}');
	}
	if (r->version >= 5) {
		write_word(o, "launchMitVector", r->launch_mit_vector);
		write_word(o, "currentMitVector", r->current_mit_vector);
	}
}

/* Of Azure's confidential VMs. */
static void write_vtpm(struct json_out *o, const struct evidence *e)
{
	json_out_open(o, "vtpm", '{');
	json_out_hex(o, "qualifyingData", e->qualifying_data, sizeof(e->qualifying_data));
	json_out_open(o, "pcrs", '{');
	for (unsigned i = 0; i < VTPM_PCRS; i++) {
		char name[4];

		snprintf(name, sizeof(name), "%u", i);
		json_out_hex(o, name, e->pcrs + i * 32, 32);
	}
	json_out_close(o, '}');
	json_out_close(o, '}');
}

static void write_simulated(struct json_out *o, const struct simulated *s)
{
	json_out_str(o, "simulatedTee", span_str(s->tee));
	json_out_str(o, "node", span_str(s->node));
	json_out_str(o, "nodeUID", span_str(s->node_uid));
	json_out_int(o, "svn", s->svn);
	json_out_bool(o, "debug", s->debug);
	json_out_open(o, "measurements", '{');
	for (size_t i = 0; i < s->n_measurements; i++)
		json_out_hex(o, s->measurements[i].name, s->measurements[i].value,
			s->measurements[i].len);
	json_out_close(o, '}');
	json_out_hex(o, "reportData", s->report_data, sizeof(s->report_data));
}

void claims_members(struct json_out *o, const struct evidence *e, const struct verdict *v)
{
	switch (e->tee) {
	case TEE_TYPE_SGX:
		write_sgx(o, &e->quote.sgx);
		break;
	case TEE_TYPE_TDX:
		write_td(o, &e->quote.td);
		break;
	case TEE_TYPE_SNP:
		write_snp(o, &e->snp, v);
		break;
	default:
		write_simulated(o, &e->simulated);
		break;
	}
	if (e->tee == TEE_TYPE_SGX || e->tee == TEE_TYPE_TDX)
		write_quote(o, &e->quote);
	if (v->has_pck)
		write_pck(o, v);
	if (e->has_vtpm)
		write_vtpm(o, e);
	json_out_hex(o, "evidenceDigest", e->digest, sizeof(e->digest));
}
