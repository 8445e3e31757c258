/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/token_review.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/algorithm.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/secret.h"

enum {
	TIMEOUT_USEC = 5 * USEC_PER_SEC,
	RESPONSE_MAX = 256 * 1024,
	ARENA_MAX = 64 * 1024, /* of one verdict */
	AUDIENCE_MAX = 253,
};

struct waiter {
	struct waiter *next;
	struct review *review;
	caller_judged done;
	void *arg;
};

/* A question about one token and, later, its verdict. */
struct review {
	struct review *next;
	struct token_review *owner;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct kube_call *call; /* under way */
	struct waiter *waiters;
	bool telling; /* the waiters, one by one */
	int64_t until_usec;
	struct caller caller;
	struct arena arena; /* what caller points to */
};

struct token_review {
	struct kube_client *kube;
	char *audience;
	int64_t good_usec, bad_usec;
	unsigned rate, kept;
	char refused[512]; /* message of a 401 */
	struct review *newest;
	unsigned n;
	int64_t second_usec; /* when the second of asked began */
	unsigned asked;
};

int token_review_new(struct token_review **ret_t, struct kube_client *kube,
	const struct token_review_options *o, struct error *err)
{
	_cleanup_(token_review_free_p) struct token_review *t = NULL;

	if (!o->audience[0] || strlen(o->audience) > AUDIENCE_MAX)
		return error_set(err, -EINVAL, "the audience of tokens must have 1 to %d bytes",
			AUDIENCE_MAX);
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_oom(err);
	t->kube = kube;
	t->good_usec = o->good_usec ? o->good_usec : (int64_t)TOKEN_REVIEW_GOOD_SEC * USEC_PER_SEC;
	t->bad_usec = o->bad_usec ? o->bad_usec : (int64_t)TOKEN_REVIEW_BAD_SEC * USEC_PER_SEC;
	t->rate = o->rate ? o->rate : TOKEN_REVIEW_RATE;
	t->kept = o->kept ? o->kept : TOKEN_REVIEW_KEPT_MAX;
	t->audience = strdup(o->audience);
	if (!t->audience)
		return error_oom(err);
	snprintf(t->refused, sizeof(t->refused),
		"the API server does not accept this token for the audience \"%s\": send one that "
		"is made for it and has not expired (a projected volume with serviceAccountToken "
		"and that audience, or kubectl create token --audience)",
		t->audience);
	*ret_t = TAKE_PTR(t);
	return 0;
}

static void review_free(struct review *r)
{
	struct waiter *w;

	kube_cancel(r->call);
	while ((w = r->waiters)) {
		r->waiters = w->next;
		free(w);
	}
	arena_free(&r->arena);
	free(r);
}

void token_review_free(struct token_review *t)
{
	struct review *r;

	if (!t)
		return;
	while ((r = t->newest)) {
		t->newest = r->next;
		review_free(r);
	}
	free(t->audience);
	free(t);
}

static void review_drop(struct review **at)
{
	struct review *r = *at;

	*at = r->next;
	r->owner->n--;
	review_free(r);
}

static bool is_open(const struct review *r)
{
	return r->call || r->telling;
}

static void forget_old(struct token_review *t, int64_t now)
{
	struct review **at = &t->newest;

	while (*at)
		if (!is_open(*at) && (*at)->until_usec <= now)
			review_drop(at);
		else
			at = &(*at)->next;
}

/* Drops a verdict when there is no room for another: the oldest bad one, so that guessers cannot
 * displace a good one, or else the oldest. */
static void make_room(struct token_review *t)
{
	struct review **oldest = NULL;

	if (t->n < t->kept)
		return;
	for (struct review **at = &t->newest; *at; at = &(*at)->next)
		if (!is_open(*at) &&
			(!oldest || (*at)->caller.status != 200 || (*oldest)->caller.status == 200))
			oldest = at;
	if (oldest)
		review_drop(oldest);
}

