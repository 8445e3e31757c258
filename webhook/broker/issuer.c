/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/issuer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/settings_file.h"
#include "common/net/file_watch.h"

enum { NODES_MAX = 1024, DEPTH_MAX = 16, STRINGS_MAX = 64 * 1024 };

#define ACCOUNT "system:serviceaccount:"

struct issuer {
	struct arena arena; /* of the strings */
	struct issuer_rules rules;
	const char *path;
	struct jwks keys;
	struct file_watch *watch;
};

static int refuse(struct error *err, const char *what)
{
	return error_set(err, -EACCES, "%s", what);
}

static bool is_for(struct json_val aud, const char *audience)
{
	struct json_iter it;

	if (json_str_is(aud, audience))
		return true;
	if (json_is_array(aud))
		json_each (it, aud)
			if (json_str_is(it.value, audience))
				return true;
	return false;
}

static int check_times(struct json_val claims, int64_t now, struct error *err)
{
	int64_t exp, nbf, iat;

	if (!json_int(json_get(claims, "exp"), &exp) || !json_int(json_get(claims, "nbf"), &nbf) ||
		!json_int(json_get(claims, "iat"), &iat))
		return refuse(err, "it does not say from when to when it holds");
	if (now >= exp)
		return refuse(err, "it has expired");
	if (nbf > now + ISSUER_SKEW_SEC || iat > now + ISSUER_SKEW_SEC)
		return refuse(err, "it is from the future: set the clocks");
	if (iat < now - ISSUER_TOKEN_SEC)
		return refuse(err, "it was made more than ten minutes ago: bring a newer one");
	return 0;
}

static bool copy(struct json_val v, char *to, size_t size)
{
	return json_copy(v, to, size) && to[0];
}

/* The names that are put together again must be those that the API server put there. */
static int check_account(
	struct issued *who, struct json_val claims, struct json_val bound, struct error *err)
{
	char namespace_[64], name[ISSUER_NAME_MAX];

	if (!copy(json_get(bound, "namespace"), namespace_, sizeof(namespace_)) ||
		!copy(json_find(bound, "serviceaccount", "name"), name, sizeof(name)))
		return refuse(err, "it does not say which service account it is of");
	snprintf(who->user, sizeof(who->user), ACCOUNT "%s:%s", namespace_, name);
	if (strchr(namespace_, ':') || strchr(name, ':') ||
		!json_str_is(json_get(claims, "sub"), who->user))
		return refuse(err, "its subject is not the service account that it is bound to");
	return 0;
}

static int check_claims(struct issued *who, struct json_val claims,
	const struct issuer_rules *rules, int64_t now, struct error *err)
{
	struct json_val bound = json_get(claims, "kubernetes.io");
	struct json_val pod = json_get(bound, "pod"), node = json_get(bound, "node");
	int r;

	if (!json_str_is(json_get(claims, "iss"), rules->issuer))
		return refuse(err, "it is another issuer's (broker.tokens.issuer)");
	if (!is_for(json_get(claims, "aud"), rules->audience))
		return refuse(err, "it is for another audience (broker.tokens.audience)");
	r = check_times(claims, now, err);
	if (r == 0)
		r = check_account(who, claims, bound, err);
	if (r < 0)
		return r;
	if (!copy(json_get(pod, "name"), who->pod, sizeof(who->pod)) ||
		!copy(json_get(pod, "uid"), who->pod_uid, sizeof(who->pod_uid)))
		return refuse(err, "it is bound to no pod: bring the pod's projected token");
	if (!copy(json_get(node, "name"), who->node, sizeof(who->node)) ||
		!copy(json_get(node, "uid"), who->node_uid, sizeof(who->node_uid)))
		return refuse(err, "it does not say on which node its pod is; Kubernetes 1.30 or "
				   "newer is needed");
	return 0;
}

int issuer_claims(struct issued *ret, struct span payload, const struct issuer_rules *rules,
	int64_t now_sec, struct error *err)
{
	static const struct json_limits limits = {JWS_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_json_ struct json doc = {0};
	struct issued who = {0};
	int r = json_parse(&doc, payload, &limits, NULL);

	if (r == -ENOMEM)
		return error_oom(err);
	if (r < 0 || !json_is_object(json_root(&doc)))
		return refuse(err, "its claims cannot be read");
	r = check_claims(&who, json_root(&doc), rules, now_sec, err);
	if (r == 0)
		*ret = who;
	return r;
}

/*
 * The file of keys
 */

static int load(struct issuer *i, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(2 * JWKS_TEXT_MAX);
	struct jwks next = {0};
	struct span text;
	int r = settings_read_file(i->path, JWKS_TEXT_MAX, &a, &text, err);

	if (r == 0) {
		r = jwks_read(&next, text, err);
		if (r < 0)
			error_prefix(err, r, "%s", i->path);
	}
	if (r < 0)
		return r;
	jwks_free(&i->keys);
	i->keys = next;
	return 0;
}

static void on_changed(void *ctx)
{
	struct issuer *i = ctx;
	struct error err = {0};

	if (load(i, &err) < 0)
		log_error(err.message, "Could not take up the issuer's keys; the old ones stay");
	else
		log_info(2, "Took up the issuer's keys", LOG_INT("count", (int64_t)i->keys.n));
}

int issuer_new(struct issuer **ret_i, sd_event *event, const char *jwks,
	const struct issuer_rules *rules, struct error *err)
{
	_cleanup_(issuer_free_p) struct issuer *i = calloc(1, sizeof(*i));
	const char *const paths[] = {jwks, NULL};
	int r;

	if (!i)
		return error_oom(err);
	i->arena = ARENA_INIT(STRINGS_MAX);
	i->rules.issuer = arena_strdup(&i->arena, span_str(rules->issuer));
	i->rules.audience = arena_strdup(&i->arena, span_str(rules->audience));
	i->path = arena_strdup(&i->arena, span_str(jwks));
	if (!i->rules.issuer || !i->rules.audience || !i->path)
		return error_oom(err);
	r = file_watch_new(&i->watch, event, paths, on_changed, i, err);
	if (r == 0)
		r = load(i, err);
	if (r < 0)
		return r;
	*ret_i = TAKE_PTR(i);
	return 0;
}

void issuer_free(struct issuer *i)
{
	if (!i)
		return;
	file_watch_free(i->watch);
	jwks_free(&i->keys);
	arena_free(&i->arena);
	free(i);
}

static void *ask(void *ctx, struct span token, caller_judged done, void *arg)
{
	struct issuer *i = ctx;
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
	struct issued who = {0};
	struct error err = {0};
	int r = jwks_verify(&i->keys, token, &payload, &err);

	if (r == 0)
		r = issuer_claims(&who, buf_view(&payload), &i->rules,
			clock_unix_usec() / (int64_t)USEC_PER_SEC, &err);
	done(arg, &(struct caller){
			  .status = r == 0         ? 200
				    : r == -ENOMEM ? 503
						   : 401,
			  .message = err.message,
			  .user = who.user,
			  .pod_name = who.pod,
			  .pod_uid = who.pod_uid,
			  .node_name = who.node,
			  .node_uid = who.node_uid,
		  });
	return NULL;
}

static void cancel(void *ctx, void *asked)
{
	(void)ctx;
	(void)asked;
}

struct caller_judge issuer_judge(struct issuer *i)
{
	return (struct caller_judge){.ask = ask, .cancel = cancel, .ctx = i};
}
