/* SPDX-License-Identifier: Apache-2.0
 *
 * Azure's confidential VMs. The paravisor (OpenHCL, openhcl_attestation_protocol, igvm_attest)
 * wraps the report: 32 bytes of header ('HCLA', version, …), 1184 of report, then five numbers
 * (length of all that follows them and themselves, version, kind of report, hash, length of the
 * runtime data) and the runtime data, a JSON document whose hash is the report's report data. The
 * key HCLAkPub in it signs the vTPM's quotes (TCG, "Trusted Platform Module Library", part 2,
 * TPMS_ATTEST). */
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "common/base/algorithm.h"
#include "common/base/codec.h"
#include "common/tee/cert_key.h"
#include "common/tee/evidence_private.h"
#include "common/tee/le.h"

enum {
	HEADER = 32,
	NUMBERS = 20,
	RUNTIME_AT = HEADER + SNP_REPORT + NUMBERS,
	RUNTIME_MAX = 32 << 10,
	KIND_SNP = 2,
	KIND_TDX = 4,
	HASH_SHA256 = 1,
	CLOCK_INFO = 17,
	FIRMWARE_VERSION = 8,
};

bool hcl_is(struct span bytes)
{
	return span_starts(bytes, "HCLA");
}

static int check_header(struct opening *o, struct span bytes)
{
	if (bytes.len < RUNTIME_AT)
		return opening_refuse(o, REASON_Malformed,
			"an HCLA report has at least %d bytes, this has %zu", RUNTIME_AT,
			bytes.len);
	if (le32(bytes.p + 4) != 1 && le32(bytes.p + 4) != 2)
		return opening_refuse(o, REASON_UnsupportedVersion,
			"version %u of the HCLA report is neither 1 nor 2", le32(bytes.p + 4));
	return 0;
}

int hcl_parse(struct opening *o, struct hcl *ret, struct span bytes)
{
	const char *n = bytes.p + HEADER + SNP_REPORT;
	uint32_t kind, len;
	int r = check_header(o, bytes);

	if (r < 0)
		return r;
	kind = le32(n + 8);
	len = le32(n + 16);
	if (le32(n + 4) != 1 || le32(n + 12) != HASH_SHA256 ||
		(kind != KIND_SNP && kind != KIND_TDX))
		return opening_refuse(o, REASON_UnsupportedVersion,
			"version %u of the HCLA report's runtime data, kind %u, hash %u: known are "
			"version 1, SNP (2) and TDX (4), SHA-256 (1)",
			le32(n + 4), kind, le32(n + 12));
	if (len > RUNTIME_MAX || len > bytes.len - RUNTIME_AT || le32(n) != NUMBERS + len)
		return opening_refuse(o, REASON_Malformed,
			"the runtime data of the HCLA report, %u bytes, do not fit", len);
	for (size_t i = RUNTIME_AT + len; i < bytes.len; i++)
		if (bytes.p[i])
			return opening_refuse(o, REASON_Malformed,
				"byte %zu behind the HCLA report's runtime data is not zero", i);
	*ret = (struct hcl){
		.report = {bytes.p + HEADER, SNP_REPORT},
		.tdx = kind == KIND_TDX,
		.runtime_data = {bytes.p + RUNTIME_AT, len},
	};
	return algorithm_hash(bytes.p + RUNTIME_AT, len, ret->digest) ? 0 : error_oom(o->err);
}

int hcl_check(struct opening *o, const struct hcl *h, const unsigned char report_data[64])
{
	static const unsigned char zero[32];

	if (memcmp(report_data, h->digest, 32) != 0 || memcmp(report_data + 32, zero, 32) != 0)
		return opening_refuse(o, REASON_ReportDataMismatch,
			"the report was not made for this runtime data: its report data is not the "
			"SHA-256 of it and zeros");
	o->e->runtime_data = h->runtime_data;
	return 0;
}

/* Takes n bytes off *in. */
static bool take(struct span *in, size_t n, struct span *ret)
{
	if (n > in->len)
		return false;
	*ret = (struct span){in->p, n};
	*in = (struct span){in->p + n, in->len - n};
	return true;
}

/* A TPM2B: 16 bits of length, big endian, and as many bytes. */
static bool take_sized(struct span *in, struct span *ret)
{
	struct span n;

	return take(in, 2, &n) &&
	       take(in, (size_t)(unsigned char)n.p[0] << 8 | (unsigned char)n.p[1], ret);
}

