/* SPDX-License-Identifier: Apache-2.0
 *
 * The first node of a verifier that fetches its collateral: over HTTP from its challenge to a
 * verdict that stands, with a PCCS of a synthetic Intel and an API server of one node. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/net/http.h"
#include "common/tee/binding.h"
#include "tests/tee/cases.h"
#include "tests/unit/fake_pccs.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "tests/unit/trust_fix.h"
#include "webhook/trust/trust.h"
#include "webhook/verifier/desk.h"

#define AGENT "system:serviceaccount:ns:agent"
#define TOKEN "good"
#define JSON  "application/json"

enum { BODY_MAX = 1 << 16, SOON_SEC = 30, REPORT_DATA = 320, MRENCLAVE = 64 };

struct fix {
	struct kube_fix kube;
	struct fake_server *pccs;
	struct trust *trust;
	struct loop_queue *queue;
	struct nodes *nodes;
	struct publisher *publisher;
	struct desk *desk;
	struct server *server;
	struct http_client *client;
	struct tee_intel w;
	struct collateral_sources sources;
	struct buf policy;
	char url[64], pccs_url[64];
	uint64_t epoch; /* of collateral, to be passed */
	bool done;
	int status;
	char body[2048];
};

/*
 * The API server: it has a Node, and keeps what is written as its NodeAttestation
 */

#define META(version)                                                                              \
	"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r\",\"resourceVersion\":\"" version              \
	"\",\"ownerReferences\":[{\"kind\":\"Node\",\"uid\":\"u1\"}]}"

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(BODY_MAX);
	bool record = strstr(request, "nodeattestations");
	const char *status = strstr(request, "\"status\":{");

	(void)ctx;
	if (strstr(request, "watch=")) {
		fake_stream(reply, 200);
	} else if (span_starts(span_str(request), "GET")) {
		fake_respond(reply, 200, NULL,
			record ? "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}"
			       : "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{"
				 "\"metadata\":{"
				 "\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":\"1\"}}]}");
	} else if (record && status) {
		buf_printf(&out,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"r\",\"resourceVersion\":\"%u\","
			"\"ownerReferences\":[{\"kind\":\"Node\",\"uid\":\"u1\"}]},%s",
			n + 10, status);
		fake_respond(reply, 200, NULL, out.p);
	} else if (record) {
		fake_respond(reply, 201, NULL, META("2") "}");
	} else {
		fake_respond(reply, 200, NULL,
			"{\"metadata\":{\"name\":\"n1\",\"uid\":\"u1\",\"resourceVersion\":\"2\"}"
			"}");
	}
}

static void *ask(void *ctx, struct span token, caller_judged done, void *arg)
{
	const struct caller c = {.status = 200,
		.user = AGENT,
		.node_name = "n1",
		.node_uid = "u1",
		.pod_name = "",
		.pod_uid = "",
		.message = ""};

	(void)ctx;
	(void)token;
	done(arg, &c);
	return NULL;
}

static void cancel(void *ctx, void *asked)
{
	(void)ctx;
	(void)asked;
}

/*
 * The PCCS
 */

/* Dates of today in place of those that the world was made with. */
static void make_world(struct tee_intel *w)
{
	tee_intel_sgx(w);
	tee_intel_at(w, clock_unix_usec() / (int64_t)USEC_PER_SEC);
}

static void add_crl(struct buf *body, const struct tee_crl *crl)
{
	_cleanup_buf_ struct buf der = BUF_INIT(BODY_MAX);

	tee_crl_der(crl, &der);
	codec_hex(body, der.p, der.len);
}

static void add_document(struct buf *body, const char *name, const struct buf *text,
	const unsigned char signature[64])
{
	buf_printf(body, "{\"%s\":%s,\"signature\":\"", name, text->p);
	codec_hex(body, signature, 64);
	buf_puts(body, "\"}");
}

static void serve(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const struct tee_intel *w = &((struct fix *)ctx)->w;
	_cleanup_buf_ struct buf headers = BUF_INIT(BODY_MAX), body = BUF_INIT(BODY_MAX),
				 text = BUF_INIT(BODY_MAX), chain = BUF_INIT(BODY_MAX);
	unsigned char signature[64];

	(void)n;
	if (strstr(request, "/rootcacrl ")) {
		add_crl(&body, &w->root_crl);
	} else if (strstr(request, "/pckcrl?ca=processor")) {
		tee_cert_pem(&w->ca[PCK_CA_PROCESSOR], &chain);
		tee_intel_root(w, &chain);
		fake_pccs_header(&headers, "SGX-PCK-CRL-Issuer-Chain", buf_view(&chain));
		add_crl(&body, &w->pck_crl[PCK_CA_PROCESSOR]);
	} else if (strstr(request, "/qe/identity")) {
		tee_intel_signer_chain(w, &w->qe.d, &chain);
		fake_pccs_header(&headers, "SGX-Enclave-Identity-Issuer-Chain", buf_view(&chain));
		tee_intel_qe_identity(w, &text, signature);
		add_document(&body, "enclaveIdentity", &text, signature);
	} else {
		tee_intel_signer_chain(w, &w->tcb_info.d, &chain);
		fake_pccs_header(&headers, "TCB-Info-Issuer-Chain", buf_view(&chain));
		tee_intel_tcb_info(w, &text, signature);
		add_document(&body, "tcbInfo", &text, signature);
	}
	fake_respond(reply, 200, headers.p, body.p);
}

