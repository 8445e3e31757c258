/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/aesm/frame.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* Gives the frame what is left of in, at most step bytes at a time; 1 complete, 0 it wants more. */
static int feed(struct aesm_frame *f, struct span *in, size_t step, struct error *err)
{
	while (!aesm_frame_complete(f)) {
		void *p;
		size_t n = aesm_frame_room(f, &p);
		int r;

		n = n < step ? n : step;
		n = n < in->len ? n : in->len;
		if (n == 0)
			return 0;
		memcpy(p, in->p, n);
		*in = (struct span){in->p + n, in->len - n};
		r = aesm_frame_filled(f, n, err);
		if (r)
			return r;
	}
	return 1;
}

static const struct {
	const char *name;
	struct span in;
	int want;
	size_t left; /* behind a complete one */
	const char *message;
} rows[] = {
	{"nothing", SPAN_LIT(""), 0, 0, NULL},
	{"one byte", SPAN_LIT("\1\0\0\0x"), 1, 0, NULL},
	{"what follows is left", SPAN_LIT("\2\0\0\0xyz"), 1, 1, NULL},
	{"as long as may be", SPAN_LIT("\10\0\0\0abcdefgh"), 1, 0, NULL},
	{"longer", SPAN_LIT("\11\0\0\0abcdefghi"), -EMSGSIZE, 0, "9 bytes; at most 8"},
	{"the second byte counts", SPAN_LIT("\0\1\0\0"), -EMSGSIZE, 0, "256 bytes"},
	{"the third byte counts", SPAN_LIT("\0\0\1\0"), -EMSGSIZE, 0, "65536 bytes"},
	{"4 GiB", SPAN_LIT("\377\377\377\377"), -EMSGSIZE, 0, "4294967295 bytes"},
	{"no bytes", SPAN_LIT("\0\0\0\0"), -EBADMSG, 0, "of no bytes"},
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 16; step++) {
			struct aesm_frame f = {.max = 8};
			struct span in = rows[i].in, all;
			struct error err = {0};
			int r = feed(&f, &in, step, &err);

			CHECK_ROW(rows[i].name, r == rows[i].want, "got %d, want %d", r,
				rows[i].want);
			if (r < 0)
				CHECK_ROW(rows[i].name, strstr(err.message, rows[i].message),
					"message: %s", err.message);
			if (r == 1) {
				all = aesm_frame_unsent(&f);
				CHECK_ROW(rows[i].name, in.len == rows[i].left, "%zu left", in.len);
				CHECK_ROW(rows[i].name,
					span_equal(all, (struct span){rows[i].in.p,
								rows[i].in.len - rows[i].left}),
					"other bytes, %zu", all.len);
			}
			aesm_frame_free(&f);
			CHECK_ROW(
				rows[i].name, f.max == 8 && f.have == 0, "not ready for the next");
		}
	}
}

static void test_truncated(void)
{
	const struct span whole = SPAN_LIT("\5\0\0\0hello");

	for (size_t n = 0; n < whole.len; n++) {
		struct aesm_frame f = {.max = 8};
		struct span in = {whole.p, n};

		CU_ASSERT_EQUAL(feed(&f, &in, 3, NULL), 0);
		CU_ASSERT_FALSE(aesm_frame_complete(&f));
		/* And goes on where it stopped. */
		in = (struct span){whole.p + n, whole.len - n};
		CU_ASSERT_EQUAL(feed(&f, &in, 3, NULL), 1);
		CU_ASSERT(span_equal(aesm_frame_unsent(&f), whole));
		aesm_frame_free(&f);
	}
}

static void test_unsent(void)
{
	struct aesm_frame f = {.max = 8};
	struct span in = SPAN_LIT("\5\0\0\0hello");

	CU_ASSERT_EQUAL(feed(&f, &in, 9, NULL), 1);
	f.sent = 6;
	CHECK_STR("the rest", aesm_frame_unsent(&f), "llo");
	f.sent = 9;
	CU_ASSERT_EQUAL(aesm_frame_unsent(&f).len, 0);
	aesm_frame_free(&f);
}

static void test_no_memory(void)
{
	struct oom o = {0};

	while (oom_next(&o)) {
		struct span in = SPAN_LIT("\5\0\0\0hello");
		struct aesm_frame f = {.max = 8};
		struct error err = {0};
		int r;

		oom_begin(&o);
		r = feed(&f, &in, 9, &err);
		oom_end(&o);
		CHECK_ROW(o.row, r == (o.failed ? -ENOMEM : 1) && !err.code == !o.failed, "%d: %s",
			r, err.message);
		aesm_frame_free(&f);
	}
}

CU_TestInfo aesm_frame_tests[] = {
	{"lengths, in pieces of every size", test_rows},
	{"truncated at every byte", test_truncated},
	{"what is still to be sent", test_unsent},
	{"no memory", test_no_memory},
	CU_TEST_INFO_NULL,
};
