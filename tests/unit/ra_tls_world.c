/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ra_tls_world.h"

#include <openssl/sha.h>
#include <openssl/x509.h>

#define OID_DICE  "2.23.133.5.4.9"
#define OID_QUOTE "1.2.840.113741.1337.6"

enum { TEXT_MAX = 8192 };

void cbor_head(struct buf *out, enum cbor_major major, uint64_t n)
{
	unsigned size = n < 24 ? 0 : n < 1 << 8 ? 1 : n < 1 << 16 ? 2 : n < 1ull << 32 ? 4 : 8;
	unsigned code = size ? (unsigned)(24 + __builtin_ctz(size)) : (unsigned)n;

	buf_putc(out, (char)((unsigned)major << 5 | code));
	while (size--)
		buf_putc(out, (char)(n >> 8 * size));
}

void cbor_bytes(struct buf *out, struct span s)
{
	cbor_head(out, CBOR_BYTES, s.len);
	buf_span(out, s);
}

void cbor_text(struct buf *out, const char *s)
{
	cbor_head(out, CBOR_TEXT, strlen(s));
	buf_puts(out, s);
}

void ra_tls_world_key_hash(enum tee_key k, unsigned char ret[32])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(tee_key(k), &der);

	tee_must(n > 0, "a public key");
	SHA256(der, (size_t)n, ret);
	OPENSSL_free(der);
}

static void write_claims(struct buf *out, enum tee_key k)
{
	_cleanup_buf_ struct buf pair = BUF_INIT(64);
	unsigned char hash[32];

	ra_tls_world_key_hash(k, hash);
	cbor_head(&pair, CBOR_ARRAY, 2);
	cbor_head(&pair, CBOR_UINT, 1);
	cbor_bytes(&pair, (struct span){(const char *)hash, sizeof(hash)});
	cbor_head(out, CBOR_MAP, 1);
	cbor_text(out, "pubkey-hash");
	cbor_bytes(out, buf_view(&pair));
}

void ra_tls_world(struct ra_tls_world *w, const char *dice_quote, const char *quote)
{
	struct tee_extension *e = w->cert.extensions;

	*w = (struct ra_tls_world){
		.cert = {.vendor = TEE_INTEL,
			.subject = "RATLS",
			.issuer = "RATLS",
			.serial = 1,
			.not_before = RA_TLS_WORLD_NOW - 1000,
			.not_after = RA_TLS_WORLD_NOW + 1000,
			.key = TEE_KEY_VCEK,
			.signer = TEE_KEY_VCEK,
			.bare = true,
			.md = "SHA256"},
		.claims = BUF_INIT(TEXT_MAX),
		.dice = BUF_INIT(TEXT_MAX),
	};
	write_claims(&w->claims, w->cert.key);
	if (quote)
		*e++ = (struct tee_extension){.oid = OID_QUOTE, .value = span_str(quote)};
	if (!dice_quote)
		return;
	cbor_head(&w->dice, CBOR_TAG, 60000);
	cbor_head(&w->dice, CBOR_ARRAY, 2);
	cbor_bytes(&w->dice, span_str(dice_quote));
	cbor_bytes(&w->dice, buf_view(&w->claims));
	*e = (struct tee_extension){.oid = OID_DICE, .value = buf_view(&w->dice)};
}

void ra_tls_world_free(struct ra_tls_world *w)
{
	buf_free(&w->claims);
	buf_free(&w->dice);
}
