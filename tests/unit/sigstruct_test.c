/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGSTRUCTs: Fortanix's, which its tools and Oasis' build alike, and our own. */
#include "common/tee/sigstruct.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

#include "common/base/codec.h"
#include "nodeagent/enclave/report.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

/* What Fortanix's says, and the digest of what is signed in it. */
static const struct sigstruct theirs = {
	.date = 0x20160109,
	.flags = 4,
	.xfrm = 3,
	.flags_mask = ~0x2ull,
	.xfrm_mask = ~0xe4ull,
	.miscselect_mask = UINT32_MAX,
};
#define THEIR_MRENCLAVE "c50673624a6cb17c1c6c2a4e6906f47a170c4629b8723781d1017ef376f1a75d"
#define THEIR_SIGNED    "ea7ced3b8c78324bce65ad851152a125fd1989df324dc72b244ed5f44573ac95"

static const unsigned char *fortanix(void)
{
	return (const unsigned char *)vector("fortanix/sig1.sigstruct.bin").p;
}

static void test_real(void)
{
	unsigned char mrenclave[32], digest[32], want[32], message[256];
	const unsigned char *s = fortanix();
	struct sigstruct got = {0};
	struct error err = {0};

	codec_hex_exact(mrenclave, 32, span_str(THEIR_MRENCLAVE));
	CHECK_ROW("Fortanix's", sigstruct_verify(&got, s, &err) == 0, "%s", err.message);
	CU_ASSERT(got.date == theirs.date && got.flags == theirs.flags && got.xfrm == theirs.xfrm &&
		  got.flags_mask == theirs.flags_mask && got.xfrm_mask == theirs.xfrm_mask &&
		  got.miscselect == 0 && got.miscselect_mask == UINT32_MAX && got.isvprodid == 0 &&
		  got.isvsvn == 0);
	CU_ASSERT_EQUAL(memcmp(got.mrenclave, mrenclave, 32), 0);
	memcpy(message, s, 128);
	memcpy(message + 128, s + 900, 128);
	EVP_Digest(message, sizeof(message), digest, NULL, EVP_sha256(), NULL);
	codec_hex_exact(want, 32, span_str(THEIR_SIGNED));
	CU_ASSERT_EQUAL(memcmp(digest, want, 32), 0);
}

/* Where each byte of what we sign is: as in Fortanix's, made of the same. */
static void test_same_bytes(void)
{
	unsigned char s[SIGSTRUCT_SIZE];
	struct sigstruct what = theirs;
	EVP_PKEY *key = NULL;
	struct error err = {0};

	if (!CHECK_ROW("key", sigstruct_key_new(&key, &err) == 0, "%s", err.message))
		return;
	codec_hex_exact(what.mrenclave, 32, span_str(THEIR_MRENCLAVE));
	CHECK_ROW("sign", sigstruct_sign(s, &what, key, &err) == 0, "%s", err.message);
	CU_ASSERT_EQUAL(memcmp(s, fortanix(), 128), 0);
	CU_ASSERT_EQUAL(memcmp(s + 512, fortanix() + 512, 4), 0);
	CU_ASSERT_EQUAL(memcmp(s + 900, fortanix() + 900, 140), 0);
	EVP_PKEY_free(key);
}

static void check_identities(const unsigned char *s)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *m = BN_lebin2bn(s + 128, 384, NULL), *sig = BN_lebin2bn(s + 516, 384, NULL),
	       *q1 = BN_lebin2bn(s + 1040, 384, NULL), *q2 = BN_lebin2bn(s + 1424, 384, NULL),
	       *t = BN_new(), *u = BN_new(), *v = BN_new();

	/* s^3 - q1 s m - q2 m is s^3 mod m. */
	BN_sqr(t, sig, ctx);
	BN_mul(t, t, sig, ctx);
	BN_mul(u, q1, sig, ctx);
	BN_mul(u, u, m, ctx);
	BN_sub(t, t, u);
	BN_mul(u, q2, m, ctx);
	BN_sub(t, t, u);
	BN_set_word(v, 3);
	BN_mod_exp(u, sig, v, m, ctx);
	CU_ASSERT_EQUAL(BN_cmp(t, u), 0);
	BN_free(m);
	BN_free(sig);
	BN_free(q1);
	BN_free(q2);
	BN_free(t);
	BN_free(u);
	BN_free(v);
	BN_CTX_free(ctx);
}

static void test_ours(void)
{
	unsigned char s[SIGSTRUCT_SIZE], signer[MRSIGNER_SIZE], want[32], mrenclave[32];
	struct evidence_enclave e;
	struct sigstruct got = {0};
	EVP_PKEY *key = NULL;
	struct error err = {0};

	if (!CHECK_ROW("key", sigstruct_key_new(&key, &err) == 0, "%s", err.message))
		return;
	evidence_enclave_make(&e);
	enclave_measure(mrenclave, &e.image, NULL);
	CHECK_ROW("sign", evidence_enclave_sign(s, &e.image, key, &err) == 0, "%s", err.message);
	CHECK_ROW("verify", sigstruct_verify(&got, s, &err) == 0, "%s", err.message);
	CU_ASSERT_EQUAL(memcmp(got.mrenclave, mrenclave, 32), 0);
	/* A production enclave, and no other. */
	CU_ASSERT(got.flags == 4 && got.flags_mask == UINT64_MAX && got.xfrm == 3);
	check_identities(s);
	check_identities(fortanix());
	CU_ASSERT_EQUAL(sigstruct_mrsigner(signer, s, NULL), 0);
	EVP_Digest(s + 128, 384, want, NULL, EVP_sha256(), NULL);
	CU_ASSERT_EQUAL(memcmp(signer, want, 32), 0);
	EVP_PKEY_free(key);
}

/* Each bit, but for what is neither signed nor checked: nothing is. */
static void test_flipped(void)
{
	for (size_t bit = 0; bit < 8 * (size_t)SIGSTRUCT_SIZE; bit += 3) {
		unsigned char s[SIGSTRUCT_SIZE];
		struct sigstruct got = {.date = 77};
		int r;

		memcpy(s, fortanix(), sizeof(s));
		s[bit / 8] ^= (unsigned char)(1 << bit % 8);
		r = sigstruct_verify(&got, s, NULL);
		CHECK_ROW("flipped", r == -EBADMSG && got.date == 77, "bit %zu: %d", bit, r);
	}
}

static void test_other_keys(void)
{
	unsigned char s[SIGSTRUCT_SIZE];
	EVP_PKEY *keys[] = {EVP_RSA_gen(3072), EVP_RSA_gen(2048), EVP_EC_gen("P-256")};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CU_ASSERT_EQUAL(sigstruct_sign(s, &theirs, keys[i], &err), -EINVAL);
		CHECK_ROW("other keys", strstr(err.message, "3072 bits with exponent 3"), "%s",
			err.message);
		EVP_PKEY_free(keys[i]);
	}
}

CU_TestInfo sigstruct_tests[] = {
	{"a real one", test_real},
	{"the same bytes", test_same_bytes},
	{"the evidence enclave's", test_ours},
	{"each bit flipped", test_flipped},
	{"other keys", test_other_keys},
	CU_TEST_INFO_NULL,
};
