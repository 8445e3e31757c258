/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of webhook/broker/kek_wrapped.h share. */
#pragma once

#include "common/net/backoff.h"
#include "webhook/broker/kek_wrapped.h"
#include "webhook/broker/kek_wrapper.h"

struct slot {                 /* beside its line */
	struct kek_ring open; /* of none or one */
	int64_t opened_usec;
	int64_t retry_usec; /* not before */
	struct backoff backoff;
	char problem[500];
};

enum busy { IDLE, OPENING, SEALING, REWRAPPING, STORING };

struct kek_wrapped {
	struct kek_wrapped_options o;
	struct store_place place;
	sd_event_source *timer;
	struct kek_wrapper wrappers[KEK_KINDS]; /* by kind */
	struct kek_lines lines;                 /* as stored */
	struct slot slots[KEKS_MAX];
	struct kek_ring ring;
	char revision[KEY_REVISION_MAX];
	bool known;   /* the lines are */
	bool damaged; /* they cannot be read */

	enum busy busy;
	char at[KEK_ID_MAX];    /* whose line is opened, rewrapped */
	struct kek_lines next;  /* that are being made, or stored */
	struct backoff backoff; /* of making */
	int64_t retry_usec;
	char problem[500];       /* of making */
	char place_problem[500]; /* of reading what is stored */

	bool renew;              /* a new one is wanted */
	bool writes_back;        /* STORING: not next, but what was deleted */
	size_t rewrapped;        /* of next, while it is made: so many lines were looked at */
	char wanted[KEK_ID_MAX]; /* done is told when it is open; "": when next is stored */
	key_store_written done;
	void *done_ctx;
};

/* --- kek_wrapped.c --- */
/* Does Vault or the token wrap new ones? */
bool kek_wraps_here(const struct kek_wrapped *w);
/* The object that the lines are stored in. */
const char *kek_stored_name(const struct kek_wrapped *w);
/* Whoever waits for a change is told. */
void kek_tell(struct kek_wrapped *w, int r, const struct error *err);
/* Stores the lines; then kek_step() goes on with what is stored. */
void kek_store(struct kek_wrapped *w, const struct kek_lines *lines);
/* Begins what is to be done next, unless something is under way. */
void kek_step(struct kek_wrapped *w);

/* --- kek_wrapped_make.c --- */
/* Begins to make one where none of the kind is stored, or a new one is wanted. */
void kek_make_if_needed(struct kek_wrapped *w, int64_t now);
