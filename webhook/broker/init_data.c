/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/init_data.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

enum { PCR = 8, PCR_LEN = SHA256_DIGEST_LENGTH };

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

static bool fits(const unsigned char *field, size_t size, const unsigned char *digest, size_t len)
{
	unsigned char want[INIT_DATA_DIGEST_MAX] = {0};

	memcpy(want, digest, len < size ? len : size);
	return CRYPTO_memcmp(field, want, size) == 0;
}

static bool extended(const unsigned char *pcrs, const unsigned char *digest, size_t len)
{
	unsigned char before[2 * PCR_LEN] = {0}, after[PCR_LEN];

	if (len != PCR_LEN)
		return false;
	memcpy(before + PCR_LEN, digest, len);
	SHA256(before, sizeof(before), after);
	return CRYPTO_memcmp(pcrs + (size_t)PCR * PCR_LEN, after, PCR_LEN) == 0;
}

bool init_data_bound(const struct evidence *e, const unsigned char *digest, size_t len)
{
	if (e->has_vtpm)
		return extended(e->pcrs, digest, len);
	switch (e->tee) {
	case TEE_TYPE_SGX:
		return fits(e->quote.sgx.configid, 64, digest, len);
	case TEE_TYPE_TDX:
		return fits(e->quote.td.mrconfigid, 48, digest, len);
	case TEE_TYPE_SNP:
		return fits(e->snp.host_data, 32, digest, len);
	default:
		return false;
	}
}
