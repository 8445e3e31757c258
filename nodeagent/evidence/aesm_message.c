/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/aesm_message.h"

#include "common/tee/quote.h"
#include "nodeagent/evidence/aesm.pb-c.h"
#include "nodeagent/kubelet/message.h"

/* In an id: what the key is for (sgx_ql_att_key_id_t, packed). */
enum { KEY_ALGORITHM_AT = 154, KEY_ALGORITHM_ECDSA_P256 = 2 };

const char *aesm_step_name(enum aesm_step s)
{
	static const char *const names[AESM_STEP_N] = {
		[AESM_KEY_ID_NUM] = "GetSupportedAttKeyIDNum",
		[AESM_KEY_IDS] = "GetSupportedAttKeyIDs",
		[AESM_INIT_QUOTE] = "InitQuoteEx",
		[AESM_QUOTE_SIZE] = "GetQuoteSizeEx",
		[AESM_QUOTE] = "GetQuoteEx",
	};

	return names[s];
}

static ProtobufCBinaryData binary(struct span s)
{
	return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)s.p};
}

int aesm_request_write(struct buf *out, const struct aesm_request *q)
{
	Aesm__KeyIdNumRequest num = AESM__KEY_ID_NUM_REQUEST__INIT;
	Aesm__KeyIdsRequest ids = AESM__KEY_IDS_REQUEST__INIT;
	Aesm__InitQuoteExRequest init = AESM__INIT_QUOTE_EX_REQUEST__INIT;
	Aesm__QuoteSizeExRequest size = AESM__QUOTE_SIZE_EX_REQUEST__INIT;
	Aesm__QuoteExRequest quote = AESM__QUOTE_EX_REQUEST__INIT;
	Aesm__Request m = AESM__REQUEST__INIT;

	num.has_timeout = ids.has_timeout = init.has_timeout = size.has_timeout = true;
	num.timeout = ids.timeout = init.timeout = size.timeout = q->timeout_ms;
	quote.has_timeout = true;
	quote.timeout = q->timeout_ms;
	init.has_att_key_id = size.has_att_key_id = quote.has_att_key_id = true;
	init.att_key_id = size.att_key_id = quote.att_key_id = binary(q->key_id);
	ids.buf_size = quote.buf_size = q->room;
	quote.report = binary(q->report);
	/* Without it AESM tells a size, and a TARGETINFO of zeros. */
	init.b_pub_key_id = true;
	init.has_buf_size = true;
	init.buf_size = AESM_KEY_HASH;

	m.key_id_num = q->step == AESM_KEY_ID_NUM ? &num : NULL;
	m.key_ids = q->step == AESM_KEY_IDS ? &ids : NULL;
	m.init_quote_ex = q->step == AESM_INIT_QUOTE ? &init : NULL;
	m.quote_size_ex = q->step == AESM_QUOTE_SIZE ? &size : NULL;
	m.quote_ex = q->step == AESM_QUOTE ? &quote : NULL;
	return message_pack(out, &m.base);
}

static struct span bytes_of(protobuf_c_boolean has, const ProtobufCBinaryData *b)
{
	return has ? (struct span){(const char *)b->data, b->len} : SPAN_NONE;
}

/* The one member that there may be, and whether it is step's. */
static bool answers(const Aesm__Answer *m, enum aesm_step step)
{
	const bool there[AESM_STEP_N] = {
		[AESM_KEY_ID_NUM] = m->key_id_num,
		[AESM_KEY_IDS] = m->key_ids,
		[AESM_INIT_QUOTE] = m->init_quote_ex,
		[AESM_QUOTE_SIZE] = m->quote_size_ex,
		[AESM_QUOTE] = m->quote_ex,
	};

	for (size_t i = 0; i < AESM_STEP_N; i++)
		if (there[i] != (i == step))
			return false;
	return !m->unsupported;
}

