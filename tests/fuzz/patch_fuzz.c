/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: a document, a NUL, a patch. Whatever patch_apply accepts must give strict JSON; applying
 * an empty patch must give the document's own bytes. */
#include "webhook/admission/patch.h"

static const struct json_limits limits = {1 << 16, 1 << 14, 40};

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(8 << 20);
	_cleanup_buf_ struct buf out = BUF_INIT(8 << 20);
	static const struct json_limits out_limits = {8 << 20, 1 << 20, 100};
	const unsigned char *nul = size ? memchr(data, 0, size) : NULL;
	_cleanup_json_ struct json doc = {0};
	_cleanup_json_ struct json patch = {0};
	_cleanup_json_ struct json result = {0};
	struct span text = {(const char *)data, nul ? (size_t)(nul - data) : size};

	if (!nul || json_parse(&doc, text, &limits, NULL) < 0)
		return 0;
	text = (struct span){(const char *)nul + 1, size - text.len - 1};
	if (json_parse(&patch, text, &limits, NULL) == 0 &&
		patch_apply(json_root(&doc), json_root(&patch), &a, &out, NULL) == 0) {
		if (json_parse(&result, buf_view(&out), &out_limits, NULL) < 0)
			__builtin_trap();
		if (json_count(json_root(&patch)) == 0 &&
			!span_equal(buf_view(&out), json_raw(json_root(&doc))))
			__builtin_trap();
	}
	return 0;
}
