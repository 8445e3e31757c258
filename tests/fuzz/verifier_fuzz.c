/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verifier reads of others: requests of agents and sealed challenges, NodeAttestations,
 * Nodes and Secrets of the API server. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>

#include "webhook/verifier/challenge.h"
#include "webhook/verifier/desk_message.h"
#include "webhook/replicas/keyring.h"
#include "webhook/verifier/marks.h"

enum { NOW = 1790000000 };

static void fuzz_message(enum desk_message_kind kind, struct span text)
{
	_cleanup_desk_message_ struct desk_message m = {0};
	enum reason reason;

	if (desk_message_read(&m, kind, text, &reason, NULL) == 0 && kind == MESSAGE_EVIDENCE &&
		(m.evidence.len == 0) != record_platform_is_host(m.platform))
		abort();
}

/* Nothing that did not come from us opens: the key is not in the corpus. */
static void fuzz_challenge(struct span text)
{
	static const struct sealing_keys keys = {
		.v = {{.id = 0x4141414141414141, .key = "a key that nobody guesses......"}},
		.n = 1};
	enum reason reason;
	struct challenge c;

	if (challenge_open(&c, text, &keys, "uid", NOW * INT64_C(1000000), &reason, NULL) == 0)
		abort();
}

/* What is read and written is read again as the same. */
static void fuzz_record(struct json_val object)
{
	static const struct json_limits limits = {65536, 4096, 32};
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	_cleanup_json_ struct json doc = {0};
	struct record r, again;

	record_read(&r, object);
	buf_puts(&out, "{\"status\":");
	record_write(&out, &r, SPAN_NONE);
	buf_puts(&out, "}");
	if (out.err || json_parse(&doc, buf_view(&out), &limits, NULL) < 0)
		abort();
	record_read(&again, json_root(&doc));
	if (again.standing != r.standing || again.platform != r.platform ||
		again.epoch != r.epoch || again.platform_id_len != r.platform_id_len ||
		record_holds(&again, r.node_uid, NOW) != record_holds(&r, r.node_uid, NOW))
		abort();
}

/* A patch sets everything right that it says is not. */
static void fuzz_marks(struct json_val node)
{
	static const struct record r = {.standing = RECORD_ATTESTED,
		.platform = RECORD_TDX,
		.node_uid = "uid",
		.valid_until_sec = NOW};
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	static const struct json_limits limits = {65536, 4096, 32};
	_cleanup_json_ struct json doc = {0};
	struct marks_seen seen;
	struct marks want;

	if (marks_read(&seen, node) < 0)
		return;
	marks_of(&want, &r, &seen, NOW, true);
	marks_patch(&out, &seen, &want, NOW);
	if (out.err || json_parse(&doc, buf_view(&out), &limits, NULL) < 0)
		abort();
	buf_reset(&out);
	if (!marks_taint_in_place(&seen, &want) && marks_taint_patch(&out, &seen, &want) == 0 &&
		json_parse(&doc, buf_view(&out), &limits, NULL) < 0)
		abort();
}

static void fuzz_object(char what, struct span text)
{
	static const struct json_limits limits = {65536, 4096, 32};
	_cleanup_json_ struct json doc = {0};
	struct sealing_keys keys;

	if (json_parse(&doc, text, &limits, NULL) < 0)
		return;
	if (what == 'r')
		fuzz_record(json_root(&doc));
	else if (what == 'n')
		fuzz_marks(json_root(&doc));
	else
		keyring_read(&keys, json_root(&doc), NOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data + 1, size - 1};

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'c':
	case 'e':
	case 's':
		fuzz_message(data[0] == 'c'   ? MESSAGE_CHALLENGE
			     : data[0] == 'e' ? MESSAGE_EVIDENCE
					      : MESSAGE_SIMULATED,
			text);
		return 0;
	case 'o':
		fuzz_challenge(text);
		return 0;
	default:
		fuzz_object((char)data[0], text);
		return 0;
	}
}
