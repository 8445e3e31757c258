/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/propose.h"

#include "common/base/clock.h"
#include "common/base/codec.h"

static bool is_zero(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i])
			return false;
	}
	return true;
}

/* Always in quotes: YAML takes digits alone for a number. */
static void write_register(
	struct buf *out, const char *head, const char *name, const unsigned char *p, size_t len)
{
	buf_printf(out, "%s%s: \"", head, name);
	codec_hex(out, p, len);
	buf_puts(out, "\"\n");
}

/* As a comment, what the host or the owner chose; nothing when it is zero. */
static void mention(struct buf *out, const char *name, const unsigned char *p, size_t len)
{
	if (!is_zero(p, len))
		write_register(out, "    # ", name, p, len);
}

static void write_sgx(struct buf *out, const struct sgx_report *r)
{
	buf_puts(out, "  sgx:\n");
	write_register(out, "    ", "mrenclave", r->mrenclave, 32);
	buf_puts(out,
		"    # Or whatever the same signer makes of this product, from this version on:\n");
	write_register(out, "    # ", "mrsigner", r->mrsigner, 32);
	buf_printf(out, "    # isvProdId: %u\n    # minIsvSvn: %u\n", r->isvprodid, r->isvsvn);
}

static void write_tdx(struct buf *out, const struct td_report *r)
{
	buf_puts(out, "  tdx:\n");
	write_register(out, "    ", "mrtd", r->mrtd, 48);
	buf_puts(out, "    rtmrs:\n");
	write_register(out, "      ", "\"0\"", r->rtmr[0], 48);
	write_register(out, "      ", "\"1\"", r->rtmr[1], 48);
	write_register(out, "      ", "\"2\"", r->rtmr[2], 48);
	if (!is_zero(r->rtmr[3], 48)) {
		buf_puts(out,
			"      # Extended by what runs, so it may differ after the next start:\n");
		write_register(out, "      # ", "\"3\"", r->rtmr[3], 48);
	}
	mention(out, "mrconfigid", r->mrconfigid, 48);
	mention(out, "mrowner", r->mrowner, 48);
	mention(out, "mrownerconfig", r->mrownerconfig, 48);
}

static void write_snp(struct buf *out, const struct snp_report *r)
{
	buf_puts(out, "  snp:\n");
	write_register(out, "    ", "measurement", r->measurement, 48);
	mention(out, "hostData", r->host_data, 32);
	mention(out, "idKeyDigest", r->id_key_digest, 48);
	mention(out, "authorKeyDigest", r->author_key_digest, 48);
}

static void write_simulated(struct buf *out, const struct simulated *s)
{
	buf_puts(out, s->n_measurements ? "  simulated:\n" : "  simulated: {}\n");
	for (size_t i = 0; i < s->n_measurements; i++)
		write_register(out, "    ", s->measurements[i].name, s->measurements[i].value,
			s->measurements[i].len);
}

int propose(struct buf *out, const struct evidence *e, const struct verdict *v,
	const struct verify_policy *policy)
{
	char until[CLOCK_RFC3339_MAX];

	clock_format(until, v->valid_until);
	buf_printf(out, "# Evidence of %s, genuine until %s; TCB %s.\n", tee_type_name(e->tee),
		until, v->tcb < TCB_STATUS_N ? tcb_status_name(v->tcb) : "without a status");
	buf_puts(out, "# Not judged: whether what runs is what you want to run"
		      " - compare it with your build.\n");
	if (!policy->report_data)
		buf_puts(out, "# Not judged: report data, that is whether the evidence is fresh and"
			      " whose it is.\n");
	if (v->crl == CRL_ABSENT)
		buf_puts(out, "# Not judged: revocation, since there was no CRL.\n");
	buf_puts(out, "measurements:\n- name: proposed\n");
	switch (e->tee) {
	case TEE_TYPE_SGX:
		write_sgx(out, &e->quote.sgx);
		break;
	case TEE_TYPE_TDX:
		write_tdx(out, &e->quote.td);
		break;
	case TEE_TYPE_SNP:
		write_snp(out, &e->snp);
		break;
	default:
		write_simulated(out, &e->simulated);
		break;
	}
	return out->err;
}
