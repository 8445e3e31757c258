/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/cabundle.h"

#include <errno.h>

#include "common/base/secret.h"
#include "tests/unit/test.h"
#include "webhook/certs/authority.h"

static const struct json_limits limits = {1 << 20, 1 << 12, 16};

enum { CERTS = 4, ENTRIES_MAX = 3, TEXT_MAX = 8192 };

static const struct bundle none;

struct fix {
	struct credential c[CERTS];
};

static bool begin(struct fix *f)
{
	int r = 0;

	*f = (struct fix){0};
	for (size_t i = 0; r == 0 && i < CERTS; i++)
		r = authority_make_ca(&f->c[i], 1800000000, 100, NULL);
	CU_ASSERT_EQUAL(r, 0);
	return r == 0;
}

static void end(struct fix *f)
{
	for (size_t i = 0; i < CERTS; i++)
		credential_free(&f->c[i]);
}

/* "ac": the first and the third certificate. */
static void make_bundle(const struct fix *f, const char *letters, struct bundle *ret)
{
	for (; *letters; letters++)
		CU_ASSERT_EQUAL(bundle_add(ret, f->c[*letters - 'a'].cert, false), 0);
}

static void write_base64(const struct fix *f, const char *letters, struct buf *out)
{
	_cleanup_bundle_ struct bundle b = {0};
	_cleanup_buf_ struct buf pem = BUF_INIT(BUNDLE_PEM_MAX);

	make_bundle(f, letters, &b);
	CU_ASSERT_EQUAL(bundle_write(&b, &pem), 0);
	buf_base64(out, pem.p, pem.len);
}

/* entries: one for each, separated by blanks, of certificates by letter; "-": no caBundle, "0":
 * null, "!": what is no PEM, "?": no base64. */
