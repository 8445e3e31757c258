/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/codec.h"

enum { VECTORS_MAX = 256, VECTOR_PATH_MAX = 256 };

struct kept {
	char path[VECTOR_PATH_MAX];
	bool hex;
	char *bytes;
	size_t len;
};

static struct kept kept[VECTORS_MAX];
static size_t n_kept;

static void forget(void)
{
	while (n_kept)
		free(kept[--n_kept].bytes);
}

static void give_up(const char *path, const char *why)
{
	fprintf(stderr, "\ntests/vectors/%s: %s (tests run from the top of the tree)\n", path, why);
	exit(EXIT_FAILURE);
}

static void read_file(struct kept *k)
{
	char path[VECTOR_PATH_MAX + 16];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "tests/vectors/%s", k->path);
	f = fopen(path, "re");
	if (!f || fstat(fileno(f), &st) < 0)
		give_up(k->path, strerror(errno));
	k->len = (size_t)st.st_size;
	k->bytes = calloc(1, k->len + 1);
	if (!k->bytes || fread(k->bytes, 1, k->len, f) != k->len)
		give_up(k->path, "cannot be read");
	fclose(f);
}

/* White space may end the file. */
static void decode(struct kept *k)
{
	unsigned char *bytes;

	while (k->len && strchr(" \r\n", k->bytes[k->len - 1]))
		k->len--;
	bytes = calloc(1, k->len / 2 + 1);
	if (!bytes || codec_hex_exact(bytes, k->len / 2, (struct span){k->bytes, k->len}) < 0)
		give_up(k->path, "is not hexadecimal");
	free(k->bytes);
	k->bytes = (char *)bytes;
	k->len /= 2;
}

static struct span get(const char *path, bool hex)
{
	struct kept *k = kept;

	if (!n_kept)
		atexit(forget);
	for (; k < kept + n_kept; k++) {
		if (k->hex == hex && strcmp(k->path, path) == 0)
			return (struct span){k->bytes, k->len};
	}
	if (n_kept == VECTORS_MAX || strlen(path) >= VECTOR_PATH_MAX)
		give_up(path, "one too many, or too long a name");
	*k = (struct kept){.hex = hex};
	strcpy(k->path, path);
	n_kept++;
	read_file(k);
	if (hex)
		decode(k);
	return (struct span){k->bytes, k->len};
}

struct span vector(const char *path)
{
	return get(path, false);
}

struct span vector_hex(const char *path)
{
	return get(path, true);
}
