/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tee/vtpm.h"

#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/base/codec.h"

enum { KIND_TDX = 4, HASH_SHA256 = 1, RSA_MAX = 512, TD_REPORT_DATA = 520 };

void tee_vtpm(struct tee_vtpm *t, unsigned char bound)
{
	*t = (struct tee_vtpm){.version = 2,
		.kind = KIND_TDX,
		.key = TEE_KEY_OTHER_RSA,
		.signer = TEE_KEY_OTHER_RSA};
	memset(t->bound, bound, sizeof(t->bound));
	memset(t->user_data, bound, sizeof(t->user_data));
	for (size_t i = 0; i < TEE_VTPM_PCRS; i++)
		memset(t->pcrs[i], (int)i, sizeof(t->pcrs[i]));
}

static void put_modulus(struct buf *out, enum tee_key key)
{
	unsigned char bytes[RSA_MAX];
	BIGNUM *n = NULL;
	int len;

	tee_must(EVP_PKEY_get_bn_param(tee_key(key), OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
			 BN_num_bytes(n) <= RSA_MAX,
		"the vTPM's key");
	len = BN_bn2bin(n, bytes);
	BN_free(n);
	codec_base64url(out, bytes, (size_t)len);
}

void tee_vtpm_runtime(const struct tee_vtpm *t, struct buf *out)
{
	buf_puts(out, "{\"keys\":[{\"kid\":\"HCLEkPub\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"\"},"
		      "{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\",\"e\":\"AQAB\","
		      "\"n\":\"");
	put_modulus(out, t->key);
	buf_puts(out, "\"}],\"vm-configuration\":{\"secure-boot\":true},\"user-data\":\"");
	codec_hex(out, t->user_data, sizeof(t->user_data));
	buf_puts(out, "\"}");
}

static void put_le32(struct buf *out, size_t n)
{
	unsigned char le[4];

	tee_put(le, sizeof(le), n);
	buf_add(out, le, sizeof(le));
}

void tee_vtpm_hcl(const struct tee_vtpm *t, struct buf *out)
{
	_cleanup_buf_ struct buf runtime = BUF_INIT(TEE_VTPM_MAX);
	/* A TDREPORT, which nobody elsewhere can check. */
	static const unsigned char header[TEE_HCL_HEADER] = "HCLA\2", report[TEE_HCL_REPORT];

	tee_vtpm_runtime(t, &runtime);
	buf_add(out, header, sizeof(header));
	buf_add(out, report, sizeof(report));
	put_le32(out, TEE_HCL_NUMBERS + runtime.len);
	put_le32(out, 1);
	put_le32(out, t->kind);
	put_le32(out, HASH_SHA256);
	put_le32(out, runtime.len);
	buf_span(out, buf_view(&runtime));
}

/* TCG, "Trusted Platform Module Library", part 2, TPMS_ATTEST. */
void tee_vtpm_message(const struct tee_vtpm *t, struct buf *out)
{
	static const unsigned char clock[17 + 8], signer[34] = {0, 11};
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256(t->pcrs[0], sizeof(t->pcrs), digest);
	buf_add(out, "\xff\x54\x43\x47\x80\x18\0\x22", 8); /* magic, quote, length of the signer */
	buf_add(out, signer, sizeof(signer));
	buf_add(out, "\0\x40", 2);
	buf_add(out, t->bound, sizeof(t->bound));
	buf_add(out, clock, sizeof(clock));
	buf_add(out, "\0\0\0\1\0\x0b\3\xff\xff\xff\0\x20", 12); /* SHA-256, all PCRs; length */
	buf_add(out, digest, sizeof(digest));
}

void tee_vtpm_signature(const struct tee_vtpm *t, struct span message, struct buf *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[RSA_MAX];
	size_t n = sizeof(signature);

	tee_must(
		ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, tee_key(t->signer)) == 1 &&
			EVP_DigestSign(ctx, signature, &n, (const unsigned char *)message.p,
				message.len) == 1,
		"the vTPM's signature");
	EVP_MD_CTX_free(ctx);
	buf_add(out, signature, n);
}

void tee_vtpm_bind(const struct tee_vtpm *t, struct tee_intel *w)
{
	_cleanup_buf_ struct buf runtime = BUF_INIT(TEE_VTPM_MAX);
	unsigned char *at = w->quote.body + TD_REPORT_DATA;

	tee_vtpm_runtime(t, &runtime);
	memset(at, 0, 64);
	SHA256((const unsigned char *)runtime.p, runtime.len, at);
}

void tee_vtpm_evidence(
	const struct tee_vtpm *t, const struct tee_vtpm_parts *parts, struct buf *out)
{
	buf_printf(out, "{\"version\":%u,\"hcl_report\":\"", t->version);
	codec_base64url(out, parts->hcl.p, parts->hcl.len);
	buf_puts(out, "\",\"td_quote\":\"");
	codec_base64url(out, parts->quote.p, parts->quote.len);
	buf_puts(out, "\",\"tpm_quote\":{\"message\":\"");
	codec_hex(out, parts->message.p, parts->message.len);
	buf_puts(out, "\",\"signature\":\"");
	codec_hex(out, parts->signature.p, parts->signature.len);
	buf_puts(out, "\",\"pcrs\":[");
	for (size_t i = 0; i < TEE_VTPM_PCRS; i++) {
		buf_puts(out, i ? ",\"" : "\"");
		codec_hex(out, t->pcrs[i], sizeof(t->pcrs[i]));
		buf_putc(out, '"');
	}
	buf_puts(out, "]}}");
}
