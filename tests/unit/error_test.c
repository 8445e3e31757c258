/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/error.h"

#include <errno.h>

#include "tests/unit/test.h"

static void test_set_and_prefix(void)
{
	struct error err = {0};

	CU_ASSERT_EQUAL(error_set(&err, -EINVAL, "got %d", 7), -EINVAL);
	CU_ASSERT_STRING_EQUAL(err.message, "got 7");
	CU_ASSERT_EQUAL(error_prefix(&err, -EINVAL, "spec.%s", "tee"), -EINVAL);
	CU_ASSERT_STRING_EQUAL(err.message, "spec.tee: got 7");
	CU_ASSERT_EQUAL(err.code, -EINVAL);
	error_set(&err, -EINVAL, "again: %s", err.message);
	CU_ASSERT_STRING_EQUAL(err.message, "again: spec.tee: got 7");
}

static void test_null_stays_a_failure(void)
{
	CU_ASSERT_EQUAL(error_set(NULL, -EINVAL, "x"), -EINVAL);
	CU_ASSERT_EQUAL(error_prefix(NULL, -EBADMSG, "x"), -EBADMSG);
	CU_ASSERT_EQUAL(error_oom(NULL), -ENOMEM);
}

static void test_long_messages_are_cut(void)
{
	struct error err = {0};
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, -EINVAL, "%s", text);
	CU_ASSERT_EQUAL(strlen(err.message), sizeof(err.message) - 1);
	error_prefix(&err, -EINVAL, "%s", text);
	CU_ASSERT_EQUAL(strlen(err.message), sizeof(err.message) - 1);
}

CU_TestInfo error_tests[] = {
	{"set and prefix", test_set_and_prefix},
	{"a NULL error stays a failure", test_null_stays_a_failure},
	{"long messages are cut", test_long_messages_are_cut},
	CU_TEST_INFO_NULL,
};
