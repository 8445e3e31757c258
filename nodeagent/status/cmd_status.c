/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-nodeagent status: asks the daemon of this node what it shows; where none runs, looks at
 * the platform itself and says so. */
#include "nodeagent/status/cmd_status.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/command.h"
#include "common/base/json.h"
#include "common/base/settings_file.h"
#include "common/net/http_get.h"
#include "common/net/server.h"
#include "nodeagent/status/status.h"

enum {
	ARENA_MAX = 4 << 20,
	JSON_NODES_MAX = 4 << 20,
	URL_MAX = 1024,
};

#define DEFAULT_URL "http://127.0.0.1:9082"

struct options {
	const char *url, *sysroot, *cpuid;
	bool json;
};
#define AT(field) offsetof(struct options, field)

static const struct setting table[] = {
	{.name = "json",
		.type = SETTING_BOOL,
		.offset = AT(json),
		.no_file = true,
		.help = "everything, for programs"},
	{.name = "url",
		.type = SETTING_STRING,
		.offset = AT(url),
		.no_file = true,
		.meta = "URL",
		.help = "of the agent's page (" DEFAULT_URL ")"},
	{.name = "sysroot",
		.type = SETTING_STRING,
		.offset = AT(sysroot),
		.no_file = true,
		.meta = "DIR",
		.help = "ask no agent: look at the node whose root this is"},
	{.name = "cpuid",
		.type = SETTING_STRING,
		.offset = AT(cpuid),
		.no_file = true,
		.meta = "FILE",
		.help = "ask no agent: a recorded CPUID instead of the processor's"},
};

/* Appends what url answers to body. -EIO: nobody is there. */
static int ask(const char *url, struct buf *body, struct error *err)
{
	int status = http_get(url, "casemate-nodeagent-status", body, err);

	if (status < 0)
		return error_prefix(err, status, "%s", url);
	return status == 200 ? 0 : error_set(err, -EPROTO, "%s: HTTP %d", url, status);
}

/* Is the node that JSON tells of healthy? */
static int is_healthy(struct span json, const char *url, struct error *err)
{
	const struct json_limits limits = {SERVER_RESPONSE_MAX, JSON_NODES_MAX, 16};
	_cleanup_json_ struct json doc = {0};
	enum json_type type = JSON_MISSING;
	int r = json_parse(&doc, json, &limits, err);

	if (r == 0)
		type = json_type(json_get(json_root(&doc), "healthy"));
	if (r == 0 && type != JSON_TRUE && type != JSON_FALSE)
		r = error_set(err, -EBADMSG, "this is no status of a node agent");
	return r < 0 ? error_prefix(err, r, "%s", url) : type == JSON_TRUE;
}

/* 1: healthy, 0: not. */
static int ask_agent(const char *url, bool json, struct buf *out, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(SERVER_RESPONSE_MAX);
	size_t n = strlen(url);
	char path[URL_MAX];
	int healthy, r;

	while (n && url[n - 1] == '/')
		n--;
	if (n > URL_MAX - 32)
		return error_set(err, -EINVAL, "url: longer than %d bytes", URL_MAX - 32);
	snprintf(path, sizeof(path), "%.*s" STATUS_PATH_JSON, (int)n, url);
	r = ask(path, &body, err);
	if (r < 0)
		return r;
	healthy = is_healthy(buf_view(&body), path, err);
	if (healthy < 0)
		return healthy;
	snprintf(path, sizeof(path), "%.*s" STATUS_PATH_TEXT, (int)n, url);
	r = json ? buf_span(out, buf_view(&body)) : ask(path, out, err);
	return r < 0 ? r : healthy;
}

