/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed secrets of Confidential Containers: text in a variable of a pod, or in a mounted file,
 * which a guest's components replace by what it stands for before the container sees it:
 *	sealed.HEADER.PAYLOAD.SIGNATURE
 * the last three base64url. Casemate writes the kind "vault" of provider kbs, whose payload only
 * names a key: {"version":"0.1.0","type":"vault","name":"kbs:///…","provider":"kbs",…}. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"
#include "common/kbs/key_id.h"

enum {
	SEALED_MAX = 64 * 1024, /* bytes of the text */
	SEALED_NAME_MAX = 512,  /* of a key's name, with NUL */
};

struct sealed {
	bool vault;                 /* else an envelope: the secret itself, wrapped */
	char provider[32];          /* "kbs", or a cloud's */
	char name[SEALED_NAME_MAX]; /* the key's: "kbs:///…", or as the provider names them */
};

/* Does a value stand for a secret, as a guest sees it? */
bool sealed_is(struct span value);
/* -EBADMSG: a guest could not read it, with what is wrong; -ENOMEM. The signature is not checked.
 */
int sealed_read(struct sealed *ret, struct span value, struct error *err);

/* Appends what stands for the key, without a signature: the guest must be told not to ask for one
 * (skip_sealed_secret_verification). The same bytes for the same key. 0 or the buffer's error. */
int sealed_write(struct buf *out, const struct key_id *id);
/* The same, signed by key (private, on P-256), which guests know as kid: kbs:///…, or the name of a
 * file of theirs. Errors as jws_sign_es256()'s; -EINVAL: kid. */
int sealed_sign(struct buf *out, const struct key_id *id, const char *kid, EVP_PKEY *key,
	struct error *err);
