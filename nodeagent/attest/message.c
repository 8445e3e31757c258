/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/message.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/json.h"

static const struct json_limits limits = {PROTOCOL_ANSWER_MAX, 4096, 16};

static void begin(struct buf *out)
{
	buf_printf(out, "{\"protocol\":%d", PROTOCOL_VERSION);
}

static void put_base64(struct buf *out, const char *name, struct span bytes)
{
	buf_printf(out, ",\"%s\":\"", name);
	buf_base64(out, bytes.p, bytes.len);
	buf_putc(out, '"');
}

int attest_challenge(struct buf *out)
{
	begin(out);
	return buf_putc(out, '}');
}

int attest_certify(struct buf *out, struct span public_key)
{
	begin(out);
	put_base64(out, "publicKey", public_key);
	return buf_putc(out, '}');
}

int attest_evidence(struct buf *out, const struct attest_evidence *m)
{
	const char *comma = "";

	begin(out);
	put_base64(out, "challenge", m->challenge);
	put_base64(out, "publicKey", m->public_key);
	buf_printf(out, ",\"platform\":\"%s\"", m->platform);
	put_base64(out, "evidence", m->evidence);
	buf_puts(out, ",\"capacity\":{");
	if (m->epc_bytes >= 0) {
		buf_printf(out, "\"epcBytes\":%lld", (long long)m->epc_bytes);
		comma = ",";
	}
	if (m->cvm_slots >= 0)
		buf_printf(out, "%s\"cvmSlots\":%lld", comma, (long long)m->cvm_slots);
	return buf_puts(out, "}}");
}

/* An answer and what its strings are decoded into. */
struct answer {
	struct json doc;
	struct arena arena;
	struct json_val root;
};

static void answer_free(struct answer *a)
{
	json_free(&a->doc);
	arena_free(&a->arena);
}
#define _cleanup_answer_ _cleanup_(answer_free)

static int answer_open(struct answer *a, struct span text, struct error *err)
{
	int64_t version;
	int r;

	*a = (struct answer){.arena = ARENA_INIT(PROTOCOL_ANSWER_MAX)};
	r = json_parse(&a->doc, text, &limits, err);
	if (r < 0)
		return error_prefix(err, -EBADMSG, "the verifier's answer");
	a->root = json_root(&a->doc);
	if (!json_int(json_get(a->root, "protocol"), &version) || version != PROTOCOL_VERSION)
		return error_set(err, -EBADMSG,
			"the verifier answers in another version of the protocol than %d: update "
			"the older of verifier and agent",
			PROTOCOL_VERSION);
	return 0;
}

static int missing(struct error *err, const char *name)
{
	return error_set(err, -EBADMSG,
		"the verifier's answer: %s is missing or cannot be what it is", name);
}

int attest_read_challenge(struct buf *ret_challenge, struct span text, struct error *err)
{
	_cleanup_answer_ struct answer a;
	size_t before = ret_challenge->len;
	int r = answer_open(&a, text, err);

	if (r < 0)
		return r;
	r = codec_unbase64(
		ret_challenge, CODEC_BASE64, json_str(json_get(a.root, "challenge"), &a.arena));
	if (r < 0 || ret_challenge->len == before ||
		ret_challenge->len - before > PROTOCOL_CHALLENGE_MAX) {
		ret_challenge->len = before;
		return missing(err, "challenge");
	}
	return 0;
}

int attest_read_certificate(struct buf *ret_pem, struct span text, struct error *err)
{
	_cleanup_answer_ struct answer a;
	struct span pem;
	int r = answer_open(&a, text, err);

	if (r < 0)
		return r;
	pem = json_str(json_get(a.root, "certificate"), &a.arena);
	return pem.len ? buf_span(ret_pem, pem) : missing(err, "certificate");
}

int attest_read_verdict(struct attest_verdict *ret, struct span text, struct error *err)
{
	_cleanup_answer_ struct answer a;
	struct json_val until;
	int64_t usec;
	int r = answer_open(&a, text, err);

	*ret = (struct attest_verdict){0};
	if (r < 0)
		return r;
	json_copy(json_get(a.root, "verdict"), ret->verdict, sizeof(ret->verdict));
	json_copy(json_get(a.root, "reason"), ret->reason, sizeof(ret->reason));
	json_copy(json_get(a.root, "message"), ret->message, sizeof(ret->message));
	if (!*ret->verdict)
		return missing(err, "verdict");
	if (!*ret->reason)
		return missing(err, "reason");
	until = json_get(a.root, "validUntil");
	if (json_exists(until)) {
		if (clock_parse(json_str(until, &a.arena), &usec) < 0)
			return missing(err, "validUntil");
		ret->valid_until = usec / USEC_PER_SEC;
	}
	if (!json_int(json_get(a.root, "again"), &ret->again) || ret->again < 0)
		ret->again = 0;
	return 0;
}

void attest_read_problem(struct error *err, int status, struct span text)
{
	_cleanup_answer_ struct answer a;
	char reason[64] = "", message[360] = "";

	if (answer_open(&a, text, NULL) == 0) {
		json_copy(json_get(a.root, "reason"), reason, sizeof(reason));
		json_copy(json_get(a.root, "message"), message, sizeof(message));
	}
	error_set(err, -EPROTO, "the verifier answered %d%s%s%s%s", status, *reason ? " " : "",
		reason, *message ? ": " : "", message);
}