static int discover(const struct options *o, struct platform *p, struct arena *a, struct error *err)
{
	struct platform_source src = {
		.sysroot = *o->sysroot ? o->sysroot : "/",
		.cpuid = cpuid_native,
		.aesm_socket = PLATFORM_AESM_SOCKET,
	};
	struct cpuid_record *record = NULL;
	struct span text;
	int r = 0;

	if (*o->cpuid) {
		r = settings_read_file(o->cpuid, SETTINGS_FILE_MAX, a, &text, err);
		if (r == 0)
			r = cpuid_record_parse(&record, text.p, text.len, err);
		if (r < 0)
			return error_prefix(err, r, "cpuid");
		src.cpuid = cpuid_recorded;
		src.cpuid_ctx = record;
	}
	platform_discover(p, &src);
	cpuid_record_free(record);
	return 0;
}

/* As ask_agent(), of what can be seen without one. */
static int look(const struct options *o, struct arena *a, struct buf *out, struct error *err)
{
	struct platform *p = arena_new(a, struct platform);
	struct status_problem problems[STATUS_PROBLEMS_MAX];
	char host[256] = "this node";
	struct status s = {
		.source = STATUS_DISCOVERY,
		.node = host,
		.version = CASEMATE_VERSION,
		.now_usec = clock_unix_usec(),
		.platform = p,
		.node_uid = "",
		.kubelet = {STATUS_NOT_CONFIGURED, ""},
		.api_server = {STATUS_NOT_CONFIGURED, ""},
		.capacity_problem = "",
		.epc = {.published = -1, .requested = -1},
		.containers_problem = "",
		.attestation = ATTEST_VIEW_NONE,
		.keys = STATUS_KEYS_NONE,
	};
	int r;

	if (!p)
		return error_oom(err);
	r = discover(o, p, a, err);
	if (r < 0)
		return r;
	gethostname(host, sizeof(host) - 1);
	r = o->json ? status_json(&s, out) : status_text(&s, out);
	return r < 0 ? error_set(err, r, "the output is too large")
		     : status_problems(&s, problems) == 0;
}

static int show(const struct options *o, struct arena *a, struct buf *out, struct error *err)
{
	bool alone = *o->sysroot || *o->cpuid;
	int r;

	if (alone && *o->url)
		return error_set(err, -EINVAL,
			"url: an agent is asked, or --sysroot and --cpuid "
			"looked at, not both");
	if (alone)
		return look(o, a, out, err);
	r = ask_agent(*o->url ? o->url : DEFAULT_URL, o->json, out, err);
	if (r != -EIO || *o->url)
		return r;
	fprintf(stderr,
		"casemate-nodeagent status: no agent runs here (%s); this is the platform "
		"alone\n",
		err->message);
	buf_reset(out);
	return look(o, a, out, err);
}

static int usage(void)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	printf("Usage: casemate-nodeagent status [OPTIONS]\n\n"
	       "What this node has for confidential pods, who uses it, and what to fix. Asks the "
	       "agent\n"
	       "of this node; where none runs, looks at the platform alone.\n"
	       "Exit code 0: all is well. 1: there is something to fix, or it cannot be told.\n\n"
	       "Options:\n%s",
		options.p ? options.p : "");
	return COMMAND_DONE;
}

int command_status(int argc, char **argv)
{
	const struct settings_input in = {
		.table = table,
		.n = ARRAY_SIZE(table),
		.argc = argc,
		.argv = argv,
	};
	_cleanup_arena_ struct arena a = ARENA_INIT(ARENA_MAX);
	_cleanup_buf_ struct buf out = BUF_INIT(SERVER_RESPONSE_MAX);
	struct options o = {0};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0)
		return usage();
	r = settings_read(&in, &o, &a, NULL, &err);
	if (r == 0)
		r = show(&o, &a, &out, &err);
	if (r < 0) {
		fprintf(stderr, "casemate-nodeagent status: %s\n", err.message);
		return r == -EINVAL ? COMMAND_USAGE : COMMAND_REFUSED;
	}
	if (out.len)
		fwrite(out.p, 1, out.len, stdout);
	return r == 1 && fflush(stdout) == 0 ? COMMAND_DONE : COMMAND_REFUSED;
}