static void tell(struct review *r)
{
	struct waiter *w;

	r->telling = true;
	while ((w = r->waiters)) {
		r->waiters = w->next;
		w->done(w->arg, &r->caller);
		free(w);
	}
	r->telling = false;
}

/* Is audience among those that the API server found the token to be for? Older ones that know
 * nothing of audiences answer none. */
static bool is_for(struct json_val status, const char *audience)
{
	struct json_iter it;

	json_each (it, json_get(status, "audiences"))
		if (json_str_is(it.value, audience))
			return true;
	return false;
}

/* The one value of a claim, "" when there is none or several; NULL: no memory. */
static const char *read_claim(struct review *r, struct json_val user, const char *name)
{
	char key[64];
	struct json_val values;

	snprintf(key, sizeof(key), "authentication.kubernetes.io/%s", name);
	values = json_find(user, "extra", key);
	if (!json_is_array(values) || json_count(values) != 1 ||
		!json_is_string(json_at(values, 0)))
		return "";
	return arena_strdup(&r->arena, json_str(json_at(values, 0), &r->arena));
}

static int read_claims(struct review *r, struct json_val user)
{
	struct caller *c = &r->caller;

	c->node_name = read_claim(r, user, "node-name");
	c->node_uid = read_claim(r, user, "node-uid");
	c->pod_name = read_claim(r, user, "pod-name");
	c->pod_uid = read_claim(r, user, "pod-uid");
	return c->node_name && c->node_uid && c->pod_name && c->pod_uid ? 0 : -EBADMSG;
}

static int read_user(struct review *r, struct json_val user)
{
	struct json_val groups = json_get(user, "groups");
	size_t n = json_count(groups), kept = 0;
	const char **list;
	struct json_iter it;

	if (n > TOKEN_REVIEW_GROUPS_MAX)
		n = TOKEN_REVIEW_GROUPS_MAX;
	list = arena_array(&r->arena, const char *, n + 1);
	r->caller.user = arena_strdup(&r->arena, json_str(json_get(user, "username"), &r->arena));
	if (!list || !r->caller.user || !r->caller.user[0])
		return -EBADMSG;
	json_each (it, groups)
		if (kept < n) {
			list[kept] = arena_strdup(&r->arena, json_str(it.value, &r->arena));
			if (!list[kept++])
				return -EBADMSG;
		}
	r->caller.groups = list;
	r->caller.n_groups = kept;
	return read_claims(r, user);
}

static void judge_answer(struct review *r, struct span body)
{
	static const struct json_limits limits = {
		.max_bytes = RESPONSE_MAX, .max_nodes = 4096, .max_depth = 32};
	_cleanup_json_ struct json json = {0};
	struct json_val status;

	r->caller = (struct caller){.status = 503,
		.message = "the API server's answer about the token makes no sense; try again"};
	if (json_parse(&json, body, &limits, NULL) < 0)
		return;
	status = json_get(json_root(&json), "status");
	if (!json_is_object(status))
		return;
	if (json_type(json_get(status, "authenticated")) != JSON_TRUE ||
		!is_for(status, r->owner->audience)) {
		r->caller = (struct caller){.status = 401, .message = r->owner->refused};
		return;
	}
	if (read_user(r, json_get(status, "user")) == 0)
		r->caller.status = 200;
}

static void on_reviewed(void *ctx, const struct kube_result *res)
{
	struct review *r = ctx;

	r->call = NULL;
	if (res->code == 0 && res->status >= 200 && res->status <= 299)
		judge_answer(r, res->body);
	else
		r->caller = (struct caller){.status = 503,
			.message = res->status == 401 || res->status == 403
					   ? "the API server does not let this program review "
					     "tokens: its "
					     "service account needs create on "
					     "tokenreviews.authentication.k8s.io"
					   : "the API server could not be asked about the token; "
					     "try again"};
	if (r->caller.status != 503)
		r->until_usec =
			clock_monotonic_usec() +
			(r->caller.status == 200 ? r->owner->good_usec : r->owner->bad_usec);
	tell(r);
}

