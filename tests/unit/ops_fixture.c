/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ops_fixture.h"

#include "tests/unit/test.h"

static void refresh(void *ctx)
{
	struct ops_fix *f = ctx;

	f->refreshed++;
	CU_ASSERT_TRUE(pthread_equal(pthread_self(), f->loop_thread));
}

static void collect(void *ctx)
{
	struct ops_fix *f = ctx;

	f->collected++;
	CU_ASSERT_TRUE(pthread_equal(pthread_self(), f->loop_thread));
}

static enum http_verdict page(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct ops_fix *f = ctx;

	(void)x;
	CU_ASSERT_TRUE(pthread_equal(pthread_self(), f->loop_thread));
	res->content_type = "text/html";
	buf_printf(res->body, "<p>%s|%s", req->path, req->query);
	return HTTP_DONE;
}

/* Waits for whatever the test does next. */
static enum http_verdict park(void *ctx, struct http_exchange *x, const struct http_request *req,
	struct http_response *res)
{
	struct ops_fix *f = ctx;

	(void)req;
	f->parked = x;
	f->parked_res = res;
	return HTTP_DEFERRED;
}

struct ops_options ops_fix_options(struct ops_fix *f, struct ops_route routes[2])
{
	routes[0] = (struct ops_route){"/", page, f};
	routes[1] = (struct ops_route){"/park", park, f};
	return (struct ops_options){
		.event = f->event,
		.health = f->health,
		.metrics = f->metrics,
		.health_listen = "127.0.0.1:0",
		.metrics_listen = "127.0.0.1:0",
		.page_listen = "127.0.0.1:0",
		.routes = routes,
		.n_routes = 2,
		.refresh = refresh,
		.ctx = f,
		.stall_usec = OPS_FIX_STALL_USEC,
	};
}

bool ops_fix_begin(struct ops_fix *f, const struct ops_security *security,
	const struct caller_judge *judge)
{
	struct ops_route routes[2];
	struct ops_options o;
	struct error err = {0};

	*f = (struct ops_fix){.health = health_new(), .metrics = metrics_new(),
		.loop_thread = pthread_self()};
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	metrics_on_collect(f->metrics, collect, f);
	health_add(f->health, "thing", HEALTH_READY);
	o = ops_fix_options(f, routes);
	o.security = security;
	o.judge = judge;
	return CHECK_ROW("start", ops_new(&f->ops, &o, &err) == 0, "%s", err.message);
}

void ops_fix_end(struct ops_fix *f)
{
	ops_free(f->ops);
	sd_event_unref(f->event);
	metrics_free(f->metrics);
	health_free(f->health);
}

bool ops_fix_await_parked(struct ops_fix *f)
{
	for (int i = 0; !f->parked && i < 5000; i++)
		sd_event_run(f->event, USEC_PER_MSEC);
	CU_ASSERT_PTR_NOT_NULL(f->parked);
	return f->parked;
}

static void *client_run(void *arg)
{
	struct ops_client *c = arg;
	_cleanup_peer_ struct peer p = {.fd = -1};

	if (peer_open(&p, c->port, c->tls)) {
		atomic_store(&c->open, true);
		c->status = peer_request(&p, c->method ? c->method : "GET", c->path,
			c->headers ? c->headers : "", SPAN_NONE, &c->reply);
	}
	atomic_store(&c->done, true);
	return NULL;
}

void ops_client_start(struct ops_client *c, struct ops_fix *f, enum ops_listener l,
	const char *path)
{
	c->port = ops_port(f->ops, l);
	c->path = path;
	c->status = 0;
	atomic_store(&c->open, false);
	atomic_store(&c->done, false);
	CU_ASSERT_EQUAL(pthread_create(&c->thread, NULL, client_run, c), 0);
}

void ops_client_join(struct ops_client *c, struct ops_fix *f)
{
	while (f && !atomic_load(&c->done))
		sd_event_run(f->event, USEC_PER_MSEC);
	pthread_join(c->thread, NULL);
}
