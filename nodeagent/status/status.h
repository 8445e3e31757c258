/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person, a script or a scraper is shown of this node: one snapshot of plain data, borrowed
 * from whoever filled it, and what is made of it: JSON, text, the node page. Pure: no IO, no clock.
 * Text in it may come from anywhere (pods' names, files of the kernel); each output escapes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "nodeagent/attest/state.h"
#include "nodeagent/kubelet/plugin.h"
#include "nodeagent/kubelet/pod_resources.h"
#include "nodeagent/node/capacity.h"
#include "nodeagent/platform/platform.h"

enum status_source {
	STATUS_AGENT,     /* the daemon: everything below is filled */
	STATUS_DISCOVERY, /* the command alone looked at the platform; no devices, pods, connections
			   */
};

/* "NotConfigured", "Connected", "Disconnected" */
enum status_link {
	STATUS_NOT_CONFIGURED, /* standalone: nobody to talk to */
	STATUS_CONNECTED,
	STATUS_DISCONNECTED,
};
struct status_connection {
	enum status_link state;
	const char *problem; /* "" or why it is not connected */
};

struct status_capacity {
	const char *resource; /* capacity_key_name() */
	int64_t published;    /* what the Node is to have; -1: nothing of ours */
	int64_t allocatable;  /* what the Node says; -1: not there */
};

/* Bytes; the total is the platform's, by NUMA node. */
struct status_epc {
	int64_t reserved;  /* kept back by configuration */
	int64_t published; /* as capacity of the Node; -1: nothing */
	int64_t requested; /* by this node's pods; -1: unknown */
};

/* A container that holds devices. */
struct status_devices {
	const char *resource;
	const char *const *ids;
	size_t n_ids;
};
struct status_container {
	const char *namespace_, *pod, *container;
	const struct status_devices *devices;
	size_t n_devices;
	int64_t epc_bytes;      /* requested; -1: unknown, or none */
	int64_t epc_used_bytes; /* charged to its cgroup; -1: the kernel does not tell */
};

/* What was delivered to containers, since the agent started. */
struct status_keys {
	const char *broker; /* its URL; "": no keys are delivered here */
	unsigned folders, waiting;
	uint64_t delivered, refused, failed; /* requests */
	const char *problem;                 /* the last one that was not delivered; "" */
};
#define STATUS_KEYS_NONE ((struct status_keys){.broker = "", .problem = ""})

struct status {
	enum status_source source;
	const char *node, *version;
	int64_t now_usec, started_usec; /* Unix */
	const struct platform *platform;

	const struct plugin_info *plugins;
	size_t n_plugins;
	struct status_connection kubelet, api_server;

	const char *node_uid; /* "" until known */
	enum capacity_state capacity_state;
	const char *capacity_problem; /* "" */
	const struct status_capacity *capacities;
	size_t n_capacities;

	struct status_epc epc;
	const struct status_container *containers;
	size_t n_containers;
	bool containers_cut;            /* there are more than the kubelet was asked for */
	const char *containers_problem; /* "" or why this list is old or empty */

	struct attest_view attestation;
	struct status_keys keys;
};

/* Joins what the kubelet says of each resource to one entry a container, in order of namespace, pod
 * and container; EPC is left unknown. Arrays are in a, strings and ids stay h's. -ENOMEM. */
int status_containers(
	const struct holdings *h, struct arena *a, struct status_container **ret_v, size_t *ret_n);

/* Bytes that further pods can ask for; -1: unknown. */
int64_t status_epc_free(const struct status *s);

/* What a node can be. A host starts such VMs; a guest is one. */
enum status_tee {
	STATUS_SGX,
	STATUS_TDX_HOST,
	STATUS_SNP_HOST,
	STATUS_TDX_GUEST,
	STATUS_SNP_GUEST,
	STATUS_TEE_N,
};
const char *status_tee_name(enum status_tee t);  /* "tdx-host", as NodeAttestation's platform */
const char *status_tee_title(enum status_tee t); /* "TDX host" */
/* Misconfigured when a finding of its checks is; else Ready or Missing. */
enum finding_state status_tee_state(const struct platform *p, enum status_tee t);
/* Is there any sign of it on this node? What is not is told apart from what needs attention. */
bool status_tee_present(const struct platform *p, enum status_tee t);
/* The check that says whether there is a sign. */
enum platform_check status_tee_check(enum status_tee t);
enum status_tee status_check_tee(enum platform_check c);
const char *status_check_title(enum platform_check c); /* "Kernel driver" */

const char *status_link_name(enum status_link l);
const char *status_plugin_name(enum plugin_state s);     /* "Registered" */
const char *status_capacity_name(enum capacity_state s); /* "Published" */

/* What a person must look at; strings are s's or literals. */
struct status_problem {
	const char *what;  /* name of a check or resource, or "kubelet", "api-server", "capacity",
			    * "epc", "attestation" */
	const char *state; /* "Misconfigured", "Disconnected", … */
	const char *message;
};
enum { STATUS_PROBLEMS_MAX = 64 };
/* Fills v, misconfigured findings first; their number. A node without problems is healthy, also
 * when it has nothing to offer. Of a discovery only the platform is judged. */
size_t status_problems(const struct status *s, struct status_problem v[STATUS_PROBLEMS_MAX]);

/* In a few words, for titles: "2 things to fix", "all is well" given how many problems there are.
 */
int status_headline(const struct status *s, size_t n_problems, struct buf *b);
/* The titles of the TEEs that are present, or of those that are not: "SGX, TDX host"; nothing when
 * there is none. */
int status_tees(const struct platform *p, bool present, struct buf *b);

/* Outputs, appended to b; its err. */
int status_json(const struct status *s, struct buf *b); /* the README shows it */
int status_text(const struct status *s, struct buf *b); /* for a terminal */
int status_page(const struct status *s, struct buf *b); /* HTML, self-contained */
enum { STATUS_CONTAINERS_SHOWN = 256 /* by page and text; JSON has all */ };

#define STATUS_PATH_PAGE "/"
#define STATUS_PATH_JSON "/api/v1/status"
#define STATUS_PATH_TEXT "/api/v1/status.txt"
/* GET path: 200 or 404, what it answers and its type. */
int status_answer(const struct status *s, const char *path, struct buf *body,
	const char **ret_content_type);