static void write_configuration(const struct fix *f, const char *entries, struct buf *out)
{
	char text[64], *left = text, *entry;
	int i = 0;

	snprintf(text, sizeof(text), "%s", entries);
	buf_puts(out, "{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":[");
	while ((entry = strsep(&left, " "))) {
		buf_printf(out, "%s{\"name\":\"%c\\\"~/\",\"clientConfig\":{", i ? "," : "",
			'p' + i);
		if (*entry == '0') {
			buf_puts(out, "\"caBundle\":null");
		} else if (*entry == '!' || *entry == '?') {
			buf_printf(out, "\"caBundle\":\"%s\"", *entry == '!' ? "Zg==" : "f");
		} else if (*entry != '-') {
			buf_puts(out, "\"caBundle\":\"");
			write_base64(f, entry, out);
			buf_putc(out, '"');
		}
		buf_puts(out, "}}");
		i++;
	}
	buf_puts(out, "]}");
}

/* The patch that sets the entries that are not ".". */
static void write_patch(const struct fix *f, const char *entries, struct buf *out)
{
	char text[64], *left = text, *entry;

	snprintf(text, sizeof(text), "%s", entries);
	buf_puts(out, "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"7\"}");
	for (int i = 0; (entry = strsep(&left, " ")); i++) {
		if (*entry == '.')
			continue;
		buf_printf(out,
			",{\"op\":\"test\",\"path\":\"/webhooks/%d/name\",\"value\":\"%c\\\"~/\"},"
			"{\"op\":\"add\",\"path\":\"/webhooks/%d/clientConfig/caBundle\","
			"\"value\":\"",
			i, 'p' + i, i);
		write_base64(f, entry, out);
		buf_puts(out, "\"}");
	}
	buf_putc(out, ']');
}

/* a and b are wanted, c may stay, d may not; b is needed. */
static const struct {
	const char *entries;
	size_t n, lacking, differing, refusing;
	const char *patch, *strangers;
} rows[] = {
	{"ab", 1, 0, 0, 0, ".", ""},
	{"ba", 1, 0, 0, 0, ".", ""},
	{"cba", 1, 0, 0, 0, ".", "c"},
	{"-", 1, 1, 1, 1, "ab", ""},
	{"0", 1, 1, 1, 1, "ab", ""},
	{"!", 1, 1, 1, 1, "ab", ""},
	{"?", 1, 1, 1, 1, "ab", ""},
	{"b", 1, 1, 1, 0, "ab", ""},
	{"a", 1, 1, 1, 1, "ab", ""},
	{"c", 1, 1, 1, 1, "abc", "c"},
	{"abd", 1, 0, 1, 0, "ab", "d"},
	{"dcba", 1, 0, 1, 0, "abc", "dc"},
	{"d", 1, 1, 1, 1, "ab", "d"},
	{"ab ab", 2, 0, 0, 0, ". .", ""},
	{"ab - bac", 3, 1, 1, 1, ". ab .", "c"},
	{"ac abd -", 3, 2, 3, 2, "abc ab ab", "cd"},
};

static void test_review(void)
{
	struct fix f;
	_cleanup_bundle_ struct bundle wanted = {0}, kept = {0}, needed = {0};
	const struct cabundle_rules rules = {&wanted, &kept};

	if (begin(&f)) {
		make_bundle(&f, "ab", &wanted);
		make_bundle(&f, "c", &kept);
		make_bundle(&f, "b", &needed);
	}
	for (size_t i = 0; wanted.n && i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json doc = {0};
		_cleanup_bundle_ struct bundle strangers = {0}, want = {0};
		_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), patch = BUF_INIT(1 << 16);
		_cleanup_buf_ struct buf want_patch = BUF_INIT(1 << 16);
		struct cabundle_state state;
		int r;

		write_configuration(&f, rows[i].entries, &text);
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
		state = cabundle_review(json_root(&doc), &rules, &needed);
		CHECK_ROW(rows[i].entries,
			state.entries == rows[i].n && state.lacking == rows[i].lacking &&
				state.differing == rows[i].differing &&
				state.refusing == rows[i].refusing,
			"%zu entries, %zu lack, %zu differ, %zu refuse", state.entries,
			state.lacking, state.differing, state.refusing);
		r = cabundle_patch(json_root(&doc), &rules, &patch);
		CHECK_ROW(rows[i].entries, r == (int)rows[i].differing, "got %d", r);
		write_patch(&f, rows[i].patch, &want_patch);
		CHECK_STR(rows[i].entries, buf_view(&patch), want_patch.p);
		cabundle_strangers(json_root(&doc), &wanted, &strangers);
		make_bundle(&f, rows[i].strangers, &want);
		CHECK_ROW(rows[i].entries,
			strangers.n == want.n && bundle_has_all(&strangers, &want), "%zu strangers",
			strangers.n);
		/* nothing is served */
		state = cabundle_review(json_root(&doc), &rules, &none);
		CHECK_ROW(rows[i].entries, state.refusing == rows[i].n, "%zu", state.refusing);
	}
	end(&f);
}

static void test_nothing(void)
{
	static const char *const texts[] = {"{}", "null", "{\"webhooks\":null}", "{\"webhooks\":[]}",
		"{\"webhooks\":7}"};
	const struct cabundle_rules rules = {&none, &none};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ struct json doc = {0};
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		struct cabundle_state state;

		CU_ASSERT_EQUAL(json_parse(&doc, span_str(texts[i]), &limits, NULL), 0);
		state = cabundle_review(json_root(&doc), &rules, &none);
		CHECK_ROW(texts[i], state.entries == 0 && state.refusing == 0, "%zu",
			state.entries);
		CU_ASSERT_EQUAL(cabundle_patch(json_root(&doc), &rules, &out), 0);
	}
}

static void test_bounded(void)
{
	struct fix f;
	_cleanup_bundle_ struct bundle wanted = {0};
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
	const struct cabundle_rules rules = {&wanted, &none};

	if (begin(&f)) {
		make_bundle(&f, "a", &wanted);
		write_configuration(&f, "- -", &text);
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
		for (size_t max = 0; max < 4096; max += 61) {
			_cleanup_buf_ struct buf out = BUF_INIT(max);
			int r = cabundle_patch(json_root(&doc), &rules, &out);

			CHECK_ROW("bounded", r == 2 || r == -E2BIG, "%zu: %d", max, r);
		}
	}
	end(&f);
}

CU_TestInfo cabundle_tests[] = {
	{"what is lacking, what may stay", test_review},
	{"no entries", test_nothing},
	{"bounded", test_bounded},
	CU_TEST_INFO_NULL,
};
