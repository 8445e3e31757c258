/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

enum {
	PATH_BYTES = 512,
	TOKEN_BYTES = 1024,
	POLL_USEC = USEC_PER_SEC / 2,
	PAGE = 100, /* objects */
};

int kube_sync_open(struct kube_sync *ret, const struct kube_client_options *o, struct error *err)
{
	struct kube_sync c = {.body = BUF_INIT(KUBE_RESPONSE_MAX)};
	int r = sd_event_new(&c.event);

	if (r < 0)
		return error_set(err, r, "no event loop: %s", strerror(-r));
	r = kube_client_new(&c.kube, c.event, o, err);
	if (r < 0)
		kube_sync_close(&c);
	else
		*ret = c;
	return r;
}

void kube_sync_close(struct kube_sync *c)
{
	kube_client_free(c->kube);
	sd_event_unref(c->event);
	buf_free(&c->body);
	*c = (struct kube_sync){0};
}

static void answered(void *ctx, const struct kube_result *res)
{
	struct kube_sync *c = ctx;

	c->done = true;
	c->status = res->code == 0 ? res->status : 0;
	snprintf(c->message, sizeof(c->message), "%s", res->message);
	buf_reset(&c->body);
	buf_span(&c->body, res->body);
}

int kube_sync_refused(struct kube_sync *c, const struct kube_request *rq, struct error *err)
{
	return error_set(err, -EIO, "%s %s: %s", rq->method, rq->path, c->message);
}

int kube_sync_call(struct kube_sync *c, const struct kube_request *rq, struct error *err)
{
	int r = kube_call(c->kube, rq, answered, c, NULL, err);

	c->done = false;
	while (r >= 0 && !c->done)
		r = sd_event_run(c->event, UINT64_MAX);
	if (r < 0)
		return r;
	return c->status ? c->status : kube_sync_refused(c, rq, err);
}

static bool is_good(int status)
{
	return status >= 200 && status < 300;
}

int kube_sync_end(struct kube_sync *c, const char *path, int64_t timeout_usec, struct error *err)
{
	static const char policy[] = "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
				     "\"propagationPolicy\":\"Foreground\"}";
	int64_t until = clock_monotonic_usec() + timeout_usec;
	struct kube_request rq = {.method = "DELETE", .path = path, .body = span_str(policy)};
	int r = kube_sync_call(c, &rq, err);

	while (is_good(r)) {
		/* In the foreground: it stays until its last Pod is gone. */
		rq = (struct kube_request){.method = "GET", .path = path};
		r = kube_sync_call(c, &rq, err);
		if (!is_good(r))
			break;
		if (clock_monotonic_usec() > until)
			return error_set(err, -ETIMEDOUT,
				"%s has not ended after %lld s: see its Pods, and try again", path,
				(long long)(timeout_usec / USEC_PER_SEC));
		usleep(POLL_USEC);
	}
	if (r < 0 || r == 404)
		return r < 0 ? r : 0;
	return kube_sync_refused(c, &rq, err);
}

/* token: where the page begins, then where the next one does; "": this was the last. */
static int each_of_page(struct kube_sync *c, const char *path, char token[TOKEN_BYTES],
	int (*fn)(void *, struct kube_sync *, struct json_val, struct error *), void *ctx,
	struct error *err)
{
	static const struct json_limits limits = {KUBE_RESPONSE_MAX, 4 << 20, 64};
	_cleanup_buf_ struct buf text = BUF_INIT(KUBE_RESPONSE_MAX);
	char page[PATH_BYTES + TOKEN_BYTES];
	const struct kube_request rq = {.method = "GET", .path = page};
	_cleanup_json_ struct json doc = {0};
	struct json_iter it;
	int r;

	snprintf(page, sizeof(page), "%s?limit=%d%s%s", path, PAGE, *token ? "&continue=" : "",
		token);
	r = kube_sync_call(c, &rq, err);
	if (r < 0)
		return r;
	if (!is_good(r))
		return kube_sync_refused(c, &rq, err);
	/* The next call overwrites the body. */
	if (buf_span(&text, buf_view(&c->body)) < 0)
		return error_oom(err);
	r = json_parse(&doc, buf_view(&text), &limits, err);
	if (r < 0)
		return error_prefix(err, r, "%s", path);
	json_copy(json_find(json_root(&doc), "metadata", "continue"), token, TOKEN_BYTES);
	json_each (it, json_get(json_root(&doc), "items")) {
		r = fn(ctx, c, it.value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int kube_sync_each(struct kube_sync *c, const char *path,
	int (*fn)(void *ctx, struct kube_sync *c, struct json_val item, struct error *err),
	void *ctx, struct error *err)
{
	char token[TOKEN_BYTES] = "";
	int r;

	do
		r = each_of_page(c, path, token, fn, ctx, err);
	while (r == 0 && *token);
	return r;
}
