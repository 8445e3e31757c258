/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/record.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/utf8.h"
#include "webhook/verifier/reevaluation.h"

enum { ARENA_MAX = 32 * 1024 };

#define DIGEST_PREFIX "sha256:"

static const char *const platforms[RECORD_PLATFORM_N] = {
	[RECORD_PLATFORM_NONE] = "",
	[RECORD_SGX] = "sgx",
	[RECORD_TDX] = "tdx",
	[RECORD_SNP] = "snp",
	[RECORD_TDX_HOST] = "tdx-host",
	[RECORD_SNP_HOST] = "snp-host",
	[RECORD_SIMULATED] = "simulated",
};

static const char *const standings[RECORD_STANDING_N] = {
	[RECORD_STANDING_NONE] = "",
	[RECORD_ATTESTED] = "Attested",
	[RECORD_STANDING_SIMULATED] = "Simulated",
	[RECORD_UNPROVEN] = "Unproven",
	[RECORD_REFUSED] = "Refused",
	[RECORD_EXPIRED] = "Expired",
	[RECORD_WAIVED] = "Waived",
};

const char *record_platform_name(enum record_platform p)
{
	return platforms[p];
}

const char *record_standing_name(enum record_standing s)
{
	return standings[s];
}

/* The index of text in names, 0 when it is none of them. */
static size_t index_of(const char *const *names, size_t n, struct span text)
{
	for (size_t i = 1; i < n; i++)
		if (span_is(text, names[i]))
			return i;
	return 0;
}

enum record_platform record_platform_parse(struct span text)
{
	return (enum record_platform)index_of(platforms, RECORD_PLATFORM_N, text);
}

bool record_platform_is_host(enum record_platform p)
{
	return p == RECORD_TDX_HOST || p == RECORD_SNP_HOST;
}

static void read_text(char *out, size_t size, struct json_val v, struct arena *a)
{
	struct span s = utf8_cut(json_str(v, a), size - 1);

	snprintf(out, size, SPAN_FMT, SPAN_ARG(s));
}

static int64_t read_time(struct json_val v, struct arena *a)
{
	int64_t usec;

	return clock_parse(json_str(v, a), &usec) == 0 ? usec : 0;
}

static enum reason read_reason(struct json_val v, struct arena *a)
{
	struct span text = json_str(v, a);

	for (unsigned i = 0; i < REASON_N; i++)
		if (span_is(text, reason_name((enum reason)i)))
			return (enum reason)i;
	return REASON_Internal;
}

static void read_platform_id(struct record *r, struct json_val v, struct arena *a)
{
	struct span text = json_str(v, a);

	if (text.len / 2 <= sizeof(r->platform_id) &&
		codec_hex_exact(r->platform_id, text.len / 2, text) == 0)
		r->platform_id_len = text.len / 2;
}

static struct json_val find_condition(struct json_val status)
{
	struct json_iter it;

	json_each (it, json_get(status, "conditions"))
		if (json_str_is(json_get(it.value, "type"), "Attested"))
			return it.value;
	return (struct json_val){0};
}

void record_read(struct record *ret, struct json_val object)
{
	struct json_val status = json_get(object, "status");
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);
	struct span digest;

	*ret = (struct record){0};
	read_text(ret->node_uid, sizeof(ret->node_uid), json_get(status, "nodeUID"), &a);
	ret->platform = record_platform_parse(json_str(json_get(status, "platform"), &a));
	read_platform_id(ret, json_get(status, "platformID"), &a);
	ret->standing = (enum record_standing)index_of(
		standings, RECORD_STANDING_N, json_str(json_get(status, "verdict"), &a));
	ret->reason = read_reason(json_get(status, "reason"), &a);
	read_text(ret->message, sizeof(ret->message), json_get(status, "message"), &a);
	digest = span_after(json_str(json_get(status, "evidenceDigest"), &a), DIGEST_PREFIX);
	ret->has_digest = codec_hex_exact(ret->evidence_digest, RECORD_DIGEST, digest) == 0;
	read_text(ret->thumbprint, sizeof(ret->thumbprint), json_get(status, "publicKeyThumbprint"),
		&a);
	ret->challenged_usec = read_time(json_get(status, "challengedAt"), &a);
	ret->judged_sec = read_time(json_get(status, "judgedAt"), &a) / USEC_PER_SEC;
	ret->valid_until_sec = read_time(json_get(status, "validUntil"), &a) / USEC_PER_SEC;
	ret->since_sec = read_time(json_get(find_condition(status), "lastTransitionTime"), &a) /
			 USEC_PER_SEC;
	ret->starts_vms = json_exists(json_find(status, "capacity", "cvmSlots"));
	if (!json_int(json_get(status, "leaderEpoch"), &ret->epoch) || ret->epoch < 0)
		ret->epoch = 0;
	read_text(ret->tcb_status, sizeof(ret->tcb_status), json_find(status, "tcb", "status"), &a);
	read_text(ret->tcb_date, sizeof(ret->tcb_date), json_find(status, "tcb", "date"), &a);
	if (!json_int(json_find(status, "tcb", "evaluationDataNumber"), &ret->tcb_number))
		ret->tcb_number = 0;
	reevaluation_read(&ret->basis, json_get(status, "reevaluation"));
}

