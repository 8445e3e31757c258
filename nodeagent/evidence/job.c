/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct evidence_job {
	pthread_mutex_t lock;
	struct loop_queue *queue; /* under lock; NULL: abandoned */
	struct evidence_request request;
	evidence_done done;
	void *ctx;

	/* of the thread until it posted */
	struct buf evidence;
	struct error err;
	int r;
};

static void job_free(struct evidence_job *job)
{
	evidence_request_free(&job->request);
	buf_free(&job->evidence);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void count(const struct evidence_job *job, const char *result)
{
	metric_add(job->request.quotes, 1,
		METRIC_VALUES(evidence_source_name(job->request.source), result));
}

/* On the loop. */
static void deliver(void *ctx)
{
	struct evidence_job *job = ctx;

	/* The thread may still be under its lock. */
	pthread_mutex_lock(&job->lock);
	pthread_mutex_unlock(&job->lock);
	/* Unless it was abandoned after it was posted. */
	if (job->queue) {
		count(job, evidence_result_name(job->r));
		job->done(job->ctx, job->r, job->r == 0 ? buf_view(&job->evidence) : SPAN_NONE,
			&job->err);
	}
	job_free(job);
}

/* Posted under the lock: whoever abandoned the job may free the queue. */
static void *work(void *arg)
{
	struct evidence_job *job = arg;
	bool posted;

	job->r = evidence_make(&job->request, &job->evidence, &job->err);
	pthread_mutex_lock(&job->lock);
	posted = job->queue && loop_post(job->queue, deliver, job) == 0;
	pthread_mutex_unlock(&job->lock);
	if (!posted)
		job_free(job);
	return NULL;
}

static int start_thread(struct evidence_job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, work, job);
	pthread_attr_destroy(&attr);
	return -r;
}

int evidence_start(struct evidence_job **ret, struct loop_queue *queue, struct evidence_request *q,
	evidence_done done, void *ctx, struct error *err)
{
	struct evidence_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return error_oom(err);
	*job = (struct evidence_job){
		.queue = queue,
		.done = done,
		.ctx = ctx,
		.evidence = BUF_INIT(EVIDENCE_MAX),
	};
	pthread_mutex_init(&job->lock, NULL);
	evidence_request_move(&job->request, q);
	r = start_thread(job);
	if (r < 0) {
		job_free(job);
		return error_set(err, r, "a thread for the evidence: %s", strerror(-r));
	}
	*ret = job;
	return 0;
}

void evidence_abandon(struct evidence_job *job)
{
	if (!job)
		return;
	pthread_mutex_lock(&job->lock);
	count(job, "abandoned");
	job->queue = NULL;
	pthread_mutex_unlock(&job->lock);
}
