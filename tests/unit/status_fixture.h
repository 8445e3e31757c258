/* SPDX-License-Identifier: Apache-2.0
 *
 * Made-up nodes for the tests of what is shown of one: for unit tests and for the browser test. */
#pragma once

#include "nodeagent/status/status.h"

enum { FIXTURE_CONTAINERS_MAX = 300 };

struct status_fixture {
	struct platform platform;
	struct plugin_info plugins[4];
	struct status_capacity capacities[2];
	struct status_devices devices[FIXTURE_CONTAINERS_MAX][2];
	struct status_container containers[FIXTURE_CONTAINERS_MAX];
	struct status status;
};

extern const char *const status_fixture_names[]; /* NULL-terminated */

/* The node of that name in f, which must stay where it is; false: there is none. */
bool status_fixture(struct status_fixture *f, const char *name);

/* What the node "hostile" has in every string: markup, quotes, controls, broken UTF-8. */
extern const char status_hostile[];
