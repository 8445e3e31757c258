/* SPDX-License-Identifier: Apache-2.0
 *
 * The transit engine of a Vault or OpenBao (its HTTP API, version 1): POST MOUNT/encrypt/KEY,
 * /decrypt/KEY and /rewrap/KEY, plaintexts in base64. The token is a file's, read each time, or
 * comes of the Kubernetes auth method (auth/MOUNT/login), and is then used until it is refused. */
#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/credential.h"
#include "common/base/json.h"
#include "common/net/http.h"
#include "webhook/broker/kek_wrapper.h"

enum {
	ANSWER_MAX = 65536,
	TOKEN_MAX = 16384, /* of a service account, as JSON */
	URL_BYTES_MAX = 1024,
	/* A KEK wrapped by AES-GCM or ChaCha20-Poly1305 has some 90; by RSA of 2048 bits 353. */
	SYMMETRIC_MAX = 200,
};

#define CALL_USEC (10 * (int64_t)USEC_PER_SEC)

static const struct json_limits limits = {ANSWER_MAX, 1024, 16};

struct vault {
	sd_event *event;
	const struct kek_settings *s;
	struct http_client *client;
	char prefix[256];    /* of the address, for messages and paths */
	struct secret token; /* of a login; empty: none */
	bool fresh;          /* it was got for this request */
	char refusal[300];   /* why it was refused, while it is revoked */

	/* the request under way */
	const char *operation; /* "encrypt"; NULL: none */
	char key[KEK_BY_MAX];  /* MOUNT/KEY */
	struct secret body;
	kek_wrapper_done done;
	void *ctx;
};

static int send_request(struct vault *v, struct error *err);

/* done may free v. */
static void finish(struct vault *v, int r, struct span result, const struct error *err)
{
	kek_wrapper_done done = v->done;

	v->operation = NULL;
	secret_free(&v->body);
	done(v->ctx, r, result, err);
}

static void fail(struct vault *v, int code, const char *why)
{
	struct error err = {0};
	int r = error_set(&err, code, "Vault at %.100s, %s of %.100s: %s", v->s->vault.address,
		v->operation, v->key, why);

	finish(v, r, SPAN_NONE, &err);
}

/* Files may have changed: the client is made for each request. */
static int open_client(struct vault *v, struct error *err)
{
	struct http_client_options o = {.user_agent = "casemate-webhook"};
	_cleanup_secret_ struct secret ca = {0};
	int r = 0;

	if (*v->s->vault.ca_file)
		r = credential_read_file(&ca, v->s->vault.ca_file, err);
	if (r < 0)
		return r;
	o.ca_pem = secret_view(&ca);
	http_client_free(v->client);
	v->client = NULL;
	return http_client_new(&v->client, v->event, &o, err);
}

static int post(struct vault *v, const char *path, const char *bearer, struct span body,
	void (*done)(void *ctx, const struct http_result *result), struct error *err)
{
	char url[URL_BYTES_MAX];
	const struct http_call_options o = {.method = "POST",
		.url = url,
		.content_type = "application/json",
		.bearer = bearer,
		.body = body,
		.max_response = ANSWER_MAX,
		.timeout_usec = CALL_USEC,
		.done = done,
		.ctx = v};

	snprintf(url, sizeof(url), "%s/v1/%s", v->prefix, path);
	return http_call(v->client, &o, NULL, err);
}