/*
 * The verifier
 */

static const struct judge_rules rules = {.interval_sec = 6 * 3600, .validity_sec = 12 * 3600};
static const struct sealing_keys keys = {.v = {{.id = 1, .key = "k"}}, .n = 1};

static void changed(void *ctx, struct node *n)
{
	trust_seen(((struct fix *)ctx)->trust, &n->record.basis);
}

static bool is_synced(void *ctx)
{
	return nodes_synced(((struct fix *)ctx)->nodes);
}

static bool is_done(void *ctx)
{
	return ((struct fix *)ctx)->done;
}

static bool is_fetched(void *ctx)
{
	const struct fix *f = ctx;

	return trust_examiner(f->trust).collateral->epoch != f->epoch;
}

static void write_policy(struct fix *f)
{
	_cleanup_buf_ struct buf root = BUF_INIT(BODY_MAX);

	tee_intel_root(&f->w, &root);
	buf_puts(&f->policy, "{\"trustedRoots\":[");
	buf_json_string(&f->policy, buf_view(&root));
	buf_puts(&f->policy, "],\"measurements\":[{\"name\":\"it\",\"sgx\":{\"mrenclave\":\"");
	codec_hex(&f->policy, f->w.quote.body + MRENCLAVE, 32);
	buf_puts(&f->policy, "\"}}]}");
}

static bool start_trust(struct fix *f)
{
	const struct trust_options o = {.event = f->kube.event,
		.sources = &f->sources,
		.where = "policy",
		.policy = buf_view(&f->policy)};
	struct error err = {0};

	f->pccs = fake_server_start(serve, f);
	if (!f->pccs)
		return CHECK_ROW("pccs", false, "none");
	snprintf(
		f->pccs_url, sizeof(f->pccs_url), "http://127.0.0.1:%u", fake_server_port(f->pccs));
	f->sources = sources_none();
	f->sources.pccs = f->pccs_url;
	return CHECK_ROW("trust", trust_new(&f->trust, &o, &err) == 0, "%s", err.message);
}

static bool start_desk(struct fix *f)
{
	const struct nodes_options nodes = {.kube = f->kube.client, .changed = changed, .ctx = f};
	const struct server_options s = {.address = "127.0.0.1",
		.threads = 1,
		.limits = {.max_body = 1 << 20,
			.max_header = 16384,
			.max_connections = 100,
			.max_in_flight = 100,
			.request_usec = 60 * (int64_t)USEC_PER_SEC,
			.idle_usec = 90 * (int64_t)USEC_PER_SEC}};
	struct desk_options o = {.judge = {.ask = ask, .cancel = cancel},
		.agent = AGENT,
		.rules = &rules,
		.keys = &keys,
		.examine = trust_examine,
		.ctx = f->trust};
	struct error err = {0};
	bool ok = loop_queue_new(&f->queue, f->kube.event, 64) == 0 &&
		  nodes_new(&f->nodes, &nodes, &err) == 0 &&
		  publisher_new(&f->publisher,
			  &(struct publisher_options){.kube = f->kube.client, .nodes = f->nodes},
			  &err) == 0 &&
		  http_client_new(&f->client, f->kube.event,
			  &(struct http_client_options){.user_agent = "t"}, &err) == 0;

	o.queue = f->queue;
	o.nodes = f->nodes;
	o.publisher = f->publisher;
	ok = ok && desk_new(&f->desk, &o, &err) == 0 &&
	     server_start(&f->server, &s, desk_handle, f->desk, &err) == 0;
	if (!CHECK_ROW("parts", ok, "%s", err.message))
		return false;
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", server_port(f->server));
	return CHECK_ROW("synced", kube_fix_wait(&f->kube, is_synced, f), "not");
}

