/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/test.h"

static void test_bounded(void)
{
	_cleanup_secret_ struct secret s = {0};
	const char *p;

	CU_ASSERT_EQUAL(secret_init(&s, 7), 0);
	p = s.p;
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_LIT("abc")), 0);
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_LIT("defgh")), -ENOBUFS);
	CHECK_STR("refused whole", secret_view(&s), "abc");
	CU_ASSERT_EQUAL(secret_add_base64(&s, SPAN_LIT("xyz1")), -ENOBUFS);
	CU_ASSERT_EQUAL(secret_add_base64(&s, SPAN_LIT("xyz")), 0);
	CHECK_STR("full", secret_view(&s), "abceHl6");
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_LIT("!")), -ENOBUFS);
	CU_ASSERT_EQUAL(secret_add(&s, SPAN_NONE), 0);
	CU_ASSERT_PTR_EQUAL(s.p, p);
	CU_ASSERT_EQUAL(s.p[s.len], '\0');
	secret_free(&s);
	CU_ASSERT_PTR_NULL(s.p);
	CU_ASSERT_EQUAL(secret_init(&s, SIZE_MAX), -ENOMEM);
	CU_ASSERT_EQUAL(secret_copy(&s, SPAN_LIT("k\0y")), 0);
	CU_ASSERT(span_equal(secret_view(&s), SPAN_LIT("k\0y")));
}

static void test_base64(void)
{
	/* RFC 4648 section 10, then what its section 3 lets a decoder refuse. */
	static const struct {
		const char *text, *want; /* want NULL: refused */
	} rows[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
		{"Zg", NULL},
		{"Zg=", NULL},
		{"Z===", NULL},
		{"====", NULL},
		{"Zg==Zg==", NULL},
		{" Zg=", NULL},
		{"Zg==\n", NULL},
		{"Zm9\n", NULL},
		{"Zm9-", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_secret_ struct secret s = {0};
		int r = secret_unbase64(&s, span_str(rows[i].text));

		CHECK_ROW(rows[i].text, r == (rows[i].want ? 0 : -EBADMSG), "got %d", r);
		if (rows[i].want && r == 0)
			CHECK_STR(rows[i].text, secret_view(&s), rows[i].want);
	}
}

/* Does the kernel say so of the mapping that p is in (proc(5), VmFlags)? */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false, has = false;

	while (f && !has && fgets(line, sizeof(line), f)) {
		uintptr_t begin, end;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
			here = (uintptr_t)p >= begin && (uintptr_t)p < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag);
	}
	if (f)
		fclose(f);
	return has;
}

enum { MANY = 4096 };

/* In a process of its own, for it is for good: 0, or which of its questions was answered no. */
static int locked(void)
{
	static struct secret many[MANY];
	bool heap = false, own = false;

	if (secret_lock() < 0)
		return 1;
	for (size_t i = 0; i < MANY; i++) {
		size_t size = i == 0 ? 100000 : 2000; /* more of them than the heap has room for */

		if (secret_init(&many[i], size) < 0 || secret_add(&many[i], SPAN_LIT("key")) < 0)
			return 2;
		heap |= !many[i].mapped && CRYPTO_secure_allocated(many[i].p);
		own |= many[i].mapped;
	}
	if (!heap || !own || !many[0].mapped || many[1].mapped || !many[MANY - 1].mapped)
		return 3;
	if (!has_flag(many[1].p, " dd") || !has_flag(many[1].p, " lo"))
		return 4;
	if (!has_flag(many[0].p, " dd") || !has_flag(many[0].p, " lo") ||
		!has_flag(many[MANY - 1].p, " dd"))
		return 5;
	for (size_t i = 0; i < MANY; i++)
		secret_free(&many[i]);
	return CRYPTO_secure_used() == 0 && secret_lock() == 0 ? 0 : 6;
}

static void test_locked(void)
{
	struct rlimit limit = {0};
	int status = 0;
	pid_t pid;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur < (rlim_t)5 << 20) {
		puts("(skipped: RLIMIT_MEMLOCK is below 5 MiB)");
		return;
	}
	pid = fork();
	if (pid == 0)
		_exit(locked());
	CU_ASSERT(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_ROW("locked", WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status >> 8);
}

CU_TestInfo secret_tests[] = {
	{"bounded and never moved", test_bounded},
	{"base64", test_base64},
	{"locked, and in no core file", test_locked},
	CU_TEST_INFO_NULL,
};
