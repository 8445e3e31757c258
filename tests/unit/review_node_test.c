/* SPDX-License-Identifier: Apache-2.0
 *
 * A verdict that stands, and collateral that changes below it: from a file, through the review, to
 * what is written. */
#include "webhook/verifier/review.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"
#include "tests/unit/trust_fix.h"
#include "tests/unit/verify_world.h"

enum { PATIENCE_SEC = 60, EPOCH = 5, STATUS_MAX = 65536 };

struct fix {
	sd_event *event;
	struct trust *trust;
	struct tree tree;
	char path[128], file[160];
	const char *paths[1];
	struct collateral_sources sources;
	struct buf policy;
	struct tee_intel w;
	struct node *node;
	struct reviewer reviewer;
};

static int64_t test_clock(void)
{
	return TEE_NOW;
}

static bool write_collateral(struct fix *f)
{
	_cleanup_buf_ struct buf json = BUF_INIT(2 * TEE_JSON_MAX);
	FILE *file = fopen(f->file, "we");
	bool ok;

	tee_intel_collateral(&f->w, &json);
	ok = file && fwrite(json.p, 1, json.len, file) == json.len;
	return CHECK_ROW("file", file && fclose(file) == 0 && ok, "%s", f->file);
}

/* The world's file is taken up. */
static bool change(struct fix *f)
{
	uint64_t before = trust_examiner(f->trust).collateral->epoch;
	int64_t end = clock_monotonic_usec() + PATIENCE_SEC * (int64_t)USEC_PER_SEC;

	if (!write_collateral(f))
		return false;
	while (trust_examiner(f->trust).collateral->epoch == before && clock_monotonic_usec() < end)
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	return CHECK_ROW(
		"epoch", trust_examiner(f->trust).collateral->epoch != before, "%s", "the same");
}

static bool begin_trust(struct fix *f)
{
	_cleanup_buf_ struct buf root = BUF_INIT(TEE_PEM_MAX);
	struct trust_options o = {.sources = &f->sources, .where = "policy", .clock = test_clock};
	struct error err = {0};

	if (!tree_new(&f->tree) || sd_event_new(&f->event) < 0)
		return CHECK_ROW("begin", false, "none");
	tree_step(&f->tree, "d /collateral");
	snprintf(f->path, sizeof(f->path), "%s/collateral", f->tree.root);
	snprintf(f->file, sizeof(f->file), "%s/intel.json", f->path);
	f->paths[0] = f->path;
	f->sources = sources_none();
	f->sources.paths = (struct strings){f->paths, 1};
	tee_intel_root(&f->w, &root);
	trust_root_policy(&f->policy, buf_view(&root));
	o.event = f->event;
	o.policy = buf_view(&f->policy);
	return write_collateral(f) &&
	       CHECK_ROW("trust", trust_new(&f->trust, &o, &err) == 0, "%s", err.message);
}

/* A node whose evidence was accepted, whatever ran there. */
static void attest(struct fix *f)
{
	const struct examiner x = trust_examiner(f->trust);
	const struct verify_policy policy = {0};
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX);
	struct evidence e = {0};
	struct verdict v;
	const struct verify_input in = {&e, x.collateral, &policy, TEE_NOW};
	struct record *r = &f->node->record;
	enum reason reason;

	tee_intel_quote(&f->w, &quote);
	if (!CHECK_ROW("open", evidence_open(&e, buf_view(&quote), &reason, NULL) == 0, "%s", "no"))
		return;
	verify(&in, NULL, &v);
	CHECK_ROW("attested", v.reason == REASON_Ok, "%s", v.message);
	*r = (struct record){.node_uid = "u1",
		.platform = RECORD_TDX,
		.standing = RECORD_ATTESTED,
		.reason = REASON_Ok,
		.valid_until_sec = TEE_NOW + 3600,
		.tcb_number = v.evaluation_number};
	snprintf(r->tcb_status, sizeof(r->tcb_status), "%s", tcb_status_name(v.tcb));
	snprintf(r->tcb_date, sizeof(r->tcb_date), "%s", v.tcb_date);
	basis_of(&r->basis, &v, &e);
	evidence_free(&e);
}

static bool fix_begin(struct fix *f)
{
	*f = (struct fix){.policy = BUF_INIT(1 << 16)};
	tee_intel_tdx(&f->w, 5, true);
	f->node = calloc(1, sizeof(*f->node) + sizeof("n1"));
	if (!f->node || !begin_trust(f))
		return false;
	f->node->exists = f->node->recorded = true;
	snprintf(f->node->seen.uid, sizeof(f->node->seen.uid), "u1");
	snprintf(f->node->version, sizeof(f->node->version), "1");
	f->reviewer.trust = f->trust;
	attest(f);
	return true;
}

