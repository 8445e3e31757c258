/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-exec-sgx: what casemate-exec is, for the inside of an SGX enclave. It brings its own
 * TLS, so that nothing outside of what is measured sees or chooses whom it asks. */
#include <openssl/ssl.h>
#include <stdio.h>

#include "common/kbs/key_id.h"
#include "nodeagent/exec/program.h"
#include "nodeagent/exec/sgx/broker.h"
#include "nodeagent/exec/sgx/release.h"

static const char help[] =
	"Usage: casemate-exec-sgx -- COMMAND [ARGUMENT...]\n"
	"\n"
	"Inside an SGX enclave of Gramine or Occlum: proves the enclave to Casemate's key broker,\n"
	"puts the keys that environment variables name in their place, and becomes COMMAND, which\n"
	"is searched in PATH. Values that name keys are " KEY_ID_KBS
	"NAMESPACE/PROFILE/KEY, and\n" DELIVERY_URL
	"PROFILE/KEY. Without such variables it just becomes COMMAND.\n"
	"\n"
	"The broker is what " SGX_BROKER_FILE " says, which must be measured (a trusted\n"
	"file of Gramine's, or in Occlum's image), as must the certificates that it names:\n"
	"  {\"url\": \"https://HOST[:PORT]\", \"ca\": \"FILE\"}\n"
	"and optional \"namespace\", of keys named without one, and \"token\", the file of the\n"
	"pod's projected token for casemate.dev, for keys granted to service accounts.\n"
	"\n"
	"Environment:\n" EXEC_HELP_TIMEOUT "\n" EXEC_HELP_EXIT;

int main(int argc, char **argv)
{
	struct exec_resolve_options o = {.ways = sgx_ways,
		.attestation = EXEC_ATTESTATION,
		.occlum = EXEC_OCCLUM,
		.broker = SGX_BROKER_FILE};

	/* OPENSSL_CONF is the environment's, which may be the host's, and could load what it likes.
	 */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
		fputs("casemate-exec-sgx: OpenSSL cannot be set up\n", stderr);
		return 1;
	}
	return exec_program("casemate-exec-sgx", help, &o, argc, argv);
}