static struct aesm_answer content(const Aesm__Answer *m, enum aesm_step step)
{
	switch (step) {
	case AESM_KEY_ID_NUM:
		return (struct aesm_answer){.code = m->key_id_num->error_code,
			.number = m->key_id_num->has_att_key_id_num ? m->key_id_num->att_key_id_num
								    : 0};
	case AESM_KEY_IDS:
		return (struct aesm_answer){.code = m->key_ids->error_code,
			.bytes = bytes_of(m->key_ids->has_att_key_ids, &m->key_ids->att_key_ids)};
	case AESM_INIT_QUOTE:
		return (struct aesm_answer){.code = m->init_quote_ex->error_code,
			.bytes = bytes_of(
				m->init_quote_ex->has_target_info, &m->init_quote_ex->target_info)};
	case AESM_QUOTE_SIZE:
		return (struct aesm_answer){.code = m->quote_size_ex->error_code,
			.number = m->quote_size_ex->has_quote_size ? m->quote_size_ex->quote_size
								   : 0};
	default:
		return (struct aesm_answer){.code = m->quote_ex->error_code,
			.bytes = bytes_of(m->quote_ex->has_quote, &m->quote_ex->quote)};
	}
}

static int check(const struct aesm_answer *a, enum aesm_step step, struct error *err)
{
	const char *name = aesm_step_name(step);

	if (step == AESM_KEY_ID_NUM && a->number == 0)
		return error_set(err, -EOPNOTSUPP,
			"AESM has no attestation keys: install its plugins for ECDSA quotes "
			"(libsgx-aesm-quote-ex-plugin, libsgx-aesm-ecdsa-plugin) and restart "
			"aesmd");
	if (step == AESM_KEY_ID_NUM && a->number > AESM_KEY_IDS_MAX)
		return error_set(err, -EBADMSG, "%s: %u keys; at most %d", name, a->number,
			AESM_KEY_IDS_MAX);
	if (step == AESM_KEY_IDS && (a->bytes.len == 0 || a->bytes.len % AESM_KEY_ID != 0))
		return error_set(err, -EBADMSG, "%s: %zu bytes are no whole ids of %d", name,
			a->bytes.len, AESM_KEY_ID);
	if (step == AESM_INIT_QUOTE && a->bytes.len != AESM_TARGET_INFO)
		return error_set(err, -EBADMSG, "%s: a TARGETINFO of %zu bytes, not %d", name,
			a->bytes.len, AESM_TARGET_INFO);
	if (step == AESM_QUOTE_SIZE && (a->number == 0 || a->number > QUOTE_MAX))
		return error_set(err, -EBADMSG, "%s: a quote of %u bytes; at least 1, at most %d",
			name, a->number, QUOTE_MAX);
	if (step == AESM_QUOTE && a->bytes.len == 0)
		return error_set(err, -EBADMSG, "%s: no quote", name);
	return 0;
}

int aesm_answer_read(struct aesm_answer *ret, struct arena *m, enum aesm_step step,
	struct span message, struct error *err)
{
	ProtobufCMessage *base = NULL;
	int r = message_unpack(&base, m, &aesm__answer__descriptor, message, err);
	const Aesm__Answer *p = (const Aesm__Answer *)base;
	struct aesm_answer a;

	if (r < 0)
		return error_prefix(err, r, "%s", aesm_step_name(step));
	if (p->unsupported)
		return error_set(err, -EOPNOTSUPP,
			"AESM does not know %s: update it (2.12 or later) and install "
			"libsgx-aesm-quote-ex-plugin and libsgx-aesm-ecdsa-plugin",
			aesm_step_name(step));
	if (!answers(p, step))
		return error_set(
			err, -EBADMSG, "%s: AESM answered something else", aesm_step_name(step));
	a = content(p, step);
	if (a.code) {
		*ret = (struct aesm_answer){.code = a.code};
		return 0;
	}
	r = check(&a, step, err);
	if (r == 0)
		*ret = a;
	return r;
}

struct span aesm_ecdsa_key(struct span ids)
{
	for (size_t at = 0; at + AESM_KEY_ID <= ids.len; at += AESM_KEY_ID) {
		const unsigned char *p = (const unsigned char *)ids.p + at + KEY_ALGORITHM_AT;

		if (p[0] == KEY_ALGORITHM_ECDSA_P256 && !p[1] && !p[2] && !p[3])
			return (struct span){ids.p + at, AESM_KEY_ID};
	}
	return SPAN_NONE;
}
