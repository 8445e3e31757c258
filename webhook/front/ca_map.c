/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/front/ca_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"

enum {
	LOOK_USEC = 60 * USEC_PER_SEC,
	RETRY_USEC = 2 * USEC_PER_SEC,
	OBJECT_MAX = 1024 * 1024,
};

struct ca_map {
	struct kube_client *kube;
	char namespace_[64], name[254], collection[400], path[700];
	sd_event_source *timer;
	struct kube_call *call;
	struct buf pem; /* empty: not known yet */
};

static void plan(struct ca_map *m, int64_t delay)
{
	sd_event_source_set_time_relative(m->timer, (uint64_t)delay);
	sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

static void call(struct ca_map *m, const struct kube_request *req, kube_done done)
{
	struct error err = {0};

	if (kube_call(m->kube, req, done, m, &m->call, &err) == 0)
		return;
	m->call = NULL;
	log_error(err.message, "Cannot keep the verifier's authorities",
		LOG_STR("configMap", m->name));
	plan(m, RETRY_USEC);
}

static void on_written(void *ctx, const struct kube_result *res)
{
	struct ca_map *m = ctx;
	bool ok = res->status == 200 || res->status == 201;

	m->call = NULL;
	/* Another replica may have been first: the next look tells. */
	if (!ok && res->status != 409 && res->status != 404)
		log_error(res->message, "Cannot write the verifier's authorities",
			LOG_STR("configMap", m->name), LOG_INT("status", res->status));
	plan(m, ok ? LOOK_USEC : RETRY_USEC);
}

/* version: of the ConfigMap as read, a JSON string; SPAN_NONE: there is none. */
static void write_map(struct ca_map *m, struct span version)
{
	_cleanup_buf_ struct buf body = BUF_INIT(2 * BUNDLE_PEM_MAX);
	struct kube_request req = {.method = version.len ? "PATCH" : "POST",
		.path = version.len ? m->path : m->collection,
		.patch = KUBE_PATCH_MERGE,
		.max_response = OBJECT_MAX};

	if (version.len)
		buf_printf(&body, "{\"metadata\":{\"resourceVersion\":" SPAN_FMT "}",
			SPAN_ARG(version));
	else
		buf_printf(&body,
			"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%"
			"s\","
			"\"namespace\":\"%s\",\"labels\":{\"app.kubernetes.io/"
			"part-of\":\"casemate\"}}",
			m->name, m->namespace_);
	buf_puts(&body, ",\"data\":{\"ca.crt\":");
	buf_json_string(&body, buf_view(&m->pem));
	if (buf_puts(&body, "}}") < 0) {
		plan(m, RETRY_USEC);
		return;
	}
	req.body = buf_view(&body);
	call(m, &req, on_written);
}

static void on_read(void *ctx, const struct kube_result *res)
{
	static const struct json_limits limits = {OBJECT_MAX, 8192, 64};
	_cleanup_json_ struct json doc = {0};
	struct ca_map *m = ctx;
	struct json_val root;

	m->call = NULL;
	if (res->status == 404) {
		write_map(m, SPAN_NONE);
		return;
	}
	if (res->status != 200 || json_parse(&doc, res->body, &limits, NULL) < 0) {
		log_error(res->message, "Cannot read the verifier's authorities",
			LOG_STR("configMap", m->name), LOG_INT("status", res->status));
		plan(m, RETRY_USEC);
		return;
	}
	root = json_root(&doc);
	if (json_str_equal(json_find(root, "data", "ca.crt"), buf_view(&m->pem)))
		plan(m, LOOK_USEC);
	else
		write_map(m, json_raw(json_find(root, "metadata", "resourceVersion")));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct ca_map *m = ctx;
	const struct kube_request req = {
		.method = "GET", .path = m->path, .max_response = OBJECT_MAX};

	(void)source;
	(void)usec;
	if (m->pem.len && !m->call)
		call(m, &req, on_read);
	return 0;
}

int ca_map_new(struct ca_map **ret_m, struct kube_client *kube, const char *namespace_,
	const char *name, struct error *err)
{
	_cleanup_(ca_map_free_p) struct ca_map *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return error_oom(err);
	m->kube = kube;
	m->pem = BUF_INIT(BUNDLE_PEM_MAX);
	if (strlen(namespace_) >= sizeof(m->namespace_) || strlen(name) >= sizeof(m->name))
		return error_set(err, -EINVAL, "the name of a ConfigMap is too long");
	snprintf(m->namespace_, sizeof(m->namespace_), "%s", namespace_);
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->collection, sizeof(m->collection), "/api/v1/namespaces/%s/configmaps",
		namespace_);
	snprintf(m->path, sizeof(m->path), "%s/%s", m->collection, name);
	r = sd_event_add_time_relative(
		kube_client_event(kube), &m->timer, CLOCK_MONOTONIC, LOOK_USEC, 0, on_timer, m);
	if (r < 0)
		return error_set(err, r, "a timer of the verifier: %s", strerror(-r));
	*ret_m = TAKE_PTR(m);
	return 0;
}

void ca_map_free(struct ca_map *m)
{
	if (!m)
		return;
	kube_cancel(m->call);
	sd_event_source_disable_unref(m->timer);
	buf_free(&m->pem);
	free(m);
}

void ca_map_set(struct ca_map *m, const struct bundle *authorities)
{
	buf_reset(&m->pem);
	if (bundle_write(authorities, &m->pem) < 0) {
		buf_reset(&m->pem);
		log_error("out of memory", "Cannot keep the verifier's authorities");
		return;
	}
	plan(m, 0);
}
