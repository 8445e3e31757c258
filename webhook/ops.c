/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/ops.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/net/server.h"

struct ops {
	struct health *health;
	struct metrics *metrics;
	struct server *health_server, *metrics_server;
	_Atomic int64_t beat_usec;
};

/* Small requests of probes and scrapers: nothing here needs more. */
static const struct server_limits limits = {
	.max_body = 4096,
	.max_header = 16 * 1024,
	.max_connections = 64,
	.max_in_flight = 16,
	.request_usec = 10 * (int64_t)USEC_PER_SEC,
	.idle_usec = 120 * (int64_t)USEC_PER_SEC,
};

static bool is_get(const struct http_request *req, struct http_response *res)
{
	if (strcmp(req->method, "GET") == 0 || strcmp(req->method, "HEAD") == 0)
		return true;
	res->status = 405;
	res->allow = "GET, HEAD";
	return false;
}

static enum http_verdict handle_health(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res)
{
	struct ops *o = ctx;
	bool stalled = clock_monotonic_usec() - o->beat_usec >
		       (int64_t)OPS_STALL_SEC * USEC_PER_SEC;

	(void)x;
	res->content_type = "text/plain; charset=utf-8";
	if (!is_get(req, res))
		return HTTP_DONE;
	if (stalled)
		health_set(o->health, "event-loop", false, "the event loop does not turn");
	res->status = health_answer(o->health, req->path, req->query, res->body);
	return HTTP_DONE;
}

static enum http_verdict handle_metrics(void *ctx, struct http_exchange *x,
	const struct http_request *req, struct http_response *res)
{
	enum metrics_format format = metrics_negotiate(http_header(x, "Accept"));
	struct ops *o = ctx;

	res->content_type = "text/plain; charset=utf-8";
	if (!is_get(req, res))
		return HTTP_DONE;
	if (strcmp(req->path, "/metrics") != 0) {
		res->status = 404;
		buf_puts(res->body, "no such path; expected /metrics\n");
		return HTTP_DONE;
	}
	res->content_type = metrics_content_type(format);
	if (metrics_expose(o->metrics, format, res->body) < 0)
		res->status = 500;
	return HTTP_DONE;
}

int ops_parse_listen(const char *listen, const char *setting, char address[64], uint16_t *ret_port,
	struct error *err)
{
	const char *colon = strrchr(listen, ':');
	size_t n = colon ? (size_t)(colon - listen) : 0;
	unsigned long port;
	char *end;

	if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
		listen++;
		n -= 2;
	}
	if (!colon || n == 0 || n >= 64 || colon[1] < '0' || colon[1] > '9')
		return error_set(err, -EINVAL, "%s: \"%s\" is no ADDRESS:PORT, like 0.0.0.0:8443",
			setting, listen);
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > UINT16_MAX)
		return error_set(err, -EINVAL, "%s: \"%s\" is no port", setting, colon + 1);
	memcpy(address, listen, n);
	address[n] = '\0';
	*ret_port = (uint16_t)port;
	return 0;
}

static int start(struct server **ret_s, const char *listen, const char *setting,
	http_handler handler, struct ops *o, struct error *err)
{
	struct server_options options = {.threads = 1, .limits = limits};
	char address[64];
	int r;

	if (strcmp(listen, "none") == 0)
		return 0;
	r = ops_parse_listen(listen, setting, address, &options.port, err);
	if (r < 0)
		return r;
	options.address = address;
	r = server_start(ret_s, &options, handler, o, err);
	return r < 0 ? error_prefix(err, r, "%s", setting) : 0;
}

int ops_new(struct ops **ret_o, struct health *health, const char *health_listen,
	struct metrics *metrics, const char *metrics_listen, struct error *err)
{
	_cleanup_(ops_free_p) struct ops *o = calloc(1, sizeof(*o));
	int r;

	if (!o || health_add(health, "event-loop", HEALTH_LIVE | HEALTH_READY) < 0)
		return error_oom(err);
	o->health = health;
	o->metrics = metrics;
	ops_heartbeat(o);
	r = start(&o->health_server, health_listen, "health.listen", handle_health, o, err);
	if (r == 0)
		r = start(&o->metrics_server, metrics_listen, "metrics.listen", handle_metrics, o,
			err);
	if (r < 0)
		return r;
	*ret_o = TAKE_PTR(o);
	return 0;
}

void ops_free(struct ops *o)
{
	if (!o)
		return;
	server_stop(o->health_server);
	server_stop(o->metrics_server);
	free(o);
}

void ops_heartbeat(struct ops *o)
{
	o->beat_usec = clock_monotonic_usec();
	health_set(o->health, "event-loop", true, "");
}
