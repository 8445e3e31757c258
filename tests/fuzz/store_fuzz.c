/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever a Secret holds: what counts as usable is usable, and a repaired one is sound. */
#include "webhook/certs/store.h"

#include <errno.h>
#include <stdlib.h>

static const struct json_limits limits = {1 << 18, 1 << 10, 16};
static const int64_t now = 1800000000; /* within the life of the seeds */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int read_text(struct store *s, struct span text, const struct store_rules *rules)
{
	_cleanup_json_ struct json doc = {0};
	int r = json_parse(&doc, text, &limits, NULL);

	return r < 0 ? r : store_read(s, json_root(&doc), rules, now, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_rules rules = {
		.ca_lifetime_sec = 900, .leaf_lifetime_sec = 300, .grace_sec = 10};
	_cleanup_store_ struct store s = {0}, again = {0};
	_cleanup_secret_ struct secret body = {0};
	unsigned changes;
	int64_t t;
	int r;

	must(authority_names(&rules.names, "casemate", "system", NULL) == 0);
	r = read_text(&s, (struct span){(const char *)data, size}, &rules);
	must(r == 0 || r == -EBADMSG || r == -E2BIG);
	must(r != 0 || (s.leaf.cert && s.ca.cert && !s.spoilt));
	must(!s.leaf.cert || store_issuer(&s));
	must(!s.ca.cert || bundle_has(&s.bundle, s.ca.cert));
	if (!s.bundle.n && !s.spoilt)
		return 0; /* no JSON */
	must(store_advance(&s, NULL, false, &rules, now, &changes, &t, NULL) == 0 && t > now);
	must(r == 0 || changes != 0);
	must(store_body(&body, &s, "system", "certs", "1", NULL) == 0);
	must(read_text(&again, secret_view(&body), &rules) == 0);
	must(again.bundle.n == s.bundle.n && bundle_has(&again.bundle, store_issuer(&s)));
	return 0;
}
