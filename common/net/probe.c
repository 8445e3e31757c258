/* SPDX-License-Identifier: Apache-2.0
 *
 * The command `probe` of both daemons: GETs a plain http URL and says whether the answer was 2xx,
 * for images that hold no other program (helm test, exec probes). */
#include "common/net/probe.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/command.h"
#include "common/net/http.h"

struct probe {
	sd_event *event;
	int status;
};

static void done(void *ctx, const struct http_result *result)
{
	struct probe *p = ctx;

	p->status = result->status;
	if (result->error)
		fprintf(stderr, "probe: %s\n", result->error);
	printf(SPAN_FMT "\n", SPAN_ARG(result->body));
	sd_event_exit(p->event, 0);
}

static int probe(const char *url, struct error *err)
{
	const struct http_client_options options = {.user_agent = "casemate-probe"};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(http_client_free_p) struct http_client *client = NULL;
	struct probe p = {0};
	const struct http_call_options call = {
		.method = "GET",
		.url = url,
		.accept = "*/*",
		.max_response = 64 * 1024,
		.timeout_usec = 10 * (int64_t)USEC_PER_SEC,
		.done = done,
		.ctx = &p,
	};
	int r = sd_event_default(&event);

	if (r < 0)
		return error_set(err, r, "no event loop");
	p.event = event;
	r = http_client_new(&client, event, &options, err);
	if (r == 0)
		r = http_call(client, &call, NULL, err);
	if (r == 0)
		sd_event_loop(event);
	return r < 0 ? r : p.status;
}

int command_probe(int argc, char **argv)
{
	struct error err = {0};
	int status;

	if (argc != 1 || argv[0][0] == '-') {
		fprintf(argc == 1 && strcmp(argv[0], "--help") == 0 ? stdout : stderr,
			"Usage: %s probe http://HOST:PORT/PATH\n\n"
			"Exit code 0: the answer was 2xx; it is printed.\n",
			program_invocation_short_name);
		return argc == 1 && strcmp(argv[0], "--help") == 0 ? COMMAND_DONE : COMMAND_USAGE;
	}
	status = probe(argv[0], &err);
	if (status < 0)
		fprintf(stderr, "probe: %s\n", err.message);
	return status >= 200 && status < 300 ? COMMAND_DONE : COMMAND_REFUSED;
}
