/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent: picks the command. */
#include "common/base/cleanup.h"
#include "common/net/probe.h"
#include "nodeagent/commands.h"
#include "nodeagent/status/cmd_status.h"

static const struct command commands[] = {
	{"run", command_run, "the daemon: devices, EPC and health of this node"},
	{"status", command_status, "what this node has, who uses it, what to fix"},
	{"evidence-enclave", command_evidence_enclave,
		"what a policy must name of SGX hosts' evidence"},
	{"uninstall", command_uninstall, "takes from the Nodes what the agents put there"},
	{"probe", command_probe, "is a health endpoint happy? (images have no shell)"},
};

int main(int argc, char **argv)
{
	return command_main("casemate-nodeagent",
		"Makes what a node has for confidential pods usable, and shows its state.",
		commands, ARRAY_SIZE(commands), argc, argv);
}
