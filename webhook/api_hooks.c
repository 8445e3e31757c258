/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/api_hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"

enum { JOB_MAX = 16 * 1024 };

/* Well below the webhook's own timeout: the API server must still get our reason. */
#define LOOKUP_USEC (2 * (int64_t)USEC_PER_SEC)

struct lookup_job {
	struct api_hooks *hooks;
	struct pod_lookup *lookup;
	char path[];
};

static void lookup_done(void *ctx, const struct kube_result *res)
{
	struct lookup_job *job = ctx;

	service_lookup_done(job->lookup, res->status == 200 ? res->body : SPAN_NONE, res->message);
	free(job);
}

static void lookup_start(void *ctx)
{
	struct lookup_job *job = ctx;
	const struct kube_request req = {
		.method = "GET",
		.path = job->path,
		.timeout_usec = LOOKUP_USEC,
	};
	struct error err = {0};

	if (kube_call(job->hooks->kube, &req, lookup_done, job, NULL, &err) < 0) {
		service_lookup_done(job->lookup, SPAN_NONE, err.message);
		free(job);
	}
}

int api_lookup_pod(void *ctx, struct pod_lookup *l, const char *namespace_, const char *name)
{
	static const char form[] = "/api/v1/namespaces/%s/pods/%s";
	size_t size = sizeof(form) + strlen(namespace_) + strlen(name);
	struct lookup_job *job = malloc(sizeof(*job) + size);
	int r;

	if (!job)
		return -ENOMEM;
	/* Both are names that the API server has checked; a '/' could not be in them, but a
	 * standalone client may say anything. */
	if (strpbrk(namespace_, "/?#% ") || strpbrk(name, "/?#% ")) {
		free(job);
		return -EINVAL;
	}
	*job = (struct lookup_job){.hooks = ctx, .lookup = l};
	snprintf(job->path, size, form, namespace_, name);
	r = loop_post(job->hooks->queue, lookup_start, job);
	if (r < 0)
		free(job);
	return r;
}

struct refusal_job {
	struct api_hooks *hooks;
	struct arena arena;
	struct kube_object_ref owner;
	const char *message;
};

static void refusal_free(struct refusal_job *job)
{
	arena_free(&job->arena);
	free(job);
}

static void refusal_tell(void *ctx)
{
	struct refusal_job *job = ctx;

	kube_event(job->hooks->events, &job->owner, "Warning", "ConfidentialPodRefused", "Admit",
		job->message);
	refusal_free(job);
}

void api_report_refusal(void *ctx, const struct refusal *r)
{
	struct refusal_job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->hooks = ctx;
	job->arena = ARENA_INIT(JOB_MAX);
	job->owner = (struct kube_object_ref){
		.api_version = arena_strdup(&job->arena, span_str(r->owner.api_version)),
		.kind = arena_strdup(&job->arena, span_str(r->owner.kind)),
		.namespace_ = arena_strdup(&job->arena, span_str(r->namespace_)),
		.name = arena_strdup(&job->arena, span_str(r->owner.name)),
		.uid = arena_strdup(&job->arena, span_str(r->owner.uid)),
	};
	job->message = arena_strdup(&job->arena, span_str(r->message));
	/* An event is a courtesy: when it cannot be queued, the refusal itself stands. */
	if (!job->message || !job->owner.uid || !job->owner.name || !job->owner.namespace_ ||
		!job->owner.kind || !job->owner.api_version ||
		loop_post(job->hooks->queue, refusal_tell, job) < 0)
		refusal_free(job);
}
