/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"

#include <stdint.h>

#include "tests/unit/test.h"

static void test_alloc(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);

	for (size_t i = 1; i < 2000; i += 7) {
		char *p = arena_alloc(&a, i);

		CU_ASSERT_PTR_NOT_NULL(p);
		CU_ASSERT_EQUAL((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t k = 0; p && k < i; k++)
			CU_ASSERT_EQUAL(p[k], 0);
		if (p)
			memset(p, 0xff, i);
	}
	CU_ASSERT_STRING_EQUAL(arena_printf(&a, "%s-%d", "x", 3), "x-3");
	CU_ASSERT_STRING_EQUAL(arena_strdup(&a, SPAN_LIT("abc")), "abc");
}

static void test_maximum(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(100);

	CU_ASSERT_PTR_NULL(arena_alloc(&a, 101));
	CU_ASSERT_PTR_NULL(arena_alloc(&a, SIZE_MAX));
	CU_ASSERT_PTR_NULL(arena_alloc_array(&a, SIZE_MAX / 2, 3));
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&a, 90));
	CU_ASSERT_PTR_NULL(arena_alloc(&a, 90));
	arena_reset(&a);
	CU_ASSERT_PTR_NOT_NULL(arena_alloc(&a, 90));
}

CU_TestInfo arena_tests[] = {
	{"zeroed and aligned", test_alloc},
	{"the maximum holds", test_maximum},
	CU_TEST_INFO_NULL,
};