/* On one line, with one blank where there were several; Vault's own errors have several lines. */
static void flatten(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++)
		if (*p > ' ' && *p <= '~')
			*to++ = *p;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	if (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* The first of {"errors": […]}; or the status. */
static void explain(char *out, size_t size, const struct http_result *result)
{
	_cleanup_json_ struct json doc = {0};

	*out = '\0';
	if (json_parse(&doc, result->body, &limits, NULL) == 0 &&
		json_is_string(json_at(json_get(json_root(&doc), "errors"), 0)))
		json_copy(json_at(json_get(json_root(&doc), "errors"), 0), out, size);
	flatten(out);
	if (!*out)
		snprintf(out, size, "it answers %d", result->status);
}

/* Without escapes: what is asked for needs none, and nothing is copied. */
static struct span plain_string(struct json_val v)
{
	struct arena none = ARENA_INIT(0);

	return json_str(v, &none);
}

static void take_result(struct vault *v, struct json_val data)
{
	bool opens = strcmp(v->operation, "decrypt") == 0;
	struct span text = plain_string(json_get(data, opens ? "plaintext" : "ciphertext"));
	_cleanup_secret_ struct secret key = {0};
	struct error none = {0};

	if (!text.len || text.len >= KEK_WRAPPED_MAX)
		fail(v, -EBADMSG, "its answer holds no result");
	else if (!opens && text.len > SYMMETRIC_MAX)
		fail(v, -EINVAL,
			"that is an RSA key, with whose public half anybody may wrap: make one of "
			"type aes256-gcm96");
	else if (!opens)
		finish(v, 0, text, &none);
	else if (secret_unbase64(&key, text) < 0)
		fail(v, -EBADMSG, "its answer is no base64");
	else
		finish(v, 0, secret_view(&key), &none);
}

/* Whatever it answers. */
static void on_revoked(void *ctx, const struct http_result *result)
{
	struct vault *v = ctx;

	(void)result;
	fail(v, -EACCES, v->refusal);
}

/* One that has just been got may not do it: each attempt would leave another one in Vault. */
static void give_back(struct vault *v)
{
	int r = post(v, "auth/token/revoke-self", v->token.p, SPAN_NONE, on_revoked, NULL);

	secret_free(&v->token);
	if (r < 0)
		fail(v, -EACCES, v->refusal);
}

static void on_answer(void *ctx, const struct http_result *result)
{
	_cleanup_json_ struct json doc = {0};
	struct vault *v = ctx;
	struct error err = {0};
	char why[300];

	if (result->code < 0) {
		fail(v, result->code, result->error);
		return;
	}
	if (result->status == 403 && *v->s->vault.role && !v->fresh) {
		secret_free(&v->token); /* it has run out */
		if (send_request(v, &err) < 0)
			finish(v, err.code, SPAN_NONE, &err);
		return;
	}
	if (result->status == 403 && v->fresh) {
		explain(v->refusal, sizeof(v->refusal), result);
		give_back(v);
		return;
	}
	if (result->status != 200) {
		explain(why, sizeof(why), result);
		fail(v, result->status == 403 ? -EACCES : -EIO, why);
		return;
	}
	if (json_parse(&doc, result->body, &limits, NULL) < 0)
		fail(v, -EBADMSG, "its answer is no JSON");
	else
		take_result(v, json_get(json_root(&doc), "data"));
}

static void fail_login(struct vault *v, int code, const char *why)
{
	char text[600];

	snprintf(text, sizeof(text), "login as %.100s at auth/%.100s: %s", v->s->vault.role,
		v->s->vault.auth_mount, why);
	fail(v, code, text);
}

static void on_login(void *ctx, const struct http_result *result)
{
	_cleanup_json_ struct json doc = {0};
	struct vault *v = ctx;
	struct error err = {0};
	char why[300] = "its answer holds no token";
	struct span token;

	if (result->code < 0) {
		fail(v, result->code, result->error);
		return;
	}
	if (result->status != 200 || json_parse(&doc, result->body, &limits, NULL) < 0) {
		explain(why, sizeof(why), result);
		fail_login(v, result->status == 200 ? -EBADMSG : -EACCES, why);
		return;
	}
	token = plain_string(json_find(json_root(&doc), "auth", "client_token"));
	if (!token.len || secret_copy(&v->token, token) < 0) {
		fail_login(v, -EBADMSG, why);
		return;
	}
	v->fresh = true;
	if (send_request(v, &err) < 0)
		finish(v, err.code, SPAN_NONE, &err);
}

/* The first line of a file: a token. */
static int read_token(struct secret *ret, const char *path, struct error *err)
{
	int r = credential_read_file(ret, path, err);
	size_t n;

	if (r < 0)
		return r;
	n = strcspn(ret->p, "\r\n");
	if (n == 0 || n > TOKEN_MAX)
		return error_set(err, -EBADMSG, "%s: there is no token in it", path);
	ret->p[n] = '\0';
	ret->len = n;
	return 0;
}

static int log_in(struct vault *v, struct error *err)
{
	_cleanup_secret_ struct secret jwt = {0}, body = {0};
	char path[256], head[300];
	int r = read_token(&jwt, v->s->vault.account_token, err);

	if (r < 0)
		return r;
	/* A JWT and a role of settings have nothing to escape, or are refused there. */
	if (strpbrk(jwt.p, "\"\\"))
		return error_set(
			err, -EBADMSG, "%s: there is no token in it", v->s->vault.account_token);
	snprintf(path, sizeof(path), "auth/%.200s/login", v->s->vault.auth_mount);
	snprintf(head, sizeof(head), "{\"role\":\"%.128s\",\"jwt\":\"", v->s->vault.role);
	if (secret_init(&body, sizeof(head) + jwt.len + 2) < 0)
		return error_oom(err);
	secret_add(&body, span_str(head));
	secret_add(&body, secret_view(&jwt));
	secret_add(&body, SPAN_LIT("\"}"));
	return post(v, path, NULL, secret_view(&body), on_login, err);
}

static int send_request(struct vault *v, struct error *err)
{
	_cleanup_secret_ struct secret file = {0};
	const char *bearer = v->token.len ? v->token.p : NULL;
	char path[URL_BYTES_MAX / 2];
	const char *slash = strrchr(v->key, '/');
	int r = 0;

	if (*v->s->vault.role && !bearer)
		return log_in(v, err);
	if (!bearer) {
		r = read_token(&file, v->s->vault.token_file, err);
		bearer = file.p;
	}
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%.*s/%s/%s", (int)(slash - v->key), v->key, v->operation,
		slash + 1);
	return post(v, path, bearer, secret_view(&v->body), on_answer, err);
}