static void fix_end(struct fix *f)
{
	trust_free(f->trust);
	sd_event_unref(f->event);
	tree_free(&f->tree);
	buf_free(&f->policy);
	free(f->node);
}

/* Reviews; what comes of it is stored as the API server would. */
static bool review(struct fix *f, const char *row, bool want, enum record_standing standing,
	enum reason reason)
{
	static const struct json_limits limits = {STATUS_MAX, 4000, 32};
	_cleanup_buf_ struct buf detail = BUF_INIT(16384), out = BUF_INIT(STATUS_MAX);
	_cleanup_json_ struct json doc = {0};
	struct record *now = &f->node->record, r = *now;
	bool got = review_node(&f->reviewer, f->node, EPOCH, TEE_NOW, &r, &detail);

	if (!CHECK_ROW(row, got == want, "%d: %s", got, r.message))
		return false;
	if (got) {
		buf_puts(&out, "{\"status\":");
		record_write_end(&out, &r, buf_view(&detail));
		buf_putc(&out, '}');
		if (!CHECK_ROW(
			    row, json_parse(&doc, buf_view(&out), &limits, NULL) == 0, "%s", out.p))
			return false;
		record_read(&r, json_root(&doc));
		/* a merge patch leaves the rest */
		memcpy(r.node_uid, now->node_uid, sizeof(r.node_uid));
		r.valid_until_sec = now->valid_until_sec;
		*now = r;
		f->node->version[0]++;
	}
	return CHECK_ROW(row, now->standing == standing && now->reason == reason, "%s %s: %s",
		record_standing_name(now->standing), reason_name(now->reason), now->message);
}

static void test_review(void)
{
	struct fix f;
	bool ok = fix_begin(&f);

	ok = ok && review(&f, "as it is", false, RECORD_ATTESTED, REASON_Ok);
	ok = ok && review(&f, "once more", false, RECORD_ATTESTED, REASON_Ok);
	/* a TCB recovery, with a higher number */
	f.w.tcb_info.d.levels[0].status = "OutOfDate";
	f.w.tcb_info.d.evaluation = f.w.qe.d.evaluation = 18;
	f.w.tcb_info.d.issue_date++;
	f.w.qe.d.issue_date++;
	ok = ok && change(&f);
	ok = ok && review(&f, "out of date", true, RECORD_REFUSED, REASON_TcbOutOfDate);
	CU_ASSERT_EQUAL(f.node->record.basis.evaluation_number, 18);
	CU_ASSERT_EQUAL(f.node->record.epoch, EPOCH);
	CU_ASSERT_STRING_EQUAL(f.node->record.tcb_status, "OutOfDate");
	ok = ok && review(&f, "it is written once", false, RECORD_REFUSED, REASON_TcbOutOfDate);
	/* the old documents again: they are older, and change nothing */
	f.w.tcb_info.d.levels[0].status = "UpToDate";
	f.w.tcb_info.d.evaluation = f.w.qe.d.evaluation = 17;
	ok = ok && change(&f);
	ok = ok && review(&f, "older", false, RECORD_REFUSED, REASON_TcbOutOfDate);
	/* the vendor thinks better of it */
	f.w.tcb_info.d.evaluation = f.w.qe.d.evaluation = 19;
	ok = ok && change(&f);
	ok = ok && review(&f, "up again", true, RECORD_ATTESTED, REASON_Ok);
	/* a certificate is revoked */
	f.w.pck_crl[f.w.pck.ca].revoked[0] = f.w.leaf.serial;
	ok = ok && change(&f);
	ok = ok && review(&f, "revoked", true, RECORD_REFUSED, REASON_CertificateRevoked);
	ok = ok && review(&f, "once", false, RECORD_REFUSED, REASON_CertificateRevoked);
	/* a broken file decides nothing */
	f.w.pck_crl[f.w.pck.ca].absent = f.w.tcb_info.d.absent = true;
	ok = ok && change(&f);
	if (ok)
		review(&f, "missing", false, RECORD_REFUSED, REASON_CertificateRevoked);
	fix_end(&f);
}

CU_TestInfo review_node_tests[] = {
	{"review", test_review},
	CU_TEST_INFO_NULL,
};
