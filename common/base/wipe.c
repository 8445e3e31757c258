/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory is wiped when it is freed, whoever frees it: a key passes through buffers of libcurl, TLS
 * libraries, nghttp2, stdio and what a PKCS#11 module brings along, few of which can be told to.
 * The dynamic linker binds all of them to the free() and realloc() of the program (the GNU C
 * library's manual, "Replacing malloc"). Linked into programs that end by themselves: what is
 * static has the library's own, and a sanitizer brings others. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Of the C library, under the names that stay when others take malloc's. */
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *p);

void free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
}

/* Stays where it is while that fits and is not twice too large; and never moves by itself, which
 * would leave a copy behind. */
void *realloc(void *p, size_t size)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *fresh;

	if (p && size == 0) {
		free(p);
		return NULL;
	}
	if (p && size <= had && size >= had / 2)
		return p;
	fresh = __libc_malloc(size);
	if (!fresh || !p)
		return fresh;
	memcpy(fresh, p, size < had ? size : had);
	free(p);
	return fresh;
}
