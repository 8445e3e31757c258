/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/claims.h"

#include "common/base/clock.h"
#include "common/tee/claims_out.h"

static void text_or_null(struct json_out *o, const char *key, const char *text)
{
	if (*text)
		json_out_str(o, key, span_str(text));
	else
		json_out_null(o, key);
}

static void write_tcb(struct json_out *o, const struct verdict *v)
{
	json_out_open(o, "tcb", '{');
	text_or_null(o, "status", v->tcb < TCB_STATUS_N ? tcb_status_name(v->tcb) : "");
	text_or_null(o, "date", v->tcb_date);
	if (v->evaluation_number)
		json_out_int(o, "evaluationDataNumber", v->evaluation_number);
	else
		json_out_null(o, "evaluationDataNumber");
	json_out_open(o, "advisories", '[');
	for (size_t i = 0; i < v->n_advisories; i++)
		json_out_str(o, NULL, v->advisories[i]);
	json_out_close(o, ']');
	json_out_close(o, '}');
}

static void write_mismatches(struct json_out *o, const struct verdict *v)
{
	json_out_open(o, "mismatch", '[');
	for (size_t i = 0; i < v->n_mismatches; i++) {
		const struct mismatch *m = &v->mismatches[i];

		json_out_open(o, NULL, '{');
		json_out_str(o, "register", span_str(m->name));
		json_out_hex(o, "want", m->want, m->len);
		json_out_hex(o, "got", m->got, m->len);
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
}

int verdict_json(struct buf *out, const struct verdict *v, const struct evidence *e)
{
	struct json_out o = JSON_OUT_INIT(out);
	char until[CLOCK_RFC3339_MAX] = "";

	/* Of what is refused nothing is valid. */
	if (verdict_accepted(v))
		clock_format(until, v->valid_until);
	json_out_open(&o, NULL, '{');
	json_out_str(&o, "verdict", span_str(verdict_accepted(v) ? "accepted" : "refused"));
	json_out_str(&o, "reason", span_str(reason_name(v->reason)));
	json_out_str(&o, "message", span_str(v->message));
	text_or_null(&o, "tee", e ? tee_type_name(e->tee) : "");
	write_tcb(&o, v);
	json_out_str(&o, "crl", span_str(v->crl == CRL_CHECKED ? "checked" : "absent"));
	text_or_null(&o, "validUntil", until);
	if (v->platform_id_len)
		json_out_hex(&o, "platformID", v->platform_id, v->platform_id_len);
	else
		json_out_null(&o, "platformID");
	write_mismatches(&o, v);
	json_out_open(&o, "claims", '{');
	if (e)
		claims_members(&o, e, v);
	json_out_close(&o, '}');
	json_out_close(&o, '}');
	return out->err;
}
