/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/intel_sign.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <string.h>

#include "common/base/json.h"
#include "common/tee/intel_document.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

bool intel_sign_begin(struct intel_sign *s)
{
	struct error err = {0};

	*s = (struct intel_sign){.chain = BUF_INIT(16 * 1024)};
	if (roots_builtin(&s->roots, &err) < 0 ||
		!peer_cert_make(&s->root, "Intel SGX Root CA", NULL, false) ||
		!peer_cert_make(&s->signer, "Intel SGX TCB Signing", &s->root, false) ||
		roots_add(&s->roots, buf_view(&s->root.cert_pem), &err) < 0)
		return CHECK_ROW("signer", false, "%s", err.message);
	buf_span(&s->chain, buf_view(&s->signer.cert_pem));
	return buf_span(&s->chain, buf_view(&s->root.cert_pem)) == 0;
}

void intel_sign_end(struct intel_sign *s)
{
	peer_cert_free(&s->root);
	peer_cert_free(&s->signer);
	roots_free(&s->roots);
	buf_free(&s->chain);
}

void intel_sign(unsigned char ret[64], const struct intel_sign *s, struct span body)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[128];
	const unsigned char *p = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig;

	CU_ASSERT(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->signer.key) == 1);
	CU_ASSERT(EVP_DigestSign(ctx, der, &len, (const unsigned char *)body.p, body.len) == 1);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + 32, 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
}

struct tcb_info *intel_sign_tcb_info(const struct intel_sign *s, struct span body)
{
	struct tcb_info *t = NULL;
	unsigned char signature[64];
	struct error err = {0};

	intel_sign(signature, s, body);
	CHECK_ROW("TCB info",
		tcb_info_new(&t, body, (struct span){(char *)signature, sizeof(signature)},
			buf_view(&s->chain), &s->roots, NULL, &err) == 0,
		"%s", err.message);
	return t;
}

struct qe_identity *intel_sign_qe_identity(const struct intel_sign *s, struct span body)
{
	struct qe_identity *q = NULL;
	unsigned char signature[64];
	struct error err = {0};

	intel_sign(signature, s, body);
	CHECK_ROW("QE identity",
		qe_identity_new(&q, body, (struct span){(char *)signature, sizeof(signature)},
			buf_view(&s->chain), &s->roots, NULL, &err) == 0,
		"%s", err.message);
	return q;
}

void intel_edit(struct buf *out, struct span text, const char *find, const char *put)
{
	const char *at = memmem(text.p, text.len, find, strlen(find));

	if (!CHECK_ROW(find, at != NULL, "not in the text"))
		return;
	buf_add(out, text.p, (size_t)(at - text.p));
	buf_puts(out, put);
	at += strlen(find);
	buf_add(out, at, text.len - (size_t)(at - text.p));
}

struct span intel_vector(const char *path, const char *name, unsigned char ret_signature[64])
{
	unsigned char signature[64];
	const struct json_limits limits = {INTEL_JSON_MAX, 256 * 1024, 18};
	_cleanup_json_ struct json doc = {0};
	struct span body = SPAN_NONE;
	struct error err = {0};
	int r = json_parse(&doc, vector(path), &limits, &err);

	if (r == 0)
		r = intel_signed_value(json_root(&doc), name, &body,
			ret_signature ? ret_signature : signature, &err);
	CHECK_ROW(path, r == 0, "%s", err.message);
	return body;
}

struct span intel_set_vector(const char *path, const char *member)
{
	static const struct json_limits limits = {1 << 20, 1 << 10, 4};
	static struct arena kept = {.max = 16 << 20};
	_cleanup_json_ struct json doc = {0};
	struct span s = SPAN_NONE;

	if (json_parse(&doc, vector(path), &limits, NULL) == 0)
		s = arena_dup(&kept, json_str(json_get(json_root(&doc), member), &kept));
	CHECK_ROW(path, s.len > 0, "no member %s", member);
	return s;
}
