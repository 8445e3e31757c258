/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/marks.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"
#include "webhook/policy/tee.h"

#define CONDITION "ConfidentialAttested"
#define TAINT_KEY "casemate.dev/unattested"

static const char *const keys[MARK_LABEL_N] = {
	[MARK_ATTESTED] = LABEL_ATTESTED,
	[MARK_TEE] = LABEL_TEE,
	[MARK_NODE] = LABEL_NODE,
	[MARK_CVM_HOST] = LABEL_CVM_HOST,
};

const char *marks_label(enum mark_label l)
{
	return keys[l];
}

static void read_text(char *out, size_t size, struct json_val v, struct arena *a)
{
	struct span s = utf8_cut(json_str(v, a), size - 1);

	snprintf(out, size, SPAN_FMT, SPAN_ARG(s));
}

static void read_condition(struct marks_seen *m, struct json_val node, struct arena *a)
{
	struct json_iter it;

	json_each (it, json_find(node, "status", "conditions")) {
		if (!json_str_is(json_get(it.value, "type"), CONDITION))
			continue;
		read_text(m->status, sizeof(m->status), json_get(it.value, "status"), a);
		read_text(m->reason, sizeof(m->reason), json_get(it.value, "reason"), a);
		read_text(m->message, sizeof(m->message), json_get(it.value, "message"), a);
	}
}

int marks_read(struct marks_seen *ret, struct json_val node)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(16 * 1024);
	struct json_val metadata = json_get(node, "metadata");
	struct json_val taints = json_find(node, "spec", "taints");
	struct marks_seen m = {.taint = -1, .has_taints = json_count(taints) > 0};
	struct json_iter it;

	read_text(m.uid, sizeof(m.uid), json_get(metadata, "uid"), &a);
	read_text(m.version, sizeof(m.version), json_get(metadata, "resourceVersion"), &a);
	if (!m.uid[0] || !m.version[0])
		return -EBADMSG;
	for (size_t i = 0; i < MARK_LABEL_N; i++) {
		struct json_val v = json_find(metadata, "labels", keys[i]);

		m.has_label[i] = json_exists(v);
		read_text(m.label[i], sizeof(m.label[i]), v, &a);
	}
	read_condition(&m, node, &a);
	json_each (it, taints)
		if (json_str_is(json_get(it.value, "key"), TAINT_KEY) &&
			json_str_is(json_get(it.value, "effect"), "NoSchedule"))
			m.taint = (int)it.index;
	*ret = m;
	return 0;
}

/* A host that proves itself by SGX may be one of VMs as well: of TDX, the only kind that Intel's
 * processors have. */
static void label_platform(struct marks *m, enum record_platform p, bool starts_vms)
{
	m->label[MARK_ATTESTED] = "true";
	if (p == RECORD_SGX && starts_vms)
		m->label[MARK_CVM_HOST] = "tdx";
	if (p == RECORD_SGX || p == RECORD_TDX || p == RECORD_SNP)
		m->label[MARK_TEE] = record_platform_name(p);
	if (p == RECORD_TDX || p == RECORD_SNP)
		m->label[MARK_NODE] = "confidential";
}

static void say(struct marks *m, const char *status, enum reason reason, const char *message)
{
	m->status = status;
	m->reason = reason_name(reason);
	m->message = message[0] ? message : reason_advice(reason);
}

void marks_of(struct marks *ret, const struct record *r, const struct marks_seen *seen,
	int64_t now_sec, bool taint)
{
	struct marks m = {.taint = taint};
	bool known = r->standing != RECORD_STANDING_NONE && strcmp(r->node_uid, seen->uid) == 0;

	/* In the same words before and after the record says it, so that the Node is written once.
	 */
	if (known && !record_holds(r, seen->uid, now_sec)) {
		say(&m, "Unknown", REASON_VerdictExpired, "");
	} else if (!known && seen->status[0]) {
		say(&m, "Unknown", REASON_NotAttested,
			"the node's NodeAttestation is gone and no evidence has come since; see "
			"the node agent's log and status");
	} else if (known) {
		say(&m, record_condition(r->standing), r->reason, r->message);
		switch (r->standing) {
		case RECORD_ATTESTED:
		case RECORD_WAIVED:
			label_platform(&m, r->platform, r->starts_vms);
			m.taint = false;
			break;
		case RECORD_STANDING_SIMULATED:
			m.label[MARK_ATTESTED] = "simulated";
			m.taint = false;
			break;
		case RECORD_UNPROVEN:
			m.label[MARK_CVM_HOST] = r->platform == RECORD_TDX_HOST ? "tdx" : "snp";
			m.taint = false;
			break;
		default:
			break;
		}
	}
	*ret = m;
}

