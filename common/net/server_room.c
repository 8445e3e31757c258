/* SPDX-License-Identifier: Apache-2.0
 *
 * Who comes in: each client waits, mostly for nothing. Beyond max_connections whose address has
 * fewest is first, and a place becomes free for it (common/net/places.h), so that nobody who is
 * slow on many connections keeps other addresses out. All of it is per connection, on the
 * acceptor's thread; requests know nothing of it. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/server_private.h"

enum { UNFINISHED_PART = 16 /* of request_usec: what is not done by then is slow */ };

void server_leave_party(struct http_exchange *x)
{
	x->party->held--;
	party_unref(&x->server->parties, TAKE_PTR(x->party));
}

bool server_shut(struct http_exchange *x, uint64_t seen)
{
	int64_t now = clock_monotonic_usec();

	if (!atomic_compare_exchange_strong(&x->phase, &seen, phase_at(PHASE_CLOSING, now)))
		return false;
	server_leave_party(x);
	x->server->leaving++;
	shutdown(x->fd, SHUT_RDWR);
	return true;
}

bool server_has_input(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

/*
 * Who waits. With the lock held.
 */

/* Its descriptor is still ours. */
static void dismiss(struct server *s, struct http_exchange *x)
{
	party_unref(&s->parties, x->party);
	close(x->fd);
	exchange_free(x);
	atomic_fetch_add(&s->turned_away, 1);
}

void server_wait(struct server *s, struct http_exchange *x)
{
	struct http_exchange *gone;

	pthread_mutex_lock(&s->lock);
	x->party = party_ref(&s->parties, x->client);
	if (!x->party) {
		close(x->fd);
		exchange_free(x);
	} else {
		gone = place_queue_add(&s->waiting, x->party, x);
		if (gone)
			dismiss(s, gone);
	}
	pthread_mutex_unlock(&s->lock);
}

void server_turn_away(struct server *s)
{
	struct http_exchange *x;

	pthread_mutex_lock(&s->lock);
	while ((x = place_queue_take(&s->waiting)))
		dismiss(s, x);
	pthread_mutex_unlock(&s->lock);
}

/*
 * Who comes in
 */

static struct worker *least_loaded(struct server *s)
{
	struct worker *least = &s->workers[0];

	for (unsigned i = 1; i < s->n_workers; i++)
		if (s->workers[i].n < least->n)
			least = &s->workers[i];
	return least;
}

/* With the lock held. */
static void list_add(struct server *s, struct http_exchange *x)
{
	/* libmicrohttpd drops a connection without a word when memory ends on its way. */
	struct http_exchange *lost = server_find_accepted(s, x->fd);

	if (lost) {
		server_unlist(s, lost);
		exchange_free(lost);
	}
	x->worker = least_loaded(s);
	x->handed_over = !s->arrivals;
	s->arriving += !x->handed_over;
	x->next = s->head;
	if (x->next)
		x->next->prev = x;
	s->head = x;
	s->n++;
	x->worker->n++;
	x->party->held++;
}

/* Who comes in next, if there is room. */
static struct http_exchange *next(struct server *s)
{
	struct http_exchange *x = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->n < s->limits.max_connections)
		x = place_queue_take(&s->waiting);
	if (x)
		list_add(s, x);
	pthread_mutex_unlock(&s->lock);
	return x;
}

/* Could it lose its place, rather than best if that is not NULL? Then *ret_place is its. */
static bool yields(const struct place_search *search, const struct http_exchange *x, uint64_t phase,
	const struct place *best, struct place *ret_place)
{
	*ret_place = (struct place){.use = PLACE_UNFINISHED, .since = phase_since(phase)};
	switch (phase_of(phase)) {
	case PHASE_ACCEPTED:
	case PHASE_HANDLING:
	case PHASE_CLOSING:
		return false;
	case PHASE_IDLE:
		ret_place->use = PLACE_QUIET;
		break;
	case PHASE_HANDSHAKE:
	case PHASE_READING:
	case PHASE_SENDING:
		break;
	}
	ret_place->held = x->party->held;
	return place_yields(search, ret_place, best) &&
	       (ret_place->use != PLACE_QUIET || !server_has_input(x->fd));
}

/* Shuts somebody down for the first of those who wait. With the lock held. */
static void evict(struct server *s)
{
	const struct server_limits *limits = &s->limits;
	int64_t quiet = limits->idle_usec / 8;
	const struct place_search search = {
		.held = place_queue_first(&s->waiting)->held,
		.now = clock_monotonic_usec(),
		.quiet_usec = quiet < SERVER_EVICT_USEC ? quiet : SERVER_EVICT_USEC,
		.unfinished_usec = limits->request_usec / UNFINISHED_PART,
	};
	struct http_exchange *found = NULL;
	struct place best, place;
	uint64_t seen = 0;

	for (struct http_exchange *x = s->head; x; x = x->next) {
		uint64_t phase = atomic_load(&x->phase);

		if (!x->party || !yields(&search, x, phase, found ? &best : NULL, &place))
			continue;
		found = x;
		best = place;
		seen = phase;
	}
	if (found && server_shut(found, seen))
		atomic_fetch_add(&s->evicted, 1);
}

void server_admit(struct server *s)
{
	struct http_exchange *x;

	while ((x = next(s))) {
		if (s->arrivals)
			server_arrive(s);
		else
			server_hand_over(x);
	}
	pthread_mutex_lock(&s->lock);
	if (s->waiting.n && s->leaving == 0) /* else there will be room soon */
		evict(s);
	pthread_mutex_unlock(&s->lock);
}
