/* SPDX-License-Identifier: Apache-2.0
 *
 * How an agent learns that promised files are to be replaced (rotation.onChange: File): it asks the
 * broker, with its own token as bearer, which versions the keys have that it delivered. That is
 * Casemate's own addition to the protocol. No answer gives anything: what is newer is fetched like
 * any other key, with evidence and the pod's token.
 *	{"keys": ["NAMESPACE/PROFILE/KEY", …]}
 *	{"versions": [3, …]}, one for each, in that order; 0: not to be replaced, or no such key
 * A key's version when it is delivered is the answer's ETag, "3". */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/kbs/key_id.h"

#define VERSIONS_PATH "/kbs/v0/versions"

enum {
	VERSIONS_MAX = 512, /* keys in a request */
	VERSIONS_REQUEST_MAX = VERSIONS_MAX * (int)(sizeof(struct key_id) + 8),
	VERSIONS_ANSWER_MAX = 16 * VERSIONS_MAX,
};

/* Appends a request. n is at most VERSIONS_MAX. */
int versions_ask_write(struct buf *out, const struct key_id *keys, size_t n);
/* The keys, ret with room for VERSIONS_MAX; how many. -EBADMSG, -ENOMEM. */
int versions_ask_read(struct key_id *ret, struct span body, struct error *err);

int versions_answer_write(struct buf *out, const unsigned *versions, size_t n);
/* n of them: as many as were asked for. -EBADMSG, -ENOMEM. */
int versions_answer_read(unsigned *ret, size_t n, struct span body, struct error *err);

/* A version's ETag; NULL allowed. 0: it is none. */
unsigned versions_etag(const char *etag);
