/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/kube/kubeconfig.h"
#include "common/net/backoff.h"
#include "common/net/http.h"
#include "common/net/scrub.h"

#define KUBE_SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

enum {
	KUBE_TIMEOUT_USEC = 10 * USEC_PER_SEC,
	KUBE_TOKEN_USEC = 60 * USEC_PER_SEC, /* how long a token read from a file is used */
	KUBE_TOKEN_MAX = 64 * 1024,
	KUBE_NAMESPACE_MAX = 253,
	KUBE_CONNECTIONS_MAX = 64, /* each watch holds one */
	KUBE_TRIES_MAX = 10,
	KUBE_BACKOFF_USEC = 100 * USEC_PER_MSEC,
	KUBE_BACKOFF_MAX_USEC = 5 * USEC_PER_SEC,
	KUBE_RETRY_AFTER_MAX_SEC = 3600,
	KUBE_STATUS_MAX = 64 * 1024, /* of a Status that we read */
	KUBE_STATUS_NODES_MAX = 4096,
	KUBE_STATUS_DEPTH_MAX = 32,
	KUBE_TIMER_ACCURACY_USEC = 5 * USEC_PER_MSEC,
};

struct kube_client {
	sd_event *event;
	struct http_client *http;
	char *server, *namespace_;
	char *token_file; /* "": the token stays */
	char *token;      /* "": none */
	int64_t token_read_usec;
	struct metric *requests;
	struct kube_call *calls;
};

struct kube_call {
	struct kube_client *c;
	struct kube_call *prev, *next;
	const char *method;
	const char *content_type;
	char *url;
	struct scrub body;
	size_t max_response;
	int64_t deadline_usec; /* monotonic; 0: none */
	int64_t idle_usec;
	bool (*data)(void *ctx, struct span chunk);
	kube_done done;
	void *ctx;
	struct http_call *http;
	sd_event_source *retry;
	struct backoff backoff;
	unsigned tries;
	bool token_renewed; /* after a 401; not twice */
	bool finished;      /* done runs, c may be gone */
};

