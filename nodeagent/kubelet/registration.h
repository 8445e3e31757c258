/* SPDX-License-Identifier: Apache-2.0
 *
 * When a device plugin is to register with the kubelet, again, or not at all. Pure: what happened,
 * time and chance are arguments; what to do comes back. Tries are jittered and grow apart, but are
 * quick at first, since a restarted kubelet offers nothing until its plugins are back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/net/backoff.h"

enum {
	REGISTRATION_SETTLE_USEC =
		20 * 1000, /* a new kubelet's socket is bound before it listens */
	REGISTRATION_LIST_USEC = 10 * 1000 * 1000, /* from Register to the kubelet's ListAndWatch */
	/* After a rival went, before its place is taken: a kubelet's restart removes its socket,
	 * and it comes back by itself. */
	REGISTRATION_GRACE_USEC = 5 * 1000 * 1000,
};

enum registration_state {
	REGISTRATION_IDLE,     /* nothing to register */
	REGISTRATION_WAITING,  /* for the kubelet's socket, or to try again */
	REGISTRATION_ASKING,   /* Register is under way */
	REGISTRATION_ACCEPTED, /* and the kubelet is about to ask for the list */
	REGISTRATION_WATCHED,  /* the kubelet follows the list: all is well */
	REGISTRATION_RIVALLED, /* another plugin serves the resource: not fought */
};

enum registration_event {
	REGISTRATION_DEVICES,      /* there are some */
	REGISTRATION_NO_DEVICES,   /* any more */
	REGISTRATION_KUBELET_NEW,  /* a kubelet's socket that was not there before */
	REGISTRATION_KUBELET_GONE, /* there is no socket of a kubelet */
	REGISTRATION_SOCKET_LOST,  /* ours is not at its place any more */
	REGISTRATION_OK,           /* Register's answers */
	REGISTRATION_REFUSED,
	REGISTRATION_LIST_OPENED, /* somebody follows the list; nobody does */
	REGISTRATION_LIST_CLOSED,
	REGISTRATION_RIVAL,         /* is there */
	REGISTRATION_RIVAL_CHANGED, /* is perhaps not there any more */
	REGISTRATION_RIVAL_GONE,
};

enum registration_action {
	REGISTRATION_NOTHING,
	REGISTRATION_STOP,     /* serving */
	REGISTRATION_REGISTER, /* stop, serve anew, then Register: a kubelet up to 1.36 takes the
				* end of the old stream for the new one's */
	REGISTRATION_LOOK,     /* for the rival; then RIVAL or RIVAL_GONE */
};

/* Zero-initialised but for registration_init(). */
struct registration {
	enum registration_state state;
	bool devices, kubelet, list; /* there are some; its socket is there; it is followed */
	bool serving;
	int64_t due_usec; /* private: see registration_due() */
	struct backoff tries, looks;
};

void registration_init(struct registration *r);
void registration_event(
	struct registration *r, enum registration_event e, int64_t now_usec, uint32_t chance);

/* When registration_act() has something to do: 0: now; INT64_MAX: not unless something happens. */
int64_t registration_due(const struct registration *r);
/* What is to be done now; once each. */
enum registration_action registration_act(
	struct registration *r, int64_t now_usec, uint32_t chance);
