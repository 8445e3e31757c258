/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom the HTTP client trusts, against our own server. */
#include <errno.h>

#include "common/base/clock.h"
#include "common/net/http.h"
#include "common/net/server.h"
#include "common/net/tls.h"
#include "tests/unit/peer.h"
#include "tests/unit/test.h"

enum { PATIENCE_USEC = 60 * USEC_PER_SEC };

static enum http_verdict handle(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	(void)ctx;
	(void)x;
	buf_printf(res->body, "%s", req->client_subject ? req->client_subject : "nobody");
	return HTTP_DONE;
}

struct outcome {
	bool done;
	int status, code;
	char body[64], error[256];
};

static void on_done(void *ctx, const struct http_result *r)
{
	struct outcome *o = ctx;

	o->done = true;
	o->status = r->status;
	o->code = r->code;
	snprintf(o->body, sizeof(o->body), SPAN_FMT, SPAN_ARG(r->body));
	snprintf(o->error, sizeof(o->error), "%s", r->error ? r->error : "");
}

static void get(const struct http_client_options *options, const char *url, struct outcome *o)
{
	int64_t end = clock_monotonic_usec() + PATIENCE_USEC;
	struct http_client *c = NULL;
	sd_event *event = NULL;

	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(http_client_new(&c, event, options, NULL), 0);
	CU_ASSERT_EQUAL(http_call(c,
				&(struct http_call_options){
					.method = "GET",
					.url = url,
					.max_response = 1024,
					.timeout_usec = PATIENCE_USEC,
					.done = on_done,
					.ctx = o,
				},
				NULL, NULL),
		0);
	while (!o->done && clock_monotonic_usec() < end)
		sd_event_run(event, 10 * USEC_PER_MSEC);
	http_client_free(c);
	sd_event_unref(event);
}

static void test_trust(void)
{
	static const struct {
		const char *name, *host;
		bool ca, other_ca, client, stranger, asks;
		int status, code;
		const char *body;
	} rows[] = {
		{"its CA", "127.0.0.1", true, false, false, false, false, 200, 0, "nobody"},
		{"another CA", "127.0.0.1", false, true, false, false, false, 0, -EPROTO, ""},
		{"both CAs", "127.0.0.1", true, true, false, false, false, 200, 0, "nobody"},
		{"no CA, hence no TLS", "127.0.0.1", false, false, false, false, false, 0, -EPROTO,
			""},
		{"another name", "localhost", true, false, false, false, false, 0, -EPROTO, ""},
		{"a client certificate", "127.0.0.1", true, false, true, false, true, 200, 0, "me"},
		{"a stranger's", "127.0.0.1", true, false, false, true, true, 0, -EIO, ""},
		{"none where one is asked for", "127.0.0.1", true, false, false, false, true, 0,
			-EIO, ""},
	};
	_cleanup_cert_ struct peer_cert ca = {0}, other = {0}, leaf = {0}, me = {0}, stranger = {0};
	struct tls_identity *identity = tls_identity_new();

	CU_ASSERT_TRUE(peer_cert_make(&ca, "ca", NULL, false));
	CU_ASSERT_TRUE(peer_cert_make(&other, "other", NULL, false));
	CU_ASSERT_TRUE(peer_cert_make(&leaf, "leaf", &ca, false));
	CU_ASSERT_TRUE(peer_cert_make(&me, "me", &ca, true));
	CU_ASSERT_TRUE(peer_cert_make(&stranger, "me", &other, true));
	CU_ASSERT_EQUAL(
		tls_identity_set(identity, buf_view(&leaf.cert_pem), buf_view(&leaf.key_pem), NULL),
		0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct peer_cert *client = rows[i].client     ? &me
						 : rows[i].stranger ? &stranger
								    : NULL;
		_cleanup_buf_ struct buf roots = BUF_INIT(1 << 16);
		struct http_client_options options = {.user_agent = "test"};
		struct server_options so = {
			.address = "127.0.0.1",
			.threads = 1,
			.tls = identity,
			.tls_min = "1.2",
			.tls_ciphers = "",
			.client_ca_pem = rows[i].asks ? ca.cert_pem.p : NULL,
			.limits = {.max_body = 1 << 16,
				.max_header = 8192,
				.max_connections = 10,
				.max_in_flight = 10,
				.request_usec = PATIENCE_USEC,
				.idle_usec = 90 * USEC_PER_SEC},
		};
		struct server *s = NULL;
		struct outcome o = {0};
		char url[64];

		CU_ASSERT_EQUAL(server_start(&s, &so, handle, NULL, NULL), 0);
		if (!s)
			break;
		if (rows[i].other_ca)
			buf_span(&roots, buf_view(&other.cert_pem));
		if (rows[i].ca)
			buf_span(&roots, buf_view(&ca.cert_pem));
		options.ca_pem = buf_view(&roots);
		if (client) {
			options.client_cert_pem = buf_view(&client->cert_pem);
			options.client_key_pem = buf_view(&client->key_pem);
		}
		snprintf(url, sizeof(url), "https://%s:%u/x", rows[i].host, server_port(s));
		get(&options, url, &o);
		CHECK_ROW(rows[i].name,
			o.done && o.status == rows[i].status && o.code == rows[i].code,
			"status %d, code %d, %s", o.status, o.code, o.error);
		CHECK_STR(rows[i].name, span_str(o.body), rows[i].body);
		server_stop(s);
	}
	tls_identity_free(identity);
}

CU_TestInfo http_tls_tests[] = {
	{"whom it trusts", test_trust},
	CU_TEST_INFO_NULL,
};
