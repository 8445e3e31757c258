/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/gzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

enum {
	GZIP_WINDOW = MAX_WBITS + 16, /* zlib's way to say: with gzip's header and trailer */
	MEMORY_LEVEL = 8,
	CHUNK = 4096,
};

/* Runs step until it ends; appends all that comes out. Z_STREAM_END, another code of zlib's, or
 * Z_BUF_ERROR when out takes no more. */
static int run(z_stream *z, struct buf *out, int (*step)(z_stream *, int), int flush)
{
	unsigned char chunk[CHUNK];
	int r = Z_OK;

	while (r == Z_OK) {
		z->next_out = chunk;
		z->avail_out = sizeof(chunk);
		r = step(z, flush);
		if ((r == Z_OK || r == Z_STREAM_END) &&
			buf_add(out, chunk, sizeof(chunk) - z->avail_out) < 0)
			r = Z_BUF_ERROR;
	}
	return r;
}

int gzip_write(struct buf *out, struct span in)
{
	z_stream z = {.next_in = (z_const Bytef *)in.p, .avail_in = (uInt)in.len};
	int r;

	if (in.len > INT_MAX)
		return -E2BIG;
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = run(&z, out, deflate, Z_FINISH);
	deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : out->err ? out->err : -ENOMEM;
}

int gzip_read(struct buf *out, struct span in)
{
	z_stream z = {.next_in = (z_const Bytef *)in.p, .avail_in = (uInt)in.len};
	size_t before = out->len;
	int r;

	if (in.len > INT_MAX)
		return -E2BIG;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	r = run(&z, out, inflate, Z_NO_FLUSH);
	if (r == Z_STREAM_END && z.avail_in > 0)
		r = Z_DATA_ERROR;
	inflateEnd(&z);
	if (r == Z_STREAM_END)
		return 0;
	if (out->err)
		return out->err;
	out->len = before;
	return r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}