/* TPMS_ATTEST of a quote over all PCRs of the bank SHA-256. */
static bool read_attest(struct span in, struct span *ret_qualifying, struct span *ret_pcr_digest)
{
	struct span magic, signer, clock, selection;

	return take(&in, 6, &magic) && memcmp(magic.p, "\xff\x54\x43\x47\x80\x18", 6) == 0 &&
	       take_sized(&in, &signer) && take_sized(&in, ret_qualifying) &&
	       take(&in, CLOCK_INFO + FIRMWARE_VERSION, &clock) && take(&in, 10, &selection) &&
	       memcmp(selection.p, "\0\0\0\1\0\x0b\3\xff\xff\xff", 10) == 0 &&
	       take_sized(&in, ret_pcr_digest) && in.len == 0;
}

/* The member of runtime data's "keys" whose "kid" is HCLAkPub. */
static struct json_val find_key(struct json_val runtime)
{
	struct json_iter it;

	json_each (it, json_get(runtime, "keys"))
		if (json_str_is(json_get(it.value, "kid"), "HCLAkPub"))
			return it.value;
	return (struct json_val){0};
}

/* Its RSA key; its exponent is 65537, as everywhere. NULL: there is none. */
static EVP_PKEY *read_key(struct json_val runtime)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(RUNTIME_MAX);
	_cleanup_buf_ struct buf n = BUF_INIT(512);
	struct json_val key = find_key(runtime);
	struct span modulus = json_str(json_get(key, "n"), &a);

	if (!json_str_is(json_get(key, "kty"), "RSA") || !json_str_is(json_get(key, "e"), "AQAB") ||
		!modulus.p || codec_unbase64(&n, CODEC_BASE64_URL, modulus) < 0 || n.len < 256)
		return NULL;
	return cert_key_make(X509_KEY_RSA, buf_view(&n));
}

/* RSASSA-PKCS1-v1_5 with SHA-256. */
static int check_signature(
	struct opening *o, struct json_val runtime, struct span message, struct span signature)
{
	EVP_PKEY *key = read_key(runtime);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	ERR_set_mark();
	ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.len,
		     (const unsigned char *)message.p, message.len) == 1;
	ERR_pop_to_mark();
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0
		  : opening_refuse(o, REASON_QuoteSignatureInvalid,
			    "the vTPM's quote is not signed by the key HCLAkPub of the runtime "
			    "data");
}

/* Since version 2 the guest has the paravisor put what it is bound to into the runtime data. */
static int check_user_data(struct opening *o, struct json_val runtime)
{
	unsigned char data[64];
	_cleanup_arena_ struct arena a = ARENA_INIT(RUNTIME_MAX);
	struct span text = json_str(json_get(runtime, "user-data"), &a);

	if (text.p && codec_hex_exact(data, sizeof(data), text) == 0 &&
		memcmp(data, o->e->qualifying_data, sizeof(data)) == 0)
		return 0;
	return opening_refuse(o, REASON_ReportDataMismatch,
		"the runtime data's user-data is not what the vTPM's quote is bound to");
}

static int check_runtime(struct opening *o, const struct hcl *h, struct span message,
	struct span signature, int64_t version)
{
	static const struct json_limits limits = {RUNTIME_MAX, 256, 8};
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, h->runtime_data, &limits, o->err);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		o->reason = REASON_Malformed;
		return error_prefix(o->err, -EBADMSG, "the runtime data");
	}
	r = check_signature(o, json_root(&doc), message, signature);
	if (r == 0 && version >= 2)
		r = check_user_data(o, json_root(&doc));
	return r;
}

int hcl_vtpm(struct opening *o, const struct hcl *h, struct span message, struct span signature,
	struct span pcrs, int64_t version)
{
	struct evidence *e = o->e;
	struct span qualifying, pcr_digest;
	unsigned char sum[32];
	int r;

	if (!read_attest(message, &qualifying, &pcr_digest) || pcr_digest.len != sizeof(sum) ||
		qualifying.len > sizeof(e->qualifying_data) || pcrs.len != VTPM_PCRS * 32)
		return opening_refuse(o, REASON_Malformed,
			"the vTPM's quote is not one over the %d PCRs of the bank SHA-256 with at "
			"most 64 bytes of qualifying data",
			VTPM_PCRS);
	memcpy(e->qualifying_data, qualifying.p, qualifying.len);
	r = check_runtime(o, h, message, signature, version);
	if (r < 0)
		return r;
	if (!algorithm_hash(pcrs.p, pcrs.len, sum))
		return error_oom(o->err);
	if (memcmp(sum, pcr_digest.p, sizeof(sum)) != 0)
		return opening_refuse(o, REASON_QuoteSignatureInvalid,
			"the PCRs are not those that the vTPM's quote signs");
	e->pcrs = (const unsigned char *)pcrs.p;
	e->has_vtpm = true;
	return 0;
}
