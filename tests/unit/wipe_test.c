/* SPDX-License-Identifier: Apache-2.0
 *
 * Freed memory is looked at as the kernel has it (/proc/self/mem), where a stale pointer may not be
 * followed. Sanitizers have malloc functions of their own; of those realloc() alone is asked. */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { SIZE = 600, ROOM = 16 /* where the allocator keeps its lists */ };

static void *with_secret(size_t size)
{
	char *p = malloc(size);

	if (p)
		memset(p, 'k', size);
	return p;
}

static bool is_whole(const void *p, size_t size)
{
	char want[SIZE];

	memset(want, 'k', sizeof(want));
	return p && memcmp(p, want, size) == 0;
}

static void by_free(void *p)
{
	free(p);
}

static void by_growing(void *p)
{
	char *q = realloc(p, (size_t)SIZE * 100);

	CHECK_ROW("grown", is_whole(q, SIZE), "lost");
	free(q);
}

static void by_shrinking(void *p)
{
	char *q = realloc(p, SIZE / 4);

	CHECK_ROW("shrunk", is_whole(q, SIZE / 4), "lost");
	free(q);
}

static void by_array(void *p)
{
	free(reallocarray(p, SIZE, 64));
}

/* A library's call is bound to the program's. */
static void by_openssl(void *p)
{
	CRYPTO_free(p, __FILE__, __LINE__);
}

static void by_stdio(void *p)
{
	char *line = p;
	size_t size = SIZE;
	FILE *f = fopen("/proc/self/stat", "re");

	if (f && getdelim(&line, &size, EOF, f) < 0)
		CU_FAIL("nothing to read");
	if (f)
		fclose(f);
	free(line);
}

/* Bytes of the secret that the process still has there. */
static size_t left_at(uintptr_t address)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	char c;

	CU_ASSERT(fd >= 0);
	for (size_t i = ROOM; i < SIZE; i++)
		n += pread(fd, &c, 1, (off_t)(address + i)) == 1 && c == 'k';
	close(fd);
	return n;
}

static void test_freed(void)
{
	static const struct {
		const char *name;
		void (*frees)(void *p);
	} rows[] = {
		{"free", by_free},
		{"realloc, larger", by_growing},
		{"realloc, smaller", by_shrinking},
		{"reallocarray", by_array},
		{"OpenSSL", by_openssl},
		{"the C library, of a line", by_stdio},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows) && !SANITIZED; i++) {
		void *p = with_secret(SIZE);
		uintptr_t address = (uintptr_t)p;
		size_t left;

		CHECK_ROW(rows[i].name, p && left_at(address) == SIZE - ROOM, "no secret to free");
		rows[i].frees(p);
		left = left_at(address);
		CHECK_ROW(rows[i].name, left == 0, "%zu bytes are left", left);
	}
}

static void test_realloc(void)
{
	char *p = realloc(NULL, 10), *q;

	CU_ASSERT_PTR_NOT_NULL(p);
	if (!p)
		return;
	memcpy(p, "secret", 7);
	if (!SANITIZED) { /* they end the program */
		q = realloc(p, SIZE_MAX / 2 - 1);
		CU_ASSERT_PTR_NULL(q); /* and p is as it was */
		CU_ASSERT_STRING_EQUAL(p, "secret");
	}
	for (size_t n = 10; n < 1 << 20; n = n * 3 / 2) {
		q = realloc(p, n);
		if (!q)
			break;
		p = q;
		CHECK_ROW("grows", strcmp(p, "secret") == 0, "at %zu", n);
		memset(p + n - 1, 'x', 1);
	}
	q = realloc(p, 7);
	CHECK_ROW("shrinks", q && strcmp(q, "secret") == 0, "lost");
	free(q ? q : p);
	free(NULL);
}

CU_TestInfo wipe_tests[] = {
	{"what is freed is wiped", test_freed},
	{"realloc keeps its promises", test_realloc},
	CU_TEST_INFO_NULL,
};