/* Takes body. */
static int begin(struct vault *v, const char *operation, const char *key, struct secret *body,
	kek_wrapper_done done, void *ctx, struct error *err)
{
	int r;

	v->operation = operation;
	snprintf(v->key, sizeof(v->key), "%s", key);
	v->body = *body;
	*body = (struct secret){0};
	v->done = done;
	v->ctx = ctx;
	v->fresh = false;
	r = open_client(v, err);
	if (r == 0)
		r = send_request(v, err);
	if (r < 0) {
		v->operation = NULL;
		secret_free(&v->body);
	}
	return r;
}

static int vault_seal(
	void *self, struct span kek, kek_wrapper_done done, void *ctx, struct error *err)
{
	_cleanup_secret_ struct secret body = {0};
	struct vault *v = self;
	char key[KEK_BY_MAX];

	if (secret_init(&body, 64 + secret_base64_len(kek.len)) < 0)
		return error_oom(err);
	secret_add(&body, SPAN_LIT("{\"plaintext\":\""));
	secret_add_base64(&body, kek);
	secret_add(&body, SPAN_LIT("\"}"));
	snprintf(key, sizeof(key), "%.140s/%.140s", v->s->vault.mount, v->s->vault.key);
	return begin(v, "encrypt", key, &body, done, ctx, err);
}

/* The line says which key wrapped it: another one may wrap by now. */
static int with_line(struct vault *v, const char *operation, const struct kek_line *line,
	kek_wrapper_done done, void *ctx, struct error *err)
{
	_cleanup_secret_ struct secret body = {0};

	if (strspn(line->by,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") !=
			strlen(line->by) ||
		!strchr(line->by, '/') || strstr(line->by, "..") || strpbrk(line->wrapped, "\"\\"))
		return error_set(err, -EBADMSG, "key-encryption key %s is not as Vault wrapped it",
			line->id);
	if (strlen(line->wrapped) > SYMMETRIC_MAX)
		return error_set(err, -EBADMSG,
			"key-encryption key %s is wrapped by an RSA key of Vault, with whose "
			"public half anybody may have wrapped it: restore a backup",
			line->id);
	if (secret_init(&body, 64 + strlen(line->wrapped)) < 0)
		return error_oom(err);
	secret_add(&body, SPAN_LIT("{\"ciphertext\":\""));
	secret_add(&body, span_str(line->wrapped));
	secret_add(&body, SPAN_LIT("\"}"));
	return begin(v, operation, line->by, &body, done, ctx, err);
}

static int vault_open(void *self, const struct kek_line *line, kek_wrapper_done done, void *ctx,
	struct error *err)
{
	return with_line(self, "decrypt", line, done, ctx, err);
}

static int vault_rewrap(void *self, const struct kek_line *line, kek_wrapper_done done, void *ctx,
	struct error *err)
{
	return with_line(self, "rewrap", line, done, ctx, err);
}

static void vault_free(void *self)
{
	struct vault *v = self;

	http_client_free(v->client);
	secret_free(&v->body);
	secret_free(&v->token);
	free(v);
}

int kek_vault_new(
	struct kek_wrapper *ret, sd_event *event, const struct kek_settings *s, struct error *err)
{
	struct vault *v = calloc(1, sizeof(*v));
	size_t n = strlen(s->vault.address);

	if (!v)
		return error_oom(err);
	v->event = event;
	v->s = s;
	while (n && s->vault.address[n - 1] == '/')
		n--;
	snprintf(v->prefix, sizeof(v->prefix), "%.*s", (int)n, s->vault.address);
	*ret = (struct kek_wrapper){.self = v,
		.seal = vault_seal,
		.open = vault_open,
		.rewrap = vault_rewrap,
		.free = vault_free};
	snprintf(ret->by, sizeof(ret->by), "%.140s/%.140s", s->vault.mount, s->vault.key);
	return 0;
}
