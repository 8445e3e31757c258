/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook uninstall: takes verdicts from the Nodes, which `helm uninstall` would leave
 * there: labels, the condition ConfidentialAttested, the taint. Ends the verifier first, or it
 * would put them right again. Run by the chart as a hook before the release's objects are deleted,
 * under the verifier's own account, so that the policies about verdicts hold until the end; running
 * it again does no harm. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/kube/uninstall.h"
#include "webhook/commands.h"
#include "webhook/verifier/marks.h"
#include "webhook/verifier/nodes.h"

enum {
	NODE_PATH_MAX = 512,
	TRIES_MAX = 6, /* of a Node: its labels, its taint, and kubelets write it all the time */
	BODY_MAX = 32 * 1024,
};

/* One write of what the Node has and should not, to path. 0: nothing is left; else the HTTP
 * status. */
static int take_marks(struct kube_sync *c, const char *name, const struct marks_seen *seen,
	char path[NODE_PATH_MAX], struct error *err)
{
	static const struct marks none = {.taint = false};
	_cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
	struct kube_request rq = {.method = "PATCH", .path = path};

	if (!marks_in_place(seen, &none)) {
		snprintf(path, NODE_PATH_MAX, NODES_PATH "/%s/status", name);
		rq.patch = KUBE_PATCH_STRATEGIC;
		marks_patch(&body, seen, &none, clock_unix_usec() / USEC_PER_SEC);
	} else if (!marks_taint_in_place(seen, &none)) {
		snprintf(path, NODE_PATH_MAX, NODES_PATH "/%s", name);
		rq.patch = KUBE_PATCH_JSON;
		marks_taint_patch(&body, seen, &none);
	} else {
		return 0;
	}
	if (body.err)
		return error_oom(err);
	rq.body = buf_view(&body);
	return kube_sync_call(c, &rq, err);
}

/* The Node as it is by now. 0, or 404. */
static int read_again(
	struct kube_sync *c, const char *name, struct marks_seen *ret, struct error *err)
{
	static const struct json_limits limits = {KUBE_RESPONSE_MAX, 1 << 20, 64};
	char path[NODE_PATH_MAX];
	const struct kube_request rq = {.method = "GET", .path = path};
	_cleanup_json_ struct json doc = {0};
	int r;

	snprintf(path, sizeof(path), NODES_PATH "/%s", name);
	r = kube_sync_call(c, &rq, err);
	if (r < 0 || r == 404)
		return r;
	if (r != 200)
		return kube_sync_refused(c, &rq, err);
	r = json_parse(&doc, buf_view(&c->body), &limits, err);
	if (r == 0)
		r = marks_read(ret, json_root(&doc));
	return r < 0 ? error_prefix(err, r, "node %s", name) : 0;
}

/* For kube_sync_each(). */
static int clean_node(void *ctx, struct kube_sync *c, struct json_val node, struct error *err)
{
	struct marks_seen seen;
	char name[NODE_NAME_MAX], path[NODE_PATH_MAX];
	const struct kube_request rq = {.method = "PATCH", .path = path};

	(void)ctx;
	if (!json_copy(json_find(node, "metadata", "name"), name, sizeof(name)) ||
		marks_read(&seen, node) < 0)
		return 0;
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		int r = take_marks(c, name, &seen, path, err);

		if (r <= 0 || r == 404) {
			if (tries && r == 0)
				printf("node %s: its verdict is removed\n", name);
			return r < 0 ? r : 0;
		}
		/* 409, 422: somebody else wrote meanwhile. */
		if (r != 200 && r != 409 && r != 422)
			return kube_sync_refused(c, &rq, err);
		r = read_again(c, name, &seen, err);
		if (r)
			return r < 0 ? r : 0;
	}
	return error_set(err, -EBUSY, "node %s: somebody else keeps changing it; try again", name);
}

int command_uninstall_verdicts(int argc, char **argv)
{
	static const struct uninstall verdicts = {
		.program = "casemate-webhook",
		.command = "uninstall",
		.kind = "deployment",
		.name = "casemate-verifier",
		.who = "the verifier",
		.about = "Ends the verifier and removes its verdicts from all Nodes: labels, "
			 "condition, "
			 "taint.\n"
			 "The chart runs it before `helm uninstall` deletes the rest. "
			 "NodeAttestations "
			 "stay.\n",
		.objects = NODES_PATH,
		.clean = clean_node,
	};

	return uninstall_command(&verdicts, argc, argv);
}
