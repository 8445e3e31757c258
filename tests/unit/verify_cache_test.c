/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/verify_private.h"
#include "tests/unit/test.h"

static int freed;

static void count_free(void *value)
{
	freed++;
	free(value);
}

static void put(
	struct verify_cache *c, enum verify_cached kind, unsigned char k, uint64_t epoch, int value)
{
	unsigned char key[32] = {0};
	int *p = malloc(sizeof(*p));

	if (!p)
		return;
	*p = value;
	key[31] = k;
	verify_cache_put(c, kind, key, epoch, p, count_free);
}

/* -1: nothing. */
static int get(struct verify_cache *c, enum verify_cached kind, unsigned char k, uint64_t epoch)
{
	unsigned char key[32] = {0};
	int *p;

	key[31] = k;
	p = verify_cache_get(c, kind, key, epoch);
	return p ? *p : -1;
}

static void kinds_and_epochs(void)
{
	struct verify_cache *c = NULL;

	freed = 0;
	CU_ASSERT_EQUAL(verify_cache_new(&c, 8, NULL), 0);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_PCK_CHAIN, 1, 1), -1);
	put(c, VERIFY_CACHED_PCK_CHAIN, 1, 1, 10);
	put(c, VERIFY_CACHED_SNP_CHAIN, 1, 1, 20);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_PCK_CHAIN, 1, 1), 10);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_SNP_CHAIN, 1, 1), 20);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_ATTESTATION_KEY, 1, 1), -1);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_PCK_CHAIN, 2, 1), -1);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_PCK_CHAIN, 1, 2), -1);
	CU_ASSERT_EQUAL(freed, 0);
	put(c, VERIFY_CACHED_PCK_CHAIN, 1, 2, 11);
	CU_ASSERT_EQUAL(freed, 1);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_PCK_CHAIN, 1, 1), -1);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_PCK_CHAIN, 1, 2), 11);
	verify_cache_free(c);
	CU_ASSERT_EQUAL(freed, 3);
}

/* One row of four: the fifth takes the place of the oldest. */
static void bounded(void)
{
	struct verify_cache *c = NULL;

	freed = 0;
	CU_ASSERT_EQUAL(verify_cache_new(&c, 1, NULL), 0);
	for (unsigned char k = 1; k <= 5; k++)
		put(c, VERIFY_CACHED_SNP_CHAIN, k, 1, k);
	CU_ASSERT_EQUAL(freed, 1);
	CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_SNP_CHAIN, 1, 1), -1);
	for (unsigned char k = 2; k <= 5; k++)
		CU_ASSERT_EQUAL(get(c, VERIFY_CACHED_SNP_CHAIN, k, 1), k);
	for (int i = 0; i < 1000; i++)
		put(c, VERIFY_CACHED_SNP_CHAIN, (unsigned char)i, (uint64_t)i, i);
	CU_ASSERT_EQUAL(freed, 1001);
	verify_cache_free(c);
	CU_ASSERT_EQUAL(freed, 1005);
}

static void none(void)
{
	freed = 0;
	put(NULL, VERIFY_CACHED_SNP_CHAIN, 1, 1, 1);
	CU_ASSERT_EQUAL(freed, 1);
	CU_ASSERT_EQUAL(get(NULL, VERIFY_CACHED_SNP_CHAIN, 1, 1), -1);
	verify_cache_free(NULL);
}

CU_TestInfo verify_cache_tests[] = {
	{"kinds and epochs", kinds_and_epochs},
	{"bounded", bounded},
	{"without a cache", none},
	CU_TEST_INFO_NULL,
};
