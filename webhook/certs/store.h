/* SPDX-License-Identifier: Apache-2.0
 *
 * What the replicas share: the Secret with authority, server certificate and bundle. Decides what
 * it should hold next; a pure function of what it holds, the time and the rules, so that any
 * replica may act and all come to the same. Data keys of the Secret (type kubernetes.io/tls):
 *
 *	tls.crt  the server certificate	tls.key  its key
 *	ca.crt   the bundle: who may have signed a certificate that is served, newest authority first
 *	ca.key   the newest authority's key
 *
 * Whoever calls us must trust an authority before he meets a certificate signed by it:
 *
 *	1. The new authority is published in ca.crt, its key replaces the old one's, and the old key's
 *	   last act is a fresh server certificate, so that a whole life is left for 2.
 *	2. Once every caller has trusted the bundle for the grace period, a server certificate of the
 *	   new authority is published.
 *	3. The old authority leaves ca.crt when whatever it signed has expired: it has signed nothing
 *	   since the new one was made.
 *
 * A Secret that was deleted or spoilt is repaired with a new authority by the same three steps, as
 * long as the replica that repairs it still holds a certificate that is good. */
#pragma once

#include "common/base/json.h"
#include "webhook/certs/authority.h"

/* Zero-initialise. Parts that are not usable are empty. */
struct store {
	struct credential leaf; /* good now: signed by one of bundle, right names, within its time */
	struct credential ca;   /* the newest authority: in bundle, within its time */
	struct bundle bundle;   /* may hold expired ones until store_advance drops them */
	bool spoilt; /* something in the Secret is not as it should be */
};
void store_free(struct store *s); /* leaves an empty one */
void store_copy(struct store *to, const struct store *from); /* shares what it holds */
#define _cleanup_store_ _cleanup_(store_free)

struct store_rules {
	struct authority_names names;
	int64_t ca_lifetime_sec, leaf_lifetime_sec;
	int64_t grace_sec; /* from the last caller's trust to a certificate that needs it */
};

/* Reads the parts of a Secret (JSON, as received). ret is empty before and holds what is usable
 * after, also on failure. 0: all is sound. -EBADMSG: err says what is not; -ENOMEM. */
int store_read(struct store *ret, struct json_val secret, const struct store_rules *rules,
	int64_t now_sec, struct error *err);

enum store_change {
	STORE_RESTORED = 1, /* what was spoilt or lost */
	STORE_NEW_CA = 2,
	STORE_NEW_LEAF = 4,
	STORE_TRIMMED = 8, /* authorities left the bundle */
};

/* Turns s, what the Secret holds, into what it should hold. last: what this replica serves (NULL:
 * nothing). trusted: every caller has trusted exactly s->bundle for at least the grace period.
 * *ret_changes: a set of enum store_change, 0 when nothing is to be written. *ret_again_sec: when
 * to ask again if nothing else changes. 0 or -errno, and then s is of no use. */
int store_advance(struct store *s, const struct store *last, bool trusted,
	const struct store_rules *rules, int64_t now_sec, unsigned *ret_changes,
	int64_t *ret_again_sec, struct error *err);

/* The authority in the bundle that signed the server certificate, NULL when none. Borrowed. */
X509 *store_issuer(const struct store *s);

/* The body that writes s: without resource_version (NULL) a whole new Secret to POST, else a merge
 * patch that the API server refuses with 409 when the Secret has changed. Labels, annotations and
 * other data keys stay. ret holds nothing before. */
int store_body(struct secret *ret, const struct store *s, const char *namespace_, const char *name,
	const char *resource_version, struct error *err);
