/* SPDX-License-Identifier: Apache-2.0
 *
 * What the unit tests share: CUnit with rows that name themselves when they fail. Use the non-fatal
 * assertions and return: the fatal ones longjmp past cleanup attributes. */
#pragma once

#include <CUnit/CUnit.h>
#include <stdio.h>

#include "common/base/span.h"

/* Asserts and, on failure, prints the row, what came and what was wanted. */
#define CHECK_ROW(row, cond, fmt, ...)                                                             \
	({                                                                                         \
		bool ok_ = (cond);                                                                 \
		if (!ok_)                                                                          \
			fprintf(stderr, "\n%s:%d: row '%s': " fmt "\n", __FILE__, __LINE__, (row), \
				##__VA_ARGS__);                                                    \
		CU_ASSERT(ok_);                                                                    \
		ok_;                                                                               \
	})

#define CHECK_STR(row, got, want)                                                                  \
	({                                                                                         \
		struct span got_ = (got), want_ = span_str(want);                                  \
		CHECK_ROW(row, span_equal(got_, want_), "\n got: " SPAN_FMT "\nwant: " SPAN_FMT,   \
			SPAN_ARG(got_), SPAN_ARG(want_));                                          \
	})

/* Every test file defines one: const CU_TestInfo x_tests[] = {{"name", function}, …, CU_TEST_INFO_NULL}; */
