/* SPDX-License-Identifier: Apache-2.0
 *
 * The token that an attestation is answered with: an Entity Attestation Result (EAR, as Trustee has
 * it) signed by ES256. It carries the sealed session, so that whoever presents it is known to every
 * replica. Pure but for randomness; time is an argument. */
#pragma once

#include "common/kbs/rcar.h"
#include "webhook/broker/session.h"

#define TOKEN_CLAIM_SESSION "casemate.dev/session"

struct token_claims {
	const struct session *session;
	struct json_val tee_pubkey;
	struct span additional;           /* evidence, as hashed */
	const unsigned char *report_data; /* RCAR_REPORT_DATA bytes */
	struct span init_data_hex;        /* its digest; SPAN_NONE: there was none */
	const char *version;              /* of Casemate */
};

/* What the tokens of one key have in common, kept from one to the next. Zero-initialise. */
struct token_signer {
	EVP_PKEY *key;
	struct buf header;
};
void token_signer_free(struct token_signer *s);

/* Appends the token. key: private, on P-256; signer takes over when it is another than before. */
int token_write(struct buf *out, const struct token_claims *c, const struct sealing_keys *keys,
	struct token_signer *signer, EVP_PKEY *key, int64_t now_sec, struct error *err);
/* The session of a token that key signed and that has not expired. -EACCES with *ret_reason. */
int token_read(struct session *ret, struct span token, const struct sealing_keys *keys,
	EVP_PKEY *key, int64_t now_usec, enum reason *ret_reason, struct error *err);
