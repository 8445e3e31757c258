/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>

struct loop_job {
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop_queue {
	pthread_mutex_t lock;
	int fd; /* eventfd: its count is how many jobs were posted since the loop last looked */
	sd_event_source *source;
	unsigned max;
	unsigned head, n; /* under lock: the ring's oldest job, how many wait */
	struct loop_job jobs[];
};

static struct loop_job loop_take(struct loop_queue *q)
{
	struct loop_job job;

	pthread_mutex_lock(&q->lock);
	job = q->jobs[q->head];
	q->head = (q->head + 1) % q->max;
	q->n--;
	pthread_mutex_unlock(&q->lock);
	return job;
}

static int loop_on_post(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct loop_queue *q = userdata;
	uint64_t posted;

	(void)s;
	(void)revents;
	/* Exactly what was announced and no more: a job that posts itself again gets its turn in
	 * the next round of the loop instead of holding this one. */
	if (read(fd, &posted, sizeof(posted)) != sizeof(posted))
		return 0;
	for (; posted; posted--) {
		struct loop_job job = loop_take(q);

		job.fn(job.ctx);
	}
	return 0;
}

int loop_queue_new(struct loop_queue **ret_q, sd_event *event, unsigned max)
{
	struct loop_queue *q;
	int r;

	if (max == 0)
		return -EINVAL;
	q = calloc(1, sizeof(*q) + max * sizeof(q->jobs[0]));
	if (!q)
		return -ENOMEM;
	q->max = max;
	pthread_mutex_init(&q->lock, NULL);
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = q->fd < 0 ? -errno : sd_event_add_io(event, &q->source, q->fd, EPOLLIN, loop_on_post, q);
	if (r < 0) {
		loop_queue_free(q);
		return r;
	}
	*ret_q = q;
	return 0;
}

int loop_post(struct loop_queue *q, void (*fn)(void *ctx), void *ctx)
{
	static const uint64_t one = 1;
	int r = 0;

	pthread_mutex_lock(&q->lock);
	if (q->n == q->max)
		r = -ENOBUFS;
	/* Cannot fail: the count stays far below the eventfd's limit. Announced under the lock, so
	 * that the loop never sees more announced than waits. */
	else if (write(q->fd, &one, sizeof(one)) != sizeof(one))
		r = -EIO;
	else
		q->jobs[(q->head + q->n++) % q->max] = (struct loop_job){fn, ctx};
	pthread_mutex_unlock(&q->lock);
	return r;
}

void loop_queue_free(struct loop_queue *q)
{
	if (!q)
		return;
	sd_event_source_disable_unref(q->source);
	if (q->fd >= 0)
		close(q->fd);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
