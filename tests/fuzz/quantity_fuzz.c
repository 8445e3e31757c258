/* SPDX-License-Identifier: Apache-2.0
 *
 * The value of a quantity does not depend on how it is written. */
#include "common/base/quantity.h"

#include <errno.h>
#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_equal(struct buf *text, struct quantity want)
{
	struct quantity q;

	must(text->err == 0);
	must(quantity_parse(&q, buf_view(text), NULL) == 0);
	must(q.nano == want.nano);
	buf_reset(text);
}

static void check_quantity(struct span s, struct quantity q)
{
	bool sign = s.p[0] == '+' || s.p[0] == '-', negative = s.p[0] == '-';
	struct span number = {s.p + sign, s.len - sign};
	struct buf text = BUF_INIT(1 << 20);
	unsigned __int128 nano =
		q.nano < 0 ? -(unsigned __int128)q.nano : (unsigned __int128)q.nano;
	int64_t n;

	/* the other sign */
	buf_printf(&text, "%s" SPAN_FMT, negative ? "+" : "-", SPAN_ARG(number));
	must_equal(&text, (struct quantity){-q.nano});
	/* a leading zero */
	buf_printf(&text, "%s0" SPAN_FMT, negative ? "-" : "", SPAN_ARG(number));
	must_equal(&text, q);
	/* in nano, and as a decimal fraction */
	buf_printf(&text, "%s%llu%09llun", q.nano < 0 ? "-" : "",
		(unsigned long long)(nano / 1000000000), (unsigned long long)(nano % 1000000000));
	must_equal(&text, q);
	buf_printf(&text, "%s%llu.%09llu", q.nano < 0 ? "-" : "",
		(unsigned long long)(nano / 1000000000), (unsigned long long)(nano % 1000000000));
	must_equal(&text, q);
	if (quantity_int64(q, &n) == 0) {
		must((__int128)n * 1000000000 == q.nano);
		if (n >= 0) {
			quantity_format_binary(&text, n);
			must_equal(&text, q);
		}
	}
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct quantity q;
	struct error err = {0};
	int r = quantity_parse(&q, text, &err);

	must(r == 0 || ((r == -EINVAL || r == -ERANGE) && err.code == r && err.message[0]));
	if (r == 0)
		check_quantity(text, q);
	return 0;
}
