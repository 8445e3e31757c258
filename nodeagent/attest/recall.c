/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/recall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "nodeagent/attest/token.h"

enum { OBJECT_MAX = 64 << 10, PATH_BYTES = 384 };

struct recall {
	struct attest *attest;
	char *token_file;
	struct kube_call *call;
};

struct recalled {
	enum attest_state state;
	char reason[64], message[512];
	int64_t valid_until; /* Unix seconds */
};

/* The verdict in an object's status for the node with this UID; false: none that holds at now. */
static bool read_verdict(
	struct recalled *ret, struct json_val object, const char *node_uid, int64_t now_sec)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(OBJECT_MAX);
	struct json_val status = json_get(object, "status");
	char verdict[16];
	int64_t usec;

	*ret = (struct recalled){.state = ATTEST_PENDING};
	if (!json_str_is(json_get(status, "nodeUID"), node_uid) ||
		clock_parse(json_str(json_get(status, "validUntil"), &a), &usec) < 0)
		return false;
	ret->valid_until = usec / USEC_PER_SEC;
	json_copy(json_get(status, "verdict"), verdict, sizeof(verdict));
	json_copy(json_get(status, "reason"), ret->reason, sizeof(ret->reason));
	json_copy(json_get(status, "message"), ret->message, sizeof(ret->message));
	ret->state = attest_state_of(verdict);
	return ret->state != ATTEST_PENDING && now_sec < ret->valid_until;
}

static void on_object(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {OBJECT_MAX, 4096, 32};
	_cleanup_arena_ struct arena m = ARENA_INIT(2 * TOKEN_MAX);
	_cleanup_json_ struct json doc = {0};
	struct recall *r = ctx;
	struct token_claims claims;
	struct recalled was;
	struct span token;

	r->call = NULL;
	if (res->code != 0 || res->status != 200 ||
		token_load(&claims, &token, r->token_file, &m, NULL) < 0 ||
		json_parse(&doc, res->body, &limits, NULL) < 0)
		return;
	if (read_verdict(&was, json_root(&doc), claims.node_uid, clock_unix_usec() / USEC_PER_SEC))
		attest_recall(r->attest, was.state, was.reason, was.message, was.valid_until);
}

int recall_start(struct recall **ret, struct attest *a, struct kube_client *kube, const char *node,
	const char *token_file, struct error *err)
{
	char path[PATH_BYTES];
	const struct kube_request req = {.method = "GET", .path = path, .max_response = OBJECT_MAX};
	struct recall *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		return error_oom(err);
	r->attest = a;
	r->token_file = strdup(token_file);
	n = snprintf(path, sizeof(path), "/apis/casemate.dev/v1alpha1/nodeattestations/%s", node);
	if (!r->token_file || n < 0 || (size_t)n >= sizeof(path))
		n = error_oom(err);
	else
		n = kube_call(kube, &req, on_object, r, &r->call, err);
	if (n < 0) {
		recall_free(r);
		return n;
	}
	*ret = r;
	return 0;
}

void recall_free(struct recall *r)
{
	if (!r)
		return;
	kube_cancel(r->call);
	free(r->token_file);
	free(r);
}
