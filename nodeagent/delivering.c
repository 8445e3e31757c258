/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent brings keys to the containers of its node: what it is made of, and what the log says.
 */
#include <stdio.h>

#include "common/base/log.h"
#include "nodeagent/agent.h"

static const char *tee(void *ctx)
{
	struct agent *a = ctx;

	return a->attest ? attest_tee(a->attest) : "";
}

static int start(void *ctx, const unsigned char report_data[64], struct evidence_job **ret,
	evidence_done done, void *done_ctx, struct error *err)
{
	struct agent *a = ctx;

	if (!a->attest)
		return error_set(err, -ENOTSUP, "this node proves nothing: set verifier.url");
	return attest_bind(a->attest, report_data, ret, done, done_ctx, err);
}

/* Nothing here is secret: names, and what broker and kubelet say. */
static void on_ended(void *ctx, const struct keys_event *e)
{
	(void)ctx;
	if (!e->why)
		log_info(2, e->again ? "Promised files were replaced" : "Keys were delivered",
			LOG_STR("namespace", e->namespace_), LOG_STR("pod", e->pod),
			LOG_STR("container", e->container), LOG_INT("keys", (int64_t)e->n),
			LOG_BOOL("files", e->files));
	else
		log_warn(e->again        ? "Promised files could not be replaced: the old ones stay"
			 : e->why->again ? "Keys could not be had"
					 : "Keys were refused",
			LOG_STR("namespace", e->namespace_), LOG_STR("pod", e->pod),
			LOG_STR("container", e->container), LOG_STR("key", e->key),
			LOG_BOOL("files", e->files), LOG_STR("reason", e->why->reason),
			LOG_STR("message", e->why->message));
}

/* For the layers of encrypted images. */
static int provide(struct agent *a, struct error *err)
{
	const struct agent_config *c = a->config;

	if (!*c->keys.provider)
		return 0;
	return key_provider_new(&a->key_provider,
		&(struct key_provider_options){
			.event = a->event,
			.socket = c->keys.provider,
			.url = c->broker.url,
			.ca_file = c->broker.ca,
			.token_file = c->verifier.token,
			.prover = &a->prover,
			.metrics = a->metrics,
		},
		err);
}

int agent_deliver(struct agent *a, struct error *err)
{
	const struct agent_config *c = a->config;
	_cleanup_free_ char *pods_dir = NULL;
	struct keys_options o = {
		.event = a->event,
		.dir = c->keys.dir,
		.state = c->keys.state_dir,
		.program = c->keys.program,
		.disk_allowed = *c->simulate,
		.url = c->broker.url,
		.ca_file = c->broker.ca,
		.token_file = c->verifier.token,
		.prover = &a->prover,
		.pod_resources = a->pod_resources,
		.kube = a->kube,
		.metrics = a->metrics,
		.ended = on_ended,
		.refresh_usec = c->keys.refresh_usec,
		.ctx = a,
	};
	struct resource resource;
	int r;

	if (!agent_config_delivers(c))
		return 0;
	if (asprintf(&pods_dir, "%s/pods", c->kubelet_dir) < 0)
		return error_oom(err);
	o.pods_dir = pods_dir;
	a->prover = (struct key_prover){.tee = tee, .start = start, .ctx = a};
	r = keys_new(&a->keys, &o, err);
	if (r < 0)
		return error_prefix(err, r, "keys");
	resource = keys_resource(a->keys);
	r = plugins_add(a->plugins, &resource, err);
	return r < 0 ? r : provide(a, err);
}

static bool alive(void *ctx, const char *uid)
{
	const struct pods *pods = ctx;

	for (size_t i = 0; i < pods_count(pods); i++)
		if (strcmp(pods_at(pods, i)->uid, uid) == 0)
			return true;
	return false;
}

/* What is not known for sure is left alone. */
void agent_deliver_tidy(struct agent *a)
{
	if (a->keys && a->pods && pods_connected(a->pods) && !pods_cut(a->pods) &&
		pods_epc(a->pods) >= 0)
		keys_tidy(a->keys, alive, a->pods);
}
