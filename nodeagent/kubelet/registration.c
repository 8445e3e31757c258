/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/registration.h"

#include "common/base/clock.h"

#define NEVER INT64_MAX

void registration_init(struct registration *r)
{
	*r = (struct registration){
		.due_usec = NEVER,
		.tries = {.first_usec = 50 * USEC_PER_MSEC,
			.max_usec = 15 * USEC_PER_SEC,
			.quiet_usec = 60 * USEC_PER_SEC},
		.looks = {.first_usec = 500 * USEC_PER_MSEC,
			.max_usec = 15 * USEC_PER_SEC,
			.quiet_usec = 60 * USEC_PER_SEC},
	};
}

static bool trying(const struct registration *r)
{
	return r->state == REGISTRATION_WAITING || r->state == REGISTRATION_ASKING ||
	       r->state == REGISTRATION_ACCEPTED || r->state == REGISTRATION_WATCHED;
}

/* At due, or never again when there is nothing left to offer. */
static void register_at(struct registration *r, int64_t due_usec)
{
	r->state = r->devices ? REGISTRATION_WAITING : REGISTRATION_IDLE;
	r->due_usec = r->devices ? due_usec : NEVER;
}

static void try_again(struct registration *r, int64_t now, uint32_t chance)
{
	register_at(r, now + backoff_delay(&r->tries, now, chance));
}

static void devices_gone(struct registration *r)
{
	r->devices = false;
	/* A kubelet that follows the list learns from it that it is empty now. */
	if (r->state != REGISTRATION_WATCHED)
		register_at(r, NEVER);
}

static void kubelet_new(struct registration *r, int64_t now, uint32_t chance)
{
	r->kubelet = true;
	r->tries.next_usec = 0; /* earlier failures were another kubelet's */
	if (trying(r))
		register_at(r, now + backoff_jitter(REGISTRATION_SETTLE_USEC, chance));
}

static void accepted(struct registration *r, int64_t now)
{
	r->state = r->list ? REGISTRATION_WATCHED : REGISTRATION_ACCEPTED;
	r->due_usec = r->list ? NEVER : now + REGISTRATION_LIST_USEC;
}

static void list_opened(struct registration *r)
{
	r->list = true;
	if (r->state == REGISTRATION_ACCEPTED)
		accepted(r, 0);
}

static void rival(struct registration *r)
{
	if (!trying(r))
		return;
	r->state = REGISTRATION_RIVALLED;
	r->due_usec = NEVER;
}

void registration_event(
	struct registration *r, enum registration_event e, int64_t now, uint32_t chance)
{
	switch (e) {
	case REGISTRATION_DEVICES:
		r->devices = true;
		if (r->state == REGISTRATION_IDLE)
			register_at(r, now);
		break;
	case REGISTRATION_NO_DEVICES:
		devices_gone(r);
		break;
	case REGISTRATION_KUBELET_NEW:
		kubelet_new(r, now, chance);
		break;
	case REGISTRATION_KUBELET_GONE:
		r->kubelet = false;
		break;
	case REGISTRATION_SOCKET_LOST:
		if (trying(r) && r->serving)
			try_again(r, now, chance);
		break;
	case REGISTRATION_OK:
		if (r->state == REGISTRATION_ASKING)
			accepted(r, now);
		break;
	case REGISTRATION_REFUSED:
		if (r->state == REGISTRATION_ASKING)
			try_again(r, now, chance);
		break;
	case REGISTRATION_LIST_OPENED:
		list_opened(r);
		break;
	case REGISTRATION_LIST_CLOSED:
		r->list = false;
		if (r->state == REGISTRATION_WATCHED)
			try_again(r, now, chance);
		break;
	case REGISTRATION_RIVAL:
		rival(r);
		break;
	case REGISTRATION_RIVAL_CHANGED:
		if (r->state == REGISTRATION_RIVALLED)
			r->due_usec = now + backoff_delay(&r->looks, now, chance);
		break;
	case REGISTRATION_RIVAL_GONE:
		if (r->state == REGISTRATION_RIVALLED)
			register_at(r, now + backoff_jitter(REGISTRATION_GRACE_USEC, chance));
		break;
	}
}

static bool to_stop(const struct registration *r)
{
	return r->serving && !trying(r);
}

int64_t registration_due(const struct registration *r)
{
	return to_stop(r) ? 0 : r->due_usec;
}

enum registration_action registration_act(struct registration *r, int64_t now, uint32_t chance)
{
	if (to_stop(r)) {
		r->serving = false;
		return REGISTRATION_STOP;
	}
	if (r->due_usec > now)
		return REGISTRATION_NOTHING;
	r->due_usec = NEVER;
	switch (r->state) {
	case REGISTRATION_WAITING:
		if (!r->kubelet)
			break; /* its socket's coming is an event */
		r->state = REGISTRATION_ASKING;
		r->serving = true;
		r->list = false;
		return REGISTRATION_REGISTER;
	case REGISTRATION_ACCEPTED:
		try_again(r, now, chance);
		break;
	case REGISTRATION_RIVALLED:
		return REGISTRATION_LOOK;
	default:
		break;
	}
	return REGISTRATION_NOTHING;
}
