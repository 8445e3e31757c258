/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/base/log.h"
#include "common/kbs/key_id.h"
#include "common/kbs/keyprovider.h"
#include "common/kbs/packet.h"
#include "common/net/grpc.h"

/* A layer whose key somebody waits for. */
struct layer {
	struct key_provider *p;
	struct grpc_call *call;
	struct key_release *release;
	struct key_id id;
	struct buf packet;
	char key[DELIVERY_NAME_MAX + 1];
	LIST_ENTRY(layer) link;
};

struct key_provider {
	struct key_provider_options o;
	char *url, *ca_file, *token_file;
	struct grpc_server *server;
	struct metric *asked;
	LIST_HEAD(layers, layer) layers;
	unsigned n;
};

static void layer_free(struct layer *l)
{
	LIST_REMOVE(l, link);
	l->p->n--;
	key_release_cancel(l->release);
	buf_free(&l->packet);
	free(l);
}

static void count(struct key_provider *p, const char *result, const char *reason)
{
	if (p->asked)
		metric_add(p->asked, 1, METRIC_VALUES(result, reason));
}

static void refuse(struct key_provider *p, struct grpc_call *call, enum grpc_status status,
	const char *key, const char *reason, const char *message)
{
	char text[GRPC_STATUS_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s", reason, message);
	count(p, status == GRPC_UNAVAILABLE ? "failed" : "refused", reason);
	log_warn("A layer's key was refused", LOG_STR("key", key), LOG_STR("reason", reason),
		LOG_STR("message", message));
	grpc_finish(call, status, text);
}

static void deliver(struct layer *l, const struct secret *options)
{
	_cleanup_secret_ struct secret json = {0}, message = {0};
	int r = keyprovider_unwrapped(&json, secret_view(options));

	if (r == 0)
		r = keyprovider_frame(&message, secret_view(&json));
	if (r == 0)
		r = grpc_reply(l->call, secret_view(&message));
	count(l->p, r < 0 ? "failed" : "delivered", r < 0 ? "Internal" : "Ok");
	if (r == 0)
		log_info(2, "A layer's key was delivered", LOG_STR("key", l->key));
	grpc_finish(l->call, r < 0 ? GRPC_INTERNAL : GRPC_OK, r < 0 ? "out of memory" : "");
}

static void on_released(void *ctx, const struct secret *options, const struct key_refusal *why)
{
	struct layer *l = ctx;

	l->release = NULL;
	if (options)
		deliver(l, options);
	else
		refuse(l->p, l->call, why->again ? GRPC_UNAVAILABLE : GRPC_PERMISSION_DENIED,
			l->key, why->reason, why->message);
	layer_free(l);
}

/* Nobody waits any more. */
static void on_closed(void *ctx)
{
	layer_free(ctx);
}

static int read_request(struct layer *l, struct span message, struct error *err)
{
	_cleanup_keyprovider_request_ struct keyprovider_request q = {0};
	_cleanup_packet_ struct packet packet = {0};
	struct span json;
	int r = keyprovider_unframe(&json, message, err);

	if (r == 0)
		r = keyprovider_read(&q, json, err);
	if (r == 0 && q.op != KEYPROVIDER_UNWRAP)
		r = error_set(err, -EBADMSG, "this is no request to unwrap");
	if (r == 0)
		r = packet_read(&packet, buf_view(&q.annotation), err);
	if (r == 0)
		r = key_id_parse(&l->id, span_str(packet.kid), NULL, err);
	if (r < 0)
		return r;
	snprintf(l->key, sizeof(l->key), "%s/%s", l->id.profile, l->id.key);
	l->packet = q.annotation;
	q.annotation = (struct buf){0};
	return 0;
}

static int begin(struct layer *l, struct error *err)
{
	const struct key_provider *p = l->p;

	return key_release_start(&l->release,
		&(struct key_release_options){
			.event = p->o.event,
			.url = p->url,
			.ca_file = p->ca_file,
			.token_file = p->token_file,
			.prover = p->o.prover,
			.namespace_ = l->id.namespace_,
			.container = "",
			.layer = buf_view(&l->packet),
			.layer_key = l->key,
			.done = on_released,
			.ctx = l,
		},
		err);
}

static void on_unwrap(void *ctx, struct grpc_call *call, struct span message)
{
	struct key_provider *p = ctx;
	struct layer *l = p->n < KEY_PROVIDER_CALLS_MAX ? calloc(1, sizeof(*l)) : NULL;
	struct error err = {0};
	int r;

	if (!l) {
		refuse(p, call, GRPC_UNAVAILABLE, "", "RateLimited",
			"too many layers at once; the pull is tried again by itself");
		return;
	}
	l->p = p;
	l->call = call;
	LIST_INSERT_HEAD(&p->layers, l, link);
	p->n++;
	r = read_request(l, message, &err);
	if (r == 0)
		r = begin(l, &err);
	if (r == 0) {
		grpc_call_on_closed(call, on_closed, l);
		return;
	}
	refuse(p, call, r == -ENOMEM ? GRPC_UNAVAILABLE : GRPC_INVALID_ARGUMENT, l->key,
		r == -ENOMEM ? "Internal" : "Malformed", err.message);
	layer_free(l);
}

/* The keys are the broker's, and a node is not who encrypts images. */
static void on_wrap(void *ctx, struct grpc_call *call, struct span message)
{
	(void)message;
	refuse(ctx, call, GRPC_UNIMPLEMENTED, "", "KeyNotFound",
		"a node only unwraps; encrypt images with `casemate-webhook keyprovider`, where "
		"the "
		"broker's keys are");
}

int key_provider_new(
	struct key_provider **ret, const struct key_provider_options *o, struct error *err)
{
	static const char *const labels[] = {"result", "reason", NULL};
	static const struct grpc_method methods[] = {
		{KEYPROVIDER_PATH_UNWRAP, on_unwrap},
		{KEYPROVIDER_PATH_WRAP, on_wrap},
	};
	_cleanup_(key_provider_free_p) struct key_provider *p = calloc(1, sizeof(*p));
	struct grpc_server_options server = {
		.path = o->socket,
		.methods = methods,
		.n_methods = ARRAY_SIZE(methods),
		.max_message = KEYPROVIDER_MAX,
	};
	int r;

	if (!p)
		return error_oom(err);
	p->o = *o;
	LIST_INIT(&p->layers);
	p->url = strdup(o->url);
	p->ca_file = strdup(o->ca_file);
	p->token_file = strdup(o->token_file);
	if (o->metrics)
		p->asked = metrics_counter(o->metrics, "casemate_agent_layer_keys_total",
			"Keys of image layers that were asked for, by result and reason.", labels);
	if (!p->url || !p->ca_file || !p->token_file || (o->metrics && !p->asked))
		return error_oom(err);
	server.ctx = p;
	r = grpc_server_start(&p->server, o->event, &server, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

void key_provider_free(struct key_provider *p)
{
	if (!p)
		return;
	/* ends the calls, and with them the layers */
	grpc_server_stop(p->server);
	free(p->url);
	free(p->ca_file);
	free(p->token_file);
	free(p);
}