static bool begin(struct fix *f)
{
	*f = (struct fix){.policy = BUF_INIT(BODY_MAX)};
	make_world(&f->w);
	write_policy(f);
	return kube_fix_begin(&f->kube, answer, NULL) && start_trust(f) && start_desk(f);
}

static void end(struct fix *f)
{
	http_client_free(f->client);
	server_stop(f->server);
	publisher_free(f->publisher);
	desk_free(f->desk);
	nodes_free(f->nodes);
	loop_queue_free(f->queue);
	trust_free(f->trust);
	fake_server_stop(f->pccs);
	kube_fix_end(&f->kube);
	buf_free(&f->policy);
}

/*
 * The agent
 */

static void on_answer(void *ctx, const struct http_result *r)
{
	struct fix *f = ctx;

	f->done = true;
	f->status = r->status;
	snprintf(f->body, sizeof(f->body), SPAN_FMT, SPAN_ARG(r->body));
}

static void send(struct fix *f, const char *path, struct span body)
{
	char url[256];
	const struct http_call_options o = {.method = "POST",
		.url = url,
		.content_type = JSON,
		.bearer = TOKEN,
		.body = body,
		.max_response = sizeof(f->body) - 1,
		.timeout_usec = 60 * (int64_t)USEC_PER_SEC,
		.done = on_answer,
		.ctx = f};

	snprintf(url, sizeof(url), "%s%s", f->url, path);
	f->done = false;
	CU_ASSERT_EQUAL(http_call(f->client, &o, NULL, NULL), 0);
	CHECK_ROW(path, kube_fix_wait(&f->kube, is_done, f) && f->status == 200, "%d %s", f->status,
		f->body);
}

static void take_challenge(struct fix *f, struct buf *text)
{
	const char *at, *last;

	send(f, "/v1/challenge", SPAN_LIT("{\"protocol\":1}"));
	at = strstr(f->body, "\"challenge\":\"");
	last = at ? strchr(at + 13, '"') : NULL;
	if (CHECK_ROW("challenge", last, "%s", f->body))
		buf_add(text, at + 13, (size_t)(last - at - 13));
}

/* A round: a challenge, a quote that answers it, and what the verifier says. */
static void prove(struct fix *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1024), challenge = BUF_INIT(1024),
				 quote = BUF_INIT(TEE_QUOTE_MAX),
				 body = BUF_INIT(4 * TEE_QUOTE_MAX);
	struct node_binding binding = {.node = SPAN_LIT("n1"),
		.node_uid = SPAN_LIT("u1"),
		.public_key = SPAN_LIT("key"),
		.token = SPAN_LIT(TOKEN)};

	take_challenge(f, &text);
	CU_ASSERT_EQUAL(codec_unbase64(&challenge, CODEC_BASE64, buf_view(&text)), 0);
	binding.challenge = buf_view(&challenge);
	CU_ASSERT_EQUAL(node_binding_report_data(f->w.quote.body + REPORT_DATA, &binding), 0);
	tee_intel_quote(&f->w, &quote);
	buf_printf(&body,
		"{\"protocol\":1,\"publicKey\":\"a2V5\",\"challenge\":\"%s\",\"platform\":\"sgx\","
		"\"evidence\":\"",
		text.p);
	buf_base64(&body, quote.p, quote.len);
	buf_puts(&body, "\"}");
	send(f, "/v1/evidence", buf_view(&body));
}

static long again(const struct fix *f)
{
	const char *at = strstr(f->body, "\"again\":");

	return at ? strtol(at + 8, NULL, 10) : -1;
}

static void test_first(void)
{
	const struct node *node;
	struct fix f;

	if (begin(&f)) {
		f.epoch = trust_examiner(f.trust).collateral->epoch;
		prove(&f);
		CHECK_ROW("first",
			strstr(f.body, "\"CollateralMissing\"") &&
				strstr(f.body, "is being fetched"),
			"%s", f.body);
		CHECK_ROW("soon", again(&f) > 0 && again(&f) <= SOON_SEC, "%s", f.body);
		CHECK_ROW("fetched", kube_fix_wait(&f.kube, is_fetched, &f), "not");
		prove(&f);
		CHECK_ROW("attested", strstr(f.body, "\"Attested\""), "%s", f.body);
		CHECK_ROW("later", again(&f) > 3600, "%s", f.body);
		node = nodes_find(f.nodes, "n1");
		CHECK_ROW("kept",
			node && node->record.standing == RECORD_ATTESTED &&
				node->record.basis.known && node->record.basis.accepted &&
				node->record.basis.evaluation_number == 17,
			"%d", node ? (int)node->record.standing : -1);
	}
	end(&f);
}

CU_TestInfo first_node_tests[] = {
	{"first", test_first},
	CU_TEST_INFO_NULL,
};
