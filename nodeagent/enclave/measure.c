/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/enclave/measure.h"

#include <openssl/evp.h>
#include <string.h>

enum {
	BLOCK = 64,   /* what each instruction adds */
	CHUNK = 256,  /* what one EEXTEND measures */
	SECINFO = 48, /* what EADD adds of it */
};
#define TAG_ECREATE 0x0045544145524345ull
#define TAG_EADD    0x0000000044444145ull
#define TAG_EEXTEND 0x00444e4554584545ull

struct measurement {
	EVP_MD_CTX *ctx;
	bool failed;
};

static void put(unsigned char *p, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static void add(struct measurement *m, const void *p, size_t n)
{
	m->failed = m->failed || EVP_DigestUpdate(m->ctx, p, n) != 1;
}

static void ecreate(struct measurement *m, const struct enclave_image *image)
{
	unsigned char block[BLOCK] = {0};

	put(block, 8, TAG_ECREATE);
	put(block + 8, 4, image->ssa_frame_pages);
	put(block + 12, 8, image->size);
	add(m, block, sizeof(block));
}

static void eadd(struct measurement *m, const struct enclave_page *page)
{
	unsigned char block[BLOCK] = {0};

	put(block, 8, TAG_EADD);
	put(block + 8, 8, page->offset);
	put(block + BLOCK - SECINFO, 8, page->flags);
	add(m, block, sizeof(block));
}

static void eextend(struct measurement *m, const struct enclave_page *page, size_t at)
{
	unsigned char block[BLOCK] = {0};

	put(block, 8, TAG_EEXTEND);
	put(block + 8, 8, page->offset + at);
	add(m, block, sizeof(block));
	add(m, page->content + at, CHUNK);
}

int enclave_measure(
	unsigned char ret[MRENCLAVE_SIZE], const struct enclave_image *image, struct error *err)
{
	struct measurement m = {.ctx = EVP_MD_CTX_new()};
	unsigned char digest[MRENCLAVE_SIZE];

	if (!m.ctx)
		return error_oom(err);
	m.failed = EVP_DigestInit_ex(m.ctx, EVP_sha256(), NULL) != 1;
	ecreate(&m, image);
	for (size_t i = 0; i < image->n; i++) {
		const struct enclave_page *page = &image->pages[i];

		eadd(&m, page);
		for (size_t at = 0; at < ENCLAVE_PAGE && page->measured; at += CHUNK)
			eextend(&m, page, at);
	}
	m.failed = m.failed || EVP_DigestFinal_ex(m.ctx, digest, NULL) != 1;
	EVP_MD_CTX_free(m.ctx);
	if (m.failed)
		return error_set(err, -EIO, "the enclave's measurement: SHA-256 failed");
	memcpy(ret, digest, sizeof(digest));
	return 0;
}