/* The whole file. Blocks: credentials are small files on local disks. */
static int read_file(const char *path, struct scrub *b, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char bytes[4096];
	ssize_t n = 0;
	int r = fd < 0 ? -errno : 0;

	while (r == 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
		r = scrub_add(b, (struct span){bytes, (size_t)n});
	explicit_bzero(bytes, sizeof(bytes));
	if (r == 0 && n < 0)
		r = -errno;
	if (r == -E2BIG)
		return error_set(err, r, "%s: larger than %zu bytes", path, b->max);
	return r < 0 ? error_set(err, r, "cannot read %s: %s", path, strerror(-r)) : 0;
}

/* The file's text without white space around it. */
static int read_word(const char *path, size_t max, char **ret, struct error *err)
{
	_cleanup_scrub_ struct scrub b = {.max = max};
	struct span word;
	char *copy;
	int r;

	r = read_file(path, &b, err);
	if (r < 0)
		return r;
	word = scrub_view(&b);
	while (word.len && strchr(" \t\r\n", word.p[word.len - 1]))
		word.len--;
	if (word.len == 0)
		return error_set(err, -ENODATA, "%s is empty", path);
	copy = scrub_dup(word);
	if (!copy)
		return error_oom(err);
	scrub_free_string(*ret);
	*ret = copy;
	return 0;
}

/* Reads the token again when it is due or must be. A file that cannot be read now leaves the token
 * as it is: the API server judges it. */
static void client_renew_token(struct kube_client *c, bool now)
{
	int64_t t = clock_monotonic_usec();

	if (!c->token_file[0] || (!now && t - c->token_read_usec < KUBE_TOKEN_USEC))
		return;
	c->token_read_usec = t;
	(void)read_word(c->token_file, KUBE_TOKEN_MAX, &c->token, NULL);
}

/* Data as it is, or the content of a file that the kubeconfig names. */
static int load_pem(
	const char *config, const char *pem, const char *file, struct scrub *ret, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (!file[0])
		return scrub_add(ret, span_str(pem)) < 0 ? error_oom(err) : 0;
	path = kubeconfig_path(config, file);
	return path ? read_file(path, ret, err) : error_oom(err);
}

struct credentials {
	struct scrub ca, cert, key;
};

static int client_from_kubeconfig(
	struct kube_client *c, const char *file, struct credentials *cred, struct error *err)
{
	_cleanup_kubeconfig_ struct kubeconfig k = {0};
	_cleanup_scrub_ struct scrub text = {.max = KUBECONFIG_MAX};
	int r;

	r = read_file(file, &text, err);
	if (r == 0)
		r = kubeconfig_parse(&k, scrub_view(&text), file, err);
	if (r == 0)
		r = load_pem(file, k.ca_pem, k.ca_file, &cred->ca, err);
	if (r == 0)
		r = load_pem(file, k.cert_pem, k.cert_file, &cred->cert, err);
	if (r == 0)
		r = load_pem(file, k.key_pem, k.key_file, &cred->key, err);
	if (r != 0)
		return r;
	c->server = TAKE_PTR(k.server);
	c->token = TAKE_PTR(k.token);
	c->namespace_ = k.namespace_[0] ? TAKE_PTR(k.namespace_) : strdup("default");
	c->token_file = k.token_file[0] ? kubeconfig_path(file, k.token_file) : strdup("");
	if (!c->namespace_ || !c->token_file)
		return error_oom(err);
	return 0;
}

static int client_in_cluster(
	struct kube_client *c, const char *dir, struct credentials *cred, struct error *err)
{
	_cleanup_free_ char *ca = NULL, *namespace_ = NULL;
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	int r;

	if (asprintf(&c->token_file, "%s/token", dir) < 0 || asprintf(&ca, "%s/ca.crt", dir) < 0 ||
		asprintf(&namespace_, "%s/namespace", dir) < 0)
		return error_oom(err);
	if (!host || !host[0] || access(c->token_file, F_OK) < 0)
		return error_set(err, -ENOENT,
			"no way to the API server: %s; run in a pod with a service account token, "
			"or name a kubeconfig file",
			host && host[0] ? "the service account has no token here"
					: "KUBERNETES_SERVICE_HOST is not set");
	r = kubeconfig_in_cluster_url(&c->server, host, getenv("KUBERNETES_SERVICE_PORT"), err);
	if (r < 0)
		return r;
	if (read_word(namespace_, KUBE_NAMESPACE_MAX, &c->namespace_, NULL) < 0)
		c->namespace_ = strdup("default");
	c->token = strdup("");
	if (!c->namespace_ || !c->token)
		return error_oom(err);
	return read_file(ca, &cred->ca, err);
}

static int client_setup(struct kube_client *c, const struct kube_client_options *o,
	struct credentials *cred, struct error *err)
{
	const char *dir =
		o->service_account_dir ? o->service_account_dir : KUBE_SERVICE_ACCOUNT_DIR;
	int r;

	r = o->kubeconfig && o->kubeconfig[0] ? client_from_kubeconfig(c, o->kubeconfig, cred, err)
					      : client_in_cluster(c, dir, cred, err);
	if (r == 0 && c->token_file[0])
		r = read_word(c->token_file, KUBE_TOKEN_MAX, &c->token, err);
	if (r < 0)
		return r;
	c->token_read_usec = clock_monotonic_usec();
	return http_client_new(&c->http, c->event,
		&(struct http_client_options){
			.ca_pem = scrub_view(&cred->ca),
			.client_cert_pem = scrub_view(&cred->cert),
			.client_key_pem = scrub_view(&cred->key),
			.user_agent = o->user_agent,
			.max_connections = KUBE_CONNECTIONS_MAX,
		},
		err);
}

int kube_client_new(struct kube_client **ret_c, sd_event *event,
	const struct kube_client_options *o, struct error *err)
{
	struct credentials cred = {
		{.max = KUBECONFIG_MAX}, {.max = KUBECONFIG_MAX}, {.max = KUBECONFIG_MAX}};
	struct kube_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_oom(err);
	c->event = sd_event_ref(event);
	c->requests = o->requests;
	r = client_setup(c, o, &cred, err);
	scrub_free(&cred.ca);
	scrub_free(&cred.cert);
	scrub_free(&cred.key);
	if (r < 0) {
		kube_client_free(c);
		return r;
	}
	*ret_c = c;
	return 0;
}

const char *kube_client_namespace(const struct kube_client *c)
{
	return c->namespace_;
}

sd_event *kube_client_event(const struct kube_client *c)
{
	return c->event;
}

static void call_unlink(struct kube_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		call->c->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
}

/* Of an unlinked call. */
static void call_free(struct kube_call *call)
{
	http_cancel(call->http);
	sd_event_source_disable_unref(call->retry);
	scrub_free(&call->body);
	free(call->url);
	free(call);
}

void kube_cancel(struct kube_call *call)
{
	if (!call || call->finished)
		return;
	call_unlink(call);
	call_free(call);
}

void kube_client_free(struct kube_client *c)
{
	if (!c)
		return;
	while (c->calls)
		kube_cancel(c->calls);
	http_client_free(c->http);
	sd_event_unref(c->event);
	scrub_free_string(c->token);
	free(c->token_file);
	free(c->server);
	free(c->namespace_);
	free(c);
}

static void call_finish(struct kube_call *call, const struct kube_result *res)
{
	call_unlink(call);
	call->finished = true;
	call->done(call->ctx, res);
	call_free(call);
}

/* Tells of a response that is not a success; its body is a Status, usually. */
static void call_finish_refused(struct kube_call *call, const struct http_result *r)
{
	static const struct json_limits limits = {.max_bytes = KUBE_STATUS_MAX,
		.max_nodes = KUBE_STATUS_NODES_MAX,
		.max_depth = KUBE_STATUS_DEPTH_MAX};
	struct kube_result res = {.status = r->status, .body = r->body, .reason = ""};
	struct arena arena = ARENA_INIT(4 * KUBE_STATUS_MAX);
	struct json json = {0};
	char plain[64];

	snprintf(plain, sizeof(plain), "the API server answered HTTP %d", r->status);
	res.message = plain;
	if (json_parse(&json, r->body, &limits, NULL) == 0) {
		const char *reason, *message;

		reason = arena_strdup(
			&arena, json_str(json_get(json_root(&json), "reason"), &arena));
		message = arena_strdup(
			&arena, json_str(json_get(json_root(&json), "message"), &arena));
		if (reason)
			res.reason = reason;
		if (message && message[0])
			res.message = message;
	}
	call_finish(call, &res);
	json_free(&json);
	arena_free(&arena);
}

static void call_count(const struct kube_call *call, int status)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", status);
	metric_add(call->c->requests, 1, METRIC_VALUES(call->method, status ? code : "error"));
}

