/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/init_data.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/base/algorithm.h"

enum { PCR_LEN = SHA256_DIGEST_LENGTH };

static bool fits(const unsigned char *field, size_t size, const unsigned char *digest, size_t len)
{
	unsigned char want[INIT_DATA_DIGEST_MAX] = {0};

	memcpy(want, digest, len < size ? len : size);
	return CRYPTO_memcmp(field, want, size) == 0;
}

static bool extended(const unsigned char *pcr, const unsigned char *digest, size_t len)
{
	unsigned char before[2 * PCR_LEN] = {0}, after[PCR_LEN];

	if (len != PCR_LEN)
		return false;
	memcpy(before + PCR_LEN, digest, len);
	return algorithm_hash(before, sizeof(before), after) &&
	       CRYPTO_memcmp(pcr, after, PCR_LEN) == 0;
}

bool init_data_bound(const struct evidence *e, const unsigned char *digest, size_t len)
{
	if (e->has_vtpm)
		return extended(e->pcrs + (size_t)PROVEN_INIT_DATA_PCR * PCR_LEN, digest, len);
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

bool init_data_proven(const struct proven *p, const unsigned char *digest, size_t len)
{
	const struct measurement *pcr = proven_register(p, PROVEN_PCR8), *m;

	if (pcr)
		return pcr->len == PCR_LEN && extended(pcr->value, digest, len);
	m = proven_register(p, p->tee == TEE_TYPE_TDX ? "mrconfigid" : "hostData");
	return m && !p->sample && (p->tee == TEE_TYPE_TDX || p->tee == TEE_TYPE_SNP) &&
	       fits(m->value, m->len, digest, len);
}
