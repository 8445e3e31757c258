/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/desk_message.h"

#include <errno.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/tee/evidence.h"
#include "common/tee/protocol.h"

enum {
	DEPTH_MAX = 16,
	NODES_MAX = 256,
	PROTOCOL_OLDEST = 1,
};

static int malformed(
	enum reason *ret_reason, struct error *err, const char *member, const char *want)
{
	*ret_reason = REASON_Malformed;
	return error_set(err, -EBADMSG, "the member %s must be %s", member, want);
}

/* Base64 to bytes, as many as ret holds at most. */
static int read_bytes(struct buf *ret, struct json_val root, const char *member, bool empty,
	enum reason *ret_reason, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(2 * PROTOCOL_REQUEST_MAX);
	struct json_val v = json_get(root, member);
	int r;

	if (!json_is_string(v))
		return malformed(ret_reason, err, member, "a string of base64");
	r = codec_unbase64(ret, CODEC_BASE64, json_str(v, &a));
	if (r == -ENOMEM)
		return error_oom(err);
	if (r == -EBADMSG)
		return malformed(ret_reason, err, member, "base64 with padding and without blanks");
	if (r == -E2BIG) {
		*ret_reason = REASON_Malformed;
		return error_set(
			err, -EBADMSG, "the member %s has more than %zu bytes", member, ret->max);
	}
	if (empty != (ret->len == 0))
		return malformed(
			ret_reason, err, member, empty ? "empty on this platform" : "not empty");
	return 0;
}

static int read_version(struct json_val root, enum reason *ret_reason, struct error *err)
{
	int64_t version;

	if (!json_int(json_get(root, "protocol"), &version))
		return malformed(ret_reason, err, "protocol", "a number");
	if (version >= PROTOCOL_OLDEST && version <= PROTOCOL_VERSION)
		return 0;
	*ret_reason = REASON_UnsupportedVersion;
	return error_set(err, -EBADMSG,
		"protocol version %lld is not spoken here, which is %d to %d; update the older of "
		"node agent and verifier",
		(long long)version, PROTOCOL_OLDEST, PROTOCOL_VERSION);
}

static int read_amount(struct json_val capacity, const char *member, int64_t *ret,
	enum reason *ret_reason, struct error *err)
{
	struct json_val v = json_get(capacity, member);

	*ret = -1;
	if (!json_exists(v) || json_type(v) == JSON_NULL)
		return 0;
	if (!json_int(v, ret) || *ret < 0)
		return malformed(ret_reason, err, member, "a whole number from 0 on");
	return 0;
}

static int read_evidence(
	struct desk_message *m, struct json_val root, enum reason *ret_reason, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(4096);
	struct json_val capacity = json_get(root, "capacity");
	int r;

	m->platform = record_platform_parse(json_str(json_get(root, "platform"), &a));
	if (m->platform == RECORD_PLATFORM_NONE)
		return malformed(ret_reason, err, "platform",
			"sgx, tdx, snp, tdx-host, snp-host or simulated");
	if (json_exists(capacity) && !json_is_object(capacity))
		return malformed(ret_reason, err, "capacity", "an object");
	r = read_bytes(&m->challenge, root, "challenge", false, ret_reason, err);
	if (r == 0)
		r = read_bytes(&m->evidence, root, "evidence", record_platform_is_host(m->platform),
			ret_reason, err);
	if (r == 0)
		r = read_amount(capacity, "epcBytes", &m->epc_bytes, ret_reason, err);
	if (r == 0)
		r = read_amount(capacity, "cvmSlots", &m->cvm_slots, ret_reason, err);
	return r;
}

int desk_message_read(struct desk_message *ret, enum desk_message_kind kind, struct span body,
	enum reason *ret_reason, struct error *err)
{
	static const struct json_limits limits = {PROTOCOL_REQUEST_MAX, NODES_MAX, DEPTH_MAX};
	struct desk_message m = {.epc_bytes = -1,
		.cvm_slots = -1,
		.challenge = BUF_INIT(PROTOCOL_CHALLENGE_MAX),
		.public_key = BUF_INIT(PROTOCOL_KEY_MAX),
		.evidence = BUF_INIT(EVIDENCE_MAX)};
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	int r = json_parse(&doc, body, &limits, err);

	*ret_reason = REASON_Malformed;
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return error_prefix(err, -EBADMSG, "the request");
	root = json_root(&doc);
	if (!json_is_object(root))
		return error_set(err, -EBADMSG, "the request must be a JSON object");
	r = read_version(root, ret_reason, err);
	if (r == 0 && kind != MESSAGE_CHALLENGE)
		r = read_bytes(&m.public_key, root, "publicKey", false, ret_reason, err);
	if (r == 0 && kind == MESSAGE_EVIDENCE)
		r = read_evidence(&m, root, ret_reason, err);
	if (r < 0) {
		desk_message_free(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void desk_message_free(struct desk_message *m)
{
	buf_free(&m->challenge);
	buf_free(&m->public_key);
	buf_free(&m->evidence);
}

static void begin(struct buf *out)
{
	buf_printf(out, "{\"protocol\":%d", PROTOCOL_VERSION);
}

static void add_text(struct buf *out, const char *member, struct span text)
{
	buf_printf(out, ",\"%s\":", member);
	buf_json_string(out, text);
}

static void add_time(struct buf *out, const char *member, int64_t unix_sec)
{
	char text[CLOCK_RFC3339_MAX];

	clock_format(text, unix_sec);
	add_text(out, member, span_str(text));
}

int desk_message_challenge(struct buf *out, struct span challenge, int64_t expires_sec)
{
	begin(out);
	buf_puts(out, ",\"challenge\":\"");
	buf_base64(out, challenge.p, challenge.len);
	buf_puts(out, "\"");
	add_time(out, "expires", expires_sec);
	return buf_puts(out, "}\n");
}

int desk_message_verdict(struct buf *out, const struct record *r, int64_t again_sec)
{
	begin(out);
	add_text(out, "verdict", span_str(record_standing_name(r->standing)));
	add_text(out, "reason", span_str(reason_name(r->reason)));
	add_text(out, "message", span_str(r->message));
	add_time(out, "validUntil", r->valid_until_sec);
	return buf_printf(out, ",\"again\":%lld}\n", (long long)again_sec);
}

int desk_message_certificate(struct buf *out, struct span pem)
{
	begin(out);
	add_text(out, "certificate", pem);
	return buf_puts(out, "}\n");
}

int desk_message_refusal(struct buf *out, enum reason reason, const char *message)
{
	begin(out);
	add_text(out, "reason", span_str(reason_name(reason)));
	add_text(out, "message", span_str(message));
	return buf_puts(out, "}\n");
}