/* The token needs no escaping: see is_token(). */
static int send_review(struct review *r, struct span token)
{
	static const char head[] =
		"{\"kind\":\"TokenReview\",\"apiVersion\":"
		"\"authentication.k8s.io/v1\",\"metadata\":{},\"spec\":{\"token\":\"";
	_cleanup_buf_ struct buf tail = BUF_INIT(2048);
	_cleanup_secret_ struct secret body = {0};
	struct kube_request req = {
		.method = "POST",
		.path = "/apis/authentication.k8s.io/v1/tokenreviews",
		.timeout_usec = TIMEOUT_USEC,
		.max_response = RESPONSE_MAX,
	};

	buf_puts(&tail, "\",\"audiences\":[");
	buf_json_string(&tail, span_str(r->owner->audience));
	if (buf_puts(&tail, "]}}") < 0 ||
		secret_init(&body, sizeof(head) + token.len + tail.len) < 0)
		return -ENOMEM;
	secret_add(&body, span_str(head));
	secret_add(&body, token);
	secret_add(&body, buf_view(&tail));
	req.body = secret_view(&body);
	return kube_call(r->owner->kube, &req, on_reviewed, r, &r->call, NULL);
}

/* b68token and the dots of a JWT (RFC 6750 section 2.1). */
static bool is_token(struct span t)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-._~+/=";

	if (t.len == 0 || t.len > TOKEN_REVIEW_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (!memchr(allowed, t.p[i], sizeof(allowed) - 1))
			return false;
	return true;
}

static bool within_rate(struct token_review *t, int64_t now)
{
	if (now - t->second_usec >= USEC_PER_SEC) {
		t->second_usec = now;
		t->asked = 0;
	}
	return t->asked++ < t->rate;
}

static struct waiter *wait_for(struct review *r, caller_judged done, void *arg)
{
	struct waiter *w = malloc(sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct waiter){.next = r->waiters, .review = r, .done = done, .arg = arg};
	r->waiters = w;
	return w;
}

/* NULL: there is no way to ask now. */
static struct review *review_new(struct token_review *t, struct span token,
	const unsigned char digest[SHA256_DIGEST_LENGTH], int64_t now)
{
	struct review *r;

	if (!within_rate(t, now))
		return NULL;
	make_room(t);
	if (t->n >= t->kept)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->owner = t;
	r->arena = ARENA_INIT(ARENA_MAX);
	memcpy(r->digest, digest, sizeof(r->digest));
	if (send_review(r, token) < 0) {
		review_free(r);
		return NULL;
	}
	r->next = t->newest;
	t->newest = r;
	t->n++;
	return r;
}

static void *ask(void *ctx, struct span token, caller_judged done, void *arg)
{
	static const struct caller busy = {
		.status = 503, .message = "too many tokens to review at once; try again"};
	struct token_review *t = ctx;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	int64_t now = clock_monotonic_usec();
	struct waiter *w = NULL;
	struct review *r;

	if (!is_token(token)) {
		done(arg, &(struct caller){.status = 401, .message = t->refused});
		return NULL;
	}
	if (!algorithm_hash(token.p, token.len, digest)) {
		done(arg, &busy);
		return NULL;
	}
	forget_old(t, now);
	for (r = t->newest; r && memcmp(r->digest, digest, sizeof(digest)) != 0; r = r->next)
		;
	if (r && !r->call) {
		done(arg, &r->caller);
		return NULL;
	}
	if (!r)
		r = review_new(t, token, digest, now);
	if (r)
		w = wait_for(r, done, arg);
	if (!w)
		done(arg, &busy);
	return w;
}

static void cancel(void *ctx, void *asked)
{
	struct waiter *w = asked, **at = &w->review->waiters;

	(void)ctx;
	while (*at && *at != w)
		at = &(*at)->next;
	if (*at) {
		*at = w->next;
		free(w);
	}
}

struct caller_judge token_review_judge(struct token_review *t)
{
	return (struct caller_judge){.ask = ask, .cancel = cancel, .ctx = t};
}
