/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
	HEAP = 4 << 20,       /* address space: pages come when they are used */
	HEAP_SHARE = 3 << 20, /* of it; the rest is for OpenSSL's private keys */
	HEAP_PIECE = 64,      /* smallest */
	HEAP_LARGEST = 4096,  /* what is larger has pages of its own */
};

static char *map_with(size_t size, int flags)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 is no file */
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* Pages of its own, where the heap has no room. That they are locked is tried: what a process may
 * lock is often little, and being refused would help nobody. */
static char *map(size_t size)
{
	char *p = map_with(size, MAP_LOCKED);

	if (p == MAP_FAILED)
		p = map_with(size, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, size, MADV_DONTDUMP);
	return p;
}

int secret_init(struct secret *s, size_t cap)
{
	size_t size = cap + 1;
	bool mapped = CRYPTO_secure_malloc_initialized() &&
		      (size > HEAP_LARGEST || CRYPTO_secure_used() > HEAP_SHARE);
	char *p = NULL;

	if (cap < INT_MAX)
		p = mapped ? map(size) : OPENSSL_secure_zalloc(size);
	if (!p)
		return -ENOMEM;
	*s = (struct secret){.p = p, .cap = cap, .mapped = mapped};
	return 0;
}

int secret_copy(struct secret *s, struct span bytes)
{
	int r = secret_init(s, bytes.len);

	return r < 0 ? r : secret_add(s, bytes);
}

int secret_add(struct secret *s, struct span bytes)
{
	if (bytes.len > s->cap - s->len)
		return -ENOBUFS;
	if (bytes.len)
		memcpy(s->p + s->len, bytes.p, bytes.len);
	s->len += bytes.len;
	return 0;
}

int secret_add_base64(struct secret *s, struct span bytes)
{
	if (bytes.len > s->cap || secret_base64_len(bytes.len) > s->cap - s->len)
		return -ENOBUFS;
	/* Writes the NUL too: there is always room for it. */
	s->len += (size_t)EVP_EncodeBlock(
		(unsigned char *)s->p + s->len, (const unsigned char *)bytes.p, (int)bytes.len);
	return 0;
}

/* OpenSSL's decoder takes blanks around the text and '=' anywhere. */
static bool is_base64(struct span text, size_t pad)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (text.len % 4 != 0)
		return false;
	for (size_t i = 0; i < text.len - pad; i++)
		if (!memchr(alphabet, text.p[i], sizeof(alphabet) - 1))
			return false;
	return true;
}

int secret_unbase64(struct secret *s, struct span text)
{
	size_t pad = 0;
	int r, n;

	while (pad < 2 && pad < text.len && text.p[text.len - 1 - pad] == '=')
		pad++;
	if (!is_base64(text, pad))
		return -EBADMSG;
	r = secret_init(s, text.len / 4 * 3);
	if (r < 0 || text.len == 0)
		return r;
	n = EVP_DecodeBlock((unsigned char *)s->p, (const unsigned char *)text.p, (int)text.len);
	if (n < 0 || (size_t)n < pad) {
		secret_free(s);
		return -EBADMSG;
	}
	s->len = (size_t)n - pad;
	s->p[s->len] = '\0';
	return 0;
}

struct span secret_view(const struct secret *s)
{
	return (struct span){s->p, s->len};
}

void secret_free(struct secret *s)
{
	if (s->p && s->mapped) {
		OPENSSL_cleanse(s->p, s->cap + 1);
		munmap(s->p, s->cap + 1);
	} else if (s->p) {
		OPENSSL_secure_clear_free(s->p, s->cap + 1);
	}
	*s = (struct secret){0};
}

int secret_lock(void)
{
	switch (CRYPTO_secure_malloc_init(HEAP, HEAP_PIECE)) {
	case 0:
		return CRYPTO_secure_malloc_initialized() ? 0 : -ENOMEM;
	case 1:
		return 0;
	default:
		return -EPERM;
	}
}

int secret_protect_process(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	return secret_lock();
}
