/* SPDX-License-Identifier: Apache-2.0
 *
 * A made-up installation of the simulated TEE: a root, an agent with a certificate, evidence. */
#pragma once

#include <openssl/evp.h>

#include "common/tee/simulated.h"

enum { SIMULATED_NOW = 1764334800, SIMULATED_LIFETIME = 86400 };

#define SIMULATED_UID "4b0ee3bd-8a1f-4c6b-9f3e-0d6a3a7a2d11"

struct simulated_fix {
	struct buf root;
	struct secret root_key;
	EVP_PKEY *key;
	struct buf certificate;
	struct simulated what; /* change it, then make a document of it */
};

/* false: failed, and said so. */
bool simulated_fix_new(struct simulated_fix *f);
void simulated_fix_free(struct simulated_fix *f);
/* A document of f->what. */
bool simulated_fix_make(struct simulated_fix *f, struct buf *out);
