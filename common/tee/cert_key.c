/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/cert_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "common/tee/der.h"
#include "common/tee/signature.h"

enum { RSA_MODULUS_MIN = 2048 / 8, RSA_MODULUS_MAX = 4096 / 8, RSA_EXPONENT = 65537 };

/* RSAPublicKey (RFC 8017, appendix A.1.1). */
static bool read_rsa(struct span bits, struct span *ret_modulus)
{
	struct span key, modulus, exponent;
	uint32_t e;

	if (!der_take(&bits, DER_SEQUENCE, &key) || bits.len ||
		!der_take(&key, DER_INTEGER, &modulus) || !der_take(&key, DER_INTEGER, &exponent) ||
		key.len || !der_unsigned(exponent, RSA_EXPONENT, &e) || e != RSA_EXPONENT)
		return false;
	/* in whole bytes the highest bit is set, so that a zero stands before it */
	if (modulus.len < 2 || modulus.p[0] != 0 || !(modulus.p[1] & 0x80))
		return false;
	*ret_modulus = (struct span){modulus.p + 1, modulus.len - 1};
	return ret_modulus->len >= RSA_MODULUS_MIN && ret_modulus->len <= RSA_MODULUS_MAX;
}

static bool read_ec(struct span bits, int curve, enum x509_key *ret_kind, struct span *ret_xy)
{
	size_t len = curve == NID_X9_62_prime256v1 ? 64 : 96;

	if (curve != NID_X9_62_prime256v1 && curve != NID_secp384r1)
		return false;
	if (bits.len != 1 + len || bits.p[0] != 4)
		return false;
	*ret_kind = curve == NID_X9_62_prime256v1 ? X509_KEY_P256 : X509_KEY_P384;
	*ret_xy = (struct span){bits.p + 1, len};
	return true;
}

int cert_key_read(
	enum x509_key *ret_kind, struct span *ret_bits, X509_PUBKEY *pub, struct error *err)
{
	const unsigned char *p;
	const ASN1_OBJECT *o;
	const void *parameter;
	X509_ALGOR *algorithm;
	int len, type;
	struct span bits;

	if (X509_PUBKEY_get0_param(NULL, &p, &len, &algorithm, pub) == 1) {
		bits = (struct span){(const char *)p, (size_t)len};
		X509_ALGOR_get0(&o, &type, &parameter, algorithm);
		if (OBJ_obj2nid(o) == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT &&
			read_ec(bits, OBJ_obj2nid(parameter), ret_kind, ret_bits))
			return 0;
		if (OBJ_obj2nid(o) == NID_rsaEncryption && type == V_ASN1_NULL &&
			read_rsa(bits, ret_bits)) {
			*ret_kind = X509_KEY_RSA;
			return 0;
		}
	}
	return error_set(err, -EBADMSG,
		"its key is neither P-256, P-384 nor RSA of 2048 to 4096 bits with the exponent "
		"65537");
}

static EVP_PKEY *make_rsa(struct span modulus)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.p, (int)modulus.len, NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	if (bld && n && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		OSSL_PARAM_BLD_push_ulong(bld, OSSL_PKEY_PARAM_RSA_E, RSA_EXPONENT) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *cert_key_make(enum x509_key kind, struct span bits)
{
	const unsigned char *p = (const unsigned char *)bits.p;
	EVP_PKEY *key;

	ERR_set_mark();
	if (kind == X509_KEY_RSA)
		key = make_rsa(bits);
	else
		key = kind == X509_KEY_P256 ? signature_p256_key(p) : signature_p384_key(p);
	ERR_pop_to_mark();
	return key;
}
