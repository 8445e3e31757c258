/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/token.h"

#include <errno.h>
#include <string.h>

#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/base/settings_file.h"

/* The second of three parts. */
static struct span payload_of(struct span token)
{
	const char *first = memchr(token.p, '.', token.len), *second;
	size_t rest;

	if (!first)
		return SPAN_NONE;
	rest = token.len - (size_t)(first + 1 - token.p);
	second = memchr(first + 1, '.', rest);
	return second ? (struct span){first + 1, (size_t)(second - first - 1)} : SPAN_NONE;
}

/* The claims of a token, in doc, whose text is in out. */
static int open_token(
	struct json *doc, struct buf *out, struct span token, const char *whose, struct error *err)
{
	static const struct json_limits limits = {TOKEN_MAX, 1024, 16};
	struct span payload = token.p ? payload_of(token) : SPAN_NONE;

	if (token.len > TOKEN_MAX || !payload.p ||
		codec_unbase64(out, CODEC_BASE64_URL, payload) < 0 ||
		json_parse(doc, buf_view(out), &limits, NULL) < 0)
		return error_set(err, -EBADMSG, "%s no projected service account token", whose);
	return 0;
}

static bool take(struct json_val v, char *ret, size_t size)
{
	return json_copy(v, ret, size) && *ret;
}

int token_claims_read(struct token_claims *ret, struct span token, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TOKEN_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val node;
	int r = open_token(&doc, &text, token, "the file holds", err);

	*ret = (struct token_claims){0};
	if (r < 0)
		return r;
	node = json_find(json_root(&doc), "kubernetes.io", "node");
	if (!take(json_get(node, "name"), ret->node, sizeof(ret->node)) ||
		!take(json_get(node, "uid"), ret->node_uid, sizeof(ret->node_uid)))
		return error_set(err, -EBADMSG,
			"the token does not say which node it belongs to: Kubernetes 1.30 or newer "
			"writes that into projected tokens (feature "
			"ServiceAccountTokenPodNodeInfo)");
	if (!json_int(json_get(json_root(&doc), "exp"), &ret->expires))
		return error_set(err, -EBADMSG, "the token does not say when it expires");
	return 0;
}

int token_pod_read(struct token_pod *ret, struct span token, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TOKEN_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val root, k;
	int r = open_token(&doc, &text, token, "this is", err);

	*ret = (struct token_pod){0};
	if (r < 0)
		return r;
	root = json_root(&doc);
	k = json_get(root, "kubernetes.io");
	if (!take(json_get(k, "namespace"), ret->namespace_, sizeof(ret->namespace_)) ||
		!take(json_find(k, "pod", "name"), ret->pod, sizeof(ret->pod)) ||
		!take(json_find(k, "pod", "uid"), ret->pod_uid, sizeof(ret->pod_uid)) ||
		!take(json_find(k, "serviceaccount", "name"), ret->service_account,
			sizeof(ret->service_account)))
		return error_set(err, -EBADMSG,
			"the token is bound to no pod: mount a projected one, with the audience "
			"casemate.dev");
	if (!json_int(json_get(root, "exp"), &ret->expires) ||
		!json_int(json_get(root, "iat"), &ret->issued))
		return error_set(
			err, -EBADMSG, "the token does not say when it was issued and expires");
	return 0;
}

int token_load(struct token_claims *ret, struct span *ret_token, const char *path, struct arena *m,
	struct error *err)
{
	int r = settings_read_file(path, TOKEN_MAX, m, ret_token, err);

	if (r < 0)
		return r;
	while (ret_token->len && strchr("\r\n", ret_token->p[ret_token->len - 1]))
		ret_token->len--;
	r = token_claims_read(ret, *ret_token, err);
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}
