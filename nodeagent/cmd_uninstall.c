/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent uninstall: takes from the Nodes what `helm uninstall` would leave there. Ends
 * the agents first, or they would publish again what is removed. Run by the chart as a hook before
 * the release's objects are deleted; running it again does no harm. */
#include <stdio.h>
#include <string.h>

#include "common/kube/uninstall.h"
#include "nodeagent/commands.h"
#include "nodeagent/node/node_view.h"

enum { NODE_PATH_MAX = 512 };

/* For kube_sync_each(). */
static int clean_node(void *ctx, struct kube_sync *c, struct json_val node, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(4096);
	char path[NODE_PATH_MAX], name[256];
	struct kube_request rq = {.method = "PATCH", .path = path, .patch = KUBE_PATCH_MERGE};
	const char *comma = "";
	struct node_view v;
	int r;

	(void)ctx;
	if (!json_copy(json_find(node, "metadata", "name"), name, sizeof(name)) ||
		node_view_read(&v, node) < 0)
		return 0;
	buf_puts(&body, "{\"status\":{\"capacity\":{");
	for (size_t k = 0; k < CAPACITY_KEY_N; k++) {
		if (!v.capacity[k].ours)
			continue;
		buf_printf(&body, "%s\"%s\":null", comma, capacity_key_name((enum capacity_key)k));
		comma = ",";
	}
	buf_puts(&body, "}}}");
	if (body.err)
		return error_oom(err);
	if (!*comma)
		return 0;
	snprintf(path, sizeof(path), "/api/v1/nodes/%s/status?fieldManager=%s", name,
		NODE_FIELD_MANAGER);
	rq.body = buf_view(&body);
	r = kube_sync_call(c, &rq, err);
	if (r == 200)
		printf("node %s: capacities removed\n", name);
	else if (r >= 0 && r != 404)
		return kube_sync_refused(c, &rq, err);
	return r < 0 ? r : 0;
}

int command_uninstall(int argc, char **argv)
{
	static const struct uninstall capacities = {
		.program = "casemate-nodeagent",
		.command = "uninstall",
		.kind = "daemonset",
		.name = "casemate-agent",
		.who = "the agents",
		.about = "Ends the agents and removes from all Nodes the capacities that they "
			 "published. "
			 "The\n"
			 "chart runs it before `helm uninstall` deletes the rest.\n",
		.objects = "/api/v1/nodes",
		.clean = clean_node,
	};

	return uninstall_command(&capacities, argc, argv);
}
