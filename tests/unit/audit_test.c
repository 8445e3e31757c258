/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/kbs/key_id.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "webhook/broker/audit_check.h"
#include "webhook/broker/audit_publish.h"
#include "webhook/broker/grant.h"

enum { LINES = 6, TEXT_MAX = 1024 * 1024 };

static const struct key_id id = {"shop", "payments", "db"};
static const struct requester who = {.namespace_ = "shop",
	.service_account = "payments",
	.pod = "pay-1",
	.container = "a\"pp\n",
	.node = "node-a"};

static struct audit_entry entry_of(unsigned n)
{
	return (struct audit_entry){.time_usec = 1000000 * (int64_t)n,
		.protocol = "rcar",
		.who = &who,
		.tee = SPAN_LIT("tdx"),
		.measurement_hex = SPAN_LIT("00ff"),
		.platform_hex = "abcd",
		.key = &id,
		.version = n,
		.reason = n % 2 ? REASON_Ok : REASON_WorkloadNotAllowed,
		.message = n % 2 ? "" : "spec.workload: command differs"};
}

/* n lines of a fresh chain; ends[i]: where line i ends. */
static void make_lines(struct buf *out, size_t ends[LINES], struct audit_head *head)
{
	*head = (struct audit_head){.chain = "0123456789abcdef"};
	for (unsigned i = 0; i < LINES; i++) {
		struct audit_entry e = entry_of(i + 1);

		CU_ASSERT_EQUAL(audit_line_write(out, head, "replica-a", &e), 0);
		ends[i] = out->len;
	}
}

/* What the checker says of a text: 0, or 1 when something is wrong. */
static int check_text(struct audit_check *c, struct span text, bool mixed)
{
	struct error err = {0};
	size_t number = 0;

	while (text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;
		int r = audit_check_line(c, (struct span){text.p, n}, mixed, "f", ++number, &err);

		if (r != 0)
			return r;
		if (!end)
			return 1; /* a line without its end */
		text = (struct span){text.p + n + 1, text.len - n - 1};
	}
	return 0;
}

static int check_once(struct span text)
{
	_cleanup_(audit_check_free_p) struct audit_check *c = audit_check_new();

	return check_text(c, text, false);
}

static void test_lines(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	CU_ASSERT_EQUAL(head.seq, LINES);
	CU_ASSERT_EQUAL(check_once(buf_view(&text)), 0);
	CHECK_ROW("key",
		strstr(text.p, "\"key\":\"shop/payments/db\",\"version\":1,"
			       "\"verdict\":\"released\",\"reason\":\"Ok\"") != NULL,
		"%s", text.p);
	CHECK_ROW("escaped", strstr(text.p, "\"container\":\"a\\\"pp\\n\"") != NULL, "%s", text.p);
}

/* Every single-byte change of every line. */
static void test_edits(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	for (size_t i = 0; i < text.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			text.p[i] = (char)(text.p[i] ^ (1 << bit));
			if (!CHECK_ROW("edit", check_once(buf_view(&text)) == 1, "byte %zu bit %d",
				    i, bit))
				return;
			text.p[i] = (char)(text.p[i] ^ (1 << bit));
		}
}

/* A line taken out, but for the first (older files go) and the last (which checkpoints are for). */
static void test_removals(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	for (size_t i = 1; i + 1 < LINES; i++) {
		_cleanup_buf_ struct buf cut = BUF_INIT(TEXT_MAX);

		buf_add(&cut, text.p, ends[i - 1]);
		buf_add(&cut, text.p + ends[i], text.len - ends[i]);
		CHECK_ROW("removed", check_once(buf_view(&cut)) == 1, "line %zu", i + 1);
	}
}

static struct span line_at(const struct buf *text, const size_t ends[LINES], size_t i)
{
	size_t from = i ? ends[i - 1] : 0;

	return (struct span){text->p + from, ends[i] - from};
}

static void test_swaps(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	for (size_t i = 0; i < LINES; i++)
		for (size_t j = i; j < LINES; j++) {
			_cleanup_buf_ struct buf moved = BUF_INIT(TEXT_MAX);

			/* i and j change places; the same one: it is there twice. */
			for (size_t k = 0; k < LINES; k++) {
				buf_span(&moved, line_at(&text, ends, k == i ? j : k == j ? i : k));
				if (i == j && k == i)
					buf_span(&moved, line_at(&text, ends, k));
			}
			CHECK_ROW("moved", check_once(buf_view(&moved)) == 1, "lines %zu, %zu",
				i + 1, j + 1);
		}
}

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* Each truncation, at every byte, against the checkpoint of the end. */
static void test_truncations(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX), point = BUF_INIT(AUDIT_CHECKPOINT_MAX);
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	CU_ASSERT_EQUAL(audit_point_sign(&point, &head, 1000, key, NULL), 0);
	for (size_t n = 0; n <= text.len; n++) {
		_cleanup_(audit_check_free_p) struct audit_check *c = audit_check_new();
		struct span cut = {text.p, n};
		bool found = check_text(c, cut, false) == 1 ||
			     audit_check_point(c, buf_view(&point), key, NULL) == 1;

		CHECK_ROW("truncated", found == (n < text.len), "at %zu of %zu", n, text.len);
	}
}

