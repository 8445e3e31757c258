/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/refusals_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/kbs/jwk.h"
#include "common/kbs/rcar.h"
#include "common/kube/token_review.h"
#include "common/tee/protocol.h"
#include "tests/unit/test.h"
#include "tests/unit/trust_fix.h"
#include "webhook/broker/rcar_private.h"

#define AGENT    "system:serviceaccount:casemate-system:casemate-agent"
#define PAYMENTS "system:serviceaccount:shop:payments"
#define HERE     "\"casemate.dev\""

enum { TOKEN_RATE = 1000 };
#define BUSY_USEC (3600 * (int64_t)USEC_PER_SEC)

static const struct token {
	const char *name, *user, *pod, *pod_uid, *node, *node_uid, *audiences;
	int64_t age_sec;
} tokens[] = {
	{"agent", AGENT, "agent-1", "a1", "n1", "nu1", HERE, 0},
	{"agent2", AGENT, "agent-2", "a2", "n2", "nu2", HERE, 0},
	{"pod", PAYMENTS, "p", "p1", "n1", "nu1", HERE, 0},
	{"old", PAYMENTS, "p", "p1", "n1", "nu1", HERE, WITNESS_TOKEN_SEC + 60},
	{"no-audience", PAYMENTS, "p", "p1", "n1", "nu1", "", 0},
	{"other-audience", PAYMENTS, "p", "p1", "n1", "nu1", "\"https://kubernetes.default.svc\"",
		0},
	{"elsewhere", PAYMENTS, "p", "p1", "n2", "nu2", HERE, 0},
	{"before", PAYMENTS, "p", "p1", "n1", "nu0", HERE, 0},
	{"unbound", PAYMENTS, "", "", "", "", HERE, 0},
	{"other-pod", PAYMENTS, "q", "q1", "n1", "nu1", HERE, 0},
	{"made-anew", PAYMENTS, "p", "p0", "n1", "nu1", HERE, 0},
	{"other-account", "system:serviceaccount:shop:default", "p", "p1", "n1", "nu1", HERE, 0},
	{"other-namespace", "system:serviceaccount:mine:payments", "p", "p1", "n1", "nu1", HERE, 0},
	{"person", "jane", "", "", "", "", HERE, 0},
};

#define FURTHER                                                                                    \
	REFUSALS_ENCLAVE("",                                                                       \
		"{'name':'code','sgx':{'mrenclave':'" HEX32                                        \
		"'}},{'name':'signed','sgx':{'mrsigner':'" HEX32                                   \
		"','isvProdId':3,'minIsvSvn':7}}",                                                 \
		"{'name':'secret-key','type':'raw','identities':['code'],"                         \
		"'grant':{'evidenceOnly':true}},{'name':'signed-key','type':'raw',"                \
		"'identities':['signed'],'grant':{'serviceAccounts':['payments']}}")
#define HEX32 "1111111111111111111111111111111111111111111111111111111111111111"

/*
 * The API server
 */

void refusals_token(struct buf *out, const char *name)
{
	int64_t age = 0;
	char claims[64];
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		if (strcmp(tokens[i].name, name) == 0)
			age = tokens[i].age_sec;
	n = snprintf(claims, sizeof(claims), "{\"iat\":%lld}",
		(long long)(clock_unix_usec() / USEC_PER_SEC - age));
	buf_printf(out, "%s.", name);
	codec_base64url(out, claims, (size_t)n);
	buf_puts(out, ".signature");
}

static const struct token *token_in(const char *request)
{
	char want[64];

	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		snprintf(want, sizeof(want), "\"token\":\"%s.", tokens[i].name);
		if (strstr(request, want))
			return &tokens[i];
	}
	return NULL;
}

