/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/detail.h"

#include <inttypes.h>

#include "common/base/codec.h"

enum { ADVISORIES_SHOWN = 32, NAME_SHOWN = 64 };

/* AR4SI's values (draft-ietf-rats-ar4si, section 2.3). */
enum {
	NOT_SAID = 0,
	AFFIRMED = 2,
	APPROVED_BOOT = 3,
	UNSAFE = 32,
	UNRECOGNIZED_EXECUTABLES = 33,
	CONTRAINDICATED = 96,
	UNRECOGNIZED = 97,
};

struct trust {
	int instance, configuration, executables, hardware;
};

/* What a refusal says about each part; what was not reached stays unsaid. */
static struct trust trust_of(const struct verdict *v)
{
	switch (v->reason) {
	case REASON_Ok:
		return (struct trust){AFFIRMED, AFFIRMED, APPROVED_BOOT, AFFIRMED};
	case REASON_Simulated:
		return (struct trust){NOT_SAID, NOT_SAID, NOT_SAID, UNRECOGNIZED};
	case REASON_CertificateRevoked:
	case REASON_TcbRevoked:
		return (struct trust){CONTRAINDICATED, NOT_SAID, NOT_SAID, CONTRAINDICATED};
	case REASON_UnknownRoot:
	case REASON_ChainInvalid:
	case REASON_QuoteSignatureInvalid:
	case REASON_QeReportInvalid:
	case REASON_QeIdentityMismatch:
	case REASON_ChipMismatch:
		return (struct trust){UNRECOGNIZED, NOT_SAID, NOT_SAID, UNRECOGNIZED};
	case REASON_TcbOutOfDate:
	case REASON_TcbBelowMinimum:
	case REASON_TcbSwHardeningNeeded:
	case REASON_TcbRelaunchAdvised:
	case REASON_AdvisoryNotAccepted:
		return (struct trust){AFFIRMED, NOT_SAID, NOT_SAID, UNSAFE};
	case REASON_TcbConfigurationNeeded:
	case REASON_TcbOutOfDateConfigurationNeeded:
	case REASON_TcbConfigurationAndSwHardeningNeeded:
	case REASON_TcbRelaunchAdvisedConfigurationNeeded:
		return (struct trust){AFFIRMED, UNSAFE, NOT_SAID, UNSAFE};
	case REASON_DebugNotAllowed:
	case REASON_PolicyBitsNotAllowed:
	case REASON_VmplNotAllowed:
		return (struct trust){AFFIRMED, CONTRAINDICATED, NOT_SAID, AFFIRMED};
	case REASON_MeasurementNotAllowed:
		return (struct trust){AFFIRMED, AFFIRMED, UNRECOGNIZED_EXECUTABLES, AFFIRMED};
	case REASON_ReportDataMismatch:
		return (struct trust){AFFIRMED, AFFIRMED, NOT_SAID, AFFIRMED};
	default:
		return (struct trust){0};
	}
}

static void write_trust(struct buf *out, const struct verdict *v)
{
	struct trust t = trust_of(v);

	buf_printf(out,
		",\"trustVector\":{\"instanceIdentity\":%d,\"configuration\":%d,"
		"\"executables\":%d,\"hardware\":%d}",
		t.instance, t.configuration, t.executables, t.hardware);
}

/* patch: what there is none of goes. */
static void write_tcb(struct buf *out, const struct verdict *v, bool patch)
{
	size_t n = v->n_advisories < ADVISORIES_SHOWN ? v->n_advisories : ADVISORIES_SHOWN;

	if (v->tcb >= TCB_STATUS_N)
		return;
	buf_printf(out, ",\"tcb\":{\"status\":\"%s\"", tcb_status_name(v->tcb));
	if (v->tcb_date[0]) {
		buf_puts(out, ",\"date\":");
		buf_json_string(out, span_str(v->tcb_date));
	} else if (patch) {
		buf_puts(out, ",\"date\":null");
	}
	if (v->evaluation_number)
		buf_printf(out, ",\"evaluationDataNumber\":%" PRIu32, v->evaluation_number);
	else if (patch)
		buf_puts(out, ",\"evaluationDataNumber\":null");
	buf_puts(out, ",\"advisories\":[");
	for (size_t i = 0; i < n; i++) {
		struct span advisory = v->advisories[i];

		if (advisory.len > NAME_SHOWN)
			advisory.len = NAME_SHOWN;
		buf_puts(out, i ? "," : "");
		buf_json_string(out, advisory);
	}
	buf_puts(out, "]}");
}

struct list {
	struct buf *out;
	const char *comma;
};