static void test_checkpoints(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = EVP_EC_gen("P-256"),
					    *other = EVP_EC_gen("P-256");
	_cleanup_(audit_check_free_p) struct audit_check *c = audit_check_new();
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX), point = BUF_INIT(AUDIT_CHECKPOINT_MAX);
	struct audit_totals totals;
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	head.seq = 4;
	CU_ASSERT_EQUAL(check_text(c, buf_view(&text), false), 0);
	CU_ASSERT_EQUAL(audit_point_sign(&point, &head, 1000, key, NULL), 0);
	/* The fourth line has another hash. */
	CU_ASSERT_EQUAL(audit_check_point(c, buf_view(&point), key, NULL), 1);
	buf_reset(&point);
	head.seq = LINES;
	CU_ASSERT_EQUAL(audit_point_sign(&point, &head, 1000, key, NULL), 0);
	CU_ASSERT_EQUAL(audit_check_point(c, buf_view(&point), other, NULL), 1);
	audit_check_totals(c, &totals);
	CU_ASSERT_EQUAL(totals.unchecked, LINES);
	CU_ASSERT_EQUAL(audit_check_point(c, buf_view(&point), key, NULL), 0);
	audit_check_totals(c, &totals);
	CU_ASSERT(totals.unchecked == 0 && totals.lines == LINES && totals.from_start);
	for (size_t i = 0; i < point.len; i++) {
		point.p[i] ^= 1;
		CHECK_ROW("forged", audit_check_point(c, buf_view(&point), key, NULL) == 1,
			"byte %zu", i);
		point.p[i] ^= 1;
	}
}

struct fix {
	char dir[64], path[80];
	struct audit *audit;
};

static void open_log(struct fix *f, int64_t rotate_bytes)
{
	struct error err = {0};

	CHECK_ROW("open",
		audit_new(&f->audit,
			&(struct audit_options){.path = f->path,
				.replica = "replica-a",
				.rotate_bytes = rotate_bytes,
				.keep = 3},
			&err) == 0,
		"%s", err.message);
}

static bool begin(struct fix *f)
{
	*f = (struct fix){.dir = "/tmp/audit-XXXXXX"};
	if (!mkdtemp(f->dir))
		return false;
	snprintf(f->path, sizeof(f->path), "%s/audit.log", f->dir);
	return true;
}

static void end(struct fix *f)
{
	char command[128];

	audit_free(f->audit);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	CU_ASSERT_EQUAL(system(command), 0);
}

static void add(struct fix *f, unsigned n)
{
	struct audit_entry e = entry_of(n);
	struct error err = {0};

	CHECK_ROW("write", f->audit && audit_write(f->audit, &e, &err) == 0, "%s", err.message);
}

/* The rotated files, the oldest first, then the newest, as one text. */
static void gather(const struct fix *f, struct buf *out)
{
	static const char *const suffixes[] = {".3", ".2", ".1", ""};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char path[100], piece[4096];
		size_t n;
		FILE *file;

		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		file = fopen(path, "r");
		while (file && (n = fread(piece, 1, sizeof(piece), file)) > 0)
			buf_add(out, piece, n);
		if (file)
			fclose(file);
	}
}

static void check_log(const struct fix *f, const char *row, size_t lines)
{
	_cleanup_(audit_check_free_p) struct audit_check *c = audit_check_new();
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_totals totals;

	gather(f, &text);
	CHECK_ROW(row, check_text(c, buf_view(&text), false) == 0, "%s", text.p);
	audit_check_totals(c, &totals);
	CHECK_ROW(row, totals.lines == lines && totals.chains == (lines ? 1 : 0),
		"%zu lines, %zu chains", totals.lines, totals.chains);
}

static void test_restart(void)
{
	struct fix f;
	FILE *file;

	if (!begin(&f))
		return;
	open_log(&f, 0);
	add(&f, 1);
	add(&f, 2);
	audit_free(f.audit);
	open_log(&f, 0);
	add(&f, 3);
	check_log(&f, "restart", 3);
	audit_free(f.audit);
	file = fopen(f.path, "a");
	fputs("{\"audit\":1,\"chain\":\"01", file);
	fclose(file);
	open_log(&f, 0);
	add(&f, 4);
	check_log(&f, "cut line", 5); /* with the one that says so */
	end(&f);
}

