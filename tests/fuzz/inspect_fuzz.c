/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what inspect reads: an enclave, an index with its blobs, a pod. What comes out is
 * JSON. */
#include <stdlib.h>

#include "common/base/json.h"
#include "webhook/inspect/elf.h"
#include "webhook/inspect/identity.h"
#include "webhook/inspect/oci.h"
#include "webhook/inspect/workload.h"

enum { OUTPUT_MAX = 1 << 22 };

static const struct json_limits limits = {OUTPUT_MAX, 1 << 20, 100};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be_json(const struct buf *out)
{
	_cleanup_json_ struct json doc = {0};

	must(json_parse(&doc, buf_view(out), &limits, NULL) == 0);
}

/* Everything is its own blob; digests that hold are out of reach. */
static int give(void *ctx, struct span digest, struct span *ret, struct error *err)
{
	(void)err;
	must(digest.len == 71 && !memchr(digest.p, '/', digest.len));
	*ret = *(struct span *)ctx;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 22);
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_json_ struct json doc = {0};
	struct span text = {(const char *)data, size}, section;

	if (elf_section(text, ".note.sgxmeta", &section, NULL) == 0)
		must(section.p >= text.p && section.len <= text.len);
	if (identity_write(&out, text, NULL) == 0)
		must_be_json(&out);
	buf_reset(&out);
	if (oci_write(&out, text, give, &text, &a, NULL) == 0)
		must_be_json(&out);
	buf_reset(&out);
	if (json_parse(&doc, text, &limits, NULL) == 0 &&
		workload_write(&out, json_root(&doc), &a, NULL) == 0)
		must_be_json(&out);
	return 0;
}
