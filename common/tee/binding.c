/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/binding.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"

static const char domain[] = "casemate.dev/attest/1"; /* its NUL is part of it */

static bool add(EVP_MD_CTX *ctx, struct span part)
{
	const unsigned char len[4] = {(unsigned char)(part.len >> 24),
		(unsigned char)(part.len >> 16), (unsigned char)(part.len >> 8),
		(unsigned char)part.len};

	return EVP_DigestUpdate(ctx, len, sizeof(len)) == 1 &&
	       EVP_DigestUpdate(ctx, part.p, part.len) == 1;
}

int node_binding_report_data(unsigned char ret[64], const struct node_binding *b)
{
	unsigned char token[SHA256_DIGEST_LENGTH], digest[SHA512_DIGEST_LENGTH];
	const struct span parts[] = {b->challenge, b->node, b->node_uid, b->public_key,
		{(const char *)token, sizeof(token)}};
	EVP_MD_CTX *ctx;
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].len > UINT32_MAX)
			return -EINVAL;
	}
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_Digest(b->token.p, b->token.len, token, NULL, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestInit_ex(ctx, EVP_sha512(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, domain, sizeof(domain)) == 1;
	for (size_t i = 0; ok && i < ARRAY_SIZE(parts); i++)
		ok = add(ctx, parts[i]);
	ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -ENOMEM;
	memcpy(ret, digest, sizeof(digest));
	return 0;
}

int node_binding_thumbprint(char ret[THUMBPRINT_MAX], struct span public_key)
{
	unsigned char digest[SHA256_DIGEST_LENGTH], text[45]; /* "=" and NUL behind */

	if (EVP_Digest(public_key.p, public_key.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	EVP_EncodeBlock(text, digest, sizeof(digest));
	memcpy(ret, "sha256:", 7);
	for (size_t i = 0; i < 43; i++)
		ret[7 + i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
	ret[THUMBPRINT_MAX - 1] = '\0';
	return 0;
}
