/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/fetch_schedule.h"

#include "common/base/clock.h"

static bool there(const struct fetch_schedule *s, const char *url)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->pieces[i].rq.url, url) == 0)
			return true;
	}
	return false;
}

/* Room for one more, in steps of a power of two. */
static int grow(struct fetch_schedule *s, struct error *err)
{
	struct fetch_piece *p;

	if (s->n == FETCH_PIECES_MAX)
		return error_set(err, -E2BIG, "more than %d pieces of collateral are wanted",
			FETCH_PIECES_MAX);
	if (s->n & (s->n - 1))
		return 0;
	p = reallocarray(s->pieces, s->n ? 2 * s->n : 1, sizeof(*p));
	if (!p)
		return error_oom(err);
	s->pieces = p;
	return 0;
}

int fetch_schedule_add(
	struct fetch_schedule *s, const struct pull_plan *plan, int64_t now, struct error *err)
{
	for (size_t i = 0; i < plan->n; i++) {
		int r;

		if (there(s, plan->requests[i].url))
			continue;
		r = grow(s, err);
		if (r < 0)
			return r;
		s->pieces[s->n++] = (struct fetch_piece){
			.rq = plan->requests[i],
			.due = now,
			.backoff = {.first_usec = FETCH_FAILED_SEC * (int64_t)USEC_PER_SEC,
				.max_usec = FETCH_FAILED_MAX_SEC * (int64_t)USEC_PER_SEC},
		};
	}
	return 0;
}

/* In the order of asking where several are due: a chip's certificate is checked with those before
 * it. */
struct fetch_piece *fetch_schedule_next(const struct fetch_schedule *s)
{
	struct fetch_piece *first = NULL;

	for (size_t i = 0; i < s->n; i++) {
		if (!first || s->pieces[i].due < first->due)
			first = &s->pieces[i];
	}
	return first;
}

/* sec, shortened by up to a fifth: replicas that started together do not ask together. */
static int64_t earlier(int64_t sec, uint32_t chance)
{
	return sec - (int64_t)((double)sec / 5 * chance / UINT32_MAX);
}

void fetch_piece_good(struct fetch_piece *p, int64_t now, uint32_t chance)
{
	int64_t wait = FETCH_REFRESH_SEC, left = p->until - now;

	p->absent = false;
	backoff_restart(&p->backoff);
	/* A chip's certificate never changes. */
	if (p->rq.kind == PULL_VCEK)
		wait = left;
	/* A service can serve what has little time left, and then has nothing newer yet. */
	if (wait > left / 2)
		wait = left / 2;
	if (wait < FETCH_LEAST_SEC)
		wait = FETCH_LEAST_SEC;
	p->due = now + earlier(wait, chance);
}

void fetch_piece_absent(struct fetch_piece *p, int64_t now, uint32_t chance)
{
	p->absent = true;
	p->due = now +
		 backoff_jitter(FETCH_ABSENT_SEC * (int64_t)USEC_PER_SEC, chance) / USEC_PER_SEC;
}

void fetch_piece_unstored(struct fetch_piece *p, int64_t now)
{
	p->absent = true;
	p->due = now + FETCH_STORE_SEC;
}

void fetch_piece_failed(struct fetch_piece *p, int64_t now, int64_t retry_after, uint32_t chance)
{
	int64_t wait = backoff_delay(&p->backoff, now * USEC_PER_SEC, chance) / USEC_PER_SEC;

	/* Within reason: who answers may be wrong, or not the service. */
	if (retry_after > wait)
		wait = retry_after < FETCH_REFRESH_SEC ? retry_after : FETCH_REFRESH_SEC;
	p->due = now + wait;
}

void fetch_schedule_drop(struct fetch_schedule *s, struct fetch_piece *p)
{
	free(p->chain);
	free(p->body);
	s->n--;
	memmove(p, p + 1, (size_t)(s->pieces + s->n - p) * sizeof(*p));
}

void fetch_schedule_free(struct fetch_schedule *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->pieces[i].chain);
		free(s->pieces[i].body);
	}
	free(s->pieces);
	*s = (struct fetch_schedule){0};
}