static bool label_in_place(const struct marks_seen *seen, const struct marks *want, size_t i)
{
	return want->label[i] ? seen->has_label[i] && strcmp(seen->label[i], want->label[i]) == 0
			      : !seen->has_label[i];
}

static bool condition_in_place(const struct marks_seen *seen, const struct marks *want)
{
	if (!want->status)
		return !seen->status[0];
	return strcmp(seen->status, want->status) == 0 && strcmp(seen->reason, want->reason) == 0 &&
	       strcmp(seen->message, want->message) == 0;
}

bool marks_in_place(const struct marks_seen *seen, const struct marks *want)
{
	for (size_t i = 0; i < MARK_LABEL_N; i++)
		if (!label_in_place(seen, want, i))
			return false;
	return condition_in_place(seen, want);
}

bool marks_taint_in_place(const struct marks_seen *seen, const struct marks *want)
{
	return want->taint == (seen->taint >= 0);
}

static void patch_condition(
	struct buf *out, const struct marks_seen *seen, const struct marks *want, int64_t now_sec)
{
	char now[CLOCK_RFC3339_MAX];

	clock_format(now, now_sec);
	buf_puts(out, ",\"status\":{\"conditions\":[{\"type\":\"" CONDITION "\"");
	if (!want->status) {
		buf_puts(out, ",\"$patch\":\"delete\"}]}");
		return;
	}
	buf_printf(out, ",\"status\":\"%s\",\"reason\":\"%s\",\"lastHeartbeatTime\":\"%s\"",
		want->status, want->reason, now);
	if (strcmp(seen->status, want->status) != 0)
		buf_printf(out, ",\"lastTransitionTime\":\"%s\"", now);
	buf_puts(out, ",\"message\":");
	buf_json_string(out, span_str(want->message));
	buf_puts(out, "}]}");
}

int marks_patch(
	struct buf *out, const struct marks_seen *seen, const struct marks *want, int64_t now_sec)
{
	const char *comma = "";

	buf_puts(out, "{\"metadata\":{\"resourceVersion\":");
	buf_json_string(out, span_str(seen->version));
	buf_puts(out, ",\"uid\":");
	buf_json_string(out, span_str(seen->uid));
	buf_puts(out, ",\"labels\":{");
	for (size_t i = 0; i < MARK_LABEL_N; i++) {
		if (label_in_place(seen, want, i))
			continue;
		buf_printf(out, "%s\"%s\":", comma, keys[i]);
		if (want->label[i])
			buf_json_string(out, span_str(want->label[i]));
		else
			buf_puts(out, "null");
		comma = ",";
	}
	buf_puts(out, "}}");
	if (!condition_in_place(seen, want))
		patch_condition(out, seen, want, now_sec);
	return buf_putc(out, '}');
}

int marks_taint_patch(struct buf *out, const struct marks_seen *seen, const struct marks *want)
{
	static const char taint[] = "{\"key\":\"" TAINT_KEY "\",\"effect\":\"NoSchedule\"}";

	buf_puts(out, "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":");
	buf_json_string(out, span_str(seen->version));
	if (!want->taint)
		buf_printf(out, "},{\"op\":\"remove\",\"path\":\"/spec/taints/%d\"}]", seen->taint);
	else if (seen->has_taints)
		buf_printf(
			out, "},{\"op\":\"add\",\"path\":\"/spec/taints/-\",\"value\":%s}]", taint);
	else
		buf_printf(
			out, "},{\"op\":\"add\",\"path\":\"/spec/taints\",\"value\":[%s]}]", taint);
	return out->err;
}
