/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent evidence-enclave: what a verifier's policy names of the enclave that SGX hosts
 * prove themselves with. */
#include <stdio.h>
#include <unistd.h>

#include "common/base/codec.h"
#include "common/base/settings.h"
#include "nodeagent/commands.h"
#include "nodeagent/enclave/report.h"

struct options {
	bool json, mrenclave;
};
#define AT(field) offsetof(struct options, field)

static const struct setting table[] = {
	{.name = "json",
		.type = SETTING_BOOL,
		.offset = AT(json),
		.no_file = true,
		.help = "as JSON, with the enclave's machine code in hexadecimal"},
	{.name = "mrenclave",
		.type = SETTING_BOOL,
		.offset = AT(mrenclave),
		.no_file = true,
		.help = "MRENCLAVE alone"},
};

/* The signer is that of a key which exists for one report: nothing to name in a policy. */
static void print_json(const char *mrenclave)
{
	_cleanup_buf_ struct buf code = BUF_INIT(2 * ENCLAVE_PAGE);

	codec_hex(&code, evidence_enclave_code, evidence_enclave_code_size);
	printf("{\n"
	       "  \"mrenclave\": \"%s\",\n"
	       "  \"mrsigner\": null,\n"
	       "  \"isvProdId\": %d,\n"
	       "  \"isvSvn\": %d,\n"
	       "  \"code\": \"%s\"\n"
	       "}\n",
		mrenclave, EVIDENCE_ISVPRODID, EVIDENCE_ISVSVN, code.p);
}

static void print_text(const char *mrenclave)
{
	printf("MRENCLAVE  %s\n"
	       "MRSIGNER   that of a key made for each report: do not name it\n"
	       "ISVPRODID  %d\n"
	       "ISVSVN     %d\n\n"
	       "For the verifier's policy:\n"
	       "  measurements:\n"
	       "  - name: evidence-enclave-" CASEMATE_VERSION "\n"
	       "    sgx: {mrenclave: %s}\n",
		mrenclave, EVIDENCE_ISVPRODID, EVIDENCE_ISVSVN, mrenclave);
}

static int show(const struct options *o, struct error *err)
{
	_cleanup_free_ struct evidence_enclave *e = malloc(sizeof(*e));
	_cleanup_buf_ struct buf hex = BUF_INIT(2 * MRENCLAVE_SIZE);
	unsigned char mrenclave[MRENCLAVE_SIZE];
	int r;

	if (!e)
		return error_oom(err);
	evidence_enclave_make(e);
	r = enclave_measure(mrenclave, &e->image, err);
	if (r < 0)
		return r;
	if (codec_hex(&hex, mrenclave, sizeof(mrenclave)) < 0)
		return error_oom(err);
	if (o->json)
		print_json(hex.p);
	else if (o->mrenclave)
		puts(hex.p);
	else
		print_text(hex.p);
	return 0;
}

static void usage(void)
{
	_cleanup_buf_ struct buf options = BUF_INIT(16 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	printf("Usage: casemate-nodeagent evidence-enclave [OPTIONS]\n\n"
	       "Shows the measurement of the enclave that an SGX host's evidence comes from. It is "
	       "the\n"
	       "same for every build of this version.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

int command_evidence_enclave(int argc, char **argv)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1024 * 1024);
	const struct settings_input in = {
		.table = table,
		.n = ARRAY_SIZE(table),
		.environment = environ,
		.argc = argc,
		.argv = argv,
	};
	struct options o = {0};
	struct error err = {0};

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage();
		return COMMAND_DONE;
	}
	if (settings_read(&in, &o, &a, NULL, &err) < 0) {
		fprintf(stderr, "casemate-nodeagent evidence-enclave: %s\n", err.message);
		return COMMAND_USAGE;
	}
	if (show(&o, &err) < 0) {
		fprintf(stderr, "casemate-nodeagent evidence-enclave: %s\n", err.message);
		return COMMAND_REFUSED;
	}
	return COMMAND_DONE;
}
