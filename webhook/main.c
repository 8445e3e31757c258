/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook: picks the command. */
#include "common/base/cleanup.h"
#include "common/net/probe.h"
#include "webhook/commands.h"

static const struct command commands[] = {
	{"serve", command_serve, "the daemon: admission, verifier, key broker"},
	{"review", command_review, "what the webhook would make of manifests, offline"},
	{"verify", command_verify, "whether evidence is good, and what it says, offline"},
	{"inspect", command_inspect, "what an enclave, image or pod is, as a profile lists it"},
	{"collateral", command_collateral,
		"what evidence is judged against: shows, bundles, fetches it"},
	{"uninstall", command_uninstall_verdicts, "removes verdicts from all Nodes"},
	{"uninstall-broker", command_uninstall_broker,
		"removes the broker's finalizer from all EnclaveProfiles"},
	{"key", command_key,
		"stored keys: lists, imports, rotates, backs up, restores, explains them"},
	{"keyprovider", command_keyprovider,
		"wraps the keys of an image's layers, for image tools"},
	{"seal", command_seal, "what stands for a key in a confidential VM's pod"},
	{"audit", command_audit, "is the broker's audit log whole, as its checkpoints say?"},
	{"probe", command_probe, "is a health endpoint happy? (images have no shell)"},
};

int main(int argc, char **argv)
{
	return command_main("casemate-webhook", "Makes Kubernetes pods confidential.", commands,
		ARRAY_SIZE(commands), argc, argv);
}