bool record_holds(const struct record *r, const char *node_uid, int64_t now_sec)
{
	return r->standing != RECORD_STANDING_NONE && r->standing != RECORD_EXPIRED &&
	       strcmp(r->node_uid, node_uid) == 0 && now_sec <= r->valid_until_sec;
}

const char *record_condition(enum record_standing s)
{
	switch (s) {
	case RECORD_ATTESTED:
	case RECORD_STANDING_SIMULATED:
	case RECORD_WAIVED:
		return "True";
	case RECORD_UNPROVEN:
	case RECORD_REFUSED:
		return "False";
	default:
		return "Unknown";
	}
}

static void add_text(struct buf *out, const char *member, struct span text)
{
	if (!text.len)
		return;
	buf_printf(out, ",\"%s\":", member);
	buf_json_string(out, text);
}

static void add_time(struct buf *out, const char *member, int64_t unix_sec)
{
	char text[CLOCK_RFC3339_MAX];

	clock_format(text, unix_sec);
	if (unix_sec)
		add_text(out, member, span_str(text));
}

/* What every write says. */
static void add_verdict(struct buf *out, const struct record *r)
{
	char since[CLOCK_RFC3339_MAX];

	clock_format(since, r->since_sec);
	buf_printf(out, "\"verdict\":\"%s\",\"reason\":\"%s\",\"message\":", standings[r->standing],
		reason_name(r->reason));
	buf_json_string(out, span_str(r->message));
	buf_printf(out,
		",\"leaderEpoch\":%" PRId64 ",\"conditions\":[{\"type\":\"Attested\","
		"\"status\":\"%s\",\"reason\":\"%s\",\"lastTransitionTime\":\"%s\",\"message\":",
		r->epoch, record_condition(r->standing), reason_name(r->reason), since);
	buf_json_string(out, span_str(r->message));
	buf_puts(out, "}]");
}

int record_write_end(struct buf *out, const struct record *r, struct span detail)
{
	buf_putc(out, '{');
	add_verdict(out, r);
	buf_span(out, detail);
	return buf_putc(out, '}');
}

int record_write(struct buf *out, const struct record *r, struct span detail)
{
	char challenged[CLOCK_RFC3339_MAX];

	buf_putc(out, '{');
	add_verdict(out, r);
	add_text(out, "nodeUID", span_str(r->node_uid));
	add_text(out, "platform", span_str(platforms[r->platform]));
	if (r->platform_id_len) {
		buf_puts(out, ",\"platformID\":\"");
		codec_hex(out, r->platform_id, r->platform_id_len);
		buf_putc(out, '"');
	}
	if (r->has_digest) {
		buf_puts(out, ",\"evidenceDigest\":\"" DIGEST_PREFIX);
		codec_hex(out, r->evidence_digest, RECORD_DIGEST);
		buf_putc(out, '"');
	}
	add_text(out, "publicKeyThumbprint", span_str(r->thumbprint));
	clock_format_micro(challenged, r->challenged_usec);
	if (r->challenged_usec)
		add_text(out, "challengedAt", span_str(challenged));
	add_time(out, "judgedAt", r->judged_sec);
	add_time(out, "validUntil", r->valid_until_sec);
	reevaluation_write(out, &r->basis);
	buf_span(out, detail);
	return buf_putc(out, '}');
}
