/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/release/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/secret.h"
#include "common/kbs/jwe.h"
#include "common/tee/quote.h"
#include "tests/tee/intel_world.h"

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct client *c = ctx;

	return buf_add(&c->body, p, size * n) < 0 ? 0 : size * n;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	static const char name[] = "set-cookie: ";
	struct client *c = ctx;
	const char *end = memchr(p, ';', size * n);

	if (size * n > sizeof(name) && strncasecmp(p, name, sizeof(name) - 1) == 0 && end)
		snprintf(c->cookie, sizeof(c->cookie), "%.*s", (int)(end - p - 12), p + 12);
	return size * n;
}

/* A request; its answer is in c->body. POST when there is a body. */
long client_ask(struct client *c, const char *path, struct span body)
{
	char url[512];
	long status = 0;

	snprintf(url, sizeof(url), "%s%s", c->url, path);
	buf_reset(&c->body);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_COOKIE, c->cookie[0] ? c->cookie : NULL);
	curl_easy_setopt(c->curl, body.p ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	if (body.p) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.p);
	}
	if (curl_easy_perform(c->curl) != CURLE_OK)
		return 0;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

void client_expect(const struct client *c, const char *what, long status)
{
	if (status == 200)
		return;
	fprintf(stderr, "broker: %s: %ld %s %.*s\n", what, status, c->problem, (int)c->body.len,
		c->body.p ? c->body.p : "");
	bench_fail("this should have been answered");
}

struct client *client_new(const char *url, struct span quote, unsigned i)
{
	static const struct json_limits limits = {4096, 64, 4};
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		bench_fail("out of memory");
	c->url = url;
	c->curl = curl_easy_init();
	c->key = jwk_generate(JWK_EC_P256);
	c->jwk_text = BUF_INIT(4096);
	c->body = BUF_INIT(1 << 20);
	c->quote = BUF_INIT(TEE_QUOTE_MAX);
	c->attested = BUF_INIT(RCAR_REQUEST_MAX);
	c->namespace_ = i % CLIENT_NAMESPACES;
	if (!c->curl || !c->key || jwk_write(&c->jwk_text, c->key, JWK_ALG_ECDH) < 0 ||
		json_parse(&c->jwk, buf_view(&c->jwk_text), &limits, NULL) < 0 ||
		buf_span(&c->quote, quote) < 0)
		bench_fail("no client");
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->problem);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
	/* whose server it is, is known; the certificate is of another time */
	curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 120L);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	return c;
}

void client_free(struct client *c)
{
	curl_easy_cleanup(c->curl);
	EVP_PKEY_free(c->key);
	json_free(&c->jwk);
	buf_free(&c->jwk_text);
	buf_free(&c->quote);
	buf_free(&c->body);
	buf_free(&c->attested);
	free(c);
}

/* The platform's quote of this enclave for that report data: as a quoting enclave makes them, with
 * one attestation key. */
static void quote_for(struct client *c, const unsigned char report_data[RCAR_REPORT_DATA])
{
	enum { REPORT_DATA = QUOTE_HEADER + 320, SIGNED = QUOTE_HEADER + SGX_REPORT_BODY };

	memset(c->quote.p + REPORT_DATA, 0, 64);
	memcpy(c->quote.p + REPORT_DATA, report_data, RCAR_REPORT_DATA);
	tee_sign(TEE_KEY_ATTESTATION, (unsigned char *)c->quote.p + SIGNED + 4, c->quote.p, SIGNED);
}

void client_challenge(struct client *c, char nonce[RCAR_NONCE_TEXT])
{
	_cleanup_buf_ struct buf b = BUF_INIT(1024);

	c->cookie[0] = '\0';
	rcar_auth_write(&b, "sgx");
	client_expect(c, "challenge", client_ask(c, RCAR_PATH_AUTH, buf_view(&b)));
	if (rcar_challenge_read(nonce, buf_view(&c->body), NULL) < 0)
		bench_fail("no challenge");
}

void client_attest(struct client *c, const char *nonce)
{
	_cleanup_buf_ struct buf primary = BUF_INIT(TEE_QUOTE_MAX);
	_cleanup_secret_ struct secret body = {0};
	unsigned char report_data[RCAR_REPORT_DATA];

	if (rcar_report_data(report_data, span_str(nonce), json_root(&c->jwk), SPAN_LIT("")) < 0)
		bench_fail("no report data");
	quote_for(c, report_data);
	buf_puts(&primary, "{\"quote\":\"");
	buf_base64(&primary, c->quote.p, c->quote.len);
	buf_puts(&primary, "\"}");
	if (primary.err ||
		rcar_attest_write(&body, &(struct rcar_attest_out){.nonce = span_str(nonce),
						 .tee_pubkey = buf_view(&c->jwk_text),
						 .primary = buf_view(&primary),
						 .additional = SPAN_LIT("")}) < 0)
		bench_fail("no request");
	buf_reset(&c->attested);
	buf_span(&c->attested, secret_view(&body));
	client_expect(c, "attestation", client_ask(c, RCAR_PATH_ATTEST, secret_view(&body)));
}

void client_resource(struct client *c)
{
	_cleanup_secret_ struct secret key = {0};
	char path[64];

	snprintf(path, sizeof(path), RCAR_PATH_RESOURCE "ns-%u/p/key", c->namespace_);
	c->namespace_ = (c->namespace_ + 1) % CLIENT_NAMESPACES;
	client_expect(c, path, client_ask(c, path, SPAN_NONE));
	if (jwe_open(&key, buf_view(&c->body), c->key, NULL) < 0 || key.len != 32)
		bench_fail("the key cannot be opened");
}
