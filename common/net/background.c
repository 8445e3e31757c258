/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/background.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POST_AGAIN_MSEC = 10 };

struct background {
	pthread_mutex_t lock;
	struct loop_queue *queue; /* under lock; NULL: abandoned */
	struct background_work work;
	void *job;

	/* of the thread until it posted */
	struct error err;
	int r;
};

static void background_free(struct background *b)
{
	b->work.free(b->job);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* On the loop. */
static void deliver(void *ctx)
{
	struct background *b = ctx;

	/* The thread may still be under its lock. */
	pthread_mutex_lock(&b->lock);
	pthread_mutex_unlock(&b->lock);
	/* Unless it was abandoned after it was posted. */
	if (b->queue)
		b->work.done(b->work.ctx, b->job, b->r, &b->err);
	background_free(b);
}

/* Posted under the lock: whoever abandoned the work may free the queue. A queue that is full
 * empties when the loop comes to it; until then the work is still its starter's, who waits for its
 * end. */
static bool post(struct background *b)
{
	static const struct timespec pause = {.tv_nsec = POST_AGAIN_MSEC * 1000L * 1000};
	bool posted, abandoned;

	for (;;) {
		pthread_mutex_lock(&b->lock);
		abandoned = !b->queue;
		posted = !abandoned && loop_post(b->queue, deliver, b) == 0;
		pthread_mutex_unlock(&b->lock);
		if (posted || abandoned)
			return posted;
		nanosleep(&pause, NULL);
	}
}

static void *run(void *arg)
{
	struct background *b = arg;

	b->r = b->work.run(b->job, &b->err);
	if (!post(b))
		background_free(b);
	return NULL;
}

static int start_thread(struct background *b)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, run, b);
	pthread_attr_destroy(&attr);
	return -r;
}

int background_start(struct background **ret, struct loop_queue *queue,
	const struct background_work *work, void *job, struct error *err)
{
	struct background *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return error_oom(err);
	*b = (struct background){.queue = queue, .work = *work, .job = job};
	pthread_mutex_init(&b->lock, NULL);
	/* Nothing ends before its starter knows it: what is done may free where ret points to. */
	pthread_mutex_lock(&b->lock);
	r = start_thread(b);
	if (r == 0)
		*ret = b;
	pthread_mutex_unlock(&b->lock);
	if (r < 0) {
		pthread_mutex_destroy(&b->lock);
		free(b);
		return error_set(err, r, "a thread: %s", strerror(-r));
	}
	return 0;
}

void background_abandon(struct background *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->queue = NULL;
	pthread_mutex_unlock(&b->lock);
}
