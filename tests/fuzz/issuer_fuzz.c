/* SPDX-License-Identifier: Apache-2.0
 *
 * What an issuer and its tokens may hold: a key set, a token, its claims. What is accepted names
 * somebody, whole. */
#include <stdlib.h>

#include "webhook/broker/issuer.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void try_claims(struct span text)
{
	static const struct issuer_rules rules = {"i", "casemate.dev"};
	struct issued who = {0};

	if (issuer_claims(&who, text, &rules, 1790000000, NULL) == 0)
		must(span_after(span_str(who.user), "system:serviceaccount:").len > 2 &&
			who.pod[0] && who.pod_uid[0] && who.node[0] && who.node_uid[0]);
	else
		must(!who.user[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
	_cleanup_jwks_ struct jwks keys = {0};
	const char *nul = size ? memchr(data, 0, size) : NULL;
	struct span token = text;

	if (nul) { /* a set, and a token behind it */
		token = (struct span){nul + 1, size - (size_t)(nul + 1 - text.p)};
		text.len = (size_t)(nul - text.p);
	}
	if (jwks_read(&keys, text, NULL) == 0)
		must(keys.n > 0);
	else
		must(keys.n == 0);
	if (jwks_verify(&keys, token, &payload, NULL) < 0)
		must(payload.len == 0);
	try_claims(token);
	return 0;
}
