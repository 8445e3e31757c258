/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings below broker:. Plain data, read once, then const. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/settings.h"
#include "webhook/broker/kek_settings.h"
#include "webhook/front/front.h"
#include "webhook/trust/sources.h"

struct broker_config {
	struct front_config front;
	struct collateral_sources collateral;
	bool allow_sample, rsa_oaep_sha1;
	const char *simulated_root; /* file (PEM), standalone */
	const char *keys;           /* folder of records, standalone */
	const char *kek_file;
	bool insecure_kek_in_secret;
	struct kek_settings kek; /* Vault, a token; and which of them all wraps */
	const char
		*token_key; /* file (PEM) of the key that signs tokens, standalone; "": made anew */
	int64_t retention_usec; /* of keys whose profile is gone */
	bool restart_owners;    /* rotation.onChange: Restart rolls Deployments and the like */
	int64_t max_rate;       /* handshakes and attestations a second, before authentication */
	struct {
		const char *file; /* "": standard output */
		int64_t rotate_bytes, keep;
		bool journal; /* as well */
	} audit;
	struct {
		struct strings platforms, measurements, nodes, keys;
	} denied;
	struct {
		const char *listen; /* "ADDRESS:PORT"; "none" */
	} provision;                /* of secrets to Gramine's enclaves */
	struct {
		const char *jwks;              /* file, standalone; "": no tokens are taken */
		const char *issuer, *audience; /* as tokens have them */
	} tokens;
};

/* The settings; offsets are relative to the struct. */
extern const struct setting broker_settings[];
extern const size_t n_broker_settings;

/* Checks them against each other and completes them. -EINVAL with what to change. */
int broker_config_finish(struct broker_config *c, bool standalone, struct error *err);
/* Is there a change from a to b that only a restart takes up? */
bool broker_config_needs_restart(const struct broker_config *a, const struct broker_config *b);
