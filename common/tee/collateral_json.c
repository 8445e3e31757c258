/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/codec.h"
#include "common/tee/collateral_add.h"
#include "common/tee/intel_document.h"

enum {
	NODES_MAX = 1024 * 1024,
	DEPTH_MAX = 18, /* of a document, and what is around it */
};

/* One text being taken up. */
struct source {
	struct collateral *c;
	struct arena arena; /* of decoded strings */
	struct json_val root;
};

/* A string that may be missing: SPAN_NONE. */
static int read_string(
	struct source *s, struct json_val v, const char *name, struct span *ret, struct error *err)
{
	*ret = SPAN_NONE;
	if (!json_exists(v))
		return 0;
	if (!json_is_string(v))
		return error_set(err, -EBADMSG, "%s: not a string", name);
	*ret = json_str(v, &s->arena);
	return ret->p ? 0 : error_oom(err);
}

/* PEM, or digits of DER. */
static int add_text(struct source *s, struct json_val v, const char *name, struct error *err)
{
	struct span text = SPAN_NONE;
	int r = read_string(s, v, name, &text, err);

	if (r == 0 && text.len)
		r = collateral_add_bytes(s->c, text, err);
	return r < 0 ? error_prefix(err, r == -ENOMSG ? -EBADMSG : r, "%s", name) : 0;
}

/* chain empty: that of the signer who is known already, if any. */
static int add_document(struct source *s, bool tcb_info, struct span body, struct span signature,
	struct span chain, struct error *err)
{
	_cleanup_buf_ struct buf known = BUF_INIT(INTEL_CHAIN_PEM_MAX);
	struct tcb_info *t;
	struct qe_identity *q;
	int r;

	if (chain.len == 0) {
		if (intel_signer_pem(&known, &s->c->intel.signer) < 0)
			return error_oom(err);
		chain = buf_view(&known);
	}
	if (tcb_info) {
		r = tcb_info_new(&t, body, signature, chain, &s->c->roots, &s->c->intel, err);
		return r < 0 ? r : intel_tcb_info_add(&s->c->intel, t, err);
	}
	r = qe_identity_new(&q, body, signature, chain, &s->c->roots, &s->c->intel, err);
	return r < 0 ? r : intel_qe_identity_add(&s->c->intel, q, err);
}

/* body: a string whose content is signed; signature: digits. */
static int add_strings(struct source *s, bool tcb_info, struct json_val body_value,
	struct json_val signature_value, struct json_val chain_value, struct error *err)
{
	struct span body = SPAN_NONE, digits = SPAN_NONE, chain = SPAN_NONE;
	unsigned char signature[64];
	int r = read_string(s, body_value, "the document", &body, err);

	if (r == 0)
		r = read_string(s, signature_value, "the signature", &digits, err);
	if (r == 0)
		r = read_string(s, chain_value, "the issuer chain", &chain, err);
	if (r < 0)
		return r;
	if (codec_hex_exact(signature, sizeof(signature), digits) < 0)
		return error_set(err, -EBADMSG, "the signature is not 128 hexadecimal digits");
	return add_document(s, tcb_info, body,
		(struct span){(const char *)signature, sizeof(signature)}, chain, err);
}

/* One JSON as Intel's quote verification libraries hand it on; each member may be missing. */
static int add_set(struct source *s, struct error *err)
{
	static const char *const texts[] = {
		"pck_crl_issuer_chain",
		"tcb_info_issuer_chain",
		"qe_identity_issuer_chain",
		"pck_certificate_chain",
		"root_ca_crl",
		"pck_crl",
	};
	static const char *const documents[][3] = {
		{"tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"},
		{"qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"},
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		r = add_text(s, json_get(s->root, texts[i]), texts[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		const char *const *keys = documents[i];

		if (!json_exists(json_get(s->root, keys[0])))
			continue;
		r = add_strings(s, i == 0, json_get(s->root, keys[0]), json_get(s->root, keys[1]),
			json_get(s->root, keys[2]), err);
		if (r < 0)
			return error_prefix(err, r, "%s", keys[0]);
	}
	return 0;
}

/* An answer of Intel's service. The identity of the quote verification enclave comes along in many
 * folders and is of no use: Casemate verifies outside of enclaves. */
static int add_answer(struct source *s, const char *name, struct error *err)
{
	struct json_val body_value = json_get(s->root, name);
	struct span body = SPAN_NONE, chain = SPAN_NONE;
	unsigned char signature[64];
	int r;

	if (json_str_is(json_get(body_value, "id"), "QVE"))
		return error_set(err, -ENOMSG, "%s: of the QVE, which is not needed", name);
	r = intel_signed_value(s->root, name, &body, signature, err);
	if (r == 0)
		r = read_string(s, json_get(s->root, "issuerChain"), "issuerChain", &chain, err);
	if (r < 0)
		return r;
	return add_document(s, strcmp(name, "tcbInfo") == 0, body,
		(struct span){(const char *)signature, sizeof(signature)}, chain, err);
}

static int add_bundle_list(struct source *s, const char *key, struct error *err)
{
	bool tcb_infos = strcmp(key, "tcbInfos") == 0;
	bool documents = tcb_infos || strcmp(key, "enclaveIdentities") == 0;
	struct json_val list = json_get(s->root, key);
	struct json_iter it;
	int r;

	if (!json_is_array(list))
		return error_set(err, -EBADMSG, "%s: not a list", key);
	json_each (it, list) {
		if (documents)
			r = add_strings(s, tcb_infos, json_get(it.value, "body"),
				json_get(it.value, "signature"), json_get(it.value, "issuerChain"),
				err);
		else
			r = add_text(s, it.value, "PEM", err);
		if (r < 0)
			return error_prefix(err, r, "%s[%zu]", key, it.index);
	}
	return 0;
}

/* What collateral_write() writes. */
static int add_bundle(struct source *s, struct error *err)
{
	static const char *const keys[] = {
		"certificates",
		"revocationLists",
		"tcbInfos",
		"enclaveIdentities",
	};
	int r;

	if (!json_str_is(json_get(s->root, "bundle"), COLLATERAL_BUNDLE))
		return error_set(err, -EBADMSG,
			"bundle: not \"" COLLATERAL_BUNDLE "\", the version that is read");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		r = add_bundle_list(s, keys[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_set(struct json_val root)
{
	return json_is_string(json_get(root, "tcb_info")) ||
	       json_is_string(json_get(root, "qe_identity")) ||
	       json_is_string(json_get(root, "pck_crl")) ||
	       json_is_string(json_get(root, "root_ca_crl"));
}

static int add_root(struct source *s, struct error *err)
{
	if (json_exists(json_get(s->root, "bundle")))
		return add_bundle(s, err);
	if (is_set(s->root))
		return add_set(s, err);
	if (json_exists(json_get(s->root, "tcbInfo")))
		return add_answer(s, "tcbInfo", err);
	if (json_exists(json_get(s->root, "enclaveIdentity")))
		return add_answer(s, "enclaveIdentity", err);
	return error_set(err, -ENOMSG, "JSON, but of no form of collateral that Casemate knows");
}

int collateral_add_json(struct collateral *c, struct span text, struct error *err)
{
	static const struct json_limits limits = {COLLATERAL_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_json_ struct json doc = {0};
	struct source s = {.c = c, .arena = ARENA_INIT(2 * COLLATERAL_MAX)};
	int r = json_parse(&doc, text, &limits, err);

	if (r < 0)
		return error_prefix(err, r, "JSON");
	s.root = json_root(&doc);
	r = add_root(&s, err);
	arena_free(&s.arena);
	return r;
}
