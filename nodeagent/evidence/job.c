/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/job.h"

#include <stdlib.h>

#include "common/net/background.h"

struct evidence_job {
	struct background *background;
	struct evidence_request request;
	struct buf evidence;
	evidence_done done;
};

static void job_free(void *arg)
{
	struct evidence_job *job = arg;

	evidence_request_free(&job->request);
	buf_free(&job->evidence);
	free(job);
}

static void count(const struct evidence_job *job, const char *result)
{
	metric_add(job->request.quotes, 1,
		METRIC_VALUES(evidence_source_name(job->request.source), result));
}

static int make(void *arg, struct error *err)
{
	struct evidence_job *job = arg;

	return evidence_make(&job->request, &job->evidence, err);
}

static void made(void *ctx, void *arg, int r, const struct error *err)
{
	struct evidence_job *job = arg;

	count(job, evidence_result_name(r));
	job->done(ctx, r, r == 0 ? buf_view(&job->evidence) : SPAN_NONE, err);
}

int evidence_start(struct evidence_job **ret, struct loop_queue *queue, struct evidence_request *q,
	evidence_done done, void *ctx, struct error *err)
{
	const struct background_work work = {
		.run = make, .done = made, .free = job_free, .ctx = ctx};
	struct evidence_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return error_oom(err);
	job->done = done;
	job->evidence = BUF_INIT(EVIDENCE_MAX);
	evidence_request_move(&job->request, q);
	r = background_start(&job->background, queue, &work, job, err);
	if (r < 0) {
		job_free(job);
		return error_prefix(err, r, "evidence");
	}
	*ret = job;
	return 0;
}

void evidence_abandon(struct evidence_job *job)
{
	if (!job)
		return;
	count(job, "abandoned");
	background_abandon(job->background);
}
