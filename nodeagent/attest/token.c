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

int token_claims_read(struct token_claims *ret, struct span token, struct error *err)
{
	static const struct json_limits limits = {TOKEN_MAX, 1024, 16};
	_cleanup_buf_ struct buf text = BUF_INIT(TOKEN_MAX);
	_cleanup_json_ struct json doc = {0};
	struct span payload = token.p ? payload_of(token) : SPAN_NONE;
	struct json_val node;

	*ret = (struct token_claims){0};
	if (token.len > TOKEN_MAX || !payload.p ||
		codec_unbase64(&text, CODEC_BASE64_URL, payload) < 0 ||
		json_parse(&doc, buf_view(&text), &limits, NULL) < 0)
		return error_set(err, -EBADMSG, "the file holds no projected service account token");
	node = json_find(json_root(&doc), "kubernetes.io", "node");
	if (!json_copy(json_get(node, "name"), ret->node, sizeof(ret->node)) || !*ret->node ||
		!json_copy(json_get(node, "uid"), ret->node_uid, sizeof(ret->node_uid)) ||
		!*ret->node_uid)
		return error_set(err, -EBADMSG,
			"the token does not say which node it belongs to: Kubernetes 1.30 or newer "
			"writes that into projected tokens (feature ServiceAccountTokenPodNodeInfo)");
	if (!json_int(json_get(json_root(&doc), "exp"), &ret->expires))
		return error_set(err, -EBADMSG, "the token does not say when it expires");
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
