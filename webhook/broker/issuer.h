/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose a pod's projected token is, by the keys of the issuer that signed it and without asking the
 * API server: for a broker outside the cluster. What a TokenReview would also know, that the pod is
 * gone or the account deleted, is not known here; so a token counts for ten minutes and no longer.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/kbs/jwks.h"
#include "common/net/caller.h"

enum {
	ISSUER_TOKEN_SEC = 600, /* how old a token may be */
	ISSUER_SKEW_SEC = 60,   /* by which clocks may differ */
	ISSUER_NAME_MAX = 254,  /* bytes of a name, with the NUL */
	ISSUER_UID_MAX = 64,
};

struct issuer_rules {
	const char *issuer; /* iss, byte for byte: "https://kubernetes.default.svc.cluster.local" */
	const char *audience; /* that aud must contain: "casemate.dev" */
};

/* Whom a token names. */
struct issued {
	char user[ISSUER_NAME_MAX + 96]; /* "system:serviceaccount:NAMESPACE:NAME" */
	char pod[ISSUER_NAME_MAX], pod_uid[ISSUER_UID_MAX];
	char node[ISSUER_NAME_MAX], node_uid[ISSUER_UID_MAX];
};

/* What a signed payload says: iss, aud, exp, nbf and iat, sub, and kubernetes.io with namespace,
 * serviceaccount, pod and node (Kubernetes 1.30 or newer); all of them must be there and agree.
 * -EACCES with what is wrong, nothing of the token in it; -ENOMEM. Pure. */
int issuer_claims(struct issued *ret, struct span payload, const struct issuer_rules *rules,
	int64_t now_sec, struct error *err);

struct issuer;

/* jwks: a file with the issuer's key set, read again when it changes (the old one stays when the
 * new one cannot be used). Strings are copied. -EBADMSG, or errors of the file. */
int issuer_new(struct issuer **ret_i, sd_event *event, const char *jwks,
	const struct issuer_rules *rules, struct error *err);
void issuer_free(struct issuer *i); /* NULL allowed */
DEFINE_CLEANUP(struct issuer *, issuer_free)
/* The way to ask it; it answers at once. i is borrowed. */
struct caller_judge issuer_judge(struct issuer *i);
