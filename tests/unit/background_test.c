/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/background.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

enum { PATIENCE_USEC = 60 * USEC_PER_SEC };

/* A job is a byte that the thread waits for, and what came of it. */
struct job {
	int go[2];
	int r; /* of the run */
	struct background *work;
	atomic_int freed;
	unsigned ended;
	int ended_as;
	struct error err;
};

static int run(void *arg, struct error *err)
{
	struct job *j = arg;
	char c;

	if (read(j->go[0], &c, 1) != 1)
		return error_set(err, -EIO, "nobody said go");
	return j->r < 0 ? error_set(err, j->r, "as told") : j->r;
}

static void done(void *ctx, void *arg, int r, const struct error *err)
{
	struct job *j = arg;

	CU_ASSERT_PTR_EQUAL(ctx, j);
	CU_ASSERT_EQUAL(atomic_load(&j->freed), 0);
	j->ended++;
	j->ended_as = r;
	j->err = *err;
	j->work = NULL;
}

static void job_free(void *arg)
{
	struct job *j = arg;

	atomic_fetch_add(&j->freed, 1);
}

struct world {
	sd_event *event;
	struct loop_queue *queue;
	struct job job;
};

static bool setup(struct world *w, int r)
{
	*w = (struct world){.job = {.r = r}};
	return CHECK_ROW("setup",
		pipe(w->job.go) == 0 && sd_event_new(&w->event) >= 0 &&
			loop_queue_new(&w->queue, w->event, 1) == 0,
		"%m");
}

static void teardown(struct world *w)
{
	loop_queue_free(w->queue);
	sd_event_unref(w->event);
	close(w->job.go[0]);
	close(w->job.go[1]);
}

static int start(struct world *w, struct error *err)
{
	const struct background_work work = {
		.run = run, .done = done, .free = job_free, .ctx = &w->job};

	return background_start(&w->job.work, w->queue, &work, &w->job, err);
}

static void go(struct world *w)
{
	CU_ASSERT_EQUAL(write(w->job.go[1], "", 1), 1);
}

static void turn_until_freed(struct world *w)
{
	int64_t until = clock_monotonic_usec() + PATIENCE_USEC;

	while (!atomic_load(&w->job.freed) && clock_monotonic_usec() < until)
		sd_event_run(w->event, USEC_PER_SEC / 100);
	CU_ASSERT_EQUAL(atomic_load(&w->job.freed), 1);
}

static void test_ends(void)
{
	static const struct {
		const char *name;
		int r;
		const char *message;
	} rows[] = {{"done", 0, ""}, {"a count", 7, ""}, {"failed", -EBADMSG, "as told"}};
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *row = rows[i].name;

		if (!setup(&w, rows[i].r))
			return;
		CHECK_ROW(row, start(&w, NULL) == 0 && w.job.work, "not started");
		CHECK_ROW(row, !w.job.ended, "before it ran");
		go(&w);
		turn_until_freed(&w);
		CHECK_ROW(row, w.job.ended == 1 && !w.job.work, "%u times", w.job.ended);
		CHECK_ROW(row, w.job.ended_as == rows[i].r, "%d", w.job.ended_as);
		CHECK_STR(row, span_str(w.job.err.message), rows[i].message);
		teardown(&w);
	}
}

/* Before it ran, and when its end waits on the loop. */
static void test_abandoned(void)
{
	struct world w;

	if (!setup(&w, 0))
		return;
	CU_ASSERT_EQUAL(start(&w, NULL), 0);
	background_abandon(w.job.work);
	go(&w);
	turn_until_freed(&w);
	CU_ASSERT_EQUAL(w.job.ended, 0);
	teardown(&w);

	if (!setup(&w, 0))
		return;
	CU_ASSERT_EQUAL(start(&w, NULL), 0);
	go(&w);
	/* The loop is to run something: that can be its end alone. */
	CU_ASSERT_EQUAL(sd_event_prepare(w.event), 0);
	CU_ASSERT_EQUAL(sd_event_wait(w.event, PATIENCE_USEC), 1);
	background_abandon(w.job.work);
	CU_ASSERT_TRUE(sd_event_dispatch(w.event) >= 0);
	turn_until_freed(&w);
	CU_ASSERT_EQUAL(w.job.ended, 0);
	teardown(&w);
	background_abandon(NULL);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* Its end waits for room; until then nothing is freed, and it may be abandoned. */
static void test_full_queue(void)
{
	struct world w;

	for (int abandon = 0; abandon < 2; abandon++) {
		if (!setup(&w, 0))
			return;
		CU_ASSERT_EQUAL(loop_post(w.queue, nothing, NULL), 0);
		CU_ASSERT_EQUAL(start(&w, NULL), 0);
		go(&w);
		/* Long enough for a thread that gives up to be seen, mostly. */
		usleep(100 * 1000);
		CU_ASSERT_EQUAL(atomic_load(&w.job.freed), 0);
		if (abandon)
			background_abandon(w.job.work);
		turn_until_freed(&w);
		CU_ASSERT_EQUAL(w.job.ended, abandon ? 0 : 1);
		teardown(&w);
	}
}

static void test_no_memory(void)
{
	struct oom o = {0};

	while (oom_next(&o)) {
		struct error err = {0};
		struct world w;
		int r;

		if (!setup(&w, 0))
			return;
		oom_begin(&o);
		r = start(&w, &err);
		oom_end(&o);
		if (r == 0) {
			go(&w);
			turn_until_freed(&w);
		}
		CHECK_ROW(o.row,
			o.failed ? r == -ENOMEM && !w.job.work && !w.job.freed
				 : r == 0 && w.job.ended == 1,
			"%d: %s", r, err.message);
		teardown(&w);
	}
}

CU_TestInfo background_tests[] = {
	{"work ends once, on the loop", test_ends},
	{"abandoned work ends unheard", test_abandoned},
	{"an end waits for room in the queue", test_full_queue},
	{"a job that could not start is still its owner's", test_no_memory},
	CU_TEST_INFO_NULL,
};
