/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/waiver.h"

#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"

#define PREFIX "casemate.dev/waiver-"

static void read_text(char *out, size_t size, struct json_val v, struct arena *a)
{
	struct span s = utf8_cut(json_str(v, a), size - 1);

	snprintf(out, size, SPAN_FMT, SPAN_ARG(s));
}

void waiver_read(struct waiver *ret, struct json_val object)
{
	struct json_val annotations = json_find(object, "metadata", "annotations");
	_cleanup_arena_ struct arena a = ARENA_INIT(16 * 1024);
	struct waiver w = {0};
	int64_t until;

	*ret = w;
	read_text(w.by, sizeof(w.by), json_get(annotations, PREFIX "by"), &a);
	read_text(w.why, sizeof(w.why), json_get(annotations, PREFIX "why"), &a);
	if (!w.by[0] || !w.why[0] ||
		clock_parse(json_str(json_get(annotations, PREFIX "until"), &a), &until) < 0)
		return;
	w.until_sec = until / USEC_PER_SEC;
	*ret = w;
}

bool waiver_wanted(
	const struct record *r, const struct waiver *w, const char *node_uid, int64_t now_sec)
{
	if (!waiver_holds(w, now_sec))
		return false;
	if (!record_holds(r, node_uid, now_sec))
		return true;
	/* What one person of the cluster's owner denies, another does not waive. */
	if (r->reason == REASON_NodeDenied || r->reason == REASON_PlatformDenied)
		return false;
	return r->standing == RECORD_REFUSED || r->standing == RECORD_UNPROVEN ||
	       (r->standing == RECORD_WAIVED && r->valid_until_sec != w->until_sec);
}

void waiver_apply(struct record *r, const struct waiver *w, const char *node_uid, int64_t epoch,
	int64_t now_sec)
{
	bool before = strcmp(r->node_uid, node_uid) == 0 &&
		      strcmp(record_condition(r->standing), "True") == 0;
	char until[CLOCK_RFC3339_MAX], evidence[96] = "";

	clock_format(until, w->until_sec);
	if (r->standing == RECORD_REFUSED)
		snprintf(evidence, sizeof(evidence), "; its evidence was refused (%s)",
			reason_name(r->reason));
	snprintf(r->node_uid, sizeof(r->node_uid), "%s", node_uid);
	r->standing = RECORD_WAIVED;
	r->reason = REASON_Waived;
	snprintf(r->message, sizeof(r->message), "%s vouches for the node until %s: %s%s", w->by,
		until, w->why, evidence);
	r->valid_until_sec = w->until_sec;
	if (!before || !r->since_sec)
		r->since_sec = now_sec;
	if (epoch > r->epoch)
		r->epoch = epoch;
}

bool waiver_over(const struct record *r, const struct waiver *w, int64_t now_sec)
{
	return r->standing == RECORD_WAIVED && !waiver_holds(w, now_sec);
}

int waiver_write(struct buf *out, const struct waiver *w)
{
	char until[CLOCK_RFC3339_MAX];

	clock_format(until, w->until_sec);
	buf_puts(out, ",\"waiver\":{\"by\":");
	buf_json_string(out, span_str(w->by));
	buf_puts(out, ",\"why\":");
	buf_json_string(out, span_str(w->why));
	return buf_printf(out, ",\"until\":\"%s\"}", until);
}