static void test_rotation(void)
{
	struct fix f;

	if (!begin(&f))
		return;
	open_log(&f, 4096);
	for (unsigned i = 1; i <= 12; i++)
		add(&f, i);
	check_log(&f, "rotated", 12);
	end(&f);
}

static void test_rotated_alone(void)
{
	char to[100];
	struct fix f;

	if (!begin(&f))
		return;
	open_log(&f, 0);
	add(&f, 1);
	audit_free(f.audit);
	snprintf(to, sizeof(to), "%s.1", f.path);
	CU_ASSERT_EQUAL(rename(f.path, to), 0);
	open_log(&f, 0);
	add(&f, 2);
	check_log(&f, "goes on", 2);
	end(&f);
}

/* What somebody changed is not gone on from. */
static void test_changed_end(void)
{
	struct audit *again = NULL;
	struct error err = {0};
	struct fix f;
	FILE *file;

	if (!begin(&f))
		return;
	open_log(&f, 0);
	add(&f, 1);
	file = fopen(f.path, "r+");
	fseek(file, 60, SEEK_SET);
	fputc('~', file);
	fclose(file);
	CU_ASSERT_EQUAL(
		audit_new(&again,
			&(struct audit_options){.path = f.path, .replica = "r", .keep = 1}, &err),
		-EBADMSG);
	end(&f);
}

/* Nothing is released without its line. */
static void test_full(void)
{
	struct audit *a = NULL;
	struct error err = {0};

	CU_ASSERT_EQUAL(
		audit_new(&a,
			&(struct audit_options){.path = "/dev/full", .replica = "r", .keep = 1},
			&err),
		-EINVAL);
	CU_ASSERT_EQUAL(
		audit_new(&a,
			&(struct audit_options){.path = "/nowhere/log", .replica = "r", .keep = 1},
			&err),
		-ENOENT);
}

/* Of a file: a line when there is something new, the last one at the end. */
static void test_published(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_(audit_check_free_p) struct audit_check *c = audit_check_new();
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_publisher *p = NULL;
	struct audit_totals totals;
	sd_event *event = NULL;
	char path[120], point[AUDIT_CHECKPOINT_MAX] = "";
	struct fix f;
	FILE *file;

	if (!begin(&f) || sd_event_new(&event) < 0)
		return;
	open_log(&f, 0);
	add(&f, 1);
	add(&f, 2);
	CU_ASSERT_EQUAL(
		audit_publisher_new(&p,
			&(struct audit_publisher_options){
				.event = event, .audit = f.audit, .key = &key, .path = f.path},
			NULL),
		0);
	audit_publisher_free(p);
	gather(&f, &text);
	CU_ASSERT_EQUAL(check_text(c, buf_view(&text), false), 0);
	snprintf(path, sizeof(path), "%s.checkpoints", f.path);
	file = fopen(path, "r");
	CU_ASSERT(file && fgets(point, sizeof(point), file));
	if (file)
		fclose(file);
	point[strcspn(point, "\n")] = '\0';
	CU_ASSERT_EQUAL(audit_check_point(c, span_str(point), key, NULL), 0);
	audit_check_totals(c, &totals);
	CU_ASSERT(totals.unchecked == 0 && totals.lines == 2);
	sd_event_unref(event);
	end(&f);
}

static void test_mixed(void)
{
	_cleanup_(audit_check_free_p) struct audit_check *c = audit_check_new();
	_cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
	struct audit_head head;
	size_t ends[LINES];

	make_lines(&text, ends, &head);
	CU_ASSERT_EQUAL(check_text(c, SPAN_LIT("I1128 a log line\n"), true), 0);
	CU_ASSERT_EQUAL(check_text(c, buf_view(&text), true), 0);
	CU_ASSERT_EQUAL(check_text(c, SPAN_LIT("I1128 a log line\n"), false), 1);
}

const CU_TestInfo audit_tests[] = {
	{"lines", test_lines},
	{"every edit", test_edits},
	{"every removal", test_removals},
	{"every swap", test_swaps},
	{"every truncation", test_truncations},
	{"checkpoints", test_checkpoints},
	{"a restart", test_restart},
	{"rotation", test_rotation},
	{"rotated alone", test_rotated_alone},
	{"a changed end", test_changed_end},
	{"nowhere to write", test_full},
	{"checkpoints published", test_published},
	{"among other lines", test_mixed},
	CU_TEST_INFO_NULL,
};
