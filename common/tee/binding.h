/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node's evidence is bound to. */
#pragma once

#include "common/base/span.h"

/* Protocol version 1: report data = SHA-512 of
 *	"casemate.dev/attest/1" NUL
 *	then each of challenge, node name, node UID, public key (DER SubjectPublicKeyInfo) and
 *	SHA-256(token), with its length before it as 4 bytes big endian.
 * Lengths keep two different inputs from being one. */
struct node_binding {
	struct span challenge; /* as received from the verifier, decoded */
	struct span node, node_uid;
	struct span public_key; /* DER SubjectPublicKeyInfo of the agent's key */
	struct span token;      /* the projected token that the evidence is sent with */
};
/* 0; -ENOMEM; -EINVAL: a part longer than its length can say. */
int node_binding_report_data(unsigned char ret[64], const struct node_binding *b)
	__attribute__((warn_unused_result));

enum { THUMBPRINT_MAX = 51 };
/* "sha256:" and 43 characters of base64url: of the DER SubjectPublicKeyInfo. 0
 * or -ENOMEM. */
int node_binding_thumbprint(char ret[THUMBPRINT_MAX], struct span public_key)
	__attribute__((warn_unused_result));