/* How long to wait before the next try, -1 when there is none. */
static int64_t call_retry_delay(struct kube_call *call, const struct http_result *r)
{
	int64_t now = clock_monotonic_usec(), delay;

	if (call->data || call->tries >= KUBE_TRIES_MAX)
		return -1;
	if (r->code ? (r->code != -EIO || strcmp(call->method, "GET") != 0)
		    : ((r->status != 429 && r->status < 500) || r->retry_after < 0 ||
			      r->retry_after > KUBE_RETRY_AFTER_MAX_SEC))
		return -1;
	delay = backoff_delay(&call->backoff, now, backoff_chance());
	if (!r->code && r->retry_after > 0)
		delay = backoff_jitter(r->retry_after * USEC_PER_SEC, backoff_chance());
	return now + delay < call->deadline_usec ? delay : -1;
}

static int call_start(struct kube_call *call, struct error *err);

/* A further try that cannot even begin ends the call. */
static void call_again(struct kube_call *call)
{
	struct error err;

	if (call_start(call, &err) < 0)
		call_finish(call,
			&(struct kube_result){.code = -EIO, .reason = "", .message = err.message});
}

static int call_on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	call_again(userdata);
	return 0;
}

/* False when there is no memory for it. */
static bool call_wait(struct kube_call *call, int64_t delay_usec)
{
	if (!call->retry)
		return sd_event_add_time_relative(call->c->event, &call->retry, CLOCK_MONOTONIC,
			       (uint64_t)delay_usec, KUBE_TIMER_ACCURACY_USEC, call_on_retry,
			       call) >= 0;
	return sd_event_source_set_time_relative(call->retry, (uint64_t)delay_usec) >= 0 &&
	       sd_event_source_set_enabled(call->retry, SD_EVENT_ONESHOT) >= 0;
}

