/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence that nobody has verified is shown all the same: whatever can be opened gives claims that
 * are strict JSON, and so does a refusal of what cannot. */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/json.h"
#include "common/tee/claims.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void read_back(const struct buf *text, bool opened)
{
	const struct json_limits limits = {CLAIMS_JSON_MAX, 4096, 8};
	_cleanup_json_ struct json doc = {0};

	must(json_parse(&doc, buf_view(text), &limits, NULL) == 0);
	must(json_is_object(json_get(json_root(&doc), "claims")));
	must(json_exists(json_find(json_root(&doc), "claims", "evidenceDigest")) == opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf verdict = BUF_INIT(CLAIMS_JSON_MAX);
	_cleanup_evidence_ struct evidence e = {0};
	struct verdict v = {.tcb = TCB_STATUS_N};
	enum reason reason = REASON_Internal;
	struct error err = {0};
	bool opened =
		evidence_open(&e, (struct span){(const char *)data, size}, &reason, &err) == 0;

	verdict_refuse(&v, opened ? REASON_UnknownRoot : reason, "%s", err.message);
	must(verdict_json(&verdict, &v, opened ? &e : NULL) == 0);
	read_back(&verdict, opened);
	return 0;
}