static void add(struct list *l, const char *name, const void *p, size_t n)
{
	buf_printf(l->out, "%s\"%s\":\"", l->comma, name);
	codec_hex(l->out, p, n);
	buf_putc(l->out, '"');
	l->comma = ",";
}

static void add_number(struct list *l, const char *name, unsigned n)
{
	buf_printf(l->out, "%s\"%s\":\"%u\"", l->comma, name, n);
	l->comma = ",";
}

static void add_sgx(struct list *l, const struct sgx_report *r)
{
	add(l, "mrenclave", r->mrenclave, 32);
	add(l, "mrsigner", r->mrsigner, 32);
	add_number(l, "isvProdId", r->isvprodid);
	add_number(l, "isvSvn", r->isvsvn);
}

static void add_td(struct list *l, const struct td_report *r)
{
	static const char *const names[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};

	add(l, "mrtd", r->mrtd, 48);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add(l, names[i], r->rtmr[i], 48);
	add(l, "mrconfigid", r->mrconfigid, 48);
	add(l, "mrowner", r->mrowner, 48);
	add(l, "mrownerconfig", r->mrownerconfig, 48);
}

static void add_snp(struct list *l, const struct snp_report *r)
{
	add(l, "measurement", r->measurement, 48);
	add(l, "hostData", r->host_data, 32);
	add(l, "idKeyDigest", r->id_key_digest, 48);
	add(l, "authorKeyDigest", r->author_key_digest, 48);
}

static void add_simulated(struct list *l, const struct simulated *s)
{
	for (size_t i = 0; i < s->n_measurements && i < SIMULATED_MEASUREMENTS_MAX; i++) {
		buf_puts(l->out, l->comma);
		buf_json_string(l->out, span_str(s->measurements[i].name));
		buf_puts(l->out, ":\"");
		codec_hex(l->out, s->measurements[i].value, s->measurements[i].len);
		buf_putc(l->out, '"');
		l->comma = ",";
	}
}

static void write_measurements(struct buf *out, const struct evidence *e)
{
	struct list l = {out, ""};

	buf_puts(out, ",\"measurements\":{");
	if (e->tee == TEE_TYPE_SGX)
		add_sgx(&l, &e->quote.sgx);
	else if (e->tee == TEE_TYPE_TDX)
		add_td(&l, &e->quote.td);
	else if (e->tee == TEE_TYPE_SNP)
		add_snp(&l, &e->snp);
	else if (e->tee == TEE_TYPE_SIMULATED)
		add_simulated(&l, &e->simulated);
	buf_putc(out, '}');
}

static void write_mismatches(struct buf *out, const struct verdict *v)
{
	if (!v->n_mismatches)
		return;
	buf_puts(out, ",\"mismatch\":[");
	for (size_t i = 0; i < v->n_mismatches && i < VERDICT_MISMATCHES_MAX; i++) {
		const struct mismatch *m = &v->mismatches[i];
		struct span name = span_str(m->name);

		if (name.len > NAME_SHOWN)
			name.len = NAME_SHOWN;
		buf_puts(out, i ? ",{\"register\":" : "{\"register\":");
		buf_json_string(out, name);
		buf_puts(out, ",\"want\":\"");
		codec_hex(out, m->want, m->len);
		buf_puts(out, "\",\"got\":\"");
		codec_hex(out, m->got, m->len);
		buf_puts(out, "\"}");
	}
	buf_putc(out, ']');
}

int detail_write(struct buf *out, const struct verdict *v, const struct evidence *e)
{
	write_tcb(out, v, false);
	write_trust(out, v);
	if (e && e->tee != TEE_TYPE_SIMULATED)
		buf_printf(out, ",\"crl\":\"%s\"", v->crl == CRL_CHECKED ? "checked" : "absent");
	if (e)
		write_measurements(out, e);
	write_mismatches(out, v);
	return out->err;
}

int detail_again(struct buf *out, const struct verdict *v)
{
	write_tcb(out, v, true);
	write_trust(out, v);
	return out->err;
}

int detail_capacity(struct buf *out, int64_t epc_bytes, int64_t cvm_slots)
{
	const char *comma = "";

	if (epc_bytes < 0 && cvm_slots < 0)
		return out->err;
	buf_puts(out, ",\"capacity\":{");
	if (epc_bytes >= 0) {
		buf_printf(out, "\"epcBytes\":%" PRId64, epc_bytes);
		comma = ",";
	}
	if (cvm_slots >= 0)
		buf_printf(out, "%s\"cvmSlots\":%" PRId64, comma, cvm_slots);
	return buf_putc(out, '}');
}