static void call_on_done(void *ctx, const struct http_result *r)
{
	struct kube_call *call = ctx;
	int64_t delay;

	call->http = NULL;
	call_count(call, r->status);
	if (r->status == 401 && call->c->token_file[0] && !call->token_renewed) {
		call->token_renewed = true;
		client_renew_token(call->c, true);
		call_again(call);
		return;
	}
	delay = call_retry_delay(call, r);
	if (delay >= 0 && call_wait(call, delay))
		return;
	if (r->code)
		call_finish(call, &(struct kube_result){.status = r->status,
					  .code = r->code,
					  .reason = "",
					  .message = r->error});
	else if (r->status < 200 || r->status > 299)
		call_finish_refused(call, r);
	else
		call_finish(call,
			&(struct kube_result){
				.status = r->status, .body = r->body, .reason = "", .message = ""});
}

static bool call_on_data(void *ctx, struct span chunk)
{
	struct kube_call *call = ctx; /* may be freed by its user */

	return call->data(call->ctx, chunk);
}

static int call_start(struct kube_call *call, struct error *err)
{
	struct kube_client *c = call->c;
	int64_t left = 0;

	if (call->deadline_usec) {
		left = call->deadline_usec - clock_monotonic_usec();
		if (left <= 0)
			return error_set(err, -ETIMEDOUT, "no time left for another try");
	}
	client_renew_token(c, false);
	call->tries++;
	return http_call(c->http,
		&(struct http_call_options){
			.method = call->method,
			.url = call->url,
			.content_type = call->body.len ? call->content_type : NULL,
			.bearer = c->token[0] ? c->token : NULL,
			.body = scrub_view(&call->body),
			.max_response = call->max_response,
			.timeout_usec = left,
			.idle_usec = call->idle_usec,
			.data = call->data ? call_on_data : NULL,
			.done = call_on_done,
			.ctx = call,
		},
		&call->http, err);
}

static const char *content_type(const struct kube_request *req)
{
	static const char *const types[] = {
		[KUBE_PATCH_JSON] = "application/json-patch+json",
		[KUBE_PATCH_MERGE] = "application/merge-patch+json",
		[KUBE_PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
		[KUBE_PATCH_APPLY] = "application/apply-patch+yaml", /* JSON is YAML */
	};

	return strcmp(req->method, "PATCH") == 0 ? types[req->patch] : "application/json";
}

int kube_call(struct kube_client *c, const struct kube_request *req, kube_done done, void *ctx,
	struct kube_call **ret_call, struct error *err)
{
	int64_t timeout = req->timeout_usec ? req->timeout_usec : req->data ? 0 : KUBE_TIMEOUT_USEC;
	struct kube_call *call;
	int r;

	assert(req->path[0] == '/');
	call = calloc(1, sizeof(*call));
	if (!call)
		return error_oom(err);
	*call = (struct kube_call){.c = c,
		.next = c->calls,
		.method = req->method,
		.content_type = content_type(req),
		.body = {.max = SIZE_MAX},
		.max_response = req->max_response ? req->max_response : KUBE_RESPONSE_MAX,
		.deadline_usec = timeout ? clock_monotonic_usec() + timeout : 0,
		.idle_usec = req->idle_usec,
		.data = req->data,
		.done = done,
		.ctx = ctx,
		.backoff = {.first_usec = KUBE_BACKOFF_USEC, .max_usec = KUBE_BACKOFF_MAX_USEC}};
	if (call->next)
		call->next->prev = call;
	c->calls = call;
	if (asprintf(&call->url, "%s%s", c->server, req->path) < 0)
		call->url = NULL;
	if (!call->url || scrub_add(&call->body, req->body) < 0)
		r = error_oom(err);
	else
		r = call_start(call, err);
	if (r < 0) {
		kube_cancel(call);
		return r;
	}
	if (ret_call)
		*ret_call = call;
	return 0;
}
