/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave that asks the broker for keys over a connection that it keeps. Whatever goes wrong
 * ends the program. */
#pragma once

#include <curl/curl.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/kbs/jwk.h"
#include "common/kbs/rcar.h"

enum { CLIENT_NAMESPACES = 64 /* "ns-0", …: each may have 100 keys a second */ };

struct client {
	CURL *curl;
	const char *url;
	EVP_PKEY *key;
	struct json jwk;
	struct buf jwk_text, quote, body;
	struct buf attested; /* the last request to attest */
	char cookie[16 * 1024];
	char problem[CURL_ERROR_SIZE];
	unsigned namespace_;
};

/* The i-th, on a platform whose quote of another report data this is. url is borrowed. */
struct client *client_new(const char *url, struct span quote, unsigned i);
void client_free(struct client *c);

/* The three requests of a release; the key of profile p in the client's next namespace. */
void client_challenge(struct client *c, char nonce[RCAR_NONCE_TEXT]);
void client_attest(struct client *c, const char *nonce);
void client_resource(struct client *c);

/* Any request, a POST when there is a body; its status (0: none), and its answer in c->body. */
long client_ask(struct client *c, const char *path, struct span body);
void client_expect(const struct client *c, const char *what, long status);

/* Of who uses this: says what is wrong and ends the program. */
__attribute__((noreturn)) void bench_fail(const char *what);
