/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/scrub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

int scrub_add(struct scrub *b, struct span s)
{
	if (s.len > b->max || b->len > b->max - s.len)
		return -E2BIG;
	if (s.len > b->cap - b->len) {
		size_t cap = b->cap ? b->cap : 1024;
		char *p;

		while (cap < b->len + s.len)
			cap *= 2;
		p = malloc(cap); /* not realloc: it would leave a copy behind */
		if (!p)
			return -ENOMEM;
		if (b->len)
			memcpy(p, b->p, b->len);
		if (b->len)
			OPENSSL_cleanse(b->p, b->len);
		free(b->p);
		b->p = p;
		b->cap = cap;
	}
	if (s.len)
		memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
	return 0;
}

struct span scrub_view(const struct scrub *b)
{
	return (struct span){b->p, b->len};
}

void scrub_reset(struct scrub *b)
{
	if (b->len)
		OPENSSL_cleanse(b->p, b->len);
	b->len = 0;
}

void scrub_free(struct scrub *b)
{
	scrub_reset(b);
	free(b->p);
	*b = (struct scrub){.max = b->max};
}

char *scrub_dup(struct span s)
{
	char *p = malloc(s.len + 1);

	if (!p)
		return NULL;
	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return p;
}

void scrub_free_string(char *s)
{
	if (!s)
		return;
	OPENSSL_cleanse(s, strlen(s));
	free(s);
}