static void answer_review(const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	const struct token *t = token_in(request);

	if (!t) {
		fake_respond(reply, 201, NULL, "{\"status\":{\"authenticated\":false}}");
		return;
	}
	buf_printf(&b,
		"{\"status\":{\"authenticated\":true,\"audiences\":[%s],\"user\":{\"username\":"
		"\"%s\",\"extra\":{\"x\":[\"y\"]",
		t->audiences, t->user);
	if (*t->pod)
		buf_printf(&b,
			",\"authentication.kubernetes.io/pod-name\":[\"%s\"],"
			"\"authentication.kubernetes.io/pod-uid\":[\"%s\"]",
			t->pod, t->pod_uid);
	if (*t->node)
		buf_printf(&b,
			",\"authentication.kubernetes.io/node-name\":[\"%s\"],"
			"\"authentication.kubernetes.io/node-uid\":[\"%s\"]",
			t->node, t->node_uid);
	buf_puts(&b, "}}}}");
	fake_respond(reply, 201, NULL, b.p);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct refusals *w = ctx;
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	(void)n;
	pthread_mutex_lock(&w->lock);
	if (strstr(request, "/tokenreviews "))
		answer_review(request, reply);
	else if (w->pod && (strstr(request, "/pods/p ") || strstr(request, "/pods/agent-1 ")))
		fake_respond(reply, 200, NULL, w->pod);
	else if (strstr(request, "/nodeattestations/n1 ") && w->record &&
		 buf_printf(&b, "{\"metadata\":{\"name\":\"n1\"},\"status\":%s}", w->record) == 0)
		fake_respond(reply, 200, NULL, b.p);
	else
		fake_respond(reply, 404, NULL, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	pthread_mutex_unlock(&w->lock);
}

static void replace(struct refusals *w, char **what, struct span text)
{
	char *copy = text.p ? strndup(text.p, text.len) : NULL;

	pthread_mutex_lock(&w->lock);
	free(*what);
	*what = copy;
	pthread_mutex_unlock(&w->lock);
}

void refusals_record(struct refusals *w, const char *record)
{
	replace(w, &w->record, record ? span_str(record) : SPAN_NONE);
}

void refusals_pod(struct refusals *w, const char *patch)
{
	struct fixture *f = &w->policy;

	replace(w, &w->pod,
		json_raw(patch ? fixture_apply_text(f, w->plain_pod, fixture_text(f, patch))
			       : w->plain_pod));
}

void refusals_owner(struct refusals *w, const char *namespace_uid, const char *profile_uid)
{
	char patch[128];

	w->namespace_uid = namespace_uid;
	snprintf(patch, sizeof(patch), SET("/metadata/uid", "'%s'"), profile_uid);
	refusals_loosen(w, patch);
}

void refusals_deny(struct refusals *w, enum deny_kind kind, const char *entry)
{
	CU_ASSERT_EQUAL(deny_add(w->deny, kind, span_str(entry), NULL), 0);
}

void refusals_loosen(struct refusals *w, const char *patch)
{
	grant_world_objects(&w->policy, patch, NULL, w->a->enclave ? w->a->enclave : FURTHER);
	w->world.profiles = w->policy.profiles;
}

static const char *uid_of(void *ctx, const char *namespace_)
{
	struct refusals *w = ctx;

	return strcmp(namespace_, "shop") == 0 ? w->namespace_uid : "";
}

/*
 * The broker
 */

static int64_t tee_clock(void)
{
	return SIMULATED_NOW;
}

/* Synthetic evidence and collateral are of their own time. */
static void examine_then(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	(void)now_sec;
	trust_examine(ctx, text, report_data, SIMULATED_NOW, ret);
}

static void write_file(const char *path, struct span bytes)
{
	FILE *f = fopen(path, "we");

	if (CHECK_ROW(path, f && fwrite(bytes.p, 1, bytes.len, f) == bytes.len, "not written"))
		CU_ASSERT_EQUAL(fclose(f), 0);
}

static bool begin_trust(struct refusals *w)
{
	_cleanup_buf_ struct buf json = BUF_INIT(2 * TEE_JSON_MAX), root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf policy = BUF_INIT(2 * TEE_PEM_MAX);
	struct trust_options o = {.event = w->kube.event,
		.sources = &w->sources,
		.where = "policy",
		.allow_simulated = w->a->config_simulated,
		.measurements_elsewhere = true,
		.clock = tee_clock};
	char file[160];
	struct error err = {0};

	snprintf(w->folder, sizeof(w->folder), "%s/collateral", w->tree.root);
	snprintf(file, sizeof(file), "%s/intel.json", w->folder);
	tree_step(&w->tree, "d /collateral");
	tee_intel_collateral(&w->a->sgx, &json);
	write_file(file, buf_view(&json));
	tee_intel_root(&w->a->sgx, &root);
	trust_root_policy(&policy, buf_view(&root));
	w->path = w->folder;
	w->sources = sources_none();
	w->sources.paths = (struct strings){&w->path, 1};
	o.policy = buf_view(&policy);
	if (!CHECK_ROW("trust", trust_new(&w->trust, &o, &err) == 0, "%s", err.message) ||
		!simulated_fix_new(&w->simulated))
		return false;
	if (!w->a->own_root)
		trust_simulated(w->trust, buf_view(&w->simulated.root));
	buf_reset(&w->simulated.certificate);
	return CHECK_ROW("certificate",
		simulated_certify(&w->simulated.certificate, buf_view(&w->simulated.root),
			secret_view(&w->simulated.root_key), w->simulated.key, w->a->certified_uid,
			SIMULATED_NOW, SIMULATED_LIFETIME, &err) == 0,
		"%s", err.message);
}

static void on_written(void *ctx, int r, const struct error *err)
{
	(void)err;
	*(int *)ctx = r;
}

static void put_key(struct refusals *w, const char *profile, const char *key)
{
	const struct key_owner owner = {"shop", "ns1", profile, "u1"};
	_cleanup_record_ struct key_record rec = {0};
	struct key_entry *e;
	int done = -EIO, r = key_store_read(w->store, &owner, &rec, NULL);

	if (r == -ENOENT)
		r = key_record_new(&rec, &owner, NULL);
	e = r == 0 ? key_record_add(&rec, key) : NULL;
	if (!CHECK_ROW(key, e, "%d", r))
		return;
	r = key_record_add_version(&rec, e, KEY_RAW, sizeof(REFUSALS_SECRET) - 1, SIMULATED_NOW,
		SPAN_LIT(REFUSALS_SECRET), key_store_keks(w->store), NULL);
	if (r == 0)
		r = key_store_write(w->store, &rec, on_written, &done, NULL);
	CHECK_ROW(key, r == 0 && done == 0, "%d %d", r, done);
}

static bool begin_store(struct refusals *w)
{
	char keys[128];
	struct error err = {0};

	snprintf(keys, sizeof(keys), "%s/keys", w->tree.root);
	snprintf(w->kek, sizeof(w->kek), "%s/kek", w->tree.root);
	snprintf(w->audit_path, sizeof(w->audit_path), "%s/audit", w->tree.root);
	write_file(w->kek, SPAN_LIT("0123456789abcdef0123456789abcdef"));
	if (chmod(w->kek, 0600) < 0 ||
		!CHECK_ROW("store",
			key_store_new(&w->store,
				&(struct key_store_options){.directory = keys, .kek_file = w->kek},
				&err) == 0 &&
				audit_new(&w->audit,
					&(struct audit_options){
						.path = w->audit_path, .replica = "r", .keep = 1},
					&err) == 0 &&
				ledger_new(&w->ledger, w->audit, w->kube.metrics, &err) == 0,
			"%s", err.message))
		return false;
	put_key(w, "pay", "secret-key");
	put_key(w, "enclave", "secret-key");
	put_key(w, "enclave", "signed-key");
	w->deny = deny_new();
	w->denied = w->deny;
	for (size_t i = 0; w->deny && i < DENY_KINDS; i++)
		if (w->a->denied[i])
			refusals_deny(w, (enum deny_kind)i, w->a->denied[i]);
	key_store_deny(w->store, w->denied);
	return w->deny;
}

static bool begin_desk(struct refusals *w)
{
	const struct server_options server = {.address = "127.0.0.1",
		.event = w->kube.event,
		.limits = {.max_body = RCAR_REQUEST_MAX,
			.max_header = 32768,
			.max_connections = 10,
			.max_in_flight = 10,
			.request_usec = 30 * (int64_t)USEC_PER_SEC,
			.idle_usec = 90 * (int64_t)USEC_PER_SEC}};
	const struct rcar_options o = {.rules = {w->a->allow_sample, examine_then, w->trust},
		.keys = &w->keys,
		.token_key = &w->token_key,
		.world = &w->world,
		.store = w->store,
		.ledger = w->ledger,
		.deny = &w->denied,
		.witness = w->witness,
		.max_rate = 100,
		.version = "1"};
	struct error err = {0};

	if (!CHECK_ROW("desk",
		    rcar_desk_new(&w->desk, &o, &err) == 0 &&
			    server_start(&w->server, &server, rcar_handle, w->desk, &err) == 0 &&
			    http_client_new(&w->client, w->kube.event,
				    &(struct http_client_options){.user_agent = "t"}, &err) == 0,
		    "%s", err.message))
		return false;
	if (w->a->busy_name)
		rates_take(w->desk->rates, w->a->busy, w->a->busy_name, 1, 1,
			clock_monotonic_usec() + BUSY_USEC);
	snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u", server_port(w->server));
	return true;
}

bool refusals_begin(struct refusals *w, const struct attack *a)
{
	const struct token_review_options reviews = {
		.audience = PROTOCOL_AUDIENCE, .rate = TOKEN_RATE};
	struct error err = {0};

	*w = (struct refusals){.a = a,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.keys = {.v = {{.id = 1, .key = "k"}}, .n = 1},
		.namespace_uid = a->namespace_uid,
		.token_key = jwk_generate(JWK_EC_P256),
		.own = jwk_generate(JWK_EC_P256),
		.other = jwk_generate(JWK_EC_P256)};
	fixture_init(&w->policy);
	w->policy.config.allow_debug = true;     /* what verifies still does not */
	w->policy.config.allow_simulated = true; /* the pod was admitted before */
	w->plain_pod = grant_world_objects(
		&w->policy, a->profile, NULL, a->enclave ? a->enclave : FURTHER);
	w->policy.config.allow_simulated = a->config_simulated;
	w->world = (struct rcar_world){&w->policy.config, w->policy.profiles, uid_of, w};
	refusals_pod(w, a->pod);
	refusals_record(w, a->record);
	if (!kube_fix_begin(&w->kube, answer, w) || !tree_new(&w->tree) || !begin_trust(w) ||
		!begin_store(w) ||
		!CHECK_ROW("reviews",
			token_review_new(&w->reviews, w->kube.client, &reviews, &err) == 0, "%s",
			err.message))
		return false;
	if (!CHECK_ROW("witness",
		    witness_new(&w->witness,
			    &(struct witness_options){.kube = w->kube.client,
				    .judge = token_review_judge(w->reviews),
				    .agent = AGENT},
			    &err) == 0,
		    "%s", err.message))
		return false;
	return begin_desk(w);
}

void refusals_end(struct refusals *w)
{
	http_client_free(w->client);
	server_stop(w->server);
	rcar_desk_free(w->desk);
	witness_free(w->witness);
	token_review_free(w->reviews);
	ledger_free(w->ledger);
	audit_free(w->audit);
	key_store_free(w->store);
	deny_free(w->deny);
	trust_free(w->trust);
	simulated_fix_free(&w->simulated);
	EVP_PKEY_free(w->token_key);
	EVP_PKEY_free(w->own);
	EVP_PKEY_free(w->other);
	tree_free(&w->tree);
	kube_fix_end(&w->kube);
	fixture_free(&w->policy);
	free(w->pod);
	free(w->record);
}
