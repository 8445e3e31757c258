/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-exec: puts keys in the place of their names in the environment, and becomes the program
 * that it is given. Static, so that it runs in any image. Keys are in no argument, file or message;
 * in the program's own environment, where it asked for them. */
#include "common/kbs/key_id.h"
#include "nodeagent/exec/guest.h"
#include "nodeagent/exec/program.h"

static const char help[] =
	"Usage: casemate-exec -- COMMAND [ARGUMENT...]\n"
	"\n"
	"Asks Casemate's agent on this node for the keys that environment variables name, by\n"
	"values like " DELIVERY_URL "PROFILE/KEY, puts the keys in their place, and becomes\n"
	"COMMAND, which is searched in PATH. Without such variables it just becomes COMMAND.\n"
	"\n"
	"The socket is " DELIVERY_SOCKET ", the pod's token " DELIVERY_TOKEN ":\n"
	"Casemate's webhook puts both into containers that are promised keys.\n"
	"\n"
	"Where there is no " DELIVERY_DIR ", it asks the guest components of Confidential\n"
	"Containers on 127.0.0.1:8006, as in Kata's confidential VMs. There values may also "
	"be\n" KEY_ID_KBS "NAMESPACE/PROFILE/KEY; the others are keys of " EXEC_NAMESPACE_NAME ".\n"
	"In an SGX enclave it gives up: casemate-exec-sgx is for those.\n"
	"\n"
	"Environment:\n"
	"  " EXEC_NAMESPACE_NAME
	"     namespace of the pod, in a confidential VM\n" EXEC_HELP_TIMEOUT "\n" EXEC_HELP_EXIT;

int main(int argc, char **argv)
{
	struct exec_resolve_options o = {.ways = exec_ways,
		.dir = DELIVERY_DIR,
		.socket = DELIVERY_SOCKET,
		.token = DELIVERY_TOKEN,
		.guest_port = EXEC_GUEST_PORT,
		.attestation = EXEC_ATTESTATION,
		.occlum = EXEC_OCCLUM,
		.namespace_ = getenv(EXEC_NAMESPACE_NAME)};

	return exec_program("casemate-exec", help, &o, argc, argv);
}
