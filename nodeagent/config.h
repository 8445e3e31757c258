/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can be set about casemate-nodeagent: the file /etc/casemate/agent.yaml, the
 * environment (CASEMATE_…) and the command line, one table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/net/ops.h"
#include "nodeagent/platform/simulate.h"

struct agent_config {
	struct arena arena; /* owns every string below */
	const char *file;   /* it was read from; "" : none */
	bool check_config;

	bool standalone; /* no Kubernetes: platform, page and metrics alone */
	const char *node_name;
	const char *kubeconfig;

	const char *sysroot;      /* dev, sys, proc, etc and boot of the node are below it */
	const char *cpuid_file;   /* a recorded CPUID; "": the processor's */
	const char *simulate;     /* "": the real platform */
	struct simulation simulation;
	const char *simulation_dir;

	const char *kubelet_dir;
	int64_t enclave_limit, provision_limit; /* containers at once */
	struct {
		bool enabled;
		const char *socket, *dir;
		int64_t limit, timeout_usec, max_connections;
	} aesm;
	struct {
		bool publish;
		int64_t reserve; /* bytes kept back */
		bool accounting; /* watch the node's pods */
		bool enforce;    /* by cgroup, where the kernel can */
	} epc;

	bool sgx_evidence; /* the evidence enclave can be loaded */

	struct {
		const char *url; /* "": nothing is proved */
		const char *ca, *token; /* files */
		int64_t start_usec;
	} verifier;

	struct {
		const char *url; /* "": no keys are delivered */
		const char *ca;  /* a file */
	} broker;
	struct {
		bool enabled;
		const char *dir, *state_dir, *program;
		const char *provider; /* a socket; "": layers are not unwrapped */
		int64_t limit, refresh_usec; /* 0: promised files are never replaced */
	} keys;

	const char *health_listen, *metrics_listen, *page_listen; /* "ADDRESS:PORT" or "none" */
	struct ops_security metrics;

	int log_format; /* enum log_format */
	int64_t verbosity;
};

/* As webhook_config_load(). */
int agent_config_load(struct agent_config **ret_c, int argc, char **argv, struct error *err);
void agent_config_free(struct agent_config *c);
DEFINE_CLEANUP(struct agent_config *, agent_config_free)

/* Are keys delivered to containers, on a node that can prove itself? */
bool agent_config_delivers(const struct agent_config *c);

/* The options of `run` for --help. */
int agent_config_help(struct buf *out);
