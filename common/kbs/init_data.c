/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/init_data.h"

#include <errno.h>
#include <openssl/evp.h>

#include "common/base/codec.h"
#include "common/base/gzip.h"

static struct span trim(struct span s)
{
	while (s.len && strchr(" \t\r", s.p[0]) && s.p[0])
		s = (struct span){s.p + 1, s.len - 1};
	while (s.len && strchr(" \t\r", s.p[s.len - 1]) && s.p[s.len - 1])
		s.len--;
	return s;
}

/* The value of `algorithm = "…"` before the first table. */
static struct span algorithm(struct span toml)
{
	while (toml.len) {
		const char *newline = memchr(toml.p, '\n', toml.len);
		size_t n = newline ? (size_t)(newline - toml.p) : toml.len;
		struct span line = trim((struct span){toml.p, n}), value;

		if (span_starts(line, "["))
			break;
		value = trim(span_after(line, "algorithm"));
		if (span_starts(value, "=")) {
			value = trim((struct span){value.p + 1, value.len - 1});
			if (value.len < 2 || (value.p[0] != '"' && value.p[0] != '\'') ||
				value.p[value.len - 1] != value.p[0])
				break;
			return (struct span){value.p + 1, value.len - 2};
		}
		n += newline != NULL;
		toml = (struct span){toml.p + n, toml.len - n};
	}
	return SPAN_NONE;
}

int init_data_digest(unsigned char ret[INIT_DATA_DIGEST_MAX], struct span toml, struct error *err)
{
	struct span name = algorithm(toml);
	const EVP_MD *md = span_is(name, "sha256")   ? EVP_sha256()
			   : span_is(name, "sha384") ? EVP_sha384()
			   : span_is(name, "sha512") ? EVP_sha512()
						     : NULL;
	unsigned len;

	if (!md)
		return error_set(err, -EBADMSG,
			"init-data has no top-level algorithm = \"sha256\", \"sha384\" or "
			"\"sha512\"");
	if (EVP_Digest(toml.p, toml.len, ret, &len, md, NULL) != 1)
		return error_oom(err);
	return (int)len;
}

int init_data_pack(struct buf *out, struct span toml)
{
	_cleanup_buf_ struct buf packed = BUF_INIT(out->max);
	int r = gzip_write(&packed, toml);

	return r < 0 ? r : buf_base64(out, packed.p, packed.len);
}

int init_data_unpack(struct buf *out, struct span value)
{
	_cleanup_buf_ struct buf packed = BUF_INIT(value.len);
	int r = codec_unbase64(&packed, CODEC_BASE64, value);

	return r < 0 ? r : gzip_read(out, buf_view(&packed));
}
