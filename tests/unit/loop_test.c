/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/unit/test.h"

enum { THREADS = 4, POSTS = 500, QUEUE_MAX = 64 };

struct counts {
	struct loop_queue *q;
	pthread_t loop;
	unsigned ran, elsewhere, refused, again;
};

static void count(void *ctx)
{
	struct counts *c = ctx;

	c->ran++;
	c->elsewhere += !pthread_equal(pthread_self(), c->loop);
}

static void *post_many(void *ctx)
{
	struct counts *c = ctx;

	for (unsigned i = 0; i < POSTS; i++)
		while (loop_post(c->q, count, c) == -ENOBUFS)
			sched_yield();
	return NULL;
}

static void test_from_threads(void)
{
	struct counts c = {.loop = pthread_self()};
	pthread_t threads[THREADS];
	sd_event *event = NULL;

	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(loop_queue_new(&c.q, event, QUEUE_MAX), 0);
	for (unsigned i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, post_many, &c), 0);
	for (unsigned i = 0; c.ran < THREADS * POSTS && i < 10000; i++)
		sd_event_run(event, 1000000);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(c.ran, THREADS * POSTS);
	CU_ASSERT_EQUAL(c.elsewhere, 0);
	loop_queue_free(c.q);
	sd_event_unref(event);
}

static void post_again(void *ctx)
{
	struct counts *c = ctx;

	c->ran++;
	CU_ASSERT_EQUAL(loop_post(c->q, post_again, c), 0);
}

static void test_bounded(void)
{
	struct counts c = {.loop = pthread_self()};
	sd_event *event = NULL;

	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(loop_queue_new(&c.q, event, 0), -EINVAL);
	CU_ASSERT_EQUAL(loop_queue_new(&c.q, event, 2), 0);
	CU_ASSERT_EQUAL(loop_post(c.q, post_again, &c), 0);
	CU_ASSERT_EQUAL(loop_post(c.q, count, &c), 0);
	CU_ASSERT_EQUAL(loop_post(c.q, count, &c), -ENOBUFS);
	sd_event_run(event, 0);
	/* Both ran once; what the first posted waits for the next round, and never runs here. */
	CU_ASSERT_EQUAL(c.ran, 2);
	loop_queue_free(c.q);
	loop_queue_free(NULL);
	sd_event_unref(event);
}

CU_TestInfo loop_tests[] = {
	{"posts from threads run on the loop", test_from_threads},
	{"the queue is bounded and does not spin", test_bounded},
	CU_TEST_INFO_NULL,
};
