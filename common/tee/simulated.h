/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated TEE's evidence: a signed JSON document of its own platform type, in which nothing
 * can be mistaken for a real quote. Its root is made at install and stays with the verifier; each
 * agent has a certificate of its own that names its node's UID. Whoever was not told allowSimulated
 * refuses it.
 *
 *	{"casemateSimulated": 1, "body": STRING, "certificate": PEM, "signature": HEX}
 *
 * where the string, decoded, is what was signed (P-256 with SHA-256, r || s):
 *
 *	{"tee": "sgx"|"tdx"|"snp", "node": NAME, "nodeUID": UID, "platformID": HEX,
 *	 "tcb": {"status": "UpToDate", "svn": 1}, "debug": false,
 *	 "measurements": {"mrenclave": HEX, …}, "reportData": HEX} */
#pragma once

#include <openssl/evp.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/tee/cert.h"
#include "common/tee/reason.h"

struct verify_input;
struct verdict;

enum { SIMULATED_MAX = 32 << 10, SIMULATED_MEASUREMENTS_MAX = 8 };

struct simulated {
	struct span body;        /* the signed bytes */
	struct span certificate; /* PEM, decoded */
	unsigned char signature[64];
	char tee[8]; /* what it pretends to be */
	char node[254], node_uid[64];
	unsigned char platform_id[32];
	size_t platform_id_len;
	char tcb_status[64];
	unsigned svn;
	bool debug;
	struct {
		char name[24];
		unsigned char value[48];
		size_t len;
	} measurements[SIMULATED_MEASUREMENTS_MAX];
	size_t n_measurements;
	unsigned char report_data[64];
	struct arena arena; /* owns the decoded strings */
};

/* Reads a document. 0; -EBADMSG and *ret_reason; -ENOMEM. */
int simulated_parse(
	struct simulated *ret, struct span text, enum reason *ret_reason, struct error *err);
void simulated_free(struct simulated *s);
/* Appends one, signed by key (P-256) for the fields set in what (body, certificate, signature and
 * arena are ignored). certificate: PEM, key's. -EIO, or the buffer's error. */
int simulated_make(struct buf *out, const struct simulated *what, EVP_PKEY *key,
	struct span certificate, struct error *err);

/* The root: a self-signed P-256 certificate named SIMULATED_ROOT_NAME, and its key, as PEM. ret_key
 * holds nothing before. */
int simulated_make_root(
	struct buf *ret_cert, struct secret *ret_key, int64_t now_sec, struct error *err);
/* An agent's certificate: the key's, with the subject common name "node:" and the node's UID; valid
 * for lifetime_sec, and for CREDENTIAL_BACKDATE_SEC before now. -EINVAL: a key that is not on
 * P-256, a UID that fits into no name; -EBADMSG: root_cert or root_key is not PEM. */
int simulated_certify(struct buf *ret_cert, struct span root_cert, struct span root_key,
	EVP_PKEY *key, const char *node_uid, int64_t now_sec, int64_t lifetime_sec,
	struct error *err);

/* The part of verify() for it. See verify.h. */
int simulated_verify(const struct verify_input *in, struct verdict *v);
