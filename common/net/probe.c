/* SPDX-License-Identifier: Apache-2.0
 *
 * The command `probe` of both daemons: GETs a plain http URL and says whether the answer was 2xx,
 * for images that hold no other program (helm test, exec probes). */
#include "common/net/probe.h"

#include <stdio.h>

#include "common/base/command.h"
#include "common/net/http_get.h"
#include "common/net/server.h"

int command_probe(int argc, char **argv)
{
	_cleanup_buf_ struct buf body = BUF_INIT(SERVER_RESPONSE_MAX);
	struct error err = {0};
	int status;

	if (argc != 1 || argv[0][0] == '-') {
		fprintf(argc == 1 && strcmp(argv[0], "--help") == 0 ? stdout : stderr,
			"Usage: %s probe http://HOST:PORT/PATH\n\n"
			"Exit code 0: the answer was 2xx; it is printed.\n",
			program_invocation_short_name);
		return argc == 1 && strcmp(argv[0], "--help") == 0 ? COMMAND_DONE : COMMAND_USAGE;
	}
	status = http_get(argv[0], "casemate-probe", &body, &err);
	if (status < 0)
		fprintf(stderr, "probe: %s\n", err.message);
	printf(SPAN_FMT "\n", SPAN_ARG(buf_view(&body)));
	return status >= 200 && status < 300 ? COMMAND_DONE : COMMAND_REFUSED;
}
