/* SPDX-License-Identifier: Apache-2.0
 *
 * Any JSON as a Node and as a Pod: what is read of it stays within its bounds, is found again, and
 * makes a plan that ends. */
#include "nodeagent/node/capacity_plan.h"
#include "nodeagent/node/node_pod.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_amount(int64_t n)
{
	must(n >= 0 || n == NODE_ABSENT || n == NODE_UNREADABLE);
}

/* Published once, a write settles it, whatever was there. */
static void check_plan(const struct node_amount *seen)
{
	struct node_amount ours = {.n = 7, .ours = true};
	struct capacity_plan p;

	capacity_plan_init(&p);
	capacity_plan_see(&p, seen, 1);
	must(capacity_plan_due(&p) == CAPACITY_NEVER);
	capacity_plan_want(&p, 7);
	must((capacity_plan_due(&p) == CAPACITY_NEVER) == (seen->n == 7));
	capacity_plan_begin(&p, 2, 0);
	must(capacity_plan_see(&p, &ours, 3) == NEWS_NONE);
	must(capacity_plan_due(&p) == CAPACITY_NEVER);
	must(capacity_plan_see(&p, seen, 4) == NEWS_NONE);
	must((capacity_plan_due(&p) == CAPACITY_NEVER) == (seen->n == 7));
	must((capacity_plan_see(&p, &ours, 5) == NEWS_RESTORED) == (seen->n != 7));
}

static void check_node(struct json_val v)
{
	struct node_view view;
	int r = node_view_read(&view, v);

	must(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	must(view.uid[0] && strlen(view.uid) <= NODE_UID_MAX);
	for (enum capacity_key k = 0; k < CAPACITY_KEY_N; k++) {
		check_amount(view.capacity[k].n);
		check_amount(view.allocatable[k]);
		must(strlen(view.capacity[k].other) <= NODE_MANAGER_MAX);
		check_plan(&view.capacity[k]);
	}
}

static void check_pod(struct json_val v)
{
	struct node_pod *p = NULL, *again = NULL;
	int r = node_pod_read(&p, v);
	int64_t most = 0;

	must(r == 0 || r == 1 || r == -EBADMSG);
	must((r == 1) == (p != NULL));
	if (!p)
		return;
	must(p->namespace_[0] && p->name[0] && p->uid[0] && p->cgroup_uid[0]);
	must(p->n > 0 && p->n <= NODE_POD_CONTAINERS_MAX);
	for (size_t i = 0; i < p->n; i++) {
		must(p->containers[i].epc >= 0);
		must(strlen(p->containers[i].name) + strlen(p->containers[i].id) < 1 << 20);
		if (p->containers[i].epc > most)
			most = p->containers[i].epc;
	}
	must(p->epc >= most);
	must(node_pod_read(&again, v) == 1 && node_pod_equal(p, again));
	node_pod_free(p);
	node_pod_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits limits = {1 << 20, 1 << 16, 64};
	struct json doc = {0};

	if (json_parse(&doc, (struct span){(const char *)data, size}, &limits, NULL) == 0) {
		check_node(json_root(&doc));
		check_pod(json_root(&doc));
	}
	json_free(&doc);
	return 0;
}
