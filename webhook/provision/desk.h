/* SPDX-License-Identifier: Apache-2.0
 *
 * Gramine's secret provisioning: what an enclave asks and is answered once it has shown its RA-TLS
 * certificate (webhook/provision/ra_tls.h). The protocol names no key and carries no token: which
 * key it is is said by the identity that the enclave matches (webhook/provision/choice.h), and it
 * is given by evidence alone (spec.keys[].grant.evidenceOnly). A shell: it logs. On the loop's
 * thread. */
#pragma once

#include "common/base/secret.h"
#include "common/observe/metrics.h"
#include "webhook/broker/rcar.h"

/* The whole of what a client sends within TLS, its NUL included, and of how the answer begins: then
 * the secret's length as four bytes, most significant first, and the secret. */
#define PROVISION_REQUEST  "SECRET_PROVISION_RA_TLS_REQUEST_V1"
#define PROVISION_RESPONSE "SECRET_PROVISION_RA_TLS_RESPONSE_V1:"

struct provision_options {
	/* As trust_examine(). */
	void (*examine)(void *ctx, struct span text, const unsigned char report_data[64],
		int64_t now_sec, struct examination *ret);
	void *examine_ctx;
	const struct rcar_world *world; /* borrowed, as what follows */
	struct key_store *store;
	void (*released)(void *ctx, const struct key_id *key, int64_t now_sec); /* NULL allowed */
	void *ctx;
	struct ledger *ledger;
	const struct deny *const *deny;
	int64_t max_rate; /* connections a second */
};

struct provision_desk;

int provision_desk_new(
	struct provision_desk **ret_d, const struct provision_options *o, struct error *err);
void provision_desk_free(struct provision_desk *d); /* NULL allowed */
DEFINE_CLEANUP(struct provision_desk *, provision_desk_free)

/* May another client come? client: whose (tcp_client()). */
bool provision_admit(struct provision_desk *d, const char *client);

/* Judges who showed this certificate (DER) in the handshake and sent the request. 0 and the answer,
 * which the audit log has then; or -EACCES, and why is in the log, and where the evidence is
 * genuine in the audit log. */
int provision_answer(struct provision_desk *d, struct span certificate, struct secret *ret_answer);
